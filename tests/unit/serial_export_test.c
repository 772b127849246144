#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recorded_help.h"
#include "serial/export.h"
#include "serial/grep.h"
#include "serial/logview.h"
#include "serial/pieces.h"
#include "server/verify.h"

/* A line that is typed while things happen. */
static int
make(void **state)
{
	struct recorded *t = recorded_new();

	journal_event(t->j, ms(0), RECORD_EVENT, "attach user=alice", 17);
	put(t->j, 100, "\x1b[1mboot\x1b[0m\x1b]0;evil\x07\x1b[6n\r\n");
	put(t->j, 1000, "gw# ");
	put(t->j, 2000, "s");
	journal_event(t->j, ms(2500), RECORD_EVENT, "break by=bob", 12);
	put(t->j, 3000, "h\xc3");
	put(t->j, 3100, "\xa5\r\n");
	put(t->j, 9000, "x\xffy");
	journal_flush(t->j, ms(12000), JOURNAL_SHOW_ALL);
	*state = t;
	return 0;
}

static int
export(const struct recorded *t, struct shown *shown, const char *options)
{
	char copy[200], *argv[WORDS_MAX] = { "export", "gw" };
	struct view v = { &shown_ops, shown, t->s.dir, false };
	int argc = 2;

	argc = add_words(argv, argc, copy, options);
	return (int)export_run(&v, verify_span, argc, argv);
}

#define SINCE "--since 2026-11-22T09:41:00Z "
#define HEAD2 "{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":" \
	"1795340463,\"title\":\"console gw, 2026-11-22 09:41:03 UTC\"}\n"

static void
expect(void **state, const char *options, const char *want)
{
	struct shown shown = { .waits = 0 };

	assert_int_equal(export(*state, &shown, options), 0);
	assert_string_equal(shown_text(&shown, 2), "");
	assert_string_equal(shown_text(&shown, 1), want);
	shown_drop(&shown);
}

static void
test_cast(void **state)
{
	expect(state, SINCE "--format cast2", HEAD2
	    "[0.000000, \"m\", \"attach user=alice\"]\n"
	    "[0.100000, \"o\", \"\\u001b[1mboot\\u001b[0m\\r\\n\"]\n"
	    "[1.000000, \"o\", \"gw# \"]\n"
	    "[2.000000, \"o\", \"s\"]\n"
	    "[2.500000, \"m\", \"break by=bob\"]\n"
	    "[3.000000, \"o\", \"h\"]\n"
	    "[3.100000, \"o\", \"\xc3\xa5\\r\\n\"]\n"
	    "[9.000000, \"o\", \"x\xef\xbf\xbdy\"]\n");
	expect(state, SINCE "--format cast3 --idle 1 --size 132x50",
	    "{\"version\":3,\"term\":{\"cols\":132,\"rows\":50},\"timestamp\":"
	    "1795340463,\"title\":\"console gw, 2026-11-22 09:41:03 UTC\"}\n"
	    "[0.000, \"m\", \"attach user=alice\"]\n"
	    "[0.100, \"o\", \"\\u001b[1mboot\\u001b[0m\\r\\n\"]\n"
	    "[0.900, \"o\", \"gw# \"]\n"
	    "[1.000, \"o\", \"s\"]\n"
	    "[0.500, \"m\", \"break by=bob\"]\n"
	    "[0.500, \"o\", \"h\"]\n"
	    "[0.100, \"o\", \"\xc3\xa5\\r\\n\"]\n"
	    "[1.000, \"o\", \"x\xef\xbf\xbdy\"]\n");
	/* Exactly what came; the line that had begun is whole. */
	expect(state, "--since 2026-11-22T09:41:05.500Z --until "
	    "2026-11-22T09:41:08Z --raw --format cast2",
	    "{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":"
	    "1795340464,\"title\":\"console gw, 2026-11-22 09:41:04 UTC\"}\n"
	    "[0.000000, \"o\", \"gw# \"]\n"
	    "[0.000000, \"o\", \"s\"]\n"
	    "[0.000000, \"m\", \"break by=bob\"]\n"
	    "[0.500000, \"o\", \"h\"]\n"
	    "[0.600000, \"o\", \"\xc3\xa5\\r\\n\"]\n");
}

static void
test_text(void **state)
{
	expect(state, SINCE "--format text", "boot\ngw# sh\xc3\xa5\n"
	    "x\xef\xbf\xbdy\n");
}

