#include <sys/types.h>
#include <sys/ioctl.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "ctl_terminal.h"

/* A signal handler must reach it. */
static struct termios saved, raw;
static volatile sig_atomic_t is_raw;

bool
ctl_terminal_is_one(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

void
ctl_terminal_size(unsigned *columns, unsigned *rows)
{
	struct winsize w;

	*columns = *rows = 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == -1)
		return;
	*columns = w.ws_col;
	*rows = w.ws_row;
}

void
ctl_terminal_restore(void)
{
	int error = errno;

	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	is_raw = 0;
	errno = error;
}

/* Die of it as we would have, but with a terminal that can be used. */
static void
on_crash(int signo)
{
	ctl_terminal_restore();
	raise(signo);
}

static int
make_raw(void)
{
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == -1)
		return -1;
	is_raw = 1;
	return 0;
}

int
ctl_terminal_raw(void)
{
	static const int crashes[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL,
	    SIGSEGV };
	struct sigaction sa;

	if (tcgetattr(STDIN_FILENO, &saved) == -1)
		return -1;
	raw = saved;
	cfmakeraw(&raw);
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_crash;
	sa.sa_flags = SA_RESETHAND | SA_NODEFER;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaction(crashes[i], &sa, NULL);
	atexit(ctl_terminal_restore);
	return make_raw();
}

void
ctl_terminal_suspend(void)
{
	bool was_raw = is_raw;

	ctl_terminal_restore();
	raise(SIGSTOP);
	if (was_raw)
		make_raw();
}
