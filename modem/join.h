/*
 * join: long messages put together from their parts, in whatever order these
 * come.  Pure: the caller gives the time.
 *
 * Parts belong together when sender, reference, its size and the total agree;
 * SMS centre and time stamp may differ between parts.  Bounds: JOIN_PENDING
 * messages of at most JOIN_PARTS parts wait, JOIN_MS each; the oldest gives
 * way to a new one.
 */
#ifndef MODEM_JOIN_H
#define MODEM_JOIN_H

#include "../server/base/clock.h"
#include "pdu.h"

#define JOIN_PENDING 8
#define JOIN_PARTS 8
#define JOIN_MS (10 * 60 * 1000)
#define JOIN_TEXT CHARSET_GSM_TEXT(JOIN_PARTS * PDU_SEPTETS)

struct join;

enum join_result {
	JOIN_WAITS,		/* for more parts */
	JOIN_WHOLE,
	JOIN_REFUSED,		/* more parts than are kept */
};

struct join_message {
	bool old;		/* one part at least was */
	unsigned parts;
	size_t text_len;
	char text[JOIN_TEXT];	/* UTF-8; may hold NUL */
};

/* Never NULL. */
struct join *join_new(void);
void join_free(struct join *);		/* NULL is fine */

/*
 * A part: m->concat.ok and m->has_text hold.  JOIN_WHOLE fills *whole.  Of two
 * parts with the same number the first counts.
 */
enum join_result join_add(struct join *, const struct pdu *m, bool old,
    struct mono now, struct join_message *whole);

/* Messages that wait for parts. */
size_t join_pending(struct join *, struct mono now);

#endif
