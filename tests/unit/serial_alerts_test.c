#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "serial/alerts.h"

#define MIN (60 * 1000)

/* Time is what the test says it is. */
static struct {
	struct alerts *a;
	int64_t ms;
	uint64_t at;
	char told[8192];
} f;

static void
tell(const char *how, const struct alert_hit *hit)
{
	size_t n = strlen(f.told);

	n += (size_t)snprintf(f.told + n, sizeof(f.told) - n, "%s %s %s",
	    how, hit->rule->name, hit->over ? "over: " : "");
	if (hit->more > 0)
		n += (size_t)snprintf(f.told + n, sizeof(f.told) - n,
		    "(+%d) ", (int)hit->more);
	snprintf(f.told + n, sizeof(f.told) - n, "%s|", hit->text);
}

static void
on_raised(void *arg, const struct alert_hit *hit)
{
	assert_null(arg);
	tell("!", hit);
}

static void
on_report(void *arg, const struct alert_hit *hit)
{
	(void)arg;
	tell("=", hit);
}

static const struct alerts_ops ops = { on_raised, on_report };

static struct stamp
now(void)
{
	return (struct stamp){ 1000000000000 + f.ms * 1000,
	    { 5000000 + f.ms * 1000 } };
}

static void
say(const char *text)
{
	alerts_data(f.a, now(), f.at, text, strlen(text));
	f.at += strlen(text);
}

/* Time passes, with a call whenever one was asked for. */
static void
pass(int64_t ms)
{
	int64_t end = f.ms + ms, due;

	for (;;) {
		due = alerts_tick(f.a, now(), f.at);
		if (due == INT64_MAX || due / 1000 - 5000 > end)
			break;
		assert_true(due / 1000 - 5000 > f.ms);	/* no spinning */
		f.ms = due / 1000 - 5000;
	}
	f.ms = end;
	(void)alerts_tick(f.a, now(), f.at);
}

static void
expect(const char *text)
{
	assert_string_equal(f.told, text);
	f.told[0] = '\0';
}

static void
begin_with(const struct alert_rule *rules, size_t n)
{
	memset(&f, 0, sizeof(f));
	f.a = alerts_new(rules, n, &ops, NULL);
	alerts_begin(f.a, now(), now());
}

static void
begin(const struct alert_rule *rule)
{
	begin_with(rule, 1);
}

static void
end(void)
{
	alerts_free(f.a);
	f.a = NULL;
}

static const struct alert_rule plain = { .name = "p", .on = ALERT_MATCH,
    .match = "panic|db> $" };

static void
test_lines(void **state)
{
	(void)state;
	begin(&plain);
	say("no pa");
	say("nic here\r\nand no p\nanic\n");
	expect("! p no panic here|= p no panic here|");
	assert_int_equal(alerts_lines(f.a), 3);
	/* Without what moves a cursor. */
	say("\33[31mpa\33[0mnic\r\n");
	expect("! p panic|= p panic|");
	say("XYZnic\rpa\r\n");
	expect("");
	say("..nic\rpa\r\n");
	expect("! p panic|= p panic|");
	/* Once a line. */
	say("panic panic\n");
	expect("! p panic panic|= p panic panic|");
	end();
}

static void
test_prompt(void **state)
{
	(void)state;
	begin(&plain);
	say("db> ");
	expect("");
	pass(ALERTS_QUIET_MS - 1);
	expect("");
	pass(1);
	expect("! p db> |= p db> |");
	pass(10 * MIN);
	/* The line goes on, and is the same one. */
	say("panic");
	pass(10 * MIN);
	say("\r\n");
	expect("");
	say("db> ");
	say("help\r\n");
	pass(MIN);
	expect("");		/* it never stood there */
	end();
}

