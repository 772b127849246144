/*
 * keeper: what must outlive the console process and is therefore held by the
 * supervisor: each console's open device (so that neither DTR nor the lock
 * drops while a child is restarted) and its history file.  Missing devices
 * are retried for ever: at once when something appears in /dev, and every
 * second besides.
 */
#ifndef SERVER_KEEPER_H
#define SERVER_KEEPER_H

#include <stdbool.h>

#include "base/link.h"
#include "children.h"
#include "config.h"

struct keeper;

struct keeper_ops {
	/* The link to the console process now, or NULL. */
	struct link *(*console)(void *arg);
	/* Every configured device has been tried at least once. */
	void (*all_tried)(void *arg);
};

struct keeper *keeper_new(struct loop *, struct children *,
    const struct keeper_ops *, void *arg);
void keeper_free(struct keeper *);

/*
 * Consoles of this configuration: new ones are added and tried, vanished ones
 * given up, devices that changed closed and opened anew.  run_dir and owner
 * are for new histories.  Returns 0, or -1 when a history cannot be made
 * (logged; that console is left out).
 */
int keeper_set(struct keeper *, const struct config *, uid_t uid, gid_t gid);

/* Tell a console process that has just started all that is held. */
void keeper_give_all(struct keeper *, struct link *);
/* Tell it what keeper_set has added. */
void keeper_give_new(struct keeper *, struct link *);

/* The console process wants this device (again), or has lost it. */
void keeper_open(struct keeper *, const char *console);
void keeper_close(struct keeper *, const char *console);

bool keeper_has(const struct keeper *, const char *console);

/*
 * The console process died, perhaps while it sent a BREAK: end it on every
 * line, or the line would stay broken.
 */
void keeper_end_breaks(struct keeper *);

#endif
