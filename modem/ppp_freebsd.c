#include <sys/types.h>
#include <sys/sysctl.h>
#include <sys/user.h>

#include <errno.h>
#include <fcntl.h>
#include <libutil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/fileio.h"
#include "../server/base/os.h"
#include "at_port.h"
#include "ppp.h"

#define PROGRAM "/usr/sbin/ppp"
#define CONF "/etc/ppp/ppp.conf"
#define CONF_MAX (1024 * 1024)
#define STR(x) #x
#define TEXT(x) STR(x)

const char *
ppp_interface(void)
{
	return "tun" TEXT(PPP_USERLAND_UNIT);
}

/* Has ppp.conf our line, on a line of its own, before any label or after? */
static bool
is_included(void)
{
	static const char want[] = "!include " PPP_USERLAND_FILE;
	char *text = file_read(CONF, CONF_MAX, NULL), *line, *rest = text;
	bool found = false;

	while ((line = strsep(&rest, "\n")) != NULL && !found)
		found = strncmp(line, want, sizeof(want) - 1) == 0;
	free(text);
	return found;
}

int
ppp_possible(char why[PPP_WHY])
{
	if (geteuid() != 0)
		snprintf(why, PPP_WHY, "PPP needs root: start oobd as root");
	else if (access(PROGRAM, X_OK) == -1)
		snprintf(why, PPP_WHY, "no " PROGRAM);
	else if (!is_included())
		snprintf(why, PPP_WHY, CONF " does not include our part: add "
		    "the line \"!include " PPP_USERLAND_FILE "\" at its end");
	else
		return 0;
	return -1;
}

void
ppp_exec(int fd, int log, const struct ppp_conf *c, char why[PPP_WHY])
{
	static const char *const argv[] = { "ppp", "-direct", "-quiet",
	    "-unit", TEXT(PPP_USERLAND_UNIT), PPP_LABEL, NULL };
	static const char *const env[] = {
	    "PATH=/sbin:/bin:/usr/sbin:/usr/bin", NULL };
	char text[PPP_TEXT];
	int n, r;

	if (ppp_possible(why) == -1)
		return;
	n = ppp_userland_text(text, c, why);
	if (n == -1) {
		errno = EINVAL;
		return;
	}
	r = file_replace(PPP_USERLAND_FILE, text, (size_t)n, 0600);
	explicit_bzero(text, sizeof(text));
	if (r == -1) {
		snprintf(why, PPP_WHY, PPP_USERLAND_FILE ": %s",
		    strerror(errno));
		return;
	}
	/* None of them may be in the way of another. */
	fd = fcntl(fd, F_DUPFD, 10);
	log = fcntl(log, F_DUPFD, 10);
	if (fd == -1 || log == -1 || dup2(fd, 0) == -1 ||
	    dup2(log, 1) == -1 || dup2(log, 2) == -1) {
		snprintf(why, PPP_WHY, "%s", strerror(errno));
		return;
	}
	os_close_from(3);
	execve(PROGRAM, (char *const *)(uintptr_t)argv,
	    (char *const *)(uintptr_t)env);
	snprintf(why, PPP_WHY, PROGRAM ": %s", strerror(errno));
}

bool
ppp_is_ours(pid_t pid)
{
	int mib[4] = { CTL_KERN, KERN_PROC, KERN_PROC_ARGS, pid };
	struct kinfo_proc *proc;
	char args[2048];
	size_t n = sizeof(args) - 1;
	bool ours;

	if (pid <= 1)
		return false;
	proc = kinfo_getproc(pid);
	if (proc == NULL)
		return false;
	ours = strcmp(proc->ki_comm, "ppp") == 0;
	free(proc);
	if (!ours || sysctl(mib, 4, args, &n, NULL, 0) == -1 || n == 0)
		return false;
	args[n] = '\0';
	/* The last word is the label. */
	if (args[n - 1] == '\0')
		n--;
	return n >= sizeof(PPP_LABEL) &&
	    strcmp(args + n - (sizeof(PPP_LABEL) - 1), PPP_LABEL) == 0;
}

int
ppp_reclaim(int fd)
{
	return at_port_raw(fd);
}
