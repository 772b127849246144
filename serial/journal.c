#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/mem.h"
#include "journal.h"

#define STEP_US 1000000		/* a wall clock off by more was set */

struct journal {
	struct jfile *file;
	struct record_clock clock;
	/* The unfinished line. */
	uint64_t line_at;		/* its offset; bytes before are done */
	size_t len;
	struct stamp began;		/* its first byte */
	struct mono last;		/* its last byte */
	struct mono noted;		/* last byte with a time of its own */
	size_t nnotes;
	size_t previewed;		/* bytes of it in previews */
	struct mono waits;		/* first byte that is in none */
	uint8_t line[RECORD_BYTES];
	struct record_note notes[RECORD_NOTES];
};

struct journal *
journal_new(const struct jfile_conf *conf)
{
	struct journal *j = xcalloc(1, sizeof(*j));

	j->file = jfile_new(conf);
	return j;
}

void
journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	jfile_free(j->file);
	free(j);
}

int
journal_find_place(const struct jfile_conf *conf, struct jdir_place *place)
{
	struct jdir d;
	int dirfd, r, saved;

	memset(place, 0, sizeof(*place));
	dirfd = jdir_open(conf->log_dir, conf->console);
	if (dirfd == -1)
		return errno == ENOENT ? 0 : -1;
	r = jdir_list(dirfd, &d);
	if (r == 0) {
		r = jdir_find_place(dirfd, &d, place);
		saved = errno;
		jdir_free(&d);
		errno = saved;
	}
	saved = errno;
	close(dirfd);
	errno = saved;
	return r;
}

static void
forget_line(struct journal *j, uint64_t at)
{
	j->line_at = at;
	j->len = j->nnotes = j->previewed = 0;
}

void
journal_begin(struct journal *j, uint64_t offset, bool fresh)
{
	forget_line(j, offset);
	jfile_set_offset(j->file, offset, fresh);
}

uint64_t
journal_offset(const struct journal *j)
{
	return j->line_at + j->len;
}

struct jfile *
journal_file(const struct journal *j)
{
	return j->file;
}

/* Offset after all that is in previews or finished. */
static uint64_t
shown(const struct journal *j)
{
	return j->line_at + j->previewed;
}

static void
put(struct journal *j, const struct record *r)
{
	size_t n = record_encode(jfile_end(j->file), r, &j->clock);

	jfile_add(j->file, n, j->line_at, shown(j));
}

/* Make room for three records.  0 or -1. */
static int
make_room(struct journal *j, struct stamp when)
{
	if (!jfile_is_full(j->file))
		return 0;
	return jfile_write(j->file, when);
}

static void
put_event(struct journal *j, struct stamp when, enum record_type type,
    const char *text, size_t n)
{
	struct record r = {
		.type = type, .stamp = when, .offset = journal_offset(j),
		.data = (const uint8_t *)text,
		.n = n < RECORD_BYTES ? n : RECORD_BYTES,
	};

	put(j, &r);
}

/* A whole line that came at once. */
static void
put_line(struct journal *j, struct stamp when, const uint8_t *p, size_t n)
{
	bool cr = n > 0 && p[n - 1] == '\r';
	struct record r = {
		.type = cr ? RECORD_CRLF : RECORD_LF, .stamp = when,
		.offset = j->line_at, .data = p, .n = n - cr,
	};

	forget_line(j, j->line_at + n + 1);
	put(j, &r);
}

/* The gathered line is finished; `used` counts its LF, if it has one. */
static void
put_gathered(struct journal *j, enum record_type type, size_t used)
{
	struct record r = {
		.type = type, .stamp = j->began, .offset = j->line_at,
		.data = j->line, .n = j->len - (type == RECORD_CRLF),
		.notes = j->notes, .nnotes = j->nnotes,
	};

	forget_line(j, j->line_at + used);
	put(j, &r);
}

void
journal_cut(struct journal *j)
{
	if (j->len > 0)
		put_gathered(j, RECORD_CUT, j->len);
}

/*
 * A byte of the gathered line came at `when`.  Notes the time if it is new;
 * false when there is no place for another note.
 */
static bool
note_time(struct journal *j, struct stamp when)
{
	int64_t ms = mono_ms(j->began.mono, when.mono);
	struct record_note *last;

	if (mono_us(j->noted, when.mono) < RECORD_NOTE_US)
		return true;
	if (j->nnotes == RECORD_NOTES || ms > UINT32_MAX)
		return false;
	last = &j->notes[j->nnotes++];
	last->at = (uint32_t)j->len;
	last->ms = (uint32_t)ms;
	j->noted = when.mono;
	return true;
}

/* Add to the gathered line; n fits. */
static void
gather(struct journal *j, struct stamp when, const uint8_t *p, size_t n)
{
	if (j->len > 0 && !note_time(j, when))
		journal_cut(j);
	if (j->len == 0) {
		j->began = when;
		j->noted = when.mono;
	}
	if (j->len == j->previewed)
		j->waits = when.mono;
	memcpy(j->line + j->len, p, n);
	j->len += n;
	j->last = when.mono;
}

