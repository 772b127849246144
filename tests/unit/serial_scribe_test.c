#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "journal_help.h"
#include "serial/jread.h"
#include "serial/logview.h"
#include "serial/scribe.h"
#include "server/base/os.h"

#define SIZE (64 * 1024)

/* The disk, as the syncer sees it. */
static atomic_int syncs, sync_error;

int fdatasync(int);

int
fdatasync(int fd)
{
	(void)fd;
	atomic_fetch_add(&syncs, 1);
	errno = atomic_load(&sync_error);
	return errno == 0 ? 0 : -1;
}

struct site {
	struct scratch s;
	struct loop *loop;
	struct timer *limit;
	struct scribe *scribe;
	struct scribe_log *log;
	struct history *history;
	int fd;
	int changes;
	bool mounted;
};

static void
on_changed(void *arg, struct scribe_log *log)
{
	struct site *t = arg;

	assert_ptr_equal(log, t->log);
	t->changes++;
}

static void
start_scribe(struct site *t)
{
	struct scribe_conf conf = { .box = "box", .log_dir = t->s.dir,
	    .sync_typing_ms = 200, .sync_idle_ms = 60000 };

	t->loop = loop_new();
	t->scribe = scribe_start(t->loop, &conf, on_changed, t);
	assert_non_null(t->scribe);
	t->history = history_map(t->fd, SIZE);
	assert_non_null(t->history);
	t->log = scribe_open(t->scribe, "gw", t->history);
}

static int
make(void **state)
{
	struct site *t = xcalloc(1, sizeof(*t));

	atomic_store(&syncs, 0);
	atomic_store(&sync_error, 0);
	scratch_make(&t->s);
	t->fd = os_anon_fd("scribe-test");
	assert_int_equal(history_prepare(t->fd, SIZE), 0);
	start_scribe(t);
	*state = t;
	return 0;
}

static void
stop_scribe(struct site *t)
{
	scribe_stop(t->scribe, 5000);
	scribe_close(t->log);
	loop_free(t->loop);
	history_unmap(t->history);
}

static int
drop(void **state)
{
	struct site *t = *state;

	if (t->scribe != NULL)
		stop_scribe(t);
	close(t->fd);
	if (t->mounted)
		small_disk_drop(&t->s);
	scratch_drop(&t->s);
	free(t);
	return 0;
}

static void
arrive(struct site *t, const char *p, size_t n)
{
	history_write(t->history, stamp_now(), p, n);
	scribe_poke(t->log);
}

static void
say(struct site *t, const char *text)
{
	arrive(t, text, strlen(text));
}

static void
on_stop(void *arg)
{
	loop_stop(arg, 0);
}

static void
turn_for(struct site *t, int64_t wait_ms)
{
	struct timer *timer = timer_new(t->loop, on_stop, t->loop);

	timer_set(timer, wait_ms);
	loop_run(t->loop);
	timer_free(timer);
}

/* Let the loop turn until the flush is done. */
static void
flush(struct site *t)
{
	scribe_flush(t->scribe, on_stop, t->loop);
	loop_run(t->loop);
}

static char *
contents(struct site *t, const char *options)
{
	char copy[100], *argv[8] = { "log", "gw" };
	struct shown shown = { .waits = 0 };
	struct view v = { &shown_ops, &shown, t->s.dir, false };
	int argc = 2;

	snprintf(copy, sizeof(copy), "%s", options);
	for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
		argv[argc++] = w;
	assert_int_equal(logview_run(&v, argc, argv), 0);
	free(shown.out[2]);
	return shown.out[1] == NULL ? xstrdup("") : shown.out[1];
}

static void
expect(struct site *t, const char *options, const char *want)
{
	char *got = contents(t, options);

	assert_string_equal(got, want);
	free(got);
}

/* "type offset payload" of every record of the last segment. */
static char *
last_records(struct site *t)
{
	char *text = segment_text(&t->s, -1, NULL), *out, *p, *e;
	size_t n = 0;

	assert_non_null(text);
	out = xmalloc(strlen(text) + 1);
	for (p = text; (e = strchr(p, '\n')) != NULL; p = e + 1) {
		*e = '\0';
		p = strchr(strchr(p, ' ') + 1, ' ') + 1;
		if (*p != 'h')
			n += (size_t)sprintf(out + n, "%s|", p);
	}
	out[n] = '\0';
	free(text);
	return out;
}

struct turn {
	struct site *t;
	char name;
	char *order;
};

static void
on_turn(void *arg)
{
	struct turn *u = arg;

	strncat(u->order, &u->name, 1);
	if (strlen(u->order) == 4)
		loop_stop(u->t->loop, 0);
}

