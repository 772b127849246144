#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../serial/stage.h"
#include "../serial/strip.h"
#include "base/mem.h"
#include "base/str.h"
#include "session_internal.h"
#include "verbs.h"

#define NOTICE_MAX 2048
#define CHUNK 2048

static void
wants_pump(struct session *s)
{
	if (s->state != SESSION_OVER)
		s->ops->wants_pump(s->arg);
}

void
session_ready(struct session *s)
{
	if (!s->starved || s->state == SESSION_OVER)
		return;
	s->ops->wants_pump(s->arg);
	if (s->ops->input_ready != NULL)
		s->ops->input_ready(s->arg);
}

void
session_change(struct session *s, enum session_state to)
{
	s->state = to;
	switch (to) {
	case SESSION_WAITING:
	case SESSION_CHOOSING:
	case SESSION_ATTACHING:
		timer_set(s->clock, ANSWER_MS);
		break;
	case SESSION_ENDING:
		timer_set(s->clock, ENDING_MS);
		break;
	case SESSION_OVER:
		timer_stop(s->clock);
		timer_stop(s->away);
		timer_stop(s->key_wait);
		timer_set(s->soon, 0);
		break;
	case SESSION_NEW:
	case SESSION_MENU:
	case SESSION_LIVE:
	case SESSION_NOTE:
	case SESSION_VERB:
		timer_stop(s->clock);
		break;
	}
	wants_pump(s);
	session_ready(s);
}

/*
 * Own text
 */
void
session_say(struct session *s, int stream, const void *p, size_t n)
{
	struct buf **b = &s->say[stream - 1];

	if (*b == NULL)
		*b = buf_new(SAY_MAX);
	if (n == 0)
		return;
	if (buf_add(*b, p, n) == -1)
		s->unsaid++;
	wants_pump(s);
}

/* Nothing that could move a cursor; "^Ec" becomes the user's own lead-in. */
size_t
session_clean(const struct session *s, char *dst, size_t size,
    const char *src)
{
	size_t n = strlen(src), o = 0;

	while (n > 0 && o + 8 < size) {
		int len = str_utf8((const uint8_t *)src, n);

		if (s->lead[0] != '\0' && strncmp(src, "^Ec", 3) == 0) {
			memcpy(dst + o, s->lead, strlen(s->lead));
			o += strlen(s->lead);
			len = 3;
		} else if (len <= 0 || (uint8_t)*src < 0x20 || *src == 0x7f ||
		    (len == 2 && (uint8_t)src[0] == 0xc2 &&
		    (uint8_t)src[1] < 0xa0)) {
			dst[o++] = '?';
			len = len == 2 ? 2 : 1;
		} else {
			memcpy(dst + o, src, (size_t)len);
			o += (size_t)len;
		}
		src += len;
		n -= (size_t)len;
	}
	dst[o] = '\0';
	return o;
}

void
session_notice(struct session *s, const char *fmt, ...)
{
	char text[NOTICE_MAX], safe[NOTICE_MAX], line[NOTICE_MAX + 32];
	bool attached = s->state != SESSION_VERB && s->terminal;
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	session_clean(s, safe, sizeof(safe), text);
	if (attached)
		n = snprintf(line, sizeof(line), "\r\n[oobd: %s]\r\n", safe);
	else
		n = snprintf(line, sizeof(line), "oobd: %s%s", safe,
		    s->terminal ? "\r\n" : "\n");
	session_say(s, attached ? 1 : 2, line, (size_t)n);
}

/* Does the answer come from a program that knows it has a terminal? */
static bool
draws_itself(const struct session *s)
{
	const struct verb *v = s->words.argc > 0 ?
	    verb_find(s->words.argv[0]) : NULL;

	return s->asked == ASKED_VERB && v != NULL && v->keys;
}

/* Who drew on it cannot give it back any more. */
static void
rescue_terminal(struct session *s)
{
	static const char leave[] = STAGE_LEAVE "\r\n";

	s->rescued = true;
	session_say(s, 1, strip_screen_reset(), strlen(strip_screen_reset()));
	session_say(s, 1, leave, sizeof(leave) - 1);
}

