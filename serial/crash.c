#include <sys/types.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/fileio.h"
#include "../server/base/folder.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "crash.h"
#include "crash_head.h"

#define WHOLE_MAX (CRASH_HEAD_MAX + CRASH_BEFORE + CRASH_AFTER)
#define BLOCK 16384

struct crash {
	char *folder, *console, *box;
	unsigned keep;
	int64_t quiet_ms;
	/* The one that grows. */
	int fd;			/* -1: none does */
	struct crash_head head;
	uint64_t next;		/* offset of the next byte for it */
	struct mono began;
};

static char *
path_of(const struct crash *c, const char *file)
{
	return xasprintf("%s/%s", c->folder, file);
}

char *
crash_folder(const char *log_dir, const char *console)
{
	return xasprintf("%s/%s/crash", log_dir, console);
}

static void
give_up(struct crash *c, const char *what)
{
	log_errno("console %s: crash bundle %u: %s", c->console,
	    c->head.info.id, what);
	close(c->fd);
	c->fd = -1;
}

static int
by_id(const void *a, const void *b)
{
	const struct crash_info *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* What its head says; the name alone if that cannot be read. */
static void
read_info(const char *folder, struct crash_info *i)
{
	char *path = xasprintf("%s/%s", folder, i->file);
	char block[CRASH_HEAD_MAX];
	struct crash_head head;
	struct stat st;
	int fd = folder_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	ssize_t n = fd == -1 ? -1 : fd_read_at(fd, block,
	    sizeof(block), 0);
	size_t len = n <= 0 ? 0 : crash_head_read(&head, block, (size_t)n);

	if (len > 0 && fstat(fd, &st) == 0) {
		i->utc_us = head.info.utc_us;
		i->bytes = (uint64_t)st.st_size - len;
		snprintf(i->ended, sizeof(i->ended), "%s", head.info.ended);
	}
	if (fd != -1)
		close(fd);
	free(path);
}

struct crash_info *
crash_list(const char *log_dir, const char *console, size_t *n)
{
	char *folder = crash_folder(log_dir, console);
	DIR *d = folder_list(folder);
	struct crash_info *all = NULL, one;
	struct dirent *e;

	*n = 0;
	while (d != NULL && *n <= 2 * CRASH_KEEP_MAX &&
	    (e = readdir(d)) != NULL) {
		if (crash_name_read(&one, e->d_name) == -1)
			continue;
		read_info(folder, &one);
		all = xreallocarray(all, *n + 1, sizeof(*all));
		all[(*n)++] = one;
	}
	if (d != NULL)
		closedir(d);
	if (*n > 0)
		qsort(all, *n, sizeof(*all), by_id);
	free(folder);
	return all;
}

/* Those in our own folder. */
static struct crash_info *
list_own(const struct crash *c, size_t *n)
{
	char *log_dir = xstrdup(c->folder), *end;
	struct crash_info *all;

	/* LOG_DIR/CONSOLE/crash */
	end = strrchr(log_dir, '/');
	*end = '\0';
	end = strrchr(log_dir, '/');
	*end = '\0';
	all = crash_list(log_dir, c->console, n);
	free(log_dir);
	return all;
}

static void
remove_old(const struct crash *c)
{
	size_t n, over;
	struct crash_info *all = list_own(c, &n);
	char *path;

	over = n > c->keep ? n - c->keep : 0;
	for (size_t i = 0; i < over; i++) {
		path = path_of(c, all[i].file);
		if (folder_unlink(path) == -1)
			log_errno("%s", path);
		else
			log_info("console %s: crash bundle %u was the oldest, "
			    "and is gone", c->console, all[i].id);
		free(path);
	}
	free(all);
}

/* The whole file from its part, with how it ended.  0 or -1 with errno. */
static int
write_whole(struct crash *c, const char *part)
{
	size_t n, len;
	char *whole = file_read(part, WHOLE_MAX + BLOCK, &n), *path, *text;
	struct crash_head old;
	char name[CRASH_FILE];
	int r;

	if (whole == NULL)
		return -1;
	len = crash_head_read(&old, whole, n);
	crash_name(name, &c->head.info, false);
	path = path_of(c, name);
	text = xmalloc(CRASH_HEAD_MAX + n);
	c->head.info.bytes = n - len;
	r = (int)crash_head_write(text, &c->head);
	memcpy(text + r, whole + len, n - len);
	r = file_replace(path, text, (size_t)r + n - len, 0640);
	free(text);
	free(path);
	free(whole);
	return r;
}

static void
finish(struct crash *c, const char *ended)
{
	char name[CRASH_FILE], *part;

	snprintf(c->head.info.ended, sizeof(c->head.info.ended), "%s", ended);
	crash_name(name, &c->head.info, true);
	part = path_of(c, name);
	if (write_whole(c, part) == -1) {
		give_up(c, "cannot be finished");
		free(part);
		return;
	}
	close(c->fd);
	c->fd = -1;
	if (folder_unlink(part) == -1)
		log_errno("%s", part);
	free(part);
	remove_old(c);
	log_info("console %s: crash bundle %u (%s), %" PRIu64 " bytes, ended "
	    "by %s", c->console, c->head.info.id, c->head.alerts,
	    c->head.info.bytes, ended);
}

/* A part that a process before us left. */
static void
take_up(struct crash *c, const struct crash_info *i, const struct history *h)
{
	char block[CRASH_HEAD_MAX], *path = path_of(c, i->file);
	off_t end;
	size_t len;
	ssize_t n;

	c->fd = folder_open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
	    0);
	free(path);
	c->head.info = *i;
	if (c->fd == -1) {
		log_errno("%s/%s", c->folder, i->file);
		return;
	}
	n = fd_read_at(c->fd, block, sizeof(block), 0);
	end = lseek(c->fd, 0, SEEK_END);
	len = n <= 0 ? 0 : crash_head_read(&c->head, block, (size_t)n);
	c->head.info.id = i->id;
	if (len == 0 || end < (off_t)len) {
		errno = EINVAL;
		give_up(c, "is no such file");
		return;
	}
	c->next = c->head.from + (uint64_t)end - len;
	c->began = mono_now();
	if (c->next < history_tail(h) || c->next > history_head(h))
		finish(c, "cut");
}

