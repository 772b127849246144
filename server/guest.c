#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../auth/voucher.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "client_auth.h"
#include "client_internal.h"
#include "granter.h"
#include "witness.h"

#define CREDIT_NOW 4096
#define CREDIT_LATER_MS 50

struct guest *
guest_find(const struct client *c, uint32_t sid)
{
	struct guest *g;

	for (g = c->guests; g != NULL; g = g->next) {
		if (g->sid == sid)
			break;
	}
	return g;
}

void
guest_tell(void *arg, const char *text)
{
	struct guest *g = arg;
	struct frame_out *out = client_begin(g->client, AN_NOTICE);

	frame_put_u16(out, 0xffff);
	frame_put_u32(out, g->sid);
	frame_put_str(out, text);
	link_send(g->client->link);
}

void
guest_pen(void *arg, bool writes, const char *text)
{
	struct guest *g = arg;
	struct frame_out *out = client_begin(g->client, AN_PEN);

	frame_put_u32(out, g->sid);
	frame_put_u8(out, writes);
	frame_put_str(out, text);
	link_send(g->client->link);
}

struct console *
guest_console(const struct guest *g)
{
	return g->client->console;
}

const char *
guest_user(const struct guest *g)
{
	return g->user;
}

const char *
guest_via(const struct guest *g)
{
	return g->via;
}

enum role
guest_role(const struct guest *g)
{
	return g->role;
}

uint32_t
guest_id(const struct guest *g)
{
	return g->id;
}

struct wire *
guest_wire(const struct guest *g)
{
	return g->wire;
}

/* Who came over SSH, as configured; NULL: he is no user any more. */
static const struct config_user *
user_of(const struct guest *g)
{
	return config_user(g->client->console->conf, g->user);
}

/* Without any grant. */
static bool
sees_anyway(const struct guest *g, const struct wire *w)
{
	const struct config_user *u;

	if (g->client->peer != PEER_SSH)
		return true;
	u = user_of(g);
	return u != NULL && config_user_sees(u, wire_conf(w)->name);
}

const struct grant *
guest_grant(const struct guest *g, const struct wire *w)
{
	const struct grant *x;

	if (g->client->peer != PEER_SSH || user_of(g) == NULL)
		return NULL;
	x = granter_find(g->client->console->granter, g->user,
	    wire_conf(w)->name);
	if (x == NULL || (sees_anyway(g, w) && x->role <= g->role))
		return NULL;
	return x;
}

bool
guest_sees(const struct guest *g, const struct wire *w)
{
	return sees_anyway(g, w) || guest_grant(g, w) != NULL;
}

enum role
guest_role_on(const struct guest *g, const struct wire *w)
{
	const struct grant *x = guest_grant(g, w);

	return x == NULL ? g->role : x->role;
}

enum role
guest_role_best(const struct guest *g)
{
	const struct console *con = g->client->console;
	enum role best = g->role;

	for (size_t i = 0; i < wires_count(con->wires); i++) {
		const struct grant *x = guest_grant(g, wires_at(con->wires,
		    i));

		if (x != NULL && x->role > best)
			best = x->role;
	}
	return best;
}

void
guest_detach(struct guest *g, const char *why)
{
	if (g->wire == NULL)
		return;
	/* He did not say that he leaves. */
	if (g->reads)
		witness_seen(g->client->console->witness, g->wire, g->user,
		    history_head(wire_history(g->wire)), 0, true);
	g->reads = false;
	source_free(g->source);
	g->source = NULL;
	hub_detach(g->seat, mono_now(), why);
	g->seat = NULL;
	g->wire = NULL;
	g->client->console->presence_due = true;
}

void
guest_free(struct guest *g, const char *why)
{
	struct guest **at;

	guest_detach(g, why);
	guest_forget_readers(g);
	for (at = &g->client->guests; *at != g; at = &(*at)->next)
		continue;
	*at = g->next;
	g->client->nguests--;
	free(g);
}

/* Tell the client that this session is over, then forget it. */
void
guest_end(struct guest *g, const char *why)
{
	struct frame_out *out = client_begin(g->client, AN_ENDED);

	frame_put_u32(out, g->sid);
	frame_put_str(out, why);
	link_send(g->client->link);
	guest_free(g, why);
}

static void
send_credit(struct guest *g, bool dropped)
{
	struct frame_out *out;

	if (g->credit == 0)
		return;
	out = client_begin(g->client, AN_CREDIT);
	frame_put_u32(out, g->sid);
	frame_put_u32(out, (uint32_t)g->credit);
	frame_put_u8(out, dropped);
	link_send(g->client->link);
	g->credit = 0;
}

