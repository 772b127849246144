#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "at_errors.h"
#include "at_field.h"
#include "sms_at.h"

#define STORE_MS 10000
#define LIST_MS 20000		/* some hang for ever */
#define READ_MS 10000
#define REMOVE_MS 10000
#define REMOVE_ALL_MS 20000
#define PROMPT_MS 10000
#define SEND_MS 60000
#define CNMI_MS 5000

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* What waits until the right store is chosen. */
struct errand {
	char store[INBOX_STORE_NAME];
	char text[32];
	const char *prefix;	/* of its answer, or NULL */
	int64_t timeout_ms;
	unsigned index;		/* of a single message */
};

enum kind {
	ERRAND,
	SENDING,
	SETUP,
	KINDS,
};

struct sms_at {
	struct at_queue *queue;
	const struct sms_at_ops *ops;
	void *arg;
	struct inbox *inbox;
	struct outbox *outbox;
	struct timer *turn;
	uint32_t urcs[5];

	const struct quirk *quirk;	/* NULL: it does not serve */
	size_t cnmi;			/* the one that is tried */
	char chosen[INBOX_STORE_NAME];	/* store, "": not known */
	struct errand errand;
	uint32_t ids[KINDS];	/* of commands in the queue, 0: none */
};

/* The stores that messages can lie in; not all are there. */
static const char *const stores[] = { "SM", "ME", "SR" };

static void
soon(struct sms_at *s)
{
	timer_set(s->turn, 0);
}

static void
cancel(struct sms_at *s, enum kind kind)
{
	uint32_t id = s->ids[kind];

	s->ids[kind] = 0;
	if (id != 0)
		at_cancel(s->queue, id);
}

static void
on_turn(void *arg)
{
	struct sms_at *s = arg;
	struct mono now = mono_now();
	int64_t in, out;

	in = inbox_run(s->inbox, now);
	out = outbox_run(s->outbox, now);
	if (out != -1 && (in == -1 || out < in))
		in = out;
	/* Whatever was done meanwhile may have asked for another turn. */
	if (in != -1)
		timer_set_sooner(s->turn, in);
}

/*
 * Receiving
 */
static void
answer(struct sms_at *s, enum inbox_answer a)
{
	inbox_answer(s->inbox, a);
	soon(s);
}

static enum inbox_answer
answer_of(const struct at_reply *r)
{
	switch (r->result) {
	case AT_OK:
		return INBOX_OK;
	case AT_TIMEOUT:
	case AT_GONE:
	case AT_CANCELLED:
		return INBOX_TIMEOUT;
	case AT_CONNECT:
	case AT_ERROR:
	case AT_CME:
	case AT_CMS:
	case AT_EXT:
	case AT_UNKNOWN:
	case AT_NO_CARRIER:
	case AT_NO_DIALTONE:
	case AT_BUSY:
	case AT_NO_ANSWER:
	case AT_ABORTED:
		break;
	}
	return INBOX_ERROR;
}

/* The line with the octets behind line i, "" when there is none. */
static const char *
octets_behind(const struct at_reply *r, size_t i)
{
	return i + 1 < r->nlines && r->lines[i + 1][0] != '+' ?
	    r->lines[i + 1] : "";
}

static void
listed(struct sms_at *s, const struct at_reply *r, bool in_list)
{
	struct at_field f;
	int64_t index = s->errand.index;
	const char *hex;

	for (size_t i = 0; i < r->nlines; i++) {
		if (!at_field_start(&f, r->lines[i], s->errand.prefix))
			continue;
		if (in_list && (at_field_int(&f, &index) != 0 || index < 0 ||
		    index > 65535))
			continue;
		hex = octets_behind(r, i);
		/* One that is asked for and is empty shows no octets. */
		if (in_list || *hex != '\0')
			inbox_listed(s->inbox, (unsigned)index, hex,
			    strlen(hex));
	}
}

