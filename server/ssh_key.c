#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/mem.h"
#include "keyring.h"
#include "ssh_key.h"

static void
sync_folder(const char *path)
{
	char copy[PATH_MAX];
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return;
	/* Some file systems cannot sync a folder; the key itself is safe. */
	(void)fsync(fd);
	close(fd);
}

static int
write_new(const char *path, const char *text, uid_t uid, gid_t gid)
{
	int fd, saved;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd == -1)
		return -1;
	if (((uid != (uid_t)-1 || gid != (gid_t)-1) &&
	    fchown(fd, uid, gid) == -1) ||
	    fd_write_all(fd, text, strlen(text)) == -1 || fsync(fd) == -1) {
		saved = errno;
		close(fd);
		unlink(path);
		errno = saved;
		return -1;
	}
	return close(fd);
}

/*
 * The key appears whole or not at all, and never replaces another one:
 * link(2), not rename(2).
 */
static int
store(const char *path, const char *text, uid_t uid, gid_t gid)
{
	char *tmp = xasprintf("%s.new", path);
	int r, saved;

	unlink(tmp);		/* left over from a crash */
	r = write_new(tmp, text, uid, gid);
	if (r == 0) {
		r = link(tmp, path);
		saved = errno;
		unlink(tmp);
		errno = saved;
	}
	if (r == 0)
		sync_folder(path);
	saved = errno;
	free(tmp);
	errno = saved;
	return r;
}

int
ssh_key_make(const char *path, uid_t uid, gid_t gid, char *why, size_t size)
{
	ssh_key key = NULL;
	char *text = NULL;
	int r = -1, saved = EIO;

	if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK ||
	    ssh_pki_export_privkey_base64(key, NULL, NULL, NULL, &text) !=
	    SSH_OK) {
		snprintf(why, size, "cannot make a key: libssh refuses");
	} else if (store(path, text, uid, gid) == -1) {
		saved = errno;
		snprintf(why, size, "cannot write the key %s: %s (may the "
		    "service user write to its folder?)", path,
		    strerror(errno));
	} else {
		r = 0;
	}
	if (text != NULL)
		freezero(text, strlen(text));
	ssh_key_free(key);
	errno = saved;
	return r;
}

ssh_key
ssh_key_host(const struct keyring *keys, const char *path, char *why,
    size_t size)
{
	ssh_key key = NULL;
	char *text = keyring_read(keys, path);

	if (text == NULL && errno == ENOENT) {
		if (ssh_key_make(path, (uid_t)-1, (gid_t)-1, why, size) == -1)
			return NULL;
		text = keyring_read(NULL, path);
	}
	if (text == NULL) {
		if (errno == EPERM)
			snprintf(why, size, "host key %s: others may read it "
			    "(chmod 600 it)", path);
		else
			snprintf(why, size, "host key %s: %s", path,
			    strerror(errno));
		return NULL;
	}
	if (ssh_pki_import_privkey_base64(text, NULL, NULL, NULL, &key) !=
	    SSH_OK || ssh_key_type(key) != SSH_KEYTYPE_ED25519) {
		snprintf(why, size, "host key %s: not an ed25519 key without "
		    "a passphrase (move it away and a new one is made)",
		    path);
		ssh_key_free(key);
		key = NULL;
	}
	freezero(text, strlen(text));
	return key;
}

char *
ssh_key_fingerprint(char dst[SSH_KEY_FINGERPRINT], ssh_key key)
{
	unsigned char *hash = NULL;
	char *text = NULL;
	size_t n;

	if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash,
	    &n) == 0)
		text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256,
		    hash, n);
	snprintf(dst, SSH_KEY_FINGERPRINT, "%s", text == NULL ? "?" : text);
	ssh_clean_pubkey_hash(&hash);
	ssh_string_free_char(text);
	return dst;
}
