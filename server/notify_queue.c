#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "notify_queue_internal.h"

const char *
notify_severity_text(enum notify_severity severity)
{
	static const char *const texts[] = {
		[NOTIFY_INFO] = "info",
		[NOTIFY_WARNING] = "warning",
		[NOTIFY_CRITICAL] = "critical",
	};

	return texts[severity];
}

struct notify_queue *
notify_queue_new(void)
{
	struct notify_queue *q = xcalloc(1, sizeof(*q));

	q->items = xcalloc(NOTIFY_MESSAGES_MAX, sizeof(*q->items));
	return q;
}

void
notify_queue_free(struct notify_queue *q)
{
	if (q == NULL)
		return;
	free(q->items);
	free(q);
}

/*
 * Copied as far as whole characters fit.  What is no text would not survive
 * the file, and may do what it likes to headers and terminals: it is replaced.
 */
static void
copy_as(char *dst, size_t size, const char *src, bool lines)
{
	size_t left = strlen(src), room = size - 1;
	int n;

	while (left > 0) {
		n = str_utf8((const uint8_t *)src, left);
		if ((size_t)(n > 0 ? n : 1) > room)
			break;
		if (n <= 0)
			*dst = '?';
		else if (n == 1)
			*dst = ((uint8_t)*src < ' ' && !(lines &&
			    *src == '\n')) || *src == 0x7f ? ' ' : *src;
		else
			memcpy(dst, src, (size_t)n);
		n = n > 0 ? n : 1;
		dst += n;
		src += n;
		left -= (size_t)n;
		room -= (size_t)n;
	}
	*dst = '\0';
}

/* A name: it may become a header. */
static void
copy(char *dst, size_t size, const char *src)
{
	copy_as(dst, size, src, false);
}

/* A text, of one line or several. */
static void
copy_text(char *dst, size_t size, const char *src)
{
	copy_as(dst, size, src, true);
}

static struct mono
earlier(struct mono a, struct mono b)
{
	return a.us < b.us ? a : b;
}

static void
remove_item(struct notify_queue *q, size_t i)
{
	q->nitems--;
	memmove(&q->items[i], &q->items[i + 1],
	    (q->nitems - i) * sizeof(*q->items));
}

/* Sinks. */

static void
init_sink(struct sink *s, const struct notify_queue_sink *conf,
    struct mono now)
{
	memset(s, 0, sizeof(*s));
	copy(s->name, sizeof(s->name), conf->name);
	s->not_before = s->tried = now;
	s->retry = (struct backoff){ .min_ms = NOTIFY_RETRY_MS,
	    .max_ms = NOTIFY_RETRY_MAX_MS };
	s->refused = (struct backoff){ .min_ms = NOTIFY_REFUSED_MS,
	    .max_ms = NOTIFY_REFUSED_MAX_MS };
}

static size_t
find_sink(const struct sink *sinks, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(sinks[i].name, name) == 0)
			break;
	}
	return i;
}

void
notify_queue_set_sinks(struct notify_queue *q,
    const struct notify_queue_sink *conf, size_t n, struct mono now)
{
	struct sink old[NOTIFY_SINKS_MAX];
	size_t nold = q->nsinks, to;
	uint16_t owed;

	memcpy(old, q->sinks, sizeof(old));
	q->nsinks = n < NOTIFY_SINKS_MAX ? n : NOTIFY_SINKS_MAX;
	for (size_t i = 0; i < q->nsinks; i++) {
		to = find_sink(old, nold, conf[i].name);
		if (to < nold)
			q->sinks[i] = old[to];
		else
			init_sink(&q->sinks[i], &conf[i], now);
		q->sinks[i].last_resort = conf[i].last_resort;
	}
	for (size_t i = q->nitems; i-- > 0;) {
		owed = 0;
		for (size_t k = 0; k < nold; k++) {
			to = find_sink(q->sinks, q->nsinks, old[k].name);
			if (q->items[i].owed >> k & 1 && to < q->nsinks)
				owed |= (uint16_t)(1U << to);
		}
		q->items[i].owed = owed;
		if (owed == 0)
			remove_item(q, i);
	}
}

