#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../modem/compose.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "modem_sms_internal.h"

#define SHOW_MS (60 * 1000)
#define SHOW_SOON_MS 500		/* until the stores were looked through */

int64_t
modem_sms_utc(void)
{
	return stamp_now().utc_us / 1000000;
}

int
modem_sms_signal(const struct modem_sms *s)
{
	return s->device == NULL ? 0 :
	    modem_why_dbm(device_status(s->device)->rssi);
}

const char *
modem_sms_operator(const struct modem_sms *s)
{
	return s->device == NULL ? "" : device_status(s->device)->oper;
}

/* Status */

static uint64_t
refused(const struct modem_sms *s)
{
	uint64_t sum = 0;

	for (int why = 0; why < ACTIVATION_WHYS; why++) {
		if (why != ACTIVATION_ACCEPTED)
			sum += activation_count(s->activation,
			    (enum activation_why)why);
	}
	return sum;
}

void
modem_sms_show(struct modem_sms *s)
{
	const struct config_modem *conf = s->m->conf == NULL ? NULL :
	    s->m->conf->modem;
	const struct outbox *out;
	char text[FEED_INFO_MAX + 1];
	bool ready;

	timer_stop(s->show);
	if (conf == NULL || s->at == NULL || s->activation == NULL) {
		feed_info(s->m->feed, "sms", "");
		return;
	}
	out = sms_at_outbox(s->at);
	ready = s->serves && inbox_is_swept(sms_at_inbox(s->at));
	snprintf(text, sizeof(text), "%s; commands: %" PRIu64 " accepted, %"
	    PRIu64 " refused%s; %zu waiting to be sent, %u of %u sent today",
	    ready ? "listening" : s->serves ? "looking through the stores" :
	    "not listening", activation_count(s->activation,
	    ACTIVATION_ACCEPTED), refused(s),
	    activation_guessing(s->activation, mono_now()) ?
	    " (somebody guesses codes)" : "", outbox_count(out),
	    outbox_today(out, NULL), conf->sms_per_day);
	feed_info(s->m->feed, "sms", text);
	timer_set(s->show, s->serves && !ready ? SHOW_SOON_MS : SHOW_MS);
}

static void
on_show(void *arg)
{
	modem_sms_show(arg);
}

/* What comes in */

static void
judge(struct modem_sms *s, const struct inbox_message *m,
    struct activation_verdict *v)
{
	const struct activation_message what = {
		.sender = m->sender->text,
		.toa = m->sender->toa,
		.text = m->text,
		.len = m->text_len,
		.smsc = m->scts->valid ? pdu_time_utc(m->scts) : 0,
		.old = m->stored_before_start,
	};
	const struct activation_now now = {
		.trusted = os_clock_synced(),
		.utc = modem_sms_utc(),
		.mono = mono_now(),
	};

	activation_decide(s->activation, &what, &now, v);
	if (v->tell)
		feed_event(s->m->feed, v->kind, v->text);
}

static void
on_message(void *arg, const struct inbox_message *m)
{
	struct modem_sms *s = arg;
	struct activation_verdict v;
	struct sms_request r;

	judge(s, m, &v);
	if (v.act) {
		memset(&r, 0, sizeof(r));
		/* It matched one of the list, so it fits. */
		snprintf(r.number, sizeof(r.number), "%.*s",
		    (int)sizeof(r.number) - 1, m->sender->text);
		memcpy(r.who, v.who, sizeof(r.who));
		r.verb = v.verb;
		r.arg = v.arg;
		modem_sms_act(s, &r);
	}
	modem_sms_show(s);
}

static void
on_stuck(void *arg, const char *why)
{
	struct modem_sms *s = arg;

	device_complain(s->device, why);
}

/* What goes out */

static void
on_end(void *arg, const struct outbox_end *e)
{
	struct modem_sms *s = arg;
	char text[FEED_EVENT_MAX + 1];

	snprintf(text, sizeof(text), "to=%s state=%s%s%s", e->number,
	    outbox_state_text(e->state), *e->why != '\0' ? ": " : "", e->why);
	feed_event(s->m->feed, e->state == OUTBOX_SENT ? "sms-sent" :
	    "sms-failed", text);
	modem_sms_verb_end(s, e);
	modem_report_end(s, e);
	modem_sms_show(s);
}

int
modem_sms_send(struct modem_sms *s, const char *number, const char *text,
    uint32_t *id, char why[OUTBOX_WHY])
{
	int r;

	if (s->at == NULL) {
		snprintf(why, OUTBOX_WHY, "there is no modem section in the "
		    "configuration");
		return -1;
	}
	r = sms_at_send(s->at, number, text, id, why);
	if (r == 0)
		modem_sms_show(s);
	return r;
}

