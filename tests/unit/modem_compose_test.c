#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "modem/compose.h"

#define NUMBER "+436601234567"

/* What goes apart comes together again. */
static void
compose_length(char c, size_t n, bool wide)
{
	struct compose out;
	struct pdu m;
	const char *why;
	char text[4 * 480 + 1], got[4 * 480 + 1];
	size_t len = 0, k = 0;

	for (size_t i = 0; i < n; i++) {
		/* Pairs at every second place. */
		if (i % 2 == 0) {
			text[len++] = c;
		} else {
			const char *p = wide ? "\U0001f600" : "\u20ac";

			memcpy(text + len, p, strlen(p));
			len += strlen(p);
		}
	}
	text[len] = '\0';
	if (compose(&out, text, len, &why) == -1) {
		assert_true(n + n / 2 > (wide ? 3 * 66 : 3 * 152));
		return;
	}
	assert_true(out.parts >= 1 && out.parts <= 3);
	for (unsigned seq = 1; seq <= out.parts; seq++) {
		uint8_t octets[PDU_MAX];
		struct pdu back;
		int used;

		compose_part(&out, seq, 7, &m);
		pdu_number(&m.addr, NUMBER);
		used = pdu_encode(&m, octets, sizeof(octets), &why);
		assert_true(used > 0);
		assert_int_equal(pdu_decode(&back, octets, (size_t)used,
		    &why), 0);
		assert_false(back.dangling_escape);
		assert_int_equal(back.concat.ok, out.parts > 1);
		memcpy(got + k, back.text, back.text_len);
		k += back.text_len;
	}
	assert_int_equal(k, len);
	assert_memory_equal(got, text, len);
}

static void
test_compose_every_length(void **state)
{
	struct compose c;
	const char *why;

	(void)state;
	for (size_t n = 0; n < 400; n++) {
		compose_length('a', n, false);
		compose_length('a', n, true);
	}
	assert_int_equal(compose(&c, "\xff", 1, &why), -1);
	assert_non_null(strstr(why, "UTF-8"));
	assert_int_equal(compose(&c, "a\xc3", 2, &why), -1);
}

static void
test_compose_limits(void **state)
{
	static const struct {
		const char *c;
		size_t n;
		unsigned parts;
	} sizes[] = {
		{ "a", 160, 1 }, { "a", 161, 2 }, { "a", 306, 2 },
		{ "a", 307, 3 }, { "a", 459, 3 }, { "a", 460, 0 },
		{ "a", 481, 0 }, { "a", 900, 0 },
		{ "\u0151", 70, 1 }, { "\u0151", 71, 2 },
		{ "\u0151", 134, 2 }, { "\u0151", 135, 3 },
		{ "\u0151", 201, 3 }, { "\u0151", 202, 0 },
	};
	char text[1000];
	struct compose c;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t w = strlen(sizes[i].c);

		for (size_t k = 0; k < sizes[i].n; k++)
			memcpy(text + k * w, sizes[i].c, w);
		if (sizes[i].parts == 0) {
			assert_int_equal(compose(&c, text, sizes[i].n * w,
			    &why), -1);
			assert_non_null(strstr(why, "longer"));
			continue;
		}
		assert_int_equal(compose(&c, text, sizes[i].n * w, &why), 0);
		assert_int_equal(c.parts, sizes[i].parts);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compose_every_length),
		cmocka_unit_test(test_compose_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
