#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/fileio.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "../server/base/os.h"
#include "../server/base/thread.h"
#include "scribe_box.h"

#define GRID_US 100000		/* writing is put off to the next of these */
#define TYPING_US 5000000	/* scribe_typing lasts that long */
#define URGENT_BYTES 65536
#define WAITING_MAX 1024
#define EVENT_MAX 2048
#define CONTENT_MAX 1000	/* typed bytes per record; escaped, four each */
#define BEFORE_CONTENT 128	/* who typed, and how much */

static int64_t
now_us(void)
{
	return mono_now().us;
}

/* Have the thread look at this log at `due`.  Locked. */
void
scribe_schedule(struct scribe_log *l, int64_t due)
{
	struct scribe *s = l->scribe;

	if (due < l->due)
		l->due = due;
	if (l->due < s->wake_at) {
		s->wake_at = l->due;
		pthread_cond_signal(&s->wake);
	}
}

/* The next common moment: what comes meanwhile is written together. */
static int64_t
grid(int64_t now)
{
	return (now / GRID_US + 2) * GRID_US;
}

void
scribe_tell_loop(struct scribe *s)
{
	/* When it is full the loop has enough reason to look already. */
	while (write(s->pipe[1], "", 1) == -1 && errno == EINTR)
		continue;
}

