#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/mem.h"
#include "jdir.h"
#include "jscan.h"
#include "segment.h"

#define WINDOW 524288		/* read at once */
#define KEEP RECORD_MAX		/* for what a segment left unfinished */
#define ROOM (JSCAN_BACK + RECORD_MAX + WINDOW)
#define PROBE 16384		/* read to tell where in a segment we are */
#define NEAR 65536		/* near enough to begin */
#define SLACK_US 2000000	/* records may be that much out of order */
#define NAME_SLACK_US 60000000	/* and a segment's first one */

struct jscan {
	int dirfd;
	struct jdir dir;
	size_t next;		/* segment to be opened next */
	struct segment *seg;	/* being read, or NULL */
	uint64_t pos;		/* in it, after buf[len] */
	bool eof;		/* and read to its end */
	bool tail_told;		/* what it left unfinished was looked at */
	uint64_t limit;		/* device bytes from here on are void in it */
	int64_t since, until;
	bool (*go_on)(void *arg);
	void *go_on_arg;
	/*
	 * buf[start..at) was looked at, buf[at..whole) are lines.  The one
	 * given last begins at line, its context at back; what is before
	 * mark was shown.
	 */
	size_t start, at, whole, len, line, back, mark;
	size_t keep;		/* bytes before at that are kept */
	bool mark_lost;		/* it is no longer in the window */
	bool overlong;
	/* Nothing of this kind before; SIZE_MAX: not looked for. */
	size_t slash, hit[NEEDLE_MAX];
	uint64_t damaged;
	struct record_space space, back_space;
	char buf[ROOM];
};

struct jscan *
jscan_open(const char *log_dir, const char *console, int64_t since,
    int64_t until)
{
	int fd = jdir_open(log_dir, console), saved;
	struct jscan *s;

	if (fd == -1)
		return NULL;
	s = xmalloc(sizeof(*s));
	memset(s, 0, offsetof(struct jscan, space));
	s->dirfd = fd;
	s->since = since;
	s->until = until;
	s->keep = KEEP;
	if (jdir_list(fd, &s->dir) == 0)
		return s;
	saved = errno;
	jscan_close(s);
	errno = saved;
	return NULL;
}

void
jscan_close(struct jscan *s)
{
	if (s == NULL)
		return;
	segment_close(s->seg);
	close(s->dirfd);
	jdir_free(&s->dir);
	free(s);
}

void
jscan_keep_back(struct jscan *s)
{
	s->keep = JSCAN_BACK;
}

void
jscan_on_pause(struct jscan *s, bool (*go_on)(void *arg), void *arg)
{
	s->go_on = go_on;
	s->go_on_arg = arg;
}

uint64_t
jscan_damaged(const struct jscan *s)
{
	return s->damaged;
}

/* May segment i hold lines of the range?  As jread has it. */
static bool
may_hold(const struct jscan *s, size_t i)
{
	const struct jdir_segment *seg = &s->dir.segments[i];
	struct stat st;

	if (s->until < INT64_MAX - NAME_SLACK_US &&
	    seg->utc_us > s->until + NAME_SLACK_US)
		return false;
	if (i + 1 == s->dir.count || s->since == INT64_MIN ||
	    seg[1].utc_us >= s->since - SLACK_US)
		return true;
	return fstatat(s->dirfd, seg->name, &st, 0) == 0 &&
	    (int64_t)st.st_mtime * 1000000 >= s->since - SLACK_US;
}

/* From which offset on the segment after i records device bytes again. */
static uint64_t
limit_of(const struct jscan *s, size_t i)
{
	char line[1024], *lf;
	struct segment *next;
	struct record r;
	ssize_t got;

	if (i + 1 >= s->dir.count)
		return UINT64_MAX;
	next = segment_open(s->dirfd, s->dir.segments[i + 1].name);
	if (next == NULL)
		return UINT64_MAX;
	got = segment_read(next, line, sizeof(line), 0);
	segment_close(next);
	lf = got > 0 ? memchr(line, '\n', (size_t)got) : NULL;
	if (lf == NULL || record_peek(line, (size_t)(lf - line), &r) == -1 ||
	    r.type != RECORD_HEADER ||
	    memmem(line, (size_t)(lf - line), " restart=yes", 12) != NULL)
		return UINT64_MAX;
	return r.offset;
}

