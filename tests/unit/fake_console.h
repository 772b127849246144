/*
 * A console process that does as it is told: the other end of a feed's link,
 * in the same loop.  Its one rule is docs/frames.md.
 */
#ifndef FAKE_CONSOLE_H
#define FAKE_CONSOLE_H

#include <sys/types.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/link.h"
#include "server/base/mem.h"
#include "server/base/ring.h"
#include "server/proto.h"

#define FAKE_CONSOLES 4
#define FAKE_HISTORY (16 * 1024 * 1024)
#define FAKE_LOG 65536

struct fake_line {
	const char *name;
	const char *description;
	uint8_t *history;	/* every byte since the offset base */
	uint64_t base, head;
	uint64_t sent;		/* to the subscriber */
	bool subscribed;
};

struct fake {
	struct loop *loop;
	struct timer *stop;
	struct link *link;
	struct fake_line lines[FAKE_CONSOLES];
	size_t nlines;
	unsigned first_id;	/* console ids begin here */
	/* How to answer. */
	bool refuse, watch, keep_credit, mute;
	const char *greeting;
	uint64_t tail_end;	/* UINT64_MAX: the head */
	const char *tail_text;
	/* What came: one line per frame, see note(). */
	char log[FAKE_LOG];
	uint8_t typed[FAKE_HISTORY];
	size_t ntyped, uncredited;
	uint32_t sid;		/* of the last RQ_OPEN */
	uint32_t request;	/* of the last RQ_COMMAND */
	const char *digest;	/* said to who attaches; NULL: nothing */
	char command[512];
	size_t told;		/* bytes, of RQ_TOLD */
	int downs;
};

