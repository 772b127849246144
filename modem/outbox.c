#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "../server/base/os.h"
#include "at_errors.h"
#include "compose.h"
#include "outbox_internal.h"

#define DAY 86400
#define CLOCK_SET 1735689600	/* 2025: a clock before was never set */
#define EXPIRE_MS (24 * 60 * 60 * 1000)
#define SAVE_AGAIN_MS (30 * 1000)
#define VALIDITY (6 * 60 * 60)	/* seconds; old news is worth little */
#define DIGITS_MIN 3

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const int64_t retry_ms[OUTBOX_TRIES] = { 10000, 60000, 300000, 0 };

struct outbox *
outbox_new(const char *path, const struct outbox_conf *conf,
    const struct outbox_ops *ops, void *arg)
{
	struct outbox *o = xcalloc(1, sizeof(*o));

	o->ops = ops;
	o->arg = arg;
	o->conf = *conf;
	os_random(&o->ref, sizeof(o->ref));
	o->next_id = 1;
	if (path == NULL)
		return o;
	o->path = xstrdup(path);
	outbox_load(o);
	return o;
}

void
outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	free(o->path);
	free(o);
}

void
outbox_configure(struct outbox *o, const struct outbox_conf *conf)
{
	o->conf = *conf;
}

/*
 * Counts
 */
static struct tally *
tally_of(struct outbox *o, const char *number)
{
	for (size_t i = 0; i < o->ntallies; i++) {
		if (strcmp(o->tallies[i].number, number) == 0)
			return &o->tallies[i];
	}
	return NULL;
}

/*
 * Counts are cleared when a later day begins.  A clock that went back takes
 * them along, so that it can go forward again.
 */
static void
turn_day(struct outbox *o, int64_t utc)
{
	int64_t day = utc / DAY;

	if (utc < CLOCK_SET || day == o->day)
		return;
	if (day > o->day) {
		o->sent = 0;
		o->ntallies = 0;
	}
	o->day = day;
}

static bool
check_caps(struct outbox *o, const char *number, unsigned parts,
    char why[OUTBOX_WHY])
{
	const struct tally *t = tally_of(o, number);

	if (o->sent + parts > o->conf.per_day) {
		snprintf(why, OUTBOX_WHY, "%u of %u messages were sent today: "
		    "wait for tomorrow (UTC) or raise the limit", o->sent,
		    o->conf.per_day);
		return false;
	}
	if ((t == NULL ? 0 : t->sent) + parts > o->conf.per_number) {
		snprintf(why, OUTBOX_WHY, "%u of %u messages were sent to %s "
		    "today: wait for tomorrow (UTC) or raise the limit",
		    t == NULL ? 0 : t->sent, o->conf.per_number, number);
		return false;
	}
	if (t == NULL && o->ntallies == OUTBOX_NUMBERS) {
		snprintf(why, OUTBOX_WHY, "messages were sent to %d numbers "
		    "today: wait for tomorrow (UTC)", OUTBOX_NUMBERS);
		return false;
	}
	return true;
}

static void
count(struct outbox *o, const char *number, unsigned parts)
{
	struct tally *t = tally_of(o, number);

	if (t == NULL) {
		t = &o->tallies[o->ntallies++];
		t->sent = 0;
		snprintf(t->number, sizeof(t->number), "%s", number);
	}
	t->sent += parts;
	o->sent += parts;
}

unsigned
outbox_today(const struct outbox *o, const char *number)
{
	if (number == NULL)
		return o->sent;
	for (size_t i = 0; i < o->ntallies; i++) {
		if (strcmp(o->tallies[i].number, number) == 0)
			return o->tallies[i].sent;
	}
	return 0;
}

/*
 * Queueing
 */
static bool
is_number(const char *text)
{
	struct pdu_addr a;

	return pdu_number(&a, text) == 0 &&
	    strlen(text) - (text[0] == '+') >= DIGITS_MIN;
}

static bool
check(struct outbox *o, const char *number, const char *text,
    unsigned *parts, char why[OUTBOX_WHY])
{
	struct compose c;
	const char *reason;
	size_t n = strlen(text);

	if (!is_number(number)) {
		snprintf(why, OUTBOX_WHY, "not a phone number: 3 to 20 "
		    "digits, with + and the country code, or as dialled");
		return false;
	}
	if (n > OUTBOX_TEXT || compose(&c, text, n, &reason) == -1) {
		snprintf(why, OUTBOX_WHY, "%s", n > OUTBOX_TEXT ?
		    "the text is longer than three messages" : reason);
		return false;
	}
	if (o->n == OUTBOX_MAX) {
		snprintf(why, OUTBOX_WHY, "%d messages wait to be sent: try "
		    "again later", OUTBOX_MAX);
		return false;
	}
	*parts = c.parts;
	return true;
}