/* From the syncer's thread. */
static void
on_synced(void *arg, const struct sync_job *job)
{
	struct scribe *s = arg;
	struct scribe_log *l = job->tag;

	if (l == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	l->syncing = false;
	l->sync_over = true;
	l->sync_upto = job->upto;
	l->sync_mark = job->mark;
	l->sync_error = job->error;
	scribe_schedule(l, now_us());	/* more may have become dirty meanwhile */
	pthread_cond_broadcast(&s->quiet);
	pthread_mutex_unlock(&s->lock);
}

/* The thread. */

static void
append_flush(struct flush **list, struct flush *f)
{
	while (*list != NULL)
		list = &(*list)->next;
	f->next = NULL;
	*list = f;
}

/* Flushes that every log has done, the oldest first.  Locked. */
static void
finish_flushes(struct scribe *s)
{
	struct flush *f;
	uint64_t done = UINT64_MAX;

	for (size_t i = 0; i < s->nlogs; i++) {
		if (s->logs[i]->gen_done < done)
			done = s->logs[i]->gen_done;
	}
	while ((f = s->flushes) != NULL && f->gen <= done) {
		s->flushes = f->next;
		append_flush(&s->flushed, f);
		scribe_tell_loop(s);
	}
}

/* The log whose turn it is, or NULL and *due the time of the next.  Locked. */
static struct scribe_log *
pick(struct scribe *s, int64_t now, int64_t *due)
{
	struct scribe_log *l;

	*due = SCRIBE_NEVER;
	for (size_t i = 0; i < s->nlogs; i++) {
		l = s->logs[(s->turn + i) % s->nlogs];
		/* The box's journal ends last: scribe_box_finish. */
		if (l->closed || (s->stopping && l == s->box))
			continue;
		if (l->due <= now || s->stopping || l->closing) {
			s->turn = (s->turn + i + 1) % s->nlogs;
			return l;
		}
		if (l->due < *due)
			*due = l->due;
	}
	return NULL;
}

/* Run it.  Locked before and after, not meanwhile. */
static void
turn(struct scribe *s, struct scribe_log *l)
{
	bool closing = (s->stopping || l->closing) && !l->syncing;
	bool show_all = l->gen > l->gen_done;
	uint64_t gen = l->gen;
	int64_t due;

	l->due = SCRIBE_NEVER;
	pthread_mutex_unlock(&s->lock);
	atomic_store(&l->poked, false);
	atomic_store(&l->urgent, false);
	due = scribe_log_run(l, closing, show_all);
	pthread_mutex_lock(&s->lock);
	l->gen_done = gen;
	if (due < l->due)
		l->due = due;
	if (closing)
		l->closed = true;
	else if (l->closing || s->stopping) {
		/* A sync is under way; it must not find the log gone. */
		while (l->syncing)
			pthread_cond_wait(&s->quiet, &s->lock);
	}
	if (s->flushes != NULL)
		finish_flushes(s);
	pthread_cond_broadcast(&s->quiet);
}

static void
sleep_until(struct scribe *s, int64_t due)
{
	s->wake_at = due;
	if (due == SCRIBE_NEVER)
		pthread_cond_wait(&s->wake, &s->lock);
	else
		thread_cond_wait(&s->wake, &s->lock, (struct mono){ due });
	s->wake_at = 0;		/* awake: nobody needs to signal */
}

static void *
run(void *arg)
{
	struct scribe *s = arg;
	struct scribe_log *l;
	int64_t due;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		l = pick(s, now_us(), &due);
		if (l != NULL)
			turn(s, l);
		else if (s->stopping)
			break;
		else
			sleep_until(s, due);
	}
	pthread_mutex_unlock(&s->lock);
	scribe_box_drain(s);
	syncer_stop(s->syncer);
	scribe_box_finish(s);
	pthread_mutex_lock(&s->lock);
	s->ended = true;
	pthread_cond_broadcast(&s->quiet);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* The loop's side. */

static struct scribe_log *
take_changed(struct scribe *s)
{
	for (size_t i = 0; i < s->nlogs; i++) {
		if (s->logs[i]->changed) {
			s->logs[i]->changed = false;
			return s->logs[i];
		}
	}
	return NULL;
}

/* Locked before and after, not meanwhile. */
static void
tell_anchor(struct scribe *s)
{
	bool sign = s->want_sign;

	if (s->anchor_told || s->anchored == NULL || s->anchor.number == 0)
		return;
	s->anchor_told = true;
	s->want_sign = false;
	pthread_mutex_unlock(&s->lock);
	s->anchored(s->anchored_arg, sign);
	pthread_mutex_lock(&s->lock);
}

static void
on_pipe(void *arg, short revents)
{
	struct scribe *s = arg;
	struct scribe_log *l;
	struct flush *f;
	char drain[64];

	(void)revents;
	while (read(s->pipe[0], drain, sizeof(drain)) > 0)
		continue;
	pthread_mutex_lock(&s->lock);
	while ((l = take_changed(s)) != NULL) {
		pthread_mutex_unlock(&s->lock);
		if (s->changed != NULL)
			s->changed(s->arg, l);
		pthread_mutex_lock(&s->lock);
	}
	tell_anchor(s);
	while ((f = s->flushed) != NULL) {
		s->flushed = f->next;
		pthread_mutex_unlock(&s->lock);
		f->fn(f->arg);
		free(f);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
}

static void
init_locks(struct scribe *s)
{
	pthread_mutex_init(&s->lock, NULL);
	thread_cond_init(&s->wake);
	thread_cond_init(&s->quiet);
}

static void
destroy(struct scribe *s)
{
	struct flush *f;

	while ((f = s->flushes != NULL ? s->flushes : s->flushed) != NULL) {
		if (s->flushes != NULL)
			s->flushes = f->next;
		else
			s->flushed = f->next;
		free(f);
	}
	if (s->pipe[0] != -1)
		close(s->pipe[0]);
	if (s->pipe[1] != -1)
		close(s->pipe[1]);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->quiet);
	free(s->logs);
	free(s->box_name);
	free(s->seal_path);
	free(s->log_dir);
	free(s);
}

/* Both threads.  0 or -1 with errno. */
static int
start_threads(struct scribe *s)
{
	int error;

	s->syncer = syncer_start(on_synced, s);
	if (s->syncer == NULL)
		return -1;
	if (thread_start(&s->thread, run, s) == 0)
		return 0;
	error = errno;
	syncer_stop(s->syncer);
	errno = error;
	return -1;
}

struct scribe *
scribe_start(struct loop *loop, const struct scribe_conf *conf,
    void (*changed)(void *arg, struct scribe_log *), void *arg)
{
	struct scribe *s = xcalloc(1, sizeof(*s));
	int saved;

	s->loop = loop;
	s->conf = *conf;
	s->box_name = xstrdup(conf->box);
	s->log_dir = xstrdup(conf->log_dir);
	s->conf.box = s->box_name;
	s->conf.log_dir = s->log_dir;
	if (conf->seal_path != NULL)
		s->seal_path = xstrdup(conf->seal_path);
	s->conf.seal_path = s->seal_path;
	s->changed = changed;
	s->arg = arg;
	s->pipe[0] = s->pipe[1] = -1;
	os_random(&s->boot, sizeof(s->boot));
	if (os_boot_id(s->system, sizeof(s->system)) == -1)
		s->system[0] = '\0';
	init_locks(s);
	if (pipe(s->pipe) == 0 && fd_prepare(s->pipe[0]) == 0 &&
	    fd_prepare(s->pipe[1]) == 0 && start_threads(s) == 0) {
		s->watch = watch_new(loop, s->pipe[0], POLLIN, on_pipe, s);
		if (scribe_box_start(s) == 0)
			return s;
		saved = errno;
		scribe_stop(s, 1000);
		errno = saved;
		return NULL;
	}
	saved = errno;
	destroy(s);
	errno = saved;
	return NULL;
}

bool
scribe_stop(struct scribe *s, int64_t deadline_ms)
{
	struct mono until = mono_after(mono_now(), deadline_ms);
	bool tidied, ended;

	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->quiet);
	pthread_mutex_unlock(&s->lock);
	tidied = scribe_box_stop_tidy(s, deadline_ms / 2);
	pthread_mutex_lock(&s->lock);
	s->wake_at = 0;
	pthread_cond_signal(&s->wake);
	while (!s->ended && thread_cond_wait(&s->quiet, &s->lock, until))
		continue;
	ended = s->ended && tidied;
	pthread_mutex_unlock(&s->lock);
	watch_free(s->watch);
	if (!ended) {
		/* The disk hangs.  What is not written is in the history. */
		log_error("the journal's disk does not answer, giving up");
		pthread_detach(s->thread);
		return false;
	}
	pthread_join(s->thread, NULL);
	if (s->box != NULL)
		scribe_close(s->box);	/* frees all if it is the last */
	else if (s->nlogs == 0)
		destroy(s);
	return true;
}

