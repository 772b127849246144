#include <sys/types.h>

#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../auth/keys.h"
#include "../serial/usb.h"
#include "base/mem.h"
#include "base/str.h"
#include "config_internal.h"
#include "listen.h"

#define MINUTE (60 * 1000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define PATH_BYTES 1000

const char *const config_roles[] = {
	[ROLE_VIEWER] = "viewer",
	[ROLE_OPERATOR] = "operator",
	[ROLE_ADMIN] = "admin",
	NULL,
};

const char *const config_sharings[] = {
	[SHARING_SINGLE] = "single",
	[SHARING_ALL] = "all",
	NULL,
};

static int why_not(char why[CONFIG_WHY], const char *, ...)
    __attribute__((format(printf, 2, 3)));

static int
why_not(char why[CONFIG_WHY], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, CONFIG_WHY, fmt, ap);
	va_end(ap);
	return -1;
}

/*
 * Setters, one per kind of value.
 */
static int
store(void *field, const char *text)
{
	char **s = field;

	if (s != NULL) {
		free(*s);
		*s = xstrdup(text);
	}
	return 0;
}

/* Text for people: valid UTF-8 without control characters. */
static int
set_text(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	size_t n = strlen(text);

	if (n > (size_t)o->max)
		return why_not(why, "shorten it to %d bytes", (int)o->max);
	for (const char *p = text; *p != '\0';) {
		int len = str_utf8((const uint8_t *)p,
		    n - (size_t)(p - text));

		if (len <= 0 || (unsigned char)*p < 0x20 || *p == 0x7f)
			return why_not(why, "take out the control characters "
			    "and what is not UTF-8");
		p += len;
	}
	return store(field, text);
}

static int
set_word(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	if (text[0] == '\0')
		return why_not(why, "it must not be empty");
	return set_text(field, o, text, why);
}

static int
set_path(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	if (text[0] != '/')
		return why_not(why, "give the whole path, from /");
	return set_text(field, o, text, why);
}

static int
set_name(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	(void)o;
	if (!str_is_name(text))
		return why_not(why, "a name has 1 to 32 letters, digits, "
		    "'.', '_' and '-', and begins with a letter or digit");
	return store(field, text);
}

static int
set_device(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	struct usb_id id;

	if (usb_is_spec(text)) {
		if (usb_parse(&id, text) == -1)
			return why_not(why, "write usb:VID:PID[:SERIAL][:IF], "
			    "VID and PID as hexadecimal numbers");
	} else if (text[0] != '/') {
		return why_not(why, "give a path such as /dev/ttyUSB0, or "
		    "usb:VID:PID[:SERIAL][:IF]");
	}
	return set_text(field, o, text, why);
}

static int
set_listen(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	struct sockaddr_storage sa;
	socklen_t len;

	(void)o;
	if (listen_parse(text, &sa, &len) == -1)
		return why_not(why, "give a numeric address and a port, such "
		    "as \"127.0.0.1:2222\", \"[::1]:2222\" or \"0.0.0.0:22\"");
	return store(field, text);
}

/* A line of authorized_keys; config_keys.c parses it once more, for good. */
static int
set_key(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	struct key *k;
	int r = key_parse(text, &k, why, CONFIG_WHY);

	(void)o;
	if (r == 0)
		return why_not(why, "there is no key in it");
	if (r == -1)
		return -1;
	key_free(k);
	return store(field, text);
}

static int
set_duration(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	char lo[STR_NUM], hi[STR_NUM];
	int64_t ms;

	if (str_duration(text, &ms) == -1 || ms < o->min || ms > o->max)
		return why_not(why, "give a duration from %s to %s, such as "
		    "250ms, 90s, 30min or 4h", str_duration_text(lo, o->min),
		    str_duration_text(hi, o->max));
	if (field != NULL)
		*(int64_t *)field = ms;
	return 0;
}

static int
set_number(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	int64_t v;

	if (str_int(text, o->min, o->max, &v) == -1)
		return why_not(why, "give a number from %d to %d",
		    (int)o->min, (int)o->max);
	if (field != NULL)
		*(unsigned *)field = (unsigned)v;
	return 0;
}

static int
set_ring(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	char lo[STR_NUM], hi[STR_NUM];
	int64_t v;

	if (str_size(text, &v) == -1 || v < o->min || v > o->max ||
	    (v & (v - 1)) != 0)
		return why_not(why, "give a power of two from %s to %s, such "
		    "as 256kb or 1mb", str_size_text(lo, o->min),
		    str_size_text(hi, o->max));
	*(size_t *)field = (size_t)v;
	return 0;
}

static int
set_bool(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	(void)o;
	if (str_bool(text, field) == -1)
		return why_not(why, "give true or false");
	return 0;
}

static int
set_speed(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	(void)o;
	if (line_parse_speed(field, text) == -1)
		return why_not(why, "give bit/s as a number, such as 57600");
	return 0;
}

