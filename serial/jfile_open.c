#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/fileio.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "jback.h"
#include "jfile_internal.h"
#include "segment.h"

/* Open the folder, made if missing. */
int
jfile_open_dir(struct jfile *f)
{
	char *path;

	if (f->dirfd != -1)
		return 0;
	f->dirfd = jdir_open(f->log_dir, f->console);
	if (f->dirfd == -1 && errno == ENOENT) {
		path = xasprintf("%s/%s", f->log_dir, f->console);
		if (dir_make(path, 0750) == 0)
			f->dirfd = jdir_open(f->log_dir, f->console);
		free(path);
	}
	return f->dirfd == -1 ? jfile_failed(f, "cannot open", "") : 0;
}

void
jfile_close_dir(struct jfile *f)
{
	if (f->dirfd != -1)
		close(f->dirfd);
	f->dirfd = -1;
}

/* Only one process may write here; the lock goes with the descriptor. */
static int
lock_dir(struct jfile *f)
{
	if (flock(f->dirfd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK) {
		snprintf(f->problem, sizeof(f->problem), "%s/%s: another "
		    "process is writing this journal", f->log_dir, f->console);
		errno = EBUSY;
		return -1;
	}
	return jfile_failed(f, "cannot lock", "");
}

/* Copy what follows the last LF of a segment to a file beside it. */
static void
keep_torn(struct jfile *f, const char *name, uint64_t from, uint64_t n)
{
	struct segment *in = segment_open(f->dirfd, name);
	char side[JDIR_NAME + 8], block[4096];
	ssize_t got;
	int out;

	snprintf(side, sizeof(side), "%s.torn", name);
	if (in == NULL)
		return;
	out = openat(f->dirfd, side, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0640);
	if (n > TORN_MAX)
		n = TORN_MAX;
	while (out != -1 && n > 0) {
		got = segment_read(in, block, n < sizeof(block) ? (size_t)n :
		    sizeof(block), from);
		if (got <= 0 || fd_write_all(out, block, (size_t)got) == -1)
			break;
		from += (uint64_t)got;
		n -= (uint64_t)got;
	}
	/* If this fails nothing is lost: the segment itself is not touched. */
	if (out != -1)
		close(out);
	segment_close(in);
}

/*
 * A new segment takes over what waits from the start of the record that the
 * old one has only in part.  Returns the offset at which it begins.
 */
static uint64_t
rewind_out(struct jfile *f)
{
	const char *lf = f->pos == 0 ? NULL : memrchr(f->out, '\n', f->pos);
	size_t drop = lf == NULL ? 0 : (size_t)(lf + 1 - f->out);
	struct record r;
	const char *p, *e;

	memmove(f->out, f->out + drop, f->len - drop);
	f->len -= drop;
	f->pos = f->upos = f->ulen = f->useal = 0;
	for (p = f->out, e = p + f->len; p < e; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(e - p));
		if (lf == NULL)
			break;
		if (record_peek(p, (size_t)(lf - p), &r) == 0 &&
		    record_is_final(&r))
			return r.offset;
	}
	return f->end;
}

static size_t
put_text(struct jfile *f, char *dst, struct record *r, const char *text)
{
	r->data = (const uint8_t *)text;
	r->n = strlen(text);
	return record_encode(dst, r, &f->clock);
}

/* When the first of the records that wait was finished; else `when`. */
static struct stamp
first_time(const struct jfile *f, struct stamp when)
{
	const char *lf = memchr(f->out, '\n', f->len);
	struct record_space *space;
	struct record r;
	int64_t took;

	if (lf == NULL)
		return when;
	space = xmalloc(sizeof(*space));
	if (record_decode(f->out, (size_t)(lf - f->out), &r, space) == 0) {
		took = record_end_us(&r) - r.stamp.utc_us;
		when.utc_us = r.stamp.utc_us + took;
		when.mono.us = r.stamp.mono.us + took;
	}
	free(space);
	return when;
}

/* What is known of the segments before. */
struct before {
	uint64_t torn;			/* bytes after the last LF */
	struct seal_mark mark;		/* the newest seal */
	uint64_t tail;			/* bytes after it */
	char tail_hash[SEAL_HASH];
};