/* Where the stream goes on, after what the journal and the history say. */
static void
agree(struct scribe_log *l, const struct jfile_conf *conf)
{
	uint64_t tail = history_tail(l->history), at = tail;
	struct jdir_place place;
	bool fresh = false;

	if (journal_find_place(conf, &place) == -1) {
		log_errno("console %s: cannot read its journal in %s",
		    l->console, conf->log_dir);
		fresh = true;
	} else if (place.known && history_head(l->history) < place.shown) {
		at = place.shown;
		history_restart(l->history, at);
	} else if (place.known) {
		/* Previews are all there is of what the history has lost. */
		at = place.resume < tail ? place.shown : place.resume;
	}
	journal_begin(l->journal, at, fresh);
	l->synced = at;
	atomic_store(&l->taken, at);
	atomic_store(&l->written, at);
}

struct scribe_log *
scribe_open(struct scribe *s, const char *console, struct history *history)
{
	struct scribe_log *l = xcalloc(1, sizeof(*l));
	struct jfile_conf conf = {
		.log_dir = s->log_dir, .console = console, .box = s->box_name,
		.boot = s->boot,
		.system = s->system[0] == '\0' ? NULL : s->system,
		.segment_max = s->conf.rotate_size,
		.rotate_age_ms = s->conf.rotate_age_ms,
		.seal_ms = s->conf.seal_ms,
	};

	l->scribe = s;
	l->history = history;
	l->console = xstrdup(console);
	l->journal = journal_new(&conf);
	l->last = &l->first;
	l->dirty_since = SCRIBE_NEVER;
	l->due = SCRIBE_NEVER;
	l->state.healthy = true;
	if (history != NULL)
		agree(l, &conf);
	else
		journal_begin(l->journal, 0, false);
	pthread_mutex_lock(&s->lock);
	l->gen = l->gen_done = s->gen;
	s->logs = xreallocarray(s->logs, s->nlogs + 1, sizeof(*s->logs));
	s->logs[s->nlogs++] = l;
	scribe_schedule(l, now_us());
	pthread_mutex_unlock(&s->lock);
	return l;
}

