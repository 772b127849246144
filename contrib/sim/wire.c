#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "../../server/base/buf.h"
#include "../../server/base/fileio.h"
#include "../../server/base/log.h"
#include "../../server/base/mem.h"
#include "wire.h"

#define PIECE 16		/* a 16550's FIFO */
#define PIECE_UNPACED 4096
#define ROUNDS 64		/* unpaced pieces in one turn of the loop */
#define LOW 256			/* queue below this: ask for more */
#define ECHO_ROOM 8192		/* less room than this: read no input */
#define SLACK_US 5000		/* how much lateness is made up for */
#define PROBE_MS 20
#define THROTTLE_MS 5

struct wire {
	struct loop *loop;
	struct wire_conf conf;
	const struct wire_ops *ops;
	void *arg;
	int fd;			/* master side, -1: unplugged */
	char name[64];		/* of the slave side */
	int record, typed;	/* files, or -1 */
	bool heard;
	bool held;		/* read no input */
	bool full;		/* unpaced: waiting for the kernel to take */
	struct buf *out;
	struct watch *watch;
	struct timer *send;	/* next piece may leave */
	struct timer *receive;	/* next piece may come, or probe */
	struct mono idle_at;	/* when what was sent has left the FIFO */
	struct wire_stat stat;
};

static int64_t
piece_us(const struct wire *w, size_t n)
{
	if (w->conf.speed == 0)
		return 0;
	return (int64_t)n * 10 * 1000000 / w->conf.speed;
}

static void
keep(int fd, const char *path, const void *p, size_t n)
{
	/* A record with a hole would make a test lie: better no simulator. */
	if (fd != -1 && fd_write_all(fd, p, n) == -1)
		fatal("%s", path);
}

/*
 * Watch for input unless that must wait for its time, and for room when the
 * kernel had none.
 */
static void
arm_watch(struct wire *w)
{
	short events = 0;

	if (w->fd == -1)
		return;
	if (w->heard && !timer_is_set(w->receive))
		events |= POLLIN;
	if (w->heard && w->full)
		events |= POLLOUT;
	watch_want(w->watch, events);
}

static void
arm_send(struct wire *w)
{
	int64_t wait = mono_us(mono_now(), w->idle_at);

	if (buf_len(w->out) > 0 && !w->full && !timer_is_set(w->send))
		timer_set_us(w->send, wait > 0 ? wait : 0);
}

/*
 * A raw slave side, so that nothing is echoed at us before the reader has
 * made its own settings, with nothing left in it for an earlier reader.  What
 * was typed stays: a new reader may have been quicker than we.  Opening and
 * closing it also makes the master side report that nobody has it open.  0,
 * or -1 with errno.
 */
