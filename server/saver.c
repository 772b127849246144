#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "saver.h"

struct job {
	struct job *next;
	char *path, *text;
};

struct saver {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more, over;
	struct job *first;
	bool stopping, ended;
	bool failing;		/* the thread's: that was logged */
};

static void
free_job(struct job *j)
{
	free(j->path);
	free(j->text);
	free(j);
}

static void
save(struct saver *s, const struct job *j)
{
	int r = file_replace(j->path, j->text, strlen(j->text), 0600);

	if (r == -1 && !s->failing)
		log_errno("%s", j->path);
	s->failing = r == -1;
}

static void *
run(void *arg)
{
	struct saver *s = arg;
	struct job *j;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		j = s->first;
		if (j == NULL && s->stopping)
			break;
		if (j == NULL) {
			pthread_cond_wait(&s->more, &s->lock);
			continue;
		}
		s->first = j->next;
		pthread_mutex_unlock(&s->lock);
		save(s, j);
		free_job(j);
		pthread_mutex_lock(&s->lock);
	}
	s->ended = true;
	pthread_cond_signal(&s->over);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void
destroy(struct saver *s)
{
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->more);
	pthread_cond_destroy(&s->over);
	free(s);
}

struct saver *
saver_start(void)
{
	struct saver *s = xcalloc(1, sizeof(*s));
	pthread_condattr_t attr;
	sigset_t all, before;
	int error;

	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->more, &attr);
	pthread_cond_init(&s->over, &attr);
	pthread_condattr_destroy(&attr);
	/* Every signal is left to the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error == 0)
		return s;
	destroy(s);
	errno = error;
	return NULL;
}

void
saver_put(struct saver *s, const char *path, char *text)
{
	struct job **at, *j;

	pthread_mutex_lock(&s->lock);
	for (at = &s->first; *at != NULL &&
	    strcmp((*at)->path, path) != 0; at = &(*at)->next)
		continue;
	j = *at;
	if (j == NULL) {
		j = xcalloc(1, sizeof(*j));
		j->path = xstrdup(path);
		*at = j;
	}
	free(j->text);
	j->text = text;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
}

bool
saver_stop(struct saver *s, int64_t deadline_ms)
{
	int64_t until = mono_now().us + deadline_ms * 1000;
	struct timespec ts;
	bool ended;
	int r = 0;

	ts.tv_sec = (time_t)(until / 1000000);
	ts.tv_nsec = (long)(until % 1000000) * 1000;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->more);
	while (!s->ended && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&s->over, &s->lock, &ts);
	ended = s->ended;
	pthread_mutex_unlock(&s->lock);
	if (!ended) {
		log_error("the disk of state_dir does not answer, giving up");
		pthread_detach(s->thread);
		return false;
	}
	pthread_join(s->thread, NULL);
	destroy(s);
	return true;
}
