#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../modem/route.h"
#include "base/log.h"
#include "base/mem.h"
#include "modem_dial.h"
#include "modem_link.h"
#include "modem_link_internal.h"
#include "modem_saved.h"
#include "modem_uplink.h"
#include "relay_dial.h"

#define TARGETS_MAX 32		/* as the configuration has at most */
#define HOST_MAX 256
#define SOME 120		/* bytes of hosts in an event */

/* Somebody who is asked. */
struct target {
	struct modem_uplink *all;
	char name[HOST_MAX + 8];	/* as configured */
	char host[HOST_MAX];
	unsigned port;
	struct relay_dial *dial;	/* NULL: not now, or it has ended */
};

struct modem_uplink {
	struct modem *m;
	struct uplink *uplink;
	struct target targets[TARGETS_MAX];
	size_t n;
	char *words;			/* what is watched, and how */
	struct timer *limit;		/* of the round */
	size_t no_answer, no_word;	/* in this round */
	bool asking;
};

/* A round */

static void
end_round(struct modem_uplink *u, enum uplink_word word, const char *by)
{
	if (!u->asking)
		return;
	u->asking = false;
	timer_stop(u->limit);
	for (size_t i = 0; i < u->n; i++) {
		relay_dial_free(u->targets[i].dial);
		u->targets[i].dial = NULL;
	}
	uplink_heard(u->uplink, word, by);
}

/* Where one could not be asked it is not known that none would answer. */
static void
end_unanswered(struct modem_uplink *u)
{
	end_round(u, u->no_word > 0 ? UPLINK_NO_WORD : UPLINK_NO_ANSWER, "");
}

/* Everybody was asked and none has answered. */
static void
look_at_round(struct modem_uplink *u)
{
	if (u->no_answer + u->no_word < u->n)
		return;
	end_unanswered(u);
}

static void
no_answer(struct target *t)
{
	t->all->no_answer++;
	look_at_round(t->all);
}

static void
no_word(struct target *t)
{
	relay_dial_free(t->dial);
	t->dial = NULL;
	t->all->no_word++;
	look_at_round(t->all);
}

/* Would one of these ("a, b") be reached over PPP? */
static bool
goes_by_ppp(const char *addresses, const char *interface)
{
	char one[INET6_ADDRSTRLEN], by[ROUTE_NAME];
	size_t n;

	for (; *addresses != '\0'; addresses += n) {
		addresses += strspn(addresses, ", ");
		n = strcspn(addresses, ", ");
		snprintf(one, sizeof(one), "%.*s", (int)n, addresses);
		if (route_lookup(one, by) == 0 && strcmp(by, interface) == 0)
			return true;
	}
	return false;
}

static void
on_resolved(void *arg, const char *addresses)
{
	struct target *t = arg;
	struct modem_dial_look v;

	modem_dial_view(t->all->m->dial, &v);
	if (*v.interface != '\0' && goes_by_ppp(addresses, v.interface))
		no_word(t);
}

/* Does this socket come from PPP's address? */
static bool
came_by_ppp(int fd, const char *local)
{
	struct sockaddr_in in = { .sin_family = AF_UNSPEC };
	char name[INET_ADDRSTRLEN] = "";
	socklen_t len = sizeof(in);

	if (*local == '\0' ||
	    getsockname(fd, (struct sockaddr *)&in, &len) == -1 ||
	    in.sin_family != AF_INET)
		return false;
	inet_ntop(AF_INET, &in.sin_addr, name, sizeof(name));
	return strcmp(name, local) == 0;
}

static void
on_connected(void *arg, int fd, const char *address)
{
	struct target *t = arg;
	struct modem_dial_look v;
	bool ppp;

	(void)address;
	modem_dial_view(t->all->m->dial, &v);
	ppp = came_by_ppp(fd, v.local);
	close(fd);
	if (ppp)
		no_word(t);
	else
		end_round(t->all, UPLINK_ANSWERED, t->name);
}

