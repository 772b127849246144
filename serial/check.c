#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/mem.h"
#include "check.h"
#include "check_span.h"
#include "jdir.h"
#include "segment.h"

#define BLOCK 65536
#define SLACK_US 2000000
#define FOLD_BASE UINT64_C(14695981039346656037)
#define FOLD_PRIME UINT64_C(1099511628211)

struct check {
	const struct check_ops *ops;
	void *arg;
	struct check_result *result;
	int dirfd;
	/* The segment being read. */
	const struct jdir_segment *segment;
	size_t line;			/* the number of the next */
	bool headed, sealed;		/* it has a header; a seal */
	struct check_span span;
	struct seal_hash *hash;		/* of the span, */
	struct seal_hash *tail;		/* twice: a seal ends the first */
	uint64_t tail_bytes;
	/* How the segment before it ended. */
	bool has_before;
	uint64_t before_tail;
	char before_hash[SEAL_HASH];
	char before_name[JDIR_NAME];
	uint32_t before_seq;
	struct record_space space;
	char buf[BLOCK + RECORD_MAX];
};

static void tell(struct check *, struct check_finding *, const char *, ...)
    __attribute__((format(printf, 3, 4)));

const char *
check_kind_text(enum check_kind kind)
{
	static const char *const words[] = {
		[CHECK_EDITED] = "edited", [CHECK_REMOVED] = "removed",
		[CHECK_ADDED] = "added", [CHECK_DOUBLED] = "doubled",
		[CHECK_SWAPPED] = "swapped", [CHECK_SEAL] = "seal",
		[CHECK_SEGMENT_REMOVED] = "segment-removed",
		[CHECK_SEGMENT_MOVED] = "segment-moved",
		[CHECK_CUT] = "cut", [CHECK_DAMAGED] = "damaged",
	};

	return words[kind];
}

static void
finding(struct check *c, struct check_finding *f)
{
	c->result->findings++;
	c->ops->finding(c->arg, f);
}

/* In the segment being read unless f names another. */
static void
tell(struct check *c, struct check_finding *f, const char *fmt, ...)
{
	va_list ap;

	if (f->segment == NULL && c->segment != NULL) {
		f->segment = c->segment->name;
		f->seq = c->segment->seq;
	} else if (f->segment == NULL) {
		f->segment = "";
	}
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	finding(c, f);
}

/* Lines from here on are under the next seal. */
static void
start_span(struct check *c)
{
	char unused[SEAL_HASH];

	if (c->hash != NULL)
		seal_hash_end(c->hash, unused);
	if (c->tail != NULL)
		seal_hash_end(c->tail, unused);
	c->hash = seal_hash_new();
	c->tail = seal_hash_new();
	c->tail_bytes = 0;
	c->span.first = c->line;
	c->span.count = 0;
}

static void
add_bytes(struct check *c, const char *p, size_t n)
{
	seal_hash_add(c->hash, p, n);
	seal_hash_add(c->tail, p, n);
	c->tail_bytes += n;
}

static void
note_line(struct check *c, const char *p, size_t n, int64_t utc_us)
{
	struct check_line *l;
	uint64_t fold = FOLD_BASE;

	if (c->span.count++ >= CHECK_LINES)
		return;
	l = &c->span.lines[c->span.count - 1];
	for (size_t i = 0; i < n; i++)
		fold = (fold ^ (uint8_t)p[i]) * FOLD_PRIME;
	l->fold = fold;
	l->check = (uint16_t)seal_check(p, n);
	l->seal = memmem(p, n, " checks=", 8) != NULL ||
	    (memmem(p, n, " seal=", 6) != NULL &&
	    memmem(p, n, " prev=", 6) != NULL);
	l->utc_us = utc_us;
}

/* What was lost between the seal before and this one. */
static void
tell_jump(struct check *c, const struct seal_fields *seal)
{
	const struct seal_mark *m = &c->result->mark;
	struct check_finding f = { .kind = CHECK_SEAL, .seal = m->number + 1,
	    .line = c->span.first, .upto = c->line };

	/* Its own line may still be there, as something else. */
	for (size_t i = 0; i < c->span.count && i < CHECK_LINES; i++) {
		if (c->span.lines[i].seal) {
			f.line = f.upto = c->span.first + i;
			break;
		}
	}
	if (seal->number <= m->number) {
		f.line = f.upto = c->line;
		f.seal = seal->number;
		tell(c, &f, "line %zu: seal %" PRIu64 " stands after seal %"
		    PRIu64 ": doubled, or moved", f.line, seal->number,
		    m->number);
	} else if (seal->number == m->number + 2) {
		tell(c, &f, "line %zu: seal %" PRIu64 " was edited or removed",
		    f.line, f.seal);
	} else {
		tell(c, &f, "line %zu: seals %" PRIu64 " to %" PRIu64
		    " were removed, with the records before each", f.line,
		    f.seal, seal->number - 1);
	}
}