static void
on_errand(void *arg, const struct at_reply *r)
{
	struct sms_at *s = arg;

	s->ids[ERRAND] = 0;
	if (s->errand.prefix != NULL)
		listed(s, r, strcmp(s->errand.prefix, "+CMGL:") == 0);
	/* After a hang nobody knows what it has in mind. */
	if (r->result == AT_TIMEOUT)
		s->chosen[0] = '\0';
	answer(s, answer_of(r));
}

static void
run_errand(struct sms_at *s)
{
	const struct at_command c = {
		.text = s->errand.text,
		.prefix = s->errand.prefix,
		.timeout_ms = s->errand.timeout_ms,
	};

	s->ids[ERRAND] = at_send(s->queue, &c, on_errand, s);
	if (s->ids[ERRAND] == 0)
		answer(s, INBOX_TIMEOUT);
}

/* A busy SIM comes back; what is not supported does not. */
static enum inbox_answer
answer_of_choice(const struct at_reply *r)
{
	static const int busy[] = { 310, 311, 312, 313, 314, 315, 316, 317,
	    318, 500, 512, 514, 515 };

	if (r->result == AT_CME)
		return r->code == AT_CME_FORBIDDEN ? INBOX_NO_STORE :
		    INBOX_ERROR;
	for (size_t i = 0; r->result == AT_CMS && i < LEN(busy); i++) {
		if (r->code == busy[i])
			return INBOX_ERROR;
	}
	return answer_of(r) == INBOX_ERROR ? INBOX_NO_STORE : answer_of(r);
}

static void
on_chosen(void *arg, const struct at_reply *r)
{
	struct sms_at *s = arg;
	struct at_field f;
	int64_t used, total;

	s->ids[ERRAND] = 0;
	if (r->result != AT_OK) {
		s->chosen[0] = '\0';
		answer(s, answer_of_choice(r));
		return;
	}
	memcpy(s->chosen, s->errand.store, sizeof(s->chosen));
	if (r->nlines > 0 && at_field_start(&f, r->lines[0], "+CPMS:") &&
	    at_field_int(&f, &used) == 0 && at_field_int(&f, &total) == 0 &&
	    used >= 0 && used < 65536 && total >= 0 && total < 65536)
		inbox_size(s->inbox, s->errand.store, (unsigned)used,
		    (unsigned)total);
	run_errand(s);
}

/* Only the store that is read is changed, not where messages go. */
static void
choose(struct sms_at *s)
{
	char text[32];
	const struct at_command c = {
		.text = text, .prefix = "+CPMS:", .timeout_ms = STORE_MS,
	};

	snprintf(text, sizeof(text), "AT+CPMS=\"%s\"", s->errand.store);
	s->ids[ERRAND] = at_send(s->queue, &c, on_chosen, s);
	if (s->ids[ERRAND] == 0)
		answer(s, INBOX_TIMEOUT);
}

static void
begin(struct sms_at *s, const char *store, const char *prefix,
    int64_t timeout_ms)
{
	snprintf(s->errand.store, sizeof(s->errand.store), "%s", store);
	s->errand.prefix = prefix;
	s->errand.timeout_ms = timeout_ms;
	if (strcmp(s->chosen, store) == 0)
		run_errand(s);
	else
		choose(s);
}

static void
do_list(void *arg, const char *store)
{
	struct sms_at *s = arg;

	/* Chosen anew each time: the answer says how full it is. */
	s->chosen[0] = '\0';
	snprintf(s->errand.text, sizeof(s->errand.text), "AT+CMGL=4");
	begin(s, store, "+CMGL:", LIST_MS);
}

static void
do_read(void *arg, const char *store, unsigned index)
{
	struct sms_at *s = arg;

	s->errand.index = index;
	snprintf(s->errand.text, sizeof(s->errand.text), "AT+CMGR=%u", index);
	begin(s, store, "+CMGR:", READ_MS);
}

static void
do_remove(void *arg, const char *store, unsigned index)
{
	struct sms_at *s = arg;

	snprintf(s->errand.text, sizeof(s->errand.text), "AT+CMGD=%u", index);
	begin(s, store, NULL, REMOVE_MS);
}