/* The first record behind text offset mid: is it before since?  And where. */
static bool
is_before(struct jscan *s, uint64_t mid, uint64_t *start)
{
	char *block = s->buf, *lf, *end;
	ssize_t got = segment_read(s->seg, block, PROBE, mid);
	struct record r;

	lf = got > 0 ? memchr(block, '\n', (size_t)got) : NULL;
	while (lf != NULL) {
		end = memchr(lf + 1, '\n', (size_t)(block + got - lf - 1));
		if (end == NULL)
			break;
		if (record_decode(lf + 1, (size_t)(end - lf - 1), &r,
		    &s->space) == 0) {
			*start = mid + (uint64_t)(lf + 1 - block);
			return record_end_us(&r) < s->since - SLACK_US;
		}
		lf = end;
	}
	return false;
}

/*
 * Where to begin in the segment: by halves, over the times at which records
 * were finished, which never go back within one.
 */
static void
skip_to_since(struct jscan *s)
{
	uint64_t lo = 0, hi, mid, start = 0;

	if (segment_size(s->seg, &hi) == -1)
		return;
	/* The window is used for it. */
	s->start = s->at = s->whole = s->len = s->mark = s->line = 0;
	s->mark_lost = true;
	while (hi - lo > NEAR) {
		mid = lo + (hi - lo) / 2;
		if (is_before(s, mid, &start) && start < hi)
			lo = start;
		else
			hi = mid;
	}
	s->pos = lo;
}

/* 1: the next segment is being read; 0: there is none; -1. */
static int
open_next(struct jscan *s)
{
	segment_close(s->seg);
	s->seg = NULL;
	while (s->next < s->dir.count) {
		size_t i = s->next++;

		if (!may_hold(s, i))
			continue;
		s->seg = segment_open(s->dirfd, s->dir.segments[i].name);
		if (s->seg == NULL && errno != ENOENT)
			return -1;
		if (s->seg == NULL)
			continue;	/* removed meanwhile */
		s->pos = 0;
		if (s->dir.segments[i].utc_us < s->since)
			skip_to_since(s);
		s->limit = limit_of(s, i);
		s->eof = s->tail_told = false;
		return 1;
	}
	return 0;
}

static void
forget_hits(struct jscan *s)
{
	s->slash = SIZE_MAX;
	for (size_t i = 0; i < NEEDLE_MAX; i++)
		s->hit[i] = SIZE_MAX;
}

/* Move what is still needed to the front. */
static void
make_room(struct jscan *s)
{
	size_t drop;

	if (s->at <= s->keep)
		return;
	drop = s->at - s->keep;
	memmove(s->buf, s->buf + drop, s->len - drop);
	s->at -= drop;
	s->len -= drop;
	s->whole = s->whole > drop ? s->whole - drop : 0;
	s->mark_lost = s->mark_lost || s->mark < drop;
	s->mark = s->mark > drop ? s->mark - drop : 0;
	s->line = s->line > drop ? s->line - drop : 0;
	/* The first line there may lack its beginning. */
	s->start = s->start > drop ? s->start - drop : 0;
	if (s->start == 0) {
		const char *lf = memchr(s->buf, '\n', s->at);

		s->start = lf == NULL ? s->at : (size_t)(lf - s->buf) + 1;
	}
	forget_hits(s);
}