static inline void fake_note(struct fake *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static inline void
fake_note(struct fake *k, const char *fmt, ...)
{
	size_t n = strlen(k->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(k->log + n, sizeof(k->log) - n, fmt, ap);
	va_end(ap);
}

static inline void
fake_push(struct fake *k, struct fake_line *l)
{
	while (l->subscribed && l->sent < l->head && k->link != NULL) {
		struct frame_out *o;
		uint64_t n = l->head - l->sent;

		if (n > 32768)
			n = 32768;
		if (link_room(k->link) < n + 64)
			return;
		o = link_start(k->link, AN_DATA);
		frame_put_u16(o, (uint16_t)(k->first_id + (l - k->lines)));
		frame_put_u64(o, l->sent);
		frame_put_bytes(o, l->history + (l->sent - l->base),
		    (size_t)n);
		link_send(k->link);
		l->sent += n;
	}
	if (k->link != NULL)
		link_flush(k->link);
}

/* The device of a console says something. */
static inline void
fake_says(struct fake *k, size_t line, const void *p, size_t n)
{
	struct fake_line *l = &k->lines[line];

	assert_true(l->head - l->base + n <= FAKE_HISTORY);
	memcpy(l->history + (l->head - l->base), p, n);
	l->head += n;
	fake_push(k, l);
}

static inline void
fake_room(void *arg)
{
	struct fake *k = arg;

	for (size_t i = 0; i < k->nlines; i++)
		fake_push(k, &k->lines[i]);
}

static inline void
fake_notice(struct fake *k, uint16_t console, uint32_t sid, const char *text)
{
	struct frame_out *o = link_start(k->link, AN_NOTICE);

	frame_put_u16(o, console);
	frame_put_u32(o, sid);
	frame_put_str(o, text);
	link_send(k->link);
}

static inline void
fake_credit(struct fake *k, uint32_t sid, size_t n, bool dropped)
{
	struct frame_out *o = link_start(k->link, AN_CREDIT);

	frame_put_u32(o, sid);
	frame_put_u32(o, (uint32_t)n);
	frame_put_u8(o, dropped);
	link_send(k->link);
	link_flush(k->link);
}

static inline void
fake_out(struct link *l, uint32_t request, int stream, const void *p, size_t n)
{
	struct frame_out *o = link_start(l, AN_OUT);

	frame_put_u32(o, request);
	frame_put_u8(o, (uint8_t)stream);
	frame_put_bytes(o, p, n);
	link_send(l);
}

static inline void
fake_end(struct link *l, uint32_t request, int status, uint64_t offset)
{
	struct frame_out *o = link_start(l, AN_END);

	frame_put_u32(o, request);
	frame_put_u8(o, (uint8_t)status);
	frame_put_u64(o, offset);
	link_send(l);
	link_flush(l);
}

static inline void
fake_console(struct fake *k, size_t i, bool up)
{
	struct frame_out *o = link_start(k->link, AN_CONSOLE);

	frame_put_u16(o, (uint16_t)(k->first_id + i));
	frame_put_u8(o, up);
	frame_put_u32(o, 57600);
	frame_put_str(o, k->lines[i].name);
	frame_put_str(o, k->lines[i].description);
	frame_put_str(o, "57600 8N1 none");
	frame_put_u64(o, k->lines[i].base);
	frame_put_u64(o, k->lines[i].head);
	link_send(k->link);
}

static inline void
fake_hello(struct fake *k)
{
	struct frame_out *o = link_start(k->link, AN_WELCOME);

	frame_put_u16(o, PROTO_VERSION);
	frame_put_str(o, "box");
	frame_put_u64(o, 1);
	link_send(k->link);
	for (size_t i = 0; i < k->nlines; i++)
		fake_console(k, i, true);
}

static inline void
fake_attach(struct fake *k, struct frame *fr)
{
	uint32_t sid = frame_u32(fr);
	uint16_t console = frame_u16(fr);
	unsigned mode = frame_u8(fr);
	bool writes = !k->refuse && !k->watch && mode != ATTACH_WATCH &&
	    mode != ATTACH_REJOIN && mode != ATTACH_REJOIN_WATCH;
	struct frame_out *o = link_start(k->link, AN_ATTACHED);

	fake_note(k, "attach %u %u mode=%u\n", sid, console - k->first_id,
	    mode);
	frame_put_u32(o, sid);
	frame_put_u16(o, console);
	frame_put_u8(o, k->refuse ? ST_DENIED : ST_OK);
	frame_put_u8(o, writes);
	frame_put_str(o, k->greeting);
	link_send(k->link);
}

static inline void
fake_subscribe(struct fake *k, struct frame *fr)
{
	unsigned id = frame_u16(fr) - k->first_id;
	uint64_t from = frame_u64(fr);
	struct fake_line *l = &k->lines[id];
	struct frame_out *o;

	assert_true(id < k->nlines);
	fake_note(k, "subscribe %u %s%llu\n", id, from == UINT64_MAX ?
	    "newest " : "", from == UINT64_MAX ? 0ull :
	    (unsigned long long)from);
	l->subscribed = true;
	l->sent = from > l->head ? l->head : from;
	o = link_start(k->link, AN_DATA);
	frame_put_u16(o, (uint16_t)(id + k->first_id));
	frame_put_u64(o, l->sent);
	link_send(k->link);
	fake_push(k, l);
}

/* What an attaching session asks by itself is answered at once. */
static inline bool
fake_digest(struct fake *k, struct frame *fr)
{
	struct frame copy = *fr;
	uint32_t request = frame_u32(&copy);
	char word[3][64];

	(void)frame_u32(&copy);
	(void)frame_u8(&copy);
	(void)frame_u32(&copy);
	if (frame_u8(&copy) != 3)
		return false;
	for (int i = 0; i < 3; i++)
		frame_str(&copy, word[i], sizeof(word[i]));
	if (strcmp(word[0], "digest") != 0 || strcmp(word[2], "--attach") != 0)
		return false;
	if (k->digest != NULL)
		fake_out(k->link, request, 1, k->digest, strlen(k->digest));
	fake_end(k->link, request, ST_OK, 0);
	*fr = copy;
	return true;
}

static inline void
fake_seen(struct fake *k, struct frame *fr)
{
	static const char *const how[] = { "here", "left", "cut" };
	uint32_t sid = frame_u32(fr);
	uint64_t at = frame_u64(fr);

	(void)frame_u32(fr);
	fake_note(k, "seen %u %s%llu %s\n", sid, at == UINT64_MAX ?
	    "newest " : "", at == UINT64_MAX ? 0ull :
	    (unsigned long long)(at - k->lines[0].base), how[frame_u8(fr)]);
}

static inline void
fake_command(struct fake *k, struct frame *fr)
{
	char word[256];
	unsigned tty, columns, rows;
	int argc;

	if (fake_digest(k, fr))
		return;
	k->request = frame_u32(fr);
	fake_note(k, "command sid=%u", frame_u32(fr));
	tty = frame_u8(fr);
	columns = frame_u16(fr);
	rows = frame_u16(fr);
	argc = frame_u8(fr);
	fake_note(k, " tty=%u %ux%u:", tty, columns, rows);
	k->command[0] = '\0';
	for (int i = 0; i < argc; i++) {
		frame_str(fr, word, sizeof(word));
		fake_note(k, " %s", word);
		strcat(k->command, i > 0 ? " " : "");
		strcat(k->command, word);
	}
	fake_note(k, "\n");
}

static inline void
fake_input(struct fake *k, struct frame *fr)
{
	uint32_t sid = frame_u32(fr);
	size_t n;
	const uint8_t *p = frame_rest(fr, &n);

	assert_true(k->ntyped + n <= sizeof(k->typed));
	memcpy(k->typed + k->ntyped, p, n);
	k->ntyped += n;
	k->uncredited += n;
	assert_true(k->uncredited <= 16384);
	if (!k->keep_credit) {
		fake_credit(k, sid, k->uncredited, false);
		k->uncredited = 0;
	}
}

static inline void
fake_tail(struct fake *k, struct frame *fr)
{
	uint32_t request = frame_u32(fr);
	unsigned id = frame_u16(fr);
	unsigned lines = frame_u32(fr), raw = frame_u8(fr);

	if (id == 0xffff) {
		fake_end(k->link, request, ST_NO_CONSOLE, 0);
		return;
	}
	id -= k->first_id;
	fake_note(k, "tail %u lines=%u raw=%u\n", id, lines, raw);
	fake_out(k->link, request, 1, k->tail_text, strlen(k->tail_text));
	fake_end(k->link, request, ST_OK, k->tail_end == UINT64_MAX ?
	    k->lines[id].head : k->tail_end);
}

/* What a peer says: "info KEY=TEXT", "event KIND TEXT", ... */
static inline void
fake_peer(struct fake *k, struct frame *fr)
{
	char one[64], text[2048];
	size_t n;
	const uint8_t *p;

	if (fr->type == RQ_INFO || fr->type == RQ_EVENT) {
		frame_str(fr, one, sizeof(one));
		frame_str(fr, text, sizeof(text));
		fake_note(k, fr->type == RQ_INFO ? "info %s=%s\n" :
		    "event %s %s\n", one, text);
	} else if (fr->type == RQ_TELL) {
		frame_str(fr, text, sizeof(text));
		fake_note(k, "tell %s\n", text);
	} else if (fr->type == RQ_DONE) {
		fake_note(k, "done %u", frame_u32(fr));
		fake_note(k, " %u\n", (unsigned)frame_u8(fr));
	} else {
		fake_note(k, "told %u", frame_u32(fr));
		fake_note(k, " %u ", (unsigned)frame_u8(fr));
		p = frame_rest(fr, &n);
		k->told += n;
		fake_note(k, "%.*s\n", (int)(n < 64 ? n : 64), (const char *)p);
	}
}

static inline void
fake_task(struct fake *k, uint32_t id, const char *one, const char *two)
{
	struct frame_out *o = link_start(k->link, AN_TASK);

	frame_put_u32(o, id);
	frame_put_str(o, "alice");
	frame_put_str(o, "ssh");
	frame_put_u8(o, 1);
	frame_put_u16(o, 80);
	frame_put_u8(o, two == NULL ? 1 : 2);
	frame_put_str(o, one);
	if (two != NULL)
		frame_put_str(o, two);
	link_send(k->link);
	link_flush(k->link);
}

static inline void
fake_task_gone(struct fake *k, uint32_t id)
{
	frame_put_u32(link_start(k->link, AN_TASK_GONE), id);
	link_send(k->link);
	link_flush(k->link);
}

/* Those of which a line in the notes is all that comes. */
static inline void
fake_told(struct fake *k, struct frame *fr)
{
	static const struct {
		uint16_t type;
		const char *word;
	} words[] = {
		{ RQ_CANCEL, "cancel" },
		{ RQ_BREAK, "break" },
		{ RQ_RECORD, "record" },
		{ RQ_INTERRUPT, "interrupt" },
	};

	(void)frame_u32(fr);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].type == fr->type)
			fake_note(k, "%s\n", words[i].word);
	}
}

