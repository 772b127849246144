/*
 * power: the program that takes the modem's power away and gives it back.
 * It is run once at a time, in a process of its own with a time limit, as
 * the user the daemon was started as, with the modem's data port as its word.
 */
#ifndef SERVER_POWER_H
#define SERVER_POWER_H

#include <stdbool.h>

#include "children.h"
#include "config.h"

#define POWER_LIMIT_MS 60000

struct power;

/* done: how it went; text for people. */
struct power *power_new(struct children *,
    void (*done)(void *arg, bool ok, const char *text), void *arg);
void power_free(struct power *);	/* NULL is fine; it goes on */

/* Run what is configured.  done may be called at once. */
void power_run(struct power *, const struct config_modem *);

/* The role "power"; words: PROGRAM PORT. */
int power_main(int fd, int argc, char *const argv[]);

#endif
