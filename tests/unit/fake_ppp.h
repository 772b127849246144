/*
 * fake_ppp: the process that runs PPP (server/pppjob.c), and the system as it
 * sees it: nothing is run, no process is signalled and no route touched.  What
 * it must not do is abort().
 *
 * This file includes it.  Whoever turns its loop defines loop_run and loop_stop
 * before, and takes that back behind.
 */
#ifndef FAKE_PPP_H
#define FAKE_PPP_H

#include <sys/ioctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>

#include "modem/ppp.h"
#include "modem/route.h"
#include "server/base/aside.h"
#include "server/base/loop.h"
#include "server/base/os.h"
#include "server/pppleft.h"
#include "tests/world.h"

#define FAKE_PID 0x7ffffff0	/* of a PPP: no system has it */
#define FAKE_SIGNALS 64
#define FAKE_ROUTES 64

static struct {
	bool runs;			/* PPP does */
	bool ended;			/* ... not, and was not waited for */
	bool stubborn;			/* ... goes on when it is to end */
	bool hangs;			/* ... even when it is killed */
	bool held;			/* ... as it was */
	bool possible;
	int status;			/* it ends with */
	int says;			/* where it says what; -1: nowhere */
	int tty;			/* it runs on, as far as was seen; -1 */
	int bits;			/* of its line */
	struct route_interface interface;
	char routes[FAKE_ROUTES][ROUTE_ADDRESS];
	size_t nroutes;
	bool all;			/* the way to everywhere is there */
	void (*signals[FAKE_SIGNALS])(void *, int);
	void *arg;
} fake;

static inline int
fake_pipe(int pair[2])
{
	if (pipe2(pair, O_CLOEXEC) == -1)
		return -1;
	if (fake.says != -1)
		close(fake.says);
	fake.says = fcntl(pair[1], F_DUPFD_CLOEXEC, 0);
	return 0;
}

static inline pid_t
fake_fork(void)
{
	if (fake.runs)
		abort();
	fake.runs = true;
	fake.ended = false;
	return FAKE_PID;
}

static inline void
fake_end(int status)
{
	if (!fake.runs)
		return;
	fake.runs = false;
	fake.ended = true;
	fake.status = status;
	if (fake.says != -1)
		close(fake.says);
	fake.says = -1;
}

static inline pid_t
fake_waitpid(pid_t pid, int *status, int how)
{
	if (pid != FAKE_PID || how != WNOHANG)
		abort();
	if (!fake.ended)
		return 0;
	fake.ended = false;
	*status = fake.status;
	return pid;
}

static inline int
fake_kill(pid_t pid, int signo)
{
	if (pid != FAKE_PID && pid != -FAKE_PID)
		abort();
	fake.held |= fake.hangs && signo == SIGKILL;
	if (fake.hangs || (fake.stubborn && signo != SIGKILL))
		return 0;
	fake_end(signo);
	return 0;
}

static inline int
fake_setpgid(pid_t pid, pid_t group)
{
	if (pid != FAKE_PID || group != FAKE_PID)
		abort();
	return 0;
}

static inline int
fake_ioctl(int fd, unsigned long what, int *bits)
{
	if (what != TIOCMGET || fcntl(fd, F_GETFD) == -1)
		abort();
	fake.tty = fd;
	*bits = fake.bits;
	return fake.bits == -1 ? -1 : 0;
}

static inline void
fake_close(int fd)
{
	close(fd);
	fake.tty = -1;
}

/* A name that came through others' hands: one file of ours is there. */
static inline int
fake_open(const char *path, int flags)
{
	char ours[WORLD_DIR + 16];

	snprintf(ours, sizeof(ours), "%s/password", world_dir);
	return open(strcmp(path, "/password") == 0 ? ours : "/nonexistent",
	    flags);
}

static inline void
fake_signal(struct loop *loop, int signo, void (*fn)(void *, int), void *arg)
{
	(void)loop;
	fake.signals[signo] = fn;
	fake.arg = arg;
}

static inline int
fake_possible(char why[PPP_WHY])
{
	snprintf(why, PPP_WHY, "it is not");
	return fake.possible ? 0 : -1;
}

static inline int
fake_interface(const char *name, struct route_interface *i)
{
	if (name[0] == '\0' || strlen(name) >= ROUTE_NAME)
		abort();
	*i = fake.interface;
	return 0;
}

static inline int
fake_add(const char *interface, const char *address)
{
	if (interface[0] == '\0' || !route_is_host(address) || !fake.runs ||
	    fake.nroutes == FAKE_ROUTES)
		abort();
	if ((address[strlen(address) - 1] & 7) == 7) {
		errno = EEXIST;
		return -1;
	}
	memcpy(fake.routes[fake.nroutes++], address, strlen(address) + 1);
	return 0;
}

static inline int
fake_remove(const char *interface, const char *address)
{
	size_t i = 0;

	while (i < fake.nroutes && strcmp(fake.routes[i], address) != 0)
		i++;
	if (interface[0] == '\0' || i == fake.nroutes)
		abort();
	memcpy(fake.routes[i], fake.routes[--fake.nroutes], ROUTE_ADDRESS);
	return 0;
}

static inline int
fake_all(const char *interface, bool add)
{
	if (interface[0] == '\0' || (!add && !fake.all))
		abort();
	fake.all = add;
	return 0;
}

static inline void
fake_unroute(const struct pppleft *l)
{
	for (size_t i = 0; i < l->nroutes; i++)
		fake_remove(l->interface, l->routes[i]);
	if (l->all)
		fake_all(l->interface, false);
}

/* Of one that was before: state_fuzz. */
static inline void
fake_clean(const char *run_dir)
{
	if (fake.runs || run_dir[0] != '/')
		abort();
}

#define pipe fake_pipe
#define fork fake_fork
#define waitpid fake_waitpid
#define kill fake_kill
#define setpgid fake_setpgid
#define ioctl fake_ioctl
#define open fake_open
#define loop_signal fake_signal
#define ppp_possible fake_possible
#define route_interface(name, i) fake_interface(name, i)
#define route_add fake_add
#define route_remove fake_remove
#define route_all fake_all
#define pppleft_unroute fake_unroute
#define pppleft_clean fake_clean
#define aside_close fake_close
#define os_live_on() ((void)0)
#include "server/pppjob.c"
#undef pipe
#undef kill
#undef open

static inline void
fake_signal_now(int signo)
{
	if (fake.signals[signo] != NULL)
		fake.signals[signo](fake.arg, signo);
}

/* A new one, before its job. */
static inline void
fake_begin(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.says = fake.tty = fake.bits = -1;
	fake.possible = true;
}

/* After its job: whether nothing was left behind. */
static inline bool
fake_is_clean(void)
{
	if (fake.says != -1)
		close(fake.says);
	fake.says = -1;
	/* Unless the kernel holds it. */
	return fake.held || (!fake.runs && fake.nroutes == 0 && !fake.all);
}

#endif