/* The LF of the gathered line. */
static void
end_line(struct journal *j, struct stamp when)
{
	if (!note_time(j, when))
		journal_cut(j);
	if (j->len == 0)
		put_line(j, when, NULL, 0);
	else if (j->line[j->len - 1] == '\r')
		put_gathered(j, RECORD_CRLF, j->len + 1);
	else
		put_gathered(j, RECORD_LF, j->len + 1);
}

/* What one record can take from p.  Returns the bytes used. */
static size_t
take_some(struct journal *j, struct stamp when, const uint8_t *p, size_t n)
{
	size_t room = RECORD_BYTES - j->len, want, len;
	const uint8_t *lf;

	want = n < room + 1 ? n : room + 1;
	lf = memchr(p, '\n', want);
	len = lf != NULL ? (size_t)(lf - p) : n < room ? n : room;
	if (lf != NULL && j->len == 0) {
		put_line(j, when, p, len);
		return len + 1;
	}
	if (len > 0)
		gather(j, when, p, len);
	if (lf != NULL)
		end_line(j, when);
	else if (len == room && n > room)
		journal_cut(j);
	return len + (lf != NULL);
}

/*
 * Times within a segment do not go back: when the wall clock was set, a new
 * one begins, and says so.
 */
static void
check_clock(struct journal *j, struct stamp when)
{
	int64_t was, step;
	char text[64];
	int n;

	if (!jfile_clock(j->file, &was))
		return;
	step = when.utc_us - when.mono.us - was;
	if (step <= STEP_US && step >= -STEP_US)
		return;
	j->began.utc_us += step;
	jfile_rotate(j->file);
	if (jfile_write(j->file, when) == -1)
		return;		/* the next segment will be later */
	n = snprintf(text, sizeof(text), "clock step=%+" PRId64 ".%03us",
	    step / 1000000, (unsigned)(llabs(step) / 1000 % 1000));
	put_event(j, when, RECORD_EVENT, text, (size_t)n);
}

size_t
journal_data(struct journal *j, struct stamp when, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t done = 0;

	check_clock(j, when);
	while (done < n && make_room(j, when) == 0)
		done += take_some(j, when, p + done, n - done);
	return done;
}

int
journal_event(struct journal *j, struct stamp when, enum record_type type,
    const char *text, size_t n)
{
	check_clock(j, when);
	if (make_room(j, when) == -1)
		return -1;
	put_event(j, when, type, text, n);
	return 0;
}

int
journal_gap(struct journal *j, struct stamp when, uint64_t to)
{
	uint64_t from = journal_offset(j);
	char text[128];
	int n;

	if (make_room(j, when) == -1)
		return -1;
	journal_cut(j);
	n = snprintf(text, sizeof(text), "gap bytes=%" PRIu64 " from=%" PRIu64
	    " to=%" PRIu64, to - from, from, to);
	forget_line(j, to);
	put_event(j, when, RECORD_EVENT, text, (size_t)n);
	return 0;
}

/* How many notes are at or before byte `at`. */
static size_t
notes_upto(const struct journal *j, size_t at)
{
	size_t n = j->nnotes;

	while (n > 0 && j->notes[n - 1].at > at)
		n--;
	return n;
}

static void
preview(struct journal *j)
{
	struct record_note *notes;
	size_t first = notes_upto(j, j->previewed);
	size_t count = j->nnotes - first;
	uint32_t ms = first > 0 ? j->notes[first - 1].ms : 0;
	struct record r = {
		.type = RECORD_PREVIEW, .stamp = j->began,
		.offset = shown(j), .data = j->line + j->previewed,
		.n = j->len - j->previewed, .nnotes = count,
	};

	notes = xcalloc(count + 1, sizeof(*notes));
	for (size_t i = 0; i < count; i++) {
		notes[i].at = j->notes[first + i].at - (uint32_t)j->previewed;
		notes[i].ms = j->notes[first + i].ms - ms;
	}
	r.notes = notes;
	r.stamp.utc_us += (int64_t)ms * 1000;
	r.stamp.mono.us += (int64_t)ms * 1000;
	j->previewed = j->len;
	put(j, &r);
	free(notes);
}

bool
journal_due(const struct journal *j, struct mono *when)
{
	struct mono late = mono_after(j->waits, JOURNAL_LATE_MS);

	if (j->len == j->previewed)
		return false;
	*when = mono_after(j->last, JOURNAL_QUIET_MS);
	if (mono_us(*when, late) < 0)
		*when = late;
	return true;
}

int
journal_flush(struct journal *j, struct stamp now, enum journal_show show)
{
	struct mono due;

	if (!jfile_is_full(j->file) && journal_due(j, &due) &&
	    (show == JOURNAL_SHOW_ALL || mono_us(due, now.mono) >= 0))
		preview(j);
	return jfile_write(j->file, now);
}

void
journal_doubt(struct journal *j, struct stamp now, uint64_t offset,
    const char *why)
{
	uint64_t to = journal_offset(j);
	char text[256];
	int n;

	if (to < offset)
		offset = to;
	jfile_abandon(j->file, offset);
	forget_line(j, offset);
	n = snprintf(text, sizeof(text), "sync-failed from=%" PRIu64 " to=%"
	    PRIu64 " why=\"%s\"", offset, to, why);
	journal_event(j, now, RECORD_EVENT, text, (size_t)n);
}
