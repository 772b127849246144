#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "relays_internal.h"

#define LINK_OUT_MAX 65536
#define PASSES_MAX 8		/* runs of one relay in one turn */

/* A copy of a configuration, which may go away before its relay does. */

static char **
copy_list(char *const *list, size_t n)
{
	char **copy = xcalloc(n + 1, sizeof(*copy));

	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(list[i]);
	return copy;
}

static void
free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static struct config_relay *
copy_conf(const struct config_relay *conf)
{
	struct config_relay *c = xcalloc(1, sizeof(*c));

	*c = *conf;
	c->name = xstrdup(conf->name);
	c->host = xstrdup(conf->host);
	c->user = xstrdup(conf->user);
	c->identity = xstrdup(conf->identity);
	c->host_keys = copy_list(conf->host_keys, conf->nhost_keys);
	c->listen = copy_list(conf->listen, conf->nlisten);
	return c;
}

static void
free_conf(struct config_relay *c)
{
	free(c->name);
	free(c->host);
	free(c->user);
	free(c->identity);
	free_list(c->host_keys, c->nhost_keys);
	free_list(c->listen, c->nlisten);
	free(c);
}

struct relays_one *
relays_find(const struct relays *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++) {
		if (all->ones[i]->named &&
		    strcmp(all->ones[i]->conf->name, name) == 0)
			return all->ones[i];
	}
	return NULL;
}

/* What others are told. */

static void
tell_modem(struct relays_one *one)
{
	struct relays *all = one->all;
	const struct relay *r = one->relay;
	enum way_relay state = relay_way_state(r);
	struct relay_view v;
	struct frame_out *o;

	relay_view(r, &v);
	if (all->modem == NULL || (one->told && one->told_state == state &&
	    strcmp(one->told_text, v.text) == 0))
		return;
	one->told = true;
	one->told_state = state;
	snprintf(one->told_text, sizeof(one->told_text), "%s", v.text);
	o = link_start(all->modem, WY_RELAY);
	frame_put_str(o, one->conf->name);
	frame_put_u8(o, one->conf->always);
	frame_put_u8(o, (uint8_t)state);
	frame_put_str(o, relay_failure_text(relay_failure(r)));
	frame_put_str(o, v.text);
	link_send(all->modem);
	link_flush(all->modem);
}

static void
tell_console(struct relays_one *one)
{
	const struct relay *r = one->relay;
	char info[sizeof(one->info)], when[STAMP_TEXT];
	struct relay_view v;

	relay_view(r, &v);
	/* To the second. */
	stamp_text(when, v.since_us)[19] = '\0';
	snprintf(info, sizeof(info), "%s since %sZ, %s%s%s",
	    relay_way_text(relay_way_state(r)), when, one->conf->listen[0],
	    v.text[0] != '\0' ? ": " : "", v.text);
	if (strcmp(info, one->info) == 0)
		return;
	memcpy(one->info, info, sizeof(info));
	snprintf(info, sizeof(info), "relay.%s", one->conf->name);
	feed_info(one->all->feed, info, one->info);
}

static void
on_changed(void *arg, struct relay *r)
{
	struct relays_one *one = arg;

	(void)r;
	tell_modem(one);
	tell_console(one);
}

static void
on_step(void *arg, struct relay *r, enum relay_step step)
{
	struct relays_one *one = arg;

	(void)r;
	relays_test_step(one->all, one, step);
}

static void
on_tested(void *arg, struct relay *r, bool good)
{
	struct relays_one *one = arg;

	(void)r;
	relays_test_over(one->all, one, good);
}

static void
on_drilled(void *arg, struct relay *r, enum way_drill how, const char *text)
{
	struct relays_one *one = arg;

	(void)r;
	relays_drill_over(one->all, one, how, text);
}

static void
on_event(void *arg, const char *kind, const char *text)
{
	struct relays_one *one = arg;

	feed_event(one->all->feed, kind, text);
}

static void
on_wake(void *arg)
{
	struct relays_one *one = arg;

	one->all->awake = true;
}

static const struct relay_ops relay_ops = {
	.changed = on_changed,
	.step = on_step,
	.tested = on_tested,
	.drilled = on_drilled,
	.event = on_event,
	.wake = on_wake,
};

/* The turn of the loop. */

static void
free_one(struct relays_one *one)
{
	char key[64];

	relays_test_forget(one->all, one);
	if (one->all->drill.one == one)
		relays_drill_forget(one->all);
	snprintf(key, sizeof(key), "relay.%s", one->conf->name);
	/* One of the same name may have come after it. */
	if (relays_find(one->all, one->conf->name) == NULL)
		feed_info(one->all->feed, key, "");
	relay_free(one->relay);
	free_conf(one->conf);
	free(one);
}

static void
reap(struct relays *all)
{
	struct relays_one *gone[2 * CONFIG_RELAYS_MAX];
	size_t n = 0, ngone = 0;

	for (size_t i = 0; i < all->n; i++) {
		if (relay_is_gone(all->ones[i]->relay) &&
		    ngone < sizeof(gone) / sizeof(gone[0]))
			gone[ngone++] = all->ones[i];
		else
			all->ones[n++] = all->ones[i];
	}
	all->n = n;
	for (size_t i = 0; i < ngone; i++)
		free_one(gone[i]);
}

static void
on_turn(void *arg)
{
	struct relays *all = arg;

	for (int pass = 0; pass < PASSES_MAX && all->awake; pass++) {
		all->awake = false;
		for (size_t i = 0; i < all->n; i++) {
			if (relay_is_awake(all->ones[i]->relay))
				relay_run(all->ones[i]->relay);
		}
	}
	if (all->awake)
		timer_set(all->soon, 0);
	reap(all);
}

