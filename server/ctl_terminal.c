#include <sys/ioctl.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "ctl_terminal.h"

/* A signal handler has no other way to reach it. */
static struct termios before;
static volatile sig_atomic_t is_raw;

bool
terminal_is_there(void)
{
	return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
}

void
terminal_restore(void)
{
	if (!is_raw)
		return;
	is_raw = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

static void
on_deadly_signal(int signo)
{
	terminal_restore();
	signal(signo, SIG_DFL);
	raise(signo);
}

int
terminal_raw(void)
{
	static const int deadly[] = {
		SIGHUP, SIGQUIT, SIGTERM, SIGABRT, SIGBUS, SIGFPE, SIGILL,
		SIGSEGV,
	};
	struct termios raw;
	struct sigaction sa;

	if (tcgetattr(STDIN_FILENO, &before) == -1)
		return -1;
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_deadly_signal;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigaction(deadly[i], &sa, NULL);
	atexit(terminal_restore);
	raw = before;
	cfmakeraw(&raw);
	is_raw = 1;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == -1) {
		is_raw = 0;
		return -1;
	}
	return 0;
}

void
terminal_size(unsigned *columns, unsigned *rows)
{
	struct winsize ws;

	*columns = *rows = 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == -1)
		return;
	*columns = ws.ws_col;
	*rows = ws.ws_row;
}
