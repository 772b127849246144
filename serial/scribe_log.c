#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/log.h"
#include "scribe_box.h"

#define RETRY_US 500000		/* recording again within 1 s of space */
#define BACKOFF_MAX 5		/* failed syncs double the interval up to 2^5 */

/* Take the oldest waiting event.  Thread. */
static bool
take_waiting(struct scribe_log *l)
{
	struct waiting *w;

	if (l->current != NULL)
		return true;
	pthread_mutex_lock(&l->scribe->lock);
	w = l->first;
	if (w != NULL) {
		l->first = w->next;
		if (l->first == NULL)
			l->last = &l->first;
		l->nwaiting--;
	}
	pthread_mutex_unlock(&l->scribe->lock);
	l->current = w;
	return w != NULL;
}

static int
write_waiting(struct scribe_log *l)
{
	struct waiting *w = l->current;
	char text[80];
	int n, r;

	if (w->cuts)
		journal_cut(l->journal);
	if (w->user[0] != '\0') {
		n = snprintf(text, sizeof(text), "%s %" PRIu64 " bytes",
		    w->user, w->typed);
		r = journal_event(l->journal, w->when, w->type, text,
		    (size_t)n);
	} else {
		r = journal_event(l->journal, w->when, w->type, w->text,
		    w->n);
	}
	if (r == -1)
		return -1;
	if (w->seals)
		jfile_want_seal(journal_file(l->journal));
	free(w);
	l->current = NULL;
	return 0;
}

static int
write_dropped(struct scribe_log *l)
{
	uint64_t dropped;
	char text[64];
	int n;

	pthread_mutex_lock(&l->scribe->lock);
	dropped = l->dropped;
	pthread_mutex_unlock(&l->scribe->lock);
	if (dropped == 0)
		return 0;
	n = snprintf(text, sizeof(text), "lost events=%" PRIu64, dropped);
	if (journal_event(l->journal, l->current->when, RECORD_EVENT, text,
	    (size_t)n) == -1)
		return -1;
	pthread_mutex_lock(&l->scribe->lock);
	l->dropped -= dropped;
	pthread_mutex_unlock(&l->scribe->lock);
	return 0;
}

/*
 * The history was lapped: go on from its oldest byte (or a little later, if
 * that is overwritten while we look).  Returns the bytes read there, -1.
 */
static ssize_t
skip_lapped(struct scribe_log *l, uint8_t *block, uint64_t limit)
{
	uint64_t at = journal_offset(l->journal), to, head;
	size_t margin = 0, want;
	struct stamp when;
	ssize_t got;

	do {
		head = history_head(l->history);
		to = history_tail(l->history) + margin;
		if (to > head)
			to = head;
		want = to >= limit ? 0 : limit - to < SCRIBE_BLOCK ?
		    (size_t)(limit - to) : SCRIBE_BLOCK;
		got = history_read(l->history, to, block, want);
		margin += history_size(l->history) / 32;
	} while (got == -1);
	history_time(l->history, to, &when);
	if (to <= at)
		return -1;
	if (journal_gap(l->journal, when, to) == -1)
		return -1;
	log_warn("console %s: %" PRIu64 " bytes are missing in its journal",
	    l->console, to - at);
	pthread_mutex_lock(&l->scribe->lock);
	l->state.lost += to - at;
	pthread_mutex_unlock(&l->scribe->lock);
	return got;
}

/* Journal n bytes, piece by piece as they arrived.  0 or -1. */
static int
feed_block(struct scribe_log *l, const uint8_t *p, size_t n)
{
	struct stamp when;
	size_t run, took;

	while (n > 0) {
		run = history_time(l->history, journal_offset(l->journal),
		    &when);
		if (run == 0 || run > n)
			run = n;
		took = journal_data(l->journal, when, p, run);
		p += took;
		n -= took;
		if (took < run)
			return -1;
	}
	return 0;
}

