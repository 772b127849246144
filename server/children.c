#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "children.h"
#include "herald.h"
#include "proto.h"
#include "sandbox.h"

#define OUT_MAX (1024 * 1024)	/* queued to one child; more means it hangs */
#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 30000
#define HEALTHY_MS 60000	/* a run this long resets the back-off */
#define ARGV_MAX (ARGS_MAX + 16)

/* What we hear of a process beside its link. */
struct ears {
	int words;		/* its last ones, or -1 */
	struct voice *voice;	/* its messages, or NULL */
};

struct job {
	struct children *all;
	struct job *next;
	pid_t pid;
	const char *role;
	struct ears ears;
	struct timer *limit;
	void (*ended)(void *arg, int status);
	void *arg;
};

struct child {
	struct children *all;
	struct child *next;
	const char *role;
	const struct child_ops *ops;
	void *arg;
	pid_t pid;
	struct link *link;
	struct timer *restart;
	struct backoff backoff;
	struct mono started_at;
	unsigned restarts;
	uint32_t ping, pong;
	const char *killed_for;	/* reason, when we killed it ourselves */
	struct ears ears;
	enum sandbox_mode mode;
	bool ready;		/* this process has been */
	unsigned forbidden;	/* ended by its sandbox, in a row */
	unsigned unready;	/* ended before it was ready, in a row */
};

struct children {
	struct loop *loop;
	struct children_conf conf;
	char *user;		/* the one of conf, ours */
	struct stat program;	/* when we began */
	struct child *kept;
	struct job *jobs;
	struct timer *ping, *grace;
	bool stopping;
	struct child *last;	/* to be asked to stop; NULL: it was */
	int64_t last_ms;	/* that it has */
	void (*stopped)(void *arg);
	void *stopped_arg;
};

static void
become_service_user(const struct children_conf *c)
{
	if (initgroups(c->user, c->gid) == -1 || setgid(c->gid) == -1 ||
	    setuid(c->uid) == -1)
		fatal("cannot become user %s", c->user);
	if (setuid(0) != -1 && c->uid != 0)
		fatalx("could come back from user %s", c->user);
}

/*
 * An upgrade must not mix versions: then it is what we are.  Else its own
 * name, as ps and killall go by that.
 */
static const char *
program_now(const struct children *all)
{
	const struct stat *then = &all->program;
	struct stat now;

	if (os_self_running() == NULL || then->st_ino == 0 ||
	    (stat(all->conf.program, &now) == 0 &&
	    now.st_dev == then->st_dev && now.st_ino == then->st_ino))
		return all->conf.program;
	return os_self_running();
}

/* All that a child begins with, from CHILD_FD on; -1: that one is closed. */
enum { KEPT_LINK, KEPT_WORDS, KEPT_LOG, KEPT };
static_assert(SANDBOX_WORDS_FD == CHILD_FD + KEPT_WORDS &&
    LOG_FD == CHILD_FD + KEPT_LOG, "one after the other");

static void
keep_descriptors(const int fds[KEPT])
{
	int high[KEPT];

	/* None may be in the way of another. */
	for (int i = 0; i < KEPT; i++) {
		high[i] = fds[i] == -1 ? -1 :
		    fcntl(fds[i], F_DUPFD, CHILD_FD + KEPT);
		if (high[i] == -1 && fds[i] != -1)
			fatal("dup");
	}
	for (int i = 0; i < KEPT; i++) {
		if (high[i] == -1)
			close(CHILD_FD + i);
		else if (dup2(high[i], CHILD_FD + i) == -1)
			fatal("dup2");
	}
	os_close_from(CHILD_FD + KEPT);
}

_Noreturn static void
run_role(const struct children *all, const struct job_conf *job,
    enum sandbox_mode mode, const int fds[KEPT])
{
	const struct children_conf *c = &all->conf;
	const char *program = program_now(all);
	char *words[ARGV_MAX + 1];
	int n = 0;

	keep_descriptors(fds);
	if (c->herald != NULL)
		log_open(job->role, LOG_TO_SUPERVISOR, c->debug);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	if (c->drop && !job->privileged)
		become_service_user(c);
	words[n++] = (char *)(uintptr_t)"oobd";
	words[n++] = (char *)(uintptr_t)"-R";
	words[n++] = (char *)(uintptr_t)job->role;
	words[n++] = (char *)(uintptr_t)"-B";
	words[n++] = (char *)(uintptr_t)sandbox_mode_text(mode);
	if (c->debug)
		words[n++] = (char *)(uintptr_t)"-d";
	if (c->herald != NULL)
		words[n++] = (char *)(uintptr_t)"-S";
	words[n++] = (char *)(uintptr_t)"--";
	for (int i = 0; i < job->argc && n < ARGV_MAX; i++)
		words[n++] = job->argv[i];
	words[n] = NULL;
	execv(program, words);
	fatal("cannot run %s", program);
}

