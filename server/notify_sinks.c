#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "../auth/hmac.h"
#include "base/fileio.h"
#include "base/mem.h"
#include "base/str.h"
#include "notify_sinks.h"

#define PUSHOVER_URL "https://api.pushover.net/1/messages.json"
#define FORM_MAX 8192
#define SECRET_FILE_MAX 4096
#define SECONDS(us) ((us) / 1000000)

/* What is to be told, and what of it stands in a request. */
struct letter {
	const struct config_notify *conf;
	const char *box;
	const struct notify_message *m;
	int64_t utc_us;
	struct notify_request *r;
	struct notify_result *result;
};

static void
set_result(struct notify_result *result, enum notify_outcome outcome,
    const char *what, const char *why)
{
	result->outcome = outcome;
	result->retry_ms = -1;
	snprintf(result->why, sizeof(result->why), "%s%s", what, why);
}

static void
no_secret(const struct letter *l, const char *path, const char *why)
{
	memset(l->result, 0, sizeof(*l->result));
	set_result(l->result, NOTIFY_FAILED, "", "");
	snprintf(l->result->why, sizeof(l->result->why), "%s: %s", path, why);
}

/*
 * The first line of a file with a secret: printable ASCII, for it becomes
 * part of headers.  NULL with the result said; wiped and freed by drop.
 */
static char *
secret(const struct letter *l, const char *path)
{
	size_t n, len = 0;
	char *text = file_read(path, SECRET_FILE_MAX, &n), *line;

	if (text == NULL) {
		no_secret(l, path, strerror(errno));
		return NULL;
	}
	while (len < n && text[len] > ' ' && text[len] <= '~')
		len++;
	if (len == 0 || len > NOTIFY_SECRET_MAX ||
	    (len < n && memchr(" \t\r\n", text[len], 4) == NULL)) {
		freezero(text, n);
		no_secret(l, path, "its first line is not 1 to 256 printable "
		    "characters");
		return NULL;
	}
	line = xstrndup(text, len);
	freezero(text, n);
	return line;
}

static void
drop(char *line)
{
	if (line != NULL)
		freezero(line, strlen(line));
}

static void
title(char *dst, size_t size, const struct letter *l)
{
	snprintf(dst, size, "%s: %s", l->box,
	    notify_severity_text(l->m->severity));
}

/* Pushover: a form. */

/* One more field; the form never moves, it has room for all of them. */
static void
form_add(char *form, const char *name, const char *value)
{
	static const char digits[] = "0123456789ABCDEF";
	char *p = form + strlen(form), *end = form + FORM_MAX - 4;

	p += snprintf(p, (size_t)(end - p), "%s%s=", p == form ? "" : "&",
	    name);
	for (; *value != '\0' && p < end; value++) {
		unsigned c = (uint8_t)*value;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') || strchr("-._~", (int)c) != NULL) {
			*p++ = (char)c;
			continue;
		}
		*p++ = '%';
		*p++ = digits[c >> 4];
		*p++ = digits[c & 15];
	}
	*p = '\0';
}

static int
fill_pushover(const struct letter *l)
{
	static const char *const priorities[] = {
		[NOTIFY_INFO] = "-1",
		[NOTIFY_WARNING] = "0",
		[NOTIFY_CRITICAL] = "1",
	};
	char *token = secret(l, l->conf->token_file), *user, *form;
	char text[80];

	if (token == NULL)
		return -1;
	user = secret(l, l->conf->user_file);
	if (user == NULL) {
		drop(token);
		return -1;
	}
	form = xcalloc(1, FORM_MAX);
	form_add(form, "token", token);
	form_add(form, "user", user);
	drop(token);
	drop(user);
	title(text, sizeof(text), l);
	form_add(form, "title", text);
	form_add(form, "message", l->m->text);
	form_add(form, "priority", priorities[l->m->severity]);
	snprintf(text, sizeof(text), "%" PRId64, SECONDS(l->m->utc_us));
	form_add(form, "timestamp", text);
	l->r->url = xstrdup(l->conf->url == NULL ? PUSHOVER_URL :
	    l->conf->url);
	l->r->body = form;
	l->r->body_len = strlen(form);
	notify_request_header(l->r,
	    "Content-Type: application/x-www-form-urlencoded");
	return 0;
}

