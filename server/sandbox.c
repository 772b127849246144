#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"
#include "sandbox_internal.h"

static const char *const modes[] = {
	[SANDBOX_OFF] = "off",
	[SANDBOX_MILD] = "mild",
	[SANDBOX_FULL] = "full",
};

/* Of this process, since it began; nobody is asked in between. */
static enum sandbox_mode mode = SANDBOX_OFF;

/*
 * The table.  Who is not here runs programs of others (ppp, power, sink), and
 * has what the supervisor left it.
 */
static const struct {
	const char *role;
	unsigned may;
} roles[] = {
	{ "console",	MAY_READ | MAY_WRITE | MAY_ACCEPT | MAY_DEVICE |
			    MAY_THREAD },
	{ "dialer",	MAY_READ | MAY_INET | MAY_ROUTE },
	{ "gate",	MAY_READ | MAY_WRITE },
	{ "modem",	MAY_READ | MAY_WRITE | MAY_INET | MAY_ROUTE |
			    MAY_DEVICE },
	{ "notify",	MAY_READ | MAY_WRITE | MAY_INET | MAY_ROUTE },
	{ "opener",	MAY_READ | MAY_WRITE | MAY_DEVICE | MAY_LOOK |
			    MAY_ANYWHERE },
	{ "reader",	MAY_READ },
	{ "signer",	MAY_READ | MAY_WRITE },
	{ "ssh",	MAY_ACCEPT },
	{ "usb",	MAY_READ | MAY_WRITE | MAY_DEVICE | MAY_ANYWHERE },
};

enum root { ANY, STATE, LOG };

/* Where a role may read, or write, too; what is not there is left out. */
static const struct {
	const char *role;	/* NULL: every one of the table above */
	enum root root;
	const char *path;
	bool write;
} places[] = {
	/* Programs, time zones, messages; the names of users. */
	{ NULL,		ANY,	"/usr",			false },
	{ NULL,		ANY,	"/lib",			false },
	{ NULL,		ANY,	"/lib64",		false },
	{ NULL,		ANY,	"/etc/localtime",	false },
	{ NULL,		ANY,	"/etc/nsswitch.conf",	false },
	{ NULL,		ANY,	"/etc/passwd",		false },
	{ NULL,		ANY,	"/etc/group",		false },
	{ NULL,		ANY,	"/etc/ssl",		false },
	{ NULL,		ANY,	"/proc/sys/kernel/random", false },
	{ NULL,		ANY,	"/sys/devices/system/cpu", false },
	{ NULL,		ANY,	"/dev/null",		true },
	/* For pages. */
	{ "reader",	ANY,	PREFIX "/share/oobd",	false },
	/* How to find hosts: these files are replaced, so their folder. */
	{ "dialer",	ANY,	"/etc",			false },
	{ "dialer",	ANY,	"/run/systemd/resolve",	false },
	{ "dialer",	ANY,	"/run/NetworkManager",	false },
	{ "dialer",	ANY,	"/run/resolvconf",	false },
	{ "modem",	ANY,	"/etc",			false },
	{ "modem",	ANY,	"/run/systemd/resolve",	false },
	{ "modem",	ANY,	"/run/NetworkManager",	false },
	{ "modem",	ANY,	"/run/resolvconf",	false },
	{ "notify",	ANY,	"/etc",			false },
	{ "notify",	ANY,	"/run/systemd/resolve",	false },
	{ "notify",	ANY,	"/run/NetworkManager",	false },
	{ "notify",	ANY,	"/run/resolvconf",	false },
	/* Is the stick there? */
	{ "modem",	ANY,	"/sys",			false },
	{ "console",	LOG,	"",			true },
	{ "console",	STATE,	"seal",			true },
	{ "console",	STATE,	"witness",		true },
	{ "gate",	STATE,	"codes",		true },
	{ "gate",	STATE,	"passwords",		false },
	{ "modem",	STATE,	"codes",		true },
	{ "modem",	STATE,	"modem",		true },
	{ "notify",	STATE,	"notify",		true },
	{ "reader",	LOG,	"",			false },
	{ "reader",	STATE,	"seal",			false },
	{ "reader",	STATE,	"journal_key.pub",	false },
	{ "signer",	LOG,	".box",			true },
	{ "signer",	STATE,	"",			true },
};