/* The hash of what follows the newest seal of a segment. */
static void
hash_tail(struct segment *in, uint64_t at, struct before *b)
{
	struct seal_hash *h = seal_hash_new();
	char block[4096];
	ssize_t got;

	while ((got = segment_read(in, block, sizeof(block), at)) > 0) {
		seal_hash_add(h, block, (size_t)got);
		b->tail += (uint64_t)got;
		at += (uint64_t)got;
	}
	seal_hash_end(h, b->tail_hash);
}

/* A header says which seal came before its segment. */
static void
mark_of_header(const struct record *r, struct seal_mark *mark)
{
	char number[24];
	int64_t v;

	if (seal_word(r->data, r->n, "prev=", mark->hash,
	    sizeof(mark->hash)) && seal_word(r->data, r->n, "sealed=", number,
	    sizeof(number)) && str_int(number, 0, INT64_MAX, &v) == 0)
		mark->number = (uint64_t)v;
	else
		*mark = seal_none;
}

/* Where the newest seal of this segment ends, or 0: it has none. */
static uint64_t
find_seal(struct jback *in, struct seal_mark *mark)
{
	struct record_space *space = xmalloc(sizeof(*space));
	struct seal_fields seal;
	struct record r;
	const char *line;
	uint64_t at, end = 0;
	size_t n;

	while (jback_line(in, &line, &n, &at) == 1) {
		if (n < 30 || record_peek(line, n, &r) == -1 ||
		    (r.type != RECORD_SEAL && r.type != RECORD_HEADER) ||
		    record_decode(line, n, &r, space) == -1)
			continue;
		if (r.type == RECORD_HEADER) {
			mark_of_header(&r, mark);
		} else if (seal_parse(&r, &seal) == 0) {
			mark->number = seal.number;
			memcpy(mark->hash, seal.hash, sizeof(mark->hash));
			end = at + n + 1;
			break;
		}
	}
	free(space);
	return end;
}

