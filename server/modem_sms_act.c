#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/str.h"
#include "modem_sms_internal.h"

/*
 * What a command by SMS does, and the answer.  tail, who and status ask the
 * console process first, for a limited time.
 */

#define ASK_BYTES 65536		/* of the console process's answer */
#define ASK_MS 10000
#define ASK_STATUS_MS 1500	/* status says what it can by then */
#define TAIL_LINES 5
#define TAIL_ASK 4		/* times as many: some are empty */
#define TAIL_PARTS 2
#define WHO_MAX 32
#define TEXT_MAX 200
#define RELAY_TEXT 120

/* A question to the console process for this request. */
struct sms_ask {
	struct modem_sms *sms;
	struct sms_request from;
	struct feed_request *request;
	struct timer *deadline;
	char text[ASK_BYTES + 1];
	size_t n;
};

void
modem_sms_who(const struct sms_request *r, char dst[LINKSTATE_WHO])
{
	snprintf(dst, LINKSTATE_WHO, "%s (sms %s)", r->who, r->number);
}

char *
modem_sms_number(const char *who, char dst[OUTBOX_NUMBER])
{
	static const char mark[] = " (sms ";
	const char *p = strstr(who, mark);
	size_t n;

	if (p == NULL)
		return NULL;
	p += sizeof(mark) - 1;
	n = strspn(p, "+0123456789");
	if (n == 0 || n >= OUTBOX_NUMBER || p[n] != ')')
		return NULL;
	memcpy(dst, p, n);
	dst[n] = '\0';
	return dst;
}

static const char *
box(const struct modem_sms *s)
{
	return s->m->conf->name;
}

static void
answer(struct modem_sms *s, const struct sms_request *r, const char *text)
{
	char why[OUTBOX_WHY];
	uint32_t id;

	if (modem_sms_send(s, r->number, text, &id, why) == -1)
		log_warn("no answer by SMS to %s: %s", r->number, why);
}