struct crash *
crash_new(const struct crash_conf *conf, const struct history *h)
{
	struct crash *c = xcalloc(1, sizeof(*c));
	struct crash_info *all;
	size_t n;

	c->folder = crash_folder(conf->log_dir, conf->console);
	c->console = xstrdup(conf->console);
	c->box = xstrdup(conf->box);
	c->keep = conf->keep;
	c->quiet_ms = conf->quiet_ms;
	c->fd = -1;
	all = list_own(c, &n);
	for (size_t i = 0; i < n; i++) {
		if (crash_is_part(all[i].file) && c->fd == -1)
			take_up(c, &all[i], h);
	}
	free(all);
	return c;
}

void
crash_configure(struct crash *c, unsigned keep, int64_t quiet_ms)
{
	c->keep = keep;
	c->quiet_ms = quiet_ms;
}

void
crash_free(struct crash *c)
{
	if (c == NULL)
		return;
	if (c->fd != -1)
		close(c->fd);
	free(c->folder);
	free(c->console);
	free(c->box);
	free(c);
}

static void
add_alert(struct crash_head *head, const char *name)
{
	size_t n = strlen(head->alerts);

	snprintf(head->alerts + n, sizeof(head->alerts) - n, "%s%s",
	    n > 0 ? "," : "", name);
}

static unsigned
next_id(const struct crash *c)
{
	size_t n;
	struct crash_info *all = list_own(c, &n);
	unsigned id = n == 0 ? 1 : all[n - 1].id + 1;

	free(all);
	return id;
}

static void
begin(struct crash *c, const struct history *h, const struct alert_hit *hit)
{
	char head[CRASH_HEAD_MAX], name[CRASH_FILE], *path;
	size_t n;

	memset(&c->head, 0, sizeof(c->head));
	c->head.info.id = next_id(c);
	c->head.info.utc_us = hit->when.utc_us;
	snprintf(c->head.info.alert, sizeof(c->head.info.alert), "%s",
	    hit->rule->name);
	add_alert(&c->head, hit->rule->name);
	snprintf(c->head.console, sizeof(c->head.console), "%s", c->console);
	snprintf(c->head.box, sizeof(c->head.box), "%s", c->box);
	snprintf(c->head.line, sizeof(c->head.line), "%s", hit->text);
	c->head.offset = hit->offset;
	c->next = hit->offset > CRASH_BEFORE ? hit->offset - CRASH_BEFORE : 0;
	if (c->next < history_tail(h))
		c->next = history_tail(h);
	c->head.from = c->next;
	c->began = mono_now();
	n = crash_head_write(head, &c->head);
	crash_name(name, &c->head.info, true);
	path = path_of(c, name);
	if (dir_make(c->folder, 0750) == 0)
		c->fd = folder_open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL |
		    O_CLOEXEC, 0640);
	free(path);
	if (c->fd == -1)
		log_errno("console %s: no crash bundle: %s/%s", c->console,
		    c->folder, name);
	else if (fd_write_all(c->fd, head, n) == -1)
		give_up(c, "cannot be written");
}

bool
crash_happened(struct crash *c, const struct history *h,
    const struct alert_hit *hit)
{
	if (c->fd != -1) {
		add_alert(&c->head, hit->rule->name);
		return true;
	}
	if (c->keep == 0)
		return false;
	begin(c, h, hit);
	return c->fd != -1;
}

/* Copy up to offset.  0, or -1: there is a gap, or the disk refuses. */
static int
copy(struct crash *c, const struct history *h, uint64_t upto)
{
	uint8_t block[BLOCK];
	ssize_t n;

	while (c->next < upto) {
		size_t want = upto - c->next < sizeof(block) ?
		    (size_t)(upto - c->next) : sizeof(block);

		n = history_read(h, c->next, block, want);
		if (n == -1) {
			finish(c, "gap");
			return -1;
		}
		if (n == 0)
			break;
		if (fd_write_all(c->fd, block, (size_t)n) == -1) {
			give_up(c, "cannot be written");
			return -1;
		}
		c->next += (uint64_t)n;
	}
	return 0;
}

bool
crash_run(struct crash *c, const struct history *h, uint64_t upto,
    struct mono last, struct mono now, int64_t *due)
{
	uint64_t end = c->head.offset + CRASH_AFTER;
	int64_t longest, quiet;

	*due = INT64_MAX;
	if (c->fd == -1)
		return false;
	if (copy(c, h, upto < end ? upto : end) == -1)
		return true;
	longest = mono_after(c->began, CRASH_LONGEST_MS).us;
	/* What came last came before it began, when we were killed. */
	quiet = mono_after(last.us > c->began.us ? last : c->began,
	    c->quiet_ms).us;
	if (c->next >= end)
		finish(c, "limit");
	else if (now.us >= longest)
		finish(c, "time");
	else if (now.us >= quiet)
		finish(c, "quiet");
	else
		*due = quiet < longest ? quiet : longest;
	return c->fd == -1;
}
