#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "mem.h"
#include "waiter.h"

#define SIGNALS_MAX 32
#define TURNS_MAX 8
#define EVENTS_MAX 64	/* of one turn; the others come in the next */
#define NOT_ASKED (-1)
#define SHORT_NS 10000000	/* until the system may have memory again */

struct watch {
	struct loop *loop;
	uint64_t id;		/* never used again */
	int fd;
	short events;
	short asked;		/* what the waiter was told */
	bool paused;
	bool dead;
	watch_fn *fn;
	void *arg;
};

struct timer {
	struct loop *loop;
	struct mono at;
	bool set;
	bool dead;
	timer_fn *fn;
	void *arg;
};

struct loop {
	struct waiter *waiter;
	struct watch **watches;	/* in the order of their ids */
	size_t nwatches;
	uint64_t last_id;
	bool stale;		/* the waiter must be told something */
	bool reap;		/* something is dead */
	struct timer **timers;
	size_t ntimers;
	struct {
		timer_fn *fn;
		void *arg;
	} turns[TURNS_MAX];
	size_t nturns;
	struct {
		signal_fn *fn;
		void *arg;
	} signals[SIGNALS_MAX];
	struct mono now;
	bool stopped;
	int status;
};

/* The only way a handler can reach the loop: a pipe. */
static int signal_pipe[2] = { -1, -1 };

static void
on_signal(int signo)
{
	unsigned char c = (unsigned char)signo;
	int saved = errno;

	/* A pipe that is full of signals not yet handled has enough of them. */
	while (write(signal_pipe[1], &c, 1) == -1 && errno == EINTR)
		continue;
	errno = saved;
}

struct loop *
loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	l->waiter = waiter_new();
	l->now = mono_now();
	return l;
}

void
loop_free(struct loop *l)
{
	for (size_t i = 0; i < l->nwatches; i++)
		free(l->watches[i]);
	for (size_t i = 0; i < l->ntimers; i++)
		free(l->timers[i]);
	free(l->watches);
	free(l->timers);
	waiter_free(l->waiter);
	free(l);
}

void
loop_stop(struct loop *l, int status)
{
	l->stopped = true;
	l->status = status;
}

struct mono
loop_now(const struct loop *l)
{
	return l->now;
}

void
loop_each_turn(struct loop *l, timer_fn *fn, void *arg)
{
	if (l->nturns == TURNS_MAX)
		fatalx("loop: too many functions per turn");
	l->turns[l->nturns].fn = fn;
	l->turns[l->nturns++].arg = arg;
}

struct watch *
watch_new(struct loop *l, int fd, short events, watch_fn *fn, void *arg)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->loop = l;
	w->id = ++l->last_id;
	w->fd = fd;
	w->events = events;
	w->asked = NOT_ASKED;
	w->fn = fn;
	w->arg = arg;
	l->watches = xreallocarray(l->watches, l->nwatches + 1,
	    sizeof(*l->watches));
	l->watches[l->nwatches++] = w;
	l->stale = true;
	return w;
}

void
watch_set(struct watch *w, short events)
{
	if (w->events == events && !w->paused)
		return;
	w->events = events;
	w->paused = false;
	w->loop->stale = true;
}

void
watch_pause(struct watch *w)
{
	if (w->paused)
		return;
	w->paused = true;
	w->loop->stale = true;
}

void
watch_want(struct watch *w, short events)
{
	if (events == 0)
		watch_pause(w);
	else
		watch_set(w, events);
}

/*
 * A library may have closed its descriptor before (libssh does, when the peer
 * is gone): is the number used again, and watched for another?
 */
static bool
is_anothers(const struct watch *w)
{
	const struct loop *l = w->loop;

	for (size_t i = 0; i < l->nwatches; i++) {
		const struct watch *o = l->watches[i];

		if (o != w && o->fd == w->fd && o->asked != NOT_ASKED)
			return true;
	}
	return false;
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	/* At once: the descriptor is closed next. */
	if (w->asked != NOT_ASKED && !is_anothers(w))
		waiter_drop(w->loop->waiter, w->fd);
	w->asked = NOT_ASKED;
	w->dead = true;
	w->loop->reap = true;
}

struct timer *
timer_new(struct loop *l, timer_fn *fn, void *arg)
{
	struct timer *t = xcalloc(1, sizeof(*t));

	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	l->timers = xreallocarray(l->timers, l->ntimers + 1,
	    sizeof(*l->timers));
	l->timers[l->ntimers++] = t;
	return t;
}

void
timer_set_us(struct timer *t, int64_t us)
{
	t->at = (struct mono){ mono_now().us + us };
	t->set = true;
}

void
timer_set(struct timer *t, int64_t ms)
{
	timer_set_us(t, ms * 1000);
}

void
timer_set_sooner(struct timer *t, int64_t ms)
{
	struct mono at = mono_after(mono_now(), ms);

	if (t->set && t->at.us <= at.us)
		return;
	t->at = at;
	t->set = true;
}

void
timer_stop(struct timer *t)
{
	t->set = false;
}

int
timer_is_set(const struct timer *t)
{
	return t->set;
}

void
timer_free(struct timer *t)
{
	if (t == NULL)
		return;
	t->set = false;
	t->dead = true;
	t->loop->reap = true;
}

