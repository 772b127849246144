#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/fileio.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "../server/base/thread.h"
#include "lookout.h"

#define NEVER INT64_MAX
#define GRID_US 100000		/* what comes meanwhile is looked at together */
#define URGENT_BYTES 32768
#define BLOCK 4096		/* between two looks at whether to stop */
#define TURN_BYTES 65536	/* of one console, then it is another's turn */
#define RATE_BYTES (1 << 20)	/* a second, of all consoles together, */
#define RATE_BURST (1 << 20)	/* ... after quiet */
#define LINES_MAX 16		/* changes of the line not yet looked at */

struct queued {
	struct queued *next;
	struct sighting s;
};

struct line_change {
	struct stamp when;
	uint64_t offset;
	bool up;
};

struct look {
	struct lookout *lookout;
	const struct history *history;
	char *console;
	void *arg;
	/* The thread's own. */
	struct alerts *alerts;
	struct crash *crash;
	uint64_t at;
	struct mono last;	/* output */
	/* Under the lock. */
	struct look_conf next;	/* rules to take over; its strings are ours */
	bool reconfigured;
	int64_t due;		/* mono us */
	struct queued *first, **end;
	size_t nqueued;
	struct look_state state;
	struct line_change changes[LINES_MAX];
	size_t nchanges;
	struct crash_info *crashes;
	size_t ncrashes;
	bool busy, closing;
	/* Anybody's. */
	atomic_bool poked, urgent, leave;
	_Atomic uint64_t seen;	/* at, for look_poke */
	_Atomic int64_t typed;	/* mono us; 0: never */
	uint64_t lines_from;
};

struct lookout {
	struct loop *loop;
	char *log_dir, *box;
	void (*sighted)(void *arg, const struct sighting *);
	struct watch *watch;
	int pipe[2];		/* thread to loop */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, quiet;
	/* Under the lock. */
	struct look **looks;
	size_t nlooks, turn;
	int64_t wake_at;
	bool stopping, ended;
	/* The thread's. */
	uint8_t block[BLOCK];
	int64_t credit;		/* bytes that may be looked at now */
	struct mono credited;
};

/* Locked. */
static void
schedule(struct look *l, int64_t due)
{
	struct lookout *o = l->lookout;

	if (due < l->due)
		l->due = due;
	if (l->due < o->wake_at) {
		o->wake_at = l->due;
		pthread_cond_signal(&o->wake);
	}
}

/*
 * Sightings, from the thread.
 */
static void
enqueue(struct look *l, const struct sighting *s)
{
	struct queued *q = xmalloc(sizeof(*q));

	q->next = NULL;
	q->s = *s;
	pthread_mutex_lock(&l->lookout->lock);
	if (l->nqueued == LOOKOUT_QUEUE) {
		l->state.dropped++;
		free(q);
	} else {
		*l->end = q;
		l->end = &q->next;
		l->nqueued++;
	}
	pthread_mutex_unlock(&l->lookout->lock);
	/* When it is full the loop has enough reason to look already. */
	while (write(l->lookout->pipe[1], "", 1) == -1 && errno == EINTR)
		continue;
}

static void
sight(struct look *l, const struct alert_hit *hit, enum sight what)
{
	struct sighting s = { .sight = what, .on = hit->rule->on,
	    .severity = hit->rule->severity, .when = hit->when,
	    .offset = hit->offset, .more = hit->more, .over = hit->over };

	snprintf(s.name, sizeof(s.name), "%s", hit->rule->name);
	snprintf(s.text, sizeof(s.text), "%s", hit->text);
	s.lines = l->lines_from + alerts_lines(l->alerts);
	enqueue(l, &s);
}

static void
publish_crashes(struct look *l)
{
	size_t n;
	struct crash_info *all = crash_list(l->lookout->log_dir, l->console,
	    &n), *old;

	pthread_mutex_lock(&l->lookout->lock);
	old = l->crashes;
	l->crashes = all;
	l->ncrashes = n;
	pthread_mutex_unlock(&l->lookout->lock);
	free(old);
}

