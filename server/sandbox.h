/*
 * sandbox: what each process gives up for good before it hears from anybody.
 * sandbox.c has the one table of what each role keeps; sandbox_linux.c
 * (seccomp, landlock) and sandbox_freebsd.c (limits) put it in force.
 * docs/privsep.md says in words what is left to whoever breaks in.
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

enum sandbox_mode {
	SANDBOX_OFF,
	SANDBOX_MILD,		/* what would kill is refused instead */
	SANDBOX_FULL,
};

/*
 * Where a confined process writes the number of the system call that it was
 * killed for (sandbox_last_words), an int: a pipe to the supervisor.
 */
#define SANDBOX_WORDS_FD 4

/* "off", "mild", "full".  False: another word. */
bool sandbox_mode_of(const char *word, enum sandbox_mode *);
const char *sandbox_mode_text(enum sandbox_mode);

/* Once, at the start of a role.  Without it sandbox_enter does nothing. */
void sandbox_set_mode(enum sandbox_mode);
/* This process is to have none. */
bool sandbox_is_off(void);

/*
 * Confine this process, before it makes a thread.  Folders are those of the
 * configuration; files (NULL after the last, itself NULL: none) are read from
 * time to time beside them, and so are others in their folders, unless these
 * hold the state or the journals.  What cannot be done is logged: a box that
 * is less confined is worth more than one that does not start.
 */
void sandbox_enter(const char *role, const char *state_dir,
    const char *log_dir, const char *const *files);

/*
 * From here on nothing is opened by a path, only what lies below a folder that
 * this process holds (openat(2)).  After sandbox_enter, by a role that has all
 * it needs (sandbox.c).  What cannot be done is logged.
 */
void sandbox_seal(void);

/*
 * The same for a role that works below the folders of sandbox.c's table: they
 * are held first (base/folder.h), and files or folders beside them (NULL after
 * the last, itself NULL: none), as far as they can be.  When one of the table
 * cannot be held that is logged, and paths can still be opened: to seal itself
 * would be the end of its work.  What could be done in a folder before, and
 * cannot after, ends the process.
 */
void sandbox_seal_in(const char *role, const char *state_dir,
    const char *log_dir, const char *const *files);

/* The supervisor, which keeps most; once it has set up.  off: only says so. */
void sandbox_supervisor(bool off);

/*
 * What a child left in its pipe: the name of the call it was killed for, ""
 * when it left none.  Never blocks; dst is filled.  Returns dst.
 */
#define SANDBOX_CALL 48
char *sandbox_last_words(char dst[SANDBOX_CALL], int fd);

#endif
