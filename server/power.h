/*
 * power: what brings back a modem that no command reaches: a reset by the USB
 * bus, or the program that takes its power away and gives it back, with the
 * modem's data port as its word.  One at a time, in a process of its own with
 * a time limit, as the user the daemon was started as: no other may do that.
 */
#ifndef SERVER_POWER_H
#define SERVER_POWER_H

#include <stdbool.h>

#include "children.h"
#include "config.h"

#define POWER_LIMIT_MS 60000
#define POWER_USB_LIMIT_MS 15000

/* Travels in frames: do not renumber. */
enum power_act {
	POWER_CYCLE,		/* power_hook */
	POWER_USB,		/* usbjob.h */
	POWER_ACTS
};

struct power;

/* done: how it went; text for people. */
struct power *power_new(struct children *,
    void (*done)(void *arg, bool ok, const char *text), void *arg);
void power_free(struct power *);	/* NULL is fine; it goes on */

/* Do it to the configured modem.  done may be called at once. */
void power_run(struct power *, const struct config_modem *, enum power_act);

/* The role "power"; words: PROGRAM PORT. */
int power_main(int fd, int argc, char *const argv[]);

#endif
