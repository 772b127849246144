#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal_help.h"
#include "serial/stage.h"

#define CLEAR "\x0f\x1b(B\x1b[m\x1b[4l\x1b[?7h\x1b[?25h"

struct place {
	struct shown shown;
	struct view v;
	struct stage *s;
};

static int
make(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	p->shown.rows = 24;
	p->v = (struct view){ &shown_ops, &p->shown, "", true };
	p->s = stage_new(&p->v, false);
	stage_open(p->s);
	*state = p;
	return 0;
}

static int
drop(void **state)
{
	struct place *p = *state;

	stage_free(p->s);
	shown_drop(&p->shown);
	free(p);
	return 0;
}

/* What was written since the last look. */
static void
expect(struct place *p, const char *want)
{
	assert_string_equal(shown_text(&p->shown, 1), want);
	p->shown.n[1] = 0;
	p->shown.out[1][0] = '\0';
}

static void
test_takes_and_gives_back(void **state)
{
	struct place *p = *state;

	expect(p, "\x1b[?1049h" CLEAR "\x1b[1;23r\x1b[2J\x1b[H");
	stage_write(p->s, "hi\x1b]0;t\x07\r\n", 10);
	expect(p, "hi\r\n");
	stage_status(p->s, "where we are");
	expect(p, "\x1b" "7\x1b[24;1H\x0f\x1b(B\x1b[m\x1b[7m\x1b[2K"
	    "where we are\x1b[m\x1b" "8");
	stage_close(p->s);
	assert_non_null(strstr(p->shown.out[1], "\x1b[?1049l"));
}

/* The last line is ours, and the one place for the cursor the device's. */
static void
test_margins(void **state)
{
	struct place *p = *state;

	p->shown.n[1] = 0;
	stage_write(p->s, "\x1b[r\x1b[5;50r\x1b[;10r\x1b[2;9r", 22);
	expect(p, "\x1b[1;23r\x1b[5;23r\x1b[1;10r\x1b[2;9r");
	stage_write(p->s, "\x1b" "7", 2);
	expect(p, "\x1b" "7");
	stage_status(p->s, "not now");
	assert_int_equal(p->shown.n[1], 0);
	stage_write(p->s, "\x1b" "8", 2);
	p->shown.n[1] = 0;
	stage_status(p->s, "now");
	assert_non_null(strstr(p->shown.out[1], "now"));
}

static void
test_going_through(void **state)
{
	struct place *p = *state;

	stage_rewind(p->s);
	stage_feed(p->s, "old\r\n\x1b[H", 8);
	assert_false(stage_is_known(p->s));
	/* In two pieces, and the newest counts. */
	stage_feed(p->s, "\x1b[Ja", 4);
	assert_true(stage_is_known(p->s));
	stage_feed(p->s, "b\x1b[2Jmenu\x1b[31m", 14);
	assert_int_equal(strcmp(shown_text(&p->shown, 1) + p->shown.n[1], ""),
	    0);
	p->shown.n[1] = 0;
	stage_show(p->s);
	expect(p, CLEAR "\x1b[1;23r\x1b[2J\x1b[H\x1b[2Jmenu\x1b[31m");
	stage_rewind(p->s);
	stage_feed(p->s, "new", 3);
	stage_show(p->s);
	expect(p, CLEAR "\x1b[1;23r\x1b[2J\x1b[H" "new");
}

/* Much without a clear: the newest whole lines, within a bound. */
static void
test_bound(void **state)
{
	struct place *p = *state;
	char line[64];
	const char *text;

	stage_rewind(p->s);
	for (int i = 0; i < 20000; i++) {
		snprintf(line, sizeof(line), "line %08d .................\r\n",
		    i);
		stage_feed(p->s, line, strlen(line));
	}
	assert_true(stage_is_known(p->s));
	p->shown.n[1] = 0;
	stage_show(p->s);
	assert_true(p->shown.n[1] <= 2 * STAGE_KEPT + 100);
	text = strstr(p->shown.out[1], "\x1b[2J\x1b[H");
	assert_memory_equal(text + 7, "line ", 5);
	assert_non_null(strstr(text, "line 00019999"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_takes_and_gives_back,
		    make, drop),
		cmocka_unit_test_setup_teardown(test_margins, make, drop),
		cmocka_unit_test_setup_teardown(test_going_through, make,
		    drop),
		cmocka_unit_test_setup_teardown(test_bound, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
