/*
 * privileged_help: a supervisor's table of requests with all behind it, but
 * that no job is run; one good request of each kind, and whether anything
 * came of one.
 */
#ifndef UNIT_PRIVILEGED_HELP_H
#define UNIT_PRIVILEGED_HELP_H

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_help.h"
#include "fake_children.h"
#include "auth/secret.h"
#include "server/base/frame.h"
#include "server/base/link.h"
#include "server/base/log.h"
#include "server/privileged.h"
#include "server/proto.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { CONSOLE, SSH, MODEM, NOTIFY, READER, ROLES };
static const char *const roles[ROLES] = {
	"console", "ssh", "modem", "notify", "reader",
};

static struct loop *loop;	/* signals come to one per process */

static struct {
	struct config *conf;
	struct child child[ROLES];
	int there[ROLES];		/* their ends */
	struct privileged p;
	struct timer *stop;
	uint32_t number;		/* of requests that have one */
	uint64_t seal;
	unsigned ready, powered;
	/* What the asker was told last. */
	uint16_t told;
	bool told_fd;
	char text[4096];
} w;

/* The world. */

static struct link *
link_of_console(void *arg)
{
	(void)arg;
	return w.child[CONSOLE].link;
}

static struct link *
link_of_modem(void *arg)
{
	(void)arg;
	return w.child[MODEM].link;
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
on_ready(void *arg, struct child *c)
{
	(void)arg;
	(void)c;
	w.ready++;
}

static void
on_power(void *arg, bool ok, const char *text)
{
	(void)arg;
	(void)ok;
	(void)text;
	w.powered++;
}

static int
on_frame(void *arg, struct frame *f, int fd)
{
	(void)arg;
	(void)f;
	(void)fd;
	return -1;
}

static void
on_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static void
on_stop(void *arg)
{
	(void)arg;
	loop_stop(loop, 0);
}

/* What is due is done. */
static void
settle(void)
{
	for (int i = 0; i < 2; i++) {
		timer_set(w.stop, 0);
		loop_run(loop);
	}
}

static const struct keeper_ops keeper_ops = { link_of_console, nothing };
static const struct ppprun_ops ppp_ops = { link_of_modem, nothing };
static const struct link_ops link_ops = { .frame = on_frame,
    .down = on_down };

static void
add_child(int role)
{
	int pair[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0, pair), 0);
	w.child[role].role = roles[role];
	w.child[role].link = link_new(loop, pair[0], 1 << 20, &link_ops, NULL);
	w.there[role] = pair[1];
}

static void
make_world(void)
{
	char text[2048];

	snprintf(text, sizeof(text), "name = box\nservice_user = nobody\n"
	    "state_dir = \"%s\"\nlog_dir = \"/l\"\nrun_dir = \"%s\"\n"
	    "console gw { device = \"/dev/null\" ring = 65536 }\n"
	    "ssh { host_key = \"%s/host\" }\n"
	    "relay r { host = \"h\" user = u identity = \"%s/relay\" "
	    "host_key = {\"" KEY "\"} listen = \"localhost:1\" }\n"
	    "modem { data = \"/dev/m0\" control = \"/dev/m1\" "
	    "power_hook = \"/usr/bin/hook\" }\n"
	    "activation { from = {\"+46701234567\"} }\n"
	    "notify e { type = exec command = \"/usr/bin/tell\" }\n"
	    "notify s { type = sms to = {\"+46701234567\"} }\n",
	    dir, dir, dir, dir);
	memset(&w, 0, sizeof(w));
	w.conf = good(text);
	w.stop = timer_new(loop, on_stop, NULL);
	for (int i = 0; i < ROLES; i++)
		add_child(i);
	w.p = (struct privileged){
		.keeper = keeper_new(loop, NULL, &keeper_ops, NULL),
		.lender = lender_new(loop, NULL, link_of_modem, NULL),
		.ppp = ppprun_new(loop, NULL, dir, getuid(), &ppp_ops, NULL),
		.power = power_new(NULL, on_power, NULL),
		.conf = w.conf, .uid = getuid(), .ready = on_ready,
		.console = link_of_console,
	};
	w.p.dialers = dialers_new(NULL, w.p.ppp);
	put("host", "a key\n", 0600);
	assert_int_equal(keeper_set(w.p.keeper, w.conf, getuid(), getgid()),
	    0);
	settle();
	end_jobs();
}

