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
#include "jdir.h"
#include "jfile.h"
#include "record.h"

#define SEGMENT_MAX (16 * 1024 * 1024)
#define OUT_HIGH (128 * 1024)	/* write when more than this waits */
#define OUT_SIZE (OUT_HIGH + JFILE_ROOM)
#define RETIRED_MAX (JFILE_SYNC_FDS - 2)
#define CHECK_MS 1000		/* how often to look whether the file is there */
#define TORN_MAX (1024 * 1024)	/* of a torn tail copied to its side file */

enum state {
	ABSENT,			/* no segment is open */
	WRITING,
	STUCK,			/* open, but the last write failed */
};

struct jfile {
	char *log_dir, *console, *box;
	uint64_t boot, segment_max;
	enum state state;
	int dirfd, fd;
	char *path;
	struct jdir_segment segment;
	dev_t dev;
	ino_t ino;
	struct mono checked;
	int64_t difference;
	uint64_t bytes;
	bool rotate, fresh, dirty, dir_dirty;
	/* Records that wait: out[pos..len), out[0] begins a record. */
	char *out;
	size_t pos, len;
	uint64_t end, shown;		/* after all that was added */
	uint64_t whole, written;	/* after all that is in the file */
	int retired[RETIRED_MAX];
	int nretired;
	struct record_clock clock;
	char problem[160];
};

struct jfile *
jfile_new(const struct jfile_conf *conf)
{
	struct jfile *f = xcalloc(1, sizeof(*f));

	f->log_dir = xstrdup(conf->log_dir);
	f->console = xstrdup(conf->console);
	f->box = xstrdup(conf->box);
	f->boot = conf->boot;
	f->segment_max = conf->segment_max != 0 ? conf->segment_max :
	    SEGMENT_MAX;
	f->dirfd = f->fd = -1;
	f->out = xmalloc(OUT_SIZE);
	f->path = xstrdup("");
	return f;
}

/* The only place that says whether records reach a file. */
static void
change_state(struct jfile *f, enum state state)
{
	f->state = state;
	switch (state) {
	case ABSENT:
		if (f->fd == -1)
			break;
		if (f->nretired < RETIRED_MAX)
			f->retired[f->nretired++] = f->fd;
		else
			close(f->fd);	/* the kernel still writes it */
		f->fd = -1;
		free(f->path);
		f->path = xstrdup("");
		break;
	case WRITING:
		f->problem[0] = '\0';
		break;
	case STUCK:
		break;
	}
}

static int
failed(struct jfile *f, const char *what, const char *name)
{
	int saved = errno;

	snprintf(f->problem, sizeof(f->problem), "%s %s/%s%s%s: %s", what,
	    f->log_dir, f->console, name[0] != '\0' ? "/" : "", name,
	    strerror(saved));
	errno = saved;
	return -1;
}

void
jfile_free(struct jfile *f)
{
	if (f == NULL)
		return;
	change_state(f, ABSENT);
	while (f->nretired > 0)
		close(f->retired[--f->nretired]);
	if (f->dirfd != -1)
		close(f->dirfd);
	free(f->log_dir);
	free(f->console);
	free(f->box);
	free(f->path);
	free(f->out);
	free(f);
}

/* Open the folder, made if missing. */
static int
open_dir(struct jfile *f)
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
	return f->dirfd == -1 ? failed(f, "cannot open", "") : 0;
}

int
jfile_dirfd(struct jfile *f)
{
	return open_dir(f) == -1 ? -1 : f->dirfd;
}

static void
close_dir(struct jfile *f)
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
	return failed(f, "cannot lock", "");
}

void
jfile_set_offset(struct jfile *f, uint64_t offset, bool fresh)
{
	f->end = f->shown = f->whole = f->written = offset;
	f->fresh = fresh;
}

bool
jfile_is_full(const struct jfile *f)
{
	return f->len > OUT_HIGH;
}

char *
jfile_end(struct jfile *f)
{
	return f->out + f->len;
}

void
jfile_add(struct jfile *f, size_t n, uint64_t end, uint64_t shown)
{
	f->len += n;
	f->end = end;
	f->shown = shown;
	if (f->bytes + f->len - f->pos >= f->segment_max)
		f->rotate = true;
}

