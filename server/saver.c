#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
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
	int error;

	pthread_mutex_init(&s->lock, NULL);
	thread_cond_init(&s->more);
	thread_cond_init(&s->over);
	if (thread_start(&s->thread, run, s) == 0)
		return s;
	error = errno;
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
	struct mono until = mono_after(mono_now(), deadline_ms);
	bool ended;

	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->more);
	while (!s->ended && thread_cond_wait(&s->over, &s->lock, until))
		continue;
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