#define PLACES (sizeof(places) / sizeof(places[0]))

/* A role's places in our folders, and where it could work before its seal. */
struct own {
	const char *role, *state_dir, *log_dir;
	bool works[PLACES];
};

bool
sandbox_mode_of(const char *word, enum sandbox_mode *to)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i], word) == 0) {
			*to = (enum sandbox_mode)i;
			return true;
		}
	}
	return false;
}

const char *
sandbox_mode_text(enum sandbox_mode m)
{
	return modes[m];
}

void
sandbox_set_mode(enum sandbox_mode m)
{
	mode = m;
}

bool
sandbox_is_off(void)
{
	return mode == SANDBOX_OFF;
}

static void
add_place(struct sandbox_plan *p, char *path, bool write)
{
	if (p->nplaces == SANDBOX_PLACES_MAX) {
		log_warn("%s: too many places, left out", path);
		free(path);
		return;
	}
	p->places[p->nplaces++] = (struct sandbox_place){ path, write };
}

/* Of a place in one of our folders; the caller frees. */
static char *
path_of(size_t i, const char *dir)
{
	return places[i].path[0] == '\0' ? xstrdup(dir) :
	    xasprintf("%s/%s", dir, places[i].path);
}

/* What a role writes to is there from the first start on. */
static void
add_own(struct sandbox_plan *p, size_t i, const char *dir)
{
	char *path = path_of(i, dir);

	if (places[i].write && dir_make(path, 0700) == -1)
		log_errno("%s", path);
	add_place(p, path, places[i].write);
}

static void
add_table(struct sandbox_plan *p, const char *state_dir, const char *log_dir)
{
	for (size_t i = 0; i < PLACES; i++) {
		if (places[i].role != NULL &&
		    strcmp(places[i].role, p->role) != 0)
			continue;
		if (places[i].root == ANY)
			add_place(p, xstrdup(places[i].path),
			    places[i].write);
		else if (places[i].root == STATE)
			add_own(p, i, state_dir);
		else
			add_own(p, i, log_dir);
	}
}

/* Is inner outer, or below it? */
static bool
holds(const char *outer, const char *inner)
{
	size_t n = strlen(outer);

	return strncmp(outer, inner, n) == 0 &&
	    (inner[n] == '\0' || inner[n] == '/' || n == 1);
}

/* Its folder, as the file may be replaced; alone where others must be safe. */
static void
add_file(struct sandbox_plan *p, const char *file, const char *state_dir,
    const char *log_dir)
{
	char copy[PATH_MAX];
	const char *dir;

	snprintf(copy, sizeof(copy), "%s", file);
	dir = dirname(copy);
	if (holds(dir, state_dir) || holds(dir, log_dir) ||
	    holds(state_dir, dir) || holds(log_dir, dir))
		dir = file;
	add_place(p, xstrdup(dir), false);
}

static bool
find_role(const char *role, unsigned *may)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcmp(roles[i].role, role) == 0) {
			*may = roles[i].may;
			return true;
		}
	}
	return false;
}

void
sandbox_enter(const char *role, const char *state_dir, const char *log_dir,
    const char *const *files)
{
	struct sandbox_plan p = { .role = role, .mild = mode == SANDBOX_MILD };
	char how[SANDBOX_HOW] = "";

	if (mode == SANDBOX_OFF || !find_role(role, &p.may))
		return;
	if ((p.may & (MAY_READ | MAY_WRITE)) != 0 &&
	    (p.may & MAY_ANYWHERE) == 0)
		add_table(&p, state_dir, log_dir);
	for (size_t i = 0; files != NULL && files[i] != NULL; i++)
		add_file(&p, files[i], state_dir, log_dir);
	if (sandbox_confine(&p, how) == -1)
		log_warn("not as confined as it could be: %s", how);
	else
		log_debug("confined: %s", how);
	for (size_t i = 0; i < p.nplaces; i++)
		free((char *)(uintptr_t)p.places[i].path);
}