/*
 * Had the seal's line said what it should, would its hash be right?  Then the
 * records are as they were, and it is the line that was edited.  before: the
 * hash of the span; p: the line.
 */
static bool
line_was_edited(struct check *c, struct seal_hash *before, const char *p,
    size_t n, const struct seal_fields *seal)
{
	const char *payload = memmem(p, n, " seal=", 6);
	char text[RECORD_BYTES + 256], hash[SEAL_HASH] = "";
	size_t len, count = c->span.count;

	if (payload != NULL && count <= SEAL_RECORDS) {
		seal_hash_add(before, p, (size_t)(payload + 1 - p));
		len = (size_t)snprintf(text, sizeof(text), "seal=%" PRIu64
		    " records=%zu %schecks=", c->result->mark.number + 1,
		    count, seal->last ? "last=yes " : "");
		for (size_t i = 0; i < count; i++)
			len += (size_t)snprintf(text + len, SEAL_CHECK + 1,
			    "%03x", c->span.lines[i].check);
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    " prev=%s hash=", c->result->mark.hash);
		seal_hash_add(before, text, len);
	}
	seal_hash_end(before, hash);
	return strcmp(hash, seal->hash) == 0;
}

static void
tell_seal(struct check *c)
{
	struct check_finding f = { .kind = CHECK_SEAL, .line = c->line,
	    .upto = c->line, .seal = c->result->mark.number + 1 };

	tell(c, &f, "line %zu: seal %" PRIu64 " was edited", f.line, f.seal);
}

/* Does the seal agree with what is before it? */
static void
judge_seal(struct check *c, const struct seal_fields *seal, const char *hash)
{
	struct seal_mark *m = &c->result->mark;
	bool jump = seal->number != m->number + 1;
	struct check_finding f = { .segment = c->segment->name,
	    .seq = c->segment->seq };

	if (jump && c->sealed)
		tell_jump(c, seal);
	if (strcmp(hash, seal->hash) != 0) {
		if (jump && c->sealed)
			return;		/* said already */
		check_span_tell(&c->span, seal, &f);
		finding(c, &f);
		return;
	}
	if (!jump && c->sealed && strcmp(seal->prev, m->hash) != 0) {
		f.kind = CHECK_SEAL;
		f.line = f.upto = c->span.first - 1;
		f.seal = m->number;
		tell(c, &f, "line %zu: seal %" PRIu64 " is not the one that "
		    "the next seal follows", f.line, f.seal);
		return;
	}
	if (!jump && c->ops->seal != NULL)
		c->ops->seal(c->arg, c->segment->seq, seal);
}

static void
take_seal(struct check *c, const char *p, size_t n, const struct record *r,
    const struct seal_fields *seal)
{
	struct seal_hash *before = seal_hash_copy(c->hash);
	char hash[SEAL_HASH];
	bool edited = false;

	seal_hash_add(c->hash, p, n - SEAL_HASH);
	seal_hash_end(c->hash, hash);
	c->hash = NULL;
	if (strcmp(hash, seal->hash) != 0)
		edited = line_was_edited(c, before, p, n, seal);
	else
		seal_hash_end(before, (char[SEAL_HASH]){ "" });
	if (edited)
		tell_seal(c);
	else
		judge_seal(c, seal, hash);
	c->result->mark.number = edited ? c->result->mark.number + 1 :
	    seal->number;
	c->result->mark.seq = c->segment->seq;
	memcpy(c->result->mark.hash, seal->hash, SEAL_HASH);
	c->result->mark_us = r->stamp.utc_us;
	c->result->ended = seal->last;
	c->result->seals++;
	c->sealed = true;
	c->line++;
	start_span(c);
}

/* The segment before, as this one's header found it. */
static void
judge_tail(struct check *c, const struct chain_header *h)
{
	struct check_finding f = { .segment = c->before_name,
	    .seq = c->before_seq };

	if (h->tail == c->before_tail && (h->tail == 0 ||
	    strcmp(h->tail_hash, c->before_hash) == 0))
		return;
	if (c->before_tail < h->tail) {
		f.kind = CHECK_CUT;
		tell(c, &f, "its end is missing: %" PRIu64 " bytes after the "
		    "last seal, and the next segment found %" PRIu64,
		    c->before_tail, h->tail);
	} else if (c->before_tail > h->tail) {
		f.kind = CHECK_ADDED;
		tell(c, &f, "%" PRIu64 " bytes were added at its end",
		    c->before_tail - h->tail);
	} else {
		f.kind = CHECK_EDITED;
		tell(c, &f, "what follows its last seal was edited");
	}
}

