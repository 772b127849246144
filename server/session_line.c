#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "session_internal.h"

#define AWAY_MS 1000		/* a restart shorter than this is not told */
#define QUIET_MS 1000
#define LAG_MS 2000		/* typing at a screen older than this: skip */
#define LAG_BYTES 16384
#define JUMP_BYTES 64		/* ^C this far behind in a piece is a paste's */

/*
 * Attaching
 */
void
session_line_attach(struct session *s, const char *console)
{
	session_line_leave(s);
	feed_attach(s->fs, console, s->mode);
	session_change(s, SESSION_ATTACHING);
}

static void
refused(struct session *s, int status, const char *text)
{
	if (*text == '\0')
		text = status == ST_NO_CONSOLE ? "no such console, or none "
		    "that you may see (list shows them)" : "not allowed";
	if (s->roster.n == 0 || !s->terminal) {
		session_end(s, status, text);
		return;
	}
	session_notice(s, "%s", text);
	session_menu_start(s);
}

static void
greet(struct session *s, const char *text)
{
	const struct feed_console *c = feed_attached(s->fs);

	if (!s->terminal) {
		session_notice(s, "%s: %s", c->name, text);
		return;
	}
	session_notice(s, "%s%s%s, %s%s; %s%s", c->name,
	    *c->description != '\0' ? ": " : "", c->description, c->line,
	    c->up ? "" : ", DOWN", text,
	    s->lead[0] != '\0' ? "; ^Ec? for help" : "");
}

/*
 * What the user has seen
 */
static bool
is_watched(const struct session *s)
{
	return s->terminal && feed_attached(s->fs) != NULL &&
	    s->state != SESSION_ATTACHING;
}

static void
see_here(struct session *s)
{
	s->seen = s->at;
	s->heard = loop_now(s->loop);
	s->reads = true;
	feed_seen(s->fs, s->at, 0, SEEN_HERE);
}

void
session_heard(struct session *s)
{
	s->seen = s->at;
	s->heard = loop_now(s->loop);
	if (is_watched(s) && !s->reads && s->asked != ASKED_DIGEST)
		see_here(s);
}

void
session_lost(struct session *s, bool silent)
{
	/* Who was not told yet has still missed what he missed then. */
	if (is_watched(s) && !silent)
		feed_seen(s->fs, s->at, 0, SEEN_CUT);
	else if (is_watched(s) && s->reads)
		feed_seen(s->fs, s->seen, mono_ms(s->heard,
		    loop_now(s->loop)), SEEN_CUT);
	s->reads = false;
	s->lost = true;
}

void
session_line_leave(struct session *s)
{
	if (is_watched(s) && !s->lost)
		feed_seen(s->fs, s->at, 0, SEEN_LEFT);
	s->reads = false;
}

static void
ask_digest(struct session *s)
{
	char verb[] = "digest", option[] = "--attach", name[40];
	char *argv[] = { verb, name, option, NULL };

	snprintf(name, sizeof(name), "%s", feed_attached(s->fs)->name);
	session_ask(s, ASKED_DIGEST, 3, argv);
}

/* The first line is a notice, the others stand below it. */
static void
show_digest(struct session *s)
{
	char *text, *line, *next, safe[256];
	size_t n = s->collected == NULL ? 0 : buf_len(s->collected);

	if (n == 0) {
		/* Nothing to be read first: this far is seen. */
		see_here(s);
		return;
	}
	text = xstrndup((const char *)buf_data(s->collected), n);
	for (line = text; *line != '\0'; line = next) {
		next = line + strcspn(line, "\n");
		if (*next != '\0')
			*next++ = '\0';
		if (line == text) {
			session_notice(s, "%s%s", line, s->lead[0] != '\0' ?
			    "; ^Ecr shows the last 20 lines, ^Ecp 60" : "");
			continue;
		}
		n = session_clean(s, safe, sizeof(safe), line);
		session_say(s, 1, safe, n);
		session_say(s, 1, "\r\n", 2);
	}
	free(text);
}

static void
ask_tail(struct session *s)
{
	if (s->tail > 0)
		session_ask_tail(s, ASKED_TAIL, s->tail);
	s->tail = 0;
}

