#include <sys/types.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "tool_state.h"

static void
print_error(void *arg, const char *message)
{
	(void)arg;
	fprintf(stderr, "oobctl: %s\n", message);
}

struct config *
tool_config(const char *path)
{
	return config_load(path, print_error, NULL);
}

int
tool_become_owner(const struct config *conf)
{
	struct passwd *pw;

	if (dir_make(conf->state_dir, 0700) == -1) {
		fprintf(stderr, "oobctl: %s: %s\n", conf->state_dir,
		    strerror(errno));
		return -1;
	}
	if (geteuid() != 0 || conf->service_user == NULL)
		return 0;
	pw = getpwnam(conf->service_user);
	if (pw == NULL) {
		fprintf(stderr, "oobctl: no user %s\n", conf->service_user);
		return -1;
	}
	if (chown(conf->state_dir, pw->pw_uid, pw->pw_gid) == -1 ||
	    initgroups(pw->pw_name, pw->pw_gid) == -1 ||
	    setgid(pw->pw_gid) == -1 || setuid(pw->pw_uid) == -1) {
		fprintf(stderr, "oobctl: cannot become user %s: %s\n",
		    conf->service_user, strerror(errno));
		return -1;
	}
	return 0;
}
