#include <stdio.h>
#include <string.h>

#include "answer_internal.h"
#include "base/str.h"
#include "granter.h"
#include "modem_link.h"

/* grant and revoke: rights for a while. */

static void
refuse(const struct answer *a, enum status status, const char *text)
{
	answer_outf(a, 2, "oobd: %s\n", text);
	answer_end(a, (int)status);
}

/* May he give rights to this wire, and see those that others have? */
static bool
rules(const struct answer *a, const struct wire *w)
{
	return w != NULL && guest_sees(a->guest, w) &&
	    guest_role_on(a->guest, w) == ROLE_ADMIN;
}

/* Is it his own, or one that he may take away? */
static bool
may_see(const struct answer *a, const struct grant *x)
{
	return rules(a, wires_named(a->console->wires, x->console)) ||
	    (guest_role(a->guest) != ROLE_ADMIN &&
	    strcmp(x->user, guest_user(a->guest)) == 0);
}

json_t *
answer_grants_json(const struct answer *a)
{
	json_t *list = json_array();
	struct stamp now = stamp_now();
	char until[STAMP_TEXT];

	for (size_t i = 0; i < granter_count(a->console->granter); i++) {
		const struct grant *x = granter_at(a->console->granter, i);
		int64_t left = grants_left_ms(x, now);

		if (!may_see(a, x))
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, "
		    "s:s, s:f}", "user", x->user, "console", x->console,
		    "role", role_text(x->role), "by", x->by, "until",
		    stamp_text(until, now.utc_us + left * 1000), "left_s",
		    (double)left / 1000));
	}
	return list;
}

static void
list_grants(const struct answer *a)
{
	struct stamp now = stamp_now();
	char span[SPAN_TEXT], until[STAMP_TEXT];

	answer_outf(a, 1, "%-16s %-16s %-8s %-16s %-9s %s\n", "USER",
	    "CONSOLE", "ROLE", "BY", "LEFT", "UNTIL");
	for (size_t i = 0; i < granter_count(a->console->granter); i++) {
		const struct grant *x = granter_at(a->console->granter, i);
		int64_t left = grants_left_ms(x, now);

		if (!may_see(a, x))
			continue;
		stamp_text(until, now.utc_us + left * 1000);
		answer_outf(a, 1, "%-16s %-16s %-8s %-16s %-9s %.19sZ\n",
		    x->user, x->console, role_text(x->role), x->by,
		    answer_span(span, left), until);
	}
	answer_end(a, ST_OK);
}

static bool
parse_role(const char *word, enum role *role)
{
	for (enum role r = ROLE_VIEWER; r <= ROLE_OPERATOR; r++) {
		if (strcmp(word, role_text(r)) == 0) {
			*role = r;
			return true;
		}
	}
	return false;
}

/* What is asked for; NULL, or what is wrong with it and *status. */
static const char *
read_wish(const struct answer *a, struct grant *x, int64_t *ms,
    enum status *status)
{
	const struct config_user *u = config_user(a->console->conf,
	    a->argv[1]);
	struct wire *w = wires_named(a->console->wires, a->argv[2]);

	*status = ST_FAILED;
	if (u == NULL)
		return "no such user";
	*status = ST_NO_CONSOLE;
	if (w == NULL || !guest_sees(a->guest, w))
		return "no such console";
	*status = ST_DENIED;
	if (!rules(a, w))
		return "you are no admin of that console";
	*status = ST_USAGE;
	if (modem_link_duration(a->argv[3], ms) == -1 ||
	    *ms < GRANTS_LEAST_MS || *ms > GRANTS_MOST_MS)
		return "a grant lasts 1s to 7d: 90s, 30min, 4h, or a bare "
		    "number of minutes";
	memset(x, 0, sizeof(*x));
	if (a->argc == 5 && !parse_role(a->argv[4], &x->role))
		return "the role is viewer or operator";
	*status = ST_FAILED;
	if (config_user_sees(u, a->argv[2]) && u->role >= x->role)
		return "this user may do that anyway";
	snprintf(x->user, sizeof(x->user), "%s", u->name);
	snprintf(x->console, sizeof(x->console), "%s", wire_conf(w)->name);
	str_safe(x->by, sizeof(x->by), guest_user(a->guest),
	    strlen(guest_user(a->guest)));
	return NULL;
}

static void
give(const struct answer *a)
{
	enum status status;
	struct grant x;
	int64_t ms;
	const char *why = read_wish(a, &x, &ms, &status);
	char span[STR_NUM], until[STAMP_TEXT];

	if (why != NULL) {
		refuse(a, status, why);
		return;
	}
	if (granter_give(a->console->granter, &x, ms) == -1) {
		refuse(a, ST_FAILED, "there are 64 grants already: revoke "
		    "some");
		return;
	}
	stamp_text(until, stamp_now().utc_us + ms * 1000);
	answer_outf(a, 1, "%s is %s of %s for %s, until %.19sZ\n", x.user,
	    role_text(x.role), x.console, str_duration_text(span, ms), until);
	answer_end(a, ST_OK);
}

void
answer_grant(const struct answer *a, const struct verb *v)
{
	bool json = a->argc == 2 && strcmp(a->argv[1], "--json") == 0;

	if (json)
		answer_json(a, answer_grants_json(a));
	else if (a->argc == 1)
		list_grants(a);
	else if (guest_role(a->guest) != ROLE_ADMIN)
		refuse(a, ST_DENIED, "only an admin gives rights; grant "
		    "alone shows yours");
	else if (a->argc < 4 || a->argc > 5)
		answer_usage(a, v);
	else
		give(a);
}

void
answer_revoke(const struct answer *a, const struct verb *v)
{
	struct granter *g = a->console->granter;
	int n = 0;

	if (a->argc < 2 || a->argc > 3) {
		answer_usage(a, v);
		return;
	}
	for (size_t i = granter_count(g); i-- > 0;) {
		struct grant *x = granter_at(g, i);

		if (strcmp(x->user, a->argv[1]) != 0 ||
		    (a->argc == 3 && strcmp(x->console, a->argv[2]) != 0) ||
		    !may_see(a, x))
			continue;
		answer_outf(a, 1, "%s is no longer %s of %s\n", x->user,
		    role_text(x->role), x->console);
		granter_take(g, x, guest_user(a->guest));
		n++;
	}
	if (n == 0)
		refuse(a, ST_FAILED, "there is no such grant; grant alone "
		    "shows them");
	else
		answer_end(a, ST_OK);
}
