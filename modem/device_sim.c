/*
 * SIM and PIN.  A wrong PIN costs one of three attempts, and the third one
 * costs a visit to the site: so one attempt per SIM and PIN, written down
 * before it is made, and none where the modem says that fewer than two are
 * left.  What cannot be solved so waits for a human and says what to do; the
 * SIM is looked at again and again, but no PIN goes out.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../server/base/log.h"
#include "at_errors.h"
#include "at_field.h"
#include "device_internal.h"
#include "pinlog.h"

#define LOOK_MS 30000		/* blocked: has a human helped? */
#define AGAIN_MS 2000		/* behind a PIN: has the SIM opened? */
#define AGAIN_MAX 5
#define CPIN_MS 20000
#define TRIES_MIN 2

static void
block(struct device *d, const char *why)
{
	device_change_state(d, DEVICE_BLOCKED, "%s", why);
	timer_set(d->watch_timer, LOOK_MS);
}

/* EF_ICCID: 18 to 20 digits from 89, or with swapped nibbles from 98. */
static void
got_iccid(struct device *d, const struct at_reply *r)
{
	char *dst = d->st.iccid;
	const char *p;
	size_t n, i;

	for (i = 0; i < r->nlines && dst[0] == '\0'; i++) {
		p = r->lines[i] + strcspn(r->lines[i], "0123456789");
		for (n = 0; isxdigit((unsigned char)p[n]); n++)
			continue;
		if (n < 18 || n > 20)
			continue;
		memcpy(dst, p, n);
		dst[n] = '\0';
		for (size_t k = 0; strncmp(p, "98", 2) == 0 && k + 1 < n;
		    k += 2) {
			dst[k] = p[k + 1];
			dst[k + 1] = p[k];
		}
		/* Filled up to an even number of nibbles. */
		while (n > 0 && tolower((unsigned char)dst[n - 1]) == 'f')
			dst[--n] = '\0';
	}
}

static void
add_iccid(struct device *d)
{
	const char *const *p;

	for (p = d->st.quirk->iccid; d->st.iccid[0] == '\0' && *p != NULL; p++)
		script_add(d, &(struct step){ .text = *p, .prefix = "",
		    .got = got_iccid });
}

static bool
parse_tries(const struct quirk_tries *t, const char *line, int *tries)
{
	struct at_field f;
	char first[16] = "";
	int64_t n;

	if (!at_field_start(&f, line, t->prefix))
		return false;
	if (t->first != NULL && (at_field_str(&f, first, sizeof(first)) != 0 ||
	    strcmp(first, t->first) != 0))
		return false;
	for (unsigned i = t->first != NULL; i < t->field; i++)
		at_field_skip(&f);
	if (at_field_int(&f, &n) != 0 || n < 0 || n > 99)
		return false;
	*tries = (int)n;
	return true;
}

/* Of several answers the lowest counts. */
static void
got_tries(struct device *d, const struct at_reply *r)
{
	const struct quirk_tries *t;
	int tries;

	for (size_t i = 0; i < r->nlines; i++)
		for (t = d->st.quirk->tries; t->text != NULL; t++)
			if (parse_tries(t, r->lines[i], &tries) &&
			    (d->st.pin_tries == -1 ||
			    tries < d->st.pin_tries))
				d->st.pin_tries = tries;
}

static bool
is_pin(const char *pin)
{
	size_t n = strspn(pin, "0123456789");

	return n >= 4 && n <= 8 && pin[n] == '\0';
}

/* What a SIM is called that does not tell its number. */
static void
name_unknown(const struct device *d, char *dst, size_t size)
{
	if (d->st.imei[0] != '\0' && strpbrk(d->st.imei, " \\") == NULL)
		snprintf(dst, size, "imei-%s", d->st.imei);
	else
		snprintf(dst, size, "unknown");
}

/* Some modems tell the number only once the SIM is open. */
static void
name_sim(struct device *d)
{
	if (d->st.iccid[0] != '\0')
		snprintf(d->sim, sizeof(d->sim), "%s", d->st.iccid);
	else
		name_unknown(d, d->sim, sizeof(d->sim));
}

/*
 * One whose number is not known may be any that there was; one whose number
 * is known may have been tried when it was not.
 */