/* Journal the history up to limit.  0, or -1 when the journal cannot. */
static int
feed(struct scribe_log *l, uint64_t limit)
{
	uint8_t *block = l->scribe->block;
	uint64_t at;
	size_t want;
	ssize_t got;

	while ((at = journal_offset(l->journal)) < limit) {
		want = limit - at < SCRIBE_BLOCK ? (size_t)(limit - at) :
		    SCRIBE_BLOCK;
		got = history_read(l->history, at, block, want);
		if (got == -1)
			got = skip_lapped(l, block, limit);
		if (got == -1)
			return -1;
		if (got == 0 && journal_offset(l->journal) == at)
			return 0;
		if (feed_block(l, block, (size_t)got) == -1)
			return -1;
		atomic_store(&l->taken, journal_offset(l->journal));
	}
	return 0;
}

/* Bytes and events in the order in which they happened.  0 or -1. */
static int
feed_all(struct scribe_log *l)
{
	uint64_t limit;
	bool event;

	do {
		event = take_waiting(l);
		limit = l->history == NULL ? 0 : history_head(l->history);
		if (event && l->current->offset < limit)
			limit = l->current->offset;
		if (event && write_dropped(l) == -1)
			return -1;
		if (feed(l, limit) == -1)
			return -1;
		if (event && write_waiting(l) == -1)
			return -1;
	} while (event);
	return 0;
}

/* How a sync went that is over.  The place goes back if it went badly. */
static void
see_sync(struct scribe_log *l)
{
	uint64_t upto, from;
	struct seal_mark mark;
	int error;
	bool over;

	pthread_mutex_lock(&l->scribe->lock);
	over = l->sync_over;
	upto = l->sync_upto;
	error = l->sync_error;
	mark = l->sync_mark;
	l->sync_over = false;
	pthread_mutex_unlock(&l->scribe->lock);
	if (!over)
		return;
	if (error == 0) {
		if (upto > l->synced)
			l->synced = upto;
		l->sync_fails = 0;
		scribe_box_synced(l, &mark);
		return;
	}
	if (l->sync_fails < BACKOFF_MAX)
		l->sync_fails++;
	from = l->history == NULL ? 0 : history_tail(l->history);
	if (from < l->synced)
		from = l->synced;
	log_error("console %s: sync of its journal failed: %s", l->console,
	    strerror(error));
	journal_doubt(l->journal, stamp_now(), from, strerror(error));
	atomic_store(&l->taken, journal_offset(l->journal));
}

/* When what is written must be synced; SCRIBE_NEVER. */
static int64_t
sync_due(struct scribe_log *l, int64_t now)
{
	struct jfile *f = journal_file(l->journal);
	const struct scribe_conf *conf = &l->scribe->conf;
	int64_t ms = conf->sync_idle_ms;

	if (!jfile_is_dirty(f)) {
		l->dirty_since = SCRIBE_NEVER;
		return SCRIBE_NEVER;
	}
	if (l->dirty_since == SCRIBE_NEVER)
		l->dirty_since = now;
	if (jfile_wants_sync(f) && l->sync_fails == 0)
		return now;
	if (now < atomic_load(&l->typing_until) && l->sync_fails == 0)
		ms = conf->sync_typing_ms;
	return l->dirty_since + (ms << l->sync_fails) * 1000;
}

/* Those that would sync soon do it now, too: one settling of the disk. */
static void
sync_together(struct scribe *s, int64_t now)
{
	struct scribe_log *l;

	for (size_t i = 0; i < s->nlogs; i++) {
		l = s->logs[i];
		if (l->due != SCRIBE_NEVER && l->due > now &&
		    l->due - now < s->conf.sync_idle_ms * 1000 / 2 &&
		    l->dirty_since != SCRIBE_NEVER && l->sync_fails == 0) {
			l->dirty_since = 0;
			l->due = now;
		}
	}
}

