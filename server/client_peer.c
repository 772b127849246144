#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "client_auth.h"
#include "client_internal.h"
#include "granter.h"

/* What only our own processes may ask for, and are told. */

#define KIND_MAX 32
#define TEXT_MAX 1024

#define INFOS(con) (sizeof((con)->infos) / sizeof((con)->infos[0]))

/* The place of this key, else a free one. */
static struct info *
find_info(struct console *con, const char *key)
{
	struct info *free_one = NULL;

	for (size_t i = 0; i < INFOS(con); i++) {
		if (con->infos[i].from == NULL) {
			if (free_one == NULL)
				free_one = &con->infos[i];
		} else if (strcmp(con->infos[i].key, key) == 0) {
			return &con->infos[i];
		}
	}
	return free_one;
}

int
peer_info(struct client *c, struct frame *f)
{
	char key[sizeof(c->console->infos[0].key)], text[INFO_TEXT];
	struct info *i;

	frame_str(f, key, sizeof(key));
	frame_str(f, text, sizeof(text));
	if (!frame_ok(f) || key[0] == '\0')
		return -1;
	i = find_info(c->console, key);
	if (i == NULL) {
		log_warn("no room for status to show %s", key);
		return 0;
	}
	str_safe(i->key, sizeof(i->key), key, strlen(key));
	str_safe(i->text, sizeof(i->text), text, strlen(text));
	i->from = text[0] == '\0' ? NULL : c;
	return 0;
}

/*
 * Words of a to z with dashes between, at least two: our own events have one,
 * but for these, so a peer's cannot be taken for one of them.
 */
static bool
is_kind(const char *kind)
{
	static const char *const ours[] = { "code-used", "grant-over",
	    "grant-used" };
	size_t n = strspn(kind, "abcdefghijklmnopqrstuvwxyz-");

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (strcmp(kind, ours[i]) == 0)
			return false;
	}
	return n > 2 && kind[n] == '\0' && kind[0] != '-' &&
	    kind[n - 1] != '-' && strchr(kind, '-') != NULL;
}

int
peer_event(struct client *c, struct frame *f)
{
	struct console *con = c->console;
	char kind[KIND_MAX], raw[TEXT_MAX], text[TEXT_MAX];
	char line[KIND_MAX + TEXT_MAX];

	frame_str(f, kind, sizeof(kind));
	frame_str(f, raw, sizeof(raw));
	if (!frame_ok(f))
		return -1;
	str_safe(text, sizeof(text), raw, strlen(raw));
	if (!is_kind(kind)) {
		log_error("process %s: no kind of event: %s (%s)",
		    c->local_user, kind, text);
		return 0;
	}
	log_info("%s: %s", kind, text);
	clients_notify(con, kind, NULL, text);
	for (size_t i = 0; i < wires_count(con->wires); i++)
		scribe_event(wire_log(wires_at(con->wires, i)), kind, "%s",
		    text);
	snprintf(line, sizeof(line), "%s %s", kind, text);
	auth_event(con, kind, line);
	return 0;
}

int
peer_tell(struct client *c, struct frame *f)
{
	char raw[TEXT_MAX], text[TEXT_MAX];

	frame_str(f, raw, sizeof(raw));
	if (!frame_ok(f))
		return -1;
	clients_tell(c->console, str_safe(text, sizeof(text), raw,
	    strlen(raw)));
	return 0;
}

static void
count_attached(const struct console *con, uint32_t *all, uint32_t *by_relay)
{
	*all = *by_relay = 0;
	for (struct client *c = con->clients; c != NULL; c = c->next) {
		for (struct guest *g = c->guests; g != NULL; g = g->next) {
			if (g->wire == NULL)
				continue;
			++*all;
			if (strncmp(g->via, "relay", 5) == 0)
				++*by_relay;
		}
	}
}

void
peer_send_presence(struct client *c, bool again)
{
	struct frame_out *out;
	uint32_t all, by_relay;

	if (c->peer != PEER_MODEM || !c->hello)
		return;
	count_attached(c->console, &all, &by_relay);
	if (!again && all == c->told_attached &&
	    by_relay == c->told_by_relay)
		return;
	c->told_attached = all;
	c->told_by_relay = by_relay;
	out = client_begin(c, AN_PRESENCE);
	frame_put_u32(out, all);
	frame_put_u32(out, by_relay);
	link_send(c->link);
}

void
client_send_grants(struct client *c)
{
	if (c->peer != PEER_SSH || !c->hello)
		return;
	granter_put(c->console->granter, client_begin(c, AN_GRANTS));
	link_send(c->link);
}

void
clients_granted(struct console *con)
{
	for (struct client *c = con->clients; c != NULL; c = c->next)
		client_send_grants(c);
}

/* What it said holds no longer. */
void
peer_gone(struct client *c)
{
	for (size_t i = 0; i < INFOS(c->console); i++) {
		if (c->console->infos[i].from == c)
			c->console->infos[i].from = NULL;
	}
}
