#include <errno.h>
#include <inttypes.h>
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
#include "chain.h"
#include "scribe_box.h"

#define TELL_MS 2000		/* a removal waits so long to be told */
#define BOX_EVENT_MAX 1400
#define SIGN_MS (24 * 60 * 60 * INT64_C(1000))

static bool
is_box(const struct scribe_log *l)
{
	return l == l->scribe->box;
}

/* The newest seal of a journal, for the box's. */
static int
seal_text(char *dst, size_t size, const char *console,
    const struct seal_mark *m)
{
	return snprintf(dst, size, "sealed console=%s seq=%lu seal=%" PRIu64
	    " hash=%s", console, (unsigned long)m->seq, m->number, m->hash);
}

static void
box_event(struct scribe *s, const char *text, bool seals)
{
	struct scribe_log *box = s->box;
	size_t n = strlen(text);
	struct waiting *w = scribe_waiting_new(box, RECORD_EVENT, n + 1);

	memcpy(w->text, text, n + 1);
	w->n = n;
	w->seals = seals;
	scribe_enqueue(box, w, mono_now().us);
}

/* Is it time to tell the box of this seal? */
static bool
is_due(struct scribe_log *l, const struct seal_mark *m, int64_t now)
{
	int64_t every = l->scribe->conf.seal_ms != 0 ?
	    l->scribe->conf.seal_ms : SCRIBE_SEAL_MS;

	return m->number > l->boxed.number && (l->boxed.number == 0 ||
	    m->seq != l->boxed.seq || now - l->boxed_at >= every * 900);
}

/* The box's own seal is on the disk: it is the anchor of everything. */
static void
anchored(struct scribe *s, const struct seal_mark *m)
{
	int64_t now = mono_now().us;

	pthread_mutex_lock(&s->lock);
	if (m->number > s->anchor.number) {
		s->anchor = *m;
		s->anchor_told = false;
		if (s->signed_at == 0 || now - s->signed_at >=
		    SIGN_MS * 1000)
			s->want_sign = true;
		if (s->want_sign)
			s->signed_at = now;
	}
	pthread_mutex_unlock(&s->lock);
	scribe_tell_loop(s);
}

void
scribe_box_synced(struct scribe_log *l, const struct seal_mark *m)
{
	struct scribe *s = l->scribe;
	int64_t now = mono_now().us;
	char text[256];

	if (s->box == NULL || m->number == 0)
		return;
	if (is_box(l)) {
		anchored(s, m);
		return;
	}
	if (!is_due(l, m, now))
		return;
	if (l->boxed.number > 0 && m->seq != l->boxed.seq) {
		pthread_mutex_lock(&s->lock);
		s->want_sign = true;	/* a segment was closed */
		pthread_mutex_unlock(&s->lock);
	}
	l->boxed = *m;
	l->boxed_at = now;
	seal_text(text, sizeof(text), l->console, m);
	box_event(s, text, true);
}

/* Synchronously: the syncer has ended. */
static void
sync_now(struct jfile *f)
{
	int fds[JFILE_SYNC_FDS];
	uint64_t upto;
	int n = jfile_take_sync(f, fds, &upto);

	for (int i = 0; i < n; i++) {
		if (os_sync(fds[i]) == -1 && errno != EINVAL)
			log_errno("sync of the box's journal");
		close(fds[i]);
	}
}

void
scribe_box_note(const struct scribe *s, const struct seal_mark *m, char *dst,
    size_t size)
{
	snprintf(dst, size, "box=%s seq=%lu seal=%" PRIu64 " hash=%s\n",
	    s->box_name, (unsigned long)m->seq, m->number, m->hash);
}

void
scribe_box_drain(struct scribe *s)
{
	if (s->box != NULL)
		scribe_log_run(s->box, false, true);
}

void
scribe_box_finish(struct scribe *s)
{
	struct stamp now = stamp_now();
	const struct seal_mark *m;
	char text[256];
	int n;

	if (s->box == NULL)
		return;
	for (size_t i = 0; i < s->nlogs; i++) {
		m = jfile_mark(journal_file(s->logs[i]->journal));
		if (s->logs[i] == s->box ||
		    m->number <= s->logs[i]->boxed.number)
			continue;
		n = seal_text(text, sizeof(text), s->logs[i]->console, m);
		journal_event(s->box->journal, now, RECORD_EVENT, text,
		    (size_t)n);
	}
	journal_flush(s->box->journal, now, JOURNAL_SHOW_ALL);
	jfile_finish(journal_file(s->box->journal), now);
	sync_now(journal_file(s->box->journal));
	m = jfile_mark(journal_file(s->box->journal));
	if (s->conf.seal_path != NULL && m->number > 0) {
		scribe_box_note(s, m, text, sizeof(text));
		if (file_replace(s->conf.seal_path, text, strlen(text),
		    0600) == -1)
			log_errno("%s", s->conf.seal_path);
	}
	s->box->closed = true;
}

