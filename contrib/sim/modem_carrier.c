#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "../../server/base/buf.h"
#include "../../server/base/fileio.h"
#include "../../server/base/log.h"
#include "../../server/base/mem.h"
#include "../../server/base/os.h"
#include "modem_carrier.h"
#include "modem_peer.h"

#define IN_BYTES 65536		/* for the program, waiting */
#define PIECE 4096
#define REAP_MS 20
#define REAP_TRIES 25		/* then SIGKILL */

struct carrier {
	struct loop *loop;
	const char *command;
	const struct carrier_ops *ops;
	void *arg;
	bool runs;
	enum carrier_kind kind;
	struct peer *peer;	/* NULL: the program, or silence */
	int fd;			/* master side of the program's pty */
	struct watch *watch;
	struct buf *in;
	bool full;		/* its owner was told */
	pid_t pid;		/* running, or to be reaped; 0: none */
	struct timer *reap;
	unsigned reap_tries;
};

static const char *const kind_texts[CARRIER_KINDS] = {
	[CARRIER_COMMAND] = "command",
	[CARRIER_SILENT] = "silent",
	[CARRIER_DEAD] = "dead",
	[CARRIER_PORTAL] = "portal",
	[CARRIER_STUCK] = "stuck",
	[CARRIER_REFUSE] = "refuse",
};

const char *
carrier_kind_text(enum carrier_kind kind)
{
	return kind_texts[kind];
}

static void
arm(struct carrier *c)
{
	bool full = c->fd != -1 && buf_room(c->in) < buf_len(c->in);
	short events = 0;

	if (c->full != full) {
		c->full = full;
		c->ops->full(c->arg, full);
	}
	if (c->fd == -1)
		return;
	if (c->ops->room(c->arg) >= PIECE)
		events |= POLLIN;
	if (buf_len(c->in) > 0)
		events |= POLLOUT;
	watch_want(c->watch, events);
}

/* Its whole process group; itself, too, should it have none yet. */
static void
send_signal(const struct carrier *c, int signo)
{
	kill(-c->pid, signo);
	kill(c->pid, signo);
}

static void
kill_now(struct carrier *c)
{
	if (c->pid == 0)
		return;
	send_signal(c, SIGKILL);
	while (waitpid(c->pid, NULL, 0) == -1 && errno == EINTR)
		;
	c->pid = 0;
}

static void
on_reap(void *arg)
{
	struct carrier *c = arg;
	siginfo_t info = { .si_pid = 0 };

	/* Not reaped yet, so that its children can be found by its number. */
	if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
	    -1 || info.si_pid != 0 || ++c->reap_tries >= REAP_TRIES)
		kill_now(c);
	else
		timer_set(c->reap, REAP_MS);
}

void
carrier_stop(struct carrier *c)
{
	c->runs = false;
	peer_free(c->peer);
	c->peer = NULL;
	if (c->fd == -1)
		return;
	watch_free(c->watch);
	c->watch = NULL;
	close(c->fd);
	c->fd = -1;
	buf_clear(c->in);
	arm(c);
	send_signal(c, SIGHUP);
	send_signal(c, SIGTERM);
	c->reap_tries = 0;
	timer_set(c->reap, REAP_MS);
}

static void
end(struct carrier *c)
{
	carrier_stop(c);
	c->ops->ended(c->arg);
}

static void
on_program(void *arg, short revents)
{
	struct carrier *c = arg;
	uint8_t out[PIECE];
	ssize_t n;

	if (revents & POLLOUT) {
		n = write(c->fd, buf_data(c->in), buf_len(c->in));
		if (n > 0)
			buf_drop(c->in, (size_t)n);
	}
	if (revents & ~POLLOUT) {
		n = read(c->fd, out, sizeof(out));
		if (n == 0 || (n == -1 && errno != EAGAIN &&
		    errno != EINTR)) {
			end(c);
			return;
		}
		if (n > 0)
			c->ops->output(c->arg, out, (size_t)n);
	}
	arm(c);
}

