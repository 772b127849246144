#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "../serial/crash_view.h"
#include "../serial/export.h"
#include "../serial/export_html.h"
#include "../serial/grep.h"
#include "../serial/logview.h"
#include "../serial/replay.h"
#include "base/clock.h"
#include "base/fileio.h"
#include "base/frame.h"
#include "base/mem.h"
#include "base/str.h"
#include "last.h"
#include "proto.h"
#include "reader.h"
#include "sandbox.h"
#include "verify.h"

#define PRIORITY 10		/* below everything that records */
#define OUT_PART 16384		/* data bytes of one AN_OUT */
#define SHARES 3		/* where the player may be */
#define KEYS_MAX 256		/* typed ahead; more is dropped */

static_assert((int)VIEW_OK == (int)ST_OK &&
    (int)VIEW_FAILED == (int)ST_FAILED &&
    (int)VIEW_USAGE == (int)ST_USAGE &&
    (int)VIEW_NO_CONSOLE == (int)ST_NO_CONSOLE, "one set of statuses");

struct reader {
	int fd;
	bool gone;
	uint8_t in[FRAME_HEAD + FRAME_MAX];
	size_t nin;
	uint8_t keys[KEYS_MAX];
	size_t nkeys;
	unsigned columns, rows;
	struct frame_out out;
};

/* A span of the record, or a crash bundle. */
static enum view_status
export_either(const struct view *v, int argc, char *const argv[])
{
	return crash_view_is_meant(argc, argv) ?
	    crash_view_run(v, argc, argv) :
	    export_run(v, verify_span, argc, argv);
}

static const struct verb {
	const char *name;
	enum view_status (*run)(const struct view *, int argc,
	    char *const argv[]);
	bool takes_keys;
} verbs[] = {
	{ "export",	export_either,	false },
	{ "grep",	grep_run,	false },
	{ "last",	last_run,	false },
	{ "log",	logview_run,	false },
	{ "replay",	replay_run,	true },
	{ "verify",	verify_run,	false },
};

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static void
lower_priority(void)
{
	/* A courtesy; without it we are only less polite. */
	if (setpriority(PRIO_PROCESS, 0, PRIORITY) == -1)
		return;
}

/* Frames over a socket. */

static int
send_frame(struct reader *r)
{
	if (r->gone || frame_finish(&r->out, 0) == -1 ||
	    fd_write_all(r->fd, r->out.block, r->out.len) == -1)
		r->gone = true;
	return r->gone ? -1 : 0;
}

static int
socket_write(void *arg, int stream, const void *data, size_t n)
{
	struct reader *r = arg;
	const uint8_t *p = data;
	size_t part;

	for (; n > 0; p += part, n -= part) {
		part = n < OUT_PART ? n : OUT_PART;
		frame_start(&r->out, AN_OUT);
		frame_put_u32(&r->out, 0);
		frame_put_u8(&r->out, (uint8_t)stream);
		frame_put_bytes(&r->out, p, part);
		if (send_frame(r) == -1)
			return -1;
	}
	return 0;
}

static void
take_frame(struct reader *r, struct frame *f)
{
	const uint8_t *p;
	size_t n;

	if (f->type == RD_SIZE) {
		r->columns = frame_u16(f);
		r->rows = frame_u16(f);
		return;
	}
	if (f->type != RD_KEYS)
		return;
	p = frame_rest(f, &n);
	if (n > KEYS_MAX - r->nkeys)
		n = KEYS_MAX - r->nkeys;
	memcpy(r->keys + r->nkeys, p, n);
	r->nkeys += n;
}

/* Read what there is, blocking if there is nothing. */
static void
receive(struct reader *r)
{
	struct frame f;
	size_t used;
	ssize_t got;
	int whole;

	got = read(r->fd, r->in + r->nin, sizeof(r->in) - r->nin);
	if (got == -1 && errno == EINTR)
		return;
	if (got <= 0) {
		r->gone = true;
		return;
	}
	r->nin += (size_t)got;
	while ((whole = frame_parse(r->in, r->nin, &f, &used)) == 1) {
		take_frame(r, &f);
		r->nin -= used;
		memmove(r->in, r->in + used, r->nin);
	}
	if (whole == -1)
		r->gone = true;
}

static int
take_key(struct reader *r)
{
	int key = r->keys[0];

	memmove(r->keys, r->keys + 1, --r->nkeys);
	return key;
}

/* Milliseconds until `end`, at least 0; -1 stays -1. */
static int
left(int64_t ms, struct mono end)
{
	int64_t l = mono_ms(mono_now(), end);

	if (ms < 0)
		return -1;
	return l < 0 ? 0 : l > 60000 ? 60000 : (int)l;
}

static int
socket_wait(void *arg, int64_t ms)
{
	struct reader *r = arg;
	struct mono end = mono_after(mono_now(), ms);
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	int n;

	while (r->nkeys == 0 && !r->gone) {
		n = poll(&p, 1, left(ms, end));
		if (n == 1)
			receive(r);
		else if (n == 0 && left(ms, end) == 0)
			return VIEW_TIMEOUT;
	}
	return r->gone ? VIEW_GONE : take_key(r);
}

static void
socket_size(void *arg, unsigned *columns, unsigned *rows)
{
	const struct reader *r = arg;

	*columns = r->columns;
	*rows = r->rows;
}

static const struct view_ops socket_ops = {
	socket_write, socket_wait, socket_size
};