static void
on_failed(void *arg, const char *why)
{
	struct target *t = arg;
	bool refused = relay_dial_refused(t->dial);

	log_debug("watch: %s: %s", t->name, why);
	relay_dial_free(t->dial);
	t->dial = NULL;
	if (refused)
		end_round(t->all, UPLINK_ANSWERED, t->name);
	else
		no_answer(t);
}

static const struct relay_dial_ops dial_ops = {
	.resolved = on_resolved,
	.connected = on_connected,
	.failed = on_failed,
};

static void
on_limit(void *arg)
{
	end_unanswered(arg);
}

static void
on_ask(void *arg)
{
	struct modem_uplink *u = arg;

	u->asking = true;
	u->no_answer = u->no_word = 0;
	timer_set(u->limit, UPLINK_CHECK_MS);
	for (size_t i = 0; i < u->n; i++) {
		struct target *t = &u->targets[i];
		const struct relay_dial_to to = { .host = t->host,
		    .ports = { t->port, 0 }, .servers = "", .local = "",
		    .interface = "" };

		t->dial = relay_dial_new(u->m->loop, &to, &dial_ops, t);
	}
}

/* What comes of it */

/* "a:1, b:2 and more". */
static void
some_targets(const struct modem_uplink *u, char dst[SOME])
{
	size_t n = 0, i;

	dst[0] = '\0';
	for (i = 0; i < u->n; i++) {
		if (n + strlen(u->targets[i].name) + 16 > SOME)
			break;
		n += (size_t)snprintf(dst + n, SOME - n, "%s%s",
		    i == 0 ? "" : ", ", u->targets[i].name);
	}
	if (i < u->n)
		snprintf(dst + n, SOME - n, "%s", n > 0 ? " and more" :
		    "all that are watched");
}

static void
on_dead(void *arg)
{
	struct modem_uplink *u = arg;
	char some[SOME], why[MODEM_WHY];
	struct uplink_look l;
	char *text;

	uplink_look(u->uplink, &l);
	modem_saved_dead(u->m->home, &l.dead_since, u->words);
	some_targets(u, some);
	modem_link_refuses(u->m->link, false, why);
	text = xasprintf("no answer from %s for %lld s; %s%s", some,
	    (long long)mono_ms(l.silent_since, mono_now()) / 1000,
	    why[0] == '\0' ? "the link is brought up" :
	    "the link is NOT brought up: ", why);
	log_warn("watch: %s", text);
	modem_link_event(u->m->link, "uplink-dead", "why=\"%s\"", text);
	free(text);
	if (why[0] == '\0')
		(void)modem_link_up(u->m->link, 0, MODEM_UPLINK_WHO,
		    "the uplink is dead");
}

static void
on_back(void *arg, int64_t ms)
{
	struct modem_uplink *u = arg;
	struct uplink_look l;

	uplink_look(u->uplink, &l);
	modem_saved_dead(u->m->home, NULL, "");
	log_info("watch: the uplink is back after %lld s",
	    (long long)ms / 1000);
	modem_link_event(u->m->link, "uplink-back", "why=\"%s answers again, "
	    "after %lld s\"", l.by, (long long)ms / 1000);
}

static void
on_changed(void *arg)
{
	struct modem_uplink *u = arg;
	char text[MODEM_UPLINK_TEXT];

	feed_info(u->m->feed, "uplink", modem_uplink_text(u, text));
}

static const struct uplink_ops uplink_ops = {
	.ask = on_ask,
	.dead = on_dead,
	.back = on_back,
	.changed = on_changed,
};

struct modem_uplink *
modem_uplink_new(struct modem *m)
{
	struct modem_uplink *u = xcalloc(1, sizeof(*u));

	relay_dial_start();
	u->m = m;
	u->limit = timer_new(m->loop, on_limit, u);
	u->uplink = uplink_new(m->loop, &uplink_ops, u);
	return u;
}

void
modem_uplink_free(struct modem_uplink *u)
{
	for (size_t i = 0; i < u->n; i++)
		relay_dial_free(u->targets[i].dial);
	uplink_free(u->uplink);
	timer_free(u->limit);
	free(u->words);
	free(u);
	relay_dial_stop();
}

