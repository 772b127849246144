/*
 * The roles' messages on their way to syslogd: whose they are, and what comes
 * of them when that is away, slow, stopped, or another one; and of a role that
 * says too much.  Roles are real processes here, syslogd is a socket.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "server/base/syslogd.h"
#include "server/herald.h"
#include "tests/world.h"

#define FLOOD 20000
#define SAID_MAX 8192
#define FEW_MS 30
#define PATIENCE_MS 5000

/* What a syslogd was told. */
struct said {
	int prio;		/* with its facility */
	char tag[64];		/* with the pid */
	char text[2400];
};

static struct loop *loop;
static struct herald *herald;
static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static int syslogd;		/* its socket, or -1 */
static struct said *said;
static size_t nsaid;

/* syslogd. */

static void
syslogd_starts(int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	syslogd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	strcpy(un.sun_path, path);
	assert_int_equal(bind(syslogd, (struct sockaddr *)&un, sizeof(un)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(syslogd, 5), 0);
}

static void
syslogd_ends(void)
{
	unlink(path);
	if (syslogd != -1)
		close(syslogd);
	syslogd = -1;
}

static void
note(const char *record)
{
	struct said *s = &said[nsaid++];
	char tag[64];
	const char *rest;
	int n = 0;

	assert_true(nsaid < SAID_MAX);
	/* "<30>Nov 22 09:41:03 oobd[ssh][123]: text" */
	assert_int_equal(sscanf(record, "<%d>%*3c %*2c %*2c:%*2c:%*2c %63s%n",
	    &s->prio, tag, &n), 2);
	rest = record + n;
	assert_int_equal(tag[strlen(tag) - 1], ':');
	tag[strlen(tag) - 1] = '\0';
	snprintf(s->tag, sizeof(s->tag), "%s", tag);
	snprintf(s->text, sizeof(s->text), "%s", rest + 1);
}

/* At most max; how many there were. */
static size_t
syslogd_reads(size_t max)
{
	char record[4096];
	size_t i = 0;
	ssize_t n;

	while (syslogd != -1 && i < max &&
	    (n = recv(syslogd, record, sizeof(record) - 1, 0)) > 0) {
		record[n] = '\0';
		note(record);
		i++;
	}
	return i;
}

/* Until it has been told n things in all, or long enough. */
static void
until_said(size_t n)
{
	for (int i = 0; i < PATIENCE_MS / 2 && nsaid < n; i++) {
		syslogd_reads(SAID_MAX);
		loop_for(loop, 2);
	}
	syslogd_reads(SAID_MAX);
	assert_int_equal(nsaid, n);
}

static void
assert_said(size_t i, int prio, const char *role, pid_t pid, const char *text)
{
	char tag[64];

	assert_true(i < nsaid);
	if (role == NULL)
		snprintf(tag, sizeof(tag), "oobd[%ld]", (long)pid);
	else
		snprintf(tag, sizeof(tag), "oobd[%s][%ld]", role, (long)pid);
	assert_string_equal(said[i].text, text);
	assert_string_equal(said[i].tag, tag);
	assert_int_equal(said[i].prio, LOG_DAEMON | prio);
}

static size_t
count_tag(const char *part)
{
	size_t n = 0;

	for (size_t i = 0; i < nsaid; i++)
		n += strstr(said[i].tag, part) != NULL;
	return n;
}

static bool
was_said(const char *text)
{
	for (size_t i = 0; i < nsaid; i++) {
		if (strcmp(said[i].text, text) == 0)
			return true;
	}
	return false;
}

/* Roles. */

/* Runs live in a process of its own, whose messages v is. */
static pid_t
role_starts(const char *role, struct voice **v, void (*live)(void))
{
	pid_t pid;
	int fd;

	*v = voice_new(herald, role, &fd);
	assert_non_null(*v);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		dup2(fd, LOG_FD);
		log_open(role, LOG_TO_SUPERVISOR, false);
		live();
		_exit(0);
	}
	close(fd);
	voice_is(*v, pid);
	return pid;
}

static void
role_ends(pid_t pid, struct voice *v, int how)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : 0, how);
	voice_end(v);
}

static pid_t
role_lives(const char *role, void (*live)(void))
{
	struct voice *v;
	pid_t pid = role_starts(role, &v, live);

	role_ends(pid, v, 0);
	return pid;
}