/* Errors that pass: then the next segment is for the next try. */
static bool
passes(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* 1: it says how the journal ends, 0: it has not even a header, -1. */
static int
see_newest(struct jfile *f, const struct jdir_segment *newest,
    struct before *b)
{
	struct jback *back = jback_new(f->dirfd, newest->name);
	struct segment *in;
	uint64_t at;

	if (back == NULL)
		return -1;
	b->torn = jback_torn(back);
	if (b->torn > 0)
		keep_torn(f, newest->name, jback_whole(back), b->torn);
	at = jback_whole(back) == 0 ? 0 : find_seal(back, &b->mark);
	b->mark.seq = newest->seq;
	if (jback_whole(back) == 0) {
		jback_free(back);
		return 0;	/* killed as it began */
	}
	jback_free(back);
	in = segment_open(f->dirfd, newest->name);
	if (in == NULL)
		return -1;
	hash_tail(in, at, b);
	segment_close(in);
	return 1;
}

/*
 * How the journal ends: by its newest file, or by what we know if we ended it
 * ourselves, or it is gone.  0, or -1 with errno: it cannot be told now.
 */
static int
see_before(struct jfile *f, const struct jdir *d, struct before *b)
{
	int seen = 0;

	memset(b, 0, sizeof(*b));
	b->mark = f->mark;
	for (size_t i = d->count; i > 0 && seen == 0; i--) {
		const struct jdir_segment *s = &d->segments[i - 1];

		if (s->seq < f->segment.seq || (f->clean &&
		    s->seq == f->segment.seq))
			return 0;
		b->mark = seal_none;
		seen = see_newest(f, s, b);
	}
	if (seen != -1)
		return 0;
	if (passes(errno))
		return -1;
	/* A file that cannot be read must not stop us; verify will tell. */
	log_errno("console %s: cannot read how its journal ends", f->console);
	b->mark = f->mark;
	b->tail = 0;
	return 0;
}

static size_t
put_header(struct jfile *f, char *dst, struct record r,
    const struct before *b)
{
	char text[1024], box[160], chain[200] = "";

	str_safe(box, sizeof(box), f->box, strlen(f->box));
	for (char *c = box; *c != '\0'; c++) {
		if (*c == ' ')
			*c = '_';
	}
	if (b->mark.number > 0 || b->tail > 0)
		snprintf(chain, sizeof(chain), " sealed=%" PRIu64 " tail=%"
		    PRIu64 "%s%s", b->mark.number, b->tail, b->tail > 0 ?
		    ":" : "", b->tail_hash[0] != '\0' && b->tail > 0 ?
		    b->tail_hash : "");
	snprintf(text, sizeof(text), RECORD_FORMAT " console=%s box=%s "
	    "seq=%lu boot=%016" PRIx64 " prev=%s%s%s%s%s", f->console, box,
	    (unsigned long)f->segment.seq, f->boot, b->mark.hash, chain,
	    f->fresh ? " restart=yes" : "", f->system != NULL ?
	    " system=" : "", f->system != NULL ? f->system : "");
	return put_text(f, dst, &r, text);
}

/* The header, and what was found on the way here.  dst: JFILE_ROOM bytes. */
static size_t
write_head(struct jfile *f, char *dst, struct record r,
    const struct before *b)
{
	char text[128];
	size_t n = put_header(f, dst, r, b);

	r.type = RECORD_EVENT;
	if (b->torn > 0) {
		snprintf(text, sizeof(text), "recovered torn=%" PRIu64,
		    b->torn);
		n += put_text(f, dst + n, &r, text);
	}
	if (f->gone[0] != '\0') {
		snprintf(text, sizeof(text), "gone file=%s", f->gone);
		n += put_text(f, dst + n, &r, text);
	}
	return n;
}

/* Point "current" at the segment.  A convenience: failing is no error. */
static void
point_current(struct jfile *f)
{
	static const char temp[] = ".current.new";

	unlinkat(f->dirfd, temp, 0);
	if (symlinkat(f->segment.name, f->dirfd, temp) == 0 &&
	    renameat(f->dirfd, temp, f->dirfd, JDIR_CURRENT) == -1)
		unlinkat(f->dirfd, temp, 0);
}

/* Create the file and write its head.  0 or -1; then no file is left. */
static int
create(struct jfile *f, const struct record *header, const struct before *b)
{
	char *head;
	struct stat st;
	size_t n;

	f->fd = openat(f->dirfd, f->segment.name, O_WRONLY | O_CREAT | O_EXCL |
	    O_APPEND | O_CLOEXEC, 0640);
	if (f->fd == -1)
		return jfile_failed(f, "cannot create", f->segment.name);
	head = xmalloc(JFILE_ROOM);
	n = write_head(f, head, *header, b);
	if (fstat(f->fd, &st) == -1 || fd_write_all(f->fd, head, n) == -1) {
		jfile_failed(f, "cannot write", f->segment.name);
		free(head);
		unlinkat(f->dirfd, f->segment.name, 0);
		close(f->fd);
		f->fd = -1;
		return -1;
	}
	seal_start(f->seal, &b->mark);
	seal_add(f->seal, head, n);
	free(head);
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->bytes = n;
	f->gone[0] = '\0';
	return 0;
}

static uint32_t
next_seq(const struct jfile *f, const struct jdir *d)
{
	/* Where the folder was taken away its numbers still count. */
	return (d->last > f->segment.seq ? d->last : f->segment.seq) + 1;
}

int
jfile_open_segment(struct jfile *f, struct stamp when, struct record *header)
{
	struct jdir_segment segment = { .seq = 0 }, old = f->segment;
	struct before before;
	struct jdir d;

	if (jfile_open_dir(f) == -1)
		return -1;
	header->offset = rewind_out(f);
	header->stamp = first_time(f, when);
	if (lock_dir(f) == -1) {
		jfile_close_dir(f);
		return -1;
	}
	if (jdir_list(f->dirfd, &d) == -1) {
		jfile_failed(f, "cannot read", "");
		jfile_close_dir(f);
		return -1;
	}
	if (see_before(f, &d, &before) == -1) {
		jfile_failed(f, "cannot read", "");
		jdir_free(&d);
		jfile_close_dir(f);
		return -1;
	}
	segment.seq = next_seq(f, &d);
	segment.utc_us = header->stamp.utc_us;
	jdir_name(&segment);
	jdir_free(&d);
	f->segment = segment;
	if (create(f, header, &before) == -1) {
		f->segment = old;
		jfile_close_dir(f);	/* it may be another one next time */
		return -1;
	}
	f->mark = before.mark;
	f->clean = false;
	f->sealed = when.mono;
	point_current(f);
	return 0;
}