static void
on_attached(void *arg, int status, bool writes, const char *text)
{
	struct session *s = arg;

	(void)writes;
	if (s->state != SESSION_ATTACHING)
		return;
	if (status != ST_OK) {
		refused(s, status, text);
		return;
	}
	s->at = s->mark = feed_head(s->fs);
	s->mark_at = loop_now(s->loop);
	feed_taken(s->fs, s->at);
	s->reads = false;
	greet(s, text);
	session_change(s, SESSION_LIVE);
	if (s->terminal)
		ask_digest(s);
	else
		ask_tail(s);
	if (s->eof)
		session_line_eof(s);
}

void
session_line_live(struct session *s)
{
	session_change(s, SESSION_LIVE);
	if (s->eof)
		session_line_eof(s);
}

/*
 * The stream
 */
static void
tell_skipped(struct session *s, uint64_t from)
{
	char text[32];

	if (s->at <= from)
		return;		/* the stream began anew: nothing was lost */
	str_grouped(text, s->at - from);
	session_notice(s, "%s bytes skipped%s", text,
	    s->lead[0] != '\0' ? ", ^Ecr shows the last lines" : "");
}

void
session_line_pump(struct session *s)
{
	const uint8_t *p;
	size_t n, room;

	for (;;) {
		uint64_t before = s->at;

		room = s->ops->room(s->arg);
		if (room == 0)
			break;
		n = feed_peek(s->fs, &s->at, &p);
		if (before != FEED_NEWEST && s->at != before) {
			/* The notice first; it asks to be pumped. */
			tell_skipped(s, before);
			return;
		}
		if (n > room)
			n = room;
		if (n > 0)
			n = s->ops->write(s->arg, 1, p, n);
		if (n == 0)
			break;
		s->at += n;
		feed_taken(s->fs, s->at);
	}
	if (s->at >= s->mark) {
		s->mark = feed_head(s->fs);
		s->mark_at = loop_now(s->loop);
	}
}

static void
quiet_from_now(struct session *s)
{
	if (s->eof && s->sent && s->state == SESSION_LIVE)
		timer_set(s->clock, QUIET_MS);
}

static void
on_data(void *arg)
{
	struct session *s = arg;
	const uint8_t *p;

	if (s->at == FEED_NEWEST)
		(void)feed_peek(s->fs, &s->at, &p);
	quiet_from_now(s);
	if (s->state == SESSION_LIVE && s->asked == ASKED_NOTHING)
		s->ops->wants_pump(s->arg);
}

/* A second of silence after the end of input. */
void
session_line_clock(struct session *s)
{
	uint64_t head = feed_head(s->fs);

	if (buf_len(s->typed) > 0 || !feed_input_idle(s->fs) ||
	    !feed_is_up(s->feed) || s->asked != ASKED_NOTHING ||
	    (head != FEED_NEWEST && s->at != head)) {
		timer_set(s->clock, QUIET_MS);
		return;
	}
	if (!s->dropped)
		session_end(s, ST_OK, NULL);
	else if (feed_attached(s->fs)->up)
		session_end(s, ST_DENIED, "not everything was sent");
	else
		session_end(s, ST_DOWN, "not everything was sent: the line "
		    "is down");
}

void
session_line_eof(struct session *s)
{
	if (!s->sent) {
		/* A watcher: leave the pen to those who can type. */
		if (feed_writes(s->fs))
			feed_pen(s->fs, PEN_WATCH);
		return;
	}
	quiet_from_now(s);
}

/*
 * Input
 */
void
session_line_push(struct session *s)
{
	size_t n;

	while (buf_len(s->typed) > 0) {
		n = feed_input(s->fs, buf_data(s->typed), buf_len(s->typed));
		if (n == 0)
			return;
		buf_drop(s->typed, n);
	}
}

/* To the line, or behind what already waits for it. */
static size_t
type_bytes(struct session *s, const uint8_t *p, size_t n)
{
	size_t direct = 0, rest;

	if (buf_len(s->typed) == 0)
		direct = feed_input(s->fs, p, n);
	rest = n - direct;
	if (rest > buf_room(s->typed))
		rest = buf_room(s->typed);
	if (rest > 0)
		(void)buf_add(s->typed, p + direct, rest);
	return direct + rest;
}

/*
 * Who types at a screen that is seconds old wants to see what happens now,
 * not what happened: skip to it.
 */
