/*
 * feed_help: a feed of a fake console process, and those who look at it.
 */
#ifndef TESTS_FEED_HELP_H
#define TESTS_FEED_HELP_H

#include "fake_console.h"
#include "server/feed.h"

#define TEXT 4096

struct viewer {
	struct feed_session *fs;
	struct feed *feed;
	struct timer *timer;		/* NULL: takes all at once */
	size_t per_turn;
	bool stopped;
	uint64_t at, start, lost;
	uint8_t *got;
	size_t ngot;
	int nattached, status, ndata, nended, nup, ndown, nroom;
	bool writes;
	size_t credit, dropped;
	char text[TEXT];		/* last attached, pen, ended text */
	char notices[TEXT];
};

struct desk {
	struct fake *k;
	struct feed *feed;
	int ups, downs, changes;
	char why[128];
	struct viewer v[4];
};

static inline void
on_up(void *arg)
{
	((struct desk *)arg)->ups++;
}

static inline void
on_down(void *arg, const char *why)
{
	struct desk *d = arg;

	d->downs++;
	snprintf(d->why, sizeof(d->why), "%s", why);
}

static inline void
on_consoles(void *arg)
{
	((struct desk *)arg)->changes++;
}

static const struct feed_ops feed_ops = { .up = on_up, .down = on_down,
    .consoles = on_consoles };

static inline void
take(struct viewer *v, size_t most)
{
	const uint8_t *p;
	size_t n;

	while (most > 0) {
		uint64_t before = v->at;

		n = feed_peek(v->fs, &v->at, &p);
		if (before != FEED_NEWEST && v->at > before)
			v->lost += v->at - before;
		if (before == FEED_NEWEST && v->at != before)
			v->start = v->at;
		if (n > most)
			n = most;
		if (n == 0)
			return;
		assert_true(v->ngot + n <= FAKE_HISTORY);
		memcpy(v->got + v->ngot, p, n);
		v->ngot += n;
		v->at += n;
		most -= n;
		feed_taken(v->fs, v->at);
	}
}

static inline void
on_timer(void *arg)
{
	struct viewer *v = arg;

	take(v, v->per_turn);
	timer_set(v->timer, 1);
}

static inline void
on_attached(void *arg, int status, bool writes, const char *text)
{
	struct viewer *v = arg;

	v->nattached++;
	v->status = status;
	v->writes = writes;
	v->at = v->start = feed_head(v->fs);
	snprintf(v->text, TEXT, "%s", text);
}

static inline void
on_pen(void *arg, bool writes, const char *text)
{
	struct viewer *v = arg;

	v->writes = writes;
	snprintf(v->text, TEXT, "%s", text);
}

static inline void
on_credit(void *arg, size_t n, bool dropped)
{
	struct viewer *v = arg;

	if (n == 0)
		v->nroom++;
	if (dropped)
		v->dropped += n;
	else
		v->credit += n;
}

static inline void
on_notice(void *arg, const char *text)
{
	struct viewer *v = arg;

	strncat(v->notices, text, TEXT - strlen(v->notices) - 2);
	strcat(v->notices, "\n");
}

static inline void
on_data(void *arg)
{
	struct viewer *v = arg;

	v->ndata++;
	if (!v->stopped && v->timer == NULL)
		take(v, SIZE_MAX);
}

static inline void
on_ended(void *arg, const char *why)
{
	struct viewer *v = arg;

	v->nended++;
	snprintf(v->text, TEXT, "%s", why);
}

static inline void
on_link(void *arg, bool up)
{
	struct viewer *v = arg;

	if (up)
		v->nup++;
	else
		v->ndown++;
}

static const struct feed_session_ops session_ops = {
	on_attached, on_pen, on_credit, on_notice, on_data, on_ended, on_link
};

static inline void
open_viewer(struct desk *d, size_t i, const char *user)
{
	const struct feed_user who = { user, "192.0.2.1", "ssh", "SHA256:x",
	    NULL };
	struct viewer *v = &d->v[i];

	v->feed = d->feed;
	if (v->got == NULL)
		v->got = malloc(FAKE_HISTORY);
	v->fs = feed_open(d->feed, &who, &session_ops, v);
}

static inline void
attach(struct desk *d, size_t i, const char *console)
{
	int before = d->v[i].nattached;

	feed_attach(d->v[i].fs, console, ATTACH_AUTO);
	UNTIL(d->k, d->v[i].nattached > before);
	assert_int_equal(d->v[i].status, ST_OK);
	/* The subscription is answered, too. */
	UNTIL(d->k, feed_head(d->v[i].fs) != FEED_NEWEST);
}

static inline int
set_up(void **state)
{
	static const char *const names[] = { "gw", "sw" };
	struct desk *d = calloc(1, sizeof(*d));

	d->k = fake_new(names, 2);
	d->feed = feed_new(d->k->loop, "test", &feed_ops, d);
	feed_link(d->feed, fake_connect(d->k));
	UNTIL(d->k, feed_is_up(d->feed));
	*state = d;
	return 0;
}

static inline int
tear_down(void **state)
{
	struct desk *d = *state;

	for (int i = 0; i < 4; i++) {
		feed_close(d->v[i].fs);
		timer_free(d->v[i].timer);
		free(d->v[i].got);
	}
	feed_free(d->feed);
	fake_free(d->k);
	free(d);
	return 0;
}

static inline void
assert_stream(const struct desk *d, const struct viewer *v, size_t line)
{
	const struct fake_line *l = &d->k->lines[line];

	assert_int_equal(v->lost, 0);
	assert_int_equal(v->start + v->ngot, l->head);
	assert_memory_equal(v->got, l->history + (v->start - l->base),
	    v->ngot);
}

/* Bytes that differ everywhere. */
static inline void
flood(struct desk *d, size_t line, size_t n)
{
	uint8_t block[4096];

	for (size_t done = 0; done < n; done += sizeof(block)) {
		for (size_t i = 0; i < sizeof(block); i += 8) {
			uint64_t at = (done + i) * 2654435761u;

			memcpy(block + i, &at, 8);
		}
		fake_says(d->k, line, block, sizeof(block));
	}
}

#define AT_DESK(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

#endif
