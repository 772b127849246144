/*
 * feed: the client's side of the link to the console process.  The ssh
 * process and oobctl both stand on it.  It subscribes once per console however
 * many viewers there are, keeps the newest bytes of each subscribed console
 * in a ring, and lets every viewer read from that ring at its own offset.
 *
 * When the link breaks (the console process was killed) the feed keeps its
 * rings, and on feed_link says hello again, re-opens its sessions, re-attaches
 * them as they were, and subscribes from the exact offset it had reached.
 *
 * Holding back: a viewer keeps pace when, within the last 250 ms, it took
 * 64 KiB or had taken everything there was.  While one that keeps pace is
 * more than half a ring behind, the feed does not read its link, so that a
 * source faster than any real line (a flood out of a pty) loses nothing on
 * its way to it.  A viewer that is slower, or stopped, holds nothing back,
 * after at most 250 ms; it is lapped, and goes on near the newest byte.
 *
 * Callbacks may call anything here but feed_free and feed_link.  None is
 * called from inside a function of this header, except by
 * feed_request_more.  Memory: a ring per watched console; per request at most
 * FEED_HELD_MAX; out to the console process at most FEED_OUT_MAX.
 */
#ifndef SERVER_FEED_H
#define SERVER_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"
#include "base/loop.h"
#include "proto.h"

#define FEED_NO_CONSOLE 0xffff
#define FEED_RING_BYTES (256 * 1024)	/* per subscribed console */
#define FEED_HELD_MAX (1024 * 1024)	/* answer not yet taken, per request */
#define FEED_OUT_MAX (1024 * 1024)
#define FEED_NEWEST UINT64_MAX		/* where the subscription begins */

struct feed;
struct feed_session;

struct feed_console {
	uint16_t id;
	bool up;		/* the line is open */
	bool gone;		/* removed by a reload */
	uint32_t speed;
	uint64_t tail, head;	/* what the console process has */
	char name[33];
	char description[128];
	char line[40];		/* "57600 8N1 none" */
};

/* What a session is told.  arg is that given to feed_open. */
struct feed_session_ops {
	/* Answer to feed_attach.  status: enum status; text may be "". */
	void (*attached)(void *arg, int status, bool writes, const char *text);
	/* The pen came or went, or the answer to feed_pen. */
	void (*pen)(void *arg, bool writes, const char *text);
	/* n bytes of input were taken by the line (dropped: are lost).  Also,
	   with n 0, when there is room again. */
	void (*credit)(void *arg, size_t n, bool dropped);
	void (*notice)(void *arg, const char *text);
	/* There are new bytes in the ring of the attached console. */
	void (*data)(void *arg);
	/* Kicked, rights withdrawn: the session must end. */
	void (*ended)(void *arg, const char *why);
	/* The link to the console process broke (false) or is back (true). */
	void (*link)(void *arg, bool up);
};

/* What a request is told.  arg is that given to the request. */
struct feed_request_ops {
	/* stream 1: data, 2: messages.  Return what was taken; the rest is
	   offered again after feed_request_more. */
	size_t (*out)(void *arg, int stream, const void *, size_t n);
	/* No more calls after this.  offset: see feed_tail. */
	void (*end)(void *arg, int status, uint64_t offset);
	/* Whatever was drawn on the terminal is cut off in the middle; out and
	   end follow.  May be NULL. */
	void (*torn)(void *arg);
};

/* A verb that this peer runs for somebody; valid during the call. */
struct feed_task {
	uint32_t id;
	const char *user;	/* who asks; what he may was looked up */
	const char *via;	/* "ssh", "relay NAME", "oobctl" */
	bool tty;
	unsigned columns;	/* 0: unknown */
	int argc;
	char *const *argv;	/* argv[0] the verb; NULL after the last */
};

/* Something to tell people; valid during the call. */
struct feed_notice {
	uint64_t id;		/* the same, when it is said again */
	unsigned severity;
	const char *source, *event, *text;
};

/* A user who has a right to a console for a while. */
#define FEED_GRANTS_MAX 64
struct feed_granted {
	char user[33], console[33];
};

/* What the owner is told.  The last five: peers only, each may be NULL. */
struct feed_ops {
	void (*up)(void *arg);			/* and the consoles known */
	void (*down)(void *arg, const char *why);
	void (*consoles)(void *arg);		/* the list changed */
	/* Answer with feed_told and, now or later, one feed_done. */
	void (*task)(void *arg, const struct feed_task *);
	/* Nobody waits for it any more; feed_done is not needed. */
	void (*task_gone)(void *arg, uint32_t id);
	/* So many sessions are attached, some of them through a relay. */
	void (*presence)(void *arg, unsigned attached, unsigned by_relay);
	/* The notify process: tell this; feed_notice_taken when it is kept. */
	void (*notice)(void *arg, const struct feed_notice *);
	/* The ssh process: these there are now, on every change. */
	void (*grants)(void *arg, const struct feed_granted *, size_t n);
};

struct feed *feed_new(struct loop *, const char *program,
    const struct feed_ops *, void *arg);
void feed_free(struct feed *);
/* A new socket to the console process (taken over). */
void feed_link(struct feed *, int fd);
bool feed_is_up(const struct feed *);
/* Before the end: what waits to be sent, so far as it is taken at once. */
void feed_flush(struct feed *);
const char *feed_box_name(const struct feed *);