static int
run_verb(const struct view *v, int argc, char **argv)
{
	const struct verb *verb = argc > 0 ? find_verb(argv[0]) : NULL;

	if (verb == NULL) {
		view_say(v, "this verb cannot be read from a journal");
		return ST_USAGE;
	}
	return (int)verb->run(v, argc, argv);
}

/* Does it ask whether the record is as it was written? */
static bool
is_verifying(int argc, char *const argv[])
{
	return strcmp(argv[0], "verify") == 0 ||
	    (strcmp(argv[0], "export") == 0 &&
	    !crash_view_is_meant(argc, argv));
}

/* Then it is told where the box keeps its newest seal and its key. */
static int
run_online(const struct view *v, char *state_dir, int argc, char **argv)
{
	char option[] = "--state", *words[ARGS_MAX + 2];

	if (argc < 2 || argc > ARGS_MAX || !is_verifying(argc, argv))
		return run_verb(v, argc, argv);
	memcpy(words, argv, (size_t)argc * sizeof(*words));
	words[argc] = option;
	words[argc + 1] = state_dir;
	return run_verb(v, argc + 2, words);
}

static void
confine(const char *state_dir, const char *log_dir)
{
	const char *share = getenv("OOBD_SHARE");
	char *inside = share == NULL ? NULL : xasprintf("%s/x", share);
	const char *const files[] = { inside, NULL };
	const char *held[SHARES + 1] = { NULL };

	for (size_t i = 0; i < SHARES; i++)
		held[i] = export_html_share(i);
	sandbox_enter("reader", state_dir, log_dir, files);
	grep_prepare();
	sandbox_seal_in("reader", state_dir, log_dir, held);
	free(inside);
}

int
reader_main(int fd, int argc, char **argv)
{
	struct reader *r;
	struct view v = { .ops = &socket_ops };
	int flags = fcntl(fd, F_GETFL), at = 2, status;

	if (argc < 2 || flags == -1)
		return ST_FAILED;
	r = xcalloc(1, sizeof(*r));
	v.arg = r;
	signal(SIGPIPE, SIG_IGN);
	fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	lower_priority();
	confine(argv[1], argv[0]);
	r->fd = fd;
	v.log_dir = argv[0];
	if (argc > 4 && strcmp(argv[2], "--tty") == 0) {
		int64_t columns = 0, rows = 0;

		v.tty = true;
		if (str_int(argv[3], 0, UINT16_MAX, &columns) == 0 &&
		    str_int(argv[4], 0, UINT16_MAX, &rows) == 0) {
			r->columns = (unsigned)columns;
			r->rows = (unsigned)rows;
		}
		at = 5;
	}
	status = run_online(&v, argv[1], argc - at, argv + at);
	frame_start(&r->out, AN_END);
	frame_put_u32(&r->out, 0);
	frame_put_u8(&r->out, (uint8_t)status);
	frame_put_u64(&r->out, 0);
	send_frame(r);
	/* The client closes once it has everything. */
	shutdown(fd, SHUT_WR);
	while (!r->gone)
		receive(r);
	free(r);
	return status;
}

/* Standard input and output. */

struct offline {
	bool keys;		/* read them from standard input */
};

static int
offline_write(void *arg, int stream, const void *p, size_t n)
{
	(void)arg;
	return fd_write_all(stream == 1 ? STDOUT_FILENO : STDERR_FILENO, p, n);
}

static int
offline_wait(void *arg, int64_t ms)
{
	struct offline *o = arg;
	struct mono end = mono_after(mono_now(), ms);
	struct pollfd p[2] = {
		{ .fd = o->keys ? STDIN_FILENO : -1, .events = POLLIN },
		{ .fd = STDOUT_FILENO, .events = 0 },
	};
	unsigned char key;
	int n;

	for (;;) {
		n = poll(p, 2, left(ms, end));
		if (n == -1 && errno != EINTR)
			return VIEW_GONE;
		if (n > 0 && (p[1].revents & (POLLERR | POLLHUP)) != 0)
			return VIEW_GONE;
		if (n > 0 && p[0].revents != 0)
			return read(STDIN_FILENO, &key, 1) == 1 ? key :
			    VIEW_GONE;
		if (n == 0 && left(ms, end) == 0)
			return VIEW_TIMEOUT;
	}
}

static void
offline_size(void *arg, unsigned *columns, unsigned *rows)
{
	struct winsize w;

	(void)arg;
	*columns = *rows = 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == -1)
		return;
	*columns = w.ws_col;
	*rows = w.ws_row;
}

static const struct view_ops offline_ops = {
	offline_write, offline_wait, offline_size
};

int
reader_offline(const char *log_dir, int argc, char **argv)
{
	const struct verb *verb = argc > 0 ? find_verb(argv[0]) : NULL;
	struct offline o = { .keys = false };
	struct view v = { .ops = &offline_ops, .arg = &o, .log_dir = log_dir };
	struct termios saved, raw;
	int status;

	if (verb != NULL && verb->takes_keys && isatty(STDIN_FILENO) == 1 &&
	    isatty(STDOUT_FILENO) == 1 && tcgetattr(STDIN_FILENO, &saved) == 0) {
		raw = saved;
		cfmakeraw(&raw);
		o.keys = v.tty = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
	}
	status = run_verb(&v, argc, argv);
	if (o.keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	return status;
}
