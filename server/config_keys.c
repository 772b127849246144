#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../auth/keys.h"
#include "base/fileio.h"
#include "base/mem.h"
#include "config_internal.h"

#define FILE_BYTES (256 * 1024)

/* A key and where it stands, to find it with a second user. */
struct owned {
	struct key *key;
	const struct config_user *user;
	const char *file;
	int line;
};

struct keyring {
	struct build *b;
	struct owned *list;
	size_t n, size, bytes;
};

static void
own(struct keyring *r, struct key *k, const struct config_user *u,
    const char *file, int line)
{
	if (r->n == r->size) {
		r->size = r->size == 0 ? 64 : r->size * 2;
		r->list = xreallocarray(r->list, r->size, sizeof(*r->list));
	}
	r->list[r->n++] = (struct owned){ k, u, file, line };
}

/* One line of a keys_file; false when no more can be taken. */
static bool
take_line(struct keyring *r, struct config_user *u, const char *text, int line)
{
	char err[KEY_ERROR];
	struct key *k;
	int got = key_parse(text, &k, err, sizeof(err));

	if (got == -1)
		build_error_at(r->b, u->keys_file, line, "%s", err);
	if (got != 1)
		return true;
	own(r, k, u, u->keys_file, line);
	r->bytes += strlen(text);
	u->keys = xreallocarray(u->keys, u->nkeys + 1, sizeof(*u->keys));
	u->keys[u->nkeys++] = xstrdup(text);
	if (r->n <= CONFIG_KEYS_MAX && r->bytes <= CONFIG_KEYS_BYTES)
		return true;
	build_error_at(r->b, u->keys_file, line, "there are too many keys: "
	    "at most %d of all users, of %d bytes together", CONFIG_KEYS_MAX,
	    CONFIG_KEYS_BYTES);
	return false;
}

/* The file's text; NULL with a complaint. */
static char *
read_file(struct build *b, const struct config_user *u, size_t *n)
{
	int line = build_line(b, &u->keys_file, 0);
	char show[SHOW_TEXT], *text;
	struct stat st;

	build_show(show, u->keys_file);
	if (stat(u->keys_file, &st) == -1) {
		build_error(b, line, "keys_file \"%s\": %s", show,
		    strerror(errno));
		return NULL;
	}
	/* Opening a fifo would wait for ever. */
	if (!S_ISREG(st.st_mode)) {
		build_error(b, line, "keys_file \"%s\": this is not a file",
		    show);
		return NULL;
	}
	if (st.st_mode & S_IWOTH) {
		build_error(b, line, "keys_file \"%s\": everyone may write to "
		    "it: chmod o-w", show);
		return NULL;
	}
	text = file_read(u->keys_file, FILE_BYTES, n);
	if (text == NULL) {
		build_error(b, line, "keys_file \"%s\": %s", show,
		    strerror(errno));
	} else if (memchr(text, '\0', *n) != NULL) {
		build_error(b, line, "keys_file \"%s\": there is a NUL byte, "
		    "this is not a text file", show);
		free(text);
		text = NULL;
	}
	return text;
}

static void
read_keys(struct keyring *r, struct config_user *u)
{
	char *text, *rest, *one;
	int line = 1;
	size_t n;

	text = read_file(r->b, u, &n);
	rest = text;
	while (rest != NULL && (one = strsep(&rest, "\n")) != NULL) {
		if (!take_line(r, u, one, line++))
			break;
	}
	free(text);
}

static void
own_inline(struct keyring *r, const struct config_user *u)
{
	char err[KEY_ERROR];
	struct key *k;

	for (size_t i = 0; i < u->ninline; i++) {
		if (key_parse(u->keys[i], &k, err, sizeof(err)) == 1)
			own(r, k, u, r->b->name, build_line(r->b, &u->keys,
			    i));
	}
}

static int
by_key(const void *va, const void *vb)
{
	const struct owned *a = va, *b = vb;
	int r = strcmp(key_base64(a->key), key_base64(b->key));

	if (r == 0 && a->user != b->user)
		r = a->user < b->user ? -1 : 1;
	return r;
}

/* The key says who it is: it cannot say two names. */
static void
find_doubles(struct keyring *r)
{
	char one[SHOW_TEXT], other[SHOW_TEXT];

	if (r->n > 0)
		qsort(r->list, r->n, sizeof(*r->list), by_key);
	for (size_t i = 1; i < r->n; i++) {
		const struct owned *a = &r->list[i - 1], *b = &r->list[i];

		if (a->user == b->user || !key_equal(a->key, b->key) ||
		    key_is_authority(a->key) || key_is_authority(b->key))
			continue;
		build_error_at(r->b, b->file, b->line, "this key of user "
		    "\"%s\" is also one of user \"%s\" (%s:%d): a key must "
		    "tell who it is", build_show(one, b->user->name),
		    build_show(other, a->user->name), a->file, a->line);
	}
}

void
config_keys(struct build *b, bool with_files)
{
	struct keyring r = { .b = b };

	for (size_t i = 0; i < b->conf->nusers; i++) {
		struct config_user *u = &b->conf->users[i];

		own_inline(&r, u);
		if (with_files && u->keys_file != NULL)
			read_keys(&r, u);
	}
	find_doubles(&r);
	for (size_t i = 0; i < r.n; i++)
		key_free(r.list[i].key);
	free(r.list);
}