static enum pinlog_answer
look_up(const struct device *d)
{
	enum pinlog_answer a = pinlog_look(d->pinlog, d->sim, d->pin);
	char unknown[sizeof(d->sim)];

	if (a != PINLOG_FRESH)
		return a;
	if (d->st.iccid[0] == '\0')
		return pinlog_look(d->pinlog, NULL, d->pin);
	name_unknown(d, unknown, sizeof(unknown));
	return pinlog_look(d->pinlog, unknown, d->pin);
}

/* Whatever it was, the SIM says best. */
static void
on_pin(void *arg, const struct at_reply *r)
{
	struct device *d = arg;
	char text[AT_REPLY_TEXT];

	if (r->result == AT_GONE || r->result == AT_CANCELLED ||
	    d->st.state != DEVICE_SIM)
		return;
	log_info("modem: the PIN was sent: %s", at_reply_text(text, r));
	d->sim_rounds = r->result == AT_OK ? AGAIN_MAX : 1;
	timer_set(d->watch_timer, AGAIN_MS);
}

static void
send_pin(struct device *d)
{
	char text[32];

	if (pinlog_begin(d->pinlog, d->sim, d->pin) == -1) {
		log_errno("modem: %s", d->pinlog);
		block(d, "the attempt cannot be written down, so the PIN is "
		    "not tried: see to the state folder");
		return;
	}
	snprintf(text, sizeof(text), "AT+CPIN=\"%s\"", d->pin);
	d->pin_sent = true;
	device_change_state(d, DEVICE_SIM, "the PIN is sent");
	at_send(device_queue(d), &(struct at_command){ .text = text,
	    .timeout_ms = CPIN_MS, .flags = AT_SECRET }, on_pin, d);
	memset(text, 0, sizeof(text));
}

/* It wants its PIN, and all that can be known is known. */
static void
decide(struct device *d)
{
	char why[DEVICE_WHY], left[48] = "";

	name_sim(d);
	if (d->st.pin_tries != -1)
		snprintf(left, sizeof(left), " (%d attempts left)",
		    d->st.pin_tries);
	switch (look_up(d)) {
	case PINLOG_BROKEN:
		snprintf(why, sizeof(why), "the list of PIN attempts cannot "
		    "be read: put right or remove %.100s", d->pinlog);
		block(d, why);
		return;
	case PINLOG_TRIED:
		snprintf(why, sizeof(why), "this PIN was tried once on this "
		    "SIM and not taken%s: correct the file named in "
		    "pin_file", left);
		block(d, why);
		return;
	case PINLOG_FRESH:
		break;
	}
	if (d->st.pin_tries != -1 && d->st.pin_tries < TRIES_MIN) {
		snprintf(why, sizeof(why), "too few attempts at the PIN are "
		    "left to try%s: unlock the SIM in a phone", left);
		block(d, why);
		return;
	}
	send_pin(d);
}

static void
on_wants_pin(struct device *d)
{
	const struct quirk_tries *t;

	/* Just sent: it may take a while to open. */
	if (d->pin_sent && d->sim_rounds > 1) {
		d->sim_rounds--;
		timer_set(d->watch_timer, AGAIN_MS);
		return;
	}
	if (d->pin == NULL) {
		block(d, "the SIM wants a PIN and there is none: set pin_file,"
		    " or remove the PIN from the SIM");
		return;
	}
	if (!is_pin(d->pin)) {
		block(d, "the file named in pin_file does not hold 4 to 8 "
		    "digits");
		return;
	}
	d->st.pin_tries = -1;
	script_begin(d);
	add_iccid(d);
	for (t = d->st.quirk->tries; t->text != NULL; t++)
		script_add(d, &(struct step){ .text = t->text,
		    .prefix = t->prefix, .got = got_tries });
	script_run(d, decide);
}

static void
clear_attempt(const struct device *d)
{
	if (pinlog_clear(d->pinlog, d->sim) == -1)
		log_errno("modem: %s", d->pinlog);
}

/*
 * Open, and its number known: no attempt is owed any more, under whatever
 * name it was written down.
 */