static void
on_soon(void *arg)
{
	(void)arg;		/* the turn that follows does it */
}

static void
on_route(void *arg, const char *addresses)
{
	struct relays *all = arg;

	if (all->modem == NULL)
		return;
	frame_put_str(link_start(all->modem, WY_ROUTE), addresses);
	link_send(all->modem);
	link_flush(all->modem);
}

struct relays *
relays_new(struct loop *loop, struct feed *feed)
{
	struct relays *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	all->feed = feed;
	all->world.loop = loop;
	all->world.route = on_route;
	all->world.route_arg = all;
	all->soon = timer_new(loop, on_soon, all);
	all->world.way.way = WAY_DOWN;
	loop_each_turn(loop, on_turn, all);
	return all;
}

void
relays_serve(struct relays *all, struct ssh_conns *conns)
{
	all->world.conns = conns;
}

void
relays_calls(struct relays *all, struct relay_calls *calls)
{
	all->world.calls = calls;
}

void
relays_keys(struct relays *all, const struct keyring *keys,
    void (*want)(void *, const char *), void *arg)
{
	all->world.keys = keys;
	all->world.want_key = want;
	all->world.want_arg = arg;
}

void
relays_key_came(struct relays *all, const char *path)
{
	for (size_t i = 0; i < all->n; i++)
		relay_key_came(all->ones[i]->relay, path);
}

void
relays_free(struct relays *all)
{
	relays_test_end_all(all);
	relays_drill_forget(all);
	for (size_t i = 0; i < all->n; i++) {
		relay_free(all->ones[i]->relay);
		free_conf(all->ones[i]->conf);
		free(all->ones[i]);
	}
	free(all->ones);
	link_free(all->modem);
	timer_free(all->soon);
	free(all->world.box_key);
	free(all->box);
	free(all);
}

/* Configuration. */

static void
add_one(struct relays *all, const struct config_relay *conf)
{
	struct relays_one *one = xcalloc(1, sizeof(*one));

	one->all = all;
	one->named = true;
	one->conf = copy_conf(conf);
	one->relay = relay_new(&all->world, one->conf, &relay_ops, one);
	all->ones = xreallocarray(all->ones, all->n + 1, sizeof(*all->ones));
	all->ones[all->n++] = one;
	relay_follow(one->relay);
	on_changed(one, one->relay);
}

static void
change_one(struct relays_one *one, const struct config_relay *conf)
{
	struct config_relay *old = one->conf;

	one->conf = copy_conf(conf);
	one->told = false;
	relay_configure(one->relay, one->conf);
	on_changed(one, one->relay);
	free_conf(old);
}

static const struct config_relay *
find_conf(const struct config *conf, const char *name)
{
	for (size_t i = 0; i < conf->nrelays; i++) {
		if (strcmp(conf->relays[i].name, name) == 0)
			return &conf->relays[i];
	}
	return NULL;
}

void
relays_configure(struct relays *all, const struct config *conf,
    const char *host_key)
{
	free(all->world.box_key);
	all->world.box_key = xstrdup(host_key);
	free(all->box);
	all->box = xstrdup(conf->name);
	for (size_t i = 0; i < all->n; i++) {
		struct relays_one *one = all->ones[i];

		one->named = one->named &&
		    find_conf(conf, one->conf->name) != NULL;
		if (!one->named)
			relay_remove(one->relay);
	}
	for (size_t i = 0; i < conf->nrelays; i++) {
		struct relays_one *one = relays_find(all,
		    conf->relays[i].name);

		if (one != NULL)
			change_one(one, &conf->relays[i]);
		else
			add_one(all, &conf->relays[i]);
	}
}

void
relays_stop(struct relays *all)
{
	all->stopping = true;
	for (size_t i = 0; i < all->n; i++)
		relay_remove(all->ones[i]->relay);
}

bool
relays_are_gone(const struct relays *all)
{
	return all->n == 0;
}

/* The modem process. */

static int
take_way(struct relays *all, struct frame *f)
{
	struct relay_way way = { .way = (enum way)frame_u8(f) };

	frame_str(f, way.interface, sizeof(way.interface));
	frame_str(f, way.local, sizeof(way.local));
	frame_str(f, way.servers, sizeof(way.servers));
	if (!frame_ok(f) || way.way > WAY_PPP)
		return -1;
	all->world.way = way;
	for (size_t i = 0; i < all->n; i++)
		relay_follow(all->ones[i]->relay);
	return 0;
}

static int
on_frame(void *arg, struct frame *f, int fd)
{
	if (fd != -1) {
		close(fd);
		return -1;
	}
	if (f->type == WY_DRILL)
		return relays_drill_take(arg, f);
	return f->type == WY_LINK ? take_way(arg, f) : -1;
}

static void
on_down(void *arg, const char *why)
{
	struct relays *all = arg;

	/* What it said last holds until it says something else. */
	log_debug("modem process: %s", why);
	relays_drill_forget(all);
	link_free(all->modem);
	all->modem = NULL;
}

static const struct link_ops link_ops = {
	.frame = on_frame,
	.down = on_down,
};

void
relays_link(struct relays *all, int fd)
{
	relays_drill_forget(all);
	link_free(all->modem);
	all->modem = link_new(all->loop, fd, LINK_OUT_MAX, &link_ops, all);
	for (size_t i = 0; i < all->n; i++) {
		all->ones[i]->told = false;
		if (all->ones[i]->named)
			tell_modem(all->ones[i]);
	}
}
