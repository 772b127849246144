#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../serial/port.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "proto.h"
#include "wire_internal.h"

#define READ_MAX HISTORY_LANDING	/* from one device in one turn */
#define READ_FULL 4000		/* what a tty gives when it has more */
#define STREAM_LEVEL 24		/* more bytes than this lately: a stream */
#define LEVEL_DECAY 2		/* bytes per ms: typing never gets there */
#define FLOOD_FACTOR 4		/* times what the line carries: no real line */
#define FLOOD_LEAST 2048	/* bytes in a tick, at the least */
/*
 * Streams are not all read in the same moment, or a key press would wait for
 * the lot: ten of them share one of five moments in a period.
 */
#define PERIOD_US (WIRE_GATHER_MS * 1000)
#define MOMENTS 5
#define MOMENT_WIRES 10
#define SETTLE_MS 2000		/* a line up this long no longer flaps */

static void on_device(void *, short);

/* Bytes the line carries in one tick. */
static size_t
per_tick(const struct wire *w)
{
	return (size_t)line_rate(&w->line) * WIRE_GATHER_MS / 1000 + 1;
}

static bool
is_ticked(const struct wire *w)
{
	return w->gather == GATHER_STREAM || w->gather == GATHER_HELD;
}

static void
arm_tick(struct wires *all)
{
	int64_t wait, least = INT64_MAX;

	for (size_t i = 0; i < all->count; i++) {
		if (!is_ticked(all->list[i]))
			continue;
		wait = mono_us(loop_now(all->loop), all->list[i]->due);
		if (wait < least)
			least = wait;
	}
	if (least == INT64_MAX)
		timer_stop(all->tick);
	else
		timer_set_us(all->tick, least > 0 ? least : 0);
}

/* Its next moment, at most a period away. */
static void
set_due(struct wire *w)
{
	int64_t now = loop_now(w->all->loop).us;
	int64_t moment = w->id / MOMENT_WIRES % MOMENTS * (PERIOD_US / MOMENTS);

	w->due.us = now + PERIOD_US - (now - moment) % PERIOD_US;
}

static void
set_gather(struct wire *w, enum gather to)
{
	if (w->gather == to)
		return;
	w->gather = to;
	w->window = 0;
	w->window_at = loop_now(w->all->loop);
	if (w->watch == NULL)
		return;
	switch (to) {
	case GATHER_QUIET:
	case GATHER_FLOOD:
		watch_set(w->watch, POLLIN);
		break;
	case GATHER_STREAM:
	case GATHER_HELD:
		watch_pause(w->watch);
		set_due(w);
		arm_tick(w->all);
		break;
	}
}

/* Down and up. */

static void
tell_state(struct wire *w)
{
	char text[400];

	if (w->fd != -1 && w->flaps > 1)
		snprintf(text, sizeof(text), "the line is back after %u "
		    "interruptions", w->flaps);
	else if (w->fd != -1)
		snprintf(text, sizeof(text), "the line is back");
	else
		snprintf(text, sizeof(text), "the line is gone%s%s; what you "
		    "type is not sent", w->problem[0] == '\0' ? "" : ": ",
		    w->problem);
	w->told_up = w->fd != -1;
	w->all->ops->notice(w->all->arg, w, text);
}

/* The line has been what it is for a while: say so if that is news. */
static void
on_settled(void *arg)
{
	struct wire *w = arg;

	if (w->told_up != (w->fd != -1))
		tell_state(w);
	if (w->flaps > 1)
		scribe_event(w->log, "line", "state=%s flaps=%u",
		    w->fd != -1 ? "up" : "down", w->flaps);
	w->flaps = 0;
}

static void
close_device(struct wire *w)
{
	watch_free(w->watch);
	w->watch = NULL;
	if (w->fd != -1)
		close(w->fd);
	w->fd = -1;
	w->gather = GATHER_QUIET;
	timer_stop(w->second);
	w->breaking = false;
	timer_stop(w->brk);
}

static void
lost(struct wire *w, const char *why)
{
	bool first = w->flaps == 0;

	close_device(w);
	snprintf(w->problem, sizeof(w->problem), "%s", why);
	w->losses++;
	w->flaps++;
	wire_out_refuse(w);
	if (first) {
		log_warn("console %s: lost %s (%s)", w->conf->name, w->path,
		    why);
		scribe_event(w->log, "line", "state=lost path=%s", w->path);
		tell_state(w);
	}
	timer_set(w->settle, SETTLE_MS);
	w->all->ops->close(w->all->arg, w);
	w->all->ops->open(w->all->arg, w);
	w->all->ops->changed(w->all->arg, w);
}