static void
catch_up(struct session *s)
{
	uint64_t head = feed_head(s->fs), before = s->at;

	if (head == FEED_NEWEST || s->at == FEED_NEWEST ||
	    s->at >= s->mark || head - s->at < LAG_BYTES ||
	    mono_ms(s->mark_at, loop_now(s->loop)) < LAG_MS)
		return;
	s->at = feed_skip(s->fs);
	s->mark = head;
	s->mark_at = loop_now(s->loop);
	tell_skipped(s, before);
}

static void
help(struct session *s)
{
	struct keys_help h;
	char line[128];
	int n;

	session_say(s, 1, "\r\n", 2);
	for (size_t i = 0; keys_help_at(i, &h); i++) {
		/* The literal lead-in is the user's own. */
		n = snprintf(line, sizeof(line), "  %s %-3.*s %s\r\n", s->lead,
		    *h.key == '^' ? 2 : 8, *h.key == '^' ? s->lead : h.key,
		    h.help);
		session_say(s, 1, line, (size_t)n);
	}
}

static void
show_lines(struct session *s, unsigned n)
{
	session_notice(s, "the last %u lines", n);
	session_ask_tail(s, ASKED_SHOW, n);
}

static void
do_key(struct session *s, enum keys_does does)
{
	char *who[] = { "who", NULL }, *status[] = { "status", "--json", NULL };

	switch (does) {
	case KEYS_NOTHING:
	case KEYS_LITERAL:
		break;
	case KEYS_LEAVE:
		session_notice(s, "left %s", feed_attached(s->fs)->name);
		session_end(s, ST_OK, NULL);
		break;
	case KEYS_HELP:
		help(s);
		break;
	case KEYS_TAKE:
		feed_pen(s->fs, PEN_TAKE);
		break;
	case KEYS_WATCH:
		feed_pen(s->fs, PEN_WATCH);
		break;
	case KEYS_ASK:
		feed_pen(s->fs, PEN_ASK);
		break;
	case KEYS_WHO:
		session_say(s, 1, "\r\n", 2);
		session_ask(s, ASKED_SHOW, 1, who);
		break;
	case KEYS_RECENT:
		show_lines(s, RECENT_LINES);
		break;
	case KEYS_RECENT_MORE:
		show_lines(s, RECENT_MORE_LINES);
		break;
	case KEYS_BREAK:
		feed_break(s->fs);
		break;
	case KEYS_NOTE:
		session_note_start(s);
		break;
	case KEYS_SWITCH:
		session_menu_start(s);
		break;
	case KEYS_INFO:
		session_ask(s, ASKED_INFO, 2, status);
		break;
	case KEYS_RECORD:
		feed_record(s->fs);
		break;
	case KEYS_UNKNOWN:
		session_notice(s, "no such key; ^Ec? lists them");
		break;
	}
}

void
session_line_key_wait(void *arg)
{
	struct session *s = arg;
	uint8_t held[KEYS_HELD_MAX];
	size_t n = keys_flush(&s->keys, held);

	if (s->state == SESSION_LIVE && n > 0)
		(void)type_bytes(s, held, n);
}

/* One byte that is, or may become, an escape. */
static void
key_byte(struct session *s, uint8_t c)
{
	uint8_t out[KEYS_HELD_MAX];
	enum keys_does does;
	size_t n;

	does = keys_byte(&s->keys, c, out, &n);
	if (n > 0)
		(void)type_bytes(s, out, n);
	if (keys_pending(&s->keys))
		timer_set(s->key_wait, KEYS_WAIT_MS);
	else
		timer_stop(s->key_wait);
	do_key(s, does);
}

/* How much of p a ^C in it makes void, itself included; 0: none. */
static size_t
interrupted(struct session *s, const uint8_t *p, size_t n)
{
	size_t i = n;

	while (i > 0 && p[i - 1] != 0x03)
		i--;
	if (i == 0)
		return 0;
	if (i <= JUMP_BYTES && buf_len(s->typed) == 0 &&
	    feed_input_idle(s->fs))
		return 0;	/* nothing to jump over */
	return i;
}

