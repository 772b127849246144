#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/clock.h"
#include "../server/base/folder.h"
#include "../server/base/mem.h"
#include "jback.h"
#include "jdir.h"
#include "record.h"

int
jdir_open(const char *log_dir, const char *console)
{
	char *path = xasprintf("%s/%s", log_dir, console);
	int fd, saved;

	fd = folder_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	saved = errno;
	free(path);
	errno = saved;
	return fd;
}

static int
all_digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return 0;
	}
	return 1;
}

/* "20261122T094103Z" as microseconds.  0 or -1. */
static int
name_time(const char *s, int64_t *utc_us)
{
	char text[STAMP_TEXT];

	if (!all_digits(s, 8) || s[8] != 'T' || !all_digits(s + 9, 6) ||
	    s[15] != 'Z')
		return -1;
	snprintf(text, sizeof(text), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.000000Z",
	    s, s + 4, s + 6, s + 9, s + 11, s + 13);
	return stamp_parse(text, strlen(text), utc_us);
}

/*
 * Take a file's name apart.  1: a segment; 0: not one, but seq is in use (a
 * side file); -1: a stranger.
 */
static int
name_parse(const char *name, struct jdir_segment *seg)
{
	size_t digits = strspn(name, "0123456789");
	const char *p = name + digits;
	unsigned long seq;

	if (digits < 8 || digits > 10 || *p != '-' || strlen(p + 1) < 20 ||
	    name_time(p + 1, &seg->utc_us) == -1 ||
	    strncmp(p + 17, ".log", 4) != 0 || strlen(name) >= JDIR_NAME)
		return -1;
	seq = strtoul(name, NULL, 10);
	if (seq == 0 || seq > UINT32_MAX)
		return -1;
	seg->seq = (uint32_t)seq;
	memcpy(seg->name, name, strlen(name) + 1);
	seg->packed = strcmp(p + 21, JDIR_PACKED) == 0;
	return p[21] == '\0' || seg->packed;
}

void
jdir_name(struct jdir_segment *seg)
{
	char t[STAMP_TEXT];

	stamp_text(t, seg->utc_us);
	seg->packed = false;
	snprintf(seg->name, sizeof(seg->name),
	    "%08lu-%.4s%.2s%.2sT%.2s%.2s%.2sZ.log", (unsigned long)seg->seq,
	    t, t + 5, t + 8, t + 11, t + 14, t + 17);
}

static int
by_seq(const void *a, const void *b)
{
	const struct jdir_segment *x = a, *y = b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return x->packed - y->packed;
}

/* Where both forms are there the plain one is what counts. */
static void
drop_doubles(struct jdir *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++) {
		if (n > 0 && d->segments[n - 1].seq == d->segments[i].seq &&
		    d->segments[i].packed)
			continue;
		d->segments[n++] = d->segments[i];
	}
	d->count = n;
}

int
jdir_list(int dirfd, struct jdir *d)
{
	struct jdir_segment seg;
	struct dirent *e;
	size_t room = 0;
	DIR *dir;
	int fd, kind;

	memset(d, 0, sizeof(*d));
	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return -1;
	}
	while ((e = readdir(dir)) != NULL) {
		kind = name_parse(e->d_name, &seg);
		if (kind == -1)
			continue;
		if (seg.seq > d->last)
			d->last = seg.seq;
		if (kind == 0)
			continue;
		if (d->count == room) {
			room = room == 0 ? 64 : room * 2;
			d->segments = xreallocarray(d->segments, room,
			    sizeof(*d->segments));
		}
		d->segments[d->count++] = seg;
	}
	closedir(dir);
	if (d->count > 0)
		qsort(d->segments, d->count, sizeof(*d->segments), by_seq);
	drop_doubles(d);
	return 0;
}

void
jdir_free(struct jdir *d)
{
	free(d->segments);
	memset(d, 0, sizeof(*d));
}

/* The stream went on elsewhere after this record.  0 or -1. */
static int
gap_end(const struct record *r, uint64_t *to)
{
	char text[128];
	const char *p;

	if (r->type != RECORD_EVENT || r->n >= sizeof(text))
		return -1;
	memcpy(text, r->data, r->n);
	text[r->n] = '\0';
	p = strstr(text, " to=");
	if (strncmp(text, "gap ", 4) != 0 || p == NULL)
		return -1;
	*to = strtoull(p + 4, NULL, 10);
	return 0;
}

/* Offsets start anew at this header. */
static int
is_fresh(const struct record *r)
{
	return memmem(r->data, r->n, " restart=yes", 12) != NULL;
}

/*
 * Look at one segment from its end.  1: that is all there is to know, 0: look
 * at the one before, too, -1.  The newest header or finished piece says where
 * to resume; previews beyond it may stand in older segments, down to the
 * newest finished piece.
 */
static int
place_in(struct jback *b, struct record_space *space, struct jdir_place *p)
{
	const char *line;
	struct record r;
	uint64_t at;
	size_t n;
	int got;

	while ((got = jback_line(b, &line, &n, NULL)) == 1) {
		if (record_decode(line, n, &r, space) == -1)
			continue;
		if (r.type == RECORD_PREVIEW && record_end(&r) > p->shown)
			p->shown = record_end(&r);
		if (record_is_final(&r) || r.type == RECORD_HEADER)
			at = record_end(&r);
		else if (gap_end(&r, &at) == -1)
			continue;
		if (!p->known)
			p->resume = at;
		p->known = 1;
		if (r.type != RECORD_HEADER || is_fresh(&r))
			return 1;
	}
	return got;
}

int
jdir_find_place(int dirfd, const struct jdir *d, struct jdir_place *p)
{
	struct record_space *space;
	struct jback *b;
	int found = 0;

	memset(p, 0, sizeof(*p));
	space = xmalloc(sizeof(*space));
	for (size_t i = d->count; i > 0 && found == 0; i--) {
		b = jback_new(dirfd, d->segments[i - 1].name);
		if (b == NULL) {
			found = -1;
			break;
		}
		found = place_in(b, space, p);
		jback_free(b);
	}
	free(space);
	if (p->shown < p->resume)
		p->shown = p->resume;
	return found == -1 ? -1 : 0;
}