void
jfile_rotate(struct jfile *f)
{
	f->rotate = true;
}

/* Copy what follows the last LF of a segment to a file beside it. */
static void
keep_torn(struct jfile *f, const char *name, uint64_t from, uint64_t n)
{
	char side[JDIR_NAME + 8], block[4096];
	ssize_t got;
	int in, out;

	snprintf(side, sizeof(side), "%s.torn", name);
	in = openat(f->dirfd, name, O_RDONLY | O_CLOEXEC);
	if (in == -1)
		return;
	out = openat(f->dirfd, side, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0640);
	if (n > TORN_MAX)
		n = TORN_MAX;
	while (out != -1 && n > 0) {
		got = pread(in, block, n < sizeof(block) ? (size_t)n :
		    sizeof(block), (off_t)from);
		if (got <= 0 || fd_write_all(out, block, (size_t)got) == -1)
			break;
		from += (uint64_t)got;
		n -= (uint64_t)got;
	}
	/* If this fails nothing is lost: the segment itself is not touched. */
	if (out != -1)
		close(out);
	close(in);
}

/* Bytes of a torn record at the end of the newest segment, put aside. */
static uint64_t
recover(struct jfile *f, const struct jdir *d)
{
	uint64_t torn, whole;
	struct jback *b;
	const char *name;

	if (d->count == 0)
		return 0;
	name = d->segments[d->count - 1].name;
	b = jback_new(f->dirfd, name);
	if (b == NULL)
		return 0;
	torn = jback_torn(b);
	whole = jback_whole(b);
	jback_free(b);
	if (torn > 0)
		keep_torn(f, name, whole, torn);
	return torn;
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
	f->pos = 0;
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

/* The header, and what was found on the way here.  dst: JFILE_ROOM bytes. */
static size_t
write_head(struct jfile *f, char *dst, struct record r, uint64_t torn)
{
	char text[512], box[160];
	size_t n;

	str_safe(box, sizeof(box), f->box, strlen(f->box));
	for (char *c = box; *c != '\0'; c++) {
		if (*c == ' ')
			*c = '_';
	}
	snprintf(text, sizeof(text), RECORD_FORMAT " console=%s box=%s "
	    "seq=%lu boot=%016" PRIx64 " prev=-%s", f->console, box,
	    (unsigned long)f->segment.seq, f->boot,
	    f->fresh ? " restart=yes" : "");
	n = put_text(f, dst, &r, text);
	if (torn > 0) {
		r.type = RECORD_EVENT;
		snprintf(text, sizeof(text), "recovered torn=%" PRIu64, torn);
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
create(struct jfile *f, const struct record *header, uint64_t torn)
{
	char *head;
	struct stat st;
	size_t n;

	f->fd = openat(f->dirfd, f->segment.name, O_WRONLY | O_CREAT | O_EXCL |
	    O_APPEND | O_CLOEXEC, 0640);
	if (f->fd == -1)
		return failed(f, "cannot create", f->segment.name);
	head = xmalloc(JFILE_ROOM);
	n = write_head(f, head, *header, torn);
	if (fstat(f->fd, &st) == -1 || fd_write_all(f->fd, head, n) == -1) {
		failed(f, "cannot write", f->segment.name);
		free(head);
		unlinkat(f->dirfd, f->segment.name, 0);
		close(f->fd);
		f->fd = -1;
		return -1;
	}
	free(head);
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->bytes = n;
	return 0;
}

static int
open_segment(struct jfile *f, struct stamp when)
{
	struct record header = { .type = RECORD_HEADER };
	struct jdir d;
	uint64_t torn;

	if (open_dir(f) == -1)
		return -1;
	header.offset = rewind_out(f);
	header.stamp = first_time(f, when);
	if (lock_dir(f) == -1) {
		close_dir(f);
		return -1;
	}
	if (jdir_list(f->dirfd, &d) == -1) {
		failed(f, "cannot read", "");
		close_dir(f);
		return -1;
	}
	torn = recover(f, &d);
	f->segment.seq = d.last + 1;
	f->segment.utc_us = header.stamp.utc_us;
	jdir_name(&f->segment);
	jdir_free(&d);
	if (create(f, &header, torn) == -1) {
		close_dir(f);	/* it may be another one next time */
		return -1;
	}
	point_current(f);
	free(f->path);
	f->path = xasprintf("%s/%s/%s", f->log_dir, f->console,
	    f->segment.name);
	f->difference = header.stamp.utc_us - header.stamp.mono.us;
	f->checked = mono_now();
	f->rotate = f->fresh = false;
	f->dirty = f->dir_dirty = true;
	change_state(f, WRITING);
	return 0;
}

/* Was the file, or a folder above it, moved or removed? */
static bool
is_gone(struct jfile *f)
{
	struct mono now = mono_now();
	struct stat st;

	if (mono_ms(f->checked, now) < CHECK_MS)
		return false;
	f->checked = now;
	return stat(f->path, &st) == -1 ? errno == ENOENT || errno == ENOTDIR :
	    st.st_dev != f->dev || st.st_ino != f->ino;
}

/* The file as it is may take more later; any other error puts it in doubt. */
static bool
is_full_disk(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EINTR ||
	    error == EAGAIN;
}

static int
write_out(struct jfile *f)
{
	ssize_t w;

	while (f->pos < f->len) {
		w = write(f->fd, f->out + f->pos, f->len - f->pos);
		if (w == -1 && errno == EINTR)
			continue;
		if (w == -1) {
			failed(f, "cannot write", f->segment.name);
			change_state(f, is_full_disk(errno) ? STUCK : ABSENT);
			return -1;
		}
		f->pos += (size_t)w;
		f->bytes += (uint64_t)w;
		f->dirty = true;
	}
	f->pos = f->len = 0;
	f->whole = f->end;
	f->written = f->shown;
	change_state(f, WRITING);
	return 0;
}

int
jfile_write(struct jfile *f, struct stamp when)
{
	if (f->state != ABSENT && is_gone(f)) {
		log_warn("console %s: %s is gone, starting a new segment",
		    f->console, f->path);
		change_state(f, ABSENT);
		close_dir(f);
	}
	if (f->state == ABSENT && open_segment(f, when) == -1)
		return -1;
	if (write_out(f) == -1)
		return -1;
	if (!f->rotate)
		return 0;
	change_state(f, ABSENT);
	return open_segment(f, when);
}

void
jfile_abandon(struct jfile *f, uint64_t offset)
{
	char *p = f->out, *e = f->out + f->len, *kept = f->out, *lf;
	struct record r;

	change_state(f, ABSENT);
	for (; p < e; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(e - p));
		if (lf == NULL)
			break;
		if (lf + 1 - f->out <= (ptrdiff_t)f->pos ||
		    record_peek(p, (size_t)(lf - p), &r) == -1 ||
		    record_is_data(&r))
			continue;
		memmove(kept, p, (size_t)(lf + 1 - p));
		kept += lf + 1 - p;
	}
	f->pos = 0;
	f->len = (size_t)(kept - f->out);
	jfile_set_offset(f, offset, false);
}

int
jfile_take_sync(struct jfile *f, int fds[JFILE_SYNC_FDS], uint64_t *upto)
{
	int n = 0;

	while (f->nretired > 0)
		fds[n++] = f->retired[--f->nretired];
	if (f->dirty && f->fd != -1) {
		fds[n] = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
		n += fds[n] != -1;
	}
	if (n > 0 && f->dir_dirty && f->dirfd != -1) {
		fds[n] = fcntl(f->dirfd, F_DUPFD_CLOEXEC, 0);
		n += fds[n] != -1;
	}
	f->dirty = f->dir_dirty = false;
	*upto = f->whole;
	return n;
}

bool
jfile_wants_sync(const struct jfile *f)
{
	return f->nretired > 0;
}

bool
jfile_is_dirty(const struct jfile *f)
{
	return f->dirty || f->nretired > 0;
}

const char *
jfile_problem(const struct jfile *f)
{
	return f->problem;
}

uint64_t
jfile_written(const struct jfile *f)
{
	return f->written;
}

uint64_t
jfile_bytes(const struct jfile *f)
{
	return f->bytes;
}

const char *
jfile_path(const struct jfile *f)
{
	return f->path;
}

bool
jfile_clock(const struct jfile *f, int64_t *difference)
{
	*difference = f->difference;
	return f->state != ABSENT;
}
