#include <jansson.h>
#include <string.h>

#include "notify_queue_internal.h"

/*
 * The queue as JSON.  "format" changes when what stands here does; a program
 * that does not know it begins an empty queue and keeps the file beside it.
 * Times are how long ago, or how long yet, at "utc_us": monotonic time means
 * nothing after a boot.
 */
#define FORMAT "oobd notify 1"
#define CLOCK_WAS_SET_US 1577836800000000	/* 2020 */

static json_t *
owed_json(const struct notify_queue *q, const struct item *i)
{
	json_t *names = json_array();

	for (size_t s = 0; s < q->nsinks; s++) {
		if (i->owed >> s & 1)
			json_array_append_new(names,
			    json_string(q->sinks[s].name));
	}
	return names;
}

static json_t *
messages_json(const struct notify_queue *q, struct mono now)
{
	json_t *all = json_array();

	for (size_t n = 0; n < q->nitems; n++) {
		const struct item *i = &q->items[n];

		json_array_append_new(all, json_pack("{s:I, s:I, s:I, s:i, "
		    "s:s, s:s, s:s, s:b, s:o}", "seq", (json_int_t)i->m.seq,
		    "utc_us", (json_int_t)i->m.utc_us,
		    "age_ms", (json_int_t)mono_ms(i->added, now),
		    "severity", (int)i->m.severity, "source", i->m.source,
		    "event", i->m.event, "text", i->m.text, "told", i->told,
		    "owed", owed_json(q, i)));
	}
	return all;
}

static json_t *
keys_json(const struct notify_queue *q, struct mono now)
{
	json_t *all = json_array();

	for (size_t n = 0; n < q->nkeys; n++) {
		const struct key *k = &q->keys[n];

		json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:i, "
		    "s:I, s:I, s:I}", "source", k->source, "event", k->event,
		    "text", k->text, "severity", (int)k->severity,
		    "counted", (json_int_t)k->counted,
		    "window_ms", (json_int_t)k->window_ms,
		    "left_ms", (json_int_t)mono_ms(now, k->until)));
	}
	return all;
}

static json_t *
sinks_json(const struct notify_queue *q, struct mono now)
{
	json_t *all = json_array();

	for (size_t i = 0; i < q->nsinks; i++)
		json_array_append_new(all, json_pack("{s:s, s:I}", "name",
		    q->sinks[i].name, "wait_ms",
		    (json_int_t)mono_ms(now, q->sinks[i].not_before)));
	return all;
}

char *
notify_queue_save(const struct notify_queue *q, struct stamp now)
{
	json_t *o, *ids = json_array(), *hour = json_array();
	char *text;

	for (size_t i = 0; i < q->nids; i++)
		json_array_append_new(ids, json_integer((json_int_t)q->ids[i]));
	for (size_t i = 0; i < q->nhour; i++)
		json_array_append_new(hour, json_integer(
		    (json_int_t)mono_ms(q->hour[i], now.mono)));
	o = json_pack("{s:s, s:I, s:I, s:o, s:o, s:I, s:o, s:o, s:o}",
	    "format", FORMAT, "utc_us", (json_int_t)now.utc_us,
	    "seq", (json_int_t)q->seq, "ids", ids, "hour_ms", hour,
	    "over_hour", (json_int_t)q->over_hour,
	    "sinks", sinks_json(q, now.mono), "keys", keys_json(q, now.mono),
	    "messages", messages_json(q, now.mono));
	text = json_dumps(o, JSON_INDENT(1));
	json_decref(o);
	return text;
}

/* Back again.  Nothing in the file is believed to fit. */

struct load {
	struct notify_queue *q;
	struct mono now;
	int64_t elapsed_ms;	/* since it was saved, as far as is known */
};

static int64_t
number(const json_t *o, const char *key, int64_t min, int64_t max)
{
	int64_t v = json_integer_value(json_object_get(o, key));

	return v < min ? min : v > max ? max : v;
}

static bool
text(const json_t *o, const char *key, char *dst, size_t size)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (s == NULL || strlen(s) >= size)
		return false;
	strcpy(dst, s);
	return true;
}

/* The moment that lay age_ms back then. */
static struct mono
ago(const struct load *l, int64_t age_ms)
{
	return mono_after(l->now, -(age_ms + l->elapsed_ms));
}

static void
load_sink(struct load *l, const json_t *o)
{
	char name[NOTIFY_NAME];
	int64_t wait;

	if (!text(o, "name", name, sizeof(name)))
		return;
	wait = number(o, "wait_ms", 0, NOTIFY_LATER_MAX_MS) - l->elapsed_ms;
	if (wait < NOTIFY_RETRY_MS)
		wait = NOTIFY_RETRY_MS;
	for (size_t i = 0; i < l->q->nsinks; i++) {
		if (strcmp(l->q->sinks[i].name, name) == 0)
			l->q->sinks[i].not_before = mono_after(l->now, wait);
	}
}

