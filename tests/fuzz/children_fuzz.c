/*
 * The supervisor's hold on its processes (server/children.c), all of them gone
 * bad: they answer pings that they did not get, twice or not at all, say
 * anything else, with descriptors and cut off, leave words of a sandbox, and
 * end when they like.  No process is made: those are the test's.  One that
 * breaks the protocol is killed, one that keeps to it is not; each end is told
 * once, what ended is begun anew, and nothing is left behind.
 *
 * Input: acts: a byte which, one for its size, so many bytes.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>

#include "server/children.h"
#include "server/proto.h"
#include "server/sandbox.h"
#include "tests/skewed_time.h"
#include "tests/world.h"

#define PID 0x7ffff000		/* of the first: no system has it */
#define STARTED 1024		/* in one run */
#define DEADLINE_MS 5000
#define KEEPS 2
#define STILL_MS 40000		/* longer than any of them is waited for */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct process {
	bool runs, killed;
	bool ended;			/* and was not waited for */
	int status;
	int fd, words;			/* its ends; -1: closed */
	uint32_t ping;			/* heard last */
	bool owes;			/* an answer to it */
	bool wrong;			/* it broke the protocol */
} processes[STARTED];
static size_t nstarted;
static int last_fd, last_words;		/* of the one that is being made */

static struct {
	struct loop *loop;
	struct children *all;
	struct child *kept[KEEPS];
	void (*on_child)(void *, int);
	void *arg;
	unsigned began, ended;		/* as was told */
	unsigned njobs, jobs_ended;
	bool stopping, stopped;
} w;

/* The system. */

static int
test_socketpair(int domain, int type, int protocol, int pair[2])
{
	if (socketpair(domain, type, protocol, pair) == -1)
		return -1;
	last_fd = fcntl(pair[1], F_DUPFD_CLOEXEC, 0);
	fcntl(last_fd, F_SETFL, O_NONBLOCK);
	return 0;
}

static int
test_pipe2(int pair[2], int flags)
{
	if (pipe2(pair, flags) == -1)
		return -1;
	last_words = fcntl(pair[1], F_DUPFD_CLOEXEC, 0);
	return 0;
}

static pid_t
test_fork(void)
{
	struct process *p = &processes[nstarted];

	if (nstarted == STARTED) {
		close(last_fd);
		close(last_words);
		errno = EAGAIN;
		return -1;
	}
	*p = (struct process){ .runs = true, .fd = last_fd,
	    .words = last_words };
	return PID + (pid_t)nstarted++;
}

static int
test_kill(pid_t pid, int signo)
{
	struct process *p = &processes[pid - PID];

	if (pid < PID || pid >= PID + (pid_t)nstarted || signo != SIGKILL ||
	    (!p->runs && !p->ended))
		abort();
	p->killed = true;
	return 0;
}

static void
drop(struct process *p)
{
	if (p->fd != -1)
		close(p->fd);
	if (p->words != -1)
		close(p->words);
	p->fd = p->words = -1;
}

static pid_t
test_waitpid(pid_t pid, int *status, int how)
{
	struct process *p = processes;

	if (how == 0) {			/* children_free: it was killed */
		p = &processes[pid - PID];
		if (!p->killed)
			abort();
		p->runs = p->ended = false;
		drop(p);
		return pid;
	}
	while (p < processes + nstarted && !p->ended)
		p++;
	if (p == processes + nstarted)
		return 0;
	p->ended = false;
	*status = p->status;
	return PID + (pid_t)(p - processes);
}

static void
test_signal(struct loop *loop, int signo, void (*fn)(void *, int), void *arg)
{
	if (loop != w.loop || signo != SIGCHLD)
		abort();
	w.on_child = fn;
	w.arg = arg;
}

#define socketpair test_socketpair
#define pipe2 test_pipe2
#define fork test_fork
#define kill test_kill
#define waitpid test_waitpid
#define loop_signal test_signal
#include "server/children.c"
#undef socketpair
#undef pipe2
#undef fork
#undef kill
#undef waitpid
#undef loop_signal

/* What the supervisor is told. */

