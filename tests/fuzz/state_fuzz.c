/*
 * Files that the daemon keeps for itself, of any content: each is read, put
 * aside or begun anew, and what is written from it is read again the same.
 * The first byte says which file it is.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/codes.h"
#include "modem/budget.h"
#include "modem/linkstate.h"
#include "modem/outbox.h"
#include "modem/pinlog.h"
#include "modem/seen.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/base/os.h"
#include "server/bookmarks.h"
#include "server/modem_drill_file.h"
#include "server/modem_saved.h"
#include "server/notify_queue.h"
#include "server/notify_sinks.h"
#include "server/pending.h"
#include "server/pppleft.h"
#include "tests/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);


static void
put(const char *name, const uint8_t *p, size_t n)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", world_dir, name);
	f = fopen(path, "w");
	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0)
		abort();
	chmod(path, 0600);
}

static const char *
path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", world_dir, name);
	return path;
}

static void
read_codes(const uint8_t *p, size_t n)
{
	struct codes_query q = { .code = "12345678", .totp = true };
	struct codes_record r;
	struct codes_match m;
	struct codes *c;

	put("codes/alice", p, n);
	c = codes_open(world_dir);
	if (codes_take(c, &q, &m) == CODES_GOOD && m.who[0] == '\0')
		abort();
	codes_look(c, "alice", &q, &m);
	if (codes_get(c, "alice", &r) == 0)
		explicit_bzero(&r, sizeof(r));
	codes_close(c);
}

/* One of this boot: others are not read beyond that. */
static void
put_booted(const char *name, const char *head, const uint8_t *p, size_t n)
{
	char boot[OS_BOOT_ID] = "", *text;

	os_boot_id(boot, sizeof(boot));
	text = xasprintf("%s\nboot %s\n%.*s", head, boot, (int)n,
	    (const char *)p);
	put(name, (uint8_t *)text, strlen(text));
	free(text);
}

static void
read_link(const uint8_t *p, size_t n)
{
	struct linkstate_saved s, again;

	put_booted("link", "oobd link 1", p, n);
	memset(&s, 0, sizeof(s));
	memset(&again, 0, sizeof(again));
	if (!modem_saved_read(world_dir, &s))
		return;
	modem_saved_write(world_dir, &s);
	if (!modem_saved_read(world_dir, &again))
		abort();
}

static void
read_dead(const uint8_t *p, size_t n)
{
	struct mono since;

	put_booted("uplink", "oobd uplink 1", p, n);
	modem_saved_was_dead(world_dir, &since, "a b");
}

static void
read_drill(const uint8_t *p, size_t n)
{
	struct modem_drill_record r, again;

	put("drill", p, n);
	modem_drill_read(world_dir, &r);
	if (modem_drill_write(world_dir, &r) == -1)
		abort();
	modem_drill_read(world_dir, &again);
}

static void
no_send(void *arg, const char *hex, size_t n)
{
	(void)arg;
	(void)hex;
	(void)n;
}

static void
no_end(void *arg, const struct outbox_end *e)
{
	(void)arg;
	(void)e;
}

static void
read_outbox(const uint8_t *p, size_t n)
{
	static const struct outbox_conf conf = { 30, 10 };
	static const struct outbox_ops ops = { no_send, no_end };
	struct outbox *o;

	put("sms_out", p, n);
	o = outbox_new(path_of("sms_out"), &conf, &ops, NULL);
	outbox_ready(o, true);
	outbox_run(o, mono_now());
	outbox_answer(o, OUTBOX_TAKEN, -1);
	outbox_run(o, mono_now());
	outbox_free(o);
}

static void
read_seen(const uint8_t *p, size_t n)
{
	static const uint8_t key[SEEN_KEY] = { 1 };
	struct seen *s;

	put("sms_seen", p, n);
	s = seen_open(path_of("sms_seen"));
	seen_meet(s, key);
	if (seen_save(s) == -1)
		abort();
	seen_free(s);
	s = seen_open(path_of("sms_seen"));
	if (!seen_meet(s, key))
		abort();
	seen_free(s);
}

static void
read_pins(const uint8_t *p, size_t n)
{
	put("pins", p, n);
	pinlog_look(path_of("pins"), "89460000000000000000", "1234");
	pinlog_look(path_of("pins"), NULL, "1234");
}

static void
read_budget(const uint8_t *p, size_t n)
{
	static const struct budget_conf conf = { 1, 2, 3, 4, 1 };
	char why[BUDGET_TEXT];
	struct budget *b;

	put("budget", p, n);
	b = budget_new(path_of("budget"), &conf, stamp_now());
	budget_refuses(b, false, stamp_now(), why);
	budget_free(b);
	unlink(path_of("budget.bad"));
}

static void
read_bookmarks(const uint8_t *p, size_t n)
{
	char *text = xstrndup((const char *)p, n), *one, *two;
	struct bookmarks *b = bookmarks_new(), *again = bookmarks_new();

	if (bookmarks_load(b, text) == 0) {
		one = bookmarks_save(b);
		if (bookmarks_load(again, one) == -1)
			abort();
		two = bookmarks_save(again);
		if (strcmp(one, two) != 0)
			abort();
		free(one);
		free(two);
	}
	bookmarks_free(again);
	bookmarks_free(b);
	free(text);
}