void
session_line_interrupt(struct session *s)
{
	const uint8_t c = 0x03;

	s->dropped = s->dropped || (!s->terminal && buf_len(s->typed) > 0);
	buf_clear(s->typed);
	keys_init(&s->keys, s->terminal ? s->lead_byte : KEYS_OFF);
	timer_stop(s->key_wait);
	/* While the console process is away it waits like anything typed. */
	if (!feed_interrupt(s->fs))
		(void)type_bytes(s, &c, 1);
}

static size_t
terminal_input(struct session *s, const uint8_t *p, size_t n)
{
	size_t i = interrupted(s, p, n), once;

	catch_up(s);
	if (i > 0)
		session_line_interrupt(s);
	while (i < n && s->state == SESSION_LIVE) {
		size_t plain = keys_plain(&s->keys, p + i, n - i);

		if (buf_room(s->typed) < KEYS_HELD_MAX)
			break;
		if (plain == 0) {
			key_byte(s, p[i++]);
			continue;
		}
		once = type_bytes(s, p + i, plain);
		i += once;
		if (once < plain)
			break;
	}
	return i;
}

size_t
session_line_input(struct session *s, const uint8_t *p, size_t n)
{
	s->sent = s->sent || n > 0;
	if (n > 0 && !s->reads)
		session_heard(s);
	return s->terminal ? terminal_input(s, p, n) : type_bytes(s, p, n);
}

static void
on_credit(void *arg, size_t n, bool dropped)
{
	struct session *s = arg;

	if (dropped && n > 0) {
		s->dropped = s->dropped || !s->terminal;
		/* The console process went away with them. */
		if (!feed_is_up(s->feed))
			session_notice(s, "%zu typed bytes may not have "
			    "reached the line", n);
	}
	session_line_push(s);
	quiet_from_now(s);
	if (buf_room(s->typed) > 0)
		session_ready(s);
}

/*
 * What else there is to be told
 */
void
session_line_answered(struct session *s, enum session_asked asked, int status,
    uint64_t offset)
{
	const struct feed_console *c = feed_attached(s->fs);
	char *info = NULL, *line, *next;

	if (asked == ASKED_INFO && s->collected != NULL && c != NULL)
		info = roster_info((const char *)buf_data(s->collected),
		    buf_len(s->collected), c->name);
	if (asked == ASKED_INFO && info == NULL)
		session_notice(s, "line info cannot be had now");
	for (line = info; line != NULL && *line != '\0'; line = next) {
		next = line + strcspn(line, "\n");
		if (*next != '\0')
			*next++ = '\0';
		session_notice(s, "%s", line);
	}
	free(info);
	if (asked == ASKED_DIGEST)
		show_digest(s);
	buf_free(s->collected);
	s->collected = NULL;
	if (asked == ASKED_DIGEST)
		ask_tail(s);
	/* Live output begins right after the last of those lines. */
	if (asked == ASKED_TAIL && status == ST_OK) {
		s->at = s->mark = offset;
		feed_taken(s->fs, offset);
	}
	s->ops->wants_pump(s->arg);
}

static void
on_pen(void *arg, bool writes, const char *text)
{
	struct session *s = arg;

	(void)writes;
	if (*text != '\0')
		session_notice(s, "%s", text);
}

static void
on_notice(void *arg, const char *text)
{
	struct session *s = arg;

	session_notice(s, "%s", text);
}

static void
on_ended(void *arg, const char *why)
{
	struct session *s = arg;

	/* A verb that has ended by itself is only to be read. */
	if (s->asked == ASKED_VERB && feed_request_is_over(s->request)) {
		timer_set(s->clock, ENDING_MS);
		return;
	}
	session_end(s, ST_FAILED, *why != '\0' ? why :
	    "this session was ended");
}

static void
on_link(void *arg, bool up)
{
	struct session *s = arg;

	if (!up && feed_attached(s->fs) != NULL)
		timer_set(s->away, AWAY_MS);
	if (!up)
		return;
	timer_stop(s->away);
	if (s->told_away)
		session_notice(s, "the console process is back");
	s->told_away = false;
	if (s->reads)
		feed_seen(s->fs, s->at, 0, SEEN_HERE);
	if (s->state == SESSION_WAITING)
		s->go(s);
}

const struct feed_session_ops session_line_ops = {
	on_attached, on_pen, on_credit, on_notice, on_data, on_ended, on_link
};
