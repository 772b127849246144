#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/folder.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "jfile_internal.h"
#include "reserve.h"

#define SEGMENT_MAX (16 * 1024 * 1024)
#define ROTATE_MS (24 * 60 * 60 * INT64_C(1000))
#define SEAL_MS (15 * 60 * INT64_C(1000))
#define OUT_HIGH (128 * 1024)	/* write when more than this waits */
#define OUT_SIZE (OUT_HIGH + JFILE_ROOM)
#define CHECK_MS 1000		/* how often to look whether the file is there */

struct jfile *
jfile_new(const struct jfile_conf *conf)
{
	struct jfile *f = xcalloc(1, sizeof(*f));

	f->log_dir = xstrdup(conf->log_dir);
	f->console = xstrdup(conf->console);
	f->box = xstrdup(conf->box);
	f->system = conf->system == NULL ? NULL : xstrdup(conf->system);
	f->boot = conf->boot;
	f->seal = seal_new();
	f->mark = seal_none;
	jfile_configure(f, conf);
	f->dirfd = f->fd = -1;
	f->out = xmalloc(OUT_SIZE);
	f->path = xstrdup("");
	return f;
}

void
jfile_configure(struct jfile *f, const struct jfile_conf *conf)
{
	f->segment_max = conf->segment_max != 0 ? conf->segment_max :
	    SEGMENT_MAX;
	f->rotate_age_ms = conf->rotate_age_ms != 0 ? conf->rotate_age_ms :
	    ROTATE_MS;
	f->seal_ms = conf->seal_ms != 0 ? conf->seal_ms : SEAL_MS;
}

/* The only place that says whether records reach a file. */
static void
change_state(struct jfile *f, enum jfile_state state)
{
	f->state = state;
	switch (state) {
	case JFILE_ABSENT:
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
	case JFILE_WRITING:
		f->problem[0] = '\0';
		break;
	case JFILE_STUCK:
		break;
	}
}

int
jfile_failed(struct jfile *f, const char *what, const char *name)
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
	change_state(f, JFILE_ABSENT);
	while (f->nretired > 0)
		close(f->retired[--f->nretired]);
	if (f->dirfd != -1)
		close(f->dirfd);
	free(f->log_dir);
	free(f->console);
	free(f->box);
	free(f->system);
	free(f->path);
	seal_free(f->seal);
	free(f->out);
	free(f);
}