void
guest_credit_due(void *arg)
{
	struct client *c = arg;

	for (struct guest *g = c->guests; g != NULL; g = g->next)
		send_credit(g, false);
}

/* Credit for a key press waits a moment, to leave with the echo or alone. */
void
guest_taken(void *arg, size_t n, bool dropped)
{
	struct guest *g = arg;

	if (dropped)
		send_credit(g, false);
	g->credit += n;
	if (dropped || g->credit >= CREDIT_NOW)
		send_credit(g, dropped);
	else
		timer_set_sooner(g->client->credit, CREDIT_LATER_MS);
}

/* Others are shown it, on their terminals. */
static void
take_text(struct frame *f, char *dst, size_t size)
{
	char raw[FROM_BYTES];

	static_assert(sizeof(raw) >= NAME_BYTES, "room for each");
	frame_str(f, raw, size);
	str_safe(dst, size, raw, strlen(raw));
}

/* NULL: he is who he is said to be; or what to tell him. */
static const char *
doubt(const struct guest *g, const char *voucher)
{
	struct console *con = g->client->console;
	const char *shown = user_of(g) == NULL ? "?" : g->user;
	char event[160];

	if (con->vouchers == NULL ||
	    voucher_good(con->vouchers, g->user, voucher))
		return NULL;
	log_warn("the ssh process says that %s is logged in, and nobody "
	    "vouches for it: refused", shown);
	snprintf(event, sizeof(event), "unvouched user=%s", shown);
	auth_event(con, event, event);
	return "nobody vouches for this login";
}

/* With the rights that the configuration gives; or not at all. */
static void
admit(struct guest *g, const char *voucher)
{
	const struct config_user *u = user_of(g);
	const char *no = doubt(g, voucher);

	if (no == NULL && u == NULL)
		no = "no such user any more";
	if (no != NULL)
		guest_end(g, no);
	else
		g->role = u->role;
}

int
guest_open(struct client *c, struct frame *f)
{
	struct guest *g = xcalloc(1, sizeof(*g));
	char voucher[VOUCHER_TEXT] = "";

	g->client = c;
	g->sid = frame_u32(f);
	take_text(f, g->user, sizeof(g->user));
	take_text(f, g->from, sizeof(g->from));
	take_text(f, g->via, sizeof(g->via));
	take_text(f, g->key, sizeof(g->key));
	if (c->peer == PEER_SSH && frame_more(f))
		frame_str(f, voucher, sizeof(voucher));
	if (!frame_ok(f) || c->nguests == GUESTS_MAX ||
	    guest_find(c, g->sid) != NULL) {
		free(g);
		return -1;
	}
	g->role = ROLE_ADMIN;
	if (c->peer == PEER_LOCAL) {
		snprintf(g->user, sizeof(g->user), "%s", c->local_user);
		snprintf(g->from, sizeof(g->from), "local");
		snprintf(g->via, sizeof(g->via), "oobctl");
	}
	g->id = ++c->console->next_guest;
	g->since = mono_now();
	g->next = c->guests;
	c->guests = g;
	c->nguests++;
	if (c->peer == PEER_SSH)
		admit(g, voucher);
	explicit_bzero(voucher, sizeof(voucher));
	return 0;
}

void
guest_send_attached(struct guest *g, uint16_t console, enum status status,
    const char *text)
{
	struct frame_out *out = client_begin(g->client, AN_ATTACHED);

	frame_put_u32(out, g->sid);
	frame_put_u16(out, console);
	frame_put_u8(out, (uint8_t)status);
	frame_put_u8(out, g->seat != NULL && seat_writes(g->seat));
	frame_put_str(out, text);
	link_send(g->client->link);
}

/* For the box's journal. */
static void
tell_used(const struct guest *g, const struct grant *x)
{
	char text[320];

	snprintf(text, sizeof(text), "grant-used user=%s console=%s role=%s "
	    "by=%s", x->user, x->console, role_text(x->role), x->by);
	auth_event(g->client->console, text, text);
}

