#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../auth/keys.h"
#include "base/mem.h"
#include "keyring.h"
#include "relay_key.h"

/* For "%s%s%s": IPv6 addresses stand in brackets. */
#define BRACKETED(host) strchr((host), ':') != NULL ? "[" : "", (host), \
	strchr((host), ':') != NULL ? "]" : ""

static const struct {
	const char *type, *algorithms;
} kinds[] = {
	{ "ssh-rsa", "rsa-sha2-512,rsa-sha2-256" },
};

ssh_key
relay_key_load(const struct keyring *keys, const char *path, char *why,
    size_t size)
{
	ssh_key key = NULL;
	char *text = keyring_read(keys, path);

	if (text == NULL) {
		if (errno == EPERM)
			snprintf(why, size, "identity %s: others may read it "
			    "(chmod 600 it)", path);
		else
			snprintf(why, size, "identity %s: %s%s", path,
			    strerror(errno), errno == ENOENT ?
			    " (oobctl relay keygen makes it)" :
			    " (is it the service user's?)");
		return NULL;
	}
	if (ssh_pki_import_privkey_base64(text, NULL, NULL, NULL, &key) !=
	    SSH_OK || ssh_key_type(key) != SSH_KEYTYPE_ED25519) {
		snprintf(why, size, "identity %s: not an ed25519 key without "
		    "a passphrase (oobctl relay keygen makes one)", path);
		ssh_key_free(key);
		key = NULL;
	}
	freezero(text, strlen(text));
	return key;
}

static struct key *
parse_pin(const char *line)
{
	char err[KEY_ERROR];
	struct key *key;

	/* The configuration was checked: a bad line pins nothing. */
	return key_parse(line, &key, err, sizeof(err)) == 1 ? key : NULL;
}

void
relay_key_algorithms(const struct config_relay *conf,
    char dst[RELAY_KEY_ALGORITHMS])
{
	size_t n = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < conf->nhost_keys; i++) {
		struct key *key = parse_pin(conf->host_keys[i]);
		const char *type;

		if (key == NULL)
			continue;
		type = key_type(key);
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			if (strcmp(kinds[k].type, type) == 0)
				type = kinds[k].algorithms;
		}
		if (strstr(dst, type) == NULL &&
		    n + strlen(type) + 2 < RELAY_KEY_ALGORITHMS)
			n += (size_t)snprintf(dst + n,
			    RELAY_KEY_ALGORITHMS - n, "%s%s",
			    n == 0 ? "" : ",", type);
		key_free(key);
	}
}

bool
relay_key_is_pinned(const struct config_relay *conf, const char *base64,
    const char *fingerprint, char *why, size_t size)
{
	char print[KEY_FINGERPRINT];
	bool found = false;
	size_t n = 0;

	n = (size_t)snprintf(why, size, "wrong host key: seen %s, expected",
	    fingerprint);
	for (size_t i = 0; i < conf->nhost_keys; i++) {
		struct key *key = parse_pin(conf->host_keys[i]);

		if (key == NULL)
			continue;
		found = found || key_matches(key, base64);
		if (n < size)
			n += (size_t)snprintf(why + n, size - n, "%s %s",
			    i == 0 ? "" : " or", key_fingerprint(print, key));
		key_free(key);
	}
	return found;
}

bool
relay_key_any_port(const struct config_relay *conf)
{
	char host[256];
	unsigned port;

	for (size_t i = 0; i < conf->nlisten; i++) {
		if (config_listen_split(conf->listen[i], host, sizeof(host),
		    &port) == 0 && port == 0)
			return true;
	}
	return false;
}

const char *
relay_key_open_host(const char *host)
{
	bool any = host[0] == '\0' || strcmp(host, "*") == 0 ||
	    strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;

	return any ? "localhost" : host;
}

/* One option for one listen; the caller frees the old text. */
static char *
add_options(char *line, const char *listen)
{
	char host[256], number[16] = "*";
	const char *open;
	unsigned port;
	char *longer;

	if (config_listen_split(listen, host, sizeof(host), &port) == -1)
		return line;
	if (port != 0)
		snprintf(number, sizeof(number), "%u", port);
	open = relay_key_open_host(host);
	longer = xasprintf("%s,permitlisten=\"%s%s%s:%s\","
	    "permitopen=\"%s%s%s:%s\"", line, BRACKETED(host[0] == '\0' ?
	    "*" : host), number, BRACKETED(open), number);
	free(line);
	return longer;
}

char *
relay_key_line(const struct config_relay *conf, const char *base64,
    const char *box)
{
	char *line = xstrdup("restrict,port-forwarding"), *whole;

	for (size_t i = 0; i < conf->nlisten; i++)
		line = add_options(line, conf->listen[i]);
	whole = xasprintf("%s ssh-ed25519 %s oobd@%s", line, base64, box);
	free(line);
	return whole;
}
