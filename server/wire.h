/*
 * wire: one console in the console process: its device, history, journal and
 * hub.  It reads the device in a way that costs few wake-ups (see
 * docs/inside.md): the first bytes after quiet at once, a stream every
 * WIRE_GATHER_MS, a flood as fast as it comes, held back while viewers that
 * keep pace or the journal are behind, but never below twice the speed that
 * the line is configured for: a real line is never held back.
 */
#ifndef SERVER_WIRE_H
#define SERVER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../serial/history.h"
#include "../serial/hub.h"
#include "../serial/icount.h"
#include "../serial/scribe.h"
#include "base/loop.h"
#include "config.h"

#define WIRE_GATHER_MS 5
#define WIRES_MAX CONFIG_CONSOLES_MAX

struct wires;
struct wire;
struct source;			/* one session's input on its way to a device */

struct wires_ops {
	/* New bytes are in the history. */
	void (*data)(void *arg, struct wire *);
	/* A viewer that keeps pace has unread bytes older than `at`. */
	bool (*behind)(void *arg, struct wire *, uint64_t at);
	/* Up, down, settings: worth telling clients. */
	void (*changed)(void *arg, struct wire *);
	/* For everyone attached. */
	void (*notice)(void *arg, struct wire *, const char *text);
	/* The hub has something for the session in this seat (hub.h). */
	void (*tell)(void *seat_arg, const char *text);
	void (*pen)(void *seat_arg, bool writes, const char *text);
	/* Ask the supervisor. */
	void (*open)(void *arg, struct wire *);
	void (*close)(void *arg, struct wire *);
};

struct wires *wires_new(struct loop *, struct scribe *,
    const struct wires_ops *, void *arg);
void wires_free(struct wires *);	/* all wires, too */

size_t wires_count(const struct wires *);
struct wire *wires_at(const struct wires *, size_t i);	/* configured order */
struct wire *wires_named(const struct wires *, const char *name);
struct wire *wires_id(const struct wires *, uint16_t id);

/*
 * A new wire; takes over the history.  conf must outlive the wire or be
 * replaced with wire_configure.
 */
struct wire *wire_new(struct wires *, const struct config_console *,
    struct history *);
void wire_free(struct wire *);
/* Settings after a reload; the line's override by `set` is given up. */
void wire_configure(struct wire *, const struct config_console *);
/* Its journal's limits, and whether one may type: by configuration and by the
   journal's health. */
void wire_journal_follow(struct wire *);
/* The device (taken over).  adopted: it was open all along. */
void wire_set_tty(struct wire *, int fd, int kind, bool adopted,
    const char *path, const char *usb);
void wire_tty_failed(struct wire *, const char *why);

uint16_t wire_id(const struct wire *);
const struct config_console *wire_conf(const struct wire *);
struct history *wire_history(const struct wire *);
struct scribe_log *wire_log(const struct wire *);
struct hub *wire_hub(const struct wire *);
bool wire_is_up(const struct wire *);
/* What the witness keeps for this wire; NULL at first. */
struct place;
struct place *wire_place(const struct wire *);
void wire_set_place(struct wire *, struct place *);
const struct line *wire_line(const struct wire *);	/* as it is now */

struct wire_info {
	const char *path, *usb, *driver, *problem;
	uint64_t received, sent;	/* bytes since this process started */
	uint64_t breaks, frame_errors, parity_errors, overruns;
	uint64_t losses;		/* times the device went away */
	int64_t up_ms;			/* since it was opened, -1: down */
	int64_t last_ms;		/* since the last byte, -1: none yet */
	int64_t last_utc_us;		/* when that was */
	bool held;			/* a flood is being held back now */
};
void wire_info(const struct wire *, struct wire_info *);

/* A viewer caught up, or the journal did: go on reading if held back. */
void wire_unhold(struct wire *);

/*
 * Input.  A source belongs to one session and holds at most SOURCE_MAX bytes.
 * taken: n bytes left for the device, or were dropped.
 */
#define SOURCE_MAX 65536
struct source *source_new(struct wire *, const char *user,
    void (*taken)(void *arg, size_t n, bool dropped), void *arg);
void source_free(struct source *);
/* 0, or -1: it did not fit (the peer broke the credit rule). */
int source_add(struct source *, const void *, size_t n);
/* Drop what is queued (told through taken), for what must go out first. */
void source_drop(struct source *);

/* Never record the content of what is typed (^EcL), whatever is configured. */
void source_set_hidden(struct source *, bool hidden);
bool source_hidden(const struct source *);

/* BREAK for ms.  0, or -1 with errno (ENODEV: line down, EBUSY, ENOTTY). */
int wire_break(struct wire *, const char *user, int64_t ms);

/*
 * set CONSOLE KEY VALUE ("speed", "mode", "flow"; "default" without value).
 * enum status; a message for the user in text.
 */
int wire_set(struct wire *, const char *user, const char *key,
    const char *value, char *text, size_t size);

/* Close and ask for the device again. */
void wire_reopen(struct wire *);

#endif