void
session_end(struct session *s, int status, const char *why)
{
	bool drawing = s->torn || (s->request != NULL && draws_itself(s));

	if (s->state == SESSION_ENDING || s->state == SESSION_OVER)
		return;
	session_give_up(s);
	if (drawing && s->terminal && !s->rescued)
		rescue_terminal(s);
	if (why != NULL && *why != '\0')
		session_notice(s, "%s", why);
	s->status = status;
	session_line_leave(s);
	feed_detach(s->fs);
	session_change(s, SESSION_ENDING);
}

/*
 * Requests
 */

/* As a terminal in raw mode needs it: a line feed gets its CR. */
static size_t
write_lines(struct session *s, int stream, const uint8_t *p, size_t n)
{
	uint8_t chunk[2 * CHUNK];
	size_t room = s->ops->room(s->arg), from = 0, o = 0;

	if (room > sizeof(chunk))
		room = sizeof(chunk);
	for (; from < n && o + 2 <= room; from++) {
		if (p[from] == '\n' && !s->cr)
			chunk[o++] = '\r';
		s->cr = p[from] == '\r';
		chunk[o++] = p[from];
	}
	if (o > 0 && s->ops->write(s->arg, stream, chunk, o) < o)
		s->blocked = true;	/* cannot be: it was within room */
	return from;
}

static size_t
write_answer(struct session *s, int stream, const uint8_t *p, size_t n)
{
	size_t room;

	if (s->torn && stream == 2 && !s->rescued)
		rescue_terminal(s);
	if (s->say[0] != NULL && buf_len(s->say[0]) > 0)
		return 0;
	if (s->say[1] != NULL && buf_len(s->say[1]) > 0)
		return 0;
	if (s->asked != ASKED_VERB && s->terminal)
		stream = 1;
	if (s->terminal && (s->rescued || !draws_itself(s)))
		return write_lines(s, stream, p, n);
	room = s->ops->room(s->arg);
	if (n > room)
		n = room;
	return n > 0 ? s->ops->write(s->arg, stream, p, n) : 0;
}

static size_t
on_out(void *arg, int stream, const void *p, size_t n)
{
	struct session *s = arg;
	size_t taken;

	if (s->asked == ASKED_LIST || s->asked == ASKED_INFO ||
	    s->asked == ASKED_DIGEST) {
		if (s->collected == NULL)
			s->collected = buf_new(ROSTER_JSON_MAX);
		if (stream == 1)
			(void)buf_add(s->collected, p, n);
		return n;
	}
	taken = write_answer(s, stream, p, n);
	if (taken < n) {
		s->blocked = true;
		if (!s->pumping)
			wants_pump(s);	/* else there is no room now */
	}
	return taken;
}

static void
on_end(void *arg, int status, uint64_t offset)
{
	struct session *s = arg;
	enum session_asked asked = s->asked;

	feed_cancel(s->request);
	s->request = NULL;
	s->asked = ASKED_NOTHING;
	s->blocked = false;
	switch (asked) {
	case ASKED_NOTHING:
		break;
	case ASKED_SHOW:
	case ASKED_DIGEST:
	case ASKED_TAIL:
	case ASKED_INFO:
		session_line_answered(s, asked, status, offset);
		break;
	case ASKED_LIST:
		session_menu_listed(s, status);
		break;
	case ASKED_VERB:
		session_end(s, status, NULL);
		break;
	}
}

static void
on_torn(void *arg)
{
	struct session *s = arg;

	s->torn = s->terminal && draws_itself(s);
}

static const struct feed_request_ops request_ops = { on_out, on_end, on_torn };

void
session_give_up(struct session *s)
{
	feed_cancel(s->request);
	s->request = NULL;
	s->asked = ASKED_NOTHING;
	s->blocked = false;
	s->cr = false;
	buf_free(s->collected);
	s->collected = NULL;
}

void
session_ask(struct session *s, enum session_asked what, int argc,
    char *const argv[])
{
	const struct verb *v = verb_find(argv[0]);
	bool tty = s->terminal && what == ASKED_VERB && v != NULL && v->keys;
	const struct feed_run run = { s->fs, tty, s->columns, s->rows, argc,
	    argv };

	session_give_up(s);
	s->asked = what;
	s->request = feed_command(s->feed, &run, &request_ops, s);
}