/* The chain goes on here, from the seal before. */
static void
judge_header(struct check *c, const struct chain_header *h)
{
	const struct seal_mark *m = &c->result->mark;
	struct check_finding f = { .segment = c->before_name,
	    .seq = c->before_seq, .kind = CHECK_CUT };

	if (strcmp(h->prev.hash, m->hash) == 0) {
		judge_tail(c, h);
	} else if (h->prev.number > m->number) {
		f.seal = m->number + 1;
		tell(c, &f, "its end is missing: seals %" PRIu64 " to %" PRIu64
		    " and the records before each", m->number + 1,
		    h->prev.number);
	} else {
		f.kind = CHECK_SEAL;
		f.segment = NULL;
		f.line = f.upto = 1;
		f.seal = h->prev.number;
		tell(c, &f, "line 1: it does not follow seal %" PRIu64 " of %s",
		    m->number, c->before_name);
	}
}

static void
take_header(struct check *c, const struct record *r)
{
	struct check_finding f = { .kind = CHECK_SEGMENT_MOVED };
	struct chain_header h;

	c->headed = true;
	if (chain_header_parse(r, &h) == -1)
		return;		/* its seal tells */
	if (h.seq != c->segment->seq) {
		tell(c, &f, "it is segment %lu by its header",
		    (unsigned long)h.seq);
		c->result->mark = h.prev;
		return;
	}
	if (c->segment->seq == c->result->first)
		c->result->begin = h;
	if (c->has_before && c->before_seq + 1 == h.seq && h.chained)
		judge_header(c, &h);
	c->result->mark.number = h.prev.number;
	memcpy(c->result->mark.hash, h.prev.hash, SEAL_HASH);
	/* From here on the header says which seal came before. */
	c->sealed = h.chained;
}

/* A whole line, its LF included. */
static void
take_line(struct check *c, const char *p, size_t n)
{
	struct seal_fields seal;
	struct record r;
	int ok = record_decode(p, n - 1, &r, &c->space);

	if (ok == 0 && r.type == RECORD_SEAL && n > SEAL_HASH &&
	    seal_parse(&r, &seal) == 0) {
		take_seal(c, p, n, &r, &seal);
		return;
	}
	if (ok == 0 && r.type == RECORD_HEADER && c->line == 1)
		take_header(c, &r);
	else if (ok == 0 && r.type == RECORD_EVENT && c->ops->event != NULL)
		c->ops->event(c->arg, c->segment->seq, &r);
	add_bytes(c, p, n);
	note_line(c, p, n, ok == 0 ? r.stamp.utc_us : 0);
	c->line++;
	c->result->records++;
}

/* Every line; what follows the last LF belongs to the tail. */
static int
read_lines(struct check *c, struct segment *in)
{
	size_t len = 0, at;
	uint64_t pos = 0;
	ssize_t got;
	char *lf;

	while ((got = segment_read(in, c->buf + len, sizeof(c->buf) - len,
	    pos)) > 0) {
		len += (size_t)got;
		pos += (uint64_t)got;
		for (at = 0; (lf = memchr(c->buf + at, '\n', len - at)) !=
		    NULL; at = (size_t)(lf + 1 - c->buf))
			take_line(c, c->buf + at,
			    (size_t)(lf + 1 - (c->buf + at)));
		if (at == 0 && len == sizeof(c->buf)) {
			/* No record is so long. */
			add_bytes(c, c->buf, len);
			len = 0;
			continue;
		}
		memmove(c->buf, c->buf + at, len - at);
		len -= at;
	}
	add_bytes(c, c->buf, len);
	return (int)got;
}

static void
end_segment(struct check *c, const struct segment *in)
{
	struct check_finding f = { .kind = CHECK_DAMAGED };

	if (segment_damaged(in) > 0)
		tell(c, &f, "%u of its frames cannot be unpacked",
		    segment_damaged(in));
	if (!c->headed && c->line > 1) {
		f.kind = CHECK_EDITED;
		f.line = f.upto = 1;
		tell(c, &f, "line 1: it has no header");
	}
	if (c->headed && !c->sealed)
		c->result->old++;
	c->result->unsealed = c->span.count;
	c->before_tail = c->tail_bytes;
	seal_hash_end(c->tail, c->before_hash);
	c->tail = NULL;
	snprintf(c->before_name, sizeof(c->before_name), "%s",
	    c->segment->name);
	c->before_seq = c->segment->seq;
	c->has_before = c->headed;
}

