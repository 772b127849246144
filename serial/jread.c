#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/mem.h"
#include "jback.h"
#include "jdir.h"
#include "jread.h"
#include "segment.h"

#define BLOCK 65536
#define PROBE 16384		/* a binary search ends in a span this small */
#define PROBE_BLOCK 4096	/* and reads so much each time */
#define SLACK_US 2000000	/* records may be that much out of order */
#define NAME_SLACK_US 60000000	/* and a segment's first one */

struct jread {
	int dirfd;
	struct jdir dir;
	bool started;
	uint32_t seq;		/* segment being read, 0: none yet */
	struct segment *in;	/* of it, or NULL */
	bool last_look;		/* the writer has left this segment */
	uint64_t limit;		/* device bytes from here on are recorded
				   again by the next segment */
	/* buf[at..len) is not consumed; buf[0] is at file offset pos. */
	uint64_t pos;
	size_t at, len, block;
	bool overlong;
	int64_t since, until;
	struct jread_place end;	/* nothing behind it is read */
	bool past;		/* this segment has nothing more before until */
	uint64_t done;		/* device bytes before are delivered */
	bool has_done;
	bool has_held;
	struct record held;	/* previews not replaced so far */
	uint64_t boot, damaged, nread;
	unsigned epoch;
	struct record_space space, held_space;
	char buf[BLOCK + RECORD_MAX];
};

struct jread *
jread_open(const char *log_dir, const char *console)
{
	struct jread *j;
	int fd = jdir_open(log_dir, console), saved;

	if (fd == -1)
		return NULL;
	j = xmalloc(sizeof(*j));
	memset(j, 0, offsetof(struct jread, space));
	j->dirfd = fd;
	j->in = NULL;
	j->block = BLOCK;
	j->since = INT64_MIN;
	j->until = INT64_MAX;
	j->end = (struct jread_place){ UINT32_MAX, UINT64_MAX };
	if (jdir_list(fd, &j->dir) == -1) {
		saved = errno;
		jread_close(j);
		errno = saved;
		return NULL;
	}
	return j;
}

static void
leave(struct jread *j)
{
	if (j->in != NULL)
		j->nread += segment_taken(j->in);
	segment_close(j->in);
	j->in = NULL;
}

void
jread_close(struct jread *j)
{
	if (j == NULL)
		return;
	leave(j);
	close(j->dirfd);
	jdir_free(&j->dir);
	free(j);
}

/* The value of a hexadecimal key in a header, 0 when it has none. */
static uint64_t
header_hex(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p == NULL ? 0 : strtoull(p + strlen(key), NULL, 16);
}

/*
 * A segment's header begins here: device bytes from its offset on that older
 * segments hold are void, unless it starts anew.
 */
static uint64_t
header_limit(const char *line, size_t n)
{
	struct record r;

	if (record_peek(line, n, &r) == -1 || r.type != RECORD_HEADER ||
	    memmem(line, n, " restart=yes", 12) != NULL)
		return UINT64_MAX;
	return r.offset;
}

/* The first segment after the one being read; dir.count when none is. */
static size_t
next_index(const struct jread *j)
{
	size_t i = 0;

	while (i < j->dir.count && j->dir.segments[i].seq <= j->seq)
		i++;
	return i;
}

/* What the segment after the current one says about this one. */
static uint64_t
next_limit(struct jread *j)
{
	size_t i = next_index(j);
	uint64_t limit = UINT64_MAX;
	char line[1024], *lf;
	struct segment *next;
	ssize_t got;

	if (i == j->dir.count)
		return limit;
	next = segment_open(j->dirfd, j->dir.segments[i].name);
	if (next == NULL)
		return limit;
	got = segment_read(next, line, sizeof(line), 0);
	j->nread += segment_taken(next);
	segment_close(next);
	lf = got > 0 ? memchr(line, '\n', (size_t)got) : NULL;
	if (lf != NULL)
		limit = header_limit(line, (size_t)(lf - line));
	return limit;
}

/* Read on from file offset at. */
static void
go_to(struct jread *j, uint64_t at)
{
	j->pos = at;
	j->at = j->len = 0;
	j->overlong = false;
}

/* Open segment i.  0 or -1. */
static int
enter(struct jread *j, size_t i)
{
	leave(j);
	j->started = true;
	j->seq = j->dir.segments[i].seq;
	j->past = j->last_look = false;
	go_to(j, 0);
	j->in = segment_open(j->dirfd, j->dir.segments[i].name);
	/* One that was removed meanwhile is empty; the next one goes on. */
	if (j->in == NULL && errno != ENOENT)
		return -1;
	/* What comes behind the end takes nothing back. */
	j->limit = j->seq == j->end.seq ? UINT64_MAX : next_limit(j);
	return 0;
}