int
outbox_add(struct outbox *o, const char *number, const char *text,
    int64_t utc, uint32_t *id, char why[OUTBOX_WHY])
{
	struct outbox before;
	struct letter *l;
	unsigned parts;

	if (!check(o, number, text, &parts, why))
		return -1;
	turn_day(o, utc);
	if (!check_caps(o, number, parts, why))
		return -1;
	before = *o;
	count(o, number, parts);
	l = &o->letters[o->n++];
	memset(l, 0, sizeof(*l));
	l->id = o->next_id++;
	l->part = 1;
	l->ref = o->ref++;
	snprintf(l->number, sizeof(l->number), "%s", number);
	l->len = strlen(text);
	memcpy(l->text, text, l->len);
	if (outbox_save(o) == -1) {
		*o = before;
		snprintf(why, OUTBOX_WHY, "the message cannot be kept: "
		    "is there room in state_dir?");
		log_errno("%s", o->path);
		return -1;
	}
	*id = l->id;
	return 0;
}

/*
 * The life of a letter: every change of state is here.
 */
static void
change_state(struct outbox *o, struct letter *l, enum outbox_state state,
    const char *why)
{
	l->state = state;
	o->changed = true;
	snprintf(l->why, sizeof(l->why), "%s", why);
	if (state != OUTBOX_SENDING && o->out == l)
		o->out = NULL;
}

/* 0; or -1, and it was told and will be tried again. */
static int
save(struct outbox *o, struct mono now)
{
	if (outbox_save(o) == 0) {
		o->changed = o->save_failed = false;
		return 0;
	}
	if (!o->save_failed)
		log_errno("%s: messages cannot be sent as long as this cannot "
		    "be written", o->path);
	o->save_failed = true;
	o->save_again = mono_after(now, SAVE_AGAIN_MS);
	return -1;
}

/* Tell of those that are over, once that is on disk, and drop them. */
static void
bury(struct outbox *o)
{
	for (size_t i = 0; i < o->n;) {
		struct letter l = o->letters[i];
		const struct outbox_end end = { l.id, l.state, l.number,
		    l.why };

		if (l.state <= OUTBOX_SENDING) {
			i++;
			continue;
		}
		o->n--;
		memmove(&o->letters[i], &o->letters[i + 1],
		    (o->n - i) * sizeof(l));
		if (o->out != NULL && o->out > &o->letters[i])
			o->out--;
		o->ops->end(o->arg, &end);
	}
}

/* 3GPP TS 27.005, 3.2.5, and what modems say while they are busy. */
static bool
is_temporary(int code)
{
	static const int codes[] = { -1, 38, 41, 42, 47, 69, 111, 300, 302,
	    314, 322, 331, 332, 500, 512, 513, 514, 515, 517 };

	for (size_t i = 0; i < LEN(codes); i++) {
		if (codes[i] == code)
			return true;
	}
	return false;
}

static void
try_again(struct outbox *o, struct letter *l, const char *why,
    struct mono now)
{
	if (++l->tries >= OUTBOX_TRIES) {
		change_state(o, l, OUTBOX_FAILED, why);
		return;
	}
	l->due = mono_after(now, retry_ms[l->tries - 1]);
	change_state(o, l, OUTBOX_QUEUED, why);
}

static void
on_taken(struct outbox *o, struct letter *l)
{
	struct compose c;
	const char *why;

	l->tries = 0;
	if (compose(&c, l->text, l->len, &why) == -1 || l->part >= c.parts) {
		change_state(o, l, OUTBOX_SENT, "");
		return;
	}
	l->part++;
	change_state(o, l, OUTBOX_QUEUED, "");
}

static void
on_refused(struct outbox *o, struct letter *l, struct mono now)
{
	const char *why = o->code == -1 ? "the modem refused it" :
	    at_cms_text(o->code);

	if (is_temporary(o->code))
		try_again(o, l, why, now);
	else
		change_state(o, l, OUTBOX_FAILED, why);
}

static void
on_answer(struct outbox *o, struct mono now)
{
	struct letter *l = o->out;

	o->answered = false;
	switch (o->answer) {
	case OUTBOX_TAKEN:
		on_taken(o, l);
		break;
	case OUTBOX_REFUSED:
		on_refused(o, l, now);
		break;
	case OUTBOX_NOT_WRITTEN:
		try_again(o, l, "the modem did not take it", now);
		break;
	case OUTBOX_NO_ANSWER:
		change_state(o, l, OUTBOX_UNKNOWN, "the modem took it and did "
		    "not say what became of it");
		break;
	}
}