static int
reset_slave(struct wire *w)
{
	struct termios t;
	int fd;

	fd = open(w->name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (tcgetattr(fd, &t) == 0) {
		t.c_iflag = IGNBRK;
		t.c_oflag = 0;
		t.c_lflag = 0;
		t.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
		t.c_cflag |= CS8 | CREAD | CLOCAL;
		if (cfgetospeed(&t) == B0)
			cfsetspeed(&t, B115200);
		t.c_cc[VMIN] = 1;
		t.c_cc[VTIME] = 0;
		tcsetattr(fd, TCSANOW, &t);
	}
	tcflush(fd, TCIFLUSH);
	close(fd);
	return 0;
}

/* Nobody has the slave side open any more. */
static void
lose_reader(struct wire *w)
{
	w->heard = false;
	w->full = false;
	if (w->ops->closed != NULL)
		w->ops->closed(w->arg);
	/*
	 * A reader that died may leave its exclusive lock on the pty, which
	 * on a real line goes with the last close: give a new pty then.
	 */
	if (reset_slave(w) == -1) {
		wire_unplug(w);
		if (wire_plug(w) == -1)
			fatalx("the line cannot be plugged in again");
		return;
	}
	timer_set(w->receive, PROBE_MS);
	arm_watch(w);
	arm_send(w);
}

/* Take what came, at most a piece.  Also how a new reader is noticed. */
static void
receive(struct wire *w)
{
	uint8_t in[PIECE_UNPACED];
	size_t want = w->conf.speed == 0 ? sizeof(in) : PIECE;
	ssize_t n;

	n = read(w->fd, in, want);
	if (n == 0 || (n == -1 && errno == EIO)) {
		if (w->heard)
			lose_reader(w);
		else
			timer_set(w->receive, PROBE_MS);
		return;
	}
	if (!w->heard) {
		w->heard = true;
		w->ops->opened(w->arg);
	}
	if (n > 0) {
		w->stat.received += (uint64_t)n;
		keep(w->typed, w->conf.typed, in, (size_t)n);
		if (w->conf.speed != 0)
			timer_set_us(w->receive, piece_us(w, (size_t)n));
		w->ops->input(w->arg, in, (size_t)n);
	}
	arm_watch(w);
}

static void
on_receive(void *arg)
{
	struct wire *w = arg;

	if (w->fd == -1)
		return;
	if (w->heard && (w->held || wire_room(w) < ECHO_ROOM))
		timer_set(w->receive, THROTTLE_MS);
	else
		receive(w);
}

static bool
send_piece(struct wire *w)
{
	size_t max = w->conf.speed == 0 ? PIECE_UNPACED : PIECE;
	size_t n = buf_len(w->out) < max ? buf_len(w->out) : max;
	struct mono now = mono_now();
	ssize_t sent = 0;

	if (w->heard) {
		sent = write(w->fd, buf_data(w->out), n);
		if (sent <= 0 && w->conf.speed == 0) {
			w->full = true;
			arm_watch(w);
			return false;
		}
		if (sent < 0)
			sent = 0;
		if (w->conf.speed == 0)
			n = (size_t)sent;
	}
	keep(w->record, w->conf.record, buf_data(w->out), (size_t)sent);
	w->stat.sent += (uint64_t)sent;
	w->stat.dropped += n - (size_t)sent;
	buf_drop(w->out, n);
	if (mono_us(w->idle_at, now) > SLACK_US)
		w->idle_at.us = now.us - SLACK_US;
	w->idle_at.us += piece_us(w, n);
	return true;
}

static void
on_send(void *arg)
{
	struct wire *w = arg;

	for (int i = 0; i < ROUNDS && buf_len(w->out) > 0; i++) {
		if (mono_us(mono_now(), w->idle_at) > 0 || !send_piece(w))
			break;
		if (buf_len(w->out) < LOW)
			w->ops->drained(w->arg);
	}
	arm_send(w);
}

static void
on_master(void *arg, short revents)
{
	struct wire *w = arg;

	if (revents & POLLOUT) {
		w->full = false;
		arm_send(w);
		arm_watch(w);
	}
	if (revents & ~POLLOUT)
		on_receive(w);
}

/* 0, or -1 after a message; *fd is -1 when no path is given. */
static int
open_file(const char *path, int *fd)
{
	*fd = -1;
	if (path == NULL)
		return 0;
	*fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (*fd == -1)
		log_errno("%s", path);
	return *fd == -1 ? -1 : 0;
}

struct wire *
wire_new(struct loop *loop, const struct wire_conf *conf,
    const struct wire_ops *ops, void *arg)
{
	struct wire *w = xcalloc(1, sizeof(*w));

	w->fd = -1;
	w->typed = -1;
	if (open_file(conf->record, &w->record) == -1 ||
	    open_file(conf->typed, &w->typed) == -1) {
		if (w->record != -1)
			close(w->record);
		free(w);
		return NULL;
	}
	w->loop = loop;
	w->conf = *conf;
	w->ops = ops;
	w->arg = arg;
	w->out = buf_new(WIRE_QUEUE);
	w->send = timer_new(loop, on_send, w);
	w->receive = timer_new(loop, on_receive, w);
	w->idle_at = mono_now();
	return w;
}

void
wire_free(struct wire *w)
{
	if (w == NULL)
		return;
	wire_unplug(w);
	timer_free(w->send);
	timer_free(w->receive);
	buf_free(w->out);
	if (w->record != -1)
		close(w->record);
	if (w->typed != -1)
		close(w->typed);
	free(w);
}

/* The link appears whole and replaces an old one: made aside and renamed. */
static int
make_link(const struct wire *w)
{
	char *aside;
	int r;

	if (w->conf.link == NULL)
		return 0;
	aside = xasprintf("%s.%ld", w->conf.link, (long)getpid());
	unlink(aside);
	r = symlink(w->name, aside);
	if (r == 0)
		r = rename(aside, w->conf.link);
	if (r == -1) {
		log_errno("link %s", w->conf.link);
		unlink(aside);
	}
	free(aside);
	return r;
}

static void
remove_link(const struct wire *w)
{
	char to[sizeof(w->name)];
	ssize_t n;

	if (w->conf.link == NULL)
		return;
	/* Another simulator may have the name by now. */
	n = readlink(w->conf.link, to, sizeof(to));
	if (n == (ssize_t)strlen(w->name) && memcmp(to, w->name,
	    (size_t)n) == 0)
		unlink(w->conf.link);
}

static int
open_pty(struct wire *w)
{
	const char *name;

	w->fd = posix_openpt(O_RDWR | O_NOCTTY);
	if (w->fd == -1) {
		log_errno("no pty");
		return -1;
	}
	if (grantpt(w->fd) == -1 || unlockpt(w->fd) == -1 ||
	    (name = ptsname(w->fd)) == NULL || fd_prepare(w->fd) == -1) {
		log_errno("pty");
		return -1;
	}
	snprintf(w->name, sizeof(w->name), "%s", name);
	if (reset_slave(w) == -1) {
		log_errno("%s", w->name);
		return -1;
	}
	return 0;
}

int
wire_plug(struct wire *w)
{
	if (w->fd != -1)
		return 0;
	if (open_pty(w) == -1 || make_link(w) == -1) {
		if (w->fd != -1)
			close(w->fd);
		w->fd = -1;
		return -1;
	}
	w->heard = false;
	w->full = false;
	w->watch = watch_new(w->loop, w->fd, POLLIN, on_master, w);
	timer_set(w->receive, PROBE_MS);
	arm_watch(w);
	arm_send(w);
	w->ops->plugged(w->arg, w->name);
	return 0;
}

void
wire_unplug(struct wire *w)
{
	const struct timespec moment = { 0, 20 * 1000000L };

	if (w->fd == -1)
		return;
	/*
	 * Give the reader a moment for what was sent already, so that what
	 * is on record as sent is not lost in the kernel.  Nothing else could
	 * happen meanwhile: the line is all there is.
	 */
	if (w->heard)
		nanosleep(&moment, NULL);
	remove_link(w);
	watch_free(w->watch);
	w->watch = NULL;
	close(w->fd);
	w->fd = -1;
	w->heard = false;
	w->full = false;
	timer_stop(w->receive);
	arm_send(w);
}

void
wire_hold(struct wire *w, bool held)
{
	w->held = held;
}

void
wire_put(struct wire *w, const void *p, size_t n)
{
	if (n > 0 && buf_add(w->out, p, n) == -1)
		w->stat.dropped += n;
	arm_send(w);
}

size_t
wire_room(const struct wire *w)
{
	return buf_room(w->out);
}

void
wire_discard(struct wire *w)
{
	buf_clear(w->out);
}

bool
wire_dtr(const struct wire *w)
{
	struct termios t;

	return w->fd == -1 || tcgetattr(w->fd, &t) == -1 ||
	    cfgetospeed(&t) != B0;
}

void
wire_stat(const struct wire *w, struct wire_stat *out)
{
	*out = w->stat;
	out->plugged = w->fd != -1;
	out->heard = w->heard;
}
