#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../auth/secret.h"
#include "../auth/sshsig.h"
#include "../serial/jdir.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "sandbox.h"
#include "signer.h"

#define FIRST "oobd-journal-key 1 "	/* then the seed in hexadecimal */
#define FILE_MAX_BYTES 4096

struct signer {
	const char *state_dir, *log_dir, *box;
	uint8_t seed[SSHSIG_SEED], public[SSHSIG_PUBLIC];
};

void
signer_message(char dst[SIGNER_MESSAGE], const char *box, const char *seal,
    const char *hash)
{
	snprintf(dst, SIGNER_MESSAGE, "oobd-journal %s\n%s\n%s\n", box, seal,
	    hash);
}

static int
from_hex(uint8_t *dst, size_t size, const char *text)
{
	unsigned byte;

	if (strspn(text, "0123456789abcdef") != 2 * size)
		return -1;
	for (size_t i = 0; i < size; i++) {
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return -1;
		dst[i] = (uint8_t)byte;
	}
	return 0;
}

static int
make_key(struct signer *s, const char *path)
{
	char text[sizeof(FIRST) + 2 * SSHSIG_SEED + 2];
	size_t n = strlen(FIRST);
	int r;

	sshsig_generate(s->seed);
	memcpy(text, FIRST, n);
	for (size_t i = 0; i < SSHSIG_SEED; i++, n += 2)
		snprintf(text + n, 3, "%02x", s->seed[i]);
	text[n++] = '\n';
	r = file_replace(path, text, n, 0600);
	explicit_bzero(text, sizeof(text));
	if (r == -1)
		log_errno("%s", path);
	else
		log_info("made %s: it signs the journals' seals", path);
	return r;
}

static int
read_key(struct signer *s)
{
	char *path = xasprintf("%s/" SIGNER_KEY, s->state_dir), *text;
	size_t n = 0;
	int r = -1;

	text = file_read(path, FILE_MAX_BYTES, &n);
	if (text == NULL && errno == ENOENT)
		r = make_key(s, path);
	else if (text == NULL)
		log_errno("%s", path);
	else if (strncmp(text, FIRST, strlen(FIRST)) != 0 ||
	    from_hex(s->seed, SSHSIG_SEED, text + strlen(FIRST)) == -1)
		log_error("%s is no key for journals: move it away and a new "
		    "one is made", path);
	else
		r = 0;
	freezero(text, n);
	free(path);
	if (r == 0)
		sshsig_public(s->seed, s->public);
	return r;
}

/* Write what is not there yet, or of another key. */
static void
keep_text(const char *path, const char *want)
{
	char *have = file_read(path, FILE_MAX_BYTES, NULL);

	if ((have == NULL || strcmp(have, want) != 0) &&
	    file_replace(path, want, strlen(want), 0644) == -1)
		log_errno("%s", path);
	free(have);
}

/* The public key, for those who verify. */
static void
publish(const struct signer *s)
{
	char *pub = xasprintf("%s/" SIGNER_KEY ".pub", s->state_dir);
	char *signers = xasprintf("%s/" JDIR_BOX "/" SIGNER_SIGNERS,
	    s->log_dir), *text;
	char key[SSHSIG_KEY];

	sshsig_key_text(s->public, key);
	text = xasprintf("%s %s\n", key, s->box);
	keep_text(pub, text);
	free(text);
	text = xasprintf("%s namespaces=\"" SIGNER_SPACE "\" %s\n", s->box,
	    key);
	keep_text(signers, text);
	free(text);
	free(signers);
	free(pub);
}

int
signer_main(int fd, int argc, char *const argv[])
{
	char message[SIGNER_MESSAGE], text[SSHSIG_TEXT], print[SSHSIG_PRINT];
	char answer[SIGNER_ANSWER];
	struct signer *s;
	int r = 1;

	if (argc != 5 || strspn(argv[3], "0123456789") != strlen(argv[3]) ||
	    strlen(argv[4]) != 64) {
		log_error("signer: wrong words");
		return 2;
	}
	os_no_dump();
	sandbox_enter("signer", argv[0], argv[1], NULL);
	s = secret_new(sizeof(*s));
	sandbox_seal_in("signer", argv[0], argv[1], NULL);
	s->state_dir = argv[0];
	s->log_dir = argv[1];
	s->box = argv[2];
	if (read_key(s) == 0) {
		signer_message(message, s->box, argv[3], argv[4]);
		sshsig_sign(s->seed, SIGNER_SPACE, message, strlen(message),
		    text);
		publish(s);
		sshsig_print(s->public, print);
		snprintf(answer, sizeof(answer), "signed seal=%s hash=%s "
		    "key=%s sig=%s", argv[3], argv[4], print, text);
		r = fd_write_all(fd, answer, strlen(answer)) == -1;
	}
	secret_free(s);
	return r;
}