static inline void
fake_open(struct fake *k, struct frame *fr)
{
	char text[512];

	k->sid = frame_u32(fr);
	frame_str(fr, text, sizeof(text));
	fake_note(k, "open %u %s", k->sid, text);
	for (int i = 0; i < 3; i++) {
		frame_str(fr, text, sizeof(text));
		fake_note(k, "/%s", text);
	}
	fake_note(k, "\n");
}

static inline int
fake_frame(void *arg, struct frame *fr, int fd)
{
	struct fake *k = arg;
	char text[512];

	assert_int_equal(fd, -1);
	if (k->mute && fr->type != RQ_HELLO)
		return 0;
	switch ((enum proto_request)fr->type) {
	case RQ_HELLO:
		assert_int_equal(frame_u16(fr), PROTO_VERSION);
		frame_str(fr, text, sizeof(text));
		fake_hello(k);
		break;
	case RQ_OPEN:
		fake_open(k, fr);
		break;
	case RQ_CLOSE:
		fake_note(k, "close %u\n", frame_u32(fr));
		break;
	case RQ_ATTACH:
		fake_attach(k, fr);
		break;
	case RQ_DETACH:
		fake_note(k, "detach %u\n", frame_u32(fr));
		break;
	case RQ_INPUT:
		fake_input(k, fr);
		break;
	case RQ_PEN:
		(void)frame_u32(fr);
		fake_note(k, "pen %u\n", (unsigned)frame_u8(fr));
		break;
	case RQ_SUBSCRIBE:
		fake_subscribe(k, fr);
		break;
	case RQ_UNSUBSCRIBE:
		fake_note(k, "unsubscribe %u\n", frame_u16(fr) - k->first_id);
		break;
	case RQ_TAIL:
		fake_tail(k, fr);
		break;
	case RQ_SEEN:
		fake_seen(k, fr);
		break;
	case RQ_COMMAND:
		fake_command(k, fr);
		break;
	case RQ_NOTE:
		(void)frame_u32(fr);
		frame_str(fr, text, sizeof(text));
		fake_note(k, "note %s\n", text);
		break;
	case RQ_READS:
		(void)frame_u32(fr);
		fake_note(k, "reads sid=%u", frame_u32(fr));
		frame_str(fr, text, sizeof(text));
		fake_note(k, ": %s\n", text);
		break;
	case RQ_CANCEL:
	case RQ_BREAK:
	case RQ_RECORD:
	case RQ_INTERRUPT:
		fake_told(k, fr);
		break;
	case RQ_INFO:
	case RQ_TOLD:
	case RQ_DONE:
	case RQ_EVENT:
	case RQ_TELL:
		fake_peer(k, fr);
		break;
	default:
		fail_msg("frame 0x%x is not for a console process", fr->type);
	}
	assert_true(frame_ok(fr) || fr->type == RQ_INPUT ||
	    fr->type == RQ_TOLD);
	return 0;
}

