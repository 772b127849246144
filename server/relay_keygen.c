#include <sys/types.h>

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/mem.h"
#include "relay_key.h"
#include "relay_keygen.h"
#include "ssh_key.h"
#include "verbs.h"

struct call {
	const char *file;
	const char *name;	/* NULL: all relays */
	const struct config *conf;
	uid_t uid;		/* whose the key shall be, -1: ours */
	gid_t gid;
};

static int
usage(void)
{
	fprintf(stderr, "usage: oobctl relay keygen [-f CONFIG] [NAME]\n");
	return ST_USAGE;
}

static bool
parse(struct call *c, int argc, char *const argv[])
{
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "-f") == 0 && i + 1 < argc)
			c->file = argv[++i];
		else if (argv[i][0] != '-' && c->name == NULL)
			c->name = argv[i];
		else
			return false;
	}
	return true;
}

static void
on_error(void *arg, const char *message)
{
	(void)arg;
	fprintf(stderr, "oobctl: %s\n", message);
}

/* The service user must be able to read what root makes. */
static int
find_owner(struct call *c)
{
	const struct passwd *pw;

	c->uid = (uid_t)-1;
	c->gid = (gid_t)-1;
	if (geteuid() != 0 || c->conf->service_user == NULL)
		return 0;
	pw = getpwnam(c->conf->service_user);
	if (pw == NULL) {
		fprintf(stderr, "oobctl: no user %s (make it, or set "
		    "service_user)\n", c->conf->service_user);
		return -1;
	}
	c->uid = pw->pw_uid;
	c->gid = pw->pw_gid;
	return 0;
}

static int
make_folder(const struct call *c)
{
	const char *path = c->conf->state_dir;

	if (access(path, F_OK) == 0)
		return 0;
	if (dir_make(path, 0700) == 0 && (c->uid == (uid_t)-1 ||
	    chown(path, c->uid, c->gid) == 0))
		return 0;
	fprintf(stderr, "oobctl: state_dir %s: %s\n", path, strerror(errno));
	return -1;
}

static int
print_line(const struct call *c, const struct config_relay *r, ssh_key key,
    bool made)
{
	char print[SSH_KEY_FINGERPRINT];
	char *base64 = NULL, *line;

	if (ssh_pki_export_pubkey_base64(key, &base64) != SSH_OK) {
		fprintf(stderr, "oobctl: libssh cannot export the key\n");
		return ST_FAILED;
	}
	line = relay_key_line(r, base64, c->conf->name);
	fprintf(stderr, "oobctl: %s: %s %s, %s\n", r->name, made ? "made" :
	    "there is", r->identity, ssh_key_fingerprint(print, key));
	fprintf(stderr, "oobctl: this line belongs into authorized_keys of "
	    "%s at %s:\n", r->user, r->host);
	fflush(stderr);
	printf("%s\n", line);
	if (relay_key_any_port(r))
		fprintf(stderr, "oobctl: a port that the relay chooses: the "
		    "self-test needs the permitopen of every port; without "
		    "it, the test is left out\n");
	free(line);
	ssh_string_free_char(base64);
	return ST_OK;
}

static int
keygen(const struct call *c, const struct config_relay *r)
{
	char why[RELAY_KEY_WHY];
	bool made = false;
	ssh_key key;
	int status;

	if (access(r->identity, F_OK) == -1 && errno == ENOENT) {
		if (ssh_key_make(r->identity, c->uid, c->gid, why,
		    sizeof(why)) == 0) {
			made = true;
		} else if (errno != EEXIST) {
			fprintf(stderr, "oobctl: %s\n", why);
			return ST_FAILED;
		}
	}
	key = relay_key_load(NULL, r->identity, why, sizeof(why));
	if (key == NULL) {
		fprintf(stderr, "oobctl: %s\n", why);
		return ST_FAILED;
	}
	status = print_line(c, r, key, made);
	ssh_key_free(key);
	return status;
}

static int
keygen_all(const struct call *c)
{
	int status = ST_OK, one;
	size_t n = 0;

	for (size_t i = 0; i < c->conf->nrelays; i++) {
		if (c->name != NULL &&
		    strcmp(c->name, c->conf->relays[i].name) != 0)
			continue;
		n++;
		one = keygen(c, &c->conf->relays[i]);
		if (one != ST_OK)
			status = one;
	}
	if (n > 0)
		return status;
	if (c->name != NULL)
		fprintf(stderr, "oobctl: no relay %s in %s\n", c->name,
		    c->file);
	else
		fprintf(stderr, "oobctl: no relay in %s (see relay in "
		    "oobd.conf(5))\n", c->file);
	return ST_FAILED;
}

int
relay_keygen(int argc, char *const argv[])
{
	struct call c = { .file = config_default_path() };
	struct config *conf;
	int status = ST_FAILED;

	if (!parse(&c, argc, argv))
		return usage();
	conf = config_load(c.file, on_error, NULL);
	if (conf == NULL)
		return ST_FAILED;
	c.conf = conf;
	if (find_owner(&c) == 0 && make_folder(&c) == 0)
		status = keygen_all(&c);
	config_free(conf);
	return status;
}