/* Looking after closed segments. */

static struct scribe_log *
find_log(struct scribe *s, const char *console)
{
	for (size_t i = 0; i < s->nlogs; i++) {
		if (strcmp(s->logs[i]->console, console) == 0 &&
		    !s->logs[i]->closing)
			return s->logs[i];
	}
	return NULL;
}

/* Wait until this log has done what was asked of it.  Locked. */
static void
wait_written(struct scribe *s, const char *console, uint64_t gen)
{
	struct mono until = mono_after(mono_now(), TELL_MS);
	struct scribe_log *l;

	/* By name: it may be closed meanwhile. */
	while (!s->stopping && (l = find_log(s, console)) != NULL &&
	    l->gen_done < gen && thread_cond_wait(&s->quiet, &s->lock, until))
		continue;
}

static void
tell_log(struct scribe *s, const char *console, const char *text)
{
	struct scribe_log *l;
	size_t n = strlen(text);
	struct waiting *w;
	uint64_t gen;

	pthread_mutex_lock(&s->lock);
	l = find_log(s, console);
	if (l == NULL) {
		pthread_mutex_unlock(&s->lock);
		return;
	}
	w = scribe_waiting_new(l, RECORD_EVENT, n + 1);
	memcpy(w->text, text, n + 1);
	w->n = n;
	w->seals = l == s->box;
	scribe_enqueue_locked(l, w, 0);
	gen = l->gen = ++s->gen;
	scribe_schedule(l, 0);
	wait_written(s, console, gen);
	pthread_mutex_unlock(&s->lock);
}

static void
on_removing(void *arg, const struct tidy_removal *r)
{
	struct scribe *s = arg;
	struct chain_header next;
	char text[512];
	int fd = jdir_open(s->log_dir, r->console);

	if (fd == -1 || chain_header_read(fd, r->next->name, &next) == -1)
		next.prev = seal_none;
	if (fd != -1)
		close(fd);
	snprintf(text, sizeof(text), "removed console=%s seq=%lu bytes=%"
	    PRIu64 " why=%s hash=%s", r->console,
	    (unsigned long)r->segment->seq, r->bytes, r->why, next.prev.hash);
	if (s->box != NULL)
		tell_log(s, JDIR_BOX, text);
	if (strcmp(r->console, JDIR_BOX) != 0)
		tell_log(s, r->console, text);
	log_info("%s/%s/%s is removed (%s)", s->log_dir, r->console,
	    r->segment->name, r->why);
}

static bool
on_keep(void *arg, const char *console, struct tidy_keep *keep)
{
	struct scribe *s = arg;
	struct scribe_log *l;

	pthread_mutex_lock(&s->lock);
	l = find_log(s, console);
	if (l != NULL)
		*keep = l->keep;
	pthread_mutex_unlock(&s->lock);
	return l != NULL;
}

static const struct tidy_ops tidy_ops = { on_removing, on_keep };

int
scribe_box_start(struct scribe *s)
{
	if (s->conf.box_chain)
		s->box = scribe_open(s, JDIR_BOX, NULL);
	if (s->conf.tidy == NULL)
		return 0;
	s->tidy = tidy_start(s->log_dir, s->conf.tidy, &tidy_ops, s);
	s->conf.tidy = NULL;	/* the caller's, used up */
	return s->tidy == NULL ? -1 : 0;
}

bool
scribe_box_stop_tidy(struct scribe *s, int64_t deadline_ms)
{
	struct tidy *t = s->tidy;

	s->tidy = NULL;
	return t == NULL || tidy_stop(t, deadline_ms);
}

bool
scribe_anchor(struct scribe *s, struct seal_mark *m)
{
	pthread_mutex_lock(&s->lock);
	*m = s->anchor;
	pthread_mutex_unlock(&s->lock);
	return m->number > 0;
}

void
scribe_signed(struct scribe *s, const char *text)
{
	if (s->box != NULL)
		box_event(s, text, true);
}

void
scribe_box_event(struct scribe *s, const char *word, const char *fmt, ...)
{
	char text[BOX_EVENT_MAX];
	va_list ap;
	int n;

	if (s->box == NULL)
		return;
	n = snprintf(text, sizeof(text), "%s ", word);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	box_event(s, text, false);
}

void
scribe_tidy(struct scribe *s, const struct tidy_conf *conf)
{
	if (s->tidy != NULL)
		tidy_configure(s->tidy, conf);
}

void
scribe_keep(struct scribe_log *l, const struct tidy_keep *keep)
{
	pthread_mutex_lock(&l->scribe->lock);
	l->keep = *keep;
	pthread_mutex_unlock(&l->scribe->lock);
}
