#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "../server/base/fileio.h"
#include "../server/base/os.h"
#include "at_port.h"
#include "ppp.h"

#define OPTIONS_FD 3
#define CMDLINE_MAX 4096

static const char *const programs[] = {
	"/usr/sbin/pppd", "/sbin/pppd", "/usr/local/sbin/pppd",
};

static const char *
find_program(void)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (access(programs[i], X_OK) == 0)
			return programs[i];
	}
	return NULL;
}

const char *
ppp_interface(void)
{
	return "";
}

int
ppp_possible(char why[PPP_WHY])
{
	if (geteuid() != 0)
		snprintf(why, PPP_WHY, "PPP needs root: start oobd as root");
	else if (find_program() == NULL)
		snprintf(why, PPP_WHY, "no %s: install the package ppp",
		    programs[0]);
	else
		return 0;
	return -1;
}

/* The options, password and all, in no file that has a name.  fd or -1. */
static int
write_options(const struct ppp_conf *c, char why[PPP_WHY])
{
	char text[PPP_TEXT];
	int fd, n;

	n = ppp_pppd_text(text, c, why);
	if (n == -1) {
		errno = EINVAL;
		return -1;
	}
	fd = os_anon_fd("oobd-ppp");
	if (fd == -1 || fd_write_all(fd, text, (size_t)n) == -1 ||
	    lseek(fd, 0, SEEK_SET) == -1) {
		snprintf(why, PPP_WHY, "options for pppd: %s",
		    strerror(errno));
		fd = -1;
	}
	explicit_bzero(text, sizeof(text));
	return fd;
}

void
ppp_exec(int fd, int log, const struct ppp_conf *c, char why[PPP_WHY])
{
	static const char *const argv[] = { "pppd", "nodetach", "logfd", "2",
	    "file", "/proc/self/fd/3", "ipparam", PPP_LABEL, NULL };
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
	    "HOME=/nonexistent", NULL };
	const char *program = find_program();
	int options;

	if (ppp_possible(why) == -1)
		return;
	options = write_options(c, why);
	if (options == -1)
		return;
	/* None of them may be in the way of another. */
	fd = fcntl(fd, F_DUPFD, 10);
	log = fcntl(log, F_DUPFD, 10);
	options = fcntl(options, F_DUPFD, 10);
	if (fd == -1 || log == -1 || options == -1 || dup2(fd, 0) == -1 ||
	    dup2(log, 1) == -1 || dup2(log, 2) == -1 ||
	    dup2(options, OPTIONS_FD) == -1) {
		snprintf(why, PPP_WHY, "%s", strerror(errno));
		return;
	}
	os_close_from(OPTIONS_FD + 1);
	execve(program, (char *const *)(uintptr_t)argv,
	    (char *const *)(uintptr_t)env);
	snprintf(why, PPP_WHY, "%s: %s", program, strerror(errno));
}

/* Words of a command line, each ended by a NUL. */
static bool
has_words(const char *line, size_t n, const char *one, const char *next)
{
	size_t len = strlen(one) + 1, nlen = strlen(next) + 1;

	for (size_t i = 0; i + len + nlen <= n; i++) {
		if ((i == 0 || line[i - 1] == '\0') &&
		    memcmp(line + i, one, len) == 0 &&
		    memcmp(line + i + len, next, nlen) == 0)
			return true;
	}
	return false;
}

bool
ppp_is_ours(pid_t pid)
{
	char path[64], line[CMDLINE_MAX], *base;
	ssize_t n;
	int fd;

	if (pid <= 1)
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/exe", (long)pid);
	n = readlink(path, line, sizeof(line) - 1);
	if (n <= 0)
		return false;
	line[n] = '\0';
	base = strrchr(line, '/');
	if (base == NULL || strncmp(base, "/pppd", 5) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return false;
	n = read(fd, line, sizeof(line));
	close(fd);
	return n > 0 && has_words(line, (size_t)n, "ipparam", PPP_LABEL);
}

int
ppp_reclaim(int fd)
{
	int plain = N_TTY;

	/* A pppd that was killed leaves the line discipline behind. */
	if (isatty(fd) && ioctl(fd, TIOCSETD, &plain) == -1)
		return -1;
	return at_port_raw(fd);
}