static void
on_started(void *arg, struct child *c)
{
	(void)arg;
	if (child_link(c) == NULL || child_pid(c) == 0 || w.stopping)
		abort();
	w.began++;
}

/* As the table of requests: some types are nothing, and none brings one. */
static int
on_request(void *arg, struct child *c, struct frame *f, int fd)
{
	(void)arg;
	(void)c;
	if (f->type == UP_PONG && fd == -1)
		abort();
	if (fd != -1)
		close(fd);
	return fd != -1 || f->type > UP_NAME ? -1 : 0;
}

static void
on_ended(void *arg, struct child *c, const char *why, int64_t wait_ms)
{
	(void)arg;
	if (child_pid(c) != 0 || child_link(c) != NULL || why[0] == '\0' ||
	    (wait_ms == -1) != w.stopping)
		abort();
	w.ended++;
}

static const struct child_ops child_ops = { on_started, on_request, on_ended };

static void
on_job_ended(void *arg, int status)
{
	(void)arg;
	if (status < -1 || status > 255)
		abort();
	w.jobs_ended++;
}

static void
on_stopped(void *arg)
{
	(void)arg;
	if (w.stopped)
		abort();
	w.stopped = true;
}

/* What the processes hear. */

static void
hear(struct process *p)
{
	static uint8_t in[65536];
	struct frame f;
	size_t n, at = 0, used;

	if (p->fd == -1)
		return;
	n = world_receive(p->fd, in, sizeof(in), NULL);
	while (frame_parse(in + at, n - at, &f, &used) == 1) {
		if (f.type == SV_PING) {
			p->ping = frame_u32(&f);
			p->owes = true;
		} else if (f.type != SV_STOP) {
			abort();
		}
		if (!frame_ok(&f))
			abort();
		at += used;
	}
	if (at != n)
		abort();
}

static void
turn(void)
{
	for (int i = 0; i < 3; i++) {
		loop_for(w.loop, 0);
		for (size_t k = 0; k < nstarted; k++) {
			hear(&processes[k]);
			/* The kernel does what it was asked to. */
			if (processes[k].runs && processes[k].killed) {
				processes[k].runs = false;
				processes[k].ended = true;
				processes[k].status = SIGKILL;
				drop(&processes[k]);
			}
		}
		w.on_child(w.arg, SIGCHLD);
	}
}

/* Acts: p, n is what stands behind each; the first byte is whose. */

static struct process *
running(const uint8_t *p, size_t n)
{
	size_t k = n > 0 ? p[0] % 8 : 0;

	for (size_t i = 0; i < nstarted; i++) {
		if (processes[i].runs && processes[i].fd != -1 && k-- == 0)
			return &processes[i];
	}
	return NULL;
}

static void
pong(struct process *p, uint32_t number)
{
	struct frame_out *o = world_start(UP_PONG);

	p->wrong |= !p->owes || number != p->ping;
	p->owes = false;
	frame_put_u32(o, number);
	world_send(p->fd, o);
	turn();
	/* A job's socket is not ours to read. */
	if (p->killed && !p->wrong)
		abort();
}

static void
act_pong(const uint8_t *p, size_t n)
{
	struct process *at = running(p, n);

	if (at != NULL)
		pong(at, n > 1 ? at->ping + p[1] : at->ping);
}

/* All that owe one answer, as good processes do. */
static void
act_pongs(const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	for (size_t i = 0; i < nstarted; i++) {
		if (processes[i].runs && processes[i].fd != -1 &&
		    processes[i].owes)
			pong(&processes[i], processes[i].ping);
	}
}

static void
act_says(const uint8_t *p, size_t n)
{
	struct process *at = running(p, n);

	if (at == NULL || n < 2)
		return;
	at->wrong = true;
	world_say(at->fd, (uint16_t)(0x0500 | p[1]), p + 2, n - 2);
}

static void
act_gives(const uint8_t *p, size_t n)
{
	struct process *at = running(p, n);

	if (at == NULL || n < 2)
		return;
	at->wrong = true;
	world_say_fd(at->fd, (uint16_t)(0x0500 | p[1]), p + 2, n - 2, at->fd);
}