int
jfile_dirfd(struct jfile *f)
{
	return jfile_open_dir(f) == -1 ? -1 : f->dirfd;
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

/* Was the file, or a folder above it, moved or removed? */
static bool
is_gone(struct jfile *f)
{
	struct mono now = mono_now();
	struct stat st;

	if (mono_ms(f->checked, now) < CHECK_MS)
		return false;
	f->checked = now;
	if (folder_stat(f->path, &st, 0) == -1)
		return errno == ENOENT || errno == ENOTDIR;
	return st.st_dev != f->dev || st.st_ino != f->ino;
}

/* The file as it is may take more later; any other error puts it in doubt. */
static bool
is_full_disk(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EINTR ||
	    error == EAGAIN;
}

/* Between two records of the device's stream: a line of ours may go here. */
static bool
at_boundary(const struct jfile *f)
{
	return f->pos == 0 || f->out[f->pos - 1] == '\n';
}

static bool
has_urgent(const struct jfile *f)
{
	return f->ulen > f->upos;
}

/* One write(2).  Bytes, or -1: the file as it is may take more, or not. */
static ssize_t
write_some(struct jfile *f, const char *p, size_t n)
{
	ssize_t w;

	do {
		w = write(f->fd, p, n);
	} while (w == -1 && errno == EINTR);
	if (w == -1)
		return jfile_failed(f, "cannot write", f->segment.name);
	f->bytes += (uint64_t)w;
	f->dirty = true;
	return w;
}

static int
write_urgent(struct jfile *f, struct stamp when)
{
	size_t seal = f->useal > f->upos ? f->useal : f->upos;
	ssize_t w = write_some(f, f->urgent + f->upos, f->ulen - f->upos);

	if (w == -1)
		return -1;
	f->upos += (size_t)w;
	/* The seal's own line is under none. */
	if (f->upos > seal)
		seal_add(f->seal, f->urgent + seal, f->upos - seal);
	if (f->useal > 0 && f->upos >= f->useal) {
		f->mark = f->next;
		f->mark.seq = f->segment.seq;
		f->sealed = when.mono;
		f->useal = 0;
	}
	if (f->upos == f->ulen)
		f->upos = f->ulen = 0;
	return 0;
}

/* The record before the place where a line of ours goes. */
static void
place(struct jfile *f, struct stamp when, struct record *r)
{
	struct record_space *space;
	struct record before;
	const char *lf;
	size_t from;

	memset(r, 0, sizeof(*r));
	r->stamp = when;
	r->offset = f->written;
	if (f->pos == 0)
		return;
	lf = memrchr(f->out, '\n', f->pos - 1);
	from = lf == NULL ? 0 : (size_t)(lf + 1 - f->out);
	space = xmalloc(sizeof(*space));
	if (record_decode(f->out + from, f->pos - 1 - from, &before,
	    space) == 0) {
		r->offset = record_end(&before);
		if (f->pos < f->len) {
			/* More of then follows. */
			r->stamp = before.stamp;
			r->stamp.utc_us = record_end_us(&before);
		}
	}
	free(space);
}

static void
add_seal(struct jfile *f, struct stamp when, bool last)
{
	struct record r;

	place(f, when, &r);
	f->ulen = f->useal = seal_line(f->seal, f->urgent, &r, last, &f->next);
	f->upos = 0;
}

/* Records, up to where a seal is due, or only to the end of one. */
static int
write_records(struct jfile *f, bool finish)
{
	const char *p = f->out + f->pos, *lf;
	size_t n = f->len - f->pos;
	ssize_t w;

	if (finish || has_urgent(f)) {
		lf = memchr(p, '\n', n);
		n = lf == NULL ? n : (size_t)(lf + 1 - p);
	} else {
		n = seal_room(f->seal, p, n);
	}
	w = write_some(f, p, n);
	if (w == -1)
		return -1;
	seal_add(f->seal, p, (size_t)w);
	f->pos += (size_t)w;
	return 0;
}

/*
 * Write what waits.  finish: only the record that was begun, and our own
 * lines.  0, or -1 with errno.
 */
static int
write_lines(struct jfile *f, struct stamp when, bool finish)
{
	int r = 0;

	while (r == 0) {
		if (at_boundary(f)) {
			if (!has_urgent(f) && seal_is_due(f->seal))
				add_seal(f, when, false);
			if (has_urgent(f)) {
				r = write_urgent(f, when);
				continue;
			}
			if (finish || f->pos == f->len)
				return 0;
		}
		r = write_records(f, finish);
	}
	return -1;
}

/*
 * The disk is full: the reserve lets us say so behind the last whole record,
 * for whoever finds the file as it is now.
 */
static void
tell_full(struct jfile *f, struct stamp when)
{
	char text[200], why[160];
	int saved = errno;
	struct record r;

	f->reserved = false;
	if (f->dirfd == -1 || reserve_spend(f->dirfd) == -1)
		return;
	place(f, when, &r);
	r.stamp = when;
	r.type = RECORD_EVENT;
	snprintf(text, sizeof(text), "disk-full why=\"%s\"",
	    str_safe(why, sizeof(why), strerror(saved),
	    strlen(strerror(saved))));
	r.data = (const uint8_t *)text;
	r.n = strlen(text);
	f->ulen += record_encode(f->urgent + f->ulen, &r, &f->clock);
	/* If it does not fit the file system says so again, and later. */
	write_lines(f, when, true);
}

/*
 * There is room again once the reserve has its own back.  What is left of it
 * would take a few lines more, and the disk be full a second time.
 */
static bool
is_still_full(struct jfile *f)
{
	if (f->state != JFILE_STUCK || f->reserved || f->dirfd == -1)
		return false;
	f->reserved = reserve_make(f->dirfd) == 0;
	return !f->reserved && is_full_disk(errno);
}

static int
write_out(struct jfile *f, struct stamp when)
{
	if (is_still_full(f))
		return -1;
	if (write_lines(f, when, false) == -1) {
		if (is_full_disk(errno)) {
			if (f->state == JFILE_WRITING)
				tell_full(f, when);
			change_state(f, JFILE_STUCK);
		} else {
			change_state(f, JFILE_ABSENT);
		}
		return -1;
	}
	f->pos = f->len = 0;
	f->whole = f->end;
	f->written = f->shown;
	change_state(f, JFILE_WRITING);
	return 0;
}

/* The next segment.  0, or -1. */
static int
open_segment(struct jfile *f, struct stamp when)
{
	struct record header = { .type = RECORD_HEADER };

	if (jfile_open_segment(f, when, &header) == -1)
		return -1;
	free(f->path);
	f->path = xasprintf("%s/%s/%s", f->log_dir, f->console,
	    f->segment.name);
	f->difference = header.stamp.utc_us - header.stamp.mono.us;
	f->checked = mono_now();
	f->opened = when.mono;
	f->rotate = f->fresh = f->reserved = false;
	f->dirty = f->dir_dirty = true;
	change_state(f, JFILE_WRITING);
	return 0;
}

/* When the next seal is due though nothing else happens. */
static struct mono
seal_due(const struct jfile *f)
{
	int64_t every = f->seal_ms * 1000;

	/* All journals at the same moments: one settling of the disk. */
	return (struct mono){ (f->sealed.us / every + 1) * every };
}

bool
jfile_due(const struct jfile *f, struct mono *when)
{
	struct mono rotate = mono_after(f->opened, f->rotate_age_ms);

	if (f->state == JFILE_ABSENT)
		return false;
	*when = seal_due(f);
	if (rotate.us < when->us)
		*when = rotate;
	return true;
}

/*
 * The file's own time tells readers when it ended, by the clock that its
 * records bear: that may have been set back since.
 */
static void
set_time(struct jfile *f, struct stamp when)
{
	int64_t end = f->difference + when.mono.us;
	struct timespec times[2];

	if (end <= when.utc_us)
		return;
	times[0].tv_sec = times[1].tv_sec = (time_t)(end / 1000000);
	times[0].tv_nsec = times[1].tv_nsec = 0;
	if (futimens(f->fd, times) == -1)
		log_errno("time of %s", f->path);
}

/* A seal, and the file ends here.  0, or -1. */
static int
close_segment(struct jfile *f, struct stamp when)
{
	if (!has_urgent(f))
		add_seal(f, when, true);
	if (write_out(f, when) == -1)
		return -1;
	set_time(f, when);
	f->clean = true;
	change_state(f, JFILE_ABSENT);
	return 0;
}

int
jfile_finish(struct jfile *f, struct stamp when)
{
	return f->state == JFILE_ABSENT ? 0 : close_segment(f, when);
}

static void
check_gone(struct jfile *f)
{
	if (f->state == JFILE_ABSENT || !is_gone(f))
		return;
	log_warn("console %s: %s is gone, starting a new segment",
	    f->console, f->path);
	snprintf(f->gone, sizeof(f->gone), "%s", f->segment.name);
	change_state(f, JFILE_ABSENT);
	jfile_close_dir(f);
}

/* Held back again once there is room; tried once a second. */
static void
keep_reserve(struct jfile *f, struct stamp when)
{
	if (f->reserved || (f->reserve_tried.us != 0 &&
	    mono_ms(f->reserve_tried, when.mono) < CHECK_MS))
		return;
	f->reserve_tried = when.mono;
	f->reserved = reserve_make(f->dirfd) == 0;
}

void
jfile_want_seal(struct jfile *f)
{
	f->want_seal = true;
}

int
jfile_write(struct jfile *f, struct stamp when)
{
	check_gone(f);
	if (f->state == JFILE_ABSENT && open_segment(f, when) == -1)
		return -1;
	if (write_out(f, when) == -1)
		return -1;
	keep_reserve(f, when);
	if (f->want_seal || mono_us(seal_due(f), when.mono) >= 0) {
		add_seal(f, when, false);
		f->want_seal = false;
		if (write_out(f, when) == -1)
			return -1;
	}
	if (mono_ms(f->opened, when.mono) >= f->rotate_age_ms)
		f->rotate = true;
	if (!f->rotate)
		return 0;
	if (close_segment(f, when) == -1)
		return -1;
	return open_segment(f, when);
}

void
jfile_abandon(struct jfile *f, uint64_t offset)
{
	char *p = f->out, *e = f->out + f->len, *kept = f->out, *lf;
	struct record r;

	change_state(f, JFILE_ABSENT);
	f->upos = f->ulen = f->useal = 0;
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
	return f->state != JFILE_ABSENT;
}

const struct seal_mark *
jfile_mark(const struct jfile *f)
{
	return &f->mark;
}
