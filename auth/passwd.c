#include <sys/stat.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
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
#define SALT_TEXT 22		/* of 16 bytes, as base64 */
#define HASH_TEXT 43		/* of 32 */

static_assert(PASSWD_HASH == crypto_pwhash_STRBYTES, "room for a hash");

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

bool
passwd_exists_in(int folder, const char *user)
{
	struct stat st;

	return folder != -1 && str_is_name(user) &&
	    fstatat(folder, user, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * What other limits would cost is not for a file to say: the library overlooks
 * that of lanes, and what is no base64.
 */
bool
passwd_parse(const char *text, size_t n, char hash[PASSWD_HASH])
{
	static const char base64[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";
	const char *nl = n > 0 ? memchr(text, '\n', n) : NULL;
	size_t len = nl == NULL ? n : (size_t)(nl - text), at;

	memset(hash, 0, PASSWD_HASH);
	at = (size_t)snprintf(hash, PASSWD_HASH,
	    "$argon2id$v=19$m=%u,t=%u,p=1$", PASSWD_MEMORY / 1024,
	    (unsigned)PASSWD_PASSES);
	if (len != at + SALT_TEXT + 1 + HASH_TEXT ||
	    memcmp(text, hash, at) != 0)
		return false;
	memcpy(hash, text, len);
	return strspn(hash + at, base64) == SALT_TEXT &&
	    hash[at + SALT_TEXT] == '$' &&
	    strspn(hash + at + SALT_TEXT + 1, base64) == HASH_TEXT &&
	    crypto_pwhash_str_needs_rehash(hash, PASSWD_PASSES,
	    PASSWD_MEMORY) == 0;
}

int
passwd_folder(const char *state_dir)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/" FOLDER, state_dir) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* False: there is none to compare with. */
static bool
read_hash(char hash[PASSWD_HASH], int folder, const char *user)
{
	char *text = NULL;
	size_t n;
	bool good;
	int fd;

	if (folder == -1 || !str_is_name(user))
		return false;
	fd = openat(folder, user, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (fd != -1)
		text = fd_read(fd, PASSWD_HASH, &n);
	if (text == NULL && errno != ENOENT)
		log_errno("password of %s", user);
	if (fd != -1)
		close(fd);
	if (text == NULL)
		return false;
	good = passwd_parse(text, n, hash);
	freezero(text, n);
	if (!good)
		log_error("password of %s: its file is not as oobctl user "
		    "passwd writes it: set the password anew", user);
	return good;
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
passwd_check_in(int folder, const char *user, const char *password)
{
	char hash[PASSWD_HASH];
	size_t n = strlen(password);
	bool good;

	if (sodium_init() == -1)
		return false;
	if (!read_hash(hash, folder, user)) {
		compute_one(password);
		return false;
	}
	good = crypto_pwhash_str_verify(hash, password, n) == 0 &&
	    n <= PASSWD_MAX;
	explicit_bzero(hash, sizeof(hash));
	return good;
}

bool
passwd_check(const char *state_dir, const char *user, const char *password)
{
	int folder = passwd_folder(state_dir);
	bool good = passwd_check_in(folder, user, password);

	if (folder != -1)
		close(folder);
	return good;
}