/*
 * What a peer (the ssh process, the modem process) may do beyond that.
 *
 * feed_info: something for status to show under this key, such as "link" or
 * "relay.cloud"; text at most FEED_INFO_MAX bytes, "" takes it back.  Kept,
 * and said again to a new console process; at most FEED_INFOS_MAX keys.
 * feed_event: an event of this kind ([a-z] and dashes, at least one dash) into
 * every journal; text is key=value, made safe there, at most FEED_EVENT_MAX.
 * While the console process is away the newest FEED_EVENTS_MAX wait for it.
 * feed_tell: a notice for everyone attached; lost while it is away.
 */
#define FEED_KEY 48		/* with NUL: "notify." and a name of 32 fit */
#define FEED_INFO_MAX 511
#define FEED_INFOS_MAX 32
#define FEED_EVENT_MAX 1023
#define FEED_EVENTS_MAX 64
void feed_info(struct feed *, const char *key, const char *text);
void feed_event(struct feed *, const char *kind, const char *text);
void feed_tell(struct feed *, const char *text);
void feed_notice_taken(struct feed *, uint64_t id);

/*
 * An event of authentication, for the box's journal; NULL is "".  Texts are
 * cut to the room that proto.h gives them.  While the console process is away
 * the newest FEED_AUTHS_MAX wait for it.
 */
#define FEED_AUTHS_MAX 64
struct feed_auth {
	enum auth_what what;
	uint64_t login;		/* its id, 0: none */
	const char *user, *way, *key, *from, *via, *why;
};
void feed_auth(struct feed *, const struct feed_auth *);

/*
 * The answer to a task: stream 1 data, 2 messages; then its exit status (enum
 * status).  For a task that is gone both do nothing.  An answer beyond what
 * the asker takes is cut; its status says so then.
 */
void feed_told(struct feed *, uint32_t task, int stream, const void *,
    size_t n);
void feed_toldf(struct feed *, uint32_t task, int stream, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));
void feed_done(struct feed *, uint32_t task, int status);

/* Consoles in configured order, by index, name or id.  NULL: no such. */
size_t feed_nconsoles(const struct feed *);
const struct feed_console *feed_console_at(const struct feed *, size_t i);
const struct feed_console *feed_console_named(const struct feed *,
    const char *name);

struct feed_user {
	const char *name;	/* configured user */
	const char *from;	/* address as text */
	const char *via;	/* "ssh", "relay NAME", "local" */
	const char *key;	/* fingerprint, or "" */
	const char *voucher;	/* that he is logged in; NULL: none is wanted */
};

/* One user's session.  Strings are copied.  Free with feed_close. */
struct feed_session *feed_open(struct feed *, const struct feed_user *,
    const struct feed_session_ops *, void *arg);
void feed_close(struct feed_session *);

void feed_attach(struct feed_session *, const char *console,
    enum attach_mode);
void feed_detach(struct feed_session *);
const struct feed_console *feed_attached(const struct feed_session *);
bool feed_writes(const struct feed_session *);
void feed_pen(struct feed_session *, enum pen_op);
/* Up to FEED_INPUT_MAX bytes may be on their way; returns how many it took. */
#define FEED_INPUT_MAX 16384
size_t feed_input(struct feed_session *, const void *, size_t n);
size_t feed_input_room(const struct feed_session *);
bool feed_input_idle(const struct feed_session *);	/* all was taken */
/* Throw away the input still queued for the line and type ^C at once.  False:
   not now, as the console process is away; the ^C is the caller's to keep. */
bool feed_interrupt(struct feed_session *);
void feed_break(struct feed_session *);
void feed_note(struct feed_session *, const char *text);
void feed_record(struct feed_session *);
/* How far the user has seen the attached console, ms ago; see proto.h. */
void feed_seen(struct feed_session *, uint64_t at, int64_t ms, enum seen_how);

/*
 * The attached console's stream.  feed_head: offset after the newest byte
 * here; FEED_NEWEST while that is not yet known, a valid place for feed_peek
 * to start.  feed_peek: bytes at `at` in one piece, 0 when there are none yet;
 * when `at` is no longer (or not) in the ring, *at is moved on to the last
 * few lines that are, and the difference is what the viewer lost.
 */
uint64_t feed_head(const struct feed_session *);
size_t feed_peek(struct feed_session *, uint64_t *at,
    const uint8_t **p);
/* Where a viewer may go on that wants to be up to date: like being lapped. */
uint64_t feed_skip(struct feed_session *);
/*
 * The viewer has taken everything up to `at`.  A viewer that keeps pace (see
 * docs/inside.md) may hold back a source that is faster than any real
 * line; a slow or stopped one never does.
 */
void feed_taken(struct feed_session *, uint64_t at);

/*
 * The last n lines of a console as text without control sequences (raw: as
 * they came).  end gives the offset after the last byte: live from there on.
 */
struct feed_request *feed_tail(struct feed *, const char *console,
    unsigned lines, bool raw, const struct feed_request_ops *, void *arg);

struct feed_run {
	struct feed_session *session;	/* NULL: nobody's (not over SSH) */
	bool tty;			/* it draws on a terminal */
	unsigned columns, rows;
	int argc;
	char *const *argv;		/* as the user typed it */
};

/* Run a verb. */
struct feed_request *feed_command(struct feed *, const struct feed_run *,
    const struct feed_request_ops *, void *arg);
void feed_request_more(struct feed_request *);
/* Keys and window size for a verb that has a terminal (replay). */
void feed_request_keys(struct feed_request *, const void *, size_t n);
void feed_request_size(struct feed_request *, unsigned columns, unsigned rows);
/* Its end is known, and told once the rest of the answer is taken. */
bool feed_request_is_over(const struct feed_request *);
/* Give up: no more calls.  Also frees a request that has ended: every one
   must be cancelled in the end, before feed_free. */
void feed_cancel(struct feed_request *);

#endif
