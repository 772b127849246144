/*
 * stage: the terminal on which a record is replayed.  Where its size is known
 * it is taken over: another screen, whose last line tells how far we are; what
 * was there before comes back at the end.  What is shown goes through
 * strip_screen, unless raw.
 *
 * To be somewhere else in time, what led there is gone through without being
 * shown; of that the stage keeps what comes after the last point at which the
 * whole screen is known (it was cleared), or else the newest STAGE_KEPT bytes.
 */
#ifndef SERIAL_STAGE_H
#define SERIAL_STAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "view.h"

#define STAGE_KEPT 131072	/* bytes, many times a screen */
#define STAGE_STATUS 512	/* bytes of the last line */
/* Behind strip_screen_reset, what gives a terminal back that was taken. */
#define STAGE_LEAVE "\x1b[?1049l"

struct stage;

struct stage *stage_new(const struct view *, bool raw);
void stage_free(struct stage *);

/* Take the terminal over, and give it back.  Without one nothing happens. */
void stage_open(struct stage *);
void stage_close(struct stage *);
bool stage_has_status(const struct stage *);

/* Nobody looks any more. */
bool stage_is_gone(const struct stage *);

/* Show what the device sent. */
void stage_write(struct stage *, const void *, size_t n);

/* Begin to go through; what is fed then is kept, not shown. */
void stage_rewind(struct stage *);
void stage_feed(struct stage *, const void *, size_t n);
/* What is kept makes a whole screen: nothing before it matters. */
bool stage_is_known(const struct stage *);
/* Show it at once, on an empty screen. */
void stage_show(struct stage *);

/* The last line; text is UTF-8 without controls, cut where it is too long. */
void stage_status(struct stage *, const char *text);

/* Text of several lines on an empty screen (help); stage_show ends it. */
void stage_page(struct stage *, const char *text);

#endif
