#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <stdio.h>
#include <string.h>

#include "../auth/keys.h"
#include "../serial/usb.h"
#include "base/str.h"
#include "config_kind.h"
#include "listen.h"

#define DIGITS "0123456789"
#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS
#define HOST_BYTES 253		/* RFC 1035, as text */

/*
 * Lines.
 */
static int
set_device(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	struct usb_id id;

	if (usb_is_spec(text)) {
		if (usb_parse(&id, text) == -1)
			return config_why(why, "write usb:VID:PID[:SERIAL]"
			    "[:IF], VID and PID as hexadecimal numbers");
	} else if (text[0] != '/') {
		return config_why(why, "give a path such as /dev/ttyUSB0, or "
		    "usb:VID:PID[:SERIAL][:IF]");
	}
	return config_set_text(field, o, text, why);
}

static int
set_speed(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	(void)o;
	if (line_parse_speed(field, text) == -1)
		return config_why(why, "give bit/s as a number, such as "
		    "57600");
	return 0;
}

static const char *
speed_text(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *o)
{
	const struct line *line = field;

	(void)o;
	snprintf(dst, CONFIG_VALUE, "%u", (unsigned)line->speed);
	return dst;
}

static int
set_mode(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	(void)o;
	if (line_parse_mode(field, text) == -1)
		return config_why(why, "give data bits 5 to 8, parity N, O or "
		    "E, and stop bits 1 or 2, such as \"8N1\"");
	return 0;
}

static const char *
mode_text(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *o)
{
	(void)o;
	return line_mode_text(dst, field);
}

static int
set_flow(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	(void)o;
	if (line_parse_flow(field, text) == -1)
		return config_why(why, "give none, rtscts or xonxoff");
	return 0;
}

static const char *
flow_text(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *o)
{
	(void)dst;
	(void)o;
	return line_flow_text(field);
}

/*
 * Hosts and ports.
 */
static bool
is_address(const char *text)
{
	struct in6_addr a;

	return inet_pton(AF_INET, text, &a) == 1 ||
	    inet_pton(AF_INET6, text, &a) == 1;
}

static bool
is_host(const char *text)
{
	size_t n = strlen(text);

	return is_address(text) || (n > 0 && n <= HOST_BYTES &&
	    text[0] != '-' && text[0] != '.' &&
	    strspn(text, ALNUM "._-") == n);
}

/* What stands before the last colon; NULL: nothing of the kind. */
static const char *
split_host(const char *text, char *host, size_t size)
{
	const char *colon = strrchr(text, ':');
	struct in6_addr a;
	size_t n;

	if (colon == NULL)
		return NULL;
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		n -= 2;
		if (n >= size)
			return NULL;
		memcpy(host, text + 1, n);
		host[n] = '\0';
		return inet_pton(AF_INET6, host, &a) == 1 ? colon : NULL;
	}
	if (n >= size)
		return NULL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (strchr(host, ':') != NULL || !(n == 0 || strcmp(host, "*") == 0 ||
	    is_host(host)))
		return NULL;
	return colon;
}

int
config_listen_split(const char *text, char *host, size_t size, unsigned *port)
{
	const char *colon = split_host(text, host, size);
	int64_t v;

	/* Only digits: str_int would take a sign. */
	if (colon == NULL || strspn(colon + 1, DIGITS) != strlen(colon + 1) ||
	    str_int(colon + 1, 0, 65535, &v) == -1)
		return -1;
	*port = (unsigned)v;
	return 0;
}

static int
set_listen(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	struct sockaddr_storage sa;
	socklen_t len;

	(void)o;
	if (listen_parse(text, &sa, &len) == -1)
		return config_why(why, "give a numeric address and a port, "
		    "such as \"127.0.0.1:2222\", \"[::1]:2222\" or "
		    "\"0.0.0.0:22\"");
	return config_store(field, text);
}

static int
set_forward(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	char host[HOST_BYTES + 1];
	unsigned port;

	(void)o;
	if (config_listen_split(text, host, sizeof(host), &port) == -1)
		return config_why(why, "give what the relay shall bind as "
		    "HOST:PORT, such as \"localhost:31337\"; with port 0 the "
		    "relay picks one");
	return config_store(field, text);
}

static int
set_peer(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	char host[HOST_BYTES + 1];
	unsigned port;

	(void)o;
	if (config_listen_split(text, host, sizeof(host), &port) == -1 ||
	    !is_host(host) || port == 0)
		return config_why(why, "give a host and a TCP port that it "
		    "answers, such as \"192.0.2.1:443\" or "
		    "\"www.example.net:443\"");
	return config_store(field, text);
}

static int
set_host(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	(void)o;
	if (!is_host(text))
		return config_why(why, "give a host name or an address, "
		    "without port and brackets");
	return config_store(field, text);
}

static int
set_address(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	if (strcmp(text, o->words[0]) != 0 && !is_address(text))
		return config_why(why, "give a numeric address, such as "
		    "\"9.9.9.9\", or \"%s\"", o->words[0]);
	return config_store(field, text);
}

/* Where the host of a URL begins; NULL: it is not http. */
static const char *
url_host(const char *text)
{
	if (strncmp(text, "https://", 8) == 0)
		return text + 8;
	return strncmp(text, "http://", 7) == 0 ? text + 7 : NULL;
}

static int
set_url(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	const char *host = url_host(text);
	size_t n = host == NULL ? 0 : strcspn(host, "/?#");
	size_t all = strlen(text);

	if (n == 0 || all > (size_t)o->max)
		return config_why(why, "give a whole address of at most %d "
		    "bytes, such as \"https://ntfy.example.net/topic\"",
		    (int)o->max);
	for (size_t i = 0; i < all; i++) {
		if (text[i] <= ' ' || text[i] > '~' ||
		    strchr("\"'\\<>`{|}^", text[i]) != NULL)
			return config_why(why, "write what is not allowed in "
			    "a URL as %%XX");
	}
	if (memchr(host, '@', n) != NULL)
		return config_why(why, "take out the user and password: what "
		    "is secret stands in a file of its own");
	return config_store(field, text);
}