static uint8_t
note_for(const struct wire *w)
{
	return w->kind == PORT_UART ? NOTE_MARKED + w->parmrk.seen : NOTE_PLAIN;
}

/* adopted: it was open all along, in the middle of a mark perhaps. */
static void
start_counters(struct wire *w, bool adopted)
{
	uint8_t seen = adopted ? w->parmrk.seen : 0;

	memset(&w->parmrk, 0, sizeof(w->parmrk));
	w->parmrk.seen = seen;
	history_set_note(w->history, note_for(w));
	w->marked_errors = 0;
	w->has_icount = w->kind == PORT_UART &&
	    icount_read(w->fd, &w->icount) == 0;
	w->icount_start = w->icount;
}

/*
 * Put the settings in force on the device.  0; 1: the driver took something
 * else, -1: it took nothing; why says so.
 */
static int
apply(struct wire *w, char *why, size_t size)
{
	enum port_kind kind = (enum port_kind)w->kind;
	int r;

	if (w->fd == -1)
		return 0;	/* when it is back */
	r = port_apply(w->fd, kind, &w->line);
	if (r == 0)
		return 0;
	if (r == -1)
		snprintf(why, size, "%s: %s", w->path, strerror(errno));
	else
		port_check(w->fd, kind, &w->line, why, size);
	log_warn("console %s: %s", w->conf->name, why);
	return r;
}

void
wire_set_tty(struct wire *w, int fd, int kind, bool adopted,
    const char *path, const char *usb)
{
	char line[LINE_TEXT], why[PORT_ERROR];

	close_device(w);
	w->fd = fd;
	w->kind = kind;
	snprintf(w->path, sizeof(w->path), "%s", path);
	snprintf(w->usb, sizeof(w->usb), "%s", usb);
	w->problem[0] = '\0';
	w->opened_at = mono_now();
	apply(w, why, sizeof(why));
	start_counters(w, adopted);
	w->watch = watch_new(w->all->loop, fd, POLLIN, on_device, w);
	if (w->flaps <= 1)
		scribe_event(w->log, "line", "state=%s path=%s driver=%s "
		    "line=\"%s\"", adopted ? "kept" : "up", w->path,
		    port_kind_text((enum port_kind)kind),
		    line_text(line, &w->line));
	if (adopted)
		w->told_up = true;
	else if (w->flaps <= 1 && !w->told_up)
		tell_state(w);
	else
		timer_set(w->settle, SETTLE_MS);
	w->all->ops->changed(w->all->arg, w);
}

void
wire_tty_failed(struct wire *w, const char *why)
{
	snprintf(w->problem, sizeof(w->problem), "%s", why);
	/* Whoever moved it may have left people behind, who are told now. */
	if (w->told_up && w->flaps == 0) {
		scribe_event(w->log, "line", "state=lost path=%s",
		    w->conf->device);
		tell_state(w);
	}
	w->all->ops->changed(w->all->arg, w);
}

void
wire_reopen(struct wire *w)
{
	close_device(w);
	w->all->ops->close(w->all->arg, w);
	w->all->ops->open(w->all->arg, w);
}

/* Errors on the line: at most one event a second. */

static void
on_second(void *arg)
{
	struct wire *w = arg;
	struct icount now = w->icount;
	uint64_t marked = w->parmrk.errors - w->marked_errors;
	uint64_t breaks = w->breaks - w->told_breaks;

	w->icount_due = false;
	if (w->has_icount && icount_read(w->fd, &now) == 0 &&
	    memcmp(&now, &w->icount, sizeof(now)) != 0) {
		scribe_event(w->log, "errors", "frame=%u parity=%u overrun=%u "
		    "break=%u buffer=%u", now.frame - w->icount.frame,
		    now.parity - w->icount.parity,
		    now.overrun - w->icount.overrun,
		    now.brk - w->icount.brk,
		    now.buf_overrun - w->icount.buf_overrun);
		w->icount = now;
	} else if (marked > 0 || breaks > 0) {
		scribe_event(w->log, "errors", "marked=%llu break=%llu",
		    (unsigned long long)marked, (unsigned long long)breaks);
	}
	w->marked_errors = w->parmrk.errors;
	w->told_breaks = w->breaks;
}