void
sandbox_seal(void)
{
	char how[SANDBOX_HOW] = "";

	/* Else the first log line would look for the time zone's file. */
	tzset();
	if (mode != SANDBOX_OFF && sandbox_close_paths(how) == -1)
		log_warn("paths can still be opened: %s", how);
}

/* Held from here on.  0; -1: it is needed, and cannot be held. */
static int
hold(const char *path, bool write)
{
	if (folder_hold(path) == 0 || (errno == ENOENT && !write))
		return 0;
	log_errno("paths can still be opened: %s", path);
	return -1;
}

/*
 * A file is made, renamed and removed: what its work comes down to.  Several
 * signers may do so at a time.
 */
static bool
can_change(const char *folder)
{
	char *made = xasprintf("%s/.sealed.%ld.new", folder, (long)getpid());
	char *name = xasprintf("%s/.sealed.%ld", folder, (long)getpid());
	int fd = folder_open(made, O_WRONLY | O_CREAT | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	bool can = fd != -1 && folder_rename(made, name) == 0 &&
	    folder_unlink(name) == 0;

	if (fd != -1)
		close(fd);
	free(name);
	free(made);
	return can;
}

static bool
can_work(const char *path, bool write)
{
	int fd = folder_open(path, O_RDONLY | O_CLOEXEC, 0);

	if (fd == -1)
		return false;
	close(fd);
	return !write || can_change(path);
}

/* The next one of the role's own from i on, or PLACES. */
static size_t
next_own(const struct own *own, size_t i)
{
	while (i < PLACES && (places[i].role == NULL ||
	    places[i].root == ANY || strcmp(places[i].role, own->role) != 0))
		i++;
	return i;
}

static char *
own_path(const struct own *own, size_t i)
{
	return path_of(i, places[i].root == STATE ? own->state_dir :
	    own->log_dir);
}

/* Hold them, and see which can be worked in.  0, or -1. */
static int
hold_own(struct own *own)
{
	char *path;
	int r = 0;

	for (size_t i = next_own(own, 0); i < PLACES && r == 0;
	    i = next_own(own, i + 1)) {
		path = own_path(own, i);
		r = hold(path, places[i].write);
		own->works[i] = r == 0 && can_work(path, places[i].write);
		free(path);
	}
	return r;
}

/*
 * On a system that is other than we know, the record would end here.  We end
 * instead: one that is never ready is started without its sandbox.
 */
static void
check_own(const struct own *own)
{
	char *path;

	for (size_t i = next_own(own, 0); i < PLACES;
	    i = next_own(own, i + 1)) {
		path = own_path(own, i);
		if (own->works[i] && !can_work(path, places[i].write))
			fatal("sealed, and cannot work in %s any more", path);
		free(path);
	}
}

void
sandbox_seal_in(const char *role, const char *state_dir,
    const char *log_dir, const char *const *files)
{
	struct own own = { .role = role, .state_dir = state_dir,
	    .log_dir = log_dir };

	if (mode == SANDBOX_OFF || hold_own(&own) == -1)
		return;
	for (size_t i = 0; files != NULL && files[i] != NULL; i++)
		(void)folder_hold(files[i]);
	sandbox_seal();
	check_own(&own);
}

void
sandbox_supervisor(bool off)
{
	char how[SANDBOX_HOW] = "";

	if (off)
		log_warn("sandbox = false: processes are confined by their "
		    "user alone");
	else if (sandbox_confine_supervisor(how) == -1)
		log_warn("not as confined as it could be: %s", how);
	else
		log_info("confined: %s", how);
}

char *
sandbox_last_words(char dst[SANDBOX_CALL], int fd)
{
	const char *name;
	int call;

	dst[0] = '\0';
	if (fd == -1 || read(fd, &call, sizeof(call)) != sizeof(call))
		return dst;
	name = sandbox_call_name(call);
	if (name != NULL)
		snprintf(dst, SANDBOX_CALL, "%.40s", name);
	else
		snprintf(dst, SANDBOX_CALL, "number %d", call);
	return dst;
}
