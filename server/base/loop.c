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
#include "os.h"

#define SIGNALS_MAX 32
#define TURNS_MAX 8
#define SHORT_NS 10000000	/* until the system may have memory again */

struct watch {
	struct loop *loop;
	int fd;
	short events;
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
	struct watch **watches;
	size_t nwatches;
	struct pollfd *pfds;
	struct watch **polled;	/* parallel to pfds */
	size_t npfds;
	bool stale;		/* pfds must be rebuilt */
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
	free(l->pfds);
	free(l->polled);
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
	w->fd = fd;
	w->events = events;
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

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	w->dead = true;
	w->loop->stale = true;
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

static void
rebuild(struct loop *l)
{
	if (!l->stale)
		return;
	l->pfds = xreallocarray(l->pfds, l->nwatches, sizeof(*l->pfds));
	l->polled = xreallocarray(l->polled, l->nwatches, sizeof(*l->polled));
	l->npfds = 0;
	for (size_t i = 0; i < l->nwatches; i++) {
		struct watch *w = l->watches[i];

		if (w->dead || w->paused)
			continue;
		l->pfds[l->npfds].fd = w->fd;
		l->pfds[l->npfds].events = w->events;
		l->pfds[l->npfds].revents = 0;
		l->polled[l->npfds++] = w;
	}
	l->stale = false;
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
wait_events(struct loop *l)
{
	const struct timespec pause = { 0, SHORT_NS };
	struct timespec ts;
	int64_t us;
	int n;

	l->now = mono_now();
	us = next_timer(l);
	if (us >= 0) {
		ts.tv_sec = (time_t)(us / 1000000);
		ts.tv_nsec = (long)(us % 1000000) * 1000;
	}
	n = os_poll(l->pfds, l->npfds, us >= 0 ? &ts : NULL);
	if (n == -1 && errno == ENOMEM)
		nanosleep(&pause, NULL);
	else if (n == -1 && errno != EINTR && errno != EAGAIN)
		fatal("poll");
	l->now = mono_now();
	return n;
}

static void
run_watches(struct loop *l, int n)
{
	for (size_t i = 0; n > 0 && i < l->npfds; i++) {
		struct watch *w = l->polled[i];
		short revents = l->pfds[i].revents;

		if (revents == 0)
			continue;
		n--;
		l->pfds[i].revents = 0;
		if (!w->dead && !w->paused)
			w->fn(w->arg, revents);
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
	int n;

	l->stopped = false;
	while (!l->stopped) {
		for (size_t i = 0; i < l->nturns; i++)
			l->turns[i].fn(l->turns[i].arg);
		if (l->stopped)
			break;
		reap_dead(l);
		rebuild(l);
		n = wait_events(l);
		if (n > 0)
			run_watches(l, n);
		run_timers(l);
	}
	reap_dead(l);
	return l->status;
}
