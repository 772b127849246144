#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/clock.h"
#include "../server/base/folder.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "../server/base/thread.h"
#include "pack.h"
#include "tidy.h"
#include "tidy_list.h"

#define REST 3			/* rests so many times as long as it worked */

struct tidy {
	char *log_dir;
	const struct tidy_ops *ops;
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under the lock. */
	struct tidy_conf conf;
	bool poked, stop, ended;
	/* The thread's own. */
	bool grumbled;		/* a failure was told */
};

/* Wait, at most so long; false: it is time to end.  Locked. */
static bool
wait_locked(struct tidy *t, int64_t us, bool for_poke)
{
	struct mono until = { mono_now().us + us };

	while (!t->stop && !(for_poke && t->poked) &&
	    thread_cond_wait(&t->wake, &t->lock, until))
		continue;
	return !t->stop;
}

static bool
rest(void *arg, long long worked_us)
{
	struct tidy *t = arg;
	bool go_on;

	pthread_mutex_lock(&t->lock);
	go_on = wait_locked(t, worked_us * REST, false);
	pthread_mutex_unlock(&t->lock);
	return go_on;
}

/* Told once, until it works again. */
static void
grumble(struct tidy *t, const char *what, const char *console,
    const char *name)
{
	if (!t->grumbled)
		log_errno("cannot %s %s/%s/%s", what, t->log_dir, console,
		    name);
	t->grumbled = true;
}

/*
 * In the middle of a flood there is better to do.  A time far off, of a clock
 * that was set, is no reason to wait.
 */
static bool
is_fresh(int dirfd, const char *name, int64_t ms)
{
	struct stat st;
	int64_t age;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return false;
	age = stamp_now().utc_us / 1000 - (int64_t)st.st_mtime * 1000;
	return age > -ms && age < ms;
}

/* False: stop. */
static bool
pack_journal(struct tidy *t, struct tidy_journal *j, int64_t after_ms)
{
	const struct pack_ops ops = { rest, t };
	int fd = jdir_open(t->log_dir, j->console);
	bool go_on = true;

	for (size_t i = j->first; fd != -1 && go_on &&
	    i + 1 < j->dir.count; i++) {
		if (j->dir.segments[i].packed ||
		    is_fresh(fd, j->dir.segments[i].name, after_ms))
			continue;
		if (pack_segment(fd, j->dir.segments[i].name, &ops) == 0) {
			t->grumbled = false;
			continue;
		}
		go_on = errno != ECANCELED;
		if (go_on)
			grumble(t, "pack", j->console,
			    j->dir.segments[i].name);
	}
	if (fd != -1)
		close(fd);
	return go_on;
}

static void
remove_oldest(struct tidy *t, struct tidy_list *all, struct tidy_journal *j,
    const char *why)
{
	const struct jdir_segment *seg = &j->dir.segments[j->first];
	struct tidy_removal r = { j->console, seg, seg + 1,
	    j->bytes[j->first], why };
	int fd = jdir_open(t->log_dir, j->console);
	char side[JDIR_NAME + 8];

	t->ops->removing(t->arg, &r);
	if (fd == -1 || (unlinkat(fd, seg->name, 0) == -1 &&
	    errno != ENOENT))
		grumble(t, "remove", j->console, seg->name);
	else
		t->grumbled = false;
	snprintf(side, sizeof(side), "%s.torn", seg->name);
	if (fd != -1) {
		unlinkat(fd, side, 0);
		close(fd);
	}
	tidy_list_gone(all, j);
}

/* Bytes missing to what is to be kept free. */
static uint64_t
missing(const struct tidy *t, uint64_t keep_free)
{
	struct statvfs v;
	uint64_t total, available;

	if (folder_space(t->log_dir, &v) == -1)
		return 0;
	total = (uint64_t)v.f_blocks * v.f_frsize;
	available = (uint64_t)v.f_bavail * v.f_frsize;
	if (keep_free == 0)
		keep_free = total / 20 < TIDY_FREE_MOST ? total / 20 :
		    TIDY_FREE_MOST;
	return available < keep_free ? keep_free - available : 0;
}

static void
thin_out(struct tidy *t, struct tidy_list *all, const struct tidy_conf *conf)
{
	struct tidy_journal *j;
	const char *why;

	for (size_t i = 0; i < all->count; i++) {
		j = &all->journals[i];
		if (!t->ops->keep(t->arg, j->console, &j->keep))
			memset(&j->keep, 0, sizeof(j->keep));
	}
	while ((j = tidy_list_next(all, conf, stamp_now().utc_us,
	    missing(t, conf->keep_free), &why)) != NULL) {
		remove_oldest(t, all, j, why);
		if (!rest(t, 0))
			break;
	}
}

/* Packing first: what it gains need not be removed. */
static void
look(struct tidy *t, const struct tidy_conf *conf)
{
	struct tidy_list all;
	bool go_on = true;

	if (tidy_list_read(t->log_dir, &all) == -1)
		return;		/* whoever writes there says so */
	for (size_t i = 0; conf->pack && go_on && i < all.count; i++)
		go_on = pack_journal(t, &all.journals[i],
		    conf->pack_after_ms);
	tidy_list_free(&all);
	if (!go_on || tidy_list_read(t->log_dir, &all) == -1)
		return;
	thin_out(t, &all, conf);
	tidy_list_free(&all);
}

static void *
run(void *arg)
{
	struct tidy *t = arg;
	struct tidy_conf conf;

	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		t->poked = false;
		conf = t->conf;
		pthread_mutex_unlock(&t->lock);
		look(t, &conf);
		pthread_mutex_lock(&t->lock);
		wait_locked(t, TIDY_EVERY_MS * INT64_C(1000), true);
	}
	t->ended = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static void
destroy(struct tidy *t)
{
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->wake);
	free(t->log_dir);
	free(t);
}

struct tidy *
tidy_start(const char *log_dir, const struct tidy_conf *conf,
    const struct tidy_ops *ops, void *arg)
{
	struct tidy *t = xcalloc(1, sizeof(*t));
	int error;

	t->log_dir = xstrdup(log_dir);
	t->conf = *conf;
	t->ops = ops;
	t->arg = arg;
	pthread_mutex_init(&t->lock, NULL);
	thread_cond_init(&t->wake);
	if (thread_start(&t->thread, run, t) == 0)
		return t;
	error = errno;
	destroy(t);
	errno = error;
	return NULL;
}

void
tidy_configure(struct tidy *t, const struct tidy_conf *conf)
{
	pthread_mutex_lock(&t->lock);
	t->conf = *conf;
	pthread_mutex_unlock(&t->lock);
	tidy_poke(t);
}

void
tidy_poke(struct tidy *t)
{
	pthread_mutex_lock(&t->lock);
	t->poked = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
}

bool
tidy_stop(struct tidy *t, int64_t deadline_ms)
{
	struct mono until = mono_after(mono_now(), deadline_ms);
	bool ended;

	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->wake);
	while (!t->ended && thread_cond_wait(&t->wake, &t->lock, until))
		continue;
	ended = t->ended;
	pthread_mutex_unlock(&t->lock);
	if (!ended) {
		pthread_detach(t->thread);
		return false;
	}
	pthread_join(t->thread, NULL);
	destroy(t);
	return true;
}
