#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "modem_home.h"

static const char *const names[] = { "budget", "drill", "link", "pins",
    "sms_out", "sms_seen", "uplink" };

static void
adopt(const char *state_dir, const char *home, const char *name)
{
	char *old = xasprintf("%s/%s", state_dir, name);
	char *new = xasprintf("%s/%s", home, name);
	struct stat st;

	if (stat(new, &st) == -1 && errno == ENOENT &&
	    rename(old, new) == -1 && errno != ENOENT)
		log_errno("%s: cannot become %s", old, new);
	free(new);
	free(old);
}

char *
modem_home(const char *state_dir)
{
	char *home = xasprintf("%s/modem", state_dir);

	if (dir_make(home, 0700) == -1)
		log_errno("%s", home);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		adopt(state_dir, home, names[i]);
	return home;
}
