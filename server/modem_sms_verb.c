#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "modem_sms_internal.h"
#include "told.h"

/* sms send NUMBER TEXT; rights were checked (verbs.h). */

#define WAIT_MS 60000		/* for it to be sent */

#define SAY(s, task, ...) feed_toldf((s)->m->feed, task, 1, __VA_ARGS__)
#define COMPLAIN(s, task, ...) feed_toldf((s)->m->feed, task, 2, __VA_ARGS__)

static void
done(struct modem_sms *s, struct sms_waiter *w, int status)
{
	w->used = false;
	feed_done(s->m->feed, w->task, status);
}

/* It goes on waiting, without its asker. */
static void
leave(struct modem_sms *s, struct sms_waiter *w, const char *why)
{
	SAY(s, w->task, "queued: %s\n", why);
	done(s, w, ST_OK);
}

void
modem_sms_verb_end(struct modem_sms *s, const struct outbox_end *e)
{
	for (size_t i = 0; i < SMS_WAITERS; i++) {
		struct sms_waiter *w = &s->waiters[i];

		if (!w->used || w->message != e->id)
			continue;
		if (e->state == OUTBOX_SENT) {
			SAY(s, w->task, "sent\n");
			done(s, w, ST_OK);
			return;
		}
		COMPLAIN(s, w->task, "oobd: %s: %s\n", e->state ==
		    OUTBOX_UNKNOWN ? "not known whether it was sent" :
		    "not sent", e->why);
		done(s, w, ST_FAILED);
		return;
	}
}

void
modem_sms_verb_overdue(void *arg)
{
	struct modem_sms *s = arg;
	int64_t next = WAIT_MS, left;
	bool more = false;

	for (size_t i = 0; i < SMS_WAITERS; i++) {
		struct sms_waiter *w = &s->waiters[i];

		if (!w->used)
			continue;
		left = WAIT_MS - mono_ms(w->since, mono_now());
		if (left <= 0) {
			leave(s, w, "it could not be sent yet, and is tried "
			    "for a day");
			continue;
		}
		more = true;
		if (left < next)
			next = left;
	}
	if (more)
		timer_set(s->overdue, next);
}

void
modem_sms_verb_drop(struct modem_sms *s)
{
	for (size_t i = 0; i < SMS_WAITERS; i++) {
		if (s->waiters[i].used)
			leave(s, &s->waiters[i], "the modem is being set up "
			    "anew");
	}
}

void
modem_sms_task_gone(struct modem_sms *s, uint32_t task)
{
	for (size_t i = 0; i < SMS_WAITERS; i++) {
		if (s->waiters[i].used && s->waiters[i].task == task)
			s->waiters[i].used = false;
	}
}

/* The words from argv[i] on, with blanks between.  The caller frees. */
static char *
join(const struct feed_task *t, int i)
{
	char *text = xstrdup(""), *more;

	for (; i < t->argc; i++) {
		more = xasprintf("%s%s%s", text, *text == '\0' ? "" : " ",
		    t->argv[i]);
		free(text);
		text = more;
	}
	return text;
}

/* NULL: as many as can be wait already. */
static struct sms_waiter *
free_waiter(struct modem_sms *s)
{
	for (size_t i = 0; i < SMS_WAITERS; i++) {
		if (!s->waiters[i].used)
			return &s->waiters[i];
	}
	return NULL;
}

/* It is in the queue: tell how it goes on. */
static void
await(struct modem_sms *s, uint32_t task, uint32_t message)
{
	const struct device_status *st = device_status(s->device);
	struct sms_waiter *w = free_waiter(s);

	if (st->state != DEVICE_READY || w == NULL) {
		SAY(s, task, "queued: %s%s; it is tried for a day\n",
		    w == NULL ? "many wait already" : "the modem is ",
		    w == NULL ? "" : device_state_text(st->state));
		feed_done(s->m->feed, task, ST_OK);
		return;
	}
	*w = (struct sms_waiter){ true, task, message, mono_now() };
	timer_set_sooner(s->overdue, WAIT_MS);
}

static void
send(struct modem_sms *s, const struct feed_task *t)
{
	char *text = join(t, 3), why[OUTBOX_WHY], event[FEED_EVENT_MAX + 1];
	char number[OUTBOX_NUMBER * 4];
	uint32_t id;

	if (modem_sms_send(s, t->argv[2], text, &id, why) == -1) {
		COMPLAIN(s, t->id, "oobd: not sent: %s\n", why);
		feed_done(s->m->feed, t->id, s->at == NULL ? ST_DOWN :
		    ST_FAILED);
	} else {
		str_safe(number, sizeof(number), t->argv[2],
		    strlen(t->argv[2]));
		snprintf(event, sizeof(event), "user=%s via=%s to=%s", t->user,
		    t->via, number);
		feed_event(s->m->feed, "sms-queued", event);
		await(s, t->id, id);
	}
	free(text);
}

void
modem_sms_run(struct modem_sms *s, const struct feed_task *t)
{
	if (t->argc < 4 || strcmp(t->argv[1], "send") != 0 ||
	    t->argv[3][0] == '\0')
		feed_done(s->m->feed, t->id, told_usage(s->m->feed, t));
	else
		send(s, t);
}