static void
remove_log(struct scribe *s, struct scribe_log *l)
{
	size_t i = 0;

	while (s->logs[i] != l)
		i++;
	s->nlogs--;
	memmove(&s->logs[i], &s->logs[i + 1],
	    (s->nlogs - i) * sizeof(s->logs[0]));
	s->turn = 0;
}

void
scribe_close(struct scribe_log *l)
{
	struct scribe *s = l->scribe;
	struct waiting *w;
	bool over;

	pthread_mutex_lock(&s->lock);
	l->closing = true;
	scribe_schedule(l, 0);
	while (!l->closed && !s->stopping)
		pthread_cond_wait(&s->quiet, &s->lock);
	if (s->stopping && !s->ended) {
		/* The thread hangs in the disk with it: leave it there. */
		pthread_mutex_unlock(&s->lock);
		return;
	}
	remove_log(s, l);
	if (s->flushes != NULL)
		finish_flushes(s);
	over = s->ended && s->nlogs == 0;
	if (l == s->box)
		s->box = NULL;
	pthread_mutex_unlock(&s->lock);
	while ((w = l->first) != NULL) {
		l->first = w->next;
		free(w);
	}
	free(l->current);
	journal_free(l->journal);
	free(l->console);
	free(l);
	if (over)
		destroy(s);
}

void
scribe_poke(struct scribe_log *l)
{
	size_t much = history_size(l->history) / 8;
	bool urgent;

	if (much > URGENT_BYTES)
		much = URGENT_BYTES;
	urgent = history_head(l->history) - atomic_load(&l->taken) >= much;
	if (urgent ? atomic_load(&l->urgent) : atomic_load(&l->poked))
		return;
	atomic_store(urgent ? &l->urgent : &l->poked, true);
	pthread_mutex_lock(&l->scribe->lock);
	/* A disk that refuses is asked once a second, not for every byte. */
	if (!l->refused)
		scribe_schedule(l, urgent ? now_us() : grid(now_us()));
	pthread_mutex_unlock(&l->scribe->lock);
}

void
scribe_typing(struct scribe_log *l)
{
	atomic_store(&l->typing_until, now_us() + TYPING_US);
}

struct waiting *
scribe_waiting_new(struct scribe_log *l, enum record_type type, size_t room)
{
	struct waiting *w = xmalloc(sizeof(*w) + room);

	memset(w, 0, sizeof(*w));
	w->when = stamp_now();
	w->offset = l->history == NULL ? 0 : history_head(l->history);
	w->type = type;
	return w;
}

void
scribe_enqueue_locked(struct scribe_log *l, struct waiting *w, int64_t due)
{
	struct waiting *oldest;

	*l->last = w;
	l->last = &w->next;
	if (++l->nwaiting > WAITING_MAX) {
		oldest = l->first;
		l->first = oldest->next;
		l->nwaiting--;
		l->dropped++;
		free(oldest);
	}
	if (!l->refused)
		scribe_schedule(l, due);
}

void
scribe_enqueue(struct scribe_log *l, struct waiting *w, int64_t due)
{
	pthread_mutex_lock(&l->scribe->lock);
	scribe_enqueue_locked(l, w, due);
	pthread_mutex_unlock(&l->scribe->lock);
}