static void
close_one(int fd)
{
	int saved = errno;

	if (fd != -1)
		close(fd);
	errno = saved;
}

static void
close_ears(struct ears *e)
{
	int saved = errno;

	if (e->words != -1)
		close(e->words);
	if (e->voice != NULL)
		voice_end(e->voice);
	errno = saved;
	*e = (struct ears){ .words = -1 };
}

/*
 * Make both, with the ends of a child in fds.  0, or -1 with errno: it must
 * not run unheard; to go without a pipe costs no more than its last words.
 */
static int
open_ears(struct children *all, struct ears *e, const char *role, bool words,
    int fds[KEPT])
{
	int pair[2] = { -1, -1 };

	*e = (struct ears){ .words = -1 };
	fds[KEPT_LOG] = -1;
	if (all->conf.herald != NULL) {
		e->voice = voice_new(all->conf.herald, role, &fds[KEPT_LOG]);
		if (e->voice == NULL)
			return -1;
	}
	if (words && pipe2(pair, O_CLOEXEC | O_NONBLOCK) == -1)
		log_errno("%s process: pipe", role);
	e->words = pair[0];
	fds[KEPT_WORDS] = pair[1];
	return 0;
}

/* Returns the pid, or -1 with errno. */
static pid_t
spawn(struct children *all, const struct job_conf *job,
    enum sandbox_mode mode, struct ears *ears)
{
	int fds[KEPT] = { job->fd, -1, -1 };
	sigset_t every, before;
	pid_t pid;