static void
count_errors(struct wire *w)
{
	if (w->parmrk.breaks != w->breaks)
		w->breaks = w->parmrk.breaks;
	if (!w->has_icount && w->breaks == w->told_breaks &&
	    w->parmrk.errors == w->marked_errors)
		return;
	if (!w->icount_due) {
		w->icount_due = true;
		timer_set(w->second, 1000);
	}
}

/* Reading. */

static void
arrived(struct wire *w, struct stamp now, const uint8_t *p, size_t n)
{
	uint8_t clean[READ_MAX + 1];

	if (w->kind == PORT_UART) {
		n = parmrk_decode(&w->parmrk, p, n, clean);
		p = clean;
		count_errors(w);
		if (n == 0)
			return;
	}
	history_write(w->history, now, p, n);
	w->received += n;
	w->last_at = now.mono;
	w->last_utc_us = now.utc_us;
	wire_out_echo(w, p, n);
}

/*
 * Up to max bytes.  Returns how many came, -1 when the device is gone (and
 * told so).
 */
static ssize_t
read_device(struct wire *w, size_t max)
{
	uint8_t *block = history_landing(w->history);
	size_t got = 0;
	ssize_t n = 0;

	if (max > READ_MAX)
		max = READ_MAX;
	while (got < max) {
		n = read(w->fd, block + got, max - got);
		if (n <= 0)
			break;
		got += (size_t)n;
		if (n < READ_FULL)	/* that was all for now */
			break;
	}
	if (got > 0) {
		arrived(w, stamp_now(), block, got);
		history_landed(w->history, got, note_for(w));
		scribe_poke(w->log);
		w->all->ops->data(w->all->arg, w);
	}
	if (n == 0 && got < max) {
		lost(w, "hung up");
		return -1;
	}
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		lost(w, strerror(errno));
		return -1;
	}
	return (ssize_t)got;
}

/* Somebody who matters would lose bytes if this flood went on. */
static bool
must_hold(struct wire *w)
{
	uint64_t head = history_head(w->history);
	size_t half = history_size(w->history) / 2;
	struct scribe_state st;

	if (head < half)
		return false;
	if (scribe_written(w->log) < head - half) {
		scribe_state(w->log, &st);
		if (st.healthy)
			return true;
	}
	return w->all->ops->behind(w->all->arg, w, head - half);
}

static bool
is_flood(const struct wire *w, size_t n)
{
	return n > FLOOD_LEAST && n > FLOOD_FACTOR * per_tick(w);
}

static void
note_level(struct wire *w, size_t n)
{
	struct mono now = loop_now(w->all->loop);
	int64_t gone = mono_ms(w->level_at, now) * LEVEL_DECAY;

	w->level = gone >= w->level ? 0 : w->level - gone;
	w->level += (int64_t)n;
	w->level_at = now;
}

/* A flood ends when a tick brought no more than a fast line would. */
static void
go_on_flooding(struct wire *w, size_t n)
{
	struct mono now = loop_now(w->all->loop);

	w->window += n;
	if (must_hold(w)) {
		set_gather(w, GATHER_HELD);
		return;
	}
	if (mono_ms(w->window_at, now) < WIRE_GATHER_MS)
		return;
	if (!is_flood(w, w->window))
		set_gather(w, GATHER_STREAM);
	w->window = 0;
	w->window_at = now;
}

static void
on_device(void *arg, short revents)
{
	struct wire *w = arg;
	ssize_t n;

	(void)revents;
	n = read_device(w, READ_MAX);
	if (n == -1)
		return;
	if (w->gather == GATHER_FLOOD) {
		go_on_flooding(w, (size_t)n);
		return;
	}
	note_level(w, (size_t)n);
	if (is_flood(w, (size_t)n))
		set_gather(w, GATHER_FLOOD);
	else if (w->level > STREAM_LEVEL)
		set_gather(w, GATHER_STREAM);
}

static void
tick_stream(struct wire *w)
{
	ssize_t n = read_device(w, READ_MAX);

	if (n == -1)
		return;
	if (n == 0)
		set_gather(w, GATHER_QUIET);
	else if (is_flood(w, (size_t)n))
		set_gather(w, GATHER_FLOOD);
}

/* Twice what a real line of this speed brings is always read. */
static void
tick_held(struct wire *w)
{
	size_t least = 2 * per_tick(w);

	if (!must_hold(w))
		set_gather(w, GATHER_FLOOD);
	else
		read_device(w, least < 256 ? 256 : least);
}