/* At file offset at: not more than block, nor beyond the end. */
static size_t
readable(const struct jread *j, uint64_t at)
{
	if (j->seq != j->end.seq || at + j->block <= j->end.pos)
		return j->block;
	return at < j->end.pos ? (size_t)(j->end.pos - at) : 0;
}

/* The next whole line of the segment.  1, 0 when there is none yet, -1. */
static int
next_line(struct jread *j, const char **line, size_t *n)
{
	char *lf;
	ssize_t got;

	for (;;) {
		lf = memchr(j->buf + j->at, '\n', j->len - j->at);
		if (lf != NULL) {
			*line = j->buf + j->at;
			*n = (size_t)(lf - *line);
			j->at += *n + 1;
			if (!j->overlong)
				return 1;
			j->overlong = false;
			j->damaged++;
			continue;
		}
		if (j->len - j->at > RECORD_MAX) {
			j->overlong = true;
			j->at = j->len;
		}
		memmove(j->buf, j->buf + j->at, j->len - j->at);
		j->pos += j->at;
		j->len -= j->at;
		j->at = 0;
		if (j->in == NULL)
			return 0;
		got = segment_read(j->in, j->buf + j->len,
		    readable(j, j->pos + j->len), j->pos + j->len);
		if (got <= 0)
			return (int)got;
		j->len += (size_t)got;
	}
}

/* Look for segments that were begun since. */
static void
look_for_more(struct jread *j)
{
	char name[JDIR_NAME];
	struct jdir fresh;
	ssize_t n;

	n = readlinkat(j->dirfd, JDIR_CURRENT, name, sizeof(name) - 1);
	if (n > 0 && j->dir.count > 0) {
		name[n] = '\0';
		if (strcmp(name,
		    j->dir.segments[j->dir.count - 1].name) == 0)
			return;
	}
	if (jdir_list(j->dirfd, &fresh) == -1)
		return;
	jdir_free(&j->dir);
	j->dir = fresh;
}

/*
 * May segment i hold records of the range?  Its name tells when it began.  It
 * ended when the next one began, or, where the clock was set back then, when
 * it was last written to.
 */
static bool
may_hold(const struct jread *j, size_t i)
{
	const struct jdir_segment *seg = &j->dir.segments[i];
	struct stat st;

	if (j->until < INT64_MAX - NAME_SLACK_US &&
	    seg->utc_us > j->until + NAME_SLACK_US)
		return false;
	if (i + 1 == j->dir.count || j->since == INT64_MIN ||
	    seg[1].utc_us >= j->since - SLACK_US)
		return true;
	return fstatat(j->dirfd, seg->name, &st, 0) == 0 &&
	    (int64_t)st.st_mtime * 1000000 >= j->since - SLACK_US;
}

/* The next segment that may; dir.count when none does. */
static size_t
next_wanted(const struct jread *j)
{
	size_t i = next_index(j);

	while (i < j->dir.count && !may_hold(j, i))
		i++;
	return i < j->dir.count && j->dir.segments[i].seq > j->end.seq ?
	    j->dir.count : i;
}

/* The first record after file offset mid.  1, 0 when there is none, -1. */
static int
probe(struct jread *j, uint64_t mid, struct record *r, uint64_t *start)
{
	const char *line;
	size_t n;
	int got;

	go_to(j, mid);
	got = next_line(j, &line, &n);		/* the rest of a line */
	while (got == 1) {
		got = next_line(j, &line, &n);
		/* A seal may be later than the records after it. */
		if (got == 1 && record_decode(line, n, r, &j->space) == 0 &&
		    r->type != RECORD_SEAL) {
			*start = j->pos + j->at - n - 1;
			return 1;
		}
	}
	return got;
}

/*
 * Go to a record from which on everything at or after `since` follows: by
 * halves, over the times at which records were finished, which never go back
 * within a segment.
 */
static int
search(struct jread *j)
{
	uint64_t lo = 0, hi, mid, start, size, damaged = j->damaged;
	struct record r;
	int got = 0;

	if (j->in == NULL || j->since == INT64_MIN ||
	    segment_size(j->in, &size) == -1)
		return 0;
	if (j->seq == j->end.seq && size > j->end.pos)
		size = j->end.pos;
	hi = size;
	j->block = PROBE_BLOCK;
	while (got != -1 && hi - lo > PROBE) {
		/* The end first: often all of it is too old. */
		mid = lo + (hi == size && lo == 0 ?
		    hi - 2 * PROBE_BLOCK : (hi - lo) / 2);
		got = probe(j, mid, &r, &start);
		if (got == 1 && start < hi &&
		    record_end_us(&r) < j->since - SLACK_US)
			lo = start;
		else
			hi = mid;
	}
	j->block = BLOCK;
	j->damaged = damaged;
	go_to(j, lo);
	return got == -1 ? -1 : 0;
}