static int
begin(void **state)
{
	(void)state;
	make_world();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	fake_refuse = false;
	keeper_free(w.p.keeper);
	secret_free(w.p.vouchers);
	lender_free(w.p.lender);
	dialers_free(w.p.dialers);
	ppprun_free(w.p.ppp);
	power_free(w.p.power);
	drop_jobs();
	for (int i = 0; i < ROLES; i++) {
		link_free(w.child[i].link);
		close(w.there[i]);
	}
	timer_free(w.stop);
	config_free(w.conf);
	return 0;
}

/* Asking. */

/* A frame's payload, in a block of just that size: no read goes beyond it. */
static int
ask_bytes(int role, uint16_t type, const uint8_t *p, size_t n, int fd)
{
	uint8_t *block = malloc(FRAME_HEAD + n);
	struct frame f;
	size_t used;
	int r;

	for (int i = 0; i < 4; i++)
		block[i] = (uint8_t)(n >> (24 - 8 * i));
	block[4] = (uint8_t)(type >> 8);
	block[5] = (uint8_t)type;
	block[6] = block[7] = 0;
	if (n > 0)
		memcpy(block + FRAME_HEAD, p, n);
	assert_int_equal(frame_parse(block, FRAME_HEAD + n, &f, &used), 1);
	assert_int_equal(used, FRAME_HEAD + n);
	r = privileged_request(&w.p, &w.child[role], &f, fd);
	free(block);
	return r;
}

static int
ask(int role, const struct frame_out *o, uint16_t type)
{
	assert_false(o->bad);
	return ask_bytes(role, type, o->block + FRAME_HEAD,
	    o->len - FRAME_HEAD, -1);
}

/* Everything that a child was told; how many frames. */
static unsigned
hear(int role)
{
	union {
		char room[CMSG_SPACE(sizeof(int) * 64)];
		struct cmsghdr align;
	} control;
	static uint8_t in[1 << 20];
	struct msghdr m;
	struct cmsghdr *c;
	struct iovec iov;
	struct frame f;
	unsigned frames = 0;
	size_t n = 0, used;
	ssize_t got;

	w.told_fd = false;
	for (;;) {
		iov = (struct iovec){ in + n, sizeof(in) - n };
		m = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1,
		    .msg_control = control.room,
		    .msg_controllen = sizeof(control.room) };
		got = recvmsg(w.there[role], &m, MSG_CMSG_CLOEXEC);
		if (got <= 0)
			break;
		n += (size_t)got;
		for (c = CMSG_FIRSTHDR(&m); c != NULL;
		    c = CMSG_NXTHDR(&m, c)) {
			w.told_fd = true;
			close(*(int *)(void *)CMSG_DATA(c));
		}
	}
	for (size_t at = 0; frame_parse(in + at, n - at, &f, &used) == 1;
	    at += used) {
		frames++;
		w.told = f.type;
		memset(w.text, 0, sizeof(w.text));
		memcpy(w.text, f.p, (size_t)(f.end - f.p) < sizeof(w.text) ?
		    (size_t)(f.end - f.p) : sizeof(w.text) - 1);
	}
	return frames;
}

/* How much came of all that was asked. */
static unsigned
effects(void)
{
	static unsigned heard;

	settle();
	for (int i = 0; i < ROLES; i++)
		heard += hear(i);
	return heard + fake_begun + fake_cancelled + w.ready + w.powered;
}

/* The requests as they should be: one that is done, built anew each time. */

static void
no_words(struct frame_out *o)
{
	(void)o;
}

static void
ready(struct frame_out *o)
{
	(void)o;
	for (int i = 0; i < ROLES; i++)
		privileged_owes_ready(&w.p, &w.child[i]);
}

static void
open_tty(struct frame_out *o)
{
	keeper_close(w.p.keeper, "gw");
	frame_put_str(o, "gw");
}

/* It is being opened. */
static void
close_tty(struct frame_out *o)
{
	keeper_close(w.p.keeper, "gw");
	keeper_open(w.p.keeper, "gw");
	settle();
	frame_put_str(o, "gw");
}

static void
reader(struct frame_out *o)
{
	frame_put_u32(o, ++w.number);
	frame_put_u8(o, 1);
	frame_put_u16(o, 80);
	frame_put_u16(o, 24);
	frame_put_u8(o, 2);
	frame_put_str(o, "log");
	frame_put_str(o, "gw");
}

