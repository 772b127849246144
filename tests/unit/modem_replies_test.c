#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "modem/charset.h"
#include "modem/replies.h"

static char text[REPLIES_TEXT];

/* It goes into that many septets, by the codec that will send it. */
static size_t
septets(const char *s)
{
	int n = charset_to_gsm(NULL, 10000, s, strlen(s));

	assert_true(n >= 0);
	assert_int_equal((size_t)n, replies_septets(s));
	return (size_t)n;
}

/* Pieces of text of every kind, some not of the alphabet, some not UTF-8. */
static char *
noise(char *dst, size_t max)
{
	static const char *const pieces[] = {
		"a", "Z", "0", " ", "@", "_", "[", "{", "\xe2\x82\xac", "\n",
		"\r", "\t", "\x1b", "`", "\xc3\xa5", "\xce\xa9", "\xff",
		"\xe4\xbd\xa0", "\xf0\x9f\x98\x80", "\xc3", "..", "?",
	};
	size_t n = (size_t)rand() % (max + 1), at = 0;

	dst[0] = '\0';
	while (at < n) {
		const char *p = pieces[(size_t)rand() % (sizeof(pieces) /
		    sizeof(pieces[0]))];

		if (at + strlen(p) > n)
			break;
		strcpy(dst + at, p);
		at += strlen(p);
	}
	return dst;
}

static void
status_says_all(void **state)
{
	const struct replies_status s = {
		.box = "home-oob", .link = "up", .since_s = 725,
		.left_s = 18 * 60, .signal_dbm = -71, .operator = "Telia",
		.relay = "cloud proven", .error = "E-APN 2h ago", .alerts = 2,
		.seal = "1a2b3c4d5e6f",
	};
	struct replies_status little = {
		.box = "home-oob", .link = "idle", .since_s = -1,
		.left_s = -1,
	};

	(void)state;
	assert_ptr_equal(replies_status(text, &s), text);
	assert_string_equal(text, "home-oob: link up 12min, 18min left; "
	    "relay cloud proven; alerts 2; -71dBm Telia; last error E-APN 2h "
	    "ago; seal 1a2b3c4d5e6f");
	assert_true(septets(text) <= REPLIES_ONE);
	assert_string_equal(replies_status(text, &little),
	    "home-oob: link idle");
	little.since_s = 11000;
	little.operator = "Net";
	assert_string_equal(replies_status(text, &little),
	    "home-oob: link idle 3h03min; Net");
	little.since_s = 460000;
	little.operator = "";
	little.signal_dbm = -113;
	assert_string_equal(replies_status(text, &little),
	    "home-oob: link idle 5d7h; -113dBm");
}

/* Whatever is too long is cut, and the rest is still there. */
static void
status_is_cut_well(void **state)
{
	char longer[300];
	struct replies_status s = {
		.box = longer, .link = "negotiating", .since_s = 359999,
		.left_s = 14399, .signal_dbm = -113, .operator = longer,
		.relay = longer, .error = longer, .alerts = 4294967295u,
		.seal = longer,
	};

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	replies_status(text, &s);
	assert_true(septets(text) <= REPLIES_ONE);
	assert_true(septets(text) >= REPLIES_ONE - 2);
	assert_non_null(strstr(text, ": link negotiating 4d3h, 3h59min left;"));
	assert_non_null(strstr(text, "; -113dBm x"));
	assert_non_null(strstr(text, "; alerts 4294967295;"));
	assert_non_null(strstr(text, "; relay xxxxxxxxxx"));
	assert_non_null(strstr(text, "; last error xxxxx"));
	assert_non_null(strstr(text, "; seal xxxxxx.."));
	/* A long error costs the seal nothing that it needs. */
	s.box = "home-oob";
	s.operator = "Telia";
	s.relay = "cloud proven";
	s.seal = "1a2b3c4d";
	s.alerts = 0;
	replies_status(text, &s);
	assert_non_null(strstr(text, "x..; seal 1a2b3c4d"));
	assert_true(septets(text) >= REPLIES_ONE - 2);
}

static void
down_says_why(void **state)
{
	struct replies_down d = {
		.box = "home-oob", .why = "hold is over", .up_s = 1920,
		.in = 900000, .out = 312345,
	};

	(void)state;
	assert_string_equal(replies_down(text, &d), "home-oob: link is down: "
	    "hold is over; was up 32min, 1.2 MB used (900 kB in, 312 kB "
	    "out)");
	d.in = 999;
	d.out = 0;
	d.up_s = 7;
	assert_string_equal(replies_down(text, &d), "home-oob: link is down: "
	    "hold is over; was up 7s, 999 B used (999 B in, 0 B out)");
	d.in = UINT64_C(12345678901);
	assert_non_null(strstr(replies_down(text, &d), "(12 GB in"));
	d.in = UINT64_MAX / 2;
	d.out = UINT64_MAX / 2;
	d.up_s = INT64_MAX / 2;
	replies_down(text, &d);
	assert_true(septets(text) <= REPLIES_ONE);
}

