#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/folder.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "tidy_list.h"

static bool
is_journal(const char *name)
{
	return strlen(name) < TIDY_NAME && (str_is_name(name) ||
	    strcmp(name, JDIR_BOX) == 0);
}

static void
read_journal(struct tidy_list *all, const char *log_dir, const char *name)
{
	int fd = jdir_open(log_dir, name);
	struct tidy_journal *j;
	struct jdir dir;
	struct stat st;

	if (fd == -1)
		return;
	if (jdir_list(fd, &dir) == -1 || dir.count == 0) {
		close(fd);
		return;
	}
	all->journals = xreallocarray(all->journals, all->count + 1,
	    sizeof(*all->journals));
	j = &all->journals[all->count++];
	memset(j, 0, sizeof(*j));
	snprintf(j->console, sizeof(j->console), "%.*s",
	    (int)sizeof(j->console) - 1, name);
	j->dir = dir;
	j->bytes = xcalloc(dir.count, sizeof(*j->bytes));
	for (size_t i = 0; i < dir.count; i++) {
		if (fstatat(fd, dir.segments[i].name, &st, 0) == 0)
			j->bytes[i] = (uint64_t)st.st_size;
		j->sum += j->bytes[i];
	}
	all->sum += j->sum;
	close(fd);
}

int
tidy_list_read(const char *log_dir, struct tidy_list *all)
{
	DIR *dir = folder_list(log_dir);
	struct dirent *e;

	memset(all, 0, sizeof(*all));
	if (dir == NULL)
		return -1;
	while ((e = readdir(dir)) != NULL) {
		if (is_journal(e->d_name))
			read_journal(all, log_dir, e->d_name);
	}
	closedir(dir);
	return 0;
}

void
tidy_list_free(struct tidy_list *all)
{
	for (size_t i = 0; i < all->count; i++) {
		jdir_free(&all->journals[i].dir);
		free(all->journals[i].bytes);
	}
	free(all->journals);
	memset(all, 0, sizeof(*all));
}

static bool
has_closed(const struct tidy_journal *j)
{
	return j->first + 1 < j->dir.count;
}

/* When the oldest closed segment ended: when the next one began. */
static int64_t
oldest_end(const struct tidy_journal *j)
{
	return j->dir.segments[j->first + 1].utc_us;
}

/* The box's own journal vouches for all others: it goes after them. */
static bool
may_go(const struct tidy_list *all, const struct tidy_journal *j)
{
	if (!has_closed(j))
		return false;
	if (strcmp(j->console, JDIR_BOX) != 0)
		return true;
	for (size_t i = 0; i < all->count; i++) {
		const struct tidy_journal *other = &all->journals[i];

		if (other != j && other->dir.segments[other->first].utc_us <
		    oldest_end(j))
			return false;
	}
	return true;
}

static bool
is_old(const struct tidy_journal *j, int64_t age_ms, int64_t now_us)
{
	return age_ms > 0 && oldest_end(j) < now_us - age_ms * 1000;
}

static const char *
own_reason(const struct tidy_journal *j, const struct tidy_conf *conf,
    int64_t now_us)
{
	if (j->keep.size > 0 && j->sum > j->keep.size)
		return "size";
	if (is_old(j, j->keep.age_ms, now_us) ||
	    is_old(j, conf->keep_age_ms, now_us))
		return "age";
	return NULL;
}

struct tidy_journal *
tidy_list_next(struct tidy_list *all, const struct tidy_conf *conf,
    int64_t now_us, uint64_t room, const char **why)
{
	struct tidy_journal *oldest = NULL, *j;

	for (size_t i = 0; i < all->count; i++) {
		j = &all->journals[i];
		if (!may_go(all, j))
			continue;
		*why = own_reason(j, conf, now_us);
		if (*why != NULL)
			return j;
		if (oldest == NULL || oldest_end(j) < oldest_end(oldest))
			oldest = j;
	}
	*why = room > 0 ? "free" : "size";
	if (room > 0 || (conf->keep_size > 0 && all->sum > conf->keep_size))
		return oldest;
	return NULL;
}

void
tidy_list_gone(struct tidy_list *all, struct tidy_journal *j)
{
	uint64_t bytes = j->bytes[j->first++];

	j->sum -= bytes;
	all->sum -= bytes;
}
