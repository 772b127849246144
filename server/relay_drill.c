#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "relay_drill.h"
#include "relay_login.h"
#include "relay_probe.h"

struct relay_drill {
	struct relay_probe *probe;
	ssh_key key;
	char nonce[SSH_ECHO_NONCE];
};

static void
forget(struct relay *r)
{
	struct relay_drill *d = r->drill;

	r->drill = NULL;
	relay_probe_free(d->probe);
	ssh_key_free(d->key);
	free(d);
	ssh_conns_no_pass(r->world->conns);
}

static void
end(struct relay *r, enum way_drill how, const char *why)
{
	char text[RELAY_TEXT];

	snprintf(text, sizeof(text), "%s", why);
	forget(r);
	r->ops->drilled(r->arg, r, how, text);
}

static void
on_probed(struct relay *r, enum relay_probe_result result, const char *why)
{
	switch (result) {
	case RELAY_PROBE_GOOD:
		end(r, WAY_DRILL_GOOD, why);
		break;
	case RELAY_PROBE_NOT_PERMITTED:
		end(r, WAY_DRILL_NOT_PERMITTED, "the relay does not permit "
		    "it (permitopen of our key does not name the port)");
		break;
	case RELAY_PROBE_BUSY:
		end(r, WAY_DRILL_FAILED, *why == '\0' ?
		    "no room for one more connection" : why);
		break;
	case RELAY_PROBE_DEAD:
		end(r, WAY_DRILL_FAILED, why);
		break;
	}
}

static void
make_nonce(char dst[SSH_ECHO_NONCE])
{
	uint8_t bytes[(SSH_ECHO_NONCE - 1) / 2];

	os_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(dst + 2 * i, 3, "%02x", bytes[i]);
}

/* A place that the relay listens on for us. */
static struct relay_listen *
find_listen(struct relay *r)
{
	for (size_t i = 0; i < r->nlistens; i++) {
		if (r->listens[i].bound != 0)
			return &r->listens[i];
	}
	return NULL;
}

static bool
make_key(struct relay *r, struct relay_drill *d)
{
	char *base64 = NULL;

	if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &d->key) != SSH_OK ||
	    ssh_pki_export_pubkey_base64(d->key, &base64) != SSH_OK)
		return false;
	ssh_conns_pass(r->world->conns, r->via, base64);
	ssh_string_free_char(base64);
	return true;
}

const char *
relay_drill_start(struct relay *r)
{
	struct relay_listen *listen = find_listen(r);
	struct relay_probe_conf conf = { .done = on_probed,
	    .limit_ms = RELAY_DRILL_MS };

	if (!r->forwarded || r->state == RELAY_LEAVING || listen == NULL)
		return "the relay is not up";
	if (r->drill != NULL)
		return "a drill is under way";
	r->drill = xcalloc(1, sizeof(*r->drill));
	if (!make_key(r, r->drill)) {
		forget(r);
		return "no key can be made for it";
	}
	make_nonce(r->drill->nonce);
	conf.key = r->drill->key;
	conf.nonce = r->drill->nonce;
	r->drill->probe = relay_probe_new(r, listen, &conf);
	return NULL;
}

void
relay_drill_stop(struct relay *r)
{
	if (r->drill != NULL)
		forget(r);
}

void
relay_drill_lost(struct relay *r)
{
	if (r->drill != NULL)
		end(r, WAY_DRILL_FAILED, "the relay's connection has ended");
}

void
relay_drill_run(struct relay *r)
{
	if (r->drill != NULL)
		relay_probe_run(r->drill->probe);
}

bool
relay_drill_wants_out(const struct relay *r)
{
	return r->drill != NULL && relay_probe_wants_out(r->drill->probe);
}