static void
test_ttyrec(void **state)
{
	struct shown shown = { .waits = 0 };
	const uint8_t *p;
	size_t at = 0, n;
	char text[100] = "";

	assert_int_equal(export(*state, &shown, SINCE "--format ttyrec "
	    "--raw --until 2026-11-22T09:41:07Z"), 0);
	p = (const uint8_t *)shown.out[1];
	while (at < shown.n[1]) {
		assert_true(at + 12 <= shown.n[1]);
		n = p[at + 8];
		strncat(text, shown.out[1] + at + 12, n);
		at += 12 + n;
	}
	assert_int_equal(at, shown.n[1]);
	assert_string_equal(text, "\x1b[1mboot\x1b[0m\x1b]0;evil\x07\x1b[6n"
	    "\r\ngw# sh\xc3\xa5\r\n");
	shown_drop(&shown);
}

static void
test_script(void **state)
{
	struct shown shown = { .waits = 0 };

	assert_int_equal(export(*state, &shown, SINCE "--format script"), 0);
	assert_int_equal(shown.n[1], 512 * 6);
	assert_string_equal(shown.out[1], "gw.typescript");
	assert_string_equal(shown.out[1] + 512, "Script started on 2026-11-22 "
	    "09:41:03+00:00 [COLUMNS=\"80\" LINES=\"24\"]\n\x1b[1mboot\x1b[0m"
	    "\r\ngw# sh\xc3\xa5\r\nx\xef\xbf\xbdy");
	assert_string_equal(shown.out[1] + 1024, "gw.timing");
	assert_non_null(strstr(shown.out[1] + 1536, "LINES 24\n"
	    "O 0.100000 14\nO 0.900000 4\nO 1.000000 1\nO 1.000000 1\n"
	    "O 0.100000 4\nO 5.900000 5\n"));
	shown_drop(&shown);
}

static void
test_page(void **state)
{
	struct recorded *t = *state;
	struct shown shown = { .waits = 0 };
	char dir[100], path[200];
	static const char *const names[] = { ".css", ".min.js", ".LICENSE" };

	snprintf(dir, sizeof(dir), "%s/share", t->s.dir);
	setenv("OOBD_SHARE", dir, 1);
	assert_int_equal(export(t, &shown, SINCE "--format html"),
	    VIEW_FAILED);
	assert_string_equal(shown_text(&shown, 1), "");
	assert_non_null(strstr(shown_text(&shown, 2), "make player"));
	shown_drop(&shown);
	snprintf(path, sizeof(path), "%s/player", dir);
	assert_int_equal(dir_make(path, 0700), 0);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/player/asciinema-player%s",
		    dir, names[i]);
		assert_int_equal(file_replace(path, names[i],
		    strlen(names[i]), 0600), 0);
	}
	assert_int_equal(export(t, &shown, SINCE "--format html"), 0);
	assert_non_null(strstr(shown_text(&shown, 1), "<title>gw, 2026-11-22 "
	    "09:41:03 to "));
	assert_non_null(strstr(shown_text(&shown, 1), "\n.LICENSE</script>"));
	assert_non_null(strstr(shown_text(&shown, 1), "\"gw# \"]\n"));
	assert_non_null(strstr(shown_text(&shown, 1), "</html>\n"));
	shown_drop(&shown);
	unsetenv("OOBD_SHARE");
}

/* What the page would say of these times, and how. */
static const char *
vouched(const struct scratch *s, int64_t since_ms, int64_t until_ms)
{
	static char text[EXPORT_VOUCHED];
	const struct view v = { &shown_ops, NULL, s->dir, false };
	const struct export_span span = { "gw", NULL, T0 + since_ms * 1000,
	    T0 + until_ms * 1000 };

	verify_span(&v, &span, text, sizeof(text));
	return text;
}

/* Change one byte of a segment. */
static void
spoil(const struct scratch *s, const char *name)
{
	char path[200], *text;
	size_t n;

	snprintf(path, sizeof(path), "%s/gw/%s", s->dir, name);
	text = file_read(path, 1 << 20, &n);
	assert_non_null(text);
	text[n / 2] ^= 1;
	assert_int_equal(file_replace(path, text, n, 0600), 0);
	free(text);
}