/* More text of the segment.  0, or -1 with errno. */
static int
fill(struct jscan *s)
{
	const char *lf;
	ssize_t got;

	make_room(s);
	got = segment_read(s->seg, s->buf + s->len, ROOM - s->len < WINDOW ?
	    ROOM - s->len : WINDOW, s->pos);
	if (got == -1)
		return -1;
	s->pos += (uint64_t)got;
	forget_hits(s);
	if (got == 0) {
		s->eof = true;
		s->len = s->whole;	/* what follows was torn */
		s->overlong = false;
		return 0;
	}
	s->len += (size_t)got;
	lf = memrchr(s->buf + s->at, '\n', s->len - s->at);
	if (lf != NULL) {
		s->whole = (size_t)(lf - s->buf) + 1;
	} else if (s->len - s->at > RECORD_MAX) {
		s->overlong = true;
		s->len = s->whole = s->at;
	}
	if (s->overlong && lf != NULL) {
		lf = memchr(s->buf + s->at, '\n', s->len - s->at);
		s->at = (size_t)(lf - s->buf) + 1;
		s->overlong = false;
		s->damaged++;
	}
	return 0;
}

/*
 * The next byte that makes a line need decoding: a backslash, but not one that
 * begins timing.
 */
static size_t
find_slash(const struct jscan *s, size_t at)
{
	const char *p = s->buf + at, *e = s->buf + s->whole;

	while (p < e && (p = memchr(p, '\\', (size_t)(e - p))) != NULL) {
		if (p + 1 < e && p[1] != '@')
			return (size_t)(p - s->buf);
		p = memchr(p, '\n', (size_t)(e - p));
		if (p == NULL)
			break;
	}
	return s->whole;
}

/* Where the next line that may be meant has something of it. */
static size_t
find_place(struct jscan *s, const struct needle *needle)
{
	size_t first;
	const char *p;

	if (needle == NULL || needle->count == 0)
		return s->at;
	if (s->slash == SIZE_MAX || s->slash < s->at)
		s->slash = find_slash(s, s->at);
	first = s->slash;
	for (size_t i = 0; i < needle->count; i++) {
		if (s->hit[i] == SIZE_MAX || s->hit[i] < s->at) {
			p = needle_find_one(needle, i, s->buf + s->at,
			    s->whole - s->at);
			s->hit[i] = p == NULL ? s->whole :
			    (size_t)(p - s->buf);
		}
		if (s->hit[i] < first)
			first = s->hit[i];
	}
	return first;
}

/* The line around place: given out, and gone past.  Its length. */
static size_t
take_line(struct jscan *s, size_t place)
{
	const char *from = s->buf + s->at, *lf;
	size_t n;

	lf = memrchr(from, '\n', place - s->at);
	s->line = lf == NULL ? s->at : (size_t)(lf - s->buf) + 1;
	lf = memchr(s->buf + place, '\n', s->whole - place);
	n = (size_t)(lf - s->buf) - s->line;
	s->at = s->line + n + 1;
	return n;
}

static bool
in_range(const struct jscan *s, const struct record *r)
{
	return record_end_us(r) >= s->since && r->stamp.utc_us <= s->until;
}

/* Decode a line of the window, when it is of this type or a final one. */
static bool
decode(struct jscan *s, size_t at, size_t n, struct record *r,
    struct record_space *space)
{
	const char *line = s->buf + at;

	if (record_peek(line, n, r) == -1) {
		s->damaged++;
		return false;
	}
	return record_is_data(r) && record_decode(line, n, r, space) == 0;
}

/*
 * The segment ends with previews that no line of it replaced.  If the next
 * one does not record them again they are a line.
 */
