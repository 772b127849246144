/*
 * peer: the console process at the other end of a peer's feed (docs/frames.md)
 * that gives it tasks: each is answered once, and what is said of it, and for
 * status, is plain text.
 */
#ifndef FUZZ_PEER_H
#define FUZZ_PEER_H

#include "server/feed.h"
#include "tests/world.h"

#define PEER_TASKS 128		/* all that are asked for in one run */
#define PEER_WORDS 255		/* bytes of one of an input's texts */
#define PEER_IN_MAX (1 << 20)

static struct peer_state {
	int fd;			/* -1: it is away */
	enum { PEER_NONE, PEER_ASKED, PEER_GONE, PEER_DONE }
	    tasks[PEER_TASKS];
	uint32_t ntasks;
	/* What else there is to be heard; false: nobody says that. */
	bool (*other)(struct frame *);
} peer;

/* Nothing in it moves a cursor. */
static inline void
peer_check_plain(const char *text)
{
	for (; *text != '\0'; text++) {
		if (((uint8_t)*text < 0x20 && *text != '\n' &&
		    *text != '\t') || *text == 0x7f)
			abort();
	}
}

/* Two texts within these sizes, and the frame's end. */
static inline void
peer_check_texts(struct frame *f, size_t one, size_t two)
{
	char text[FRAME_MAX + 1];

	frame_str(f, text, one);
	peer_check_plain(text);
	frame_str(f, text, two);
	peer_check_plain(text);
	if (!frame_ok(f))
		abort();
}

/* The next text of an input, up to its NUL; lives for three calls more. */
static inline const char *
peer_text(const uint8_t **p, size_t *n)
{
	static char text[4][PEER_WORDS + 1];
	static unsigned next;
	char *to = text[next++ % 4];
	size_t len = 0;

	while (len < *n && (*p)[len] != '\0' && len < PEER_WORDS)
		len++;
	memcpy(to, *p, len);
	to[len] = '\0';
	*p += len < *n ? len + 1 : len;
	*n -= len < *n ? len + 1 : len;
	return to;
}

static inline void
peer_hello(void)
{
	struct frame_out *o = world_start(AN_WELCOME);

	frame_put_u16(o, PROTO_VERSION);
	frame_put_str(o, "box");
	frame_put_u64(o, 1);
	world_send(peer.fd, o);
}

/* The list of consoles ends: there are none. */
static inline void
peer_tail(struct frame *f)
{
	struct frame_out *o = world_start(AN_END);

	frame_put_u32(o, frame_u32(f));
	frame_put_u8(o, ST_NO_CONSOLE);
	frame_put_u64(o, 0);
	world_send(peer.fd, o);
}

static inline void
peer_check_task(uint32_t id)
{
	if (id >= PEER_TASKS || (peer.tasks[id] != PEER_ASKED &&
	    peer.tasks[id] != PEER_GONE))
		abort();
}

static inline void
peer_told(struct frame *f)
{
	char text[FRAME_MAX + 1];
	uint8_t stream;
	const uint8_t *p;
	size_t n;

	peer_check_task(frame_u32(f));
	stream = frame_u8(f);
	p = frame_rest(f, &n);
	if (f->bad || (stream != 1 && stream != 2))
		abort();
	memcpy(text, p, n);
	text[n] = '\0';
	if (strlen(text) != n)
		abort();
	peer_check_plain(text);
}

static inline void
peer_done(struct frame *f)
{
	uint32_t id = frame_u32(f);

	peer_check_task(id);
	if (frame_u8(f) > ST_TIMEOUT || !frame_ok(f))
		abort();
	peer.tasks[id] = PEER_DONE;
}

static inline void
peer_hears(struct frame *f)
{
	switch (f->type) {
	case RQ_HELLO:
		peer_hello();
		break;
	case RQ_TAIL:
		peer_tail(f);
		break;
	case RQ_TOLD:
		peer_told(f);
		break;
	case RQ_DONE:
		peer_done(f);
		break;
	case RQ_INFO:
		peer_check_texts(f, FEED_KEY, FEED_INFO_MAX + 1);
		break;
	case RQ_EVENT:
		peer_check_texts(f, FEED_KEY, FEED_EVENT_MAX + 1);
		break;
	default:
		if (!peer.other(f))
			abort();
	}
}

/* All that came to this socket.  It is read each turn: frames come whole. */
static inline void
peer_hear(int fd, void (*fn)(struct frame *))
{
	static uint8_t in[PEER_IN_MAX];
	struct frame f;
	size_t at = 0, used, n;

	if (fd == -1)
		return;
	n = world_receive(fd, in, sizeof(in), NULL);
	while (frame_parse(in + at, n - at, &f, &used) == 1) {
		fn(&f);
		at += used;
	}
	if (at != n)
		abort();
}

static inline void
peer_link(struct feed *feed)
{
	int pair[2];

	world_pair(pair);
	peer.fd = pair[0];
	feed_link(feed, pair[1]);
}

/* What it was asked for is over with that. */
static inline void
peer_goes(void)
{
	close(peer.fd);
	peer.fd = -1;
	for (size_t i = 0; i < PEER_TASKS; i++) {
		if (peer.tasks[i] != PEER_NONE)
			peer.tasks[i] = PEER_DONE;
	}
}

/* A verb of so many words at most. */
static inline void
peer_task(const uint8_t *p, size_t n, unsigned most)
{
	struct frame_out *o = world_start(AN_TASK);
	const uint8_t *at = p;
	size_t left = n;
	unsigned words = 0;

	if (peer.ntasks == PEER_TASKS || n == 0)
		return;
	frame_put_u32(o, peer.ntasks);
	frame_put_str(o, "alice");
	frame_put_str(o, n & 1 ? "ssh" : "oobctl");
	frame_put_u8(o, 0);
	frame_put_u16(o, 80);
	for (; left > 0 && words < most; words++)
		(void)peer_text(&at, &left);
	frame_put_u8(o, (uint8_t)words);
	while (words-- > 0)
		frame_put_str(o, peer_text(&p, &n));
	world_send(peer.fd, o);
	peer.tasks[peer.ntasks++] = PEER_ASKED;
}

static inline void
peer_task_gone(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(AN_TASK_GONE);
	uint32_t id = n > 0 ? p[0] % PEER_TASKS : 0;

	frame_put_u32(o, id);
	world_send(peer.fd, o);
	if (peer.tasks[id] == PEER_ASKED)
		peer.tasks[id] = PEER_GONE;
}

/* Nobody waits any more. */
static inline void
peer_check_answered(void)
{
	for (uint32_t i = 0; i < peer.ntasks; i++) {
		if (peer.tasks[i] == PEER_ASKED)
			abort();
	}
}

#endif