/* A part of a frame, or more; with two bytes' more its end, too. */
static void
act_bytes(const uint8_t *p, size_t n)
{
	struct process *at = running(p, n);

	if (at == NULL || n < 2)
		return;
	at->wrong = true;
	(void)!send(at->fd, p + 2, n - 2, MSG_NOSIGNAL);
	if ((p[1] & 1) != 0)
		shutdown(at->fd, SHUT_WR);
}

static void
act_words(const uint8_t *p, size_t n)
{
	struct process *at = running(p, n);

	if (at != NULL && at->words != -1)
		(void)!write(at->words, p + 1, n - 1);
}

static void
act_closes(const uint8_t *p, size_t n)
{
	struct process *at = running(p, n);

	if (at == NULL)
		return;
	close(at->fd);
	at->fd = -1;
}

static void
act_exits(const uint8_t *p, size_t n)
{
	struct process *at = running(p, n);

	if (at == NULL)
		return;
	at->runs = false;
	at->ended = true;
	at->status = n > 2 ? p[1] % 32 + 1 : n > 1 ? p[1] << 8 : 0;
	drop(at);
}

static void
act_ready(const uint8_t *p, size_t n)
{
	struct child *c = w.kept[n > 0 ? p[0] % KEEPS : 0];

	if (child_pid(c) != 0)
		child_is_ready(c);
}

static void
act_job(const uint8_t *p, size_t n)
{
	char *words[] = { (char[]){ "a" }, (char[]){ "b" } };
	struct job_conf conf = { .role = "reader", .argc = 2, .argv = words,
	    .limit_ms = n > 0 ? p[0] * 100 : 0 };
	int pair[2];

	if (w.stopping || test_socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC,
	    0, pair) == -1)
		return;
	conf.fd = pair[1];
	w.njobs += job_run(w.all, &conf, on_job_ended, NULL) != NULL;
	close(pair[0]);
	close(pair[1]);
}

static void
act_stop(const uint8_t *p, size_t n)
{
	(void)p;
	if (w.stopping)
		return;
	w.stopping = true;
	children_stop(w.all, n > 0 ? w.kept[0] : NULL, 4000, on_stopped, NULL);
}

static void
act_wait(const uint8_t *p, size_t n)
{
	skew_us += n == 0 ? 1000 : (int64_t)p[0] * p[0] * 1000;
}

static world_act *const acts[] = {
	act_pong, act_pongs, act_says, act_gives, act_bytes, act_words,
	act_closes, act_exits, act_ready, act_job, act_stop, act_wait,
};

static void
open_world(void)
{
	static const struct children_conf conf = { .program = "/bin/true",
	    .sandbox = true, .deadline_ms = DEADLINE_MS };

	memset(&w, 0, sizeof(w));
	nstarted = 0;
	w.loop = loop_new();
	w.all = children_new(w.loop, &conf);
	w.kept[0] = child_keep(w.all, "console", &child_ops, NULL);
	w.kept[1] = child_keep(w.all, "modem", &child_ops, NULL);
	turn();
}

/* Who cannot answer any more is killed; all that ended is begun anew. */
static void
close_world(void)
{
	for (int i = 0; i < 4; i++) {
		act_pongs(NULL, 0);
		skew_us += STILL_MS * 1000;
		turn();
	}
	if (w.stopping && !w.stopped)
		abort();
	for (size_t i = 0; i < KEEPS && !w.stopping && nstarted < STARTED; i++) {
		if (child_pid(w.kept[i]) == 0)
			abort();
	}
	if (w.began != w.ended + (w.stopping ? 0 : KEEPS) &&
	    nstarted < STARTED)
		abort();
	children_free(w.all);
	for (size_t i = 0; i < nstarted; i++)
		drop(&processes[i]);
	loop_free(w.loop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	unsigned sockets = world_sockets();

	log_open(NULL, LOG_TO_SYSLOG, false);
	open_world();
	world_acts(acts, sizeof(acts) / sizeof(acts[0]), turn, p, n);
	close_world();
	if (world_sockets() != sockets || w.jobs_ended > w.njobs)
		abort();
	return 0;
}