static void
on_raised(void *arg, const struct alert_hit *hit)
{
	struct look *l = arg;

	sight(l, hit, SIGHT_RAISED);
	if (hit->rule->crash && !hit->over &&
	    crash_happened(l->crash, l->history, hit))
		publish_crashes(l);
}

static void
on_report(void *arg, const struct alert_hit *hit)
{
	sight(arg, hit, SIGHT_REPORT);
}

static const struct alerts_ops alerts_ops = { on_raised, on_report };

static void
see_crash(struct look *l, int64_t *due)
{
	struct sighting s = { .sight = SIGHT_CRASH, .when = stamp_now() };

	if (!crash_run(l->crash, l->history, l->at, l->last, s.when.mono,
	    due))
		return;
	publish_crashes(l);
	pthread_mutex_lock(&l->lookout->lock);
	if (l->ncrashes > 0)
		s.crash = l->crashes[l->ncrashes - 1];
	pthread_mutex_unlock(&l->lookout->lock);
	s.offset = l->at;
	s.lines = l->lines_from + alerts_lines(l->alerts);
	enqueue(l, &s);
}

/*
 * Rules that the loop has set.
 */
static void
free_conf(struct look_conf *c)
{
	for (size_t i = 0; i < c->nrules; i++) {
		free((void *)(uintptr_t)c->rules[i].name);
		free((void *)(uintptr_t)c->rules[i].match);
	}
	free((void *)(uintptr_t)c->rules);
	memset(c, 0, sizeof(*c));
}

static void
copy_conf(struct look_conf *to, const struct look_conf *from)
{
	struct alert_rule *rules = xcalloc(from->nrules, sizeof(*rules));

	*to = *from;
	for (size_t i = 0; i < from->nrules; i++) {
		rules[i] = from->rules[i];
		rules[i].name = xstrdup(from->rules[i].name);
		if (rules[i].match != NULL)
			rules[i].match = xstrdup(rules[i].match);
	}
	to->rules = rules;
}

/* The first time: where the history stands, and what a predecessor left. */
static void
begin(struct look *l, const struct look_conf *c)
{
	struct crash_conf crash = { l->lookout->log_dir, l->console,
	    l->lookout->box, c->crashes, c->crash_quiet_ms };
	struct stamp last, now = stamp_now();

	l->alerts = alerts_new(c->rules, c->nrules, &alerts_ops, l);
	if (l->at == 0 || history_time(l->history, l->at - 1, &last) == 0)
		last = now;
	l->last = last.mono;
	alerts_begin(l->alerts, last, now);
	l->crash = crash_new(&crash, l->history);
	publish_crashes(l);
}

static void
reconfigure(struct look *l)
{
	struct look_conf c;
	bool fresh;

	pthread_mutex_lock(&l->lookout->lock);
	fresh = l->reconfigured;
	l->reconfigured = false;
	c = l->next;
	memset(&l->next, 0, sizeof(l->next));
	pthread_mutex_unlock(&l->lookout->lock);
	if (!fresh)
		return;
	if (l->alerts == NULL) {
		begin(l, &c);
	} else {
		alerts_set_rules(l->alerts, c.rules, c.nrules);
		crash_configure(l->crash, c.crashes, c.crash_quiet_ms);
	}
	free_conf(&c);
}

/*
 * Looking
 */

/* The history lapped us. */
static void
skip(struct look *l)
{
	uint64_t to = history_tail(l->history) +
	    history_size(l->history) / 16;

	if (to > history_head(l->history))
		to = history_head(l->history);
	pthread_mutex_lock(&l->lookout->lock);
	l->state.skipped += to - l->at;
	pthread_mutex_unlock(&l->lookout->lock);
	l->at = to;
	alerts_skip(l->alerts, to);
}

/* Up to n bytes.  How many; 0: it is there. */
static size_t
look_on(struct look *l, size_t n)
{
	uint8_t *block = l->lookout->block;
	struct stamp when;
	size_t run;
	ssize_t got;

	got = history_read(l->history, l->at, block, n < BLOCK ? n : BLOCK);
	if (got == -1) {
		skip(l);
		return 1;
	}
	for (size_t done = 0; done < (size_t)got; done += run) {
		run = history_time(l->history, l->at, &when);
		if (run == 0 || run > (size_t)got - done)
			run = (size_t)got - done;
		alerts_data(l->alerts, when, l->at, block + done, run);
		l->at += run;
		l->last = when.mono;
	}
	return (size_t)got;
}