static uint16_t
resorts(const struct notify_queue *q, bool last)
{
	uint16_t mask = 0;

	for (size_t i = 0; i < q->nsinks; i++) {
		if (q->sinks[i].last_resort == last)
			mask |= (uint16_t)(1U << i);
	}
	return mask;
}

/* Adding. */

/* Room for one more: the oldest of the least severe goes. */
static void
make_room(struct notify_queue *q)
{
	size_t least = 0;

	if (q->nitems < NOTIFY_MESSAGES_MAX)
		return;
	for (size_t i = 1; i < q->nitems; i++) {
		if (q->items[i].m.severity < q->items[least].m.severity)
			least = i;
	}
	remove_item(q, least);
	q->lost++;
}

static void
put(struct notify_queue *q, const struct notify_event *e, struct stamp now)
{
	struct item *i;

	if (q->nsinks == 0)
		return;
	make_room(q);
	i = &q->items[q->nitems++];
	memset(i, 0, sizeof(*i));
	i->m.seq = ++q->seq;
	i->m.utc_us = now.utc_us;
	i->m.severity = e->severity;
	copy(i->m.source, sizeof(i->m.source), e->source);
	copy(i->m.event, sizeof(i->m.event), e->event);
	copy_text(i->m.text, sizeof(i->m.text), e->text);
	i->owed = resorts(q, false) | resorts(q, true);
	i->added = now.mono;
}

/* Forget what was added more than an hour ago. */
static void
pass_hour(struct notify_queue *q, struct mono now)
{
	size_t old = 0;

	while (old < q->nhour &&
	    mono_ms(q->hour[old], now) >= NOTIFY_HOUR_MS)
		old++;
	q->nhour -= old;
	memmove(q->hour, q->hour + old, q->nhour * sizeof(*q->hour));
}

/* False: the hour is full, it is only counted. */
static bool
put_in_hour(struct notify_queue *q, const struct notify_event *e,
    struct stamp now)
{
	pass_hour(q, now.mono);
	if (q->nhour == NOTIFY_HOURLY) {
		q->over_hour++;
		return false;
	}
	q->hour[q->nhour++] = now.mono;
	put(q, e, now);
	return true;
}

static struct key *
find_key(struct notify_queue *q, const struct notify_event *e)
{
	for (size_t i = 0; i < q->nkeys; i++) {
		if (strcmp(q->keys[i].source, e->source) == 0 &&
		    strcmp(q->keys[i].event, e->event) == 0)
			return &q->keys[i];
	}
	return NULL;
}

/* A fresh one; when all are taken, of those with the fewest to tell. */
static struct key *
new_key(struct notify_queue *q)
{
	struct key *least = &q->keys[0];

	if (q->nkeys < KEYS_MAX)
		return &q->keys[q->nkeys++];
	for (size_t i = 1; i < q->nkeys; i++) {
		if (q->keys[i].counted < least->counted)
			least = &q->keys[i];
	}
	q->over_hour += least->counted;
	return least;
}

/* k: the one it had, whose time is over; NULL: none. */
static void
begin_key(struct notify_queue *q, struct key *k, const struct notify_event *e,
    struct mono now)
{
	if (k == NULL)
		k = new_key(q);
	memset(k, 0, sizeof(*k));
	copy(k->source, sizeof(k->source), e->source);
	copy(k->event, sizeof(k->event), e->event);
	k->window_ms = NOTIFY_AGAIN_MS;
	k->until = mono_after(now, k->window_ms);
}

static bool
seen(struct notify_queue *q, uint64_t id)
{
	if (id == 0)
		return false;
	for (size_t i = 0; i < q->nids; i++) {
		if (q->ids[i] == id)
			return true;
	}
	if (q->nids == IDS_MAX) {
		q->nids--;
		memmove(q->ids, q->ids + 1, q->nids * sizeof(*q->ids));
	}
	q->ids[q->nids++] = id;
	return false;
}