/* 200 is not all: it says so itself. */
static void
judge_pushover(const struct notify_answer *a, struct notify_result *result)
{
	json_t *o = json_loads(a->body, 0, NULL);

	if (o == NULL)
		set_result(result, NOTIFY_FAILED, "that was no answer of "
		    "Pushover's", "");
	else if (json_integer_value(json_object_get(o, "status")) != 1)
		set_result(result, NOTIFY_REFUSED, "Pushover did not take it",
		    "");
	json_decref(o);
}

/* ntfy: the text as it is, and headers. */

static int
fill_ntfy(const struct letter *l)
{
	static const char *const priorities[] = {
		[NOTIFY_INFO] = "3",
		[NOTIFY_WARNING] = "4",
		[NOTIFY_CRITICAL] = "5",
	};
	char *token, text[80];

	if (l->conf->token_file != NULL) {
		token = secret(l, l->conf->token_file);
		if (token == NULL)
			return -1;
		notify_request_header(l->r, "Authorization: Bearer %s", token);
		drop(token);
	}
	title(text, sizeof(text), l);
	notify_request_header(l->r, "Title: %s", text);
	notify_request_header(l->r, "Priority: %s",
	    priorities[l->m->severity]);
	notify_request_header(l->r, "Content-Type: text/plain; charset=utf-8");
	l->r->url = xstrdup(l->conf->url);
	l->r->body = xstrdup(l->m->text);
	l->r->body_len = strlen(l->r->body);
	return 0;
}

/* webhook: JSON, and a signature over the time and it. */

static void
sign(const struct letter *l, const char *key)
{
	char when[32], hex[2 * HMAC_LEN + 1];
	struct digest_piece pieces[] = {
		{ when, 0 }, { ".", 1 }, { l->r->body, l->r->body_len },
	};
	uint8_t mac[HMAC_LEN];

	snprintf(when, sizeof(when), "%" PRId64, SECONDS(l->utc_us));
	pieces[0].n = strlen(when);
	hmac(mac, key, strlen(key), pieces, 3);
	for (size_t i = 0; i < sizeof(mac); i++)
		snprintf(hex + 2 * i, 3, "%02x", mac[i]);
	notify_request_header(l->r, "X-Oob-Timestamp: %s", when);
	notify_request_header(l->r, "X-Oob-Signature: sha256=%s", hex);
}

static int
fill_webhook(const struct letter *l)
{
	char *key = secret(l, l->conf->secret_file), when[STAMP_TEXT];
	json_t *o;

	if (key == NULL)
		return -1;
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "box", l->box,
	    "port", l->m->source, "event", l->m->event, "severity",
	    notify_severity_text(l->m->severity),
	    "time", stamp_text(when, l->m->utc_us),
	    "seq", (json_int_t)l->m->seq, "text", l->m->text);
	l->r->body = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (l->r->body == NULL)
		l->r->body = xstrdup("{}");
	l->r->body_len = strlen(l->r->body);
	l->r->url = xstrdup(l->conf->url);
	notify_request_header(l->r, "Content-Type: application/json");
	sign(l, key);
	drop(key);
	return 0;
}

/* The table. */