static inline void
fake_down(void *arg, const char *why)
{
	struct fake *k = arg;

	(void)why;
	link_free(k->link);
	k->link = NULL;
	k->downs++;
}

/* A new link; the other end is returned. */
static inline int
fake_connect(struct fake *k)
{
	static const struct link_ops ops = { fake_frame, fake_down,
	    fake_room };
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	k->link = link_new(k->loop, sv[0], 1 << 20, &ops, k);
	return sv[1];
}

/* A reader of the record for the last command; fd: its client's end. */
static inline void
fake_reader(struct fake *k, int fd)
{
	struct frame_out *o = link_start(k->link, AN_READER);

	frame_put_u32(o, k->request);
	frame_put_str(o, "gw");
	link_send_fd(k->link, fd);
	link_flush(k->link);
}

/* As kill -9 would: the link breaks, the histories stay. */
static inline void
fake_dies(struct fake *k)
{
	link_free(k->link);
	k->link = NULL;
	k->uncredited = 0;
	for (size_t i = 0; i < k->nlines; i++)
		k->lines[i].subscribed = false;
}

static inline void
fake_stop(void *arg)
{
	loop_stop(arg, 0);
}

/* Let the loop turn for a while. */
static inline void
fake_turn(struct fake *k, int64_t ms)
{
	timer_set(k->stop, ms);
	loop_run(k->loop);
}

#define UNTIL(k, cond) do {						\
	for (int until_ = 0; until_ < 2000 && !(cond); until_++)	\
		fake_turn((k), 1);					\
	assert_true(cond);						\
} while (0)

static inline struct fake *
fake_new(const char *const *names, size_t n)
{
	struct fake *k = calloc(1, sizeof(*k));

	k->loop = loop_new();
	k->stop = timer_new(k->loop, fake_stop, k->loop);
	k->greeting = "you have the pen";
	k->tail_end = UINT64_MAX;
	k->tail_text = "";
	k->nlines = n;
	for (size_t i = 0; i < n; i++) {
		k->lines[i].name = names[i];
		k->lines[i].description = "a router";
		k->lines[i].base = k->lines[i].head = 1000 + i;
		k->lines[i].history = malloc(FAKE_HISTORY);
	}
	return k;
}

static inline void
fake_free(struct fake *k)
{
	link_free(k->link);
	timer_free(k->stop);
	for (size_t i = 0; i < FAKE_CONSOLES; i++)
		free(k->lines[i].history);
	loop_free(k->loop);
	free(k);
}

#endif