static int
set_mode(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	(void)o;
	if (line_parse_mode(field, text) == -1)
		return why_not(why, "give data bits 5 to 8, parity N, O or E, "
		    "and stop bits 1 or 2, such as \"8N1\"");
	return 0;
}

static int
set_flow(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	(void)o;
	if (line_parse_flow(field, text) == -1)
		return why_not(why, "give none, rtscts or xonxoff");
	return 0;
}

/* Place of text in words, -1 with the words in why. */
static int
choose(const char *const *words, const char *text, char why[CONFIG_WHY])
{
	int n = snprintf(why, CONFIG_WHY, "give one of");

	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0)
			return i;
		n += snprintf(why + n, CONFIG_WHY - (size_t)n, "%s %s",
		    i == 0 ? "" : ",", words[i]);
	}
	return -1;
}

static int
set_role(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	int i = choose(config_roles, text, why);

	(void)o;
	if (i == -1)
		return -1;
	*(enum role *)field = (enum role)i;
	return 0;
}

static int
set_sharing(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	int i = choose(config_sharings, text, why);

	(void)o;
	if (i == -1)
		return -1;
	*(enum sharing *)field = (enum sharing)i;
	return 0;
}

/* "^E" or, as it is typed, "^Ec"; "off". */
static int
set_escape(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	size_t n = strlen(text);
	int c;

	(void)o;
	if (strcmp(text, "off") == 0) {
		*(int *)field = -1;
		return 0;
	}
	c = n >= 2 ? (unsigned char)text[1] : 0;
	if (c >= 'a' && c <= 'z')
		c -= 'a' - 'A';
	if (text[0] != '^' || c < '?' || c > '_' || n > 3 ||
	    (n == 3 && text[2] != 'c'))
		return why_not(why, "give a control key such as \"^E\" or "
		    "\"^]\", or off");
	if (c == 'M' || c == 'J')
		return why_not(why, "that is the Return key: take another "
		    "one, such as \"^E\"");
	*(int *)field = c ^ 0x40;
	return 0;
}

static int
set_regex(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	char reason[120];
	regex_t re;
	int r;

	if (text[0] == '\0')
		return why_not(why, "an empty pattern matches everything");
	r = regcomp(&re, text, REG_EXTENDED | REG_NOSUB);
	if (r != 0) {
		regerror(r, &re, reason, sizeof(reason));
		return why_not(why, "not an extended regular expression: %s",
		    reason);
	}
	regfree(&re);
	return set_text(field, o, text, why);
}

/* Exact E.164. */
static int
set_phone(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	size_t n = strlen(text);

	(void)o;
	if (text[0] != '+' || n < 8 || n > 16 || text[1] == '0' ||
	    strspn(text + 1, "0123456789") != n - 1)
		return why_not(why, "give the whole number, such as "
		    "\"+46701234567\"");
	return store(field, text);
}

static int
set_when(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	static const char *const words[] = { "activated", "always", NULL };

	(void)field;
	(void)o;
	return choose(words, text, why) == -1 ? -1 : 0;
}

static int
set_notify_type(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	static const char *const words[] = {
		"pushover", "ntfy", "webhook", "exec", NULL
	};

	(void)field;
	(void)o;
	return choose(words, text, why) == -1 ? -1 : 0;
}

/*
 * The tables.
 */
#define AT(type, field) offsetof(struct type, field)
#define ONE(name, set, dflt, type, field, min, max) \
	{ name, set, dflt, AT(type, field), 0, min, max, false }
#define LIST(name, set, dflt, type, field, count, max) \
	{ name, set, dflt, AT(type, field), AT(type, count), 0, max, true }
/* Of a section that is only checked. */
#define ONLY(name, set, min, max) \
	{ name, set, NULL, 0, 0, min, max, false }
#define ONLY_LIST(name, set, max) \
	{ name, set, NULL, 0, 0, 0, max, true }
#define END { NULL, NULL, NULL, 0, 0, 0, 0, false }

static const struct config_option alert_options[] = {
	ONE("match", set_regex, NULL, config_alert, match, 0, 512),
	END
};

static const struct config_section console_sections[] = {
	{ "alert", true, false, alert_options, NULL },
	{ NULL, false, false, NULL, NULL },
};

#define CON(name, set, dflt, field, min, max) \
	ONE(name, set, dflt, config_console, field, min, max)
static const struct config_option console_options[] = {
	CON("device", set_device, NULL, device, 0, PATH_BYTES),
	CON("speed", set_speed, NULL, line, 0, 0),
	CON("mode", set_mode, NULL, line, 0, 0),
	CON("flow", set_flow, NULL, line, 0, 0),
	CON("description", set_text, "", description, 0, 200),
	CON("sharing", set_sharing, "single", sharing, 0, 0),
	CON("record_input", set_bool, "false", record_input, 0, 0),
	CON("break", set_duration, "300ms", break_ms, 1, 10000),
	CON("ring", set_ring, "1mb", ring, 64 << 10, 16 << 20),
	END
};

#define SSH(name, set, dflt, field, min, max) \
	ONE(name, set, dflt, config_ssh, field, min, max)