static void
test_long_lines(void **state)
{
	char line[3000];

	(void)state;
	begin(&plain);
	memset(line, 'x', sizeof(line));
	memcpy(line + 2000, "panic", 5);
	line[2500] = '\0';
	say(line);
	assert_memory_equal(f.told, "! p xxx", 7);
	/* What is shown of it is bounded. */
	assert_true(strlen(f.told) < 2 * ALERTS_TEXT + 20);
	f.told[0] = '\0';
	say("\n");
	expect("");
	/* Cut within no character. */
	memset(line, 'p', ALERTS_TEXT - 2);
	strcpy(line + ALERTS_TEXT - 2, "\u00e9\u00e9 panic\n");
	say(line);
	assert_null(strstr(f.told, "\xc3|"));
	assert_non_null(strstr(f.told, "pp|"));
	end();
}

static void
test_context(void **state)
{
	struct alert_rule r = plain;

	(void)state;
	r.before = 2;
	r.after = 2;
	begin(&r);
	say("one\ntwo\nthree\npanic\n");
	expect("! p panic|");
	say("four\n\nfive\nsix\n");
	expect("= p panic\ntwo\nthree\npanic\nfour\nfive|");
	/* It does not wait for ever. */
	say("panic!\nseven\n");
	expect("! p panic!|");
	pass(ALERTS_AFTER_MS);
	expect("= p panic!\nfive\nsix\npanic!\nseven|");
	end();
}

/* Several at a time, each with its own. */
static void
test_contexts(void **state)
{
	struct alert_rule r = plain;
	int n = 0;

	(void)state;
	r.after = 5;
	begin(&r);
	for (int i = 0; i < ALERTS_OPEN + 3; i++)
		say("panic\n");
	for (const char *p = f.told; (p = strstr(p, "= p")) != NULL; p++)
		n++;
	assert_int_equal(n, ALERTS_OPEN + 3 - 5);
	pass(MIN);
	for (const char *p = f.told; (p = strstr(p, "= p")) != NULL; p++)
		n++;
	assert_int_equal(n, ALERTS_OPEN + 3 - 5 + ALERTS_OPEN + 3);
	end();
}

static void
test_settle(void **state)
{
	struct alert_rule r = plain;

	(void)state;
	r.settle_ms = 10000;
	begin(&r);
	say("panic 1\n");
	expect("! p panic 1|= p panic 1|");
	for (int i = 0; i < 5; i++) {
		pass(9000);
		say("panic n\n");
	}
	expect("");
	pass(10000);
	say("panic 7\n");
	expect("! p (+5) panic 7|= p (+5) panic 7|");
	/* What goes on for an hour is told again. */
	for (int i = 0; i < 400; i++) {
		pass(9000);
		say("panic n\n");
	}
	expect("! p (+399) panic n|= p (+399) panic n|");
	end();
}

static void
test_hourly(void **state)
{
	struct alert_rule r = plain;

	(void)state;
	r.hourly = 2;
	begin(&r);
	for (int i = 0; i < 5; i++) {
		say("panic\n");
		pass(MIN);
	}
	expect("! p panic|= p panic|! p panic|= p panic|");
	pass(56 * MIN);
	say("panic\n");
	expect("! p (+3) panic|= p (+3) panic|");
	end();
}

static const struct alert_rule builtins[] = {
	{ .name = "reboot", .on = ALERT_REBOOT, .omens = true,
	    .settle_ms = 5 * MIN },
	{ .name = "panic", .on = ALERT_PANIC, .omens = true,
	    .match = "^Ouch", .settle_ms = MIN },
};

static void
test_builtin(void **state)
{
	(void)state;
	begin_with(builtins, 2);
	say("Fatal trap 12: page fault\r\npanic: page fault\r\n");
	expect("! panic Fatal trap 12: page fault|"
	    "= panic Fatal trap 12: page fault|");
	pass(20000);
	say("FreeBSD/x86 bootstrap loader, Revision 1.1\r\n");
	expect("! reboot FreeBSD/x86 bootstrap loader, Revision 1.1|"
	    "= reboot FreeBSD/x86 bootstrap loader, Revision 1.1|");
	pass(20000);
	say("---<<BOOT>>---\r\n");
	expect("");
	pass(5 * MIN);
	say("Ouch\r\n");
	expect("! panic (+1) Ouch|= panic (+1) Ouch|");
	/* A kernel that begins right after somebody typed is dmesg(8). */
	alerts_typed(f.a, now().mono);
	pass(1000);
	say("---<<BOOT>>---\r\n");
	expect("");
	pass(5 * MIN);
	say("---<<BOOT>>---\r\n");
	expect("! reboot (+1) ---<<BOOT>>---|= reboot (+1) ---<<BOOT>>---|");
	end();
}