enum notify_taken
notify_queue_add(struct notify_queue *q, const struct notify_event *event,
    struct stamp now)
{
	char source[NOTIFY_NAME], name[NOTIFY_NAME];
	struct notify_event e = *event;
	struct key *k;

	/* As they are kept, so that long ones are found again. */
	copy(source, sizeof(source), e.source);
	copy(name, sizeof(name), e.event);
	e.source = source;
	e.event = name;
	if (seen(q, e.id))
		return NOTIFY_KNOWN;
	k = find_key(q, &e);
	if (k != NULL && (k->counted > 0 || k->until.us > now.mono.us)) {
		k->counted++;
		k->severity = e.severity;
		copy_text(k->text, sizeof(k->text), e.text);
		return NOTIFY_COUNTED;
	}
	begin_key(q, k, &e, now.mono);
	return put_in_hour(q, &e, now) ? NOTIFY_TAKEN : NOTIFY_COUNTED;
}

/* Sending. */

static bool
owes(const struct item *i, size_t sink)
{
	return (i->owed >> sink & 1) != 0;
}

/* When this sink may be told this. */
static struct mono
due(const struct notify_queue *q, const struct item *i, size_t sink)
{
	const struct sink *s = &q->sinks[sink];
	struct mono at = s->not_before, resort;

	if (!s->last_resort || (i->owed & resorts(q, false)) == 0)
		return at;
	resort = mono_after(i->added, NOTIFY_RESORT_MS);
	return resort.us > at.us ? resort : at;
}

const struct notify_message *
notify_queue_next(const struct notify_queue *q, size_t sink, struct mono now,
    int64_t *wait_ms)
{
	struct mono first = { INT64_MAX }, at;

	*wait_ms = -1;
	for (size_t i = 0; i < q->nitems && sink < q->nsinks; i++) {
		if (!owes(&q->items[i], sink))
			continue;
		at = due(q, &q->items[i], sink);
		if (at.us <= now.us)
			return &q->items[i].m;
		first = earlier(first, at);
	}
	/* Up to the next millisecond, not to its beginning. */
	if (first.us != INT64_MAX)
		*wait_ms = (mono_us(now, first) + 999) / 1000;
	return NULL;
}

static void
sink_result(struct sink *s, enum notify_outcome outcome, int64_t retry_ms,
    struct mono now)
{
	int64_t wait = 0;

	s->tried = now;
	s->unanswered = false;
	switch (outcome) {
	case NOTIFY_SENT:
		backoff_reset(&s->retry);
		backoff_reset(&s->refused);
		break;
	case NOTIFY_REFUSED:
		backoff_reset(&s->retry);
		wait = backoff_next(&s->refused);
		break;
	case NOTIFY_FAILED:
		s->unanswered = true;
		wait = backoff_next(&s->retry);
		break;
	case NOTIFY_LATER:
		wait = retry_ms;
		if (wait < 0) {
			wait = backoff_next(&s->retry);
			wait = wait < NOTIFY_LATER_MS ? NOTIFY_LATER_MS : wait;
		}
		if (wait < NOTIFY_RETRY_MS)
			wait = NOTIFY_RETRY_MS;
		if (wait > NOTIFY_LATER_MAX_MS)
			wait = NOTIFY_LATER_MAX_MS;
		break;
	}
	s->not_before = mono_after(now, wait);
}

static void
settle(struct notify_queue *q, size_t at, size_t sink,
    enum notify_outcome outcome)
{
	struct item *i = &q->items[at];

	i->owed &= (uint16_t)~(1U << sink);
	if (outcome == NOTIFY_SENT && !q->sinks[sink].last_resort)
		i->told = true;
	/* Somebody knows: nobody need pay for it. */
	if (i->told)
		i->owed &= resorts(q, false);
	if (i->owed == 0)
		remove_item(q, at);
}