static void
speak(void)
{
	log_error("one %s", "x");
	log_warn("two\n<2>Nov 22 09:41:03 oobd[ssh][1]: %s", "\033[31m");
	log_info("three");
}

static void
speak_and_die(void)
{
	for (int i = 0; i < 40; i++)
		log_info("%d", i);
	kill(getpid(), SIGKILL);
}

static void
say_one(void)
{
	log_info("one");
}

/* Much more than fits, and one more when it is told to. */
static int flooded[2], go_on[2];

static void
flood(void)
{
	char c = 0;

	for (int i = 0; i < FLOOD; i++)
		log_info("%d", i);
	if (write(flooded[1], &c, 1) == 1 && read(go_on[0], &c, 1) == 1)
		log_error("the last one");
}

static void
flood_on(void)
{
	for (;;)
		log_info("more");
}

/* Not as log.c would. */
static void
lie(void)
{
	static const char *const lies[] = {
		"\1shout", "\11what", "\6a\nb\r\033[2J", "\4", "\6cut\0off",
	};
	char big[3 * LOG_RECORD];

	for (size_t i = 0; i < 5; i++)
		send(LOG_FD, lies[i], i == 4 ? 8 : strlen(lies[i]), MSG_EOR);
	memset(big, 6, sizeof(big));
	send(LOG_FD, big, sizeof(big), MSG_EOR);
	log_info("and so on");
}

/* The tests. */

static int
begin(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/log", world_dir);
	log_open(NULL, LOG_TO_SYSLOG, false);
	syslogd_at(path);
	syslogd_starts(SOCK_DGRAM);
	said = xcalloc(SAID_MAX, sizeof(*said));
	nsaid = 0;
	loop = loop_new();
	herald = herald_new(loop);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	herald_free(herald);
	syslogd_ends();
	loop_free(loop);
	free(said);
	return 0;
}

static void
whose_and_how_bad(void **state)
{
	pid_t pid = role_lives("console", speak);

	(void)state;
	log_warn("and %d", 4);
	until_said(4);
	assert_said(0, LOG_ERR, "console", pid, "one x");
	assert_said(1, LOG_WARNING, "console", pid, "two\\x0a<2>Nov 22 "
	    "09:41:03 oobd[ssh][1]: \\x1b[31m");
	assert_said(2, LOG_INFO, "console", pid, "three");
	assert_said(3, LOG_WARNING, NULL, getpid(), "and 4");
}

static void
one_that_lies(void **state)
{
	pid_t pid = role_lives("ssh", lie);

	(void)state;
	until_said(7);
	assert_said(0, LOG_ERR, "ssh", pid, "shout");
	assert_said(1, LOG_ERR, "ssh", pid, "what");
	assert_said(2, LOG_INFO, "ssh", pid, "a\\x0ab\\x0d\\x1b[2J");
	assert_said(3, LOG_WARNING, "ssh", pid, "");
	assert_said(4, LOG_INFO, "ssh", pid, "cut");
	assert_int_equal(said[5].prio, LOG_DAEMON | LOG_INFO);
	assert_true(strlen(said[5].text) < LOG_RECORD);
	assert_said(6, LOG_INFO, "ssh", pid, "and so on");
}

static void
one_killed_after_its_words(void **state)
{
	struct voice *v;
	pid_t pid = role_starts("ssh", &v, speak_and_die);
	char text[16];

	(void)state;
	role_ends(pid, v, SIGKILL);
	until_said(40);
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_said((size_t)i, LOG_INFO, "ssh", pid, text);
	}
}

static void
a_syslogd_started_anew(void **state)
{
	struct voice *v;
	pid_t first = role_lives("gate", say_one), second, third, pid;

	(void)state;
	until_said(1);
	syslogd_ends();
	second = role_lives("gate", say_one);
	log_info("in between");
	pid = role_starts("ssh", &v, speak);
	loop_for(loop, FEW_MS);
	syslogd_starts(SOCK_DGRAM);
	until_said(6);
	third = role_lives("gate", say_one);
	until_said(7);
	role_ends(pid, v, 0);
	assert_said(0, LOG_INFO, "gate", first, "one");
	assert_int_equal(count_tag("gate"), 3);
	assert_int_equal(count_tag("ssh"), 3);
	assert_int_equal(count_tag("oobd["), 7);
	assert_said(6, LOG_INFO, "gate", third, "one");
	assert_int_not_equal(second, third);
}