/*
 * The carrier.
 */

/* These texts go into AT commands and a ppp.conf: nothing to quote there. */
static int
set_login(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	size_t n = strlen(text);

	if (n == 0 || n > (size_t)o->max || text[0] == '-' ||
	    strspn(text, ALNUM "._-@+/*%=:") != n)
		return config_why(why, "a user name has 1 to %d letters, "
		    "digits and . _ - @ + / * %% = : and does not begin with "
		    "-", (int)o->max);
	return config_store(field, text);
}

static int
set_apn(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	size_t n = strlen(text);

	if (n > (size_t)o->max || strspn(text, ALNUM "._-@+/") != n)
		return config_why(why, "an APN has up to %d letters, digits "
		    "and . _ - @ + / and no blanks or quotes, such as "
		    "\"online.telia.se\"", (int)o->max);
	return config_store(field, text);
}

static int
set_dial(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	size_t n = strlen(text);

	if (n == 0 || n > (size_t)o->max || strspn(text, DIGITS "*#+") != n)
		return config_why(why, "give what the modem dials: up to %d "
		    "digits, *, # and +, such as \"*99#\" or \"*99***1#\"",
		    (int)o->max);
	return config_store(field, text);
}

/* Exact E.164. */
static int
set_phone(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	size_t n = strlen(text);

	(void)o;
	if (text[0] != '+' || n < 8 || n > 16 || text[1] == '0' ||
	    strspn(text + 1, DIGITS) != n - 1)
		return config_why(why, "give the whole number, such as "
		    "\"+46701234567\"");
	return config_store(field, text);
}

/*
 * Keys.
 */

/* A line of authorized_keys; config_keys.c parses it once more, for good. */
static int
set_key(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	struct key *k;
	int r = key_parse(text, &k, why, CONFIG_WHY);

	(void)o;
	if (r == 0)
		return config_why(why, "there is no key in it");
	if (r == -1)
		return -1;
	key_free(k);
	return config_store(field, text);
}

/* The same without options; known_hosts has a host name in their place. */
static int
set_host_key(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	char reason[KEY_ERROR];
	struct key *k = NULL;
	int r = key_parse(text, &k, reason, sizeof(reason));
	bool plain = r == 1 && strncmp(text, key_type(k),
	    strlen(key_type(k))) == 0 && strncmp(text, "sk-", 3) != 0;

	(void)o;
	key_free(k);
	if (plain)
		return config_store(field, text);
	return config_why(why, "give the type and the key only, as the second "
	    "and third word of what \"ssh-keyscan -t ed25519 HOST\" prints%s"
	    "%s", r == -1 ? ": " : "", r == -1 ? reason : "");
}

/* Only what is said of it, and an ssh-ed25519 key, as it will be used. */
static int
set_authority(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	char reason[KEY_ERROR];
	struct key *k = NULL;
	int r = key_parse(text, &k, reason, sizeof(reason));
	bool plain = r == 1 && strncmp(text, "ssh-ed25519 ", 12) == 0;

	(void)o;
	key_free(k);
	if (plain)
		return config_store(field, text);
	return config_why(why, "give the public key of the authority, an "
	    "ssh-ed25519 one, without options%s%s", r == -1 ? ": " : "",
	    r == -1 ? reason : "");
}

/* "7" or "7-9". */
static bool
is_serials(const char *text)
{
	const char *dash = strchr(text, '-');
	char first[24];
	int64_t a, b;

	snprintf(first, sizeof(first), "%.*s",
	    (int)(dash == NULL ? strlen(text) : (size_t)(dash - text)), text);
	if (str_int(first, 0, INT64_MAX, &a) == -1)
		return false;
	return dash == NULL ||
	    (str_int(dash + 1, 0, INT64_MAX, &b) == 0 && b >= a);
}

static int
set_revoked(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	char reason[KEY_ERROR];
	struct key *k = NULL;
	int r;

	(void)o;
	if (strncmp(text, "id:", 3) == 0 && text[3] != '\0')
		return config_store(field, text);
	if (strncmp(text, "serial:", 7) == 0 && is_serials(text + 7))
		return config_store(field, text);
	r = key_parse(text, &k, reason, sizeof(reason));
	if (r == 1 && strncmp(text, key_type(k), strlen(key_type(k))) == 0) {
		key_free(k);
		return config_store(field, text);
	}
	key_free(k);
	return config_why(why, "write serial:NUMBER, serial:FIRST-LAST, "
	    "id:TEXT, or a public key, its type first");
}

#define TEXT(set) { set, config_stored, false, true, false }
const struct config_kind
    kind_device = TEXT(set_device),
    kind_speed = { set_speed, speed_text, true, false, false },
    kind_mode = { set_mode, mode_text, false, false, false },
    kind_flow = { set_flow, flow_text, false, false, false },
    kind_listen = TEXT(set_listen),
    kind_forward = TEXT(set_forward),
    kind_peer = TEXT(set_peer),
    kind_host = TEXT(set_host),
    kind_address = TEXT(set_address),
    kind_login = TEXT(set_login),
    kind_apn = TEXT(set_apn),
    kind_dial = TEXT(set_dial),
    kind_phone = TEXT(set_phone),
    kind_url = { set_url, config_stored, false, true, true },
    kind_key = TEXT(set_key),
    kind_host_key = TEXT(set_host_key),
    kind_authority = TEXT(set_authority),
    kind_revoked = TEXT(set_revoked);