static void
do_remove_all(void *arg, const char *store, enum inbox_which which)
{
	struct sms_at *s = arg;

	snprintf(s->errand.text, sizeof(s->errand.text), "AT+CMGD=1,%d",
	    (int)which);
	begin(s, store, NULL, REMOVE_ALL_MS);
}

static void
on_message(void *arg, const struct inbox_message *m)
{
	struct sms_at *s = arg;

	s->ops->message(s->arg, m);
}

static void
on_stuck(void *arg, const char *why)
{
	struct sms_at *s = arg;

	s->ops->stuck(s->arg, why);
}

static const struct inbox_ops inbox_ops = {
	.list = do_list,
	.read = do_read,
	.remove = do_remove,
	.remove_all = do_remove_all,
	.message = on_message,
	.stuck = on_stuck,
};

/*
 * Reports
 */

/* +CMTI: "SM",7 and +CDSI.  The index may be -1, the store odd. */
static void
on_stored(void *arg, const char *line, const char *body)
{
	struct sms_at *s = arg;
	struct at_field f;
	char store[INBOX_STORE_NAME];
	bool named = at_field_start(&f, line, strncmp(line, "+CDSI", 5) == 0 ?
	    "+CDSI:" : "+CMTI:") &&
	    at_field_str(&f, store, sizeof(store)) == 0;

	(void)body;
	inbox_poke(s->inbox, named ? store : NULL);
	soon(s);
}

static void
on_full(void *arg, const char *line, const char *body)
{
	struct sms_at *s = arg;

	(void)body;
	log_warn("the message store is full (%s)", line);
	inbox_poke(s->inbox, NULL);
	soon(s);
}

static void
on_direct(void *arg, const char *line, const char *body)
{
	struct sms_at *s = arg;

	(void)line;
	if (body != NULL)
		inbox_direct(s->inbox, body, strlen(body), mono_now());
	/* Some deliver it and store it, too. */
	inbox_poke(s->inbox, NULL);
	soon(s);
}

static const struct {
	const char *prefix;
	at_urc_fn *fn;
} reports[] = {
	{ "+CMTI", on_stored },
	{ "+CDSI", on_stored },
	{ "^SMMEMFULL", on_full },
	{ "+CMT:", on_direct },
	{ "+CDS:", on_direct },
};

/*
 * Sending
 */
static enum outbox_answer
sent_how(const struct at_reply *r)
{
	if (r->result == AT_OK)
		return OUTBOX_TAKEN;
	if (answer_of(r) == INBOX_ERROR)
		return OUTBOX_REFUSED;
	return r->body_written ? OUTBOX_NO_ANSWER : OUTBOX_NOT_WRITTEN;
}

static void
on_sent(void *arg, const struct at_reply *r)
{
	struct sms_at *s = arg;

	s->ids[SENDING] = 0;
	outbox_answer(s->outbox, sent_how(r), r->result == AT_CMS ? r->code :
	    -1);
	/* A store that is full keeps some modems from sending. */
	if (r->result == AT_CMS)
		inbox_poke(s->inbox, NULL);
	soon(s);
}

static void
do_send(void *arg, const char *hex, size_t tpdu_len)
{
	struct sms_at *s = arg;
	char text[32];
	const struct at_command c = {
		.text = text, .prefix = "+CMGS:", .body = hex,
		.timeout_ms = SEND_MS, .prompt_ms = PROMPT_MS,
	};

	snprintf(text, sizeof(text), "AT+CMGS=%zu", tpdu_len);
	s->ids[SENDING] = at_send(s->queue, &c, on_sent, s);
	if (s->ids[SENDING] == 0) {
		outbox_answer(s->outbox, OUTBOX_NOT_WRITTEN, -1);
		soon(s);
	}
}

static void
on_end(void *arg, const struct outbox_end *end)
{
	struct sms_at *s = arg;

	s->ops->end(s->arg, end);
}

static const struct outbox_ops outbox_ops = { do_send, on_end };

/*
 * The modem comes and goes
 */
