/*
 * privileged_help: a supervisor's table of requests (supervised.h), one good
 * request of each kind, and whether anything came of one.
 */
#ifndef UNIT_PRIVILEGED_HELP_H
#define UNIT_PRIVILEGED_HELP_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_help.h"
#include "tests/supervised.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct supervised w;

/* What was asked last, and what the asker was told. */
static struct {
	uint32_t number;		/* of requests that have one */
	uint64_t seal;
	uint16_t told;
	bool told_fd;
	char text[4096];
} asked;

/* The world. */

/* What is due is done. */
static void
settle(void)
{
	world_turn(w.loop);
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
	memset(&asked, 0, sizeof(asked));
	w = (struct supervised){ .loop = w.loop, .conf = good(text) };
	put("host", "a key\n", 0600);
	assert_int_equal(supervised_open(&w, dir), 0);
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
	supervised_close(&w);
	config_free(w.conf);
	return 0;
}

/* Asking. */

/* A frame's payload, in a block of just that size: no read goes beyond it. */
static int
ask_bytes(int role, uint16_t type, const uint8_t *p, size_t n, int fd)
{
	struct frame f;
	uint8_t *block = world_frame(&f, type, p, n);
	int r = privileged_request(&w.p, &w.child[role], &f, fd);

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
	static uint8_t in[1 << 20];
	struct frame f;
	unsigned frames = 0, fds = 0;
	size_t n = world_receive(w.there[role], in, sizeof(in), &fds), used;

	asked.told_fd = fds > 0;
	for (size_t at = 0; frame_parse(in + at, n - at, &f, &used) == 1;
	    at += used) {
		frames++;
		asked.told = f.type;
		memset(asked.text, 0, sizeof(asked.text));
		memcpy(asked.text, f.p, (size_t)(f.end - f.p) <
		    sizeof(asked.text) ? (size_t)(f.end - f.p) :
		    sizeof(asked.text) - 1);
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
	frame_put_u32(o, ++asked.number);
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
	frame_put_u64(o, ++asked.seal);
	frame_put_str(o, HASH);
}

static void
number(struct frame_out *o)
{
	frame_put_u32(o, ++asked.number);
}

static void
key(struct frame_out *o)
{
	frame_put_str(o, in_dir("host"));
}

static void
open_port(struct frame_out *o)
{
	frame_put_u32(o, ++asked.number);
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
	frame_put_u32(o, ++asked.number);
	frame_put_str(o, "e");
}

static void
dial(struct frame_out *o)
{
	frame_put_u32(o, ++asked.number);
	frame_put_str(o, "r");
	frame_put_u8(o, 0);
	frame_put_u8(o, 0);
}

static void
proofless(struct frame_out *o)
{
	frame_put_str(o, "another library");
}

static void
name(struct frame_out *o)
{
	frame_put_u32(o, ++asked.number);
	frame_put_u32(o, 0);
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
	{ UP_NAME,	1 << CONSOLE,	false,	false,	name },
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