void
notify_queue_result(struct notify_queue *q, size_t sink, uint64_t seq,
    enum notify_outcome outcome, int64_t retry_ms, struct mono now)
{
	if (sink >= q->nsinks)
		return;
	sink_result(&q->sinks[sink], outcome, retry_ms, now);
	if (outcome == NOTIFY_FAILED || outcome == NOTIFY_LATER)
		return;
	for (size_t i = 0; i < q->nitems; i++) {
		if (q->items[i].m.seq == seq && owes(&q->items[i], sink)) {
			settle(q, i, sink, outcome);
			return;
		}
	}
}

void
notify_queue_kick(struct notify_queue *q, struct mono now)
{
	struct sink *s;

	(void)now;
	for (size_t i = 0; i < q->nsinks; i++) {
		s = &q->sinks[i];
		if (!s->unanswered)
			continue;
		backoff_reset(&s->retry);
		s->not_before = earlier(s->not_before,
		    mono_after(s->tried, NOTIFY_RETRY_MS));
	}
}

/* Time. */

/* Its time is over: tell what was counted, or forget it. */
static bool
end_key(struct notify_queue *q, size_t at, struct stamp now)
{
	struct key *k = &q->keys[at];
	char text[NOTIFY_TEXT], tail[80], span[STR_NUM];
	struct notify_event e = { 0, k->severity, k->source, k->event, text };

	if (k->counted == 0) {
		*k = q->keys[--q->nkeys];
		return false;
	}
	snprintf(tail, sizeof(tail), " (%u of them in %s)", k->counted,
	    str_duration_text(span, k->window_ms));
	copy_text(text, sizeof(text) - strlen(tail), k->text);
	strcat(text, tail);
	k->counted = 0;
	k->window_ms *= 2;
	if (k->window_ms > NOTIFY_AGAIN_MAX_MS)
		k->window_ms = NOTIFY_AGAIN_MAX_MS;
	k->until = mono_after(now.mono, k->window_ms);
	put_in_hour(q, &e, now);
	return true;
}

static void
tell_over_hour(struct notify_queue *q, struct stamp now)
{
	char text[80];
	struct notify_event e = { 0, NOTIFY_WARNING, "", "suppressed", text };

	snprintf(text, sizeof(text), "%u notifications were suppressed: more "
	    "than %d in an hour", q->over_hour, NOTIFY_HOURLY);
	q->over_hour = 0;
	put_in_hour(q, &e, now);
}

int64_t
notify_queue_tick(struct notify_queue *q, struct stamp now, bool *changed)
{
	struct mono first = { INT64_MAX };

	for (size_t i = q->nkeys; i-- > 0;) {
		if (q->keys[i].until.us <= now.mono.us &&
		    end_key(q, i, now))
			*changed = true;
	}
	pass_hour(q, now.mono);
	if (q->over_hour > 0 && q->nhour < NOTIFY_HOURLY) {
		tell_over_hour(q, now);
		*changed = true;
	}
	for (size_t i = q->nitems; i-- > 0;) {
		if (mono_ms(q->items[i].added, now.mono) < NOTIFY_LIFE_MS)
			continue;
		remove_item(q, i);
		q->lost++;
		*changed = true;
	}
	for (size_t i = 0; i < q->nkeys; i++) {
		/* Nothing to tell: it is forgotten at the next occasion. */
		if (q->keys[i].counted > 0)
			first = earlier(first, q->keys[i].until);
	}
	if (q->over_hour > 0)
		first = earlier(first, mono_after(q->hour[0], NOTIFY_HOUR_MS));
	if (q->nitems > 0)
		first = earlier(first, mono_after(q->items[0].added,
		    NOTIFY_LIFE_MS));
	return first.us == INT64_MAX ? -1 :
	    (mono_us(now.mono, first) + 999) / 1000;
}

size_t
notify_queue_owed(const struct notify_queue *q, size_t sink)
{
	size_t n = 0;

	for (size_t i = 0; i < q->nitems; i++)
		n += owes(&q->items[i], sink);
	return n;
}

size_t
notify_queue_count(const struct notify_queue *q)
{
	return q->nitems;
}

uint64_t
notify_queue_lost(const struct notify_queue *q)
{
	return q->lost;
}