/* Found as being sent: the process that sent it did not live to tell. */
static void
check_leftovers(struct outbox *o, struct mono now)
{
	for (size_t i = 0; i < o->n; i++) {
		struct letter *l = &o->letters[i];

		if (l->since.us == 0)
			l->since = now;
		if (l->state == OUTBOX_SENDING && l != o->out)
			change_state(o, l, OUTBOX_UNKNOWN, "it was being sent "
			    "when oobd ended");
		if (l->state == OUTBOX_QUEUED &&
		    mono_ms(l->since, now) >= EXPIRE_MS)
			change_state(o, l, OUTBOX_FAILED, "it could not be "
			    "sent for a day");
	}
}

/* False when it cannot be written as a message. */
static bool
encode(const struct letter *l, char hex[PDU_HEX], size_t *tpdu_len)
{
	uint8_t octets[PDU_MAX];
	struct compose c;
	struct pdu m;
	const char *why;
	int n;

	if (compose(&c, l->text, l->len, &why) == -1 || l->part > c.parts)
		return false;
	compose_part(&c, l->part, l->ref, &m);
	m.vp = PDU_VP_RELATIVE;
	m.vp_seconds = VALIDITY;
	if (pdu_number(&m.addr, l->number) == -1)
		return false;
	n = pdu_encode(&m, octets, sizeof(octets), &why);
	if (n == -1)
		return false;
	pdu_to_hex(hex, octets, (size_t)n);
	*tpdu_len = m.tpdu_len;
	return true;
}

/* On disk first, to the modem then. */
static void
send(struct outbox *o, struct letter *l, struct mono now)
{
	char hex[PDU_HEX];
	size_t tpdu_len;

	if (!encode(l, hex, &tpdu_len)) {
		change_state(o, l, OUTBOX_FAILED, "it cannot be written as a "
		    "message");
		return;
	}
	change_state(o, l, OUTBOX_SENDING, "");
	if (save(o, now) == -1) {
		l->state = OUTBOX_QUEUED;
		return;
	}
	o->out = l;
	o->answered = false;
	o->ops->send(o->arg, hex, tpdu_len);
}

static struct letter *
next_due(struct outbox *o, struct mono now)
{
	for (size_t i = 0; i < o->n; i++) {
		struct letter *l = &o->letters[i];

		if (l->state == OUTBOX_QUEUED && mono_us(now, l->due) <= 0)
			return l;
	}
	return NULL;
}

static bool
is_any_over(const struct outbox *o)
{
	for (size_t i = 0; i < o->n; i++) {
		if (o->letters[i].state > OUTBOX_SENDING)
			return true;
	}
	return false;
}

/* When something happens without anybody calling. */
static int64_t
ms_left(const struct outbox *o, struct mono now)
{
	int64_t best = o->save_failed ? mono_ms(now, o->save_again) : -1;

	for (size_t i = 0; i < o->n; i++) {
		const struct letter *l = &o->letters[i];
		int64_t ms = mono_ms(now, mono_after(l->since, EXPIRE_MS));
		int64_t due = mono_ms(now, l->due);

		if (o->ready && o->out == NULL && !o->save_failed && due < ms)
			ms = due;
		if (l->state == OUTBOX_QUEUED && (best == -1 || ms < best))
			best = ms < 0 ? 0 : ms;
	}
	return best == -1 ? -1 : best + 1;
}

int64_t
outbox_run(struct outbox *o, struct mono now)
{
	struct letter *l;

	for (;;) {
		if (o->out != NULL && o->answered)
			on_answer(o, now);
		check_leftovers(o, now);
		if (o->save_failed && mono_us(now, o->save_again) > 0)
			return ms_left(o, now);
		if (o->changed && o->out == NULL && save(o, now) == -1)
			return ms_left(o, now);
		if (!o->changed && is_any_over(o))
			bury(o);
		l = o->ready && o->out == NULL ? next_due(o, now) : NULL;
		if (l != NULL)
			send(o, l, now);
		if (!o->answered && (l == NULL || o->out != NULL ||
		    o->save_failed))
			return ms_left(o, now);
	}
}

void
outbox_ready(struct outbox *o, bool ready)
{
	o->ready = ready;
}

void
outbox_answer(struct outbox *o, enum outbox_answer answer, int code)
{
	if (o->out == NULL)
		return;
	o->answered = true;
	o->answer = answer;
	o->code = code;
}

size_t
outbox_count(const struct outbox *o)
{
	return o->n;
}

const char *
outbox_state_text(enum outbox_state s)
{
	switch (s) {
	case OUTBOX_QUEUED:
		return "queued";
	case OUTBOX_SENDING:
		return "being sent";
	case OUTBOX_SENT:
		return "sent";
	case OUTBOX_UNKNOWN:
		return "unknown";
	case OUTBOX_FAILED:
		return "failed";
	}
	return "?";
}