static const struct config_option ssh_options[] = {
	LIST("listen", set_listen, "127.0.0.1:2222 [::1]:2222", config_ssh,
	    listen, nlisten, 0),
	SSH("host_key", set_word, "ssh_host_ed25519_key", host_key, 0,
	    PATH_BYTES),
	SSH("login_grace", set_duration, "20s", login_grace_ms, 1000, HOUR),
	SSH("max_unauth", set_number, "16", max_unauth, 2, 1000),
	SSH("max_unauth_source", set_number, "4", max_unauth_source, 1, 1000),
	SSH("max_auth_tries", set_number, "6", max_auth_tries, 1, 100),
	SSH("max_sessions", set_number, "64", max_sessions, 1, 10000),
	SSH("max_channels", set_number, "8", max_channels, 1, 1000),
	SSH("keepalive", set_duration, "15s", keepalive_ms, 1000, DAY),
	SSH("keepalive_count", set_number, "4", keepalive_count, 1, 100),
	END
};

static const struct config_option user_options[] = {
	LIST("keys", set_key, NULL, config_user, keys, nkeys, 0),
	ONE("keys_file", set_path, NULL, config_user, keys_file, 0,
	    PATH_BYTES),
	ONE("role", set_role, "operator", config_user, role, 0, 0),
	LIST("consoles", set_word, "*", config_user, consoles, nconsoles, 100),
	ONE("escape", set_escape, "^E", config_user, escape, 0, 0),
	END
};

static const struct config_option relay_options[] = {
	ONLY("host", set_word, 0, 255),
	ONLY("port", set_number, 1, 65535),
	ONLY("user", set_word, 0, 64),
	ONLY("identity", set_word, 0, PATH_BYTES),
	ONLY_LIST("host_key", set_key, 0),
	ONLY("listen", set_word, 0, 300),
	ONLY("when", set_when, 0, 0),
	END
};

static const struct config_option modem_options[] = {
	ONLY("data", set_device, 0, PATH_BYTES),
	ONLY("control", set_device, 0, PATH_BYTES),
	ONLY("apn", set_word, 0, 100),
	ONLY("pin_file", set_path, 0, PATH_BYTES),
	END
};

static const struct config_option activation_options[] = {
	ONLY_LIST("from", set_phone, 0),
	ONLY("hold", set_duration, MINUTE, 7LL * DAY),
	ONLY("max_hold", set_duration, MINUTE, 7LL * DAY),
	ONLY("tries", set_number, 1, 100),
	ONLY_LIST("report", set_phone, 0),
	END
};

static const struct config_option notify_options[] = {
	ONLY("type", set_notify_type, 0, 0),
	ONLY("token_file", set_path, 0, PATH_BYTES),
	ONLY("user_file", set_path, 0, PATH_BYTES),
	END
};

static const struct config_section root_sections[] = {
	{ "console", true, false, console_options, console_sections },
	{ "ssh", false, false, ssh_options, NULL },
	{ "user", true, false, user_options, NULL },
	{ "relay", true, true, relay_options, NULL },
	{ "modem", false, true, modem_options, NULL },
	{ "activation", false, true, activation_options, NULL },
	{ "notify", true, true, notify_options, NULL },
	{ NULL, false, false, NULL, NULL },
};

#define TOP(name, set, dflt, field, min, max) \
	ONE(name, set, dflt, config, field, min, max)
static const struct config_option root_options[] = {
	TOP("name", set_name, NULL, name, 0, 0),
	TOP("state_dir", set_path, NULL, state_dir, 0, PATH_BYTES),
	TOP("log_dir", set_path, NULL, log_dir, 0, PATH_BYTES),
	TOP("run_dir", set_path, NULL, run_dir, 0, PATH_BYTES),
	/* sockaddr_un holds 104 bytes on FreeBSD, the NUL included. */
	TOP("control", set_path, NULL, control, 0, 103),
	TOP("service_user", set_word, NULL, service_user, 0, 32),
	TOP("control_group", set_word, NULL, control_group, 0, 32),
	TOP("deadline", set_duration, "5s", deadline_ms, 500, HOUR),
	TOP("sync", set_duration, "30s", sync_idle_ms, 100, HOUR),
	TOP("sync_typing", set_duration, "1s", sync_typing_ms, 100, HOUR),
	END
};

const struct config_section config_root = {
	"", false, false, root_options, root_sections
};

const struct config_option *
config_find_option(const struct config_section *in, const char *name)
{
	for (const struct config_option *o = in->options; o->name != NULL;
	    o++) {
		if (strcmp(o->name, name) == 0)
			return o;
	}
	return NULL;
}

const struct config_section *
config_find_section(const struct config_section *in, const char *name)
{
	const struct config_section *s = in->sections;

	for (; s != NULL && s->name != NULL; s++) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

char *
config_escape_text(char dst[8], int escape)
{
	if (escape == -1)
		snprintf(dst, 8, "off");
	else
		snprintf(dst, 8, "^%c", (char)(escape ^ 0x40));
	return dst;
}