/* Done at different times, and told of in one turn of the loop. */
static void
test_flush_order(void **state)
{
	struct site *t = *state;
	char order[8] = "";
	struct turn u[] = { { t, 'a', order }, { t, 'b', order },
	    { t, 'c', order }, { t, 'd', order } };
	const struct timespec pause = { 0, 100 * 1000 * 1000 };

	for (size_t i = 0; i < 4; i++) {
		scribe_flush(t->scribe, on_turn, &u[i]);
		if (i != 2)
			nanosleep(&pause, NULL);
	}
	loop_run(t->loop);
	assert_string_equal(order, "abcd");
}

static void
test_order(void **state)
{
	struct site *t = *state;
	struct scribe_state st;
	char *got;

	scribe_event(t->log, "start", "version=%d", 1);
	say(t, "one\r\nlog");
	scribe_event(t->log, "attach", "user=alice from=192.0.2.7");
	say(t, "in: ");
	scribe_input(t->log, "alice", 3, NULL, 0);
	scribe_input(t->log, "alice", 2, NULL, 0);
	scribe_input(t->log, "alice", 8, "ls\\x41\t", 7);
	scribe_event(t->log, "line", "state=lost");
	flush(t);
	got = last_records(t);
	assert_string_equal(got, "m 0 start version=1|o 0 one|"
	    "m 8 attach user=alice from=192.0.2.7|i 12 alice 5 bytes|"
	    "i 12 alice 8 bytes ls\\x5cx41\t|c 5 login: |"
	    "m 12 line state=lost|");
	free(got);
	expect(t, "--raw", "one\r\nlogin: ");
	scribe_state(t->log, &st);
	assert_true(st.healthy);
	assert_int_equal(st.written, 12);
	assert_int_equal(st.lost, 0);
	assert_non_null(strstr(st.file, "/gw/00000001-"));
	assert_int_equal(t->changes, 0);
}

/* A prompt is in the file within a second, a line at once. */
static void
test_by_itself(void **state)
{
	struct site *t = *state;
	char *got;

	say(t, "line\r\ngw# ");
	turn_for(t, 900);
	got = last_records(t);
	assert_string_equal(got, "o 0 line|p 6 gw# |");
	free(got);
	assert_int_equal(scribe_written(t->log), 10);
}

static void
test_idle(void **state)
{
	struct rusage before, after;
	struct site *t = *state;

	say(t, "something\r\n");
	turn_for(t, 700);
	getrusage(RUSAGE_SELF, &before);
	usleep(1500000);
	getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_nvcsw - before.ru_nvcsw <= 3);
}

static void
test_sync(void **state)
{
	struct site *t = *state;

	say(t, "something\r\n");
	turn_for(t, 500);
	assert_int_equal(atomic_load(&syncs), 0);
	scribe_typing(t->log);
	say(t, "more\r\n");
	turn_for(t, 900);
	assert_int_equal(atomic_load(&syncs), 2);	/* file and folder */
	say(t, "more\r\n");
	turn_for(t, 900);
	assert_int_equal(atomic_load(&syncs), 3);
	stop_scribe(t);
	t->scribe = NULL;
	assert_true(atomic_load(&syncs) >= 3);
}

/* A failed sync: what is in doubt is recorded again, in a new segment. */
static void
test_sync_fails(void **state)
{
	struct site *t = *state;
	struct scribe_state st;
	char *got;

	say(t, "safe\r\n");
	scribe_typing(t->log);
	turn_for(t, 700);
	atomic_store(&sync_error, EIO);
	say(t, "doubt\r\nha");
	scribe_typing(t->log);
	turn_for(t, 900);
	scribe_state(t->log, &st);
	assert_false(st.healthy);
	assert_non_null(strstr(st.problem, "sync"));
	assert_int_equal(t->changes, 1);
	got = last_records(t);
	assert_non_null(strstr(got, "m 6 sync-failed from=6 to=15 "));
	assert_non_null(strstr(got, "|o 6 doubt|"));
	free(got);
	say(t, "lf\r\n");
	flush(t);
	expect(t, "--raw", "safe\r\ndoubt\r\nhalf\r\n");
}

#define TICKS 20000