/* The old one is there still, with its queue full, but has the place no more. */
static void
another_syslogd_beside_it(void **state)
{
	int old = syslogd;

	(void)state;
	for (int i = 0; i < 2000; i++)
		log_info("%d", i);
	unlink(path);
	syslogd_starts(SOCK_DGRAM);
	role_lives("gate", say_one);
	for (int i = 0; i < PATIENCE_MS / 2 && count_tag("gate") == 0; i++) {
		syslogd_reads(SAID_MAX);
		loop_for(loop, 2);
	}
	assert_int_equal(count_tag("gate"), 1);
	close(old);
}

static void
a_syslogd_with_a_stream(void **state)
{
	char got[256];
	ssize_t n;
	int fd;

	(void)state;
	syslogd_ends();
	syslogd_starts(SOCK_STREAM);
	log_info("a");
	log_info("b");
	fd = accept(syslogd, NULL, NULL);
	assert_int_not_equal(fd, -1);
	n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	assert_true(n > 0 && got[n - 1] == '\0');
	assert_true(strlen(got) < (size_t)n - 1);
	note(got);
	note(got + strlen(got) + 1);
	assert_said(0, LOG_INFO, NULL, getpid(), "a");
	assert_said(1, LOG_INFO, NULL, getpid(), "b");
	close(fd);
}

/* In order, and all of them, though there are more than its queue takes. */
static void
our_own_while_it_is_stopped(void **state)
{
	struct mono began = mono_now();
	char text[16];

	(void)state;
	for (int i = 0; i < 60; i++) {
		log_info("%d", i);
		if (i % 10 == 0)
			loop_for(loop, 2);
		/* There is room again, but it is not the next one's turn. */
		if (i % 7 == 0)
			syslogd_reads(2);
	}
	assert_true(mono_ms(began, mono_now()) < 1000);
	until_said(60);
	for (int i = 0; i < 60; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_said((size_t)i, LOG_INFO, NULL, getpid(), text);
	}
}

/* It does not wait, and all that is missing is told with the next message. */
static void
one_that_nobody_hears(void **state)
{
	struct voice *v;
	size_t came;
	pid_t pid;
	char c = 0, text[64];

	(void)state;
	assert_int_equal(pipe(flooded), 0);
	assert_int_equal(pipe(go_on), 0);
	pid = role_starts("ssh", &v, flood);
	/* Nobody has listened, and its flood is over. */
	assert_int_equal(read(flooded[0], &c, 1), 1);
	for (int i = 0; i < 200; i++) {
		syslogd_reads(SAID_MAX);
		loop_for(loop, 2);
	}
	came = nsaid;
	assert_in_range(came, 20, 1000);
	assert_int_equal(write(go_on[1], &c, 1), 1);
	role_ends(pid, v, 0);
	until_said(came + 2);
	snprintf(text, sizeof(text), "%zu messages were lost here",
	    FLOOD - came);
	assert_said(came, LOG_WARNING, "ssh", pid, text);
	assert_said(came + 1, LOG_ERR, "ssh", pid, "the last one");
	for (int i = 0; i < 2; i++) {
		close(flooded[i]);
		close(go_on[i]);
	}
}

static void
count_turn(void *arg)
{
	unsigned *turns = arg;

	(*turns)++;
}

/* In a stream, as that takes more at a time than we should give it. */
static void
one_that_floods(void **state)
{
	unsigned turns = 0, seen;
	size_t records = 0;
	struct voice *v;
	char got[65536];
	ssize_t n;
	pid_t pid;
	int fd;

	(void)state;
	syslogd_ends();
	syslogd_starts(SOCK_STREAM);
	log_info("hello");
	fd = accept(syslogd, NULL, NULL);
	assert_int_not_equal(fd, -1);
	assert_true(recv(fd, got, sizeof(got), 0) > 0);
	loop_each_turn(loop, count_turn, &turns);
	pid = role_starts("ssh", &v, flood_on);
	for (int i = 0; i < 100; i++) {
		seen = turns;
		loop_for(loop, 1);
		for (size_t was = records;; was = records) {
			n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
			for (ssize_t at = 0; at < n; at++)
				records += got[at] == '\0';
			if (records == was)
				break;
		}
		seen = turns - seen;
		assert_true(records <= (size_t)HERALD_TURN * turns);
		assert_true(seen >= 1);
	}
	/* It was heard all the same. */
	assert_true(records > 200);
	kill(pid, SIGKILL);
	role_ends(pid, v, SIGKILL);
	close(fd);
}