/* How it shall report a message, best first; r NULL: begin. */
static void
on_cnmi(void *arg, const struct at_reply *r)
{
	struct sms_at *s = arg;
	char text[48];
	const struct at_command c = { .text = text, .timeout_ms = CNMI_MS };

	s->ids[SETUP] = 0;
	if (r != NULL && answer_of(r) != INBOX_ERROR)
		return;
	s->cnmi = r == NULL ? 0 : s->cnmi + 1;
	if (s->quirk->cnmi[s->cnmi] == NULL) {
		log_warn("the modem does not report messages, it is asked "
		    "for them every minute");
		return;
	}
	snprintf(text, sizeof(text), "AT+CNMI=%s", s->quirk->cnmi[s->cnmi]);
	s->ids[SETUP] = at_send(s->queue, &c, on_cnmi, s);
}

/* New ones shall go where we look first. */
static void
begin_store(struct sms_at *s)
{
	char text[48];
	const char *store = s->quirk->stores[0];
	const struct at_command c = {
		.text = text, .prefix = "+CPMS:", .timeout_ms = STORE_MS,
	};

	if (store == NULL)
		return;
	snprintf(text, sizeof(text), "AT+CPMS=\"%s\",\"%s\",\"%s\"", store,
	    store, store);
	at_send(s->queue, &c, NULL, NULL);
}

void
sms_at_serve(struct sms_at *s, const struct quirk *quirk, bool registered)
{
	bool begins = quirk != NULL && s->quirk == NULL;

	outbox_ready(s->outbox, quirk != NULL && registered);
	if (quirk == NULL && s->quirk != NULL) {
		inbox_ready(s->inbox, false);
		/* Their answers would be taken for those of later ones. */
		cancel(s, ERRAND);
		cancel(s, SETUP);
	}
	s->quirk = quirk;
	if (begins) {
		s->chosen[0] = '\0';
		begin_store(s);
		on_cnmi(s, NULL);
		inbox_ready(s->inbox, true);
	}
	soon(s);
}

void
sms_at_waiting(struct sms_at *s, bool waits)
{
	inbox_waiting(s->inbox, waits);
	soon(s);
}

void
sms_at_look(struct sms_at *s)
{
	inbox_poke(s->inbox, NULL);
	soon(s);
}

void
sms_at_configure(struct sms_at *s, const struct outbox_conf *conf)
{
	outbox_configure(s->outbox, conf);
}

int
sms_at_send(struct sms_at *s, const char *number, const char *text,
    uint32_t *id, char why[OUTBOX_WHY])
{
	int r = outbox_add(s->outbox, number, text,
	    stamp_now().utc_us / 1000000, id, why);

	soon(s);
	return r;
}

const struct inbox *
sms_at_inbox(const struct sms_at *s)
{
	return s->inbox;
}

const struct outbox *
sms_at_outbox(const struct sms_at *s)
{
	return s->outbox;
}

struct sms_at *
sms_at_new(struct loop *loop, struct at_queue *queue,
    const struct sms_at_conf *conf, const struct sms_at_ops *ops, void *arg)
{
	struct sms_at *s = xcalloc(1, sizeof(*s));

	s->queue = queue;
	s->ops = ops;
	s->arg = arg;
	s->inbox = inbox_new(stores, LEN(stores), conf->seen_path, &inbox_ops,
	    s);
	s->outbox = outbox_new(conf->out_path, &conf->out, &outbox_ops, s);
	s->turn = timer_new(loop, on_turn, s);
	for (size_t i = 0; i < LEN(reports); i++)
		s->urcs[i] = at_urc_add(queue, reports[i].prefix,
		    reports[i].fn, s);
	soon(s);
	return s;
}

void
sms_at_free(struct sms_at *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < LEN(reports); i++)
		at_urc_remove(s->queue, s->urcs[i]);
	for (int i = 0; i < KINDS; i++)
		cancel(s, (enum kind)i);
	timer_free(s->turn);
	inbox_free(s->inbox);
	outbox_free(s->outbox);
	free(s);
}
