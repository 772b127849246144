/*
 * passwd: users' passwords, one file each in a folder (state_dir/passwords):
 * one line, an argon2id hash as libsodium writes it ("$argon2id$v=19$...").
 *
 * A password is never enough to log in: a one-time code (codes.h) goes with
 * it.  Bound: a hash takes PASSWD_MEMORY bytes while it is computed, which two
 * at once may on a box with 1 GB, and about a second on a slow one.
 */
#ifndef AUTH_PASSWD_H
#define AUTH_PASSWD_H

#include <stdbool.h>
#include <stddef.h>

#define PASSWD_MIN 8		/* bytes of a password */
#define PASSWD_MAX 256
#define PASSWD_MEMORY (32u << 20)
#define PASSWD_PASSES 3

/*
 * Set it, or replace it.  0 when it is on the disk, else -1 with errno: EINVAL
 * a name that is none, or a password shorter than PASSWD_MIN or longer than
 * PASSWD_MAX; ENOMEM.
 */
int passwd_set(const char *state_dir, const char *user, const char *password);

/* 0, or -1 with errno: ENOENT there is none. */
int passwd_remove(const char *state_dir, const char *user);

/*
 * Is the first line of this what such a file holds: a hash, with our limits?
 * Then it is copied to hash.  Pure.
 */
#define PASSWD_HASH 128
bool passwd_parse(const char *text, size_t n, char hash[PASSWD_HASH]);

/* Has this user one? */
bool passwd_exists(const char *state_dir, const char *user);

/*
 * Is it right?  Somebody who has none, or is nobody (user ""), takes as long as
 * a wrong password.  A file that is damaged, or was made with other limits,
 * is logged and lets nobody in.
 */
bool passwd_check(const char *state_dir, const char *user,
    const char *password);

/*
 * The same for a process that opens nothing by its path: of the folder, which
 * passwd_folder opens and the caller closes.  -1 with errno; for the others it
 * then is an empty one.
 */
int passwd_folder(const char *state_dir);
bool passwd_exists_in(int folder, const char *user);
bool passwd_check_in(int folder, const char *user, const char *password);

#endif