	if (open_ears(all, ears, job->role, mode != SANDBOX_OFF, fds) == -1)
		return -1;
	/* No handler of ours may run in the child before exec. */
	sigfillset(&every);
	sigprocmask(SIG_BLOCK, &every, &before);
	pid = fork();
	if (pid == 0) {
		for (int s = 1; s < 32; s++)
			signal(s, SIG_DFL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		/* Kept children see the end of their link and leave in order. */
		if (job->argc > 0)
			os_die_with_parent();
		run_role(all, job, mode, fds);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close_one(fds[KEPT_WORDS]);
	close_one(fds[KEPT_LOG]);
	if (pid == -1)
		close_ears(ears);
	else if (ears->voice != NULL)
		voice_is(ears->voice, pid);
	return pid;
}

static const char *
exit_text(char *dst, size_t size, int status, const char *forbidden)
{
	if (forbidden[0] != '\0')
		snprintf(dst, size, "forbidden system call: %s", forbidden);
	else if (WIFSIGNALED(status))
		snprintf(dst, size, "signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(dst, size, "exit status %d", WEXITSTATUS(status));
	return dst;
}

static void
ask_to_stop(struct child *c)
{
	timer_stop(c->restart);
	if (c->link == NULL)
		return;
	link_start(c->link, SV_STOP);
	link_send(c->link);
	link_flush(c->link);
}

static void
ask_last_to_stop(struct children *all)
{
	struct child *c = all->last;

	all->last = NULL;
	timer_set(all->grace, all->last_ms);
	ask_to_stop(c);
}

static void
check_stopped(struct children *all)
{
	unsigned running = 0;

	if (!all->stopping || all->stopped == NULL)
		return;
	for (struct child *c = all->kept; c != NULL; c = c->next)
		running += c->pid != 0;
	if (running == 1 && all->last != NULL && all->last->pid != 0)
		ask_last_to_stop(all);
	if (running > 0)
		return;
	timer_stop(all->grace);
	all->stopped(all->stopped_arg);
	all->stopped = NULL;
}

/* Its sandbox ended it: once more, and it only refuses. */
static void
note_forbidden(struct child *c, const char *call)
{
	if (call[0] == '\0')
		return;
	log_error("%s process: killed by its sandbox for the system call %s: "
	    "somebody may have broken in there", c->role, call);
	if (++c->forbidden < CHILD_FORBIDDEN_MAX || c->mode != SANDBOX_FULL)
		return;
	c->mode = SANDBOX_MILD;
	log_error("%s process: %u times in a row by now.  From here on such a "
	    "call is refused, and kills no more.  If a new library needs it, "
	    "report that; until then \"sandbox = false\" in the "
	    "configuration, and a restart, is the way without a sandbox "
	    "(oobd.conf(5))", c->role, c->forbidden);
}

static void
note_unready(struct child *c)
{
	if (c->ready || c->killed_for != NULL) {
		c->unready = 0;
		return;
	}
	if (++c->unready < CHILD_UNREADY_MAX || c->mode == SANDBOX_OFF)
		return;
	c->mode = SANDBOX_OFF;
	log_error("%s process: it has not got as far as being ready %u times "
	    "in a row, so from here on it runs WITHOUT its sandbox.  Does a "
	    "library need what that forbids?  A restart tries again; "
	    "\"sandbox = false\" settles it (oobd.conf(5))", c->role,
	    c->unready);
}

static void
child_ended(struct child *c, int status)
{
	char text[160], call[SANDBOX_CALL];
	const char *why = exit_text(text, sizeof(text), status,
	    sandbox_last_words(call, c->ears.words));
	int64_t wait = -1;

	close_ears(&c->ears);
	note_forbidden(c, call);
	note_unready(c);

	if (c->killed_for != NULL)
		why = c->killed_for;
	c->pid = 0;
	c->killed_for = NULL;
	link_free(c->link);
	c->link = NULL;
	if (!c->all->stopping) {
		if (mono_ms(c->started_at, mono_now()) >= HEALTHY_MS) {
			backoff_reset(&c->backoff);
			c->forbidden = call[0] != '\0';
		}
		wait = backoff_next(&c->backoff);
		c->restarts++;
		timer_set(c->restart, wait);
		log_warn("%s process ended (%s), again in %lld ms", c->role,
		    why, (long long)wait);
	}
	c->ops->ended(c->arg, c, why, wait);
	check_stopped(c->all);
}

static void
job_ended(struct job *j, int status)
{
	char call[SANDBOX_CALL];

	sandbox_last_words(call, j->ears.words);
	close_ears(&j->ears);
	if (call[0] != '\0')
		log_error("%s process: killed by its sandbox for the system "
		    "call %s: somebody may have broken in there", j->role,
		    call);
	timer_free(j->limit);
	if (j->ended != NULL)
		j->ended(j->arg, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	free(j);
}

static void
reaped(struct children *all, pid_t pid, int status)
{
	for (struct child *c = all->kept; c != NULL; c = c->next) {
		if (c->pid == pid) {
			child_ended(c, status);
			return;
		}
	}
	for (struct job **at = &all->jobs; *at != NULL; at = &(*at)->next) {
		struct job *j = *at;

		if (j->pid == pid) {
			*at = j->next;
			job_ended(j, status);
			return;
		}
	}
}

static void
on_sigchld(void *arg, int signo)
{
	pid_t pid;
	int status;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		reaped(arg, pid, status);
}

/* One for each ping; any other was never asked for. */
static int
on_pong(struct child *c, struct frame *f)
{
	uint32_t number = frame_u32(f);

	if (!frame_ok(f) || number != c->ping || c->pong == c->ping) {
		log_error("%s process answers a ping that it did not get",
		    c->role);
		return -1;
	}
	c->pong = number;
	return 0;
}

static int
on_frame(void *arg, struct frame *f, int fd)
{
	struct child *c = arg;

	if (f->type == UP_PONG && fd == -1)
		return on_pong(c, f);
	return c->ops->frame(c->arg, c, f, fd);
}

void
child_kill(struct child *c, const char *why)
{
	if (c->pid == 0 || c->killed_for != NULL)
		return;
	c->killed_for = why;
	kill(c->pid, SIGKILL);
}

static void
on_link_down(void *arg, const char *why)
{
	struct child *c = arg;

	/* An orderly end closes its link, too: leave it time to exit. */
	if (strcmp(why, "peer gone") != 0) {
		log_error("%s process: %s", c->role, why);
		child_kill(c, why);
	}
}

static const struct link_ops child_link_ops = {
	.frame = on_frame,
	.down = on_link_down,
};

static void
start(struct child *c)
{
	struct job_conf job = { .role = c->role };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		log_errno("%s process: socketpair", c->role);
		timer_set(c->restart, backoff_next(&c->backoff));
		return;
	}
	job.fd = pair[1];
	c->ready = false;
	c->pid = spawn(c->all, &job, c->mode, &c->ears);
	close(pair[1]);
	if (c->pid == -1) {
		c->pid = 0;
		close(pair[0]);
		log_errno("%s process: fork", c->role);
		timer_set(c->restart, backoff_next(&c->backoff));
		return;
	}
	c->started_at = mono_now();
	c->ping = c->pong = 0;
	c->link = link_new(c->all->loop, pair[0], OUT_MAX, &child_link_ops, c);
	c->ops->started(c->arg, c);
	link_flush(c->link);
}

static void
on_restart(void *arg)
{
	struct child *c = arg;

	if (!c->all->stopping && c->pid == 0)
		start(c);
}

/* Each tick ends the time for the last ping and sends the next. */
static void
on_ping(void *arg)
{
	struct children *all = arg;

	timer_set(all->ping, all->conf.deadline_ms);
	for (struct child *c = all->kept; c != NULL; c = c->next) {
		if (c->link == NULL)
			continue;
		if (c->ping != c->pong) {
			log_error("%s process does not answer", c->role);
			child_kill(c, "no answer within its deadline");
			continue;
		}
		/* It had no whole period yet to answer in. */
		frame_put_u32(link_start(c->link, SV_PING), ++c->ping);
		link_send(c->link);
		link_flush(c->link);
	}
}

static void
on_grace_over(void *arg)
{
	struct children *all = arg;

	if (all->last != NULL) {
		ask_last_to_stop(all);
		return;
	}
	for (struct child *c = all->kept; c != NULL; c = c->next) {
		if (c->pid != 0)
			log_warn("%s process did not stop in time", c->role);
		child_kill(c, "killed at stop");
	}
}

struct children *
children_new(struct loop *loop, const struct children_conf *conf)
{
	struct children *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	all->conf = *conf;
	if (conf->user != NULL)
		all->conf.user = all->user = xstrdup(conf->user);
	if (stat(conf->program, &all->program) == -1)
		memset(&all->program, 0, sizeof(all->program));
	all->ping = timer_new(loop, on_ping, all);
	all->grace = timer_new(loop, on_grace_over, all);
	loop_signal(loop, SIGCHLD, on_sigchld, all);
	timer_set(all->ping, conf->deadline_ms);
	return all;
}

void
children_set_deadline(struct children *all, int64_t ms)
{
	all->conf.deadline_ms = ms;
	timer_set_sooner(all->ping, ms);
}

void
children_free(struct children *all)
{
	struct child *c;
	struct job *j;

	while ((c = all->kept) != NULL) {
		all->kept = c->next;
		if (c->pid != 0) {
			kill(c->pid, SIGKILL);
			waitpid(c->pid, NULL, 0);
		}
		close_ears(&c->ears);
		link_free(c->link);
		timer_free(c->restart);
		free(c);
	}
	while ((j = all->jobs) != NULL) {
		all->jobs = j->next;
		kill(j->pid, SIGKILL);
		waitpid(j->pid, NULL, 0);
		close_ears(&j->ears);
		timer_free(j->limit);
		free(j);
	}
	timer_free(all->ping);
	timer_free(all->grace);
	free(all->user);
	free(all);
}

struct child *
child_keep(struct children *all, const char *role,
    const struct child_ops *ops, void *arg)
{
	struct child *c = xcalloc(1, sizeof(*c));

	c->all = all;
	c->role = role;
	c->ops = ops;
	c->arg = arg;
	c->ears.words = -1;
	c->mode = all->conf.sandbox ? SANDBOX_FULL : SANDBOX_OFF;
	c->backoff.min_ms = BACKOFF_MIN_MS;
	c->backoff.max_ms = BACKOFF_MAX_MS;
	c->restart = timer_new(all->loop, on_restart, c);
	c->next = all->kept;
	all->kept = c;
	timer_set(c->restart, 0);
	return c;
}

struct link *
child_link(struct child *c)
{
	return c->link;
}

const char *
child_role(const struct child *c)
{
	return c->role;
}

pid_t
child_pid(const struct child *c)
{
	return c->pid;
}

unsigned
child_restarts(const struct child *c)
{
	return c->restarts;
}

void
child_is_ready(struct child *c)
{
	c->ready = true;
}

void
children_stop(struct children *all, struct child *last, int64_t grace_ms,
    void (*done)(void *), void *arg)
{
	all->stopping = true;
	all->stopped = done;
	all->stopped_arg = arg;
	all->last = last;
	all->last_ms = grace_ms - grace_ms / 4;
	timer_stop(all->ping);
	timer_set(all->grace, grace_ms - all->last_ms);
	for (struct child *c = all->kept; c != NULL; c = c->next) {
		if (c != last)
			ask_to_stop(c);
	}
	check_stopped(all);
}

static void
on_job_limit(void *arg)
{
	struct job *j = arg;

	kill(j->pid, SIGKILL);
}

struct job *
job_run(struct children *all, const struct job_conf *conf,
    void (*ended)(void *, int), void *arg)
{
	struct job *j;
	struct ears ears;
	pid_t pid;

	if (conf->argc < 1 || conf->argc > ARGS_MAX) {
		errno = E2BIG;
		return NULL;
	}
	pid = spawn(all, conf, all->conf.sandbox ? SANDBOX_FULL :
	    SANDBOX_OFF, &ears);
	if (pid == -1)
		return NULL;
	j = xcalloc(1, sizeof(*j));
	j->role = conf->role;
	j->ears = ears;
	j->all = all;
	j->pid = pid;
	j->ended = ended;
	j->arg = arg;
	j->limit = timer_new(all->loop, on_job_limit, j);
	if (conf->limit_ms > 0)
		timer_set(j->limit, conf->limit_ms);
	j->next = all->jobs;
	all->jobs = j;
	return j;
}

void
job_kill(struct job *j)
{
	kill(j->pid, SIGKILL);
}

void
job_cancel(struct job *j)
{
	j->ended = NULL;
	job_kill(j);
}