/* What happened to the line, where it did; *next is the first still ahead. */
static void
see_line(struct look *l, uint64_t *next)
{
	struct line_change c;

	for (;;) {
		*next = UINT64_MAX;
		pthread_mutex_lock(&l->lookout->lock);
		if (l->nchanges == 0 || l->changes[0].offset > l->at) {
			if (l->nchanges > 0)
				*next = l->changes[0].offset;
			pthread_mutex_unlock(&l->lookout->lock);
			return;
		}
		c = l->changes[0];
		l->nchanges--;
		memmove(&l->changes[0], &l->changes[1],
		    l->nchanges * sizeof(l->changes[0]));
		pthread_mutex_unlock(&l->lookout->lock);
		alerts_line(l->alerts, c.when, c.offset, c.up);
	}
}

/*
 * A flood, which no real line is, must not cost a processor: what is more than
 * may be looked at in time is skipped once the history laps us.
 */
static void
earn_credit(struct lookout *o)
{
	struct mono now = mono_now();
	int64_t us = mono_us(o->credited, now);

	o->credited = now;
	o->credit = us >= 1000000 ? RATE_BURST :
	    o->credit + us * RATE_BYTES / 1000000;
	if (o->credit > RATE_BURST)
		o->credit = RATE_BURST;
}

/* When there is enough for another turn: 0, at once. */
static int64_t
wait_for_credit(const struct lookout *o)
{
	return o->credit > 0 ? 0 : o->credited.us +
	    (TURN_BYTES - o->credit) * 1000000 / RATE_BYTES;
}

/* One turn.  When the next is due. */
static int64_t
run_look(struct look *l)
{
	int64_t due, crash, typed = atomic_load(&l->typed);
	uint64_t next;
	size_t n = 1, done = 0;

	reconfigure(l);
	earn_credit(l->lookout);
	if (typed != 0)
		alerts_typed(l->alerts, (struct mono){ typed });
	while (n > 0 && done < TURN_BYTES && l->lookout->credit > 0 &&
	    !atomic_load(&l->leave)) {
		/* What comes after a change of rules is judged by those. */
		reconfigure(l);
		see_line(l, &next);
		n = look_on(l, next - l->at < BLOCK ? (size_t)(next - l->at) :
		    BLOCK);
		done += n;
		l->lookout->credit -= (int64_t)n;
	}
	atomic_store(&l->seen, l->at);
	/* Until then a poke would wake us for nothing. */
	if (l->lookout->credit <= 0) {
		atomic_store(&l->poked, true);
		atomic_store(&l->urgent, true);
	}
	due = n > 0 ? wait_for_credit(l->lookout) :
	    alerts_tick(l->alerts, stamp_now(), l->at);
	see_crash(l, &crash);
	return crash < due ? crash : due;
}

/* Locked before and after, not meanwhile. */
static void
turn(struct lookout *o, struct look *l)
{
	int64_t due;

	l->due = NEVER;
	l->busy = true;
	pthread_mutex_unlock(&o->lock);
	atomic_store(&l->poked, false);
	atomic_store(&l->urgent, false);
	due = run_look(l);
	pthread_mutex_lock(&o->lock);
	l->state.offset = l->at;
	l->state.lines = l->lines_from + alerts_lines(l->alerts);
	l->busy = false;
	if (due < l->due)
		l->due = due;
	pthread_cond_broadcast(&o->quiet);
}

/* Locked. */
static struct look *
pick(struct lookout *o, int64_t now, int64_t *due)
{
	*due = NEVER;
	for (size_t i = 0; i < o->nlooks; i++) {
		struct look *l = o->looks[(o->turn + i) % o->nlooks];

		if (l->closing)
			continue;
		if (l->due <= now) {
			o->turn = (o->turn + i + 1) % o->nlooks;
			return l;
		}
		if (l->due < *due)
			*due = l->due;
	}
	return NULL;
}

