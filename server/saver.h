/*
 * saver: a thread that replaces small files, so that no loop waits for a
 * disk.  Of several texts for one file only the newest is written.
 */
#ifndef SERVER_SAVER_H
#define SERVER_SAVER_H

#include <stdbool.h>
#include <stdint.h>

struct saver;

/* NULL with errno. */
struct saver *saver_start(void);
/* Takes over text (free(3)).  A failure is logged, once until it works. */
void saver_put(struct saver *, const char *path, char *text);
/* Write what waits; at most deadline_ms.  False: the disk hangs. */
bool saver_stop(struct saver *, int64_t deadline_ms);

#endif