/* syslogd is slow, and one role alone has more to say than it takes. */
static void
others_beside_it(void **state)
{
	struct voice *v;
	size_t before;
	pid_t pid;

	(void)state;
	pid = role_starts("ssh", &v, flood_on);
	for (int i = 0; i < 20; i++) {
		syslogd_reads(1);
		loop_for(loop, 5);
	}
	role_lives("console", say_one);
	log_info("ours");
	syslogd_reads(SAID_MAX);
	before = nsaid;
	for (int i = 0; i < PATIENCE_MS / 5 && (count_tag("console") == 0 ||
	    !was_said("ours")); i++) {
		syslogd_reads(1);
		loop_for(loop, 5);
	}
	/* One of each in turn: the flood does not come first. */
	assert_int_equal(count_tag("console"), 1);
	assert_true(was_said("ours"));
	assert_true(nsaid - before < 60);
	kill(pid, SIGKILL);
	role_ends(pid, v, SIGKILL);
}

static size_t
open_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

/* Nobody takes what they say, for good: no more and more of it is kept. */
static void
many_that_ended(void **state)
{
	size_t before, lost = 0;

	(void)state;
	syslogd_ends();
	before = open_fds();
	for (int i = 0; i < HERALD_ENDED_MAX + 9; i++) {
		role_lives("gate", say_one);
		loop_for(loop, 1);
	}
	assert_in_range(open_fds(), before, before + HERALD_ENDED_MAX);
	syslogd_starts(SOCK_DGRAM);
	until_said(HERALD_ENDED_MAX + 9);
	loop_for(loop, FEW_MS);
	assert_int_equal(count_tag("gate"), HERALD_ENDED_MAX);
	for (size_t i = 0; i < nsaid; i++)
		lost += strstr(said[i].text, "its last 1 messages were lost") !=
		    NULL;
	assert_int_equal(lost, 9);
	assert_in_range(open_fds(), 0, before + 2);
}

/* Where it goes is not for the role to say. */
static void
no_way_to_others(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char got[16];
	int pair[2];

	(void)state;
	strcpy(un.sun_path, path);
	assert_int_equal(log_pair(pair), 0);
	sendto(pair[1], "x", 1, 0, (struct sockaddr *)&un, sizeof(un));
	assert_int_equal(recv(syslogd, got, sizeof(got), 0), -1);
	assert_int_equal(connect(pair[1], (struct sockaddr *)&un, sizeof(un)),
	    -1);
	close(pair[0]);
	close(pair[1]);
}

/* What is held is told before the end; after it we speak for ourselves. */
static void
the_end_of_all(void **state)
{
	char record[4096];
	int status, n = 0;
	pid_t reader;

	(void)state;
	for (int i = 0; i < 60; i++)
		log_info("%d", i);
	reader = fork();
	if (reader == 0) {
		for (int i = 0; i < PATIENCE_MS && n < 60; i++) {
			poll(NULL, 0, 1);
			n += recv(syslogd, record, sizeof(record), 0) > 0;
		}
		_exit(n);
	}
	herald_free(herald);
	herald = NULL;
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(WEXITSTATUS(status), 60);
	syslogd_ends();
	syslogd_starts(SOCK_DGRAM);
	log_info("directly");
	assert_int_equal(syslogd_reads(SAID_MAX), 1);
	assert_string_equal(said[0].text, "directly");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
		T(whose_and_how_bad),
		T(one_that_lies),
		T(one_killed_after_its_words),
		T(a_syslogd_started_anew),
		T(another_syslogd_beside_it),
		T(a_syslogd_with_a_stream),
		T(our_own_while_it_is_stopped),
		T(one_that_nobody_hears),
		T(one_that_floods),
		T(others_beside_it),
		T(many_that_ended),
		T(no_way_to_others),
		T(the_end_of_all),
	};

	world_begin();
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