int
jread_end(const struct jread *j, struct jread_place *end)
{
	struct segment *last;
	int got;

	*end = (struct jread_place){ 0, 0 };
	if (j->dir.count == 0)
		return 0;
	end->seq = j->dir.segments[j->dir.count - 1].seq;
	last = segment_open(j->dirfd,
	    j->dir.segments[j->dir.count - 1].name);
	/* Removed meanwhile: then it ended with the one before. */
	if (last == NULL)
		return errno == ENOENT ? 0 : -1;
	got = segment_size(last, &end->pos);
	segment_close(last);
	return got;
}

void
jread_stop(struct jread *j, const struct jread_place *end)
{
	j->end = *end;
}

int
jread_range(struct jread *j, int64_t since, int64_t until)
{
	size_t i;

	j->started = true;
	j->since = since;
	j->until = until;
	i = next_wanted(j);
	if (i == j->dir.count)
		return 0;
	return enter(j, i) == -1 ? -1 : search(j);
}

/* The place n lines before the end, being looked for. */
struct tail {
	size_t left;
	bool open;		/* previews seen now are of the last line */
	bool counted;		/* and it was counted */
	size_t segment;
	uint64_t at;
};

/* Count backwards in one segment.  1: enough, 0: go on before it, -1. */
static int
tail_in(struct jback *b, size_t segment, struct tail *t)
{
	const char *line;
	struct record r;
	uint64_t at;
	size_t n;
	int got;

	while ((got = jback_line(b, &line, &n, &at)) == 1) {
		if (record_peek(line, n, &r) == -1 || !record_is_data(&r))
			continue;
		if (record_is_final(&r)) {
			t->open = false;
			if (t->left == 0)
				return 1;
			t->left--;
		} else if (!t->open) {
			continue;
		} else if (!t->counted) {
			t->counted = true;
			t->left--;
		}
		t->segment = segment;
		t->at = at;
		if (t->left == 0 && !t->open)
			return 1;
	}
	return got;
}

int
jread_tail(struct jread *j, size_t n)
{
	struct tail t = { .left = n, .open = true };
	size_t i = j->dir.count;
	struct jback *b;
	int got = 0;

	j->started = true;
	t.segment = i - 1;
	while (i > 0 && got == 0) {
		b = jback_new(j->dirfd, j->dir.segments[--i].name);
		if (b == NULL && errno == ENOENT)
			continue;
		if (b == NULL)
			return -1;
		if (i + 1 == j->dir.count)
			t.at = jback_whole(b);
		got = n == 0 ? 1 : tail_in(b, i, &t);
		j->nread += jback_read(b);
		jback_free(b);
	}
	if (got == -1)
		return -1;
	if (j->dir.count > 0) {
		if (enter(j, t.segment) == -1)
			return -1;
		go_to(j, t.at);
	}
	return 0;
}

/* Does it concern the range?  Also sees when nothing more will. */
static bool
wanted(struct jread *j, const struct record *r)
{
	int64_t end = record_end_us(r);

	if (j->until < INT64_MAX - SLACK_US && end > j->until + SLACK_US)
		j->past = true;
	return end >= j->since && r->stamp.utc_us <= j->until;
}

static void
hold(struct jread *j, const struct record *r)
{
	struct record *h = &j->held;

	*h = *r;
	h->data = j->held_space.data;
	h->notes = j->held_space.notes;
	memcpy(j->held_space.data, r->data, r->n);
	memcpy(j->held_space.notes, r->notes, r->nnotes * sizeof(*r->notes));
	j->has_held = true;
}

/* Another preview of the same line; false when it does not follow. */
static bool
hold_more(struct jread *j, const struct record *r)
{
	struct record *h = &j->held;
	struct record_note *notes = j->held_space.notes;
	int64_t ms = (r->stamp.mono.us - h->stamp.mono.us) / 1000;

	if (r->offset != record_end(h) || h->n + r->n > RECORD_BYTES ||
	    h->nnotes + r->nnotes + 1 > RECORD_NOTES || h->n == 0)
		return false;
	if (ms < 0 || ms > UINT32_MAX - 1)
		ms = 0;
	if (h->nnotes > 0 && ms < notes[h->nnotes - 1].ms)
		ms = notes[h->nnotes - 1].ms;
	notes[h->nnotes].at = (uint32_t)h->n;
	notes[h->nnotes++].ms = (uint32_t)ms;
	for (size_t i = 0; i < r->nnotes; i++) {
		notes[h->nnotes].at = r->notes[i].at + (uint32_t)h->n;
		notes[h->nnotes++].ms = r->notes[i].ms + (uint32_t)ms;
	}
	memcpy(j->held_space.data + h->n, r->data, r->n);
	h->n += r->n;
	return true;
}

