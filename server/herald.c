#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "herald.h"

#define RETRY_MIN_MS 10
#define RETRY_MAX_MS 1000
#define RETRY_TURN 64		/* messages */
#define LAST_TRIES 20		/* 10 ms apart */

struct voice {
	struct herald *herald;
	struct voice *next;
	const char *role;	/* NULL: ours */
	pid_t pid;
	int fd;
	struct watch *watch;
	bool ended;
	size_t waits;		/* bytes of record, not yet taken; 0: none */
	char record[LOG_RECORD];
};

struct herald {
	struct loop *loop;
	struct voice *first;	/* the one whose turn it is */
	struct voice *own;
	int own_fd;
	unsigned voices, ended;	/* ended: of them, and not yet heard */
	bool behind;		/* syslogd is: no voice is watched */
	struct timer *retry;
	struct backoff backoff;
};

enum heard {
	HEARD_ONE,
	HEARD_NOTHING,
	HEARD_END,		/* and there will be nothing more */
	HEARD_BEHIND,		/* syslogd does not take it now */
};

static enum heard
pass_one(struct voice *v)
{
	ssize_t n;

	while (v->waits == 0) {
		n = recv(v->fd, v->record, sizeof(v->record), MSG_DONTWAIT);
		if (n > 0)
			v->waits = (size_t)n;
		else if (n == -1 && errno == EAGAIN)
			return HEARD_NOTHING;
		else if (n == 0 || errno != EINTR)
			return HEARD_END;
	}
	if (log_pass(v->role, v->pid, v->record, v->waits) == -1)
		return HEARD_BEHIND;
	v->waits = 0;
	return HEARD_ONE;
}

static void
append(struct herald *h, struct voice *v)
{
	struct voice **at = &h->first;

	while (*at != NULL)
		at = &(*at)->next;
	v->next = NULL;
	*at = v;
}

static void
take_out(struct herald *h, struct voice *v)
{
	struct voice **at = &h->first;

	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
}

static void
voice_free(struct herald *h, struct voice *v)
{
	take_out(h, v);
	h->voices--;
	watch_free(v->watch);
	close(v->fd);
	free(v);
}

static void
fall_behind(struct herald *h)
{
	if (h->behind)
		return;
	h->behind = true;
	for (struct voice *v = h->first; v != NULL; v = v->next)
		watch_pause(v->watch);
	backoff_reset(&h->backoff);
	timer_set(h->retry, backoff_next(&h->backoff));
}

static void
catch_up(struct herald *h)
{
	struct voice *next;

	h->behind = false;
	h->ended = 0;
	log_release();
	for (struct voice *v = h->first; v != NULL; v = next) {
		next = v->next;
		if (v->ended)
			voice_free(h, v);
		else
			watch_set(v->watch, POLLIN);
	}
}

/* False: syslogd took nothing more before all was said. */
static bool
pass_in_turn(struct herald *h, unsigned max, bool *all)
{
	unsigned quiet = 0;

	for (*all = false; max > 0 && quiet < h->voices; max--) {
		struct voice *v = h->first;

		switch (pass_one(v)) {
		case HEARD_BEHIND:
			return false;
		case HEARD_ONE:
			backoff_reset(&h->backoff);
			quiet = 0;
			break;
		case HEARD_NOTHING:
		case HEARD_END:
			quiet++;
			break;
		}
		take_out(h, v);
		append(h, v);
	}
	*all = quiet == h->voices;
	return true;
}

static void
on_retry(void *arg)
{
	struct herald *h = arg;
	bool all;

	if (!pass_in_turn(h, RETRY_TURN + h->voices, &all))
		timer_set(h->retry, backoff_next(&h->backoff));
	else if (!all)
		timer_set(h->retry, 1);
	else
		catch_up(h);
}

static void
on_voice(void *arg, short revents)
{
	struct voice *v = arg;
	enum heard heard = HEARD_ONE;

	(void)revents;
	for (unsigned n = 0; n < HERALD_TURN && heard == HEARD_ONE; n++)
		heard = pass_one(v);
	if (heard == HEARD_BEHIND)
		fall_behind(v->herald);
	else if (heard == HEARD_END)
		watch_pause(v->watch);
	else if (heard == HEARD_NOTHING && v == v->herald->own)
		log_release();
}

struct voice *
voice_new(struct herald *h, const char *role, int *fd)
{
	struct voice *v;
	int pair[2];

	if (log_pair(pair) == -1)
		return NULL;
	v = xcalloc(1, sizeof(*v));
	v->herald = h;
	v->role = role;
	v->fd = pair[0];
	v->watch = watch_new(h->loop, v->fd, POLLIN, on_voice, v);
	if (h->behind)
		watch_pause(v->watch);
	append(h, v);
	h->voices++;
	*fd = pair[1];
	return v;
}

void
voice_is(struct voice *v, pid_t pid)
{
	v->pid = pid;
}

/* As in its socket, what came first stays. */
static void
forget(struct voice *v)
{
	unsigned lost = v->waits > 0;
	ssize_t n;

	do {
		n = recv(v->fd, v->record, sizeof(v->record), MSG_DONTWAIT);
		lost += n > 0;
	} while (n > 0);
	if (lost > 0)
		log_warn("%s process (pid %ld): its last %u messages were "
		    "lost, as syslogd takes none", v->role, (long)v->pid, lost);
	voice_free(v->herald, v);
}

void
voice_end(struct voice *v)
{
	struct herald *h = v->herald;
	enum heard heard = HEARD_ONE;

	while (!h->behind && heard == HEARD_ONE) {
		heard = pass_one(v);
		if (heard == HEARD_BEHIND)
			fall_behind(h);
	}
	if (!h->behind) {
		voice_free(h, v);
	} else if (h->ended == HERALD_ENDED_MAX) {
		forget(v);
	} else {
		v->ended = true;
		h->ended++;
	}
}

struct herald *
herald_new(struct loop *loop)
{
	struct herald *h = xcalloc(1, sizeof(*h));

	h->loop = loop;
	h->backoff.min_ms = RETRY_MIN_MS;
	h->backoff.max_ms = RETRY_MAX_MS;
	h->retry = timer_new(loop, on_retry, h);
	h->own = voice_new(h, NULL, &h->own_fd);
	if (h->own == NULL)
		fatal("socketpair");
	voice_is(h->own, getpid());
	log_hold(h->own_fd);
	return h;
}

void
herald_free(struct herald *h)
{
	const struct timespec pause = { 0, 10 * 1000 * 1000 };
	unsigned tries = 0;
	bool all;

	if (h == NULL)
		return;
	while (pass_in_turn(h, RETRY_TURN + h->voices, &all) ? !all :
	    ++tries < LAST_TRIES) {
		if (tries > 0)
			nanosleep(&pause, NULL);
	}
	log_hold(-1);
	close(h->own_fd);
	while (h->first != NULL)
		voice_free(h, h->first);
	timer_free(h->retry);
	free(h);
}
