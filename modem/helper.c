#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../server/base/mem.h"
#include "../server/base/os.h"
#include "helper.h"

#define LOOK_MS 100

struct helper {
	struct loop *loop;
	pid_t pid;
	struct timer *timer;
	struct mono deadline;
	helper_done_fn *done;
	void *arg;
};

static void
kill_group(struct helper *h)
{
	/* The group may not be made yet. */
	kill(-h->pid, SIGKILL);
	kill(h->pid, SIGKILL);
}

static void
end(struct helper *h, int status, const char *why)
{
	helper_done_fn *done = h->done;
	void *arg = h->arg;

	timer_free(h->timer);
	free(h);
	done(arg, status, why);
}

static void
on_look(void *arg)
{
	struct helper *h = arg;
	char why[64];
	pid_t pid;
	int st;

	pid = waitpid(h->pid, &st, WNOHANG);
	if (pid == 0) {
		if (mono_ms(mono_now(), h->deadline) > 0) {
			timer_set(h->timer, LOOK_MS);
			return;
		}
		kill_group(h);
		/* SIGKILL is prompt but for a hanging driver: look again. */
		h->deadline = mono_after(mono_now(), 1000);
		if (waitpid(h->pid, &st, WNOHANG) == 0) {
			timer_set(h->timer, LOOK_MS);
			return;
		}
		end(h, -1, "took too long and was killed");
		return;
	}
	if (pid == -1) {
		end(h, -1, "its end was not seen");
		return;
	}
	/* What it left running in its group ends with it. */
	kill(-h->pid, SIGKILL);
	if (WIFEXITED(st)) {
		snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(st));
		end(h, WEXITSTATUS(st), why);
	} else {
		snprintf(why, sizeof(why), "killed by signal %d",
		    WTERMSIG(st));
		end(h, -1, why);
	}
}

/* In the child: nothing of ours but standard streams to nowhere. */
static void
prepare_child(void)
{
	sigset_t none;
	int fd;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	fd = open("/dev/null", O_RDWR);
	if (fd == -1)
		_exit(126);
	for (int i = 0; i < 3; i++)
		if (dup2(fd, i) == -1)
			_exit(126);
	os_close_from(3);
}

static struct helper *
begin(struct loop *loop, pid_t pid, int64_t ms, helper_done_fn *done,
    void *arg)
{
	struct helper *h = xcalloc(1, sizeof(*h));

	setpgid(pid, pid);
	h->loop = loop;
	h->pid = pid;
	h->done = done;
	h->arg = arg;
	h->deadline = mono_after(mono_now(), ms);
	h->timer = timer_new(loop, on_look, h);
	timer_set(h->timer, LOOK_MS);
	return h;
}

struct helper *
helper_exec(struct loop *loop, const char *const argv[], int64_t ms,
    helper_done_fn *done, void *arg)
{
	static const char path[] =
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	const char *const env[] = { path, NULL };
	pid_t pid;

	pid = fork();
	if (pid == -1)
		return NULL;
	if (pid == 0) {
		prepare_child();
		execve(argv[0], (char *const *)(uintptr_t)argv,
		    (char *const *)(uintptr_t)env);
		_exit(127);
	}
	return begin(loop, pid, ms, done, arg);
}

struct helper *
helper_call(struct loop *loop, int (*fn)(const char *), const char *word,
    int64_t ms, helper_done_fn *done, void *arg)
{
	pid_t pid;

	pid = fork();
	if (pid == -1)
		return NULL;
	if (pid == 0) {
		prepare_child();
		_exit(fn(word));
	}
	return begin(loop, pid, ms, done, arg);
}

void
helper_free(struct helper *h)
{
	int st;

	if (h == NULL)
		return;
	kill_group(h);
	/* One that hangs in the kernel is left to our own end. */
	for (int i = 0; i < 50 && waitpid(h->pid, &st, WNOHANG) == 0; i++)
		usleep(1000);
	timer_free(h->timer);
	free(h);
}
