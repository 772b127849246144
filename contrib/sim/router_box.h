/*
 * router_box: the simulated box itself: power, boot, login, shell, reboot,
 * and what its kernel says unasked.
 */
#ifndef SIM_ROUTER_BOX_H
#define SIM_ROUTER_BOX_H

#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

struct box;

struct box_conf {
	const char *hostname;
	const char *user;
	const char *password;
	uint64_t seed;
	bool boot;		/* false: be at the login prompt at once */
	bool pauses;		/* false: boot as fast as the line takes it */
	bool calm;		/* no kernel messages out of the blue */
	int64_t autologout_ms;	/* of silence in a shell; 0: never */
};

/* The strings are not copied. */
struct box *box_new(struct loop *, struct wire *, const struct box_conf *);
void box_free(struct box *);			/* NULL is fine */

/* Switch it on.  Once. */
void box_start(struct box *);

void box_input(struct box *, const uint8_t *, size_t n);
/* The wire has room. */
void box_more(struct box *);
/* The line hung up: whoever was logged in is not any more. */
void box_hangup(struct box *);
/* The kernel says this, whatever is going on. */
void box_say(struct box *, const char *text);
/* The reset button. */
void box_reset(struct box *);

/* "off", "boot", "login", "password", "refuse", "shell", "down". */
const char *box_state_text(const struct box *);

#endif
