/*
 * hub: who is attached to one console and who has the pen.  Pure state: it
 * does no I/O and knows no clock but the one it is given; what must be said
 * is said through hub_ops, which must not call back into the hub.
 *
 * Single writer: the first seat with rights gets the pen as it attaches; the
 * rest watch.  A pen that falls free goes to whoever asked first; when nobody
 * asked it stays free and the first key press with rights takes it.  A user's
 * own other session never has to be asked: attaching, asking or typing takes
 * the pen from it, unless it was typing within the last second.
 * Shared: everyone with rights types who did not choose to watch.
 *
 * Texts are plain, without "[oobd: ]"; the escape lead-in stands in them as
 * "^Ec" and is the session's to replace by the user's own.  The number of
 * seats is bounded by whoever attaches them.
 */
#ifndef SERIAL_HUB_H
#define SERIAL_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../server/base/clock.h"

struct hub;
struct seat;			/* one attached session */

struct hub_ops {
	/* A notice for one seat. */
	void (*tell)(void *seat_arg, const char *text);
	/* The pen came to, or left, a seat. */
	void (*pen)(void *seat_arg, bool writes, const char *text);
	/* For the journal: word and key=value text. */
	void (*event)(void *hub_arg, const char *word, const char *text);
};

struct seat_who {
	uint32_t id;		/* as shown by who, taken by kick */
	const char *user;
	const char *from;
	const char *via;
	bool may_write;		/* by role */
};

struct hub *hub_new(const struct hub_ops *, void *arg, bool shared);
void hub_free(struct hub *);
void hub_set_shared(struct hub *, bool shared);
/*
 * Closed: nobody types and nobody has the pen, whatever they ask for; they are
 * told why.  Opened again, who types first takes it.
 */
void hub_set_closed(struct hub *, bool closed);

/*
 * Attach.  watch: do not want the pen.  force: take it.  resume: had it
 * before the link broke; gets it back without a word if it is free.  quiet:
 * was attached before the link broke, too, but without the pen; does not get
 * it now.  resume and quiet make no notice and no event.  Strings are copied.
 * Never NULL.  The seat itself is not called back: see seat_greet.
 */
struct hub_wish {
	bool watch, force, resume, quiet;
};
struct seat *hub_attach(struct hub *, const struct seat_who *,
    const struct hub_wish *, struct mono now, void *seat_arg);
void hub_detach(struct seat *, struct mono now, const char *why);

bool seat_writes(const struct seat *);
/*
 * What to say to one that has just attached: "you have the pen", or who has
 * it and how to get it.  Returns dst, always terminated; SEAT_TEXT is enough.
 */
#define SEAT_TEXT 320
char *seat_greet(const struct seat *, struct mono now, char *dst, size_t size);
void seat_ask(struct seat *, struct mono now);
void seat_take(struct seat *, struct mono now);
void seat_watch(struct seat *, struct mono now);
/* Rights changed by a reload. */
void seat_set_may_write(struct seat *, bool may_write, struct mono now);

/*
 * The seat wants to type.  True: it may (and is the last to have typed).
 * False: it was told who has the pen, from where, how long idle and how to
 * take it, once until something changes.
 */
bool seat_typed(struct seat *, struct mono now);

/* Say something to everyone attached (except, which may be NULL). */
void hub_tell(struct hub *, const struct seat *except, const char *text);

/* For who and status. */
size_t hub_count(const struct hub *);
const struct seat *hub_seat_at(const struct hub *, size_t i);
const struct seat_who *seat_who(const struct seat *);
int64_t seat_idle_ms(const struct seat *, struct mono now);
int64_t seat_since_ms(const struct seat *, struct mono now);
void *seat_arg(const struct seat *);
/* The one with the pen, NULL when it is free or everyone types. */
const struct seat *hub_writer(const struct hub *);

#endif
