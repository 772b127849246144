#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/fileio.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "../server/base/os.h"
#include "../server/base/thread.h"
#include "syncer.h"

struct syncer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct sync_job *first, **last;
	bool stop;
	sync_done_fn *done;
	void *arg;
};

static void
run_job(struct sync_job *job)
{
	for (int i = 0; i < job->nfds; i++) {
		/* A folder that cannot be synced is none of our concern. */
		if (os_sync(job->fds[i]) == -1 && job->error == 0 &&
		    errno != EINVAL && errno != ENOTSUP)
			job->error = errno;
		close(job->fds[i]);
	}
	if (job->note_path != NULL && job->error == 0 &&
	    file_replace(job->note_path, job->note, strlen(job->note),
	    0600) == -1)
		log_errno("%s", job->note_path);
}

static void *
run(void *arg)
{
	struct syncer *s = arg;
	struct sync_job *job;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		job = s->first;
		if (job == NULL && s->stop)
			break;
		if (job == NULL) {
			pthread_cond_wait(&s->more, &s->lock);
			continue;
		}
		s->first = job->next;
		if (s->first == NULL)
			s->last = &s->first;
		pthread_mutex_unlock(&s->lock);
		run_job(job);
		s->done(s->arg, job);
		free(job);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

struct syncer *
syncer_start(sync_done_fn *done, void *arg)
{
	struct syncer *s = xcalloc(1, sizeof(*s));

	s->last = &s->first;
	s->done = done;
	s->arg = arg;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->more, NULL);
	if (thread_start(&s->thread, run, s) == 0)
		return s;
	free(s);
	return NULL;
}

void
syncer_add(struct syncer *s, const struct sync_job *job)
{
	struct sync_job *copy = xmalloc(sizeof(*copy));

	*copy = *job;
	copy->next = NULL;
	copy->error = 0;
	pthread_mutex_lock(&s->lock);
	*s->last = copy;
	s->last = &copy->next;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
}

void
syncer_stop(struct syncer *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->more);
	free(s);
}