static void
read_notices(const uint8_t *p, size_t n)
{
	char *text = xstrndup((const char *)p, n), *one;
	struct notify_queue *q = notify_queue_new();
	struct notify_queue *again = notify_queue_new();
	struct stamp now = stamp_now();

	if (notify_queue_load(q, text, n, now) == 0) {
		one = notify_queue_save(q, now);
		if (notify_queue_load(again, one, strlen(one), now) == -1 ||
		    notify_queue_count(again) != notify_queue_count(q))
			abort();
		free(one);
	}
	notify_queue_free(again);
	notify_queue_free(q);
	free(text);
}

/* Of PPP: only what PPP made is touched by what stands there. */
static void
read_pppleft(const uint8_t *p, size_t n)
{
	struct pppleft l, again;

	put("ppp", p, n);
	if (!pppleft_read(world_dir, &l) || l.pid < 0 || l.pid == 1 ||
	    l.nroutes > PPPLEFT_ROUTES || (l.interface[0] != '\0' &&
	    strncmp(l.interface, "ppp", 3) != 0 &&
	    strncmp(l.interface, "tun", 3) != 0))
		abort();
	for (size_t i = 0; i < l.nroutes; i++) {
		if (!route_is_host(l.routes[i]))
			abort();
	}
	pppleft_write(world_dir, &l);
	if (!pppleft_read(world_dir, &again) ||
	    strcmp(l.interface, again.interface) != 0 ||
	    (l.pid != 0 && l.pid != again.pid) || l.all != again.all ||
	    l.nroutes != again.nroutes)
		abort();
}

/* What a tool left for the box's journal: of one kind only, and safe. */
static void
on_pending(void *arg, const char *text)
{
	(void)arg;
	if (strncmp(text, "credentials ", 12) != 0 ||
	    strlen(text) >= PENDING_LINE)
		abort();
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			abort();
	}
}

static void
read_pending(const uint8_t *p, size_t n)
{
	mkdir(path_of("witness"), 0700);
	put("witness/pending", p, n);
	pending_take(world_dir, on_pending, NULL);
	/* Taken once; one that is too long stays for a person to see. */
	if (n <= PENDING_MAX && access(path_of("witness/pending"), F_OK) == 0)
		abort();
}

static void
on_message(void *arg, const char *message)
{
	unsigned *errors = arg;

	++*errors;
	for (; *message != '\0'; message++) {
		if ((unsigned char)*message < 0x20 || *message == 0x7f)
			abort();
	}
}

static void
read_keys(const uint8_t *p, size_t n)
{
	unsigned errors = 0;
	struct config *c;
	char text[300];

	put("keys", p, n);
	snprintf(text, sizeof(text), "name = box\nservice_user = nobody\n"
	    "console gw { device = /d }\nuser a { keys_file = \"%s\" }\n",
	    path_of("keys"));
	put("conf", (const uint8_t *)text, strlen(text));
	c = config_load(path_of("conf"), on_message, &errors);
	if ((c == NULL) != (errors > 0))
		abort();
	config_free(c);
}

/* A token becomes part of a header, and can be no other one. */
static void
read_token(const uint8_t *p, size_t n)
{
	struct config_notify conf = { .name = (char *)(uintptr_t)"n",
	    .type = NOTIFY_NTFY, .url = (char *)(uintptr_t)"https://h/t" };
	struct notify_message m = { .text = "x" };
	struct notify_request r;
	struct notify_result result;
	char token[128];

	put("token", p, n);
	snprintf(token, sizeof(token), "%s", path_of("token"));
	conf.token_file = token;
	memset(&r, 0, sizeof(r));
	if (notify_sink_request(&conf, "box", &m, 0, &r, &result) == -1 &&
	    result.why[0] == '\0')
		abort();
	for (size_t i = 0; i < r.nheaders; i++) {
		for (const char *s = r.headers[i]; *s != '\0'; s++) {
			if (*s < ' ' || *s > '~')
				abort();
		}
	}
	notify_request_wipe(&r);
}

/* An answer of Pushover's server. */
static void
read_answer(const uint8_t *p, size_t n)
{
	char *text = xstrndup((const char *)p, n);
	struct notify_answer a = { 200, true, -1, -1, text, "" };
	struct notify_result result;

	notify_sink_judge(NOTIFY_PUSHOVER, &a, &result);
	if (result.why[0] == '\0')
		abort();
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static void (*const readers[])(const uint8_t *, size_t) = {
		read_codes, read_link, read_dead, read_drill, read_outbox,
		read_seen, read_pins, read_budget, read_bookmarks,
		read_notices, read_pppleft, read_pending, read_keys,
		read_token, read_answer,
	};
	size_t kinds = sizeof(readers) / sizeof(readers[0]);

	if (world_dir[0] == '\0') {
		world_begin();
		if (mkdir(path_of("codes"), 0700) != 0)
			abort();
		/* Not a line for each file that is none. */
		log_open(NULL, LOG_TO_SYSLOG, false);
	}
	if (n == 0)
		return 0;
	readers[(size_t)(p[0] - '0') % kinds](p + 1, n - 1);
	return 0;
}
