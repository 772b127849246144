/*
 * Every allocation of the journal's writers and readers fails once, in turn.
 */
#include "sweep.h"

#include <jansson.h>

#include "serial/alerts.h"
#include "serial/check.h"
#include "serial/crash.h"
#include "serial/export.h"
#include "serial/grep.h"
#include "serial/history.h"
#include "serial/hub.h"
#include "serial/jread.h"
#include "serial/logview.h"
#include "serial/pack.h"
#include "serial/replay.h"
#include "server/base/os.h"
#include "server/verify.h"

#define LINES 40
#define LINE "%05d the quick brown fox jumps over it\r\n"
#define LINE_BYTES 41u

/* The writer: what it says is kept stays kept. */

static int
record(struct sweep_place *p)
{
	struct journal *j = journal_at(&p->s, 0, 1500);
	char line[64], names[8][64];
	int n, fd, count;

	for (int i = 0; i < LINES; i++) {
		n = snprintf(line, sizeof(line), LINE, i);
		if (journal_data(j, ms(i * 10), line, (size_t)n) != (size_t)n)
			return -1;
		if (i % 7 == 0)
			journal_event(j, ms(i * 10), RECORD_EVENT,
			    "note text=x", 11);
		if (i % 10 == 9 &&
		    journal_flush(j, ms(i * 10), JOURNAL_SHOW_ALL) == 0)
			p->note->safe = journal_offset(j);
	}
	if (journal_flush(j, ms(1000), JOURNAL_SHOW_ALL) == 0)
		p->note->safe = journal_offset(j);
	jfile_finish(journal_file(j), ms(1000));
	journal_free(j);
	fd = jdir_open(p->s.dir, "gw");
	if (fd == -1)
		return -1;
	count = segments(&p->s, names, 8);
	n = 0;
	for (int i = 0; i < count - 1; i++)
		n |= pack_segment(fd, names[i], NULL);
	close(fd);
	return n;
}

static void
on_finding(void *arg, const struct check_finding *f)
{
	(void)arg;
	fail_msg("segment %u: %s", (unsigned)f->seq, f->text);
}

static const struct check_ops check_ops = { on_finding, NULL, NULL };

/* Whoever comes next goes on, and the whole is in order. */
static void
check_record(struct sweep_place *p)
{
	struct jfile_conf conf = { .log_dir = p->s.dir, .console = "gw",
	    .box = "test box", .boot = 0x1234 };
	struct check_result result;
	struct jdir_place place;
	struct journal *j;
	struct jread *in;
	struct record r;
	int n = 0;

	assert_int_equal(journal_find_place(&conf, &place), 0);
	assert_true(place.shown >= p->note->safe);
	j = journal_new(&conf);
	journal_begin(j, place.known ? place.shown : 0, false);
	assert_int_equal(journal_event(j, ms(2000), RECORD_EVENT, "start", 5),
	    0);
	assert_int_equal(journal_flush(j, ms(2000), JOURNAL_SHOW_ALL), 0);
	assert_int_equal(jfile_finish(journal_file(j), ms(2000)), 0);
	journal_free(j);
	in = jread_open(p->s.dir, "gw");
	assert_non_null(in);
	while (jread_next(in, &r) == 1) {
		if (!record_is_data(&r))
			continue;
		assert_int_equal(atoi((const char *)r.data), n);
		n++;
	}
	assert_int_equal(jread_damaged(in), 0);
	jread_close(in);
	if (n * LINE_BYTES < p->note->safe)
		fail_msg("allocation %d: %d lines of %u bytes", p->at, n,
		    (unsigned)p->note->safe);
	assert_int_equal(check_journal(p->s.dir, "gw", NULL, &check_ops, NULL,
	    &result), 0);
	assert_int_equal(result.findings, 0);
}

static void
test_record(void **state)
{
	const struct sweep w = { NULL, record, check_record };

	(void)state;
	sweep(&w);
}

/* The readers: they take nothing away, and do not show half as the whole. */