static void
tick(struct wire *w)
{
	if (!is_ticked(w) || mono_us(loop_now(w->all->loop), w->due) > 0)
		return;
	set_due(w);
	if (w->gather == GATHER_STREAM)
		tick_stream(w);
	else
		tick_held(w);
}

static void
on_tick(void *arg)
{
	struct wires *all = arg;

	for (size_t i = 0; i < all->count; i++)
		tick(all->list[i]);
	arm_tick(all);
}

void
wire_unhold(struct wire *w)
{
	if (w->gather == GATHER_HELD && !must_hold(w))
		set_gather(w, GATHER_FLOOD);
}

/* The hub speaks through the clients' sessions; events go to the journal. */

static void
on_hub_event(void *arg, const char *word, const char *text)
{
	struct wire *w = arg;

	scribe_event(w->log, word, "%s", text);
}

struct wires *
wires_new(struct loop *loop, struct scribe *scribe,
    const struct wires_ops *ops, void *arg)
{
	struct wires *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	all->scribe = scribe;
	all->ops = ops;
	all->arg = arg;
	all->hub_ops = (struct hub_ops){ ops->tell, ops->pen, on_hub_event };
	all->tick = timer_new(loop, on_tick, all);
	return all;
}

void
wires_free(struct wires *all)
{
	while (all->count > 0)
		wire_free(all->list[all->count - 1]);
	timer_free(all->tick);
	free(all);
}

size_t
wires_count(const struct wires *all)
{
	return all->count;
}

struct wire *
wires_at(const struct wires *all, size_t i)
{
	return i < all->count ? all->list[i] : NULL;
}

struct wire *
wires_named(const struct wires *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++) {
		if (strcmp(all->list[i]->conf->name, name) == 0)
			return all->list[i];
	}
	return NULL;
}

struct wire *
wires_id(const struct wires *all, uint16_t id)
{
	for (size_t i = 0; i < all->count; i++) {
		if (all->list[i]->id == id)
			return all->list[i];
	}
	return NULL;
}

/*
 * A predecessor may have been killed between reading and writing.  Its note
 * says how far into a mark its decoder was.
 */
static void
take_up(struct wire *w)
{
	uint8_t clean[READ_MAX + 1], note = history_note(w->history);
	const uint8_t *p;
	uint64_t written;
	size_t n = history_orphan(w->history, &p, &written), raw = n;

	if (note != NOTE_PLAIN)
		w->parmrk.seen = note - NOTE_MARKED;
	if (raw == 0)
		return;
	if (note != NOTE_PLAIN) {
		n = parmrk_decode(&w->parmrk, p, n, clean);
		note = NOTE_MARKED + w->parmrk.seen;
		p = clean;
	}
	if (n > written) {
		history_write(w->history, stamp_now(), p + written,
		    n - (size_t)written);
		scribe_poke(w->log);
	}
	history_landed(w->history, raw, note);
}

struct wire *
wire_new(struct wires *all, const struct config_console *conf,
    struct history *history)
{
	struct wire *w;

	if (all->count == WIRES_MAX)
		return NULL;
	w = xcalloc(1, sizeof(*w));
	w->all = all;
	w->id = all->next_id++;
	w->conf = conf;
	w->line = conf->line;
	w->history = history;
	w->fd = -1;
	w->log = scribe_open(all->scribe, conf->name, history);
	take_up(w);
	w->hub = hub_new(&all->hub_ops, w, conf->sharing == SHARING_ALL);
	w->second = timer_new(all->loop, on_second, w);
	w->settle = timer_new(all->loop, on_settled, w);
	w->brk = timer_new(all->loop, wire_out_on_break_over, w);
	w->out = timer_new(all->loop, wire_out_on_timer, w);
	all->list[all->count++] = w;
	wire_journal_follow(w);
	return w;
}

void
wire_free(struct wire *w)
{
	struct wires *all = w->all;
	size_t i;

	close_device(w);
	wire_out_stop(w);
	timer_free(w->second);
	timer_free(w->settle);
	timer_free(w->out);
	timer_free(w->brk);
	hub_free(w->hub);
	scribe_close(w->log);
	history_unmap(w->history);
	for (i = 0; all->list[i] != w; i++)
		continue;
	all->count--;
	memmove(&all->list[i], &all->list[i + 1],
	    (all->count - i) * sizeof(all->list[0]));
	free(w);
}

