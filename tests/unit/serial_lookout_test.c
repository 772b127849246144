#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal_help.h"
#include "serial/lookout.h"
#include "server/base/loop.h"
#include "server/base/os.h"

#define SIZE (64 * 1024)
#define PATIENCE_MS 30000
#define STOP_MS 60000		/* for a machine that is busy */

static struct {
	struct scratch dir;
	struct loop *loop;
	struct timer *patience;
	struct history *h;
	struct lookout *o;
	struct look *l;
	char told[4096];
	const char *until;
} f;

static const struct alert_rule rules[] = {
	{ .name = "p", .on = ALERT_MATCH, .match = "panic", .severity = 2,
	    .crash = true },
	{ .name = "l", .on = ALERT_LINE },
};
static const struct look_conf conf = { rules, 2, 2, 300 };

static void
on_sighted(void *arg, const struct sighting *s)
{
	size_t n = strlen(f.told);

	assert_ptr_equal(arg, &f);
	switch (s->sight) {
	case SIGHT_RAISED:
		snprintf(f.told + n, sizeof(f.told) - n, "! %s %u %llu %s%s|",
		    s->name, s->severity, (unsigned long long)s->offset,
		    s->over ? "over " : "", s->text);
		break;
	case SIGHT_REPORT:
		snprintf(f.told + n, sizeof(f.told) - n, "= %s|", s->name);
		break;
	case SIGHT_CRASH:
		snprintf(f.told + n, sizeof(f.told) - n, "crash %u %s|",
		    s->crash.id, s->crash.ended);
		break;
	}
	if (f.until != NULL && strstr(f.told, f.until) != NULL)
		loop_stop(f.loop, 0);
}

static void
on_patience(void *arg)
{
	(void)arg;
	loop_stop(f.loop, 1);
}

static void
wait_for(const char *what)
{
	f.until = what;
	timer_set(f.patience, PATIENCE_MS);
	if (strstr(f.told, what) == NULL && loop_run(f.loop) != 0)
		fail_msg("no \"%s\" in: %s", what, f.told);
	f.until = NULL;
}

static void
say(const char *text)
{
	history_write(f.h, stamp_now(), text, strlen(text));
	look_poke(f.l);
}

static void
look(uint64_t from, uint64_t lines)
{
	struct look_place place = { "gw", f.h, from, lines };

	f.l = look_open(f.o, &place, &conf, &f);
}

static int
setup(void **state)
{
	int fd = os_anon_fd("lookout-test");

	(void)state;
	memset(&f, 0, sizeof(f));
	scratch_make(&f.dir);
	assert_int_equal(history_prepare(fd, SIZE), 0);
	f.h = history_map(fd, SIZE);
	close(fd);
	f.loop = loop_new();
	f.patience = timer_new(f.loop, on_patience, NULL);
	f.o = lookout_start(f.loop, f.dir.dir, "box", on_sighted);
	assert_non_null(f.o);
	look(0, 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (f.o != NULL)
		assert_true(lookout_stop(f.o, STOP_MS));
	timer_free(f.patience);
	loop_free(f.loop);
	history_unmap(f.h);
	scratch_drop(&f.dir);
	return 0;
}

static void
test_sees(void **state)
{
	struct look_state st;
	struct crash_info *all;
	size_t n;

	(void)state;
	say("a\nb\nno panic here\nc\n");
	wait_for("= p|");
	assert_string_equal(f.told, "! p 2 4 no panic here|= p|");
	wait_for("crash 1 quiet|");
	look_state(f.l, &st);
	assert_int_equal(st.offset, 20);
	assert_int_equal(st.told, 20);
	assert_int_equal(st.lines, 4);
	assert_int_equal(st.skipped, 0);
	all = look_crashes(f.l, &n);
	assert_int_equal(n, 1);
	assert_int_equal(all[0].bytes, 20);
	free(all);
	look_line(f.l, false);
	wait_for("! l 0 20 the line is lost|");
	look_line(f.l, true);
	wait_for("! l 0 20 over the line is back|");
}

/* What a predecessor had not looked at is looked at by its successor. */
static void
test_goes_on(void **state)
{
	struct look_state st;

	(void)state;
	look_close(f.l);
	f.told[0] = '\0';
	history_write(f.h, stamp_now(), "panic 1\npanic 2\npanic 3\n", 24);
	look(8, 101);
	wait_for("panic 3|");
	assert_null(strstr(f.told, "panic 1"));
	wait_for("crash 1");
	look_state(f.l, &st);
	assert_int_equal(st.lines, 103);
}

/* What is not taken yet a successor must look at again. */
static void
test_not_taken(void **state)
{
	struct look_state st;
	int64_t until = mono_after(mono_now(), PATIENCE_MS).us;

	(void)state;
	say("x\npanic\ny\n");
	do {
		look_state(f.l, &st);
	} while (st.offset < 10 && mono_now().us < until);
	assert_int_equal(st.offset, 10);
	assert_int_equal(st.told, 2);
	assert_int_equal(st.told_lines, 1);
	wait_for("= p|");
}

/* Lapped: what is gone is counted, and the rest looked at. */
static void
test_lapped(void **state)
{
	char block[4096];
	struct look_state st;

	(void)state;
	look_close(f.l);
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 64; i++)
		history_write(f.h, stamp_now(), block, sizeof(block));
	look(100, 0);
	say("\npanic\n");
	wait_for("panic|");
	look_state(f.l, &st);
	assert_in_range(st.skipped, 64 * 4096 - SIZE - 100,
	    64 * 4096 - 100 - 4096);
}

