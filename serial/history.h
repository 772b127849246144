/*
 * history: what a console's device sent last, in shared memory that outlives
 * every process of ours.  A file in the run folder, mapped: head, time marks,
 * a landing place, data.  One writer (the console process, from its loop); one
 * or more readers (the scribe thread, feeds) that own an offset and find out
 * by themselves that they were lapped.
 *
 * Offsets count the device's bytes since the console's journal began.
 *
 * The file is versioned (HISTORY_MAGIC): when its layout changes, change the
 * magic; a file with another magic is started anew, which costs nothing but
 * what a crashed process had not yet written to the journal, so an upgrade
 * must stop the daemon in an orderly way.
 */
#ifndef SERIAL_HISTORY_H
#define SERIAL_HISTORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../server/base/clock.h"

struct history;

/*
 * Give fd (open for reading and writing) the size that a history of data_size
 * bytes needs, every block allocated so that a full file system shows here
 * and not as a SIGBUS later.  A file that already has it, made since the
 * system was booted, is left as it is.
 * 0, or -1 with errno.  data_size: a power of two, 64 KiB to 16 MiB.
 */
int history_prepare(int fd, size_t data_size);

/* Map it.  NULL with errno.  The fd may be closed afterwards. */
struct history *history_map(int fd, size_t data_size);
void history_unmap(struct history *);		/* NULL is fine */

/* Forget everything; the stream goes on at offset base. */
void history_restart(struct history *, uint64_t base);

uint64_t history_head(const struct history *);
uint64_t history_tail(const struct history *);	/* oldest byte kept */
size_t history_size(const struct history *);

/*
 * Writer only.  Where to read(2) the device's bytes to, HISTORY_LANDING of
 * them, in as many calls as it takes: they outlive the process from the moment
 * the kernel copies them, even when kill -9 comes before read returns.  Then
 * history_write what they mean, and history_landed(how many were read).
 *
 * note is the writer's own: what its successor must know to understand the
 * bytes that land next (the state of a decoder).
 */
#define HISTORY_LANDING 65536
uint8_t *history_landing(struct history *);
void history_landed(struct history *, size_t n, uint8_t note);
void history_set_note(struct history *, uint8_t note);	/* nothing landed */
uint8_t history_note(const struct history *);

/*
 * What a writer that was killed had read and not (all) written: length, the
 * bytes as they were read, and how many of the bytes they mean were written.
 * 0: nothing.  Its end is known by what was not overwritten: bytes 0xF8 (in no
 * UTF-8 text) at the very end go unseen.  Then history_landed(length).
 */
size_t history_orphan(const struct history *, const uint8_t **raw,
    uint64_t *written);

/* Writer only: n bytes arrived at this time. */
void history_write(struct history *, struct stamp, const void *, size_t n);

/*
 * Copy up to n bytes from offset at on; at must be <= head.  Returns how many
 * (0 at the head), or -1 when at was overwritten: go on from history_tail.
 * Safe against a writer in another thread or process: what was overwritten
 * while being copied counts as lapped.
 */
ssize_t history_read(const struct history *, uint64_t at, void *, size_t n);

/*
 * When the byte at offset `at` arrived, and how many bytes from there on
 * arrived at that same time (at least 1, never beyond the head; 0 when at is
 * the head).  When the mark was overwritten: the oldest mark still known.
 */
size_t history_time(const struct history *, uint64_t at, struct stamp *);

#endif