static void
sleep_until(struct lookout *o, int64_t due)
{
	o->wake_at = due;
	if (due == NEVER)
		pthread_cond_wait(&o->wake, &o->lock);
	else
		thread_cond_wait(&o->wake, &o->lock, (struct mono){ due });
	o->wake_at = 0;
}

static void *
run(void *arg)
{
	struct lookout *o = arg;
	struct look *l;
	int64_t due;

	pthread_mutex_lock(&o->lock);
	while (!o->stopping) {
		l = pick(o, mono_now().us, &due);
		if (l != NULL)
			turn(o, l);
		else
			sleep_until(o, due);
	}
	o->ended = true;
	pthread_cond_broadcast(&o->quiet);
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

/*
 * The loop's side
 */
static struct queued *
take(struct lookout *o, void **arg)
{
	struct queued *q = NULL;

	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->nlooks && q == NULL; i++) {
		struct look *l = o->looks[i];

		q = l->first;
		if (q == NULL)
			continue;
		l->first = q->next;
		if (l->first == NULL)
			l->end = &l->first;
		l->nqueued--;
		*arg = l->arg;
	}
	pthread_mutex_unlock(&o->lock);
	return q;
}

static void
on_pipe(void *arg, short revents)
{
	struct lookout *o = arg;
	struct queued *q;
	char drain[64];
	void *whose = NULL;

	(void)revents;
	while (read(o->pipe[0], drain, sizeof(drain)) > 0)
		continue;
	while ((q = take(o, &whose)) != NULL) {
		o->sighted(whose, &q->s);
		free(q);
	}
}

static void
init_locks(struct lookout *o)
{
	pthread_mutex_init(&o->lock, NULL);
	thread_cond_init(&o->wake);
	thread_cond_init(&o->quiet);
}

static void
destroy(struct lookout *o)
{
	for (int i = 0; i < 2; i++) {
		if (o->pipe[i] != -1)
			close(o->pipe[i]);
	}
	pthread_mutex_destroy(&o->lock);
	pthread_cond_destroy(&o->wake);
	pthread_cond_destroy(&o->quiet);
	free(o->looks);
	free(o->log_dir);
	free(o->box);
	free(o);
}

struct lookout *
lookout_start(struct loop *loop, const char *log_dir, const char *box,
    void (*sighted)(void *arg, const struct sighting *))
{
	struct lookout *o = xcalloc(1, sizeof(*o));
	int saved;

	o->loop = loop;
	o->log_dir = xstrdup(log_dir);
	o->box = xstrdup(box);
	o->sighted = sighted;
	o->pipe[0] = o->pipe[1] = -1;
	init_locks(o);
	if (pipe(o->pipe) == 0 && fd_prepare(o->pipe[0]) == 0 &&
	    fd_prepare(o->pipe[1]) == 0 && thread_start(&o->thread, run, o) == 0) {
		o->watch = watch_new(loop, o->pipe[0], POLLIN, on_pipe, o);
		return o;
	}
	saved = errno;
	destroy(o);
	errno = saved;
	return NULL;
}

static void
free_look(struct look *l)
{
	struct queued *q;

	while ((q = l->first) != NULL) {
		l->first = q->next;
		free(q);
	}
	alerts_free(l->alerts);
	crash_free(l->crash);
	free_conf(&l->next);
	free(l->crashes);
	free(l->console);
	free(l);
}

bool
lookout_stop(struct lookout *o, int64_t deadline_ms)
{
	struct mono until = mono_after(mono_now(), deadline_ms);
	bool ended;

	pthread_mutex_lock(&o->lock);
	o->stopping = true;
	for (size_t i = 0; i < o->nlooks; i++)
		atomic_store(&o->looks[i]->leave, true);
	pthread_cond_signal(&o->wake);
	while (!o->ended && thread_cond_wait(&o->quiet, &o->lock, until))
		continue;
	ended = o->ended;
	pthread_mutex_unlock(&o->lock);
	watch_free(o->watch);
	if (!ended) {
		log_error("the thread that watches for alerts hangs, "
		    "giving up");
		pthread_detach(o->thread);
		return false;
	}
	pthread_join(o->thread, NULL);
	while (o->nlooks > 0)
		free_look(o->looks[--o->nlooks]);
	destroy(o);
	return true;
}

