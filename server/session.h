/*
 * session: what a user sees and types, whatever carries it.  An SSH channel
 * and oobctl's own terminal both drive one of these: the menu, attaching, the
 * escape keys, notices, verbs, exit status.  It knows no SSH and no socket.
 */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feed.h"

struct session;

/*
 * The transport, as the session uses it.  arg is that of session_new.  room
 * and write are called from session_pump only.  The session may be freed from
 * done, not from the others.
 */
struct session_ops {
	/* Bytes that can be written now without buffering beyond a bound. */
	size_t (*room)(void *arg);
	/* n <= room.  stream 1: stdout, 2: stderr.  Returns bytes taken. */
	size_t (*write)(void *arg, int stream, const void *, size_t n);
	/* There is something to write, or room for input again: call
	   session_pump when there is room, and offer input held back. */
	void (*wants_pump)(void *arg);
	/*
	 * Over: send this exit status and close.  Everything that the session
	 * had to write is written, unless there was no room for 5 s.  The
	 * session makes no further call; free it when convenient.
	 */
	void (*done)(void *arg, int status);
	/* session_input had refused some: offer the rest, but not from in
	   here.  May be NULL: wants_pump was called, too. */
	void (*input_ready)(void *arg);
};

struct session_user {
	const char *name;	/* configured user */
	const char *from;	/* address as text */
	const char *via;	/* "ssh", "relay cloud", "local" */
	const char *key;	/* fingerprint, or "" */
	const char *voucher;	/* as feed_open wants it */
	int escape;		/* lead-in byte, -1: off */
};

/* Strings are copied. */
struct session *session_new(struct loop *, struct feed *,
    const struct session_user *, const struct session_ops *, void *arg);
void session_free(struct session *);	/* detaches; NULL is fine */

/* The user is there: something came from him, or from his program. */
void session_heard(struct session *);
/*
 * He is cut off: to be noted before session_free.  silent: the way to him was
 * dead for some time, what he was sent since session_heard is not seen.
 */
void session_lost(struct session *, bool silent);

/* A terminal of this size (0 when unknown); before starting, and later. */
void session_terminal(struct session *, unsigned columns, unsigned rows);

/*
 * Start, once, one of:
 * shell: attach to console (NULL: the only one allowed, else a menu; without
 *   a terminal the choice must be clear).
 * stream: attach without a terminal: stdin and stdout are the line.
 * exec: run a verb given as one string, split as a shell would split words
 *   (quotes and backslash, nothing else).
 */
void session_start_shell(struct session *, const char *console);
void session_start_stream(struct session *, const char *console);
void session_start_exec(struct session *, const char *command,
    const char *console);

/*
 * Bytes from the user.  Returns how many it took; offer the rest again after
 * wants_pump.  At most SESSION_INPUT_MAX bytes wait here for the line: room
 * for a paste, because a ^C (or leaving) can only jump a queue that is here,
 * not one that waits in a window or in the client.
 */
#define SESSION_INPUT_MAX (1024 * 1024 + 65536)
size_t session_input(struct session *, const void *, size_t n);
size_t session_input_room(const struct session *);
/* No more input will come (EOF), all that came was taken. */
void session_eof(struct session *);
/* A BREAK request, RFC 4335; a signal ("INT"), RFC 4254 6.9. */
void session_break(struct session *);
void session_signal(struct session *, const char *name);

/* Write what there is, as far as there is room. */
void session_pump(struct session *);
bool session_has_output(const struct session *);

#endif
