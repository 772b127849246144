#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/str.h"
#include "client_auth.h"
#include "client_internal.h"
#include "granter.h"
#include "saver.h"

#define FILE_MAX (64 * 1024)

struct granter {
	struct console *console;
	struct grants *grants;
	struct saver *saver;		/* NULL: nothing can be kept */
	char *path;
	char boot[OS_BOOT_ID];
	struct timer *next;		/* something is to be said, or ends */
	struct timer *save;
};

static void
save(struct granter *g)
{
	if (g->saver != NULL)
		saver_put(g->saver, g->path, grants_save(g->grants, g->boot,
		    stamp_now()));
	if (grants_count(g->grants) > 0)
		timer_set(g->save, GRANTER_SAVE_MS);
	else
		timer_stop(g->save);
}

static void
on_save(void *arg)
{
	save(arg);
}

/* Into the console's journal and the box's; and the log. */
static void
record(struct granter *g, const char *word, const struct grant *x,
    const char *more)
{
	struct wire *w = wires_named(g->console->wires, x->console);
	char text[512], key[128];

	log_info("%s: user=%s console=%s role=%s%s", word, x->user,
	    x->console, role_text(x->role), more);
	snprintf(text, sizeof(text), "%s user=%s console=%s role=%s%s", word,
	    x->user, x->console, role_text(x->role), more);
	snprintf(key, sizeof(key), "%s %s %s", word, x->user, x->console);
	auth_event(g->console, key, text);
	if (w != NULL)
		scribe_event(wire_log(w), word, "user=%s role=%s%s", x->user,
		    role_text(x->role), more);
}

static void
set_next(struct granter *g)
{
	struct stamp now = stamp_now();
	int64_t next = grants_next_ms(g->grants, now), ms;

	for (size_t i = 0; i < grants_count(g->grants); i++) {
		const struct grant *x = grants_at(g->grants, i);

		ms = grants_left_ms(x, now) - GRANTER_WARN_MS;
		if (!x->warned && ms < next)
			next = ms > 0 ? ms : 0;
	}
	/* A wall clock that is put right is no event: look now and then. */
	if (next > GRANTER_SAVE_MS)
		next = GRANTER_SAVE_MS;
	if (next == -1)
		timer_stop(g->next);
	else
		timer_set(g->next, next);
}

/* What there is has changed: it holds from now on. */
static void
changed(struct granter *g)
{
	save(g);
	set_next(g);
	clients_granted(g->console);
	clients_reload(g->console);
}

/* Told just before: clients_reload would only say that it is so. */
static void
end(struct granter *g, struct grant *x, const char *word, const char *by)
{
	struct grant was = *x;
	char more[128], text[256];

	snprintf(more, sizeof(more), "%s%s", by == NULL ? "" : " by=",
	    by == NULL ? "" : by);
	record(g, word, x, more);
	grants_remove(g->grants, x);
	if (by == NULL)
		snprintf(text, sizeof(text), "your right as %s of %s is over",
		    role_text(was.role), was.console);
	else
		snprintf(text, sizeof(text), "%s took back your right as %s "
		    "of %s", by, role_text(was.role), was.console);
	guests_tell_user(g->console, was.user, was.console, text);
}

static void
warn(struct granter *g, struct grant *x, int64_t left)
{
	char text[256], span[STR_NUM];

	x->warned = true;
	snprintf(text, sizeof(text), "your right as %s of %s ends in %s",
	    role_text(x->role), x->console,
	    str_duration_text(span, (left + 999) / 1000 * 1000));
	guests_tell_user(g->console, x->user, x->console, text);
}

static void
on_next(void *arg)
{
	struct granter *g = arg;
	struct stamp now = stamp_now();
	bool any = false;
	int64_t left;

	for (size_t i = grants_count(g->grants); i-- > 0;) {
		struct grant *x = grants_at(g->grants, i);

		left = grants_left_ms(x, now);
		if (left <= 0) {
			end(g, x, "grant-over", NULL);
			any = true;
		} else if (!x->warned && left <= GRANTER_WARN_MS) {
			warn(g, x, left);
		}
	}
	if (any)
		changed(g);
	else
		set_next(g);
}

static void
load(struct granter *g)
{
	char *text = file_read(g->path, FILE_MAX, NULL);
	int bad;

	if (text == NULL) {
		if (errno != ENOENT)
			log_errno("%s: no grants are in force", g->path);
		return;
	}
	bad = grants_load(g->grants, text, g->boot, stamp_now());
	if (bad == -1)
		log_warn("%s is damaged: no grants are in force", g->path);
	else if (bad > 0)
		log_warn("%s: %d lines are damaged and left out: those grants "
		    "are not in force", g->path, bad);
	free(text);
}

struct granter *
granter_new(struct console *c)
{
	struct granter *g = xcalloc(1, sizeof(*g));

	g->console = c;
	g->grants = grants_new();
	g->path = xasprintf("%s/witness/grants", c->conf->state_dir);
	/* Without an id of this boot every start is taken for a new one. */
	if (os_boot_id(g->boot, sizeof(g->boot)) == -1)
		snprintf(g->boot, sizeof(g->boot), "%llx",
		    (unsigned long long)c->epoch);
	g->next = timer_new(c->loop, on_next, g);
	g->save = timer_new(c->loop, on_save, g);
	g->saver = saver_start();
	if (g->saver == NULL)
		log_errno("grants will not survive a restart");
	load(g);
	if (grants_count(g->grants) > 0) {
		save(g);
		set_next(g);
	}
	return g;
}

bool
granter_stop(struct granter *g, int64_t deadline_ms)
{
	if (g == NULL)
		return true;
	if (grants_count(g->grants) > 0)
		save(g);
	if (g->saver != NULL && !saver_stop(g->saver, deadline_ms))
		return false;
	timer_free(g->next);
	timer_free(g->save);
	grants_free(g->grants);
	free(g->path);
	free(g);
	return true;
}

int
granter_give(struct granter *g, const struct grant *what, int64_t ms)
{
	char more[192], span[STR_NUM], text[256];

	if (grants_add(g->grants, what, ms, stamp_now()) == -1)
		return -1;
	grants_find(g->grants, what->user, what->console)->warned =
	    ms < 2 * GRANTER_WARN_MS;
	str_duration_text(span, ms);
	snprintf(more, sizeof(more), " for=%s by=%s", span, what->by);
	record(g, "grant", what, more);
	changed(g);
	snprintf(text, sizeof(text), "%s made you %s of %s for %s", what->by,
	    role_text(what->role), what->console, span);
	guests_tell_user(g->console, what->user, what->console, text);
	return 0;
}

void
granter_take(struct granter *g, struct grant *x, const char *by)
{
	end(g, x, "revoke", by);
	changed(g);
}

struct grant *
granter_find(const struct granter *g, const char *user, const char *console)
{
	return g == NULL ? NULL : grants_find(g->grants, user, console);
}

size_t
granter_count(const struct granter *g)
{
	return g == NULL ? 0 : grants_count(g->grants);
}

struct grant *
granter_at(const struct granter *g, size_t i)
{
	return grants_at(g->grants, i);
}

void
granter_put(const struct granter *g, struct frame_out *out)
{
	frame_put_u16(out, (uint16_t)granter_count(g));
	for (size_t i = 0; i < granter_count(g); i++) {
		frame_put_str(out, granter_at(g, i)->user);
		frame_put_str(out, granter_at(g, i)->console);
	}
}