static void
sign(struct frame_out *o)
{
	frame_put_u64(o, ++w.seal);
	frame_put_str(o, HASH);
}

static void
number(struct frame_out *o)
{
	frame_put_u32(o, ++w.number);
}

static void
key(struct frame_out *o)
{
	frame_put_str(o, in_dir("host"));
}

static void
open_port(struct frame_out *o)
{
	frame_put_u32(o, ++w.number);
	frame_put_str(o, "/dev/m1");
}

static void
seconds(struct frame_out *o)
{
	frame_put_u32(o, 30);
}

static void
route(struct frame_out *o)
{
	frame_put_u8(o, 1);
	frame_put_str(o, "192.0.2.1");
}

static void
power(struct frame_out *o)
{
	frame_put_u8(o, POWER_CYCLE);
}

static void
sink(struct frame_out *o)
{
	frame_put_u32(o, ++w.number);
	frame_put_str(o, "e");
}

static void
dial(struct frame_out *o)
{
	frame_put_u32(o, ++w.number);
	frame_put_str(o, "r");
	frame_put_u8(o, 0);
	frame_put_u8(o, 0);
}

static void
proofless(struct frame_out *o)
{
	frame_put_str(o, "another library");
}

static const struct request {
	uint16_t type;
	unsigned may;			/* bits of roles */
	bool brings;			/* a descriptor */
	bool quiet;			/* nothing is seen of it here */
	void (*build)(struct frame_out *);
} requests[] = {
	/* Answered below the table. */
	{ UP_PONG,	0,		false,	false,	seconds },
	{ UP_OPEN_TTY,	1 << CONSOLE,	false,	false,	open_tty },
	{ UP_CLOSE_TTY,	1 << CONSOLE,	false,	false,	close_tty },
	{ UP_READER,	1 << CONSOLE,	false,	false,	reader },
	/* Before it is ready. */
	{ UP_PROOFLESS,	1 << SSH,	false,	true,	proofless },
	{ UP_READY,	1 << CONSOLE | 1 << SSH | 1 << MODEM | 1 << NOTIFY,
	    false, false, ready },
	{ UP_OPEN_PORT,	1 << MODEM,	false,	false,	open_port },
	{ UP_PPP,	1 << MODEM,	true,	false,	seconds },
	{ UP_PPP_LIFE,	1 << MODEM,	false,	true,	seconds },
	{ UP_PPP_STOP,	1 << MODEM,	false,	true,	no_words },
	{ UP_ROUTE,	1 << MODEM,	false,	false,	route },
	{ UP_POWER,	1 << MODEM,	false,	false,	power },
	{ UP_GATE,	1 << SSH,	false,	false,	number },
	{ UP_SIGN,	1 << CONSOLE,	false,	false,	sign },
	{ UP_KEY,	1 << SSH,	false,	false,	key },
	{ UP_SINK,	1 << NOTIFY,	false,	false,	sink },
	{ UP_DIAL,	1 << SSH,	false,	false,	dial },
};

static int
any_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_return_code(fd, 0);
	return fd;
}

static bool
is_closed(int fd)
{
	return fcntl(fd, F_GETFD) == -1 && errno == EBADF;
}

/* It is refused, and nothing comes of it; a descriptor is closed. */
static void
refused(int role, uint16_t type, const uint8_t *p, size_t n, int fd)
{
	unsigned before = effects();

	if (ask_bytes(role, type, p, n, fd) != -1)
		fail_msg("%s may ask %#x with %zu bytes", roles[role], type, n);
	if (effects() != before)
		fail_msg("%s asked %#x with %zu bytes: done", roles[role],
		    type, n);
	if (fd != -1)
		assert_true(is_closed(fd));
}

static void
done(int role, const struct request *r)
{
	unsigned before;
	struct frame_out *o = xmalloc(sizeof(*o));
	int fd = r->brings ? any_fd() : -1;

	end_jobs();
	frame_start(o, r->type);
	r->build(o);
	before = effects();
	if (ask_bytes(role, r->type, o->block + FRAME_HEAD,
	    o->len - FRAME_HEAD, fd) != 0)
		fail_msg("%s may not ask %#x", roles[role], r->type);
	if (!r->quiet && effects() == before)
		fail_msg("%s asked %#x: nothing was done", roles[role],
		    r->type);
	free(o);
}

#endif