static void
make_record(struct sweep_place *p)
{
	struct journal *j = journal_at(&p->s, 0, 1500);
	char line[64], names[8][64];
	int n, fd, count;

	for (int i = 0; i < LINES; i++) {
		n = snprintf(line, sizeof(line), LINE, i);
		journal_data(j, ms(i * 10), line, (size_t)n);
		if (i % 7 == 0)
			journal_event(j, ms(i * 10), RECORD_EVENT,
			    "attach user=alice", 17);
		journal_flush(j, ms(i * 10), JOURNAL_SHOW_ALL);
	}
	journal_data(j, ms(1000), "\x1b[1mgw# ", 8);
	journal_flush(j, ms(2000), JOURNAL_SHOW_ALL);
	jfile_finish(journal_file(j), ms(2000));
	journal_free(j);
	fd = jdir_open(p->s.dir, "gw");
	count = segments(&p->s, names, 8);
	for (int i = 0; i < count - 1; i++)
		assert_int_equal(pack_segment(fd, names[i], NULL), 0);
	close(fd);
}

typedef enum view_status verb_fn(const struct view *, int, char *const []);

static enum view_status
export_verb(const struct view *v, int argc, char *const argv[])
{
	return export_run(v, verify_span, argc, argv);
}

static const struct {
	verb_fn *run;
	const char *words;
	bool tty;
} verbs[] = {
	{ logview_run, "log gw", false },
	{ logview_run, "log gw --raw", false },
	{ logview_run, "log gw --json --events --tail 6", false },
	{ logview_run, "log gw --tail 5", true },
	{ grep_run, "grep gw fox.*it -C 1", false },
	{ grep_run, "grep gw 0003[2-5]|Q(U)ick$ -i", false },
	{ replay_run, "replay gw --speed 1000", false },
	{ replay_run, "replay gw --speed 1000", true },
	{ export_verb, "export gw --since 2026-11-22T09:41:00Z "
	    "--format cast2", false },
	{ export_verb, "export gw --since 2026-11-22T09:41:00Z "
	    "--format cast3", false },
	{ export_verb, "export gw --since 2026-11-22T09:41:00Z "
	    "--format text", false },
	{ export_verb, "export gw --since 2026-11-22T09:41:00Z "
	    "--format ttyrec", false },
};
static size_t verb;		/* the one that is swept */

/* Told apart: all of it, or an error. */
static int
show(struct sweep_place *p)
{
	static const char keys[] = "  /fox\rnp.........";
	struct shown shown = { .keys = verbs[verb].tty ? keys : NULL };
	struct view v = { &shown_ops, &shown, p->s.dir, verbs[verb].tty };
	char copy[200], *argv[16];
	enum view_status r;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", verbs[verb].words);
	for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
		argv[argc++] = w;
	r = verbs[verb].run(&v, argc, argv);
	/* An exit status of 0 promises that this is all. */
	p->note->safe = r == VIEW_OK;
	p->note->more[0] = shown.n[1];
	shown_drop(&shown);
	return r == VIEW_OK ? 0 : -1;
}

static void
check_shown(struct sweep_place *p)
{
	/* On a terminal it is as long as it takes. */
	if (p->note->safe && !verbs[verb].tty &&
	    p->note->more[0] != p->whole.more[0])
		fail_msg("%s: %u bytes and a good end instead of %u, with "
		    "allocation %d", verbs[verb].words,
		    (unsigned)p->note->more[0], (unsigned)p->whole.more[0],
		    p->at);
}

static void
test_verbs(void **state)
{
	const struct sweep w = { make_record, show, check_shown };

	(void)state;
	for (verb = 0; verb < sizeof(verbs) / sizeof(verbs[0]); verb++) {
		print_message("%s: ", verbs[verb].words);
		sweep(&w);
	}
}

static void
on_unread(void *arg, const struct check_finding *f)
{
	(void)arg;
	if (strstr(f->text, "cannot be read: Cannot allocate memory") == NULL)
		fail_msg("segment %u: %s", (unsigned)f->seq, f->text);
}

/* Its seals are read, and are all right, or it says that it cannot. */
static int
look(struct sweep_place *p)
{
	const struct check_want span = { T0, T0 + 100000, 1 << 20 };
	const struct check_ops ops = { on_unread, NULL, NULL };
	struct check_result all, some;

	if (check_journal(p->s.dir, "gw", NULL, &ops, NULL, &all) == -1 ||
	    check_journal(p->s.dir, "gw", &span, &ops, NULL, &some) == -1)
		return -1;
	if (all.findings > 0 || some.findings > 0)
		return -1;
	p->note->safe = all.records;
	return 0;
}

