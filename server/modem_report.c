#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "modem_sms_internal.h"

/*
 * What is said of the link by SMS without being asked: to whoever asked for
 * it by SMS, once, that it fails and when it is tried again; to those of
 * activation.report how it ended.
 */

#define REPORT_MS (45 * 1000)		/* then it waits without the link */

/* 0, or -1: it cannot be sent, which was logged. */
static int
send(struct modem_sms *s, const char *number, const char *text, uint32_t *id)
{
	char why[OUTBOX_WHY];

	if (modem_sms_send(s, number, text, id, why) == 0)
		return 0;
	log_warn("no report by SMS to %s: %s", number, why);
	return -1;
}

static char *
failed_text(const struct modem_sms *s, const char *reason, int64_t retry_s,
    char reply[REPLIES_TEXT])
{
	char name[MODEM_WHY_NAME];
	size_t n = strlen(modem_why_name(name, reason));
	const struct replies_failed f = {
		.box = s->m->conf->name,
		.code = n == 0 ? "no way" : name,
		.why = reason + n + strspn(reason + n, ": "),
		.retry_s = retry_s,
		.signal_dbm = modem_sms_signal(s),
		.operator = modem_sms_operator(s),
	};

	return replies_failed(reply, &f);
}

/* Failures */

/* A moment after it failed, and not in the middle of that change. */
static void
on_look(void *arg)
{
	struct modem_sms *s = arg;
	char number[OUTBOX_NUMBER], reply[REPLIES_TEXT];
	struct linkstate_look l;
	int64_t ms;
	uint32_t id;

	modem_link_look(s->m->link, &l);
	if (s->told_failure || s->at == NULL || !l.retries ||
	    modem_sms_number(l.who, number) == NULL)
		return;
	s->told_failure = true;
	ms = mono_ms(mono_now(), l.retry_at);
	send(s, number, failed_text(s, l.why, ms > 0 ? (ms + 999) / 1000 : 0,
	    reply), &id);
}

void
modem_sms_link(struct modem_sms *s, enum linkstate_at from)
{
	struct linkstate_look l;

	(void)from;
	modem_link_look(s->m->link, &l);
	if (l.at == LINKSTATE_IDLE) {
		s->told_failure = false;
		s->was_up = false;
	}
	if (l.was_up && !s->was_up) {
		s->was_up = true;
		s->first_up = mono_after(l.until_max,
		    -s->m->conf->activation.max_hold_ms);
	}
	if (l.at == LINKSTATE_FAILED)
		timer_set(s->failed, 0);
	/* Whoever asked for it may want to say more. */
	if (s->at != NULL)
		sms_at_waiting(s->at, l.at != LINKSTATE_IDLE);
}

/* The end */

static void
over(struct modem_sms *s)
{
	if (!s->report.waiting)
		return;
	s->report.waiting = false;
	s->report.n = 0;
	timer_stop(s->report.deadline);
	modem_link_reported(s->m->link);
}

static void
on_deadline(void *arg)
{
	over(arg);
}

void
modem_report_drop(struct modem_sms *s)
{
	over(s);
}

void
modem_report_end(struct modem_sms *s, const struct outbox_end *e)
{
	struct sms_report *r = &s->report;

	for (size_t i = 0; i < r->n; i++) {
		if (r->messages[i] == e->id)
			r->messages[i] = r->messages[--r->n];
	}
	if (r->n == 0)
		over(s);
}

static char *
down_text(const struct modem_sms *s, const char *why, uint64_t received,
    uint64_t sent, char reply[REPLIES_TEXT])
{
	const struct replies_down d = {
		.box = s->m->conf->name,
		.why = why,
		.up_s = s->was_up ? mono_ms(s->first_up, mono_now()) / 1000 :
		    0,
		.in = received,
		.out = sent,
	};

	return replies_down(reply, &d);
}

/* For the one that waits for all of them. */
static void
say(struct modem_sms *s, const char *number, const char *text)
{
	struct sms_report *r = &s->report;

	if (r->n < SMS_REPORTS &&
	    send(s, number, text, &r->messages[r->n]) == 0)
		r->n++;
}

static bool
is_listed(const struct config_activation *a, const char *number)
{
	for (size_t i = 0; i < a->nreport; i++) {
		if (strcmp(a->report[i], number) == 0)
			return true;
	}
	return false;
}

bool
modem_sms_report(struct modem_sms *s, const char *why, uint64_t received,
    uint64_t sent)
{
	const struct config_activation *a = &s->m->conf->activation;
	char text[REPLIES_TEXT], number[OUTBOX_NUMBER], name[MODEM_WHY_NAME];
	struct linkstate_look l;
	bool failed = *modem_why_name(name, why) != '\0';

	if (s->at == NULL)
		return true;
	if (failed && !s->was_up)
		failed_text(s, why, -1, text);
	else
		down_text(s, why, received, sent, text);
	s->report.n = 0;
	for (size_t i = 0; i < a->nreport; i++)
		say(s, a->report[i], text);
	/* Whoever asked waits for a link that does not come. */
	modem_link_look(s->m->link, &l);
	if (failed && modem_sms_number(l.who, number) != NULL &&
	    !is_listed(a, number))
		say(s, number, text);
	/* What came meanwhile is read and deleted now. */
	sms_at_look(s->at);
	s->report.waiting = s->report.n > 0;
	if (s->report.waiting)
		timer_set(s->report.deadline, REPORT_MS);
	return !s->report.waiting;
}

void
modem_report_start(struct modem_sms *s)
{
	s->report.deadline = timer_new(s->m->loop, on_deadline, s);
	s->failed = timer_new(s->m->loop, on_look, s);
}

void
modem_report_stop(struct modem_sms *s)
{
	timer_free(s->report.deadline);
	timer_free(s->failed);
}
