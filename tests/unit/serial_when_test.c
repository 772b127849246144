#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serial/when.h"

#define S INT64_C(1000000)
#define NOW (INT64_C(1795340463) * S)		/* 2026-11-22T09:41:03Z */
#define DAY (INT64_C(1795305600) * S)		/* its midnight */

static const struct {
	const char *text;
	int64_t us;
} good[] = {
	{ "now", NOW },
	{ "-15min", NOW - 900 * S },
	{ "-90s", NOW - 90 * S },
	{ "-2h", NOW - 7200 * S },
	{ "-1d", NOW - 86400 * S },
	{ "-30", NOW - 30 * S },
	{ "09:41", DAY + (9 * 60 + 41) * 60 * S },
	{ "23:59:59", DAY + 86399 * S },
	{ "2026-11-22T09:41:03Z", NOW },
	{ "2026-11-22T09:41:03", NOW },
	{ "2026-11-22 09:41:03", NOW },
	{ "2026-11-22t09:41:03z", NOW },
	{ "2026-11-22T10:41:03+01:00", NOW },
	{ "2026-11-22T04:11:03-05:30", NOW },
	{ "2026-11-22T09:41:03.5Z", NOW + 500000 },
	{ "2026-11-22T09:41:03.123456789Z", NOW + 123456 },
	{ "2026-11-22T09:41Z", NOW - 3 * S },
	{ "2026-11-22", DAY },
};

static const char *const bad[] = {
	"", "-", "yesterday", "-5x", "--5", "25:00", "9:41", "09:60", "09:4",
	"09:41:", "09:41:0x", "2026-11-22T", "2026-11-22X09:41",
	"2026-13-01", "2026-11-22T09:41:03+1:00", "2026-11-22T09:41:03Zx",
	"2026-11-22T09:41:03.Z", "now ", "2026-1-1", "-99999999999999999999",
};

static void
test_when(void **state)
{
	int64_t us;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		us = -1;
		if (when_parse(good[i].text, NOW, &us) == -1 ||
		    us != good[i].us)
			fail_msg("%s: %lld", good[i].text, (long long)us);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (when_parse(bad[i], NOW, &us) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