static void
on_open(struct device *d)
{
	if (d->pin_sent)
		clear_attempt(d);
	name_sim(d);
	clear_attempt(d);
	d->pin_sent = false;
	device_set_up(d);
}

static void
on_ready(struct device *d)
{
	/* Blocked until now, perhaps: it serves only behind the set-up. */
	device_change_state(d, DEVICE_SIM, "%s", "");
	script_begin(d);
	add_iccid(d);
	script_run(d, on_open);
}

static const struct {
	const char *state;
	void (*act)(struct device *);
	const char *why;		/* for a human, when there is no act */
} answers[] = {
	{ "READY", on_ready, NULL },
	{ "SIM PIN2", on_ready, NULL },	/* of what we never use */
	{ "SIM PUK2", on_ready, NULL },
	{ "SIM PIN", on_wants_pin, NULL },
	{ "SIM PUK", NULL, "the SIM wants its PUK: unlock it in a phone" },
	{ "PH-SIM PIN", NULL, "the modem is locked to another SIM" },
	{ "PH-NET PIN", NULL, "the modem is locked to another network" },
	{ "PH-NETSUB PIN", NULL, "the modem is locked to another network" },
	{ "PH-SP PIN", NULL, "the modem is locked to another provider" },
	{ "PH-CORP PIN", NULL, "the modem is locked to a company" },
};

/* Refusals that name a state. */
static const struct {
	int code;
	const char *state;		/* as above, or NULL */
	const char *why;
} refusals[] = {
	{ AT_CME_PIN_NEEDED, "SIM PIN", NULL },
	{ AT_CME_PUK_NEEDED, "SIM PUK", NULL },
	{ AT_CME_NO_SIM, NULL, "there is no SIM in the modem" },
	{ AT_CME_SIM_FAILURE, NULL, "the SIM fails: take it out, clean it, "
	    "put it back" },
	{ AT_CME_SIM_WRONG, NULL, "the SIM is refused as wrong" },
};

static void
act_on(struct device *d, const char *state)
{
	char why[DEVICE_WHY];

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (strcasecmp(answers[i].state, state) != 0)
			continue;
		if (answers[i].act != NULL)
			answers[i].act(d);
		else
			block(d, answers[i].why);
		return;
	}
	snprintf(why, sizeof(why), "the SIM is in an unknown state, %.60s: "
	    "look at it in a phone", state);
	block(d, why);
}

static void
got_cpin(struct device *d, const struct at_reply *r)
{
	char state[64], text[AT_REPLY_TEXT], why[DEVICE_WHY];
	struct at_field f;

	/* Some say all but OK behind. */
	if (r->nlines > 0 && at_field_start(&f, r->lines[0], "+CPIN") &&
	    at_field_str(&f, state, sizeof(state)) == 0) {
		act_on(d, state);
		return;
	}
	for (size_t i = 0; r->result == AT_CME &&
	    i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (refusals[i].code != r->code)
			continue;
		if (refusals[i].state != NULL)
			act_on(d, refusals[i].state);
		else
			block(d, refusals[i].why);
		return;
	}
	if (r->result == AT_CME && r->code == AT_CME_SIM_BUSY) {
		device_trouble(d, true, "the SIM stays busy");
		return;
	}
	snprintf(why, sizeof(why), "the modem does not tell the state of the "
	    "SIM: %s", at_reply_text(text, r));
	block(d, why);
}

/* Nothing comes behind: got_cpin has decided. */
static void
on_asked(struct device *d)
{
	(void)d;
}

void
device_ask_pin(struct device *d)
{
	script_begin(d);
	script_add(d, &(struct step){ .text = "AT+CPIN?", .prefix = "+CPIN:",
	    .timeout_ms = 10000, .patient = true, .got = got_cpin });
	script_run(d, on_asked);
}

void
device_ask_sim(struct device *d)
{
	device_change_state(d, DEVICE_SIM, "%s", "");
	device_ask_pin(d);
}

void
device_retry_pin(struct device *d)
{
	if (d->st.state != DEVICE_BLOCKED || d->sim[0] == '\0')
		return;
	d->pin_sent = false;
	if (pinlog_clear(d->pinlog, NULL) == -1)
		log_errno("modem: %s", d->pinlog);
	else
		device_ask_pin(d);
}