/* Segments of the console gw and one of the box, which are ended in order. */
static void
fill(const struct scratch *s)
{
	struct jfile_conf conf = { .log_dir = s->dir, .console = ".box",
	    .box = "test box", .boot = 0x1234 };
	struct journal *j = journal_at(s, 0, 30000), *box = journal_new(&conf);
	char line[100];

	for (int i = 0; i < 1500; i++) {
		snprintf(line, sizeof(line), "%05d some text\n", i);
		put(j, i * 1000, line);
		journal_flush(j, ms(i * 1000), JOURNAL_SHOW_ALL);
	}
	assert_int_equal(jfile_finish(journal_file(j), ms(1500000)), 0);
	journal_begin(box, 0, false);
	journal_event(box, ms(1500000), RECORD_EVENT, "note text=x", 11);
	journal_flush(box, ms(1500000), JOURNAL_SHOW_ALL);
	assert_int_equal(jfile_finish(journal_file(box), ms(1500000)), 0);
	journal_free(box);
	journal_free(j);
}

/* Of a span its own segments are verified, and no others. */
static void
test_vouch(void **state)
{
	struct scratch s;
	char names[64][64], path[200];
	int n;

	(void)state;
	scratch_make(&s);
	fill(&s);
	n = segments(&s, names, 64);
	assert_true(n >= 4);
	assert_non_null(strstr(vouched(&s, 0, 1000), "verified when this was "
	    "exported: segments 1 to 1 are"));
	assert_non_null(strstr(vouched(&s, 0, 1000), "not signed yet"));
	assert_non_null(strstr(vouched(&s, 0, 1500000), "segments 1 to "));
	assert_null(strstr(vouched(&s, 0, 1500000), "not sealed yet"));
	spoil(&s, names[n - 1]);
	assert_non_null(strstr(vouched(&s, 0, 1000), "segments 1 to 1 are"));
	assert_ptr_equal(strstr(vouched(&s, 0, 1500000), "NOT AS IT WAS "
	    "WRITTEN: 1 thing is wrong; gw: "), vouched(&s, 0, 1500000));
	assert_non_null(strstr(vouched(&s, 0, 1500000), names[n - 1]));
	/* How it ended, the next one knows. */
	snprintf(path, sizeof(path), "%s/gw/%s", s.dir, names[0]);
	assert_int_equal(truncate(path, 20000), 0);
	assert_non_null(strstr(vouched(&s, 0, 1000), "its end is missing"));
	/* The next one is gone: it may have been of the span. */
	snprintf(path, sizeof(path), "%s/gw/%s", s.dir, names[1]);
	assert_int_equal(unlink(path), 0);
	assert_non_null(strstr(vouched(&s, 0, 1000), "segment 2 was removed"));
	scratch_drop(&s);
}

static void
test_vouch_for_little(void **state)
{
	struct recorded *t = *state;
	struct scratch s;

	/* There is nothing of the box's. */
	assert_non_null(strstr(vouched(&t->s, 0, 9000), "not verified: "));
	scratch_make(&s);
	assert_non_null(strstr(vouched(&s, 0, 9000), "not verified: "));
	scratch_drop(&s);
}

static void
test_usage(void **state)
{
	static const char *const bad[] = { "--format cast2", SINCE,
	    SINCE "--format avi", SINCE "--format text --size 80",
	    SINCE "--format text --size 0x24",
	    "--since now --until -1h --format text" };
	struct shown shown = { .waits = 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(export(*state, &shown, bad[i]), VIEW_USAGE);
		assert_string_not_equal(shown_text(&shown, 2), "");
		shown_drop(&shown);
	}
	assert_int_equal(export(*state, &shown, "--since "
	    "2026-11-22T09:50:00Z --format cast2"), VIEW_FAILED);
	assert_non_null(strstr(shown_text(&shown, 2), "nothing"));
	shown_drop(&shown);
}

/* The clock, which was far ahead for a line, was put right. */
static void
put_from_the_future(struct journal *j)
{
	static const char future[] = "from the future\r\n";
	struct stamp ahead = ms(13000);

	put(j, 12500, "\r\n");
	ahead.utc_us += INT64_C(70) * 365 * 24 * 3600 * 1000000;
	assert_int_equal(journal_data(j, ahead, future, strlen(future)),
	    strlen(future));
	put(j, 14000, "and back\r\n");
	journal_flush(j, ms(15000), JOURNAL_SHOW_ALL);
}

