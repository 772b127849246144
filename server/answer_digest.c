#include <stdio.h>
#include <string.h>

#include "answer_internal.h"
#include "digest.h"
#include "witness.h"

/*
 * digest: what happened since who asks was last there.  A session that
 * attaches asks with --attach: nothing is said when there is no news, or who
 * attaches wants none.
 */
bool
answer_digest_option(const char *option)
{
	return strcmp(option, "--json") == 0 ||
	    strcmp(option, "--attach") == 0;
}

static bool
wanted_at_attach(const struct answer *a)
{
	const struct config *conf = a->console->conf;
	const struct config_user *u = config_user(conf, guest_user(a->guest));

	return conf->digest && (u == NULL || u->digest);
}

static void
digest_json(const struct answer *a, struct wire *w)
{
	json_t *o = witness_digest_json(a->console->witness, w,
	    guest_user(a->guest));

	if (o == NULL)
		o = json_pack("{s:s, s:n}", "console", wire_conf(w)->name,
		    "since");
	answer_json(a, o);
}

void
answer_digest(const struct answer *a, struct wire *w, const char *option)
{
	bool attach = strcmp(option, "--attach") == 0, news;
	char text[DIGEST_TEXT];

	if (strcmp(option, "--json") == 0) {
		digest_json(a, w);
		return;
	}
	witness_digest(a->console->witness, w, guest_user(a->guest), text,
	    &news);
	if (!attach && text[0] == '\0')
		answer_outf(a, 2, "oobd: you never were on %s\n",
		    wire_conf(w)->name);
	else if (!attach || (news && wanted_at_attach(a)))
		answer_out(a, 1, text);
	answer_end(a, attach || text[0] != '\0' ? ST_OK : ST_FAILED);
}
