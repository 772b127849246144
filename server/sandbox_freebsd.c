/*
 * FreeBSD: no new privileges, no tracing, no core, no further process; and
 * Capsicum's capability mode for who seals itself.
 *
 * In that no path can be opened and no socket connected, so console, gate,
 * reader and signer reach their files from folders that they hold
 * (base/folder.h), and ssh has none, and has relays connected to by others.
 * What else they call is allowed there by the list of the kernel,
 * sys/kern/capabilities.conf, but for two that are newer than the mode: os_poll
 * and os_sync.  Every other role opens paths or connects for as long as it runs
 * (notify, modem and dialer connect).  What that leaves is said in
 * docs/privsep.md.
 */
#include <sys/types.h>
#include <sys/procctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "sandbox_internal.h"

/* Since 13.1; an older kernel says EINVAL. */
#ifndef PROC_NO_NEW_PRIVS_CTL
#define PROC_NO_NEW_PRIVS_CTL 19
#define PROC_NO_NEW_PRIVS_ENABLE 1
#endif

const char *
sandbox_call_name(int call)
{
	(void)call;
	return NULL;
}

/* Nobody may fork: a process that cannot has nothing to exec from, either. */
static int
stay_alone(void)
{
	const struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_NPROC, &none);
}

static int
gain_nothing(void)
{
	int on = PROC_NO_NEW_PRIVS_ENABLE;

	return procctl(P_PID, getpid(), PROC_NO_NEW_PRIVS_CTL, &on) == -1 &&
	    errno != EINVAL ? -1 : 0;
}

int
sandbox_confine(const struct sandbox_plan *p, char how[SANDBOX_HOW])
{
	(void)p;
	if (os_no_dump() == -1 || gain_nothing() == -1 ||
	    stay_alone() == -1) {
		snprintf(how, SANDBOX_HOW, "%s", strerror(errno));
		return -1;
	}
	snprintf(how, SANDBOX_HOW, "no new privileges, no new process");
	return 0;
}

/* cap_enter(2).  Its header was moved in 10.3; the call was not. */
int
sandbox_close_paths(char how[SANDBOX_HOW])
{
	if (syscall(SYS_cap_enter) == 0)
		return 0;
	snprintf(how, SANDBOX_HOW, "capability mode: %s", strerror(errno));
	return -1;
}

int
sandbox_confine_supervisor(char how[SANDBOX_HOW])
{
	snprintf(how, SANDBOX_HOW, "children by privileges and limits; "
	    "the supervisor by nothing");
	return 0;
}