/* Will it never be taken, whatever the modem and the caps say? */
static bool
is_bad(const char *number, const char *text)
{
	const char *why;
	struct pdu_addr addr;
	struct compose c;

	return pdu_number(&addr, number) == -1 ||
	    strlen(text) > OUTBOX_TEXT ||
	    compose(&c, text, strlen(text), &why) == -1;
}

enum nt_sms
modem_sms_notify(void *arg, const char *number, const char *text, char *why,
    size_t size)
{
	struct modem_sms *s = arg;
	char problem[OUTBOX_WHY];
	uint32_t id;

	if (modem_sms_send(s, number, text, &id, problem) == 0)
		return NT_SMS_TAKEN;
	snprintf(why, size, "%s", problem);
	return is_bad(number, text) ? NT_SMS_REFUSED : NT_SMS_LATER;
}

static const struct sms_at_ops at_ops = {
	.message = on_message,
	.end = on_end,
	.stuck = on_stuck,
};

/* The modem comes and goes */

static void
drop_device(struct modem_sms *s)
{
	sms_at_free(s->at);
	s->at = NULL;
	s->device = NULL;
	s->serves = false;
	modem_sms_verb_drop(s);
	modem_report_drop(s);
}

static void
caps(const struct config_modem *conf, struct outbox_conf *out)
{
	out->per_day = conf->sms_per_day;
	out->per_number = conf->sms_per_number;
}

static void
take_device(struct modem_sms *s, struct device *device)
{
	char *seen = xasprintf("%s/sms_seen", s->m->home);
	char *out = xasprintf("%s/sms_out", s->m->home);
	struct sms_at_conf conf = { .seen_path = seen, .out_path = out };

	caps(s->m->conf->modem, &conf.out);
	s->device = device;
	s->at = sms_at_new(s->m->loop, device_queue(device), &conf, &at_ops,
	    s);
	free(seen);
	free(out);
}

void
modem_sms_device(struct modem_sms *s, struct device *device)
{
	if (device == s->device && device != NULL)
		return;
	drop_device(s);
	if (device != NULL)
		take_device(s, device);
	modem_sms_show(s);
}

/* Messages need the circuit switched side of the network. */
static bool
is_registered(const struct device_status *st)
{
	return st->cs == DEVICE_REG_HOME || st->cs == DEVICE_REG_ROAMING;
}

void
modem_sms_ready(struct modem_sms *s, bool serves)
{
	const struct device_status *st;
	bool changed = s->serves != serves;

	if (s->at == NULL)
		return;
	st = device_status(s->device);
	s->serves = serves;
	sms_at_serve(s->at, serves ? st->quirk : NULL, is_registered(st));
	if (changed)
		modem_sms_show(s);
}

/* Life */

struct modem_sms *
modem_sms_new(struct modem *m)
{
	struct modem_sms *s = xcalloc(1, sizeof(*s));

	s->m = m;
	s->show = timer_new(m->loop, on_show, s);
	s->overdue = timer_new(m->loop, modem_sms_verb_overdue, s);
	modem_report_start(s);
	return s;
}

void
modem_sms_free(struct modem_sms *s)
{
	if (s == NULL)
		return;
	modem_sms_drop_asks(s);
	sms_at_free(s->at);
	modem_report_stop(s);
	activation_free(s->activation);
	codes_close(s->codes);
	timer_free(s->show);
	timer_free(s->overdue);
	free(s->state_dir);
	free(s);
}

/* The codes of this folder; who guessed at those of another does not count. */
static void
open_codes(struct modem_sms *s, const char *state_dir)
{
	if (s->state_dir != NULL && strcmp(s->state_dir, state_dir) == 0)
		return;
	activation_free(s->activation);
	s->activation = NULL;
	codes_close(s->codes);
	free(s->state_dir);
	s->state_dir = xstrdup(state_dir);
	s->codes = codes_open(state_dir);
}

void
modem_sms_configure(struct modem_sms *s)
{
	const struct config *conf = s->m->conf;
	const struct activation_conf a = {
		.from = (const char *const *)conf->activation.from,
		.nfrom = conf->activation.nfrom,
		.totp = conf->activation.totp,
	};
	struct outbox_conf out;

	open_codes(s, conf->state_dir);
	if (s->activation == NULL)
		s->activation = activation_new(&a, s->codes);
	else
		activation_configure(s->activation, &a);
	if (s->at != NULL && conf->modem != NULL) {
		caps(conf->modem, &out);
		sms_at_configure(s->at, &out);
	}
	modem_sms_show(s);
}