static int
check_segment(struct check *c, const struct jdir_segment *s)
{
	struct segment *in = segment_open(c->dirfd, s->name);
	struct check_finding f = { .kind = CHECK_DAMAGED };
	int r;

	c->segment = s;
	if (in == NULL && errno == ENOENT)
		return 0;	/* removed while we read: the next one tells */
	if (in == NULL) {
		tell(c, &f, "it cannot be read: %s", strerror(errno));
		c->has_before = false;
		return 0;
	}
	c->line = 1;
	c->headed = c->sealed = c->result->ended = false;
	start_span(c);
	c->result->segments++;
	r = read_lines(c, in);
	if (r == 0)
		end_segment(c, in);
	segment_close(in);
	return r;
}

/* Segments that are not there, though one before and one after are. */
static void
tell_missing(struct check *c, uint32_t from, uint32_t upto)
{
	struct check_finding f = { .kind = CHECK_SEGMENT_REMOVED,
	    .segment = "", .seq = from };

	c->has_before = false;
	if (from == upto)
		tell(c, &f, "segment %lu was removed", (unsigned long)from);
	else
		tell(c, &f, "segments %lu to %lu were removed",
		    (unsigned long)from, (unsigned long)upto);
}

/* The one behind the last that was read says how that one ended. */
static void
judge_next(struct check *c, const struct jdir_segment *s)
{
	struct chain_header h;

	if (s->seq > s[-1].seq + 1) {
		tell_missing(c, s[-1].seq + 1, s->seq - 1);
		return;
	}
	c->segment = s;
	if (c->has_before && chain_header_read(c->dirfd, s->name, &h) == 0 &&
	    h.seq == s->seq && h.chained)
		judge_header(c, &h);
}

/* The segments [*from, *upto) that were asked for. */
static void
choose(const struct jdir *d, const struct check_want *want, size_t *from,
    size_t *upto)
{
	*from = 0;
	*upto = d->count;
	if (want == NULL)
		return;
	/* Names are in whole seconds; seals may be later than records. */
	while (*from + 1 < *upto && want->since_us > INT64_MIN + SLACK_US &&
	    d->segments[*from + 1].utc_us < want->since_us - SLACK_US)
		++*from;
	while (*upto > *from + 1 && want->until_us < INT64_MAX - SLACK_US &&
	    d->segments[*upto - 1].utc_us > want->until_us + SLACK_US)
		--*upto;
}

/* 0, or -1 with errno: it is more than was wanted. */
static int
weigh(int dirfd, const struct jdir_segment *s, size_t n, uint64_t max)
{
	struct segment *in;
	uint64_t size, sum = 0;

	for (size_t i = 0; i < n; i++) {
		in = segment_open(dirfd, s[i].name);
		if (in != NULL && segment_size(in, &size) == 0)
			sum += size;
		segment_close(in);
		if (sum > max) {
			errno = EFBIG;
			return -1;
		}
	}
	return 0;
}

static int
check_all(struct check *c, const struct jdir *d, const struct check_want *want)
{
	size_t from, upto;

	choose(d, want, &from, &upto);
	c->result->from_first = from == 0;
	c->result->to_last = upto == d->count;
	if (want != NULL && weigh(c->dirfd, d->segments + from, upto - from,
	    want->bytes_max) == -1)
		return -1;
	for (size_t i = from; i < upto; i++) {
		const struct jdir_segment *s = &d->segments[i];

		if (i == from)
			c->result->first = s->seq;
		else if (s->seq > s[-1].seq + 1)
			tell_missing(c, s[-1].seq + 1, s->seq - 1);
		if (check_segment(c, s) == -1)
			return -1;
		c->result->last = s->seq;
	}
	if (upto < d->count)
		judge_next(c, &d->segments[upto]);
	return 0;
}

int
check_journal(const char *log_dir, const char *console,
    const struct check_want *want, const struct check_ops *ops, void *arg,
    struct check_result *result)
{
	struct check *c;
	struct jdir d;
	char unused[SEAL_HASH];
	int r, saved, fd = jdir_open(log_dir, console);

	memset(result, 0, sizeof(*result));
	result->mark = seal_none;
	if (fd == -1)
		return -1;
	if (jdir_list(fd, &d) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	c = xmalloc(sizeof(*c));
	memset(c, 0, offsetof(struct check, space));
	c->ops = ops;
	c->arg = arg;
	c->result = result;
	c->dirfd = fd;
	c->span.lines = xcalloc(CHECK_LINES, sizeof(*c->span.lines));
	r = check_all(c, &d, want);
	saved = errno;
	if (c->hash != NULL)
		seal_hash_end(c->hash, unused);
	if (c->tail != NULL)
		seal_hash_end(c->tail, unused);
	free(c->span.lines);
	free(c);
	jdir_free(&d);
	close(fd);
	errno = saved;
	return r;
}