static void
test_silence(void **state)
{
	struct alert_rule r = { .name = "s", .on = ALERT_SILENCE,
	    .quiet_ms = 10 * MIN };

	(void)state;
	begin(&r);
	pass(5 * MIN);
	say("x\n");
	pass(10 * MIN - 1);
	expect("");
	pass(1);
	expect("! s no output for 10 min|= s no output for 10 min|");
	pass(100 * MIN);
	expect("");
	say("y\n");
	expect("! s over: output again after 110 min|"
	    "= s over: output again after 110 min|");
	pass(9 * MIN);
	expect("");
	end();
}

/* Whoever watched before has told of what was due before. */
static void
test_silence_of_before(void **state)
{
	struct alert_rule r = { .name = "s", .on = ALERT_SILENCE,
	    .quiet_ms = 10 * MIN };
	struct stamp last;

	(void)state;
	begin(&r);
	last = now();
	f.ms += 30 * MIN;
	alerts_begin(f.a, last, now());
	pass(MIN);
	expect("");
	say("y\n");
	expect("! s over: output again after 31 min|"
	    "= s over: output again after 31 min|");
	last = now();
	f.ms += 5 * MIN;
	alerts_begin(f.a, last, now());
	pass(6 * MIN);
	expect("! s no output for 10 min|= s no output for 10 min|");
	end();
}

static void
test_output(void **state)
{
	struct alert_rule r = { .name = "o", .on = ALERT_OUTPUT,
	    .quiet_ms = 60 * MIN };

	(void)state;
	begin(&r);
	say("x\n");
	pass(59 * MIN);
	say("y\n");
	expect("");
	pass(180 * MIN);
	say("\r\n");
	say("link state changed\r\nmore\r\n");
	expect("! o output after 3 h of silence: link state changed|"
	    "= o output after 3 h of silence: link state changed|");
	end();
}

static void
test_line(void **state)
{
	struct alert_rule r = { .name = "l", .on = ALERT_LINE,
	    .settle_ms = MIN };

	(void)state;
	begin(&r);
	alerts_line(f.a, now(), f.at, false);
	pass(MIN - 1);
	alerts_line(f.a, now(), f.at, true);
	pass(10 * MIN);
	expect("");
	alerts_line(f.a, now(), f.at, false);
	pass(MIN);
	expect("! l the line is lost|= l the line is lost|");
	pass(MIN);
	alerts_line(f.a, now(), f.at, true);
	expect("! l over: the line is back|= l over: the line is back|");
	end();
}

/* A silence that was not told of, for want of room, has no end either. */
static void
test_no_end_without_beginning(void **state)
{
	struct alert_rule r = { .name = "s", .on = ALERT_SILENCE,
	    .quiet_ms = MIN, .hourly = 1 };

	(void)state;
	begin(&r);
	pass(MIN);
	say("x\n");
	f.told[0] = '\0';
	pass(2 * MIN);
	say("x\n");
	expect("");
	end();
}

/* Other rules: what goes on is not told anew. */
static void
test_reload(void **state)
{
	struct alert_rule r[2] = { { .name = "s", .on = ALERT_SILENCE,
	    .quiet_ms = MIN }, plain };

	(void)state;
	begin(&r[0]);
	pass(MIN);
	expect("! s no output for 60 s|= s no output for 60 s|");
	alerts_set_rules(f.a, r, 2);
	pass(MIN);
	expect("");
	say("panic");
	pass(1000);
	expect("! s over: output again after 2 min|"
	    "= s over: output again after 2 min|! p panic|= p panic|");
	alerts_set_rules(f.a, r, 0);
	say("panic\npanic\n");
	pass(10 * MIN);
	expect("");
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_prompt),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_contexts),
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_hourly),
		cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_silence_of_before),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_no_end_without_beginning),
		cmocka_unit_test(test_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
