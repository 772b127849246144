/*
 * box: the console process of a session, in memory: it answers as docs/frames.md
 * says, by itself or when it is told to, and sees to it that all that it hears
 * are whole frames within their bounds.
 */
#ifndef FUZZ_BOX_H
#define FUZZ_BOX_H

#include "server/feed.h"
#include "tests/world.h"

#define LINES 2
#define FIRST_ID 7
#define IN_MAX (1 << 20)

static const char *const names[LINES] = { "gw", "sw" };

/* The console process, and what it has been asked. */
static struct box {
	int fd;				/* -1: it is away */
	size_t n;			/* in in: not yet a whole frame */
	uint32_t sid, request, tail;
	uint16_t attach;		/* asked for, not answered; 0: none */
	uint64_t heads[LINES];
	size_t flying;			/* typed, not credited */
	char verb[32];
	int reader;			/* our end, -1: none */
	bool late_attach, late_verbs, late_input;
} box;
static uint8_t in[IN_MAX];

/* What the console process says. */

static inline void
put_text(struct frame_out *o, const uint8_t *p, size_t n)
{
	char text[2048];

	n = n >= sizeof(text) ? sizeof(text) - 1 : n;
	memcpy(text, p, n);
	text[n] = '\0';
	frame_put_str(o, text);
}

/* What others have made safe: a terminal obeys nothing of it. */
static inline void
put_safe(struct frame_out *o, const uint8_t *p, size_t n)
{
	static uint8_t text[65536];

	for (size_t i = 0; i < n; i++)
		text[i] = p[i] >= ' ' && p[i] <= '~' ? p[i] : '\n';
	frame_put_bytes(o, text, n);
}

static inline void
say_console(unsigned i, bool up)
{
	struct frame_out *o = world_start(AN_CONSOLE);

	frame_put_u16(o, (uint16_t)(FIRST_ID + i));
	frame_put_u8(o, up);
	frame_put_u32(o, 9600);
	frame_put_str(o, names[i]);
	frame_put_str(o, i == 0 ? "a router" : "");
	frame_put_str(o, "9600 8N1 none");
	frame_put_u64(o, 0);
	frame_put_u64(o, box.heads[i]);
	world_send(box.fd, o);
}

static inline void
say_attached(int status, bool writes, const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(AN_ATTACHED);

	frame_put_u32(o, box.sid);
	frame_put_u16(o, box.attach);
	frame_put_u8(o, (uint8_t)status);
	frame_put_u8(o, writes);
	put_text(o, p, n);
	world_send(box.fd, o);
	box.attach = 0;
}

static inline void
say_credit(size_t n, bool dropped)
{
	struct frame_out *o = world_start(AN_CREDIT);

	frame_put_u32(o, box.sid);
	frame_put_u32(o, (uint32_t)n);
	frame_put_u8(o, dropped);
	world_send(box.fd, o);
	box.flying -= n < box.flying ? n : box.flying;
}

static inline void
say_end(uint32_t request, int status)
{
	struct frame_out *o = world_start(AN_END);

	frame_put_u32(o, request);
	frame_put_u8(o, (uint8_t)status);
	frame_put_u64(o, box.heads[0]);
	world_send(box.fd, o);
}

static inline void
say_out(uint32_t request, int stream, const uint8_t *p, size_t n, bool safe)
{
	struct frame_out *o = world_start(AN_OUT);

	frame_put_u32(o, request);
	frame_put_u8(o, (uint8_t)stream);
	if (safe)
		put_safe(o, p, n);
	else
		frame_put_bytes(o, p, n);
	world_send(box.fd, o);
}

static inline void
answer_verb(void)
{
	static const char list[] = "[{\"name\":\"gw\",\"up\":true,\"line\":"
	    "\"9600 8N1\",\"writer\":\"bob\",\"description\":\"a router\","
	    "\"last_output\":\"gw#\"},{\"name\":\"sw\",\"up\":false}]",
	    status[] = "{\"consoles\":[{\"name\":\"gw\",\"line\":\"9600 8N1\","
	    "\"path\":\"/dev/x\",\"up\":true,\"received\":7}]}",
	    words[] = "away 2 h: 1 alert\nout of memory\n";
	const char *text = strcmp(box.verb, "list") == 0 ? list :
	    strcmp(box.verb, "status") == 0 ? status : words;

	say_out(box.request, 1, (const uint8_t *)text, strlen(text), false);
	say_end(box.request, ST_OK);
}

/* What it hears: all of it is in order. */

static inline void
hear_command(struct frame *f)
{
	char word[WORD_BYTES];
	unsigned n;

	box.request = frame_u32(f);
	if (frame_u32(f) != box.sid)
		abort();
	(void)frame_u8(f);
	(void)frame_u16(f);
	(void)frame_u16(f);
	n = frame_u8(f);
	if (n == 0 || n > ARGS_MAX)
		abort();
	frame_str(f, word, sizeof(word));
	snprintf(box.verb, sizeof(box.verb), "%.31s", word);
	while (--n > 0)
		frame_str(f, word, sizeof(word));
	if (!box.late_verbs)
		answer_verb();
}