static void
check_look(struct sweep_place *p)
{
	assert_true(p->note->safe == 0 || p->note->safe == p->whole.safe);
}

static void
test_look(void **state)
{
	const struct sweep w = { make_record, look, check_look };

	(void)state;
	sweep(&w);
}

/* What watches a line, and who sits at it. */

static void
on_hit(void *arg, const struct alert_hit *hit)
{
	(void)hit;
	++*(unsigned *)arg;
}

static int
watch(struct sweep_place *p)
{
	static const struct alerts_ops ops = { on_hit, on_hit };
	static const struct alert_rule rules[] = {
		{ .name = "panic", .on = ALERT_MATCH, .match = "p[a]nic:+" },
		{ .name = "reboot", .on = ALERT_REBOOT, .match = "boot" },
	};
	struct crash_conf conf = { p->s.dir, "gw", "box", 3, 1000 };
	const struct alert_hit hit = { .rule = &rules[1], .when = ms(0),
	    .text = "boot" };
	int fd = os_anon_fd("memory-test");
	struct crash_info *list;
	unsigned hits = 0;
	struct history *h;
	struct alerts *a;
	struct crash *c;
	int64_t due;
	size_t n;

	if (history_prepare(fd, 65536) == -1 ||
	    (h = history_map(fd, 65536)) == NULL)
		return -1;
	close(fd);
	a = alerts_new(rules, 2, &ops, &hits);
	c = crash_new(&conf, h);
	history_write(h, ms(0), "panic: here\r\nagain\r\n", 20);
	alerts_data(a, ms(0), 0, "panic: here\r\nagain\r\n", 20);
	alerts_tick(a, ms(5000), 20);
	crash_happened(c, h, &hit);
	crash_run(c, h, 20, ms(0).mono, ms(5000).mono, &due);
	crash_free(c);
	alerts_free(a);
	history_unmap(h);
	list = crash_list(p->s.dir, "gw", &n);
	free(list);
	return hits > 0 && n == 1 ? 0 : -1;
}

/* A bundle is whole, or is a part that the next one takes up. */
static void
check_watch(struct sweep_place *p)
{
	struct crash_info *list;
	size_t n;

	list = crash_list(p->s.dir, "gw", &n);
	assert_true(n <= 1);
	if (n == 1 && list[0].ended[0] != '\0')
		assert_int_equal(list[0].bytes, 20);
	free(list);
}

static void
test_watch(void **state)
{
	const struct sweep w = { NULL, watch, check_watch };

	(void)state;
	sweep(&w);
}

static void
on_tell(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static void
on_pen(void *arg, bool writes, const char *text)
{
	(void)arg;
	(void)writes;
	(void)text;
}

static void
on_event(void *arg, const char *word, const char *text)
{
	(void)arg;
	(void)word;
	(void)text;
}

static int
sit(struct sweep_place *p)
{
	static const struct hub_ops ops = { on_tell, on_pen, on_event };
	struct seat_who alice = { 1, "alice", "192.0.2.1", "ssh", true };
	struct seat_who bob = { 2, "bob", "192.0.2.2", "ssh", true };
	const struct hub_wish wish = { .watch = false };
	struct hub *hub = hub_new(&ops, NULL, false);
	struct seat *one, *two;

	(void)p;
	one = hub_attach(hub, &alice, &wish, ms(0).mono, NULL);
	two = hub_attach(hub, &bob, &wish, ms(1).mono, NULL);
	seat_ask(two, ms(2).mono);
	seat_take(two, ms(3).mono);
	hub_detach(two, ms(4).mono, "left");
	hub_detach(one, ms(5).mono, "left");
	hub_free(hub);
	return 0;
}

static void
test_sit(void **state)
{
	const struct sweep w = { NULL, sit, NULL };

	(void)state;
	sweep(&w);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_sit),
	};

	(void)argc;
	sweep_load(argv);
	json_set_alloc_funcs(xmalloc, free);	/* as the programs do */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