/* Hand what needs it to the syncer. */
static void
start_sync(struct scribe_log *l, int64_t now, bool last)
{
	struct sync_job job = { .tag = last ? NULL : l };
	bool typing = now < atomic_load(&l->typing_until);

	job.nfds = jfile_take_sync(journal_file(l->journal), job.fds,
	    &job.upto);
	job.mark = *jfile_mark(journal_file(l->journal));
	if (l == l->scribe->box && job.mark.number > 0) {
		job.note_path = l->scribe->seal_path;
		scribe_box_note(l->scribe, &job.mark, job.note,
		    sizeof(job.note));
	}
	l->dirty_since = SCRIBE_NEVER;
	if (job.nfds == 0)
		return;
	pthread_mutex_lock(&l->scribe->lock);
	l->syncing = !last;
	if (!typing && !last)
		sync_together(l->scribe, now);
	pthread_mutex_unlock(&l->scribe->lock);
	syncer_add(l->scribe->syncer, &job);
}

/* Make the outcome of a run known. */
static void
publish(struct scribe_log *l)
{
	struct jfile *f = journal_file(l->journal);
	struct scribe *s = l->scribe;
	bool healthy = !l->failing && l->sync_fails == 0;
	bool was;

	atomic_store(&l->taken, journal_offset(l->journal));
	atomic_store(&l->written, jfile_written(f));
	pthread_mutex_lock(&s->lock);
	was = l->state.healthy;
	l->state.healthy = healthy;
	l->refused = l->failing;
	if (l->failing)
		snprintf(l->state.problem, sizeof(l->state.problem), "%s",
		    jfile_problem(f));
	else if (!healthy)
		snprintf(l->state.problem, sizeof(l->state.problem),
		    "the disk fails to sync %s", jfile_path(f));
	else
		l->state.problem[0] = '\0';
	l->state.file_bytes = jfile_bytes(f);
	snprintf(l->state.file, sizeof(l->state.file), "%s", jfile_path(f));
	if (was != healthy)
		l->changed = true;
	pthread_mutex_unlock(&s->lock);
	if (was != healthy)
		scribe_tell_loop(s);
}

/* A last seal; the box hears of it now, or of all at the very end. */
static void
close_chain(struct scribe_log *l, struct stamp now)
{
	struct jfile *f = journal_file(l->journal);
	bool stopping;

	if (jfile_finish(f, now) == -1)
		l->failing = true;
	pthread_mutex_lock(&l->scribe->lock);
	stopping = l->scribe->stopping;
	pthread_mutex_unlock(&l->scribe->lock);
	if (!stopping)
		scribe_box_synced(l, jfile_mark(f));
}

/* A segment was closed, or there is no room: somebody else's work. */
static void
poke_tidy(struct scribe_log *l)
{
	struct jfile *f = journal_file(l->journal);

	if (l->scribe->tidy != NULL && (jfile_wants_sync(f) || l->failing))
		tidy_poke(l->scribe->tidy);
}

/* One run.  Returns when the next is due. */
int64_t
scribe_log_run(struct scribe_log *l, bool closing, bool show_all)
{
	struct stamp now = stamp_now();
	struct mono preview, file;
	int64_t due = SCRIBE_NEVER, sync;
	bool syncing;

	see_sync(l);
	l->failing = feed_all(l) == -1;
	if (closing && !l->failing)
		journal_cut(l->journal);
	if (journal_flush(l->journal, now, show_all ? JOURNAL_SHOW_ALL :
	    JOURNAL_SHOW_DUE) == -1)
		l->failing = true;
	if (closing && !l->failing)
		close_chain(l, now);
	publish(l);
	poke_tidy(l);
	if (l->failing && !closing)
		return now.mono.us + RETRY_US;
	if (journal_due(l->journal, &preview))
		due = preview.us;
	if (jfile_due(journal_file(l->journal), &file) && file.us < due)
		due = file.us;
	pthread_mutex_lock(&l->scribe->lock);
	syncing = l->syncing;
	pthread_mutex_unlock(&l->scribe->lock);
	if (syncing && !closing)
		return due;
	sync = sync_due(l, now.mono.us);
	if (sync <= now.mono.us || closing) {
		start_sync(l, now.mono.us, closing);
		sync = SCRIBE_NEVER;
	}
	return sync < due ? sync : due;
}
