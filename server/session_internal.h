/*
 * session_internal: what session.c (life, text, requests), session_line.c
 * (attached to a console) and session_menu.c (menu, note) share.
 */
#ifndef SERVER_SESSION_INTERNAL_H
#define SERVER_SESSION_INTERNAL_H

#include "../serial/keys.h"
#include "base/buf.h"
#include "editor.h"
#include "roster.h"
#include "session.h"
#include "words.h"

#define SAY_MAX (64 * 1024)	/* own text not yet written, per stream */
#define ANSWER_MS 10000		/* the console process must have answered */
#define ENDING_MS 5000		/* for what is yet to be read, in the end */
#define RECENT_LINES 20
#define RECENT_MORE_LINES 60
#define TAIL_MAX 10000

/*
 *	NEW -> WAITING -> (CHOOSING -> (MENU ->)) ATTACHING -> LIVE <-> NOTE
 *	NEW -> WAITING -> VERB
 * LIVE -> CHOOSING -> MENU -> LIVE or ATTACHING by the escape key.
 * Any -> ENDING -> OVER.
 */
enum session_state {
	SESSION_NEW,
	SESSION_WAITING,	/* for the console process */
	SESSION_CHOOSING,	/* list requested */
	SESSION_MENU,
	SESSION_ATTACHING,
	SESSION_LIVE,
	SESSION_NOTE,		/* a note is being typed; output waits */
	SESSION_VERB,
	SESSION_ENDING,		/* own text is being written */
	SESSION_OVER,
};

/* What the answer to s->request is for. */
enum session_asked {
	ASKED_NOTHING,
	ASKED_SHOW,		/* shown while live output waits */
	ASKED_DIGEST,		/* collected: what he missed; then ASKED_TAIL */
	ASKED_TAIL,		/* before live output begins, at its end */
	ASKED_LIST,		/* collected for the menu */
	ASKED_INFO,		/* collected for line info */
	ASKED_VERB,
};

struct session {
	struct loop *loop;
	struct feed *feed;
	struct feed_session *fs;
	const struct session_ops *ops;
	void *arg;
	enum session_state state;
	int status;		/* to end with */
	bool terminal;
	unsigned columns, rows;
	char lead[KEYS_TEXT];	/* "^Ec", "" when there is none */
	int lead_byte;
	void (*go)(struct session *);	/* once the console process is there */
	struct timer *clock;	/* what it is for depends on the state */
	struct timer *soon;	/* done is called from the loop */
	struct timer *away;	/* the console process is */
	bool told_away;

	/* What to do. */
	char *console;		/* wanted, or NULL: the only one */
	struct words words;	/* of an exec */
	enum attach_mode mode;
	unsigned tail;

	/* How far the user has seen the console. */
	bool lost;		/* cut off; that was told */
	bool reads;		/* he was heard since he was told what he missed */
	uint64_t seen;		/* s->at when he was last heard */
	struct mono heard;

	/* Own text, for streams 1 and 2. */
	struct buf *say[2];
	unsigned unsaid;	/* notices for which there was no room */

	/* A request. */
	struct feed_request *request;
	enum session_asked asked;
	bool blocked;		/* it has more for us */
	bool pumping;
	bool torn;		/* who drew on the terminal is gone ... */
	bool rescued;		/* ... and we have given it back */
	bool cr;		/* last byte was CR: no second one */
	struct buf *collected;

	/* Attached. */
	uint64_t at;		/* the stream is written up to here */
	uint64_t mark;		/* how far it was when mark_at was taken */
	struct mono mark_at;
	struct keys keys;
	struct timer *key_wait;
	struct buf *typed;	/* for the line */
	bool sent, eof, dropped;
	bool starved;		/* input was refused for want of room */

	/* Menu and note. */
	struct editor editor;
	struct roster roster;
};

/* session.c */
void session_change(struct session *, enum session_state);
/* Input that was refused may be offered again. */
void session_ready(struct session *);
/* Own text as it is; bounded by SAY_MAX, beyond which it is left out. */
void session_say(struct session *, int stream, const void *, size_t n);
/* Control characters taken out, "^Ec" replaced; returns the length. */
size_t session_clean(const struct session *, char *dst, size_t size,
    const char *src);
/* A message as users know it, "[oobd: text]" or "oobd: text". */
void session_notice(struct session *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Say why, unless NULL, and end. */
void session_end(struct session *, int status, const char *why);
/* Run a verb (argv) or fetch lines, for this use; an earlier one is given up. */
void session_ask(struct session *, enum session_asked, int argc,
    char *const argv[]);
void session_ask_tail(struct session *, enum session_asked, unsigned lines);
void session_give_up(struct session *);

/* session_line.c */
void session_line_attach(struct session *, const char *console);
extern const struct feed_session_ops session_line_ops;
void session_line_live(struct session *);	/* (again) after something else */
void session_line_leave(struct session *);	/* the user leaves the console */
size_t session_line_input(struct session *, const uint8_t *, size_t n);
/* What is typed and not yet on the line is void; then ^C. */
void session_line_interrupt(struct session *);
void session_line_push(struct session *);
void session_line_eof(struct session *);
void session_line_pump(struct session *);
void session_line_clock(struct session *);
void session_line_key_wait(void *session);
/* The answer to what was asked here ended. */
void session_line_answered(struct session *, enum session_asked, int status,
    uint64_t offset);

/* session_menu.c */
void session_menu_start(struct session *);
void session_menu_listed(struct session *, int status);
size_t session_menu_input(struct session *, const uint8_t *, size_t n);
void session_note_start(struct session *);
size_t session_note_input(struct session *, const uint8_t *, size_t n);

#endif
