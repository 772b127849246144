#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "hub.h"

#define PLACE_TEXT 160
#define CLOSED_TEXT "nothing is recorded now, and this console is strict: " \
	"nobody may type"

/* A session of the same user that typed this recently is alive. */
#define OWN_IDLE_MS 1000
#define EVENT_TEXT 512

struct seat {
	struct hub *hub;
	struct seat_who who;	/* strings are ours */
	void *arg;
	struct mono since, typed;
	bool has_typed;		/* ever; typed is when it came, until then */
	bool watch;		/* chose to watch */
	bool refused;		/* was told why it cannot type */
	uint64_t asked;		/* place in the queue for the pen, 0: none */
};

struct hub {
	const struct hub_ops *ops;
	void *arg;
	bool shared;
	bool closed;		/* nobody may type now */
	struct seat **seats;
	size_t nseats;
	struct seat *writer;
	uint64_t asked;		/* places given out */
};

static void event(struct hub *, const char *, const char *, ...)
    __attribute__((format(printf, 3, 4)));
static void tell(struct seat *, const char *, ...)
    __attribute__((format(printf, 2, 3)));
static void tell_others(const struct seat *, const struct seat *,
    const char *, ...) __attribute__((format(printf, 3, 4)));
static void tell_pen(struct seat *, bool, const char *, ...)
    __attribute__((format(printf, 3, 4)));