static bool
take_tail(struct jscan *s, struct record *r)
{
	size_t end = s->at, first = end, begin, total = 0;
	struct record p;
	const char *lf;

	s->tail_told = true;
	while (end > s->start && first - s->start > 0) {
		lf = memrchr(s->buf + s->start, '\n', end - 1 - s->start);
		begin = lf == NULL ? s->start : (size_t)(lf - s->buf) + 1;
		if (record_peek(s->buf + begin, end - 1 - begin, &p) == 0) {
			if (record_is_final(&p) || p.type == RECORD_HEADER)
				break;
			if (p.type == RECORD_PREVIEW)
				first = begin;
		}
		if (begin == s->start)
			break;
		end = begin;
	}
	memset(r, 0, sizeof(*r));
	for (size_t at = first; at < s->at; at += (size_t)(lf - s->buf) - at + 1) {
		lf = memchr(s->buf + at, '\n', s->at - at);
		if (record_decode(s->buf + at, (size_t)(lf - s->buf) - at, &p,
		    &s->back_space) == -1 || p.type != RECORD_PREVIEW)
			continue;
		if (total == 0)
			*r = p;
		else if (p.offset != r->offset + total)
			break;
		if (total + p.n > RECORD_BYTES)
			break;
		memcpy(s->space.data + total, p.data, p.n);
		total += p.n;
	}
	r->data = s->space.data;
	r->n = total;
	r->nnotes = 0;		/* they would have to be merged; grep's time
				   is the first byte's */
	s->line = first;
	return total > 0 && r->offset < s->limit && in_range(s, r);
}

int
jscan_next(struct jscan *s, const struct needle *needle, struct record *r)
{
	size_t place, n;
	int got;

	for (;;) {
		place = s->at < s->whole ? find_place(s, needle) : s->whole;
		if (place < s->whole) {
			n = take_line(s, place);
			if (needle != NULL && s->slash >= s->at &&
			    s->slash != SIZE_MAX &&
			    !needle_has_all(needle, s->buf + s->line, n))
				continue;
			if (decode(s, s->line, n, r, &s->space) &&
			    record_is_final(r) && r->offset < s->limit &&
			    in_range(s, r))
				return 1;
			continue;
		}
		s->at = s->whole;
		if (s->seg != NULL && !s->eof) {
			if (s->go_on != NULL && !s->go_on(s->go_on_arg))
				return 0;
			if (fill(s) == -1)
				return -1;
			continue;
		}
		if (s->seg != NULL && !s->tail_told && take_tail(s, r))
			return 1;
		got = open_next(s);
		if (got != 1)
			return got;
	}
}

/* A line of the device in the window, before the one given last. */
static bool
decode_before(struct jscan *s, size_t begin, size_t end, uint64_t *limit,
    struct record *r)
{
	const char *line = s->buf + begin;

	if (record_peek(line, end - begin, r) == -1)
		return false;
	/* Another segment before this one. */
	if (r->type == RECORD_HEADER)
		*limit = memmem(line, end - begin, " restart=yes", 12) ?
		    UINT64_MAX : r->offset;
	return record_is_final(r) && r->offset < *limit;
}

void
jscan_mark(struct jscan *s)
{
	s->mark = s->at;
	s->mark_lost = false;
}

bool
jscan_look_back(struct jscan *s, size_t n)
{
	size_t end = s->line, from = s->mark > s->start ? s->mark : s->start;
	uint64_t limit = s->limit;
	size_t begin, count = 0;
	struct record r;
	const char *lf;

	s->back = s->line;
	while (end > from) {
		lf = memrchr(s->buf + from, '\n', end - 1 - from);
		begin = lf == NULL ? from : (size_t)(lf - s->buf) + 1;
		if (decode_before(s, begin, end - 1, &limit, &r)) {
			if (count++ == n)
				return false;
			s->back = begin;
		}
		end = begin;
	}
	return from == s->mark && !s->mark_lost;
}

void
jscan_before(struct jscan *s, void (*on_line)(void *arg,
    const struct record *), void *arg)
{
	struct record r;
	const char *lf;
	size_t at, n;

	for (at = s->back; at < s->line; at += n + 1) {
		lf = memchr(s->buf + at, '\n', s->line - at);
		n = (size_t)(lf - s->buf) - at;
		if (decode(s, at, n, &r, &s->back_space) &&
		    record_is_final(&r) && in_range(s, &r))
			on_line(arg, &r);
	}
}