/* A flood is looked at in part, and whatever is the newest in the end. */
static void
test_flood(void **state)
{
	enum { PER_S = 1 << 20 };
	struct mono begun = mono_now();
	struct look_state st;
	char block[4096];
	uint64_t seen, written = 0;

	(void)state;
	memset(block, 'x', sizeof(block));
	while (mono_ms(begun, mono_now()) < 1000) {
		history_write(f.h, stamp_now(), block, sizeof(block));
		look_poke(f.l);
		written += sizeof(block);
	}
	look_state(f.l, &st);
	seen = st.offset - st.skipped;
	/* What it may in this time, and what it may after quiet. */
	assert_true(seen <= (uint64_t)(mono_ms(begun, mono_now()) + 1000) *
	    PER_S / 1000 + 65536);
	assert_true(written > seen);
	say("\npanic\n");
	wait_for("panic|");
}

static void
test_reload(void **state)
{
	struct alert_rule other = { .name = "q", .on = ALERT_MATCH,
	    .match = "oops" };
	struct look_conf c = { &other, 1, 0, 300 };

	(void)state;
	say("panic\n");
	wait_for("= p|");
	f.told[0] = '\0';
	look_configure(f.l, &c);
	say("panic\noops\n");
	wait_for("= q|");
	assert_null(strstr(f.told, "! p"));
}

/* A pattern made to be slow delays neither the loop nor the end. */
static void
test_slow_pattern(void **state)
{
	struct alert_rule slow = { .name = "s", .on = ALERT_MATCH,
	    .match = "(a|b)*a(a|b){64}c" };
	struct look_conf c = { &slow, 1, 0, 300 };
	char line[1024];
	unsigned seed = 1;
	struct look_state st;

	(void)state;
	look_configure(f.l, &c);
	for (int i = 0; i < 60; i++) {
		for (size_t j = 0; j < sizeof(line) - 1; j++) {
			seed = seed * 1103515245 + 12345;
			line[j] = "ab"[seed >> 16 & 1];
		}
		line[sizeof(line) - 1] = '\n';
		history_write(f.h, stamp_now(), line, sizeof(line));
		look_poke(f.l);
	}
	/* Nobody waited for it: it is far behind. */
	look_state(f.l, &st);
	assert_true(st.offset < history_head(f.h));
	assert_true(lookout_stop(f.o, STOP_MS));
	f.o = NULL;
}

int
main(void)
{
#define LOOK(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		LOOK(test_sees),
		LOOK(test_goes_on),
		LOOK(test_not_taken),
		LOOK(test_lapped),
		LOOK(test_flood),
		LOOK(test_reload),
		LOOK(test_slow_pattern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