void
session_ask_tail(struct session *s, enum session_asked what, unsigned lines)
{
	const struct feed_console *c = feed_attached(s->fs);

	session_give_up(s);
	s->asked = what;
	s->request = feed_tail(s->feed, c != NULL ? c->name : "", lines,
	    !s->terminal, &request_ops, s);
}

/*
 * Starting
 */
static void
on_soon(void *arg)
{
	struct session *s = arg;

	s->ops->done(s->arg, s->status);
}

static void
on_clock(void *arg)
{
	struct session *s = arg;

	switch (s->state) {
	case SESSION_WAITING:
	case SESSION_CHOOSING:
	case SESSION_ATTACHING:
		session_end(s, ST_TIMEOUT, "the console process does not "
		    "answer");
		break;
	case SESSION_LIVE:
		session_line_clock(s);
		break;
	case SESSION_VERB:
	case SESSION_ENDING:
		/* Nobody reads it. */
		if (s->state == SESSION_VERB)
			s->status = ST_FAILED;
		session_change(s, SESSION_OVER);
		break;
	case SESSION_NEW:
	case SESSION_MENU:
	case SESSION_NOTE:
	case SESSION_OVER:
		break;
	}
}

static void
on_away(void *arg)
{
	struct session *s = arg;

	s->told_away = true;
	session_notice(s, "the console process is away; the line is kept, "
	    "please wait");
}

struct session *
session_new(struct loop *loop, struct feed *feed,
    const struct session_user *user, const struct session_ops *ops, void *arg)
{
	const struct feed_user who = { user->name, user->from, user->via,
	    user->key, user->voucher };
	struct session *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->feed = feed;
	s->ops = ops;
	s->arg = arg;
	s->lead_byte = user->escape;
	keys_text(s->lead, user->escape);
	s->clock = timer_new(loop, on_clock, s);
	s->soon = timer_new(loop, on_soon, s);
	s->away = timer_new(loop, on_away, s);
	s->key_wait = timer_new(loop, session_line_key_wait, s);
	s->typed = buf_new(SESSION_INPUT_MAX);
	s->fs = feed_open(feed, &who, &session_line_ops, s);
	return s;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	session_give_up(s);
	session_line_leave(s);
	feed_close(s->fs);
	timer_free(s->clock);
	timer_free(s->soon);
	timer_free(s->away);
	timer_free(s->key_wait);
	buf_free(s->say[0]);
	buf_free(s->say[1]);
	buf_free(s->typed);
	roster_free(&s->roster);
	words_free(&s->words);
	free(s->console);
	free(s);
}

void
session_terminal(struct session *s, unsigned columns, unsigned rows)
{
	s->terminal = true;
	s->columns = columns;
	s->rows = rows;
	if (s->request != NULL)
		feed_request_size(s->request, columns, rows);
}

/* Now, or as soon as the console process is there. */
static void
start(struct session *s, void (*go)(struct session *))
{
	s->go = go;
	keys_init(&s->keys, s->terminal ? s->lead_byte : KEYS_OFF);
	if (!s->terminal)
		s->lead[0] = '\0';
	session_change(s, SESSION_WAITING);
	if (feed_is_up(s->feed))
		go(s);
}

static void
go_attach(struct session *s)
{
	if (s->console != NULL)
		session_line_attach(s, s->console);
	else
		session_menu_start(s);
}

static void
set_console(struct session *s, const char *console)
{
	free(s->console);
	s->console = console != NULL ? xstrdup(console) : NULL;
}

void
session_start_shell(struct session *s, const char *console)
{
	set_console(s, console);
	start(s, go_attach);
}

void
session_start_stream(struct session *s, const char *console)
{
	s->terminal = false;
	set_console(s, console);
	start(s, go_attach);
}

static void
print(struct session *s, int stream, const char *text)
{
	const char *nl;

	while (s->terminal && (nl = strchr(text, '\n')) != NULL) {
		session_say(s, stream, text, (size_t)(nl - text));
		session_say(s, stream, "\r\n", 2);
		text = nl + 1;
	}
	session_say(s, stream, text, strlen(text));
}

