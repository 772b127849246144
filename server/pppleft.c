#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../modem/ppp.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/str.h"
#include "pppleft.h"

#define NOTE_MAX 4096
#define LOOK_MS 50
#define TERM_LOOKS 60		/* 3 s, then SIGKILL */
#define KILL_LOOKS 20

static void
note_path(char path[PATH_MAX], const char *run_dir)
{
	snprintf(path, PATH_MAX, "%s/ppp", run_dir);
}

void
pppleft_write(const char *run_dir, const struct pppleft *l)
{
	char path[PATH_MAX], text[NOTE_MAX];
	size_t n;
	int fd;

	n = (size_t)snprintf(text, sizeof(text), "pid %ld\n", (long)l->pid);
	if (l->interface[0] != '\0')
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "interface %s\n", l->interface);
	if (l->all)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "all\n");
	for (size_t i = 0; i < l->nroutes; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "route %s\n", l->routes[i]);
	note_path(path, run_dir);
	/* Root writes in another's folder: never through what is there. */
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd == -1 || fd_write_all(fd, text, n) == -1)
		log_errno("%s", path);
	if (fd != -1)
		close(fd);
}

void
pppleft_remove(const char *run_dir)
{
	char path[PATH_MAX];

	note_path(path, run_dir);
	if (unlink(path) == -1 && errno != ENOENT)
		log_errno("%s", path);
}

void
pppleft_unroute(const struct pppleft *l)
{
	if (l->interface[0] == '\0')
		return;
	for (size_t i = 0; i < l->nroutes; i++) {
		if (route_remove(l->interface, l->routes[i]) == -1)
			log_errno("route to %s over %s", l->routes[i],
			    l->interface);
	}
	if (l->all)
		route_all(l->interface, false);
}

/* Interfaces that PPP makes: nobody's note touches the others. */
static bool
is_ppp_name(const char *name)
{
	return strlen(name) < ROUTE_NAME &&
	    (strncmp(name, "ppp", 3) == 0 || strncmp(name, "tun", 3) == 0);
}

static void
take_word(struct pppleft *l, const char *key, const char *value)
{
	int64_t pid;

	if (strcmp(key, "pid") == 0 &&
	    str_int(value, 2, INT_MAX, &pid) == 0) {
		l->pid = (pid_t)pid;
	} else if (strcmp(key, "interface") == 0 && is_ppp_name(value)) {
		snprintf(l->interface, sizeof(l->interface), "%s", value);
	} else if (strcmp(key, "all") == 0) {
		l->all = true;
	} else if (strcmp(key, "route") == 0 && route_is_host(value) &&
	    l->nroutes < PPPLEFT_ROUTES) {
		snprintf(l->routes[l->nroutes++], ROUTE_ADDRESS, "%s", value);
	}
}

bool
pppleft_read(const char *run_dir, struct pppleft *l)
{
	char path[PATH_MAX], *text, *rest, *line, *value;
	int fd;

	memset(l, 0, sizeof(*l));
	note_path(path, run_dir);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return errno == ELOOP;	/* remove it, too */
	text = rest = fd_read(fd, NOTE_MAX, NULL);
	close(fd);
	while ((line = strsep(&rest, "\n")) != NULL) {
		value = line;
		strsep(&value, " ");
		take_word(l, line, value == NULL ? "" : value);
	}
	free(text);
	return true;
}

/* True: it is gone. */
static bool
wait_gone(pid_t pid, int looks)
{
	const struct timespec pause = { 0, LOOK_MS * 1000000L };

	while (ppp_is_ours(pid)) {
		if (looks-- == 0)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

void
pppleft_clean(const char *run_dir)
{
	struct pppleft l;

	if (!pppleft_read(run_dir, &l))
		return;
	if (ppp_is_ours(l.pid)) {
		log_warn("ending PPP that was left behind (pid %ld)",
		    (long)l.pid);
		kill(l.pid, SIGTERM);
		if (!wait_gone(l.pid, TERM_LOOKS)) {
			kill(l.pid, SIGKILL);
			if (!wait_gone(l.pid, KILL_LOOKS))
				log_error("PPP (pid %ld) does not die",
				    (long)l.pid);
		}
	}
	pppleft_unroute(&l);
	pppleft_remove(run_dir);
}
