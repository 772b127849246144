#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../server/base/fileio.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "codes_file.h"

#define TEXT_MAX 512
#define NEXT_NAME ".next"	/* no admin is called so */
#define LOCK_TRIES 40
#define LOCK_PAUSE_NS 50000000

/* Some file systems cannot sync a folder; what is in it is safe, then. */
static int
sync_folder(int fd)
{
	return fsync(fd) == -1 && errno != EINVAL ? -1 : 0;
}

/* The name of a new folder is on the disk when its parent is. */
static int
make_folder(const char *path)
{
	char *parent, *slash;
	int fd, r;

	if (mkdir(path, 0700) == -1)
		return errno == EEXIST ? 0 : -1;
	parent = xstrdup(path);
	slash = strrchr(parent, '/');
	if (slash != NULL)
		slash[slash == parent ? 1 : 0] = '\0';
	fd = open(slash == NULL ? "." : parent, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);
	free(parent);
	if (fd == -1)
		return -1;
	r = sync_folder(fd);
	close(fd);
	return r;
}

/* Never waits for long: who holds it may have been stopped. */
static int
take_lock(int fd)
{
	const struct timespec pause = { 0, LOCK_PAUSE_NS };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		nanosleep(&pause, NULL);
	}
	errno = EBUSY;
	return -1;
}

/* With the folder open, or not: -1. */
static int
lock_folder(struct codes_folder *f)
{
	int saved;

	if (f->fd == -1)
		return -1;
	if (take_lock(f->fd) == 0)
		return 0;
	saved = errno;
	close(f->fd);
	errno = saved;
	return -1;
}

int
codes_folder_open(struct codes_folder *f, const char *path, bool make)
{
	if (make && make_folder(path) == -1)
		return -1;
	f->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return lock_folder(f);
}

int
codes_folder_enter(struct codes_folder *f, int held)
{
	/* Opened anew, as a lock belongs to what open(2) gave. */
	f->fd = openat(held, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return lock_folder(f);
}

void
codes_folder_close(struct codes_folder *f)
{
	int saved = errno;

	close(f->fd);
	f->fd = -1;
	errno = saved;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int
codes_folder_list(const struct codes_folder *f, struct codes_names *names)
{
	int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	DIR *d;
	int error = 0;

	names->n = 0;
	d = fd == -1 ? NULL : fdopendir(fd);
	if (d == NULL) {
		error = errno;
		if (fd != -1)
			close(fd);
		errno = error;
		return -1;
	}
	while ((errno = 0, e = readdir(d)) != NULL) {
		if (!str_is_name(e->d_name))
			continue;
		if (names->n == CODES_MAX) {
			errno = E2BIG;
			break;
		}
		snprintf(names->name[names->n++], CODES_NAME, "%.*s",
		    CODES_NAME - 1, e->d_name);
	}
	error = errno;
	closedir(d);
	qsort(names->name, names->n, CODES_NAME, by_name);
	errno = error;
	return error == 0 ? 0 : -1;
}

/* The length of the text: always the same for the same secret's length. */
static size_t
print(char dst[TEXT_MAX], const struct codes_record *r)
{
	char secret[OTP_BASE32];
	int n;

	n = snprintf(dst, TEXT_MAX, "oobd-code 1\nname %s\nkind %s\nsecret %s\n"
	    "counter %020" PRIu64 "\nused %010" PRIu64 "\nmade %015" PRId64
	    "\nend\n", r->name, r->totp ? "totp" : "hotp",
	    otp_base32(secret, &r->secret), r->counter, r->used, r->made);
	explicit_bzero(secret, sizeof(secret));
	return (size_t)n;
}

static int
parse(const char *text, size_t n, struct codes_record *r)
{
	char secret[OTP_BASE32], kind[5], again[TEXT_MAX];
	int got, good;

	got = sscanf(text, "oobd-code 1\nname %32s\nkind %4s\nsecret %64s\n"
	    "counter %20" SCNu64 "\nused %10" SCNu64 "\nmade %15" SCNd64,
	    r->name, kind, secret, &r->counter, &r->used, &r->made);
	r->totp = got == 6 && strcmp(kind, "totp") == 0;
	good = got == 6 && otp_base32_parse(secret, &r->secret) == 0 &&
	    r->counter <= OTP_COUNTER_MAX && print(again, r) == n &&
	    memcmp(again, text, n) == 0;
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(again, sizeof(again));
	return good ? 0 : -1;
}

int
codes_file_read(const struct codes_folder *f, const char *name,
    struct codes_record *r)
{
	int fd = openat(f->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	size_t n;
	char *text;
	int saved;

	memset(r, 0, sizeof(*r));
	if (fd == -1)
		return -1;
	text = fd_read(fd, TEXT_MAX, &n);
	saved = errno == EFBIG ? EBADMSG : errno;
	close(fd);
	if (text != NULL && (parse(text, n, r) == -1 ||
	    strcmp(r->name, name) != 0)) {
		explicit_bzero(r, sizeof(*r));
		freezero(text, n);
		text = NULL;
		saved = EBADMSG;
	}
	errno = saved;
	if (text == NULL)
		return -1;
	freezero(text, n);
	return 0;
}

/* Write all of it to an open file and to the disk; closes it. */
static int
write_synced(int fd, const char *text, size_t n)
{
	int r = fd_write_all(fd, text, n) == 0 && fsync(fd) == 0 ? 0 : -1;
	int saved = errno;

	close(fd);
	errno = saved;
	return r;
}

/* The new text beside the old, on the disk but under no admin's name. */
static int
prepare(int dir, const char *text, size_t n)
{
	int fd, saved;

	if (unlinkat(dir, NEXT_NAME, 0) == -1 && errno != ENOENT)
		return -1;
	fd = openat(dir, NEXT_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600);
	if (fd == -1)
		return -1;
	if (write_synced(fd, text, n) == 0)
		return 0;
	saved = errno;
	unlinkat(dir, NEXT_NAME, 0);
	errno = saved;
	return -1;
}

/*
 * Needs no new block on the disk.  The file is smaller than a sector: a power
 * cut leaves the old or the new one.
 */
static int
overwrite(int dir, const char *name, const char *text, size_t n)
{
	int fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	struct stat st;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    (size_t)st.st_size != n) {
		close(fd);
		errno = ENOSPC;
		return -1;
	}
	return write_synced(fd, text, n);
}

int
codes_file_write(const struct codes_folder *f, const struct codes_record *r)
{
	char text[TEXT_MAX];
	size_t n = print(text, r);
	int why, done;

	if (prepare(f->fd, text, n) == 0 &&
	    renameat(f->fd, NEXT_NAME, f->fd, r->name) == 0) {
		done = sync_folder(f->fd);
	} else {
		why = errno;
		done = overwrite(f->fd, r->name, text, n);
		errno = why;
	}
	explicit_bzero(text, sizeof(text));
	return done;
}

int
codes_file_remove(const struct codes_folder *f, const char *name)
{
	if (unlinkat(f->fd, name, 0) == -1)
		return -1;
	return sync_folder(f->fd);
}