static void
deliver_signals(void *arg, short revents)
{
	struct loop *l = arg;
	unsigned char c[64];
	ssize_t n;

	(void)revents;
	n = read(signal_pipe[0], c, sizeof(c));
	for (ssize_t i = 0; i < n; i++) {
		if (c[i] < SIGNALS_MAX && l->signals[c[i]].fn != NULL)
			l->signals[c[i]].fn(l->signals[c[i]].arg, c[i]);
	}
}

void
loop_signal(struct loop *l, int signo, signal_fn *fn, void *arg)
{
	struct sigaction sa;

	if (signal_pipe[0] == -1) {
		if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) == -1)
			fatal("loop: pipe");
		watch_new(l, signal_pipe[0], POLLIN, deliver_signals, l);
	}
	l->signals[signo].fn = fn;
	l->signals[signo].arg = arg;
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_signal;
	sa.sa_flags = SA_RESTART;
	sigemptyset(&sa.sa_mask);
	if (sigaction(signo, &sa, NULL) == -1)
		fatal("loop: sigaction %d", signo);
}

static void
reap_dead(struct loop *l)
{
	size_t n = 0;

	if (!l->reap)
		return;
	for (size_t i = 0; i < l->nwatches; i++) {
		if (l->watches[i]->dead)
			free(l->watches[i]);
		else
			l->watches[n++] = l->watches[i];
	}
	l->nwatches = n;
	n = 0;
	for (size_t i = 0; i < l->ntimers; i++) {
		if (l->timers[i]->dead)
			free(l->timers[i]);
		else
			l->timers[n++] = l->timers[i];
	}
	l->ntimers = n;
	l->reap = false;
}

/* Have the waiter watch what this one wants by now.  False: not yet. */
static bool
ask(struct loop *l, struct watch *w)
{
	short want = w->dead || w->paused ? NOT_ASKED : w->events;
	int r = 0;

	if (want == w->asked)
		return true;
	if (want == NOT_ASKED)
		waiter_drop(l->waiter, w->fd);
	else if (w->asked == NOT_ASKED)
		r = waiter_add(l->waiter, w->fd, want, w->id);
	else
		r = waiter_change(l->waiter, w->fd, want, w->id);
	if (r == -1)
		return false;
	w->asked = want;
	return true;
}

static void
ask_all(struct loop *l)
{
	if (!l->stale)
		return;
	l->stale = false;
	for (size_t i = 0; i < l->nwatches; i++) {
		if (!ask(l, l->watches[i]))
			l->stale = true;
	}
}

/* Microseconds until the next timer, -1 for never. */
static int64_t
next_timer(const struct loop *l)
{
	int64_t wait = -1, us;

	for (size_t i = 0; i < l->ntimers; i++) {
		if (!l->timers[i]->set)
			continue;
		us = mono_us(l->now, l->timers[i]->at);
		if (us < 0)
			us = 0;
		if (wait == -1 || us < wait)
			wait = us;
	}
	return wait;
}

static int
wait_events(struct loop *l, struct waiter_event *events)
{
	const struct timespec pause = { 0, SHORT_NS };
	struct timespec ts;
	int64_t us;
	int n;

	l->now = mono_now();
	us = next_timer(l);
	if (l->stale && (us == -1 || us > SHORT_NS / 1000))
		us = SHORT_NS / 1000;
	if (us >= 0) {
		ts.tv_sec = (time_t)(us / 1000000);
		ts.tv_nsec = (long)(us % 1000000) * 1000;
	}
	n = waiter_sleep(l->waiter, us >= 0 ? &ts : NULL, events, EVENTS_MAX);
	if (n == -1 && errno == ENOMEM)
		nanosleep(&pause, NULL);
	else if (n == -1 && errno != EINTR && errno != EAGAIN)
		fatal("loop: wait");
	l->now = mono_now();
	return n;
}

static int
by_id(const void *key, const void *element)
{
	const uint64_t *id = key;
	struct watch *const *w = element;

	return *id < (*w)->id ? -1 : *id > (*w)->id;
}

/*
 * Something comes for a watch that is no more: its descriptor was closed
 * first, and lives on elsewhere.  Nobody can drop that, but all of them.
 */
static void
begin_anew(struct loop *l)
{
	waiter_free(l->waiter);
	l->waiter = waiter_new();
	for (size_t i = 0; i < l->nwatches; i++)
		l->watches[i]->asked = NOT_ASKED;
	l->stale = true;
}

static void
run_watches(struct loop *l, const struct waiter_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		struct watch **w = bsearch(&events[i].id, l->watches,
		    l->nwatches, sizeof(*l->watches), by_id);

		if (w == NULL)
			begin_anew(l);
		else if (!(*w)->dead && !(*w)->paused)
			(*w)->fn((*w)->arg, events[i].revents);
	}
}

static void
run_timers(struct loop *l)
{
	size_t n = l->ntimers;	/* those added meanwhile wait a turn */

	for (size_t i = 0; i < n; i++) {
		struct timer *t = l->timers[i];

		if (t->dead || !t->set || mono_us(l->now, t->at) > 0)
			continue;
		t->set = false;
		t->fn(t->arg);
	}
}

int
loop_run(struct loop *l)
{
	struct waiter_event events[EVENTS_MAX];
	int n;

	l->stopped = false;
	while (!l->stopped) {
		for (size_t i = 0; i < l->nturns; i++)
			l->turns[i].fn(l->turns[i].arg);
		if (l->stopped)
			break;
		reap_dead(l);
		ask_all(l);
		n = wait_events(l, events);
		if (n > 0)
			run_watches(l, events, n);
		run_timers(l);
	}
	reap_dead(l);
	return l->status;
}