/* No folder for a while: nothing is lost that the history still has. */
static void
test_outage(void **state)
{
	struct site *t = *state;
	unsigned kept = 0, lost = 0, some;
	struct scribe_state st;
	char path[100], *got, *p;
	int fd, last = -1;

	say(t, "one\r\n");
	flush(t);
	/* A file where the folder was. */
	snprintf(path, sizeof(path), "%s/gw", t->s.dir);
	nftw(path, scratch_rm, 16, FTW_DEPTH | FTW_PHYS);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	turn_for(t, 1100);
	say(t, "two\r\n");
	turn_for(t, 600);
	scribe_state(t->log, &st);
	assert_false(st.healthy);
	assert_non_null(strstr(st.problem, path));
	assert_int_equal(t->changes, 1);
	for (int i = 0; i < TICKS; i++)
		scribe_event(t->log, "tick", "i=%d", i);
	unlink(path);
	turn_for(t, 1300);
	scribe_state(t->log, &st);
	assert_true(st.healthy);
	assert_string_equal(st.problem, "");
	assert_int_equal(t->changes, 2);
	expect(t, "--raw", "two\r\n");
	got = last_records(t);
	for (p = got; (p = strstr(p, "|m 10 ")) != NULL; p++) {
		kept += sscanf(p, "|m 10 tick i=%d", &last) == 1;
		if (sscanf(p, "|m 10 lost events=%u", &some) == 1)
			lost += some;
	}
	/* What waits is bounded, and what did not fit is counted. */
	assert_true(lost > 0);
	assert_in_range(kept + lost, TICKS, TICKS + 2);
	assert_int_equal(last, TICKS - 1);
	free(got);
}

/*
 * A full disk for so long that the history is lapped: the gap is measured to
 * the byte, and recording is back by itself once there is space (how soon,
 * tests/e2e/test_disk.py measures).
 */
static void
outlast(struct site *t, void (*fill)(struct site *),
    void (*empty)(struct site *))
{
	unsigned long long bytes, from, to = 0, all = 0;
	struct scribe_state st;
	char line[81], *got, *p;
	int n = 0;

	say(t, "begin\r\n");
	flush(t);
	fill(t);
	for (int i = 0; i < 5000; i++) {
		n = snprintf(line, sizeof(line), "%-77d\r\n", i);
		say(t, line);
		if (i % 100 == 0)
			turn_for(t, 10);
	}
	scribe_state(t->log, &st);
	for (int i = 0; i < 100 && st.healthy; i++) {
		turn_for(t, 100);
		scribe_state(t->log, &st);
	}
	assert_false(st.healthy);
	assert_non_null(strstr(st.problem, "space"));
	empty(t);
	for (int i = 0; i < 100 && !st.healthy; i++) {
		turn_for(t, 100);
		scribe_state(t->log, &st);
	}
	assert_true(st.healthy);
	assert_int_equal(t->changes, 2);
	flush(t);
	/* One, or more where it was lapped before the disk was full. */
	got = contents(t, "--text --events");
	for (p = got; (p = strstr(p, "Z gap bytes=")) != NULL; p++) {
		assert_int_equal(sscanf(p, "Z gap bytes=%llu from=%llu "
		    "to=%llu", &bytes, &from, &to), 3);
		assert_int_equal(bytes, to - from);
		all += bytes;
	}
	assert_true(all > 0);
	assert_int_equal(st.lost, all);
	free(got);
	got = contents(t, "--raw");
	assert_int_equal(strlen(got), 7 + 5000 * (size_t)n - all);
	/* The history's size of newest bytes is there. */
	assert_true(to <= 7 + 5000 * (uint64_t)n - SIZE + 80);
	free(got);
}

static void
fill_real(struct site *t)
{
	static char zeros[4096];
	char ballast[100];
	int fd;

	snprintf(ballast, sizeof(ballast), "%s/ballast", t->s.dir);
	fd = open(ballast, O_CREAT | O_WRONLY, 0600);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		continue;
	close(fd);
}

static void
empty_real(struct site *t)
{
	char ballast[100];

	snprintf(ballast, sizeof(ballast), "%s/ballast", t->s.dir);
	unlink(ballast);
}

static void
fill_simulated(struct site *t)
{
	(void)t;
	disk_left = 1000;
}

static void
empty_simulated(struct site *t)
{
	(void)t;
	disk_left = -1;
}

static void
test_full_disk(void **state)
{
	struct site *t = *state;

	outlast(t, fill_simulated, empty_simulated);
}

static void
test_full_tmpfs(void **state)
{
	struct site *t = *state;

	/* Room for all that is kept, however late it is found full. */
	if (small_disk(&t->s, 1024) != 0) {
		print_message("may not mount: only the simulated one\n");
		return;
	}
	t->mounted = true;
	turn_for(t, 1100);
	outlast(t, fill_real, empty_real);
}

