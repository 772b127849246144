#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "modem/ladder.h"
#include "modem/ports.h"
#include "modem/quirks.h"

static void
test_search(void **state)
{
	char spec[PORTS_SPEC], small[8];

	(void)state;
	assert_true(ports_is_search("usb:12d1:1001", NULL));
	assert_true(ports_is_search("usb:12d1:1001:ABC", NULL));
	assert_false(ports_is_search("usb:12d1:1001::02", NULL));
	assert_false(ports_is_search("usb:12d1:1001", "/dev/ttyUSB2"));
	assert_false(ports_is_search("/dev/cuaU0.0", NULL));
	assert_int_equal(ports_candidate("usb:12d1:1001", 2, spec,
	    sizeof(spec)), 0);
	assert_string_equal(spec, "usb:12d1:1001::02");
	assert_int_equal(ports_candidate("usb:12d1:1001:ABC", 7, spec,
	    sizeof(spec)), 0);
	assert_string_equal(spec, "usb:12d1:1001:ABC:07");
	assert_int_equal(ports_candidate("usb:12d1:1001", 0, small,
	    sizeof(small)), -1);
}

static void
test_mode(void **state)
{
	static const struct {
		const char *line;
		bool ok;
		int mdm, pcui;
	} lines[] = {
		{ "^GETPORTMODE: TYPE: WCDMA: huawei,MDM:0,PCUI:1,DIAG:2,",
		    true, 0, 1 },
		{ "^GETPORTMODE:TYPE:WCDMA:huawei,MDM:0,NDIS:3,DIAG:1,PCUI:2",
		    true, 0, 2 },
		{ "^GETPORTMODE: TYPE: WCDMA: huawei,PCUI: 3", true, -1, 3 },
		{ "^GETPORTMODE:TYPE:LTE:HUAWEI,3G_MODEM:0,3G_PCUI:2", true, 0,
		    2 },
		{ "^GETPORTMODE: TYPE: WCDMA: huawei,MDM:,PCUI:", false, -1,
		    -1 },
		{ "^GETPORTMODE: TYPE: WCDMA: huawei", false, -1, -1 },
		{ "^GETPORTMODE:", false, -1, -1 },
		{ "+CSQ: MDM:1", false, -1, -1 },
		{ "^GETPORTMODE: XMDM:1,PCUI:2", true, -1, 2 },
	};
	struct ports_mode m;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(ports_parse_mode(lines[i].line, &m),
		    lines[i].ok);
		assert_int_equal(m.mdm, lines[i].mdm);
		assert_int_equal(m.pcui, lines[i].pcui);
	}
}

static void
choose(unsigned mask, int mdm, int pcui, int want_data, int want_control)
{
	const struct ports_mode m = { mdm, pcui };
	bool answers[PORTS_MAX];
	int data, control;

	for (int i = 0; i < PORTS_MAX; i++)
		answers[i] = mask >> i & 1;
	assert_int_equal(ports_choose(answers, &m, &data, &control),
	    want_data != -1);
	assert_int_equal(data, want_data);
	assert_int_equal(control, want_control);
}

static void
test_choose(void **state)
{
	(void)state;
	choose(5, 0, 2, 0, 2);
	choose(5, 2, 0, 2, 0);
	choose(5, -1, -1, 0, 2);
	choose(0xff, -1, -1, 0, 7);
	choose(7, 1, -1, 1, 2);
	choose(7, -1, 0, 1, 0);
	/* What does not answer is not chosen, whatever was said. */
	choose(6, 0, 3, 1, 2);
	choose(4, 0, 2, 2, -1);
	choose(1, 0, 2, 0, -1);
	choose(1, 200, 200, 0, -1);
	choose(3, 1, 1, 1, 0);
	choose(0, 0, 1, -1, -1);
}