static void
print_out(void *arg, const char *text)
{
	print(arg, 1, text);
}

static void
print_err(void *arg, const char *text)
{
	print(arg, 2, text);
}

static bool
is_console(void *arg, const char *name)
{
	struct session *s = arg;

	return feed_console_named(s->feed, name) != NULL;
}

static void
go_verb(struct session *s)
{
	char *argv[ARGS_MAX + 1];
	int argc = verbs_with_console(&s->words, s->console, is_console, s,
	    argv);

	session_change(s, SESSION_VERB);
	if (argc == -1) {
		session_end(s, ST_USAGE, "the command has too many words");
		return;
	}
	for (int i = 0; i < argc; i++) {
		if (strlen(argv[i]) >= WORD_BYTES) {
			session_end(s, ST_USAGE, "the command is too long");
			return;
		}
	}
	session_ask(s, ASKED_VERB, argc, argv);
}

/* [CONSOLE] [--ro | --force] [--tail N].  0 or -1. */
static int
attach_options(struct session *s)
{
	bool named = false;
	int64_t n;

	for (int i = 1; i < s->words.argc; i++) {
		const char *a = s->words.argv[i];

		if (strcmp(a, "--ro") == 0 && s->mode != ATTACH_FORCE) {
			s->mode = ATTACH_WATCH;
		} else if (strcmp(a, "--force") == 0 &&
		    s->mode != ATTACH_WATCH) {
			s->mode = ATTACH_FORCE;
		} else if (strcmp(a, "--tail") == 0 &&
		    i + 1 < s->words.argc &&
		    str_int(s->words.argv[i + 1], 0, TAIL_MAX, &n) == 0) {
			s->tail = (unsigned)n;
			i++;
		} else if (*a != '-' && !named) {
			named = true;
			set_console(s, a);
		} else {
			return -1;
		}
	}
	return 0;
}

static void
exec_here(struct session *s, const struct verb *v)
{
	int status;

	if (strcmp(v->name, "attach") == 0) {
		if (attach_options(s) == 0) {
			start(s, go_attach);
			return;
		}
		verbs_usage(v, print_err, s);
		session_end(s, ST_USAGE, NULL);
		return;
	}
	status = verbs_help(s->words.argc, s->words.argv, print_out, s);
	session_end(s, status, NULL);
}

void
session_start_exec(struct session *s, const char *command, const char *console)
{
	const char *why = "no verb given (help lists them)";
	const struct verb *v;
	char text[128], name[64];

	set_console(s, console);
	session_change(s, SESSION_VERB);
	if (words_split(&s->words, command, &why) == -1 ||
	    s->words.argc == 0) {
		session_end(s, ST_USAGE, why);
		return;
	}
	v = verb_find(s->words.argv[0]);
	if (v == NULL) {
		str_safe(name, sizeof(name), s->words.argv[0],
		    strlen(s->words.argv[0]));
		snprintf(text, sizeof(text), "no such verb: %s (help lists "
		    "them)", name);
		session_end(s, ST_USAGE, text);
		return;
	}
	if (v->where == VERB_CLIENT)
		exec_here(s, v);
	else
		start(s, go_verb);
}

/*
 * Input
 */
static size_t
verb_input(struct session *s, const uint8_t *p, size_t n)
{
	/* What a verb without a terminal is sent, nobody reads. */
	if (!s->terminal || s->request == NULL)
		return n;
	if (memchr(p, 0x03, n) != NULL) {
		session_end(s, ST_FAILED, NULL);
		return n;
	}
	feed_request_keys(s->request, p, n);
	return n;
}

static size_t
input_once(struct session *s, const uint8_t *p, size_t n)
{
	switch (s->state) {
	case SESSION_NEW:
	case SESSION_WAITING:
	case SESSION_CHOOSING:
	case SESSION_ATTACHING:
		return 0;		/* kept for what comes */
	case SESSION_MENU:
		return session_menu_input(s, p, n);
	case SESSION_NOTE:
		return session_note_input(s, p, n);
	case SESSION_LIVE:
		return session_line_input(s, p, n);
	case SESSION_VERB:
		return verb_input(s, p, n);
	case SESSION_ENDING:
	case SESSION_OVER:
		return n;
	}
	return n;
}