void
scribe_event(struct scribe_log *l, const char *word, const char *fmt, ...)
{
	struct waiting *w = scribe_waiting_new(l, RECORD_EVENT, EVENT_MAX);
	va_list ap;
	int n;

	n = snprintf(w->text, EVENT_MAX, "%s ", word);
	va_start(ap, fmt);
	vsnprintf(w->text + n, (size_t)(EVENT_MAX - n), fmt, ap);
	va_end(ap);
	w->n = strlen(w->text);
	if (w->n > 0 && w->text[w->n - 1] == ' ')
		w->n--;
	w->cuts = strcmp(word, "line") == 0;
	w = xreallocarray(w, 1, sizeof(*w) + w->n + 1);
	scribe_enqueue(l, w, now_us());
}

/* "user N bytes content", backslashes as \x5c so that it stays reversible. */
static void
put_content(struct waiting *w, const char *user, size_t typed,
    const uint8_t *p, size_t n)
{
	int len = snprintf(w->text, BEFORE_CONTENT, "%.64s %zu bytes ", user,
	    typed);
	char *o = w->text + len;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\\') {
			memcpy(o, "\\x5c", 4);
			o += 4;
		} else {
			*o++ = (char)p[i];
		}
	}
	w->n = (size_t)(o - w->text);
}

/* More of the same, not yet written?  Then it is one record. */
static bool
add_typed(struct scribe_log *l, const char *user, size_t n)
{
	struct waiting *w;
	bool added = false;

	pthread_mutex_lock(&l->scribe->lock);
	if (l->first != NULL) {
		w = (struct waiting *)(void *)((char *)l->last -
		    offsetof(struct waiting, next));
		if (strcmp(w->user, user) == 0) {
			w->typed += n;
			added = true;
		}
	}
	pthread_mutex_unlock(&l->scribe->lock);
	return added;
}

void
scribe_input(struct scribe_log *l, const char *user, size_t typed,
    const void *content, size_t n)
{
	const uint8_t *p = content;
	struct waiting *w;
	size_t part;

	if (n == 0) {
		if (add_typed(l, user, typed))
			return;
		w = scribe_waiting_new(l, RECORD_INPUT, 0);
		snprintf(w->user, sizeof(w->user), "%s", user);
		w->typed = typed;
		scribe_enqueue(l, w, grid(now_us()));
		return;
	}
	for (; n > 0; p += part, n -= part, typed -= part) {
		part = n < CONTENT_MAX ? n : CONTENT_MAX;
		w = scribe_waiting_new(l, RECORD_INPUT,
		    BEFORE_CONTENT + 4 * part);
		put_content(w, user, part == n ? typed : part, p, part);
		scribe_enqueue(l, w, grid(now_us()));
	}
}

void
scribe_flush(struct scribe *s, void (*fn)(void *arg), void *arg)
{
	struct flush *f = xcalloc(1, sizeof(*f));

	f->fn = fn;
	f->arg = arg;
	pthread_mutex_lock(&s->lock);
	f->gen = ++s->gen;
	append_flush(&s->flushes, f);
	for (size_t i = 0; i < s->nlogs; i++) {
		s->logs[i]->gen = s->gen;
		scribe_schedule(s->logs[i], 0);
	}
	finish_flushes(s);
	pthread_mutex_unlock(&s->lock);
}

void
scribe_state(struct scribe_log *l, struct scribe_state *st)
{
	pthread_mutex_lock(&l->scribe->lock);
	*st = l->state;
	pthread_mutex_unlock(&l->scribe->lock);
	st->written = atomic_load(&l->written);
}

uint64_t
scribe_written(struct scribe_log *l)
{
	return atomic_load(&l->written);
}

void
scribe_on_anchor(struct scribe *s, void (*anchored)(void *arg, bool sign),
    void *arg)
{
	s->anchored = anchored;
	s->anchored_arg = arg;
}
