/*
 * replies: what is answered and reported by SMS.  Every text fits its messages
 * whatever it is made of: what is too long is cut, the least important first,
 * and shown so by ".."; what the alphabet of short messages does not have
 * becomes "?".  Pure.
 */
#ifndef MODEM_REPLIES_H
#define MODEM_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLIES_ONE 160		/* septets of a message that stands alone */
#define REPLIES_PART 153	/* ... of each of several */
#define REPLIES_PARTS 2		/* most that one reply takes */
#define REPLIES_TEXT (2 * REPLIES_PARTS * REPLIES_ONE + 1)	/* bytes */

/* Texts may be NULL or empty: then they are left out. */
struct replies_status {
	const char *box;	/* name of the site */
	const char *link;	/* "up", "idle", "proving" */
	int64_t since_s;	/* in that state; -1: unknown */
	int64_t left_s;		/* until it ends; -1: does not apply */
	int signal_dbm;		/* 0: unknown */
	const char *operator;
	const char *relay;	/* "cloud proven" */
	const char *error;	/* the last: "E-APN 12min ago" */
	unsigned alerts;
	const char *seal;	/* of the newest journal */
};

struct replies_down {
	const char *box;
	const char *why;	/* "hold is over" */
	int64_t up_s;
	uint64_t in, out;	/* bytes over the link */
};

struct replies_failed {
	const char *box;
	const char *code;	/* "E-APN" */
	const char *why;	/* in words */
	int64_t retry_s;	/* -1: no more tries */
	int signal_dbm;
	const char *operator;
};

struct replies_person {
	const char *user, *console;
	bool pen;
	int64_t idle_s;
};

/*
 * All of them: UTF-8 of the default alphabet, of REPLIES_ONE septets at most
 * where nothing else is said.  Return dst, of REPLIES_TEXT bytes.
 */
char *replies_status(char *dst, const struct replies_status *);
char *replies_down(char *dst, const struct replies_down *);
char *replies_failed(char *dst, const struct replies_failed *);

/* "BOX: pong, oobd VERSION, TIME"; trusted: the clock was synchronised. */
char *replies_ping(char *dst, const char *box, const char *version,
    int64_t utc, bool trusted);

/* "BOX: TEXT". */
char *replies_text(char *dst, const char *box, const char *text);

/* Who is attached; how many are not named when not all fit. */
char *replies_who(char *dst, const char *box,
    const struct replies_person *, size_t n);

/*
 * The last of n lines of a console, as many as fit into so many parts (1 or
 * 2; a reply of two parts takes less than 2 * REPLIES_PART septets).
 */
char *replies_tail(char *dst, const char *console, const char *const *lines,
    size_t n, unsigned parts);

/* How many septets a text takes, extended ones counted twice. */
size_t replies_septets(const char *);

#endif
