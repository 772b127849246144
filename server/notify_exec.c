#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/mem.h"
#include "notify_exec.h"

#define LOOK_MS 50
#define ENV_MAX 16
#define PATH_IS \
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct notify_exec {
	pid_t pid;		/* 0: it was never started */
	int error;		/* errno of that */
	bool killed;
	struct timer *timer;
	struct mono deadline;
	notify_exec_fn *done;
	void *arg;
};

static void
end(struct notify_exec *x, int status, const char *why)
{
	notify_exec_fn *done = x->done;
	void *arg = x->arg;

	timer_free(x->timer);
	free(x);
	done(arg, status, why);
}

static void
end_as(struct notify_exec *x, int st)
{
	char why[64];

	/* What it left running in its group ends with it. */
	kill(-x->pid, SIGKILL);
	if (x->killed) {
		end(x, -1, "took too long and was killed");
	} else if (WIFEXITED(st)) {
		snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(st));
		end(x, WEXITSTATUS(st), why);
	} else {
		snprintf(why, sizeof(why), "killed by signal %d",
		    WTERMSIG(st));
		end(x, -1, why);
	}
}

/* It needs no SIGCHLD: it is looked after while it runs. */
static void
on_look(void *arg)
{
	struct notify_exec *x = arg;
	pid_t pid;
	int st = 0;

	if (x->pid == 0) {
		end(x, -1, strerror(x->error));
		return;
	}
	pid = waitpid(x->pid, &st, WNOHANG);
	if (pid == x->pid) {
		end_as(x, st);
		return;
	}
	if (pid == -1 && errno != EINTR) {
		end(x, -1, "its end was not seen");
		return;
	}
	if (!x->killed && mono_ms(mono_now(), x->deadline) <= 0) {
		kill(-x->pid, SIGKILL);
		x->killed = true;
	}
	timer_set(x->timer, LOOK_MS);
}

static void
set_attributes(posix_spawnattr_t *a)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	posix_spawnattr_setflags(a, POSIX_SPAWN_SETPGROUP |
	    POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setpgroup(a, 0);
	posix_spawnattr_setsigdefault(a, &all);
	posix_spawnattr_setsigmask(a, &none);
}

/* 0, or an errno.  Descriptors of ours are all close-on-exec. */
static int
spawn(pid_t *pid, const char *program, const char *const env[], int input)
{
	const char *const argv[] = { program, NULL };
	const char *all[ENV_MAX + 2] = { PATH_IS };
	posix_spawn_file_actions_t f;
	posix_spawnattr_t a;
	int r;

	for (size_t i = 0; i < ENV_MAX && env[i] != NULL; i++)
		all[i + 1] = env[i];
	posix_spawn_file_actions_init(&f);
	posix_spawn_file_actions_adddup2(&f, input, STDIN_FILENO);
	posix_spawn_file_actions_addopen(&f, STDOUT_FILENO, "/dev/null",
	    O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&f, STDERR_FILENO, "/dev/null",
	    O_WRONLY, 0);
	posix_spawnattr_init(&a);
	set_attributes(&a);
	r = posix_spawn(pid, program, &f, &a, (char *const *)(uintptr_t)argv,
	    (char *const *)(uintptr_t)all);
	posix_spawnattr_destroy(&a);
	posix_spawn_file_actions_destroy(&f);
	return r;
}

/* A pipe that holds the text already; its end to read, or -1 with errno. */
static int
filled_pipe(const char *text)
{
	size_t n = strlen(text);
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) == -1)
		return -1;
	if (n > NOTIFY_EXEC_TEXT)
		n = NOTIFY_EXEC_TEXT;
	/* Empty, a pipe takes that much without waiting. */
	if (fd_write_all(fds[1], text, n) == -1) {
		close(fds[0]);
		fds[0] = -1;
	}
	close(fds[1]);
	return fds[0];
}

struct notify_exec *
notify_exec(struct loop *loop, const struct notify_exec_conf *conf,
    notify_exec_fn *done, void *arg)
{
	struct notify_exec *x = xcalloc(1, sizeof(*x));
	int input = filled_pipe(conf->text);

	x->done = done;
	x->arg = arg;
	x->deadline = mono_after(mono_now(), conf->limit_ms);
	x->error = input == -1 ? errno : spawn(&x->pid, conf->program,
	    conf->env, input);
	if (x->error != 0)
		x->pid = 0;
	if (input != -1)
		close(input);
	x->timer = timer_new(loop, on_look, x);
	timer_set(x->timer, x->pid == 0 ? 0 : LOOK_MS);
	return x;
}

void
notify_exec_free(struct notify_exec *x)
{
	if (x == NULL)
		return;
	if (x->pid != 0) {
		kill(-x->pid, SIGKILL);
		/* One that hangs in the kernel is left to our own end. */
		for (int i = 0; i < 50 &&
		    waitpid(x->pid, NULL, WNOHANG) == 0; i++)
			usleep(1000);
	}
	timer_free(x->timer);
	free(x);
}