/* One life: journals what comes, is killed at a random moment. */
static void
live_and_die(struct site *t, uint64_t *sent, unsigned seed)
{
	char line[100];
	int n;

	srand(seed);
	start_scribe(t);
	for (int i = 0; i < 200; i++) {
		n = snprintf(line, sizeof(line), "%llu is the offset%s",
		    (unsigned long long)*sent, rand() % 3 ? "\r\n" : " ");
		/* Counted before it is there: then nothing is uncounted. */
		arrive(t, line, (size_t)n);
		*sent = history_head(t->history);
		if (rand() % 8 == 0)
			usleep((useconds_t)(rand() % 30000));
		if (rand() % 100 == 0)
			kill(getpid(), SIGKILL);
	}
	kill(getpid(), SIGKILL);
}

static void
test_kill(void **state)
{
	struct site *t = *state;
	uint64_t *sent, at = 0;
	size_t n = 0;
	char *got, *p;
	int status;

	stop_scribe(t);
	t->scribe = NULL;
	sent = mmap(NULL, sizeof(*sent), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (unsigned life = 0; life < 30; life++) {
		pid_t pid = fork();

		if (pid == 0)
			live_and_die(t, sent, life);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
	}
	start_scribe(t);
	flush(t);
	got = contents(t, "--raw");
	n = strlen(got);
	assert_true(n >= *sent);
	for (p = got; *p != '\0'; p = strstr(p, "is the offset") + 14) {
		while (*p == '\r' || *p == '\n' || *p == ' ')
			p++;
		if (*p == '\0')
			break;
		at = (uint64_t)(p - got);
		assert_int_equal(strtoull(p, NULL, 10), at);
	}
	free(got);
	got = contents(t, "--text --events");
	assert_null(strstr(got, "gap bytes"));
	free(got);
	munmap(sent, sizeof(*sent));
}

/* The box lost power: the history is new, the journal is not. */
static void
test_new_history(void **state)
{
	struct site *t = *state;

	say(t, "before\r\nlogin: ");
	flush(t);
	turn_for(t, 300);
	stop_scribe(t);
	assert_int_equal(ftruncate(t->fd, 0), 0);
	assert_int_equal(history_prepare(t->fd, SIZE), 0);
	start_scribe(t);
	assert_int_equal(history_head(t->history), 15);
	say(t, "after\r\n");
	flush(t);
	expect(t, "--raw", "before\r\nlogin: after\r\n");
}

/* An orderly stop and start in between is not seen in the bytes. */
static void
test_restart(void **state)
{
	struct site *t = *state;

	say(t, "one\r\ntw");
	stop_scribe(t);
	start_scribe(t);
	say(t, "o\r\n");
	flush(t);
	expect(t, "--raw", "one\r\ntwo\r\n");
	/* Its journal removed by hand while nothing ran. */
	stop_scribe(t);
	scratch_drop(&t->s);
	start_scribe(t);
	say(t, "three\r\n");
	flush(t);
	expect(t, "--raw", "one\r\ntwo\r\nthree\r\n");
}

/* A flood goes through whole, with a reader following. */
static void
test_flood(void **state)
{
	struct site *t = *state;
	static char block[8192], want[8192 * 1500 + 1];
	uint64_t head;
	char *got;

	for (size_t i = 0; i + 1 < sizeof(want); i += 64)
		snprintf(want + i, 65, "%-62zu\r\n", i);
	for (size_t i = 0; i + 1 < sizeof(want); i += sizeof(block)) {
		arrive(t, want + i, sizeof(block));
		head = history_head(t->history);
		while (head - scribe_written(t->log) > SIZE / 2)
			usleep(200);
	}
	flush(t);
	got = contents(t, "--raw");
	assert_int_equal(strlen(got), sizeof(want) - 1);
	assert_memory_equal(got, want, sizeof(want) - 1);
	free(got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, make, drop),
		cmocka_unit_test_setup_teardown(test_flush_order, make, drop),
		cmocka_unit_test_setup_teardown(test_by_itself, make, drop),
		cmocka_unit_test_setup_teardown(test_idle, make, drop),
		cmocka_unit_test_setup_teardown(test_sync, make, drop),
		cmocka_unit_test_setup_teardown(test_sync_fails, make, drop),
		cmocka_unit_test_setup_teardown(test_outage, make, drop),
		cmocka_unit_test_setup_teardown(test_full_disk, make, drop),
		cmocka_unit_test_setup_teardown(test_full_tmpfs, make, drop),
		cmocka_unit_test_setup_teardown(test_kill, make, drop),
		cmocka_unit_test_setup_teardown(test_new_history, make,
		    drop),
		cmocka_unit_test_setup_teardown(test_restart, make, drop),
		cmocka_unit_test_setup_teardown(test_flood, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
