/*
 * relays_internal: what relays.c (the set), relays_task.c (verbs) and
 * relays_config.c (ssh-config) share.
 */
#ifndef SERVER_RELAYS_INTERNAL_H
#define SERVER_RELAYS_INTERNAL_H

#include "base/link.h"
#include "relay.h"
#include "relays.h"

/* A relay of ours. */
struct relays_one {
	struct relays *all;
	struct relay *relay;
	struct config_relay *conf;	/* a copy of our own */
	bool named;			/* by the configuration given */
	char info[FEED_INFO_MAX + 1];	/* said last */
	bool told;			/* to the modem process: this */
	enum way_relay told_state;
	char told_text[RELAY_TEXT];
};

/* A "relay test" that somebody waits for. */
struct relays_test {
	struct relays_test *next;
	struct relays *all;
	uint32_t task;
	struct timer *limit;
	bool failed;
	size_t n;
	struct {
		struct relays_one *one;	/* NULL: it is done */
	} waits[CONFIG_RELAYS_MAX];
};

/* The drill that the modem process asked for. */
struct relays_drill {
	bool on;
	uint32_t id;
	struct relays_one *one;
};

struct relays {
	struct loop *loop;
	struct feed *feed;
	struct relay_world world;
	struct link *modem;
	char *box;
	struct relays_one **ones;	/* in the order of the file */
	size_t n;
	struct relays_test *tests;
	struct relays_drill drill;
	struct timer *soon;		/* somebody is awake still */
	bool awake, stopping;
};

/* relays.c */
/* NULL: there is none of that name. */
struct relays_one *relays_find(const struct relays *, const char *name);

/* relays_task.c: of the tests that wait for this relay. */
void relays_test_step(struct relays *, struct relays_one *, enum relay_step);
void relays_test_over(struct relays *, struct relays_one *, bool good);
/* It is no more. */
void relays_test_forget(struct relays *, struct relays_one *);
void relays_test_end_all(struct relays *);

/* relays_drill.c: 0, or -1: the frame is bad. */
int relays_drill_take(struct relays *, struct frame *);
void relays_drill_over(struct relays *, struct relays_one *, enum way_drill,
    const char *text);
/* Nobody waits for it any more, or its relay is no more. */
void relays_drill_forget(struct relays *);

/* relays_config.c: the answer to "ssh-config". */
void relays_ssh_config(struct relays *, const struct feed_task *);

#endif