struct look *
look_open(struct lookout *o, const struct look_place *place,
    const struct look_conf *conf, void *arg)
{
	struct look *l = xcalloc(1, sizeof(*l));
	const struct history *h = place->history;

	l->lookout = o;
	l->history = h;
	l->console = xstrdup(place->console);
	l->arg = arg;
	l->end = &l->first;
	l->at = place->from;
	if (l->at < history_tail(h) || l->at > history_head(h))
		l->at = history_tail(h);
	if (l->at > place->from)
		l->state.skipped = l->at - place->from;
	l->seen = l->at;
	l->lines_from = place->lines;
	l->state.offset = l->at;
	l->state.lines = place->lines;
	copy_conf(&l->next, conf);
	l->reconfigured = true;
	l->due = NEVER;
	pthread_mutex_lock(&o->lock);
	o->looks = xreallocarray(o->looks, o->nlooks + 1,
	    sizeof(*o->looks));
	o->looks[o->nlooks++] = l;
	schedule(l, 0);
	pthread_mutex_unlock(&o->lock);
	return l;
}

void
look_close(struct look *l)
{
	struct lookout *o = l->lookout;
	size_t i = 0;

	atomic_store(&l->leave, true);
	pthread_mutex_lock(&o->lock);
	l->closing = true;
	while (l->busy)
		pthread_cond_wait(&o->quiet, &o->lock);
	while (o->looks[i] != l)
		i++;
	o->nlooks--;
	memmove(&o->looks[i], &o->looks[i + 1],
	    (o->nlooks - i) * sizeof(o->looks[0]));
	o->turn = 0;
	pthread_mutex_unlock(&o->lock);
	free_look(l);
}

void
look_configure(struct look *l, const struct look_conf *conf)
{
	struct look_conf fresh;

	copy_conf(&fresh, conf);
	pthread_mutex_lock(&l->lookout->lock);
	free_conf(&l->next);
	l->next = fresh;
	l->reconfigured = true;
	schedule(l, 0);
	pthread_mutex_unlock(&l->lookout->lock);
}

void
look_poke(struct look *l)
{
	bool urgent = history_head(l->history) - atomic_load(&l->seen) >=
	    URGENT_BYTES;
	int64_t now;

	if (urgent ? atomic_load(&l->urgent) : atomic_load(&l->poked))
		return;
	atomic_store(urgent ? &l->urgent : &l->poked, true);
	now = mono_now().us;
	pthread_mutex_lock(&l->lookout->lock);
	schedule(l, urgent ? now : (now / GRID_US + 2) * GRID_US);
	pthread_mutex_unlock(&l->lookout->lock);
}

void
look_typed(struct look *l)
{
	atomic_store(&l->typed, mono_now().us);
}

void
look_line(struct look *l, bool up)
{
	struct line_change *c;

	pthread_mutex_lock(&l->lookout->lock);
	/* So many at once are one: the last counts. */
	if (l->nchanges == LINES_MAX)
		l->nchanges--;
	c = &l->changes[l->nchanges++];
	c->when = stamp_now();
	c->offset = history_head(l->history);
	c->up = up;
	schedule(l, c->when.mono.us);
	pthread_mutex_unlock(&l->lookout->lock);
}

void
look_state(struct look *l, struct look_state *st)
{
	pthread_mutex_lock(&l->lookout->lock);
	*st = l->state;
	st->told = l->first != NULL ? l->first->s.offset : st->offset;
	st->told_lines = l->first != NULL ? l->first->s.lines : st->lines;
	pthread_mutex_unlock(&l->lookout->lock);
}

struct crash_info *
look_crashes(struct look *l, size_t *n)
{
	struct crash_info *all;

	pthread_mutex_lock(&l->lookout->lock);
	all = xcalloc(l->ncrashes, sizeof(*all));
	if (l->ncrashes > 0)
		memcpy(all, l->crashes, l->ncrashes * sizeof(*all));
	*n = l->ncrashes;
	pthread_mutex_unlock(&l->lookout->lock);
	return all;
}
