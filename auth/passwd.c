#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "../server/base/fileio.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "passwd.h"

#define FOLDER "passwords"

/* 0, or -1 with errno. */
static int
make_path(char path[PATH_MAX], const char *state_dir, const char *user)
{
	if (!str_is_name(user)) {
		errno = EINVAL;
		return -1;
	}
	if (snprintf(path, PATH_MAX, "%s/" FOLDER "/%s", state_dir, user) >=
	    PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

int
passwd_set(const char *state_dir, const char *user, const char *password)
{
	char path[PATH_MAX], hash[crypto_pwhash_STRBYTES + 1];
	size_t n = strlen(password);
	int r;

	if (make_path(path, state_dir, user) == -1)
		return -1;
	if (n < PASSWD_MIN || n > PASSWD_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (sodium_init() == -1 || crypto_pwhash_str(hash, password, n,
	    PASSWD_PASSES, PASSWD_MEMORY) != 0) {
		errno = ENOMEM;
		return -1;
	}
	*strrchr(path, '/') = '\0';
	r = dir_make(path, 0700);
	path[strlen(path)] = '/';
	n = strlen(hash);
	hash[n] = '\n';
	if (r == 0)
		r = file_replace(path, hash, n + 1, 0600);
	explicit_bzero(hash, sizeof(hash));
	return r;
}

int
passwd_remove(const char *state_dir, const char *user)
{
	char path[PATH_MAX];

	return make_path(path, state_dir, user) == -1 ? -1 : unlink(path);
}

bool
passwd_exists(const char *state_dir, const char *user)
{
	char path[PATH_MAX];
	struct stat st;

	return make_path(path, state_dir, user) == 0 && stat(path, &st) == 0;
}

/* False: there is none to compare with. */
static bool
read_hash(char hash[crypto_pwhash_STRBYTES], const char *state_dir,
    const char *user)
{
	char path[PATH_MAX], *text;
	size_t n;

	if (make_path(path, state_dir, user) == -1)
		return false;
	text = file_read(path, crypto_pwhash_STRBYTES, &n);
	if (text == NULL) {
		if (errno != ENOENT)
			log_errno("%s", path);
		return false;
	}
	memset(hash, 0, crypto_pwhash_STRBYTES);
	text[strcspn(text, "\n")] = '\0';
	snprintf(hash, crypto_pwhash_STRBYTES, "%s", text);
	freezero(text, n);
	/* What other limits would cost is not for a file to say. */
	if (crypto_pwhash_str_needs_rehash(hash, PASSWD_PASSES,
	    PASSWD_MEMORY) != 0) {
		log_error("%s: not as oobctl user passwd writes it: set the "
		    "password anew", path);
		return false;
	}
	return true;
}

/* The same work for nothing. */
static void
compute_one(const char *password)
{
	unsigned char out[32], salt[crypto_pwhash_SALTBYTES];

	randombytes_buf(salt, sizeof(salt));
	if (crypto_pwhash(out, sizeof(out), password, strlen(password), salt,
	    PASSWD_PASSES, PASSWD_MEMORY, crypto_pwhash_ALG_ARGON2ID13) != 0)
		log_error("no memory to check a password");
	explicit_bzero(out, sizeof(out));
}

bool
passwd_check(const char *state_dir, const char *user, const char *password)
{
	char hash[crypto_pwhash_STRBYTES];
	size_t n = strlen(password);
	bool good;

	if (sodium_init() == -1)
		return false;
	if (!read_hash(hash, state_dir, user)) {
		compute_one(password);
		return false;
	}
	good = crypto_pwhash_str_verify(hash, password, n) == 0 &&
	    n <= PASSWD_MAX;
	explicit_bzero(hash, sizeof(hash));
	return good;
}