static void
says(const struct recorded *t, enum view_status (*run)(const struct view *,
    int, char *const []), const char *words, const char *want)
{
	struct shown shown = { .waits = 0 };
	char copy[200], *argv[WORDS_MAX];
	struct view v = { &shown_ops, &shown, t->s.dir, false };

	assert_int_equal(run(&v, add_words(argv, 0, copy, words), argv), 0);
	assert_string_equal(shown_text(&shown, 1), want);
	shown_drop(&shown);
}

/* It is of the record like everything else, for whoever names no end. */
static void
test_future(void **state)
{
	struct recorded *t = *state;
	struct shown shown = { .waits = 0 };

	put_from_the_future(t->j);
	expect(state, SINCE "--format text", "boot\ngw# sh\xc3\xa5\n"
	    "x\xef\xbf\xbdy\nfrom the future\nand back\n");
	expect(state, SINCE "--until 2026-11-22T09:50:00Z --format text",
	    "boot\ngw# sh\xc3\xa5\nx\xef\xbf\xbdy\nand back\n");
	expect(state, "--since 2090-01-01T00:00:00Z --format text",
	    "from the future\n");
	assert_int_equal(export(t, &shown, SINCE "--format cast2"), 0);
	assert_non_null(strstr(shown_text(&shown, 1), "[13.000000, \"o\", "
	    "\"from the future\\r\\n\"]\n"));
	assert_non_null(strstr(shown_text(&shown, 1), "[14.000000, \"o\", "
	    "\"and back\\r\\n\"]\n"));
	shown_drop(&shown);
	/* Each pass sees it. */
	assert_int_equal(export(t, &shown, SINCE "--format script"), 0);
	assert_non_null(strstr(shown.out[1] + 512, "from the future\r\n"
	    "and back\r\n"));
	assert_non_null(strstr(shown.out[1] + 1536, "O 0.500000 17\n"
	    "O 1.000000 10\n"));
	shown_drop(&shown);
	says(t, logview_run, "log gw --text --tail 2", "from the future\n"
	    "and back\n");
	says(t, logview_run, "log gw --text --since 2026-11-22T09:41:16Z",
	    "from the future\nand back\n");
	says(t, grep_run, "grep gw future|back -c", "2\n");
	says(t, grep_run, "grep gw future|back -c --since "
	    "2026-11-22T09:41:16Z", "2\n");
}

/* More events than are kept come all the same, in order. */
static void
test_many_events(void **state)
{
	struct recorded *t = *state;
	struct piece p;
	struct jread *j;
	struct pieces *in;
	int64_t last = 0;
	int events = 0, lines = 0;
	char text[32];

	put(t->j, 20000, "\r\nbegun ");
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "note n=%d", i);
		journal_event(t->j, ms(21000 + i), RECORD_EVENT, text,
		    strlen(text));
	}
	put(t->j, 22000, "ended\r\n");
	journal_flush(t->j, ms(23000), JOURNAL_SHOW_ALL);
	j = jread_open(t->s.dir, "gw");
	assert_int_equal(jread_range(j, INT64_MIN, INT64_MAX), 0);
	in = pieces_new(j, INT64_MIN, INT64_MAX, -1);
	while (pieces_next(in, &p) == 1) {
		assert_true(p.us >= last);
		last = p.us;
		lines += p.kind == PIECE_DATA;
		if (p.kind != PIECE_EVENT)
			continue;
		snprintf(text, sizeof(text), "note n=%d", events - 2);
		if (events++ >= 2)
			assert_string_equal(p.data, text);
	}
	assert_int_equal(events, 502);
	assert_int_equal(last, 22000000);
	assert_true(lines >= 9);
	pieces_free(in);
	jread_close(j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cast, make, drop),
		cmocka_unit_test_setup_teardown(test_text, make, drop),
		cmocka_unit_test_setup_teardown(test_ttyrec, make, drop),
		cmocka_unit_test_setup_teardown(test_script, make, drop),
		cmocka_unit_test_setup_teardown(test_page, make, drop),
		cmocka_unit_test(test_vouch),
		cmocka_unit_test_setup_teardown(test_vouch_for_little, make,
		    drop),
		cmocka_unit_test_setup_teardown(test_usage, make, drop),
		cmocka_unit_test_setup_teardown(test_future, make, drop),
		cmocka_unit_test_setup_teardown(test_many_events, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