static void answerf(struct modem_sms *, const struct sms_request *,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void
answerf(struct modem_sms *s, const struct sms_request *r, const char *fmt, ...)
{
	char text[TEXT_MAX], reply[REPLIES_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	answer(s, r, replies_text(reply, box(s), text));
}

/* The link */

/* What is left of the hold, or what it will be, for people. */
static char *
left(const struct linkstate_look *l, char dst[STR_NUM])
{
	int64_t ms = l->was_up ? mono_ms(mono_now(), l->until) : l->hold_ms;

	/* Nobody wants to read 1799973ms. */
	ms = (ms + 500) / 1000 * 1000;
	if (ms >= 10 * 60000)
		ms = (ms + 30000) / 60000 * 60000;
	return str_duration_text(dst, ms < 0 ? 0 : ms);
}

static void
answer_link(struct modem_sms *s, const struct sms_request *r,
    enum linkstate_answer how)
{
	struct linkstate_look l;
	char n[STR_NUM];

	modem_link_look(s->m->link, &l);
	left(&l, n);
	switch (how) {
	case LINKSTATE_NOT_UP:
		answerf(s, r, "the link is not up; send up");
		break;
	case LINKSTATE_AT_MOST:
		answerf(s, r, "link %s, %s left: max_hold is the most",
		    linkstate_text(l.at), n);
		break;
	case LINKSTATE_CUT:
		answerf(s, r, "link %s, for %s: max_hold is the most",
		    linkstate_text(l.at), n);
		break;
	case LINKSTATE_DONE:
		answerf(s, r, "link %s, for %s", linkstate_text(l.at), n);
		break;
	}
}

static int64_t
minutes_ms(const struct sms_request *r)
{
	return (int64_t)r->arg * 60000;
}

/*
 * A modem with one port is deaf from now on: the answer would wait for the
 * end of the link, and not be true any more.
 */
static bool
becomes_deaf(const struct modem_sms *s)
{
	struct linkstate_look l;

	modem_link_look(s->m->link, &l);
	return l.at == LINKSTATE_DIALLING &&
	    !device_status(s->device)->two_ports;
}

static void
do_up(struct modem_sms *s, const struct sms_request *r)
{
	enum linkstate_answer how;
	char who[LINKSTATE_WHO], why[MODEM_WHY];

	if (*modem_link_refuses(s->m->link, false, why) != '\0') {
		answerf(s, r, "no link: %s", why);
		return;
	}
	modem_sms_who(r, who);
	how = modem_link_up(s->m->link, minutes_ms(r), who,
	    "asked for by SMS");
	s->told_failure = false;	/* whoever asks again is told again */
	if (!becomes_deaf(s))
		answer_link(s, r, how);
}

static void
do_down(struct modem_sms *s, const struct sms_request *r)
{
	char who[LINKSTATE_WHO];

	modem_sms_who(r, who);
	if (modem_link_down(s->m->link, who) == LINKSTATE_NOT_UP)
		answerf(s, r, "the link is down already");
	else
		answerf(s, r, "the link is going down");
}

static void
do_extend(struct modem_sms *s, const struct sms_request *r)
{
	int64_t ms = r->arg == 0 ? s->m->conf->activation.hold_ms :
	    minutes_ms(r);
	char who[LINKSTATE_WHO];

	modem_sms_who(r, who);
	answer_link(s, r, modem_link_extend(s->m->link, ms, who));
}

/* The answer is sent when the modem is back, and so says that it is. */
static void
do_reset(struct modem_sms *s, const struct sms_request *r)
{
	device_repair(s->device, LADDER_RESET);
	answerf(s, r, "the modem was reset, and is back");
}

static void
do_ping(struct modem_sms *s, const struct sms_request *r)
{
	char reply[REPLIES_TEXT];

	answer(s, r, replies_ping(reply, box(s), OOBD_VERSION,
	    modem_sms_utc(), os_clock_synced()));
}

/* Asking the console process */

static void
drop(struct sms_ask *a)
{
	for (size_t i = 0; i < SMS_ASKS; i++) {
		if (a->sms->asks[i] == a)
			a->sms->asks[i] = NULL;
	}
	feed_cancel(a->request);
	timer_free(a->deadline);
	free(a);
}

void
modem_sms_drop_asks(struct modem_sms *s)
{
	for (size_t i = 0; i < SMS_ASKS; i++) {
		if (s->asks[i] != NULL)
			drop(s->asks[i]);
	}
}

static size_t
on_out(void *arg, int stream, const void *data, size_t n)
{
	struct sms_ask *a = arg;
	size_t room = ASK_BYTES - a->n;

	if (stream == 1) {
		memcpy(a->text + a->n, data, n < room ? n : room);
		a->n += n < room ? n : room;
	}
	return n;
}

static const char *
string_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text == NULL ? "" : text;
}

static void
answer_who(struct sms_ask *a)
{
	struct replies_person people[WHO_MAX];
	json_t *all = json_loads(a->text, 0, NULL), *one;
	char reply[REPLIES_TEXT];
	size_t i, n = 0;

	json_array_foreach(all, i, one) {
		if (n == WHO_MAX)
			break;
		people[n++] = (struct replies_person){
			.user = string_of(one, "user"),
			.console = string_of(one, "console"),
			.pen = json_is_true(json_object_get(one, "writes")),
			.idle_s = (int64_t)json_real_value(
			    json_object_get(one, "idle_s")),
		};
	}
	if (all == NULL)
		answerf(a->sms, &a->from, "nobody knows who is attached: the "
		    "console process does not answer");
	else
		answer(a->sms, &a->from, replies_who(reply, box(a->sms),
		    people, n));
	json_decref(all);
}

static unsigned
lines_of(const struct sms_request *r)
{
	return r->arg == 0 ? TAIL_LINES : r->arg;
}

/* What a console shows last is at the end; empty lines say nothing. */
static void
answer_tail(struct sms_ask *a)
{
	const struct feed_console *c = feed_console_at(a->sms->m->feed, 0);
	const char *lines[COMMAND_LINES];
	char reply[REPLIES_TEXT], *next, *line;
	size_t max = lines_of(&a->from), n = 0;

	for (next = a->text; (line = strsep(&next, "\r\n")) != NULL;) {
		if (line[strspn(line, " \t")] == '\0')
			continue;
		if (n == max)
			memmove(lines, lines + 1, --n * sizeof(lines[0]));
		lines[n++] = line;
	}
	answer(a->sms, &a->from, replies_tail(reply, c == NULL ? "console" :
	    c->name, lines, n, TAIL_PARTS));
}

static char *
last_error(const struct modem_sms *s, char dst[TEXT_MAX])
{
	const struct modem_link_failure *f;
	char ago[STR_NUM];
	int64_t min;

	f = modem_link_failed(s->m->link);
	dst[0] = '\0';
	if (f->name[0] == '\0')
		return dst;
	min = mono_ms(f->at, mono_now()) / 60000;
	snprintf(dst, TEXT_MAX, "%s %s ago", f->name,
	    str_duration_text(ago, min * 60000));
	return dst;
}

/* Lines that are lost, and journals in trouble. */
static unsigned
alerts(const char *status)
{
	json_t *all = json_loads(status, 0, NULL), *line;
	unsigned sum = 0;
	size_t i;

	json_array_foreach(json_object_get(all, "consoles"), i, line) {
		const json_t *journal = json_object_get(line, "journal");

		sum += json_is_false(json_object_get(line, "up"));
		sum += json_is_false(json_object_get(journal, "healthy"));
	}
	json_decref(all);
	return sum;
}

/* The newest of the journals. */
static const char *
seal(char dst[TEXT_MAX], const char *status)
{
	json_t *all = json_loads(status, 0, NULL);

	snprintf(dst, TEXT_MAX, "%s", string_of(all, "seal"));
	json_decref(all);
	return dst;
}

static void
answer_status(struct sms_ask *a)
{
	const struct modem_sms *s = a->sms;
	char reply[REPLIES_TEXT], relay[RELAY_TEXT], error[TEXT_MAX];
	char newest[TEXT_MAX];
	struct linkstate_look l;
	struct replies_status st;

	modem_link_look(s->m->link, &l);
	st = (struct replies_status){
		.box = box(s),
		.link = linkstate_text(l.at),
		.since_s = mono_ms(l.since, mono_now()) / 1000,
		.left_s = l.was_up ? mono_ms(mono_now(), l.until) / 1000 : -1,
		.signal_dbm = modem_sms_signal(s),
		.operator = modem_sms_operator(s),
		.relay = modem_link_relay(s->m->link, relay,
		    sizeof(relay)),
		.error = last_error(s, error),
		.alerts = alerts(a->text),
		.seal = seal(newest, a->text),
	};
	answer(a->sms, &a->from, replies_status(reply, &st));
}

static void
conclude(struct sms_ask *a)
{
	a->text[a->n] = '\0';
	switch (a->from.verb) {
	case COMMAND_WHO:
		answer_who(a);
		break;
	case COMMAND_TAIL:
		answer_tail(a);
		break;
	case COMMAND_STATUS:
		answer_status(a);
		break;
	case COMMAND_UP:
	case COMMAND_DOWN:
	case COMMAND_EXTEND:
	case COMMAND_PING:
	case COMMAND_RESET:
		break;
	}
	drop(a);
}

static void
on_answered(void *arg, int status, uint64_t offset)
{
	(void)status;
	(void)offset;
	conclude(arg);
}

static void
on_deadline(void *arg)
{
	conclude(arg);
}

static const struct feed_request_ops ask_ops = { on_out, on_answered, NULL };

/* NULL: there are too many already. */
static struct sms_ask *
new_ask(struct modem_sms *s, const struct sms_request *r, int64_t ms)
{
	for (size_t i = 0; i < SMS_ASKS; i++) {
		struct sms_ask *a;

		if (s->asks[i] != NULL)
			continue;
		a = xcalloc(1, sizeof(*a));
		a->sms = s;
		a->from = *r;
		a->deadline = timer_new(s->m->loop, on_deadline, a);
		timer_set(a->deadline, ms);
		s->asks[i] = a;
		return a;
	}
	log_warn("no answer by SMS to %s: %d others are being answered",
	    r->number, SMS_ASKS);
	return NULL;
}

static void
ask_verb(struct modem_sms *s, const struct sms_request *r, char *verb,
    int64_t ms)
{
	static char json[] = "--json";
	char *argv[] = { verb, json, NULL };
	const struct feed_run run = { .argc = 2, .argv = argv };
	struct sms_ask *a = new_ask(s, r, ms);

	if (a != NULL)
		a->request = feed_command(s->m->feed, &run, &ask_ops, a);
}

static void
do_status(struct modem_sms *s, const struct sms_request *r)
{
	static char verb[] = "status";

	ask_verb(s, r, verb, ASK_STATUS_MS);
}

static void
do_who(struct modem_sms *s, const struct sms_request *r)
{
	static char verb[] = "who";

	ask_verb(s, r, verb, ASK_MS);
}

/* Of the first console: a message has no room to choose. */
static void
do_tail(struct modem_sms *s, const struct sms_request *r)
{
	const struct feed_console *c = feed_console_at(s->m->feed, 0);
	struct sms_ask *a;

	if (c == NULL) {
		answerf(s, r, "there is no console");
		return;
	}
	a = new_ask(s, r, ASK_MS);
	if (a != NULL)
		a->request = feed_tail(s->m->feed, c->name,
		    TAIL_ASK * lines_of(r), false, &ask_ops, a);
}

static void (*const acts[])(struct modem_sms *, const struct sms_request *) = {
	[COMMAND_UP] = do_up,
	[COMMAND_DOWN] = do_down,
	[COMMAND_EXTEND] = do_extend,
	[COMMAND_STATUS] = do_status,
	[COMMAND_PING] = do_ping,
	[COMMAND_RESET] = do_reset,
	[COMMAND_TAIL] = do_tail,
	[COMMAND_WHO] = do_who,
};

void
modem_sms_act(struct modem_sms *s, const struct sms_request *r)
{
	acts[r->verb](s, r);
}