/* What is watched and for how long: another line is another watch. */
static char *
words_of(const struct config_activation *a)
{
	char *words = xasprintf("%lld", (long long)a->watch_ms), *longer;

	for (size_t i = 0; i < a->nwatch; i++) {
		longer = xasprintf("%s %s", words, a->watch[i]);
		free(words);
		words = longer;
	}
	return words;
}

static void
take_targets(struct modem_uplink *u, const struct config_activation *a)
{
	u->n = 0;
	for (size_t i = 0; i < a->nwatch && u->n < TARGETS_MAX; i++) {
		struct target *t = &u->targets[u->n];

		if (config_listen_split(a->watch[i], t->host, sizeof(t->host),
		    &t->port) == -1)
			continue;
		t->all = u;
		snprintf(t->name, sizeof(t->name), "%s", a->watch[i]);
		u->n++;
	}
}

void
modem_uplink_configure(struct modem_uplink *u)
{
	const struct config_activation *a = &u->m->conf->activation;
	bool first = u->words == NULL, was_dead;
	char *words = words_of(a);
	struct mono since;

	if (!first && strcmp(words, u->words) == 0) {
		free(words);
		return;
	}
	free(u->words);
	u->words = words;
	end_round(u, UPLINK_NO_WORD, "");
	take_targets(u, a);
	uplink_configure(u->uplink, u->n > 0 ? a->watch_ms : 0);
	was_dead = first && u->n > 0 && a->watch_ms > 0 &&
	    modem_saved_was_dead(u->m->home, &since, words);
	if (was_dead)
		uplink_resume(u->uplink, since);
	else
		modem_saved_dead(u->m->home, NULL, "");
}

/* Saying it */

char *
modem_uplink_text(const struct modem_uplink *u, char dst[MODEM_UPLINK_TEXT])
{
	char when[MODEM_LINK_WHEN], last[MODEM_LINK_WHEN + UPLINK_BY + 32];
	struct uplink_look l;

	uplink_look(u->uplink, &l);
	snprintf(last, sizeof(last), "nobody answered yet");
	if (l.answered)
		snprintf(last, sizeof(last), "last answer %s from %s",
		    modem_link_when(when, l.answered_at), l.by);
	dst[0] = '\0';
	switch (l.at) {
	case UPLINK_OFF:
		return dst;
	case UPLINK_UNKNOWN:
	case UPLINK_ALIVE:
		snprintf(dst, MODEM_UPLINK_TEXT, "%s, %s",
		    uplink_text(l.at), last);
		break;
	case UPLINK_SILENT:
		snprintf(dst, MODEM_UPLINK_TEXT, "silent since %s, %s",
		    modem_link_when(when, l.silent_since), last);
		break;
	case UPLINK_DEAD:
		snprintf(dst, MODEM_UPLINK_TEXT, "dead since %s%s, %s",
		    modem_link_when(when, l.dead_since), l.good > 0 ?
		    " (it answers again)" : "", last);
		break;
	}
	if (l.no_word)
		snprintf(dst + strlen(dst), MODEM_UPLINK_TEXT - strlen(dst),
		    "; not to be told now: it would be asked over PPP");
	return dst;
}

static json_t *
when_json(bool is, struct mono at)
{
	char text[STAMP_TEXT];

	return is ? json_string(stamp_text(text, modem_link_utc(at))) :
	    json_null();
}

json_t *
modem_uplink_json(const struct modem_uplink *u)
{
	struct uplink_look l;
	json_t *list;

	uplink_look(u->uplink, &l);
	if (l.at == UPLINK_OFF)
		return json_null();
	list = json_array();
	for (size_t i = 0; i < u->n; i++)
		json_array_append_new(list, json_string(u->targets[i].name));
	return json_pack("{s:s, s:o, s:s, s:o, s:o, s:b, s:o}",
	    "state", uplink_text(l.at),
	    "answered", when_json(l.answered, l.answered_at),
	    "by", l.answered ? l.by : "",
	    "silent_since", when_json(l.at == UPLINK_SILENT ||
	    l.at == UPLINK_DEAD, l.silent_since),
	    "dead_since", when_json(l.at == UPLINK_DEAD, l.dead_since),
	    "no_word", l.no_word, "watched", list);
}