static const struct {
	const char *name;
	enum notify_carrier carrier;
	int64_t limit_ms;	/* of NOTIFY_BY_HTTP, like those below */
	const char *reset;	/* header: when more is taken */
	int (*fill)(const struct letter *);
	/* Of a good status; may be NULL. */
	void (*judge)(const struct notify_answer *, struct notify_result *);
} types[] = {
	[NOTIFY_PUSHOVER] = { "pushover", NOTIFY_BY_HTTP, 10000,
	    "X-Limit-App-Reset", fill_pushover, judge_pushover },
	[NOTIFY_NTFY] = { "ntfy", NOTIFY_BY_HTTP, 10000, NULL, fill_ntfy,
	    NULL },
	[NOTIFY_WEBHOOK] = { "webhook", NOTIFY_BY_HTTP, 5000, NULL,
	    fill_webhook, NULL },
	[NOTIFY_EXEC] = { "exec", NOTIFY_BY_EXEC, 0, NULL, NULL, NULL },
	[NOTIFY_SMS] = { "sms", NOTIFY_BY_SMS, 0, NULL, NULL, NULL },
};

const char *
notify_sink_type(enum notify_type type)
{
	return types[type].name;
}

enum notify_carrier
notify_sink_carrier(enum notify_type type)
{
	return types[type].carrier;
}

int
notify_sink_request(const struct config_notify *conf, const char *box,
    const struct notify_message *m, int64_t utc_us, struct notify_request *r,
    struct notify_result *result)
{
	struct letter l = { conf, box, m, utc_us, r, result };

	r->ca_file = conf->ca_file == NULL ? NULL : xstrdup(conf->ca_file);
	r->limit_ms = types[conf->type].limit_ms;
	r->reset_header = types[conf->type].reset;
	return types[conf->type].fill(&l);
}

void
notify_sink_judge(enum notify_type type, const struct notify_answer *a,
    struct notify_result *result)
{
	char status[32];

	memset(result, 0, sizeof(*result));
	snprintf(status, sizeof(status), "HTTP status %d", a->status);
	if (a->status == 0) {
		set_result(result, NOTIFY_FAILED, a->why, "");
	} else if (a->status >= 200 && a->status <= 299) {
		set_result(result, NOTIFY_SENT, status, "");
		if (types[type].judge != NULL)
			types[type].judge(a, result);
	} else if (a->status == 429) {
		set_result(result, NOTIFY_LATER, status,
		    ": too many for it");
		result->retry_ms = a->retry_ms >= 0 ? a->retry_ms :
		    a->reset_ms;
	} else if (a->status >= 500 && a->retry_ms >= 0) {
		set_result(result, NOTIFY_LATER, status, "");
		result->retry_ms = a->retry_ms;
	} else if (a->status >= 300 && a->status <= 499) {
		set_result(result, NOTIFY_REFUSED, status,
		    a->status < 400 ? ": it is elsewhere, correct its url" :
		    ": not taken, and not sent again");
	} else {
		set_result(result, NOTIFY_FAILED, status, "");
	}
}

void
notify_sink_judge_exit(int status, const char *why,
    struct notify_result *result)
{
	memset(result, 0, sizeof(*result));
	set_result(result, status == 0 ? NOTIFY_SENT :
	    status == EX_DATAERR ? NOTIFY_REFUSED : NOTIFY_FAILED, why,
	    status == EX_DATAERR ? ": not taken, and not given again" : "");
}

char *
notify_sink_text(const char *box, const struct notify_message *m)
{
	return xasprintf("%s: %s", box, m->text);
}

char **
notify_sink_environment(const struct config_notify *conf, const char *box,
    const struct notify_message *m)
{
	char **env = xcalloc(8, sizeof(*env)), when[STAMP_TEXT];
	size_t n = 0;

	env[n++] = xasprintf("OOB_BOX=%s", box);
	env[n++] = xasprintf("OOB_SINK=%s", conf->name);
	env[n++] = xasprintf("OOB_PORT=%s", m->source);
	env[n++] = xasprintf("OOB_EVENT=%s", m->event);
	env[n++] = xasprintf("OOB_SEVERITY=%s",
	    notify_severity_text(m->severity));
	env[n++] = xasprintf("OOB_TIME=%s", stamp_text(when, m->utc_us));
	env[n++] = xasprintf("OOB_SEQ=%" PRIu64, m->seq);
	return env;
}