void
wire_configure(struct wire *w, const struct config_console *conf)
{
	bool moved = strcmp(conf->device, w->conf->device) != 0;
	char why[PORT_ERROR];

	w->conf = conf;
	hub_set_shared(w->hub, conf->sharing == SHARING_ALL);
	wire_journal_follow(w);
	if (moved) {
		/* The supervisor has closed its copy and opens the new one. */
		close_device(w);
		wire_out_refuse(w);
		w->flaps = 0;
		scribe_event(w->log, "line", "state=moved device=%s",
		    conf->device);
	}
	if (!line_equal(&w->line, &conf->line)) {
		w->line = conf->line;
		apply(w, why, sizeof(why));
	}
	w->all->ops->changed(w->all->arg, w);
}

uint16_t
wire_id(const struct wire *w)
{
	return w->id;
}

const struct config_console *
wire_conf(const struct wire *w)
{
	return w->conf;
}

struct history *
wire_history(const struct wire *w)
{
	return w->history;
}

struct scribe_log *
wire_log(const struct wire *w)
{
	return w->log;
}

struct hub *
wire_hub(const struct wire *w)
{
	return w->hub;
}

struct place *
wire_place(const struct wire *w)
{
	return w->place;
}

void
wire_set_place(struct wire *w, struct place *p)
{
	w->place = p;
}

bool
wire_is_up(const struct wire *w)
{
	return w->fd != -1;
}

const struct line *
wire_line(const struct wire *w)
{
	return &w->line;
}

void
wire_info(const struct wire *w, struct wire_info *i)
{
	struct icount now = w->icount;

	memset(i, 0, sizeof(*i));
	i->path = w->path;
	i->usb = w->usb;
	i->driver = w->kind == 0 ? "" :
	    port_kind_text((enum port_kind)w->kind);
	i->problem = w->problem;
	i->received = w->received;
	i->sent = w->sent;
	i->breaks = w->breaks;
	i->frame_errors = w->parmrk.errors;
	if (w->has_icount && w->fd != -1 && icount_read(w->fd, &now) == 0) {
		i->breaks = now.brk - w->icount_start.brk;
		i->frame_errors = now.frame - w->icount_start.frame;
		i->parity_errors = now.parity - w->icount_start.parity;
		i->overruns = now.overrun - w->icount_start.overrun +
		    now.buf_overrun - w->icount_start.buf_overrun;
	}
	i->losses = w->losses;
	i->up_ms = w->fd == -1 ? -1 : mono_ms(w->opened_at, mono_now());
	i->last_ms = w->last_at.us == 0 ? -1 :
	    mono_ms(w->last_at, mono_now());
	i->last_utc_us = w->last_utc_us;
	i->held = w->gather == GATHER_HELD;
}

int
wire_set(struct wire *w, const char *user, const char *key,
    const char *value, char *text, size_t size)
{
	static const struct {
		const char *key;
		int (*parse)(struct line *, const char *);
		const char *values;
	} keys[] = {
		{ "speed", line_parse_speed, "bit/s, such as 9600" },
		{ "mode", line_parse_mode, "such as 8N1 or 7E1" },
		{ "flow", line_parse_flow, "none, rtscts or xonxoff" },
	};
	struct line want = w->line, before = w->line;
	char line[LINE_TEXT], notice[160], safe[80];
	size_t i, n = sizeof(keys) / sizeof(keys[0]);
	int r;

	if (strcmp(key, "default") == 0) {
		want = w->conf->line;
	} else {
		for (i = 0; i < n && strcmp(keys[i].key, key) != 0; i++)
			continue;
		if (i == n) {
			snprintf(text, size, "set: no such setting: %s (speed, "
			    "mode, flow, default)", str_safe(safe,
			    sizeof(safe), key, strlen(key)));
			return ST_USAGE;
		}
		if (value == NULL || keys[i].parse(&want, value) == -1) {
			snprintf(text, size, "set: %s wants %s", key,
			    keys[i].values);
			return ST_USAGE;
		}
	}
	w->line = want;
	r = apply(w, text, size);
	if (r == -1) {
		w->line = before;
		apply(w, line, sizeof(line));
		return ST_FAILED;
	}
	line_text(line, &w->line);
	scribe_event(w->log, "set", "user=%s line=\"%s\"", user, line);
	snprintf(notice, sizeof(notice), "%s set the line to %s", user, line);
	w->all->ops->notice(w->all->arg, w, notice);
	if (r == 0)
		snprintf(text, size, "%s: %s%s", w->conf->name, line,
		    w->fd == -1 ? " (once the line is back)" : "");
	w->all->ops->changed(w->all->arg, w);
	return ST_OK;
}
