/*
 * hotplug: something may have appeared in /dev.  On Linux inotify tells;
 * elsewhere (and where inotify is not to be had) it is time that tells, twice
 * a second while somebody waits.
 */
#ifndef SERIAL_HOTPLUG_H
#define SERIAL_HOTPLUG_H

#include <stdbool.h>

#include "../server/base/loop.h"

#define HOTPLUG_DIRS_MAX 320	/* folders watched, beyond that: time */

struct hotplug;

/*
 * changed is called from the loop, at most 50 times a second and only while
 * wanted; it may well have been something else: ask port_present what is
 * there now.  Never NULL.
 */
struct hotplug *hotplug_new(struct loop *, void (*changed)(void *arg),
    void *arg);
void hotplug_free(struct hotplug *);		/* NULL is fine */

/*
 * Watch this folder, too (it need not exist yet); /dev is always watched.
 * Adding one again is fine.
 */
void hotplug_add_dir(struct hotplug *, const char *dir);

/*
 * The folder of this path and, where the path is a symbolic link, of what it
 * leads to.
 */
void hotplug_add_path(struct hotplug *, const char *path);

/*
 * Somebody waits for a device (or nobody does).  Turn it on first, then look
 * whether the device is there: then nothing falls between.
 */
void hotplug_want(struct hotplug *, bool want);

#endif