size_t
session_input(struct session *s, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t taken = 0, once;

	/* A key may change what the rest is for. */
	do {
		once = input_once(s, p + taken, n - taken);
		taken += once;
	} while (once > 0 && taken < n);
	s->starved = taken < n;
	return taken;
}

size_t
session_input_room(const struct session *s)
{
	switch (s->state) {
	case SESSION_NEW:
	case SESSION_WAITING:
	case SESSION_CHOOSING:
	case SESSION_ATTACHING:
		return 0;
	case SESSION_LIVE:
		return buf_room(s->typed);
	case SESSION_MENU:
	case SESSION_NOTE:
	case SESSION_VERB:
	case SESSION_ENDING:
	case SESSION_OVER:
		return SESSION_INPUT_MAX;
	}
	return 0;
}

void
session_eof(struct session *s)
{
	s->eof = true;
	switch (s->state) {
	case SESSION_LIVE:
		session_line_eof(s);
		break;
	case SESSION_MENU:
	case SESSION_NOTE:
		session_end(s, ST_OK, NULL);
		break;
	case SESSION_NEW:		/* looked at once it is attached */
	case SESSION_WAITING:
	case SESSION_CHOOSING:
	case SESSION_ATTACHING:
	case SESSION_VERB:
	case SESSION_ENDING:
	case SESSION_OVER:
		break;
	}
}

void
session_break(struct session *s)
{
	if (s->state == SESSION_LIVE)
		feed_break(s->fs);
}

void
session_signal(struct session *s, const char *name)
{
	bool leave = strcmp(name, "TERM") == 0 || strcmp(name, "HUP") == 0 ||
	    strcmp(name, "QUIT") == 0;

	if (strcmp(name, "INT") != 0 && !leave)
		return;
	if (s->state == SESSION_VERB)
		session_end(s, ST_FAILED, NULL);
	else if (leave || s->state == SESSION_MENU)
		session_end(s, ST_OK, NULL);
	else if (s->state == SESSION_LIVE)
		session_line_interrupt(s);
}

/*
 * Output
 */

/* True when nothing of it is left. */
static bool
flush_say(struct session *s, int stream)
{
	struct buf *b = s->say[stream - 1];
	size_t n, room;

	if (b == NULL)
		return true;
	while ((n = buf_len(b)) > 0) {
		room = s->ops->room(s->arg);
		if (n > room)
			n = room;
		if (n > 0)
			n = s->ops->write(s->arg, stream, buf_data(b), n);
		if (n == 0)
			return false;
		buf_drop(b, n);
	}
	return true;
}

static bool
flush_all(struct session *s)
{
	bool empty = flush_say(s, 1) && flush_say(s, 2);
	unsigned n = s->unsaid;

	if (empty && n > 0) {
		s->unsaid = 0;
		session_notice(s, "%u messages were left out here", n);
	}
	return empty;
}

void
session_pump(struct session *s)
{
	if (s->state == SESSION_OVER || !flush_all(s))
		return;
	if (s->blocked) {
		s->blocked = false;
		s->pumping = true;
		feed_request_more(s->request);
		s->pumping = false;
		if (s->blocked || !flush_all(s))
			return;
	}
	if (s->state == SESSION_LIVE && s->asked == ASKED_NOTHING)
		session_line_pump(s);
	if (s->state == SESSION_ENDING)
		session_change(s, SESSION_OVER);
}

bool
session_has_output(const struct session *s)
{
	uint64_t head = feed_head(s->fs);

	if (s->state == SESSION_OVER)
		return false;
	if ((s->say[0] != NULL && buf_len(s->say[0]) > 0) ||
	    (s->say[1] != NULL && buf_len(s->say[1]) > 0) || s->blocked)
		return true;
	if (s->state == SESSION_ENDING)
		return true;		/* done is yet to be called */
	return s->state == SESSION_LIVE && s->asked == ASKED_NOTHING &&
	    s->at != FEED_NEWEST && head != FEED_NEWEST && s->at < head;
}