static void
test_quirks(void **state)
{
	const struct quirk *q;
	unsigned i, generic = 0;

	(void)state;
	assert_string_equal(quirk_find("huawei")->name, "Huawei");
	assert_string_equal(quirk_find("HUAWEI TECH")->name, "Huawei");
	assert_string_equal(quirk_find("Quectel")->name, "Quectel");
	assert_string_equal(quirk_find("SIMCOM_Ltd")->name, "SIMCom");
	assert_string_equal(quirk_find("Sierra Wireless, Inc.")->name,
	    "Sierra");
	assert_string_equal(quirk_find("")->name, "generic");
	assert_string_equal(quirk_find("Nokia")->name, "generic");
	for (i = 0; (q = quirk_at(i)) != NULL; i++) {
		generic += q->maker == NULL;
		assert_non_null(q->init_two);
		assert_non_null(q->init_one);
		assert_non_null(q->iccid[0]);
		assert_non_null(q->tries[0].text);
		assert_non_null(q->reset[0]);
		assert_non_null(q->cnmi[0]);
		assert_non_null(q->stores[0]);
		/* What is written for good into a modem is nobody's init. */
		for (const char *const *p = q->init_one; *p != NULL; p++)
			assert_null(strstr(*p, "U2DIAG"));
		for (const char *const *p = q->init_two; *p != NULL; p++)
			assert_null(strstr(*p, "U2DIAG"));
		/* Messages are stored first, or lost when we are down. */
		for (const char *const *p = q->cnmi; *p != NULL; p++)
			assert_int_equal((*p)[2], '1');
	}
	assert_int_equal(generic, 1);
	assert_in_range(i, 5, 20);
}

static const unsigned all = (1u << LADDER_STEPS) - 1;

static void
test_ladder_up(void **state)
{
	struct ladder *l = ladder_new();
	struct mono now = { 5000000 };
	int64_t wait;

	(void)state;
	for (int i = 0; i < LADDER_STEPS; i++)
		assert_int_equal(ladder_next(l, now, all, &wait), i);
	/* From the top back to the ports; power and radio are used up. */
	assert_int_equal(ladder_next(l, now, all, &wait), LADDER_REOPEN);
	assert_int_equal(ladder_next(l, now, all, &wait), LADDER_RESET);
	assert_int_equal(ladder_next(l, now, all, &wait), LADDER_USB);
	/* All well again: from the bottom. */
	ladder_well(l);
	assert_int_equal(ladder_next(l, now, all, &wait), LADDER_RESYNC);
	assert_int_equal(ladder_count(l, LADDER_RESYNC), 2);
	/* What is not possible is left out. */
	ladder_well(l);
	assert_int_equal(ladder_next(l, now, 1u << LADDER_USB |
	    1u << LADDER_REOPEN, &wait), LADDER_REOPEN);
	assert_int_equal(ladder_next(l, now, 1u << LADDER_POWER, &wait), -1);
	ladder_free(l);
}

static void
test_ladder_budget(void **state)
{
	unsigned taken = 0, power = 0;
	struct ladder *l = ladder_new();
	struct mono now = { 5000000 };
	int64_t wait, waited = 0;
	int step;

	(void)state;
	/* Trouble every second for three hours. */
	while (waited < 3 * 3600) {
		step = ladder_next(l, now, all, &wait);
		if (step == -1) {
			assert_in_range(wait, 1, 3600 * 1000);
			now = mono_after(now, wait);
			waited += wait / 1000;
			continue;
		}
		taken++;
		power += step == LADDER_POWER;
		now = mono_after(now, 1000);
		waited++;
	}
	assert_in_range(power, 2, 3);
	assert_in_range(taken, 40, 3 * 30);
	ladder_free(l);
	l = ladder_new();
	assert_int_equal(ladder_take(l, now, LADDER_CFUN), 0);
	assert_int_equal(ladder_take(l, now, LADDER_CFUN), -1);
	now = mono_after(now, 3600 * 1000 - 1);
	assert_int_equal(ladder_take(l, now, LADDER_CFUN), -1);
	now = mono_after(now, 1);
	assert_int_equal(ladder_take(l, now, LADDER_CFUN), 0);
	ladder_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_quirks),
		cmocka_unit_test(test_ladder_up),
		cmocka_unit_test(test_ladder_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