static void
load_key(struct load *l, const json_t *o)
{
	struct key *k = &l->q->keys[l->q->nkeys];
	int64_t left;

	if (l->q->nkeys == KEYS_MAX ||
	    !text(o, "source", k->source, sizeof(k->source)) ||
	    !text(o, "event", k->event, sizeof(k->event)) ||
	    !text(o, "text", k->text, sizeof(k->text)))
		return;
	k->severity = (enum notify_severity)number(o, "severity", NOTIFY_INFO,
	    NOTIFY_CRITICAL);
	k->counted = (uint32_t)number(o, "counted", 0, INT32_MAX);
	k->window_ms = number(o, "window_ms", NOTIFY_AGAIN_MS,
	    NOTIFY_AGAIN_MAX_MS);
	left = number(o, "left_ms", 0, k->window_ms) - l->elapsed_ms;
	k->until = mono_after(l->now, left < 0 ? 0 : left);
	l->q->nkeys++;
}

static uint16_t
load_owed(const struct load *l, const json_t *names)
{
	uint16_t owed = 0;
	const char *name;

	for (size_t i = 0; i < json_array_size(names); i++) {
		name = json_string_value(json_array_get(names, i));
		for (size_t s = 0; name != NULL && s < l->q->nsinks; s++) {
			if (strcmp(l->q->sinks[s].name, name) == 0)
				owed |= (uint16_t)(1U << s);
		}
	}
	return owed;
}

static void
load_message(struct load *l, const json_t *o)
{
	struct item i;

	memset(&i, 0, sizeof(i));
	i.m.seq = (uint64_t)number(o, "seq", 0, INT64_MAX);
	i.m.utc_us = number(o, "utc_us", 0, INT64_MAX);
	i.m.severity = (enum notify_severity)number(o, "severity", NOTIFY_INFO,
	    NOTIFY_CRITICAL);
	i.told = json_is_true(json_object_get(o, "told"));
	i.owed = load_owed(l, json_object_get(o, "owed"));
	i.added = ago(l, number(o, "age_ms", 0, NOTIFY_LIFE_MS));
	if (l->q->nitems == NOTIFY_MESSAGES_MAX || i.owed == 0 ||
	    i.m.seq == 0 || i.m.seq > l->q->seq ||
	    !text(o, "source", i.m.source, sizeof(i.m.source)) ||
	    !text(o, "event", i.m.event, sizeof(i.m.event)) ||
	    !text(o, "text", i.m.text, sizeof(i.m.text)))
		return;
	l->q->items[l->q->nitems++] = i;
}

static void
load_hour(struct load *l, const json_t *ages)
{
	struct mono at;

	for (size_t i = 0; i < json_array_size(ages) && i < NOTIFY_HOURLY;
	    i++) {
		int64_t age = json_integer_value(json_array_get(ages, i));

		if (age < 0 || age + l->elapsed_ms >= NOTIFY_HOUR_MS)
			continue;
		at = ago(l, age);
		l->q->hour[l->q->nhour++] = at;
	}
}

static void
load_each(struct load *l, const json_t *list,
    void (*fn)(struct load *, const json_t *))
{
	for (size_t i = 0; i < json_array_size(list); i++)
		fn(l, json_array_get(list, i));
}

static void
load_all(struct load *l, const json_t *o)
{
	struct notify_queue *q = l->q;
	const json_t *ids = json_object_get(o, "ids");

	q->seq = (uint64_t)number(o, "seq", 0, INT64_MAX);
	q->over_hour = (uint32_t)number(o, "over_hour", 0, INT32_MAX);
	for (size_t i = 0; i < json_array_size(ids) && i < IDS_MAX; i++)
		q->ids[q->nids++] = (uint64_t)json_integer_value(
		    json_array_get(ids, i));
	load_hour(l, json_object_get(o, "hour_ms"));
	load_each(l, json_object_get(o, "sinks"), load_sink);
	load_each(l, json_object_get(o, "keys"), load_key);
	load_each(l, json_object_get(o, "messages"), load_message);
}

int
notify_queue_load(struct notify_queue *q, const char *p, size_t n,
    struct stamp now)
{
	struct load l = { q, now.mono, 0 };
	json_t *o = json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL);
	const char *format = json_string_value(json_object_get(o, "format"));
	int64_t saved;

	if (format == NULL || strcmp(format, FORMAT) != 0) {
		json_decref(o);
		return -1;
	}
	/*
	 * A clock that was set back, or was not set at all when this was
	 * saved, says nothing; a far leap says no more than that it is long.
	 */
	saved = number(o, "utc_us", 0, INT64_MAX);
	if (now.utc_us > saved && saved > CLOCK_WAS_SET_US)
		l.elapsed_ms = (now.utc_us - saved) / 1000;
	if (l.elapsed_ms > NOTIFY_LIFE_MS)
		l.elapsed_ms = NOTIFY_LIFE_MS;
	load_all(&l, o);
	json_decref(o);
	return 0;
}