static void
failure_says_what_next(void **state)
{
	struct replies_failed f = {
		.box = "home-oob", .code = "E-APN", .why = "NO CARRIER at "
		"once", .retry_s = 300, .signal_dbm = -71,
		.operator = "Telia",
	};

	(void)state;
	assert_string_equal(replies_failed(text, &f), "home-oob: link failed: "
	    "E-APN; next try in 5min; -71dBm Telia; NO CARRIER at once");
	f.retry_s = -1;
	f.why = NULL;
	assert_string_equal(replies_failed(text, &f), "home-oob: link failed: "
	    "E-APN; no more tries; -71dBm Telia");
}

static void
ping_tells_the_time(void **state)
{
	(void)state;
	assert_string_equal(replies_ping(text, "home-oob", "1.2", 1795380421,
	    true), "home-oob: pong, oobd 1.2, 2026-11-22T20:47Z");
	assert_string_equal(replies_ping(text, "home-oob", "1.2", 60, false),
	    "home-oob: pong, oobd 1.2, 1970-01-01T00:01Z (clock not set)");
}

static void
who_counts_the_rest(void **state)
{
	struct replies_person p[40] = {
		{ "alice", "gw", true, 180 }, { "bob", "core", false, 5 },
	};
	unsigned more = 0;
	char *last;

	(void)state;
	assert_string_equal(replies_who(text, "home-oob", p, 0),
	    "home-oob: nobody is attached");
	assert_string_equal(replies_who(text, "home-oob", p, 2),
	    "home-oob: alice@gw pen 3min, bob@core 5s");
	for (size_t i = 0; i < 40; i++)
		p[i] = p[0];
	replies_who(text, "home-oob", p, 40);
	assert_true(septets(text) <= REPLIES_ONE);
	last = strrchr(text, ',');
	assert_non_null(last);
	assert_int_equal(sscanf(last, ", %u more", &more), 1);
	assert_true(more > 20 && more < 40);
	p[0].user = p[0].console = "a-name-of-exactly-32-characters-";
	replies_who(text, "home-oob", p, 1);
	assert_non_null(strstr(text, "a-name-of-exactly-32-characters-@"));
}

static void
tail_ends_with_the_newest(void **state)
{
	static const char *const lines[] = {
		"first", "panic: [cut]", "db> ",
	};
	const char *many[50];
	char line[50][32];

	(void)state;
	assert_string_equal(replies_tail(text, "gw", lines, 3, 1),
	    "gw:\nfirst\npanic: [cut]\ndb> ");
	assert_string_equal(replies_tail(text, "gw", lines, 0, 1),
	    "gw: nothing yet");
	for (int i = 0; i < 50; i++) {
		snprintf(line[i], sizeof(line[i]), "line %d of 50", i);
		many[i] = line[i];
	}
	replies_tail(text, "gw", many, 50, 1);
	assert_true(septets(text) <= REPLIES_ONE);
	assert_true(septets(text) > REPLIES_ONE - 4);
	assert_non_null(strstr(text, "\nline 49 of 50"));
	assert_null(strstr(text, "line 30"));
	/* What of an older line fits is its end. */
	assert_memory_equal(text, "gw:\n..", 6);
	replies_tail(text, "gw", many, 50, 2);
	assert_true(septets(text) < 2 * REPLIES_PART);
	assert_true(septets(text) > 2 * REPLIES_PART - 5);
	assert_non_null(strstr(text, "\nline 49 of 50"));
	assert_non_null(strstr(text, "line 30"));
}

/* Nothing that anybody puts in makes a text that does not fit. */
static void
noise_fits(void **state)
{
	char b[7][420];
	const char *lines[7];
	struct replies_person people[7];

	(void)state;
	srand(4711);
	for (int round = 0; round < 3000; round++) {
		size_t max = (size_t)rand() % 400;
		struct replies_status s = {
			noise(b[0], max), noise(b[1], max), rand(), rand(),
			-rand() % 114, noise(b[2], max), noise(b[3], max),
			noise(b[4], max), (unsigned)rand(), noise(b[5], max),
		};
		struct replies_down d = { b[0], b[1], rand(),
			(uint64_t)rand() << 30, (uint64_t)rand() };
		struct replies_failed f = { b[0], b[1], b[2], rand(), rand(),
			b[3] };

		for (int i = 0; i < 7; i++) {
			lines[i] = noise(b[i], max);
			people[i] = (struct replies_person){ b[i], b[6 - i],
				true, rand() };
		}
		assert_true(septets(replies_status(text, &s)) <= REPLIES_ONE);
		assert_true(septets(replies_down(text, &d)) <= REPLIES_ONE);
		assert_true(septets(replies_failed(text, &f)) <= REPLIES_ONE);
		assert_true(septets(replies_text(text, b[0], b[1])) <=
		    REPLIES_ONE);
		assert_true(septets(replies_who(text, b[0], people, 7)) <=
		    REPLIES_ONE);
		assert_true(septets(replies_tail(text, b[0], lines, 7, 1)) <=
		    REPLIES_ONE);
		assert_true(septets(replies_tail(text, b[0], lines, 7, 2)) <
		    2 * REPLIES_PART);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_says_all),
		cmocka_unit_test(status_is_cut_well),
		cmocka_unit_test(down_says_why),
		cmocka_unit_test(failure_says_what_next),
		cmocka_unit_test(ping_tells_the_time),
		cmocka_unit_test(who_counts_the_rest),
		cmocka_unit_test(tail_ends_with_the_newest),
		cmocka_unit_test(noise_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