static inline void
hear_attach(struct frame *f)
{
	box.attach = frame_u16(f);
	if (box.attach < FIRST_ID || box.attach >= FIRST_ID + LINES ||
	    frame_u8(f) > ATTACH_REJOIN_WATCH)
		abort();
	if (!box.late_attach)
		say_attached(ST_OK, true, (const uint8_t *)"", 0);
}

static inline void
hear_typed(size_t n)
{
	box.flying += n;
	if (box.flying > FEED_INPUT_MAX)
		abort();
	if (!box.late_input)
		say_credit(box.flying, false);
}

static inline void
hear_tail(struct frame *f)
{
	uint32_t request = frame_u32(f);

	if (frame_u16(f) == FEED_NO_CONSOLE)
		say_end(request, ST_NO_CONSOLE);
	else
		box.tail = request;
	if (frame_u32(f) > 10000)
		abort();
	(void)frame_u8(f);
	if (box.tail == request && !box.late_verbs) {
		say_out(request, 1, (const uint8_t *)"lines\n", 6, true);
		say_end(request, ST_OK);
	}
}

static inline void
hear_subscribe(struct frame *f)
{
	unsigned i = frame_u16(f) - FIRST_ID;
	struct frame_out *o;

	if (i >= LINES)
		abort();
	(void)frame_u64(f);
	o = world_start(AN_DATA);
	frame_put_u16(o, (uint16_t)(FIRST_ID + i));
	frame_put_u64(o, box.heads[i]);
	world_send(box.fd, o);
}

static inline void
hear_hello(struct frame *f)
{
	struct frame_out *o = world_start(AN_WELCOME);
	char program[32];

	if (frame_u16(f) != PROTO_VERSION)
		abort();
	frame_str(f, program, sizeof(program));
	frame_put_u16(o, PROTO_VERSION);
	frame_put_str(o, "box");
	frame_put_u64(o, 1);
	world_send(box.fd, o);
	for (unsigned i = 0; i < LINES; i++)
		say_console(i, true);
}

/* Of a session: its sid was read. */
static inline void
hear_session(struct frame *f)
{
	char text[4096];
	size_t n;

	switch (f->type) {
	case RQ_ATTACH:
		hear_attach(f);
		break;
	case RQ_INPUT:
		(void)frame_rest(f, &n);
		hear_typed(n);
		break;
	case RQ_INTERRUPT:
		hear_typed(1);
		break;
	case RQ_DETACH:
		say_credit(box.flying, true);
		break;
	case RQ_PEN:
		if (frame_u8(f) > PEN_WATCH)
			abort();
		break;
	case RQ_NOTE:
		frame_str(f, text, 256);
		break;
	case RQ_SEEN:
		(void)frame_u64(f);
		(void)frame_u32(f);
		if (frame_u8(f) > SEEN_CUT)
			abort();
		break;
	case RQ_OPEN:
		for (int i = 0; i < 4; i++)
			frame_str(f, text, sizeof(text));
		break;
	case RQ_CLOSE:
	case RQ_BREAK:
	case RQ_RECORD:
		break;
	default:
		abort();
	}
}

static inline void
hear_one(struct frame *f)
{
	char text[4096];
	uint32_t sid;

	switch (f->type) {
	case RQ_HELLO:
		hear_hello(f);
		break;
	case RQ_TAIL:
		hear_tail(f);
		break;
	case RQ_COMMAND:
		hear_command(f);
		break;
	case RQ_SUBSCRIBE:
		hear_subscribe(f);
		break;
	case RQ_UNSUBSCRIBE:
		(void)frame_u16(f);
		break;
	case RQ_CANCEL:
		(void)frame_u32(f);
		break;
	case RQ_READS:
		(void)frame_u32(f);
		(void)frame_u32(f);
		frame_str(f, text, sizeof(text));
		break;
	default:
		sid = frame_u32(f);
		if (f->type != RQ_OPEN && sid != box.sid)
			abort();
		box.sid = sid;
		hear_session(f);
	}
	if (!frame_ok(f))
		abort();
}

static inline void
hear(void)
{
	uint8_t drop[4096];
	struct frame f;
	size_t at = 0, used;

	if (box.reader != -1)
		(void)world_receive(box.reader, drop, sizeof(drop), NULL);
	if (box.fd == -1)
		return;
	box.n += world_receive(box.fd, in + box.n, IN_MAX - box.n, NULL);
	while (frame_parse(in + at, box.n - at, &f, &used) == 1) {
		hear_one(&f);
		at += used;
	}
	memmove(in, in + at, box.n - at);
	box.n -= at;
}

#endif