static void
event(struct hub *h, const char *word, const char *fmt, ...)
{
	char text[EVENT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	h->ops->event(h->arg, word, text);
}

static void
tell(struct seat *s, const char *fmt, ...)
{
	char text[SEAT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->hub->ops->tell(s->arg, text);
}

/* Tell everyone at the hub of a but a and b (b may be NULL). */
static void
tell_others(const struct seat *a, const struct seat *b, const char *fmt, ...)
{
	struct hub *h = a->hub;
	char text[SEAT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < h->nseats; i++) {
		if (h->seats[i] != a && h->seats[i] != b)
			h->ops->tell(h->seats[i]->arg, text);
	}
}

static void
tell_pen(struct seat *s, bool writes, const char *fmt, ...)
{
	char text[SEAT_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->hub->ops->pen(s->arg, writes, text);
}

/* The one place where the pen changes hands; refusals may be told anew. */
static void
change_writer(struct hub *h, struct seat *to)
{
	h->writer = to;
	if (to != NULL) {
		to->asked = 0;
		to->watch = false;
	}
	for (size_t i = 0; i < h->nseats; i++)
		h->seats[i]->refused = false;
}

static bool
same_user(const struct seat *a, const struct seat *b)
{
	return strcmp(a->who.user, b->who.user) == 0;
}

/* May this seat have the pen at once, without asking anybody? */
static bool
pen_is_open(const struct seat *s, struct mono now)
{
	const struct seat *w = s->hub->writer;

	if (s->hub->closed)
		return false;
	if (w == NULL)
		return true;
	return same_user(w, s) &&
	    (!w->has_typed || seat_idle_ms(w, now) >= OWN_IDLE_MS);
}

static const char *
span_text(char *dst, size_t size, int64_t ms)
{
	int64_t s = ms / 1000;

	if (s < 120)
		snprintf(dst, size, "%" PRId64 " s", s);
	else if (s < 7200)
		snprintf(dst, size, "%" PRId64 " min", s / 60);
	else
		snprintf(dst, size, "%" PRId64 " h", s / 3600);
	return dst;
}

/* Quotes where the value is more than one word: key="a b". */
static const char *
value_text(char *dst, size_t size, const char *value)
{
	if (*value != '\0' && strpbrk(value, " \t\"") == NULL)
		snprintf(dst, size, "%s", value);
	else
		snprintf(dst, size, "\"%s\"", value);
	for (char *p = dst + 1; *p != '\0' && p[1] != '\0'; p++) {
		if (*p == '"')
			*p = '\'';
	}
	return dst;
}

static void
event_of(const struct seat *s, const char *word, const char *more)
{
	char user[80], from[160], via[160];

	event(s->hub, word, "user=%s from=%s via=%s id=%" PRIu32 "%s",
	    value_text(user, sizeof(user), s->who.user),
	    value_text(from, sizeof(from), s->who.from),
	    value_text(via, sizeof(via), s->who.via), s->who.id, more);
}

static void
event_pen(const struct seat *to, const struct seat *from, const char *how)
{
	char more[160], user[80];

	if (from == NULL)
		snprintf(more, sizeof(more), " how=%s", how);
	else
		snprintf(more, sizeof(more), " how=%s before=%s before_id=%"
		    PRIu32, how, value_text(user, sizeof(user),
		    from->who.user), from->who.id);
	event_of(to, "pen", more);
}

/* A free pen, or that of the user's own other session, goes to s. */
static void
pen_to(struct seat *s, const char *how)
{
	struct seat *old = s->hub->writer;

	change_writer(s->hub, s);
	event_pen(s, old, how);
	if (old == NULL) {
		tell_pen(s, true, "you have the pen");
		tell_others(s, NULL, "%s has the pen", s->who.user);
		return;
	}
	tell_pen(old, false, "the pen went to your session from %s",
	    s->who.from);
	tell_pen(s, true, "you have the pen, from your other session");
}

static struct seat *
first_asker(const struct hub *h)
{
	struct seat *first = NULL;

	if (h->closed)
		return NULL;

	for (size_t i = 0; i < h->nseats; i++) {
		struct seat *s = h->seats[i];

		if (s->asked != 0 && (first == NULL || s->asked < first->asked))
			first = s;
	}
	return first;
}

/* The pen left old, who is told by the caller.  On to who asked first. */
static void
pass_on(struct hub *h, const struct seat *old)
{
	struct seat *next = first_asker(h);

	change_writer(h, next);
	if (next != NULL) {
		event_pen(next, old, "asked");
		tell_pen(next, true, "you have the pen, %s gave it up",
		    old->who.user);
		tell_others(next, old, "%s has the pen", next->who.user);
		return;
	}
	for (size_t i = 0; i < h->nseats && !h->closed; i++) {
		struct seat *s = h->seats[i];

		if (s != old && s->who.may_write && !s->watch)
			tell(s, "the pen is free: type to take it");
	}
}

static void
release(struct seat *s, const char *why)
{
	struct hub *h = s->hub;

	if (h->writer != s)
		return;
	event_of(s, "pen", " how=given");
	/* Told before the next one is, so that both orders read well. */
	tell_pen(s, false, "%s", why);
	pass_on(h, s);
}

static const char *
refusal(const struct seat *s, struct mono now, char *dst, size_t size)
{
	const struct seat *w = s->hub->writer;
	char idle[32], holder[200] = "nobody has the pen";

	if (s->hub->shared)
		snprintf(holder, sizeof(holder), "everyone may type here");
	if (w != NULL)
		snprintf(holder, sizeof(holder),
		    "%s has the pen (%s from %s, idle %s)", w->who.user,
		    w->who.via, w->who.from,
		    span_text(idle, sizeof(idle), seat_idle_ms(w, now)));
	if (!s->who.may_write)
		snprintf(dst, size, "you may only watch; %s", holder);
	else if (s->hub->closed)
		snprintf(dst, size, CLOSED_TEXT);
	else if (w == NULL)
		snprintf(dst, size, "you are watching, %s; ^Eca to type",
		    holder);
	else
		snprintf(dst, size, "%s; ^Eca asks for it, ^Ecf takes it",
		    holder);
	return dst;
}

struct hub *
hub_new(const struct hub_ops *ops, void *arg, bool shared)
{
	struct hub *h = xcalloc(1, sizeof(*h));

	h->ops = ops;
	h->arg = arg;
	h->shared = shared;
	return h;
}

static void
seat_free(struct seat *s)
{
	free((void *)(uintptr_t)s->who.user);
	free((void *)(uintptr_t)s->who.from);
	free((void *)(uintptr_t)s->who.via);
	free(s);
}

void
hub_free(struct hub *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->nseats; i++)
		seat_free(h->seats[i]);
	free(h->seats);
	free(h);
}

static struct seat *
last_typist(const struct hub *h)
{
	struct seat *last = NULL;

	for (size_t i = 0; i < h->nseats; i++) {
		struct seat *s = h->seats[i];

		if (s->who.may_write && !s->watch &&
		    (last == NULL || s->typed.us > last->typed.us))
			last = s;
	}
	return last;
}

void
hub_set_shared(struct hub *h, bool shared)
{
	if (h->shared == shared)
		return;
	h->shared = shared;
	change_writer(h, shared || h->closed ? NULL : last_typist(h));
	event(h, "sharing", "mode=%s", shared ? "all" : "single");
	for (size_t i = 0; i < h->nseats; i++) {
		struct seat *s = h->seats[i];

		if (shared)
			tell_pen(s, seat_writes(s), "everyone may type now");
		else if (s == h->writer)
			tell_pen(s, true, "one at a time now; you have the "
			    "pen");
		else
			tell_pen(s, false, "one at a time now; %s has the pen",
			    h->writer != NULL ? h->writer->who.user : "nobody");
	}
}

/* Nobody has the pen as long as h is closed. */
static void
open_or_close(struct hub *h, struct seat *old)
{
	event(h, "strict", "typing=%s", h->closed ? "refused" : "allowed");
	for (size_t i = 0; i < h->nseats; i++) {
		struct seat *s = h->seats[i];

		if (!s->who.may_write)
			continue;
		if (h->closed && (s == old || (h->shared && !s->watch)))
			tell_pen(s, false, CLOSED_TEXT);
		else if (!h->closed && seat_writes(s))
			tell_pen(s, true, "you may type again");
		else if (!h->closed && !s->watch)
			tell(s, "you may type again: type to take the pen");
	}
}

void
hub_set_closed(struct hub *h, bool closed)
{
	struct seat *old = h->writer;

	if (h->closed == closed)
		return;
	h->closed = closed;
	if (closed)
		change_writer(h, NULL);
	for (size_t i = 0; i < h->nseats; i++)
		h->seats[i]->refused = false;
	open_or_close(h, old);
}

/* What a relay says about where somebody is, is its word only. */
static const char *
place_text(char dst[PLACE_TEXT], const struct seat *s)
{
	bool relayed = strncmp(s->who.via, "relay ", 6) == 0;

	snprintf(dst, PLACE_TEXT, "%s%s%s", s->who.from,
	    relayed ? " via " : "", relayed ? s->who.via : "");
	return dst;
}

static void
announce(struct seat *s, struct seat *old, bool forced)
{
	const char *pen = seat_writes(s) ? " pen=yes" : " pen=no";
	char place[PLACE_TEXT];

	event_of(s, "attach", pen);
	place_text(place, s);
	if (old == NULL) {
		tell_others(s, NULL, "%s attached from %s%s", s->who.user,
		    place, !seat_writes(s) ? ", watching" :
		    s->hub->shared ? "" : " and has the pen");
		return;
	}
	event_pen(s, old, forced ? "taken" : "own");
	if (forced && !same_user(s, old))
		tell_pen(old, false, "%s attached from %s and took the pen; "
		    "^Eca asks for it back", s->who.user, place);
	else
		tell_pen(old, false, "the pen went to your session from %s",
		    place);
	tell_others(s, old, "%s attached from %s and took the pen%s%s",
	    s->who.user, place, forced ? " from " : "",
	    forced ? old->who.user : "");
}

struct seat *
hub_attach(struct hub *h, const struct seat_who *who,
    const struct hub_wish *wish, struct mono now, void *arg)
{
	struct seat *s = xcalloc(1, sizeof(*s)), *old = h->writer;
	bool wants = who->may_write && !wish->watch && !h->shared &&
	    !h->closed;

	s->hub = h;
	s->who = *who;
	s->who.user = xstrdup(who->user);
	s->who.from = xstrdup(who->from);
	s->who.via = xstrdup(who->via);
	s->arg = arg;
	s->since = s->typed = now;
	s->watch = wish->watch;
	h->seats = xreallocarray(h->seats, h->nseats + 1, sizeof(*h->seats));
	h->seats[h->nseats++] = s;
	if (wish->resume || wish->quiet) {
		if (wants && wish->resume && old == NULL)
			change_writer(h, s);
		return s;
	}
	if (wants && (wish->force || pen_is_open(s, now)))
		change_writer(h, s);
	announce(s, h->writer == s ? old : NULL, wish->force);
	return s;
}

void
hub_detach(struct seat *s, struct mono now, const char *why)
{
	struct hub *h = s->hub;
	char more[200], quoted[160];
	size_t i = 0;

	(void)now;
	while (h->seats[i] != s)
		i++;
	memmove(h->seats + i, h->seats + i + 1,
	    (h->nseats - i - 1) * sizeof(*h->seats));
	h->nseats--;
	snprintf(more, sizeof(more), " why=%s",
	    value_text(quoted, sizeof(quoted), why));
	event_of(s, "detach", more);
	tell_others(s, NULL, *why != '\0' ? "%s left (%s)" : "%s left",
	    s->who.user, why);
	if (h->writer == s)
		pass_on(h, s);
	seat_free(s);
}

bool
seat_writes(const struct seat *s)
{
	if (s->hub->shared)
		return s->who.may_write && !s->watch && !s->hub->closed;
	return s->hub->writer == s;
}

char *
seat_greet(const struct seat *s, struct mono now, char *dst, size_t size)
{
	size_t others = s->hub->nseats - 1;

	if (!seat_writes(s)) {
		refusal(s, now, dst, size);
		return dst;
	}
	snprintf(dst, size, "%s", s->hub->shared ? "everyone may type here" :
	    "you have the pen");
	if (others > 0)
		snprintf(dst + strlen(dst), size - strlen(dst), ", %zu other%s "
		    "attached", others, others == 1 ? "" : "s");
	return dst;
}

/* Shared: back from watching.  Single: s has it already. */
static bool
has_it_now(struct seat *s)
{
	bool watched = s->watch;

	s->watch = false;
	if (!s->hub->shared && s->hub->writer != s)
		return false;
	tell_pen(s, true, "%s", watched ? "you may type again" :
	    s->hub->shared ? "everyone may type here" :
	    "you have the pen already");
	return true;
}

/* He may not have it, or has it: told. */
static bool
is_settled(struct seat *s, struct mono now)
{
	char text[SEAT_TEXT];

	if (s->who.may_write && !s->hub->closed)
		return has_it_now(s);
	tell(s, "%s", refusal(s, now, text, sizeof(text)));
	return true;
}

void
seat_ask(struct seat *s, struct mono now)
{
	struct hub *h = s->hub;

	if (is_settled(s, now))
		return;
	if (pen_is_open(s, now)) {
		pen_to(s, h->writer == NULL ? "asked" : "own");
		return;
	}
	if (s->asked == 0)
		s->asked = ++h->asked;
	s->refused = false;
	tell(s, "asked %s for the pen; ^Ecf takes it", h->writer->who.user);
	tell(h->writer, "%s asks for the pen; ^Ecs gives it up", s->who.user);
}

void
seat_take(struct seat *s, struct mono now)
{
	struct hub *h = s->hub;
	struct seat *old = h->writer;

	if (is_settled(s, now))
		return;
	if (old == NULL || same_user(old, s)) {
		pen_to(s, old == NULL ? "taken" : "own");
		return;
	}
	change_writer(h, s);
	event_pen(s, old, "taken");
	tell_pen(old, false, "%s took the pen (%s from %s); ^Eca asks for it "
	    "back", s->who.user, s->who.via, s->who.from);
	tell_pen(s, true, "you took the pen from %s", old->who.user);
	tell_others(s, old, "%s took the pen from %s", s->who.user,
	    old->who.user);
}

void
seat_watch(struct seat *s, struct mono now)
{
	bool wrote = seat_writes(s);

	(void)now;
	s->watch = true;
	s->asked = 0;
	s->refused = false;
	if (s->hub->writer == s)
		release(s, "you are watching now; ^Eca to type again");
	else if (wrote)
		tell_pen(s, false, "you are watching now; ^Eca to type again");
	else
		tell(s, "you are watching");
}

void
seat_set_may_write(struct seat *s, bool may_write, struct mono now)
{
	bool wrote = seat_writes(s);

	(void)now;
	if (s->who.may_write == may_write)
		return;
	s->who.may_write = may_write;
	s->refused = false;
	if (!may_write)
		s->asked = 0;
	if (s->hub->writer == s && !may_write)
		release(s, "your rights were changed: you may only watch now");
	else if (wrote != seat_writes(s))
		tell_pen(s, !wrote, "your rights were changed: you may %s now",
		    wrote ? "only watch" : "type");
}

bool
seat_typed(struct seat *s, struct mono now)
{
	char text[SEAT_TEXT];

	if (!seat_writes(s) && !s->hub->shared && s->who.may_write &&
	    !s->watch && pen_is_open(s, now))
		pen_to(s, s->hub->writer == NULL ? "typed" : "own");
	if (seat_writes(s)) {
		s->typed = now;
		s->has_typed = true;
		return true;
	}
	if (!s->refused)
		tell(s, "%s", refusal(s, now, text, sizeof(text)));
	s->refused = true;
	return false;
}

void
hub_tell(struct hub *h, const struct seat *except, const char *text)
{
	for (size_t i = 0; i < h->nseats; i++) {
		if (h->seats[i] != except)
			h->ops->tell(h->seats[i]->arg, text);
	}
}

size_t
hub_count(const struct hub *h)
{
	return h->nseats;
}

const struct seat *
hub_seat_at(const struct hub *h, size_t i)
{
	return h->seats[i];
}

const struct seat_who *
seat_who(const struct seat *s)
{
	return &s->who;
}

int64_t
seat_idle_ms(const struct seat *s, struct mono now)
{
	return mono_ms(s->typed, now);
}

int64_t
seat_since_ms(const struct seat *s, struct mono now)
{
	return mono_ms(s->since, now);
}

void *
seat_arg(const struct seat *s)
{
	return s->arg;
}

const struct seat *
hub_writer(const struct hub *h)
{
	return h->writer;
}
