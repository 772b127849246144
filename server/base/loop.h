/*
 * loop: one thread, descriptors (waiter.h), timers, signals.  Everything may
 * be freed from inside any callback: stale objects are marked and reaped after
 * the turn.  No callback runs for an object after its _free.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdint.h>

#include "clock.h"

struct loop;
struct watch;
struct timer;

typedef void watch_fn(void *arg, short revents);	/* poll(2) bits */
typedef void timer_fn(void *arg);
typedef void signal_fn(void *arg, int signo);

struct loop *loop_new(void);
void loop_free(struct loop *);

/* Turn until loop_stop; the status given there is returned. */
int loop_run(struct loop *);
void loop_stop(struct loop *, int status);

/* Time at which this turn began (cheap); loop_run keeps it fresh. */
struct mono loop_now(const struct loop *);

/*
 * Call fn once before each wait, after the callbacks of the turn: the place
 * for work gathered during the turn.  Functions run in the order added.
 */
void loop_each_turn(struct loop *, timer_fn *, void *arg);

/*
 * Call fn when any of events (POLLIN, POLLOUT; 0 for errors only) is there.
 * POLLHUP, POLLERR and POLLNVAL always come.  One watch per descriptor.  The
 * fd stays the caller's: watch_free first, close then.
 */
struct watch *watch_new(struct loop *, int fd, short events, watch_fn *,
    void *arg);
void watch_set(struct watch *, short events);
/* Nothing comes, not even an error, until watch_set. */
void watch_pause(struct watch *);
/* watch_set, or watch_pause where there is nothing to wait for. */
void watch_want(struct watch *, short events);
void watch_free(struct watch *);		/* NULL is fine */

/* Timers are one-shot: set again in the callback to repeat. */
struct timer *timer_new(struct loop *, timer_fn *, void *arg);
void timer_set(struct timer *, int64_t ms);	/* from now; again moves it */
void timer_set_us(struct timer *, int64_t us);
/* As timer_set, but leaves an earlier expiry alone. */
void timer_set_sooner(struct timer *, int64_t ms);
void timer_stop(struct timer *);
int timer_is_set(const struct timer *);
void timer_free(struct timer *);		/* NULL is fine */

/* Signals arrive as ordinary callbacks.  One loop per process may use it. */
void loop_signal(struct loop *, int signo, signal_fn *, void *arg);

#endif