void
guest_attach(struct guest *g, struct wire *w, enum attach_mode mode)
{
	struct seat_who who = { g->id, g->user, g->from, g->via,
	    guest_role_on(g, w) != ROLE_VIEWER };
	const struct grant *x = guest_grant(g, w);
	struct hub_wish wish = {
		.watch = mode == ATTACH_WATCH || mode == ATTACH_REJOIN_WATCH,
		.force = mode == ATTACH_FORCE,
		.resume = mode == ATTACH_RESUME,
		.quiet = mode == ATTACH_REJOIN || mode == ATTACH_REJOIN_WATCH,
	};
	char text[SEAT_TEXT] = "";

	g->wire = w;
	g->client->console->presence_due = true;
	g->seat = hub_attach(wire_hub(w), &who, &wish, mono_now(), g);
	g->source = source_new(w, g->user, guest_taken, g);
	g->told_down = false;
	if (x != NULL && !wish.resume && !wish.quiet)
		tell_used(g, x);
	if (!wish.resume && !wish.quiet)
		witness_attached(g->client->console->witness, w, g->user,
		    g->from);
	if (!wish.resume && !wish.quiet)
		seat_greet(g->seat, mono_now(), text, sizeof(text));
	guest_send_attached(g, wire_id(w), ST_OK, text);
	if (!wire_is_up(w) && !wish.resume && !wish.quiet)
		guest_tell(g, "the line is down; you will be told when it "
		    "is back");
}

/* May it type now?  Says why not, once. */
bool
guest_may_type(struct guest *g)
{
	if (!wire_is_up(g->wire)) {
		if (!g->told_down)
			guest_tell(g, "the line is down: not sent");
		g->told_down = true;
		return false;
	}
	return seat_typed(g->seat, mono_now());
}

static void
reload_guest(struct guest *g)
{
	bool ssh = g->client->peer == PEER_SSH;
	const struct config_user *u = ssh ? user_of(g) : NULL;

	if (u != NULL)
		g->role = u->role;
	guest_check_readers(g);
	if (!ssh)
		return;
	if (u == NULL) {
		guest_end(g, "your user was removed");
		return;
	}
	if (g->wire == NULL)
		return;
	if (!guest_sees(g, g->wire))
		guest_end(g, "you may no longer use this console");
	else
		seat_set_may_write(g->seat,
		    guest_role_on(g, g->wire) != ROLE_VIEWER, mono_now());
}

void
clients_reload(struct console *con)
{
	struct guest *next;

	for (struct client *c = con->clients; c != NULL; c = c->next) {
		for (struct guest *g = c->guests; g != NULL; g = next) {
			next = g->next;
			reload_guest(g);
		}
	}
}

/* Attached there, or looking at its record. */
static bool
is_at(const struct guest *g, const char *console)
{
	return guest_reads_of(g, console) || (g->wire != NULL &&
	    strcmp(wire_conf(g->wire)->name, console) == 0);
}

void
guests_tell_user(struct console *con, const char *user, const char *console,
    const char *text)
{
	for (struct client *c = con->clients; c != NULL; c = c->next) {
		for (struct guest *g = c->guests; g != NULL; g = g->next) {
			if (c->peer == PEER_SSH &&
			    strcmp(g->user, user) == 0 &&
			    is_at(g, console))
				guest_tell(g, text);
		}
	}
}

void
clients_bye(struct console *con)
{
	for (struct client *c = con->clients; c != NULL; c = c->next) {
		while (c->guests != NULL)
			guest_end(c->guests, "oobd is stopping");
		link_flush(c->link);
	}
}

void
guests_each(struct console *con, bool (*fn)(void *,
    const struct guest_info *), void *arg)
{
	struct mono now = mono_now();
	const struct grant *x;
	struct guest_info i;

	for (struct client *c = con->clients; c != NULL; c = c->next) {
		for (struct guest *g = c->guests; g != NULL; g = g->next) {
			i = (struct guest_info){ g->id, g->user, g->from,
			    g->via, g->key, "", g->wire != NULL, false, 0,
			    mono_ms(g->since, now), -1 };
			if (g->wire != NULL) {
				i.console = wire_conf(g->wire)->name;
				i.writes = seat_writes(g->seat);
				i.idle_ms = seat_idle_ms(g->seat, now);
				i.since_ms = seat_since_ms(g->seat, now);
				x = guest_grant(g, g->wire);
				if (x != NULL)
					i.granted_ms = grants_left_ms(x,
					    stamp_now());
			}
			if (!fn(arg, &i))
				return;
		}
	}
}

static struct guest *
guest_by_id(struct console *con, uint32_t id)
{
	for (struct client *c = con->clients; c != NULL; c = c->next) {
		for (struct guest *g = c->guests; g != NULL; g = g->next) {
			if (g->id == id)
				return g;
		}
	}
	return NULL;
}

int
guest_kick(struct console *con, uint32_t id, const char *why)
{
	struct guest *g = guest_by_id(con, id);

	if (g == NULL)
		return -1;
	guest_end(g, why);
	return 0;
}

const char *
guest_console_of(struct console *con, uint32_t id, char *user, size_t size)
{
	struct guest *g = guest_by_id(con, id);

	if (g == NULL)
		return NULL;
	snprintf(user, size, "%s", g->user);
	return g->wire == NULL ? "" : wire_conf(g->wire)->name;
}