/* A master side whose slave side, *slave, is raw.  -1 after a message. */
static int
open_raw(int *slave)
{
	struct termios t;
	const char *name;
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	*slave = -1;
	if (fd != -1 && grantpt(fd) == 0 && unlockpt(fd) == 0 &&
	    fd_prepare(fd) == 0 && (name = ptsname(fd)) != NULL)
		*slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave == -1 || tcgetattr(*slave, &t) == -1) {
		log_errno("pty for the carrier");
		if (*slave != -1)
			close(*slave);
		if (fd != -1)
			close(fd);
		return -1;
	}
	t.c_iflag = IGNBRK;
	t.c_oflag = 0;
	t.c_lflag = 0;
	t.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
	t.c_cflag |= CS8 | CREAD | CLOCAL;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	tcsetattr(*slave, TCSANOW, &t);
	return fd;
}

static _Noreturn void
child(const char *command, int slave)
{
	static const int ours[] = { SIGHUP, SIGINT, SIGTERM, SIGCHLD,
	    SIGPIPE };
	sigset_t none;

	setsid();
	os_die_with_parent();
	dup2(slave, STDIN_FILENO);
	dup2(slave, STDOUT_FILENO);
	os_close_from(STDERR_FILENO + 1);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		signal(ours[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/*
 * Before the child is a program of its own, a signal to it must not reach our
 * loop, whose handlers it has until then.
 */
static pid_t
fork_blocked(const char *command, int slave)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		child(command, slave);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

static int
start_program(struct carrier *c)
{
	int slave;

	if (c->command == NULL) {
		log_error("there is no carrier program, see --carrier");
		return -1;
	}
	timer_stop(c->reap);
	kill_now(c);
	c->fd = open_raw(&slave);
	if (c->fd == -1)
		return -1;
	c->pid = fork_blocked(c->command, slave);
	close(slave);
	if (c->pid == -1) {
		log_errno("fork");
		c->pid = 0;
		close(c->fd);
		c->fd = -1;
		return -1;
	}
	c->watch = watch_new(c->loop, c->fd, POLLIN, on_program, c);
	return 0;
}

static void
on_peer_output(void *arg, const uint8_t *p, size_t n)
{
	struct carrier *c = arg;

	c->ops->output(c->arg, p, n);
}

int
carrier_start(struct carrier *c, enum carrier_kind kind)
{
	static const enum peer_manners manners[CARRIER_KINDS] = {
		[CARRIER_DEAD] = PEER_DEAD,
		[CARRIER_PORTAL] = PEER_PORTAL,
		[CARRIER_STUCK] = PEER_STUCK,
		[CARRIER_REFUSE] = PEER_REFUSE,
	};

	if (kind == CARRIER_COMMAND && start_program(c) == -1)
		return -1;
	if (kind != CARRIER_COMMAND && kind != CARRIER_SILENT)
		c->peer = peer_new(manners[kind], on_peer_output, c);
	c->kind = kind;
	c->runs = true;
	return 0;
}

void
carrier_input(struct carrier *c, const uint8_t *p, size_t n)
{
	if (!c->runs)
		return;
	if (c->peer != NULL) {
		if (peer_input(c->peer, p, n) == -1)
			end(c);
		return;
	}
	if (c->fd == -1)
		return;
	/* As in a network: what is too much, in spite of full, is lost. */
	buf_add(c->in, p, n);
	arm(c);
}

void
carrier_more(struct carrier *c)
{
	arm(c);
}

struct carrier *
carrier_new(struct loop *loop, const char *command,
    const struct carrier_ops *ops, void *arg)
{
	struct carrier *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->command = command;
	c->ops = ops;
	c->arg = arg;
	c->fd = -1;
	c->in = buf_new(IN_BYTES);
	c->reap = timer_new(loop, on_reap, c);
	return c;
}

void
carrier_free(struct carrier *c)
{
	if (c == NULL)
		return;
	carrier_stop(c);
	kill_now(c);
	timer_free(c->reap);
	buf_free(c->in);
	free(c);
}