/* Nothing replaces what is held: it counts as data. */
static bool
release(struct jread *j, struct record *r)
{
	*r = j->held;
	j->has_held = false;
	if (j->has_done && record_end(r) <= j->done)
		return false;
	j->done = record_end(r);
	j->has_done = true;
	return wanted(j, r);
}

enum take {
	TAKE_NOTHING,
	TAKE_IT,
	TAKE_HELD_FIRST,	/* then look at this record again */
};

static enum take
take_preview(struct jread *j, const struct record *r)
{
	if (r->n == 0 || (j->has_done && record_end(r) <= j->done))
		return TAKE_NOTHING;
	if (j->has_held && hold_more(j, r))
		return TAKE_NOTHING;
	if (j->has_held && r->offset >= record_end(&j->held) &&
	    j->held.offset < j->limit)
		return TAKE_HELD_FIRST;
	hold(j, r);
	return TAKE_NOTHING;
}

static enum take
take_final(struct jread *j, const struct record *r)
{
	if (j->has_held && r->offset > j->held.offset &&
	    j->held.offset < j->limit)
		return TAKE_HELD_FIRST;
	j->has_held = false;
	if (r->offset >= j->limit)
		return TAKE_NOTHING;
	if (j->has_done && record_end(r) <= j->done)
		return TAKE_NOTHING;
	j->done = record_end(r);
	j->has_done = true;
	return wanted(j, r) ? TAKE_IT : TAKE_NOTHING;
}

static void
take_header(struct jread *j, const struct record *r)
{
	char text[RECORD_BYTES + 1];

	memcpy(text, r->data, r->n);
	text[r->n] = '\0';
	j->boot = header_hex(text, " boot=");
	if (strstr(text, " restart=yes") != NULL) {
		j->has_done = false;
		j->epoch++;
	}
}

static enum take
take(struct jread *j, const struct record *r)
{
	switch (r->type) {
	case RECORD_HEADER:
		take_header(j, r);
		return TAKE_NOTHING;
	case RECORD_CRLF: case RECORD_LF: case RECORD_CUT:
		return take_final(j, r);
	case RECORD_PREVIEW:
		return take_preview(j, r);
	case RECORD_INPUT: case RECORD_EVENT:
		return wanted(j, r) ? TAKE_IT : TAKE_NOTHING;
	case RECORD_SEAL:
		return TAKE_NOTHING;
	}
	return TAKE_NOTHING;
}

/*
 * The segment has no more lines for us.  1: r is what it left unfinished, and
 * the next one does not go on with it; 0: gone to the next one; -1; 2: there
 * is none.
 */
static int
next_segment(struct jread *j, struct record *r)
{
	size_t i = next_wanted(j);

	if (i == j->dir.count) {
		look_for_more(j);
		i = next_wanted(j);
		if (i == j->dir.count)
			return 2;
	}
	if (!j->last_look && !j->past) {
		/* It may have grown before its successor was begun. */
		j->last_look = true;
		return 0;
	}
	if (j->has_held && j->held.offset < next_limit(j) && release(j, r))
		return 1;
	return enter(j, i) == -1 ? -1 : search(j);
}

int
jread_next(struct jread *j, struct record *r)
{
	const char *line = NULL;
	size_t n = 0;
	int got;

	if (!j->started && jread_range(j, j->since, j->until) == -1)
		return -1;
	for (;;) {
		got = j->past || j->in == NULL ? 0 : next_line(j, &line, &n);
		if (got == 0) {
			got = next_segment(j, r);
			if (got != 0)
				return got == 2 ? 0 : got;
			continue;
		}
		if (got == -1)
			return -1;
		if (record_decode(line, n, r, &j->space) == -1) {
			j->damaged++;
			continue;
		}
		switch (take(j, r)) {
		case TAKE_NOTHING:
			break;
		case TAKE_IT:
			return 1;
		case TAKE_HELD_FIRST:
			j->at -= n + 1;
			if (release(j, r))
				return 1;
			break;
		}
	}
}

bool
jread_unfinished(struct jread *j, struct record *r)
{
	if (!j->has_held || record_end_us(&j->held) < j->since ||
	    j->held.stamp.utc_us > j->until)
		return false;
	*r = j->held;
	return true;
}

bool
jread_is_past(const struct jread *j)
{
	return j->past;
}

uint64_t
jread_boot(const struct jread *j)
{
	return j->boot;
}

unsigned
jread_epoch(const struct jread *j)
{
	return j->epoch;
}

uint64_t
jread_damaged(const struct jread *j)
{
	return j->damaged;
}

uint64_t
jread_bytes(const struct jread *j)
{
	return j->nread + (j->in == NULL ? 0 : segment_taken(j->in));
}
