#include <stdio.h>
#include <string.h>
#include <time.h>

#include "modem_cmds.h"
#include "modem_session.h"
#include "modem_stick.h"

#define OPERATOR_SCAN_MS 3000
#define PIN_MS 100
#define ATTACH_MS 100

/* A number up to max, the only argument. */
static int
number(struct at_call *c, int max, int *out)
{
	int64_t n;

	if (at_number(&c->args, 0, &n) == -1 || n > max)
		return AT_CME(50);
	*out = (int)n;
	return AT_OK;
}

static int
run_cmee(struct at_call *c)
{
	struct at_settings *set = at_settings(c->at);

	if (c->kind == AT_SET)
		return number(c, 2, &set->cmee);
	at_line(c->at, "+CMEE: %d", set->cmee);
	return AT_OK;
}

/*
 * The card.
 */

static int
unlocked(struct at_call *c)
{
	stick_radio_changed(c->stick);
	return AT_OK;
}

static int
enter_pin(struct at_call *c)
{
	struct card *card = c->stick->card;
	char code[16], new_pin[16];
	int failed = -1;

	at_field(&c->args, code, sizeof(code));
	at_field(&c->args, new_pin, sizeof(new_pin));
	switch (card_state(card)) {
	case CARD_PIN:
		failed = card_unlock(card, code);
		break;
	case CARD_PUK:
		failed = card_unblock(card, code, new_pin);
		break;
	case CARD_READY:
		return AT_CME(3);
	case CARD_BLOCKED:
	case CARD_BUSY:
	case CARD_OUT:
		return AT_CME(card_error(card));
	}
	return failed ? AT_CME(16) : at_wait(c->at, PIN_MS, unlocked);
}

static int
run_cpin(struct at_call *c)
{
	const char *text = card_state_text(c->stick->card);

	if (c->kind == AT_SET)
		return enter_pin(c);
	if (text == NULL)
		return AT_CME(card_error(c->stick->card));
	at_line(c->at, "+CPIN: %s", text);
	return AT_OK;
}

static int
run_clck(struct at_call *c)
{
	struct card *card = c->stick->card;
	char what[8], pin[16];
	int64_t mode;

	at_field(&c->args, what, sizeof(what));
	if (strcmp(what, "SC") != 0)
		return AT_CME(4);
	if (at_number(&c->args, 9, &mode) == -1 || mode > 2)
		return AT_CME(50);
	if (mode == 2) {
		at_line(c->at, "+CLCK: %d", card_asks(card));
		return AT_OK;
	}
	at_field(&c->args, pin, sizeof(pin));
	return card_ask(card, pin, mode == 1) == -1 ? AT_CME(16) : AT_OK;
}

static int
run_cpwd(struct at_call *c)
{
	char what[8], pin[16], new_pin[16];

	at_field(&c->args, what, sizeof(what));
	at_field(&c->args, pin, sizeof(pin));
	at_field(&c->args, new_pin, sizeof(new_pin));
	if (strcmp(what, "SC") != 0)
		return AT_CME(4);
	return card_change(c->stick->card, pin, new_pin) == -1 ? AT_CME(16) :
	    AT_OK;
}

static int
run_cimi(struct at_call *c)
{
	at_line(c->at, CARD_IMSI);
	return AT_OK;
}

static int
run_ccid(struct at_call *c)
{
	if (card_state(c->stick->card) == CARD_OUT)
		return AT_CME(10);
	at_line(c->at, "+CCID: " CARD_ICCID);
	return AT_OK;
}

static int
run_cpinr(struct at_call *c)
{
	const struct card *card = c->stick->card;

	at_line(c->at, "+CPINR: SIM PIN,%u,%d", card_tries(card), CARD_TRIES);
	at_line(c->at, "+CPINR: SIM PUK,%u,%d", card_puk_tries(card),
	    CARD_PUK_TRIES);
	return AT_OK;
}

/*
 * The radio.
 */

static int
run_cfun(struct at_call *c)
{
	int64_t fun, reset;

	if (c->kind == AT_READ) {
		at_line(c->at, "+CFUN: %d", c->stick->cfun);
		return AT_OK;
	}
	if (at_number(&c->args, 1, &fun) == -1 || fun > 7 ||
	    at_number(&c->args, 0, &reset) == -1 || reset > 1)
		return AT_CME(50);
	if (reset == 1) {
		stick_reset(c->stick);
		return AT_OK;
	}
	c->stick->cfun = (int)fun;
	stick_radio_changed(c->stick);
	return AT_OK;
}

static int
run_csq(struct at_call *c)
{
	at_line(c->at, "+CSQ: %d,%d", c->stick->rssi, c->stick->ber);
	return AT_OK;
}

/* +CREG and +CGREG. */
static int
registration(struct at_call *c, int *level, enum registration now)
{
	if (c->kind == AT_SET)
		return number(c, 2, level);
	at_line(c->at, "%s: %d,%d%s", c->name, *level, (int)now,
	    *level == 2 && stick_registered(now) ?
	    ", \"0A1B\", \"00C0FFEE\"" : "");
	return AT_OK;
}

static int
run_creg(struct at_call *c)
{
	return registration(c, &at_settings(c->at)->creg,
	    stick_cs(c->stick));
}

static int
run_cgreg(struct at_call *c)
{
	return registration(c, &at_settings(c->at)->cgreg,
	    stick_ps(c->stick));
}

static int
operators(struct at_call *c)
{
	const struct stick *s = c->stick;

	at_line(c->at, "+COPS: (2,\"%s\",\"%s\",\"%s\",2),"
	    "(3,\"T-Mobile A\",\"TMO A\",\"23203\",0),,(0,1,2,3,4),(0,1,2)",
	    s->operator_name, s->operator_name, s->operator);
	return AT_OK;
}

static int
run_cops(struct at_call *c)
{
	struct stick *s = c->stick;
	int64_t mode, format;

	if (c->kind == AT_TEST)
		return at_wait(c->at, OPERATOR_SCAN_MS, operators);
	if (c->kind == AT_SET) {
		if (at_number(&c->args, 0, &mode) == -1 || mode > 4 ||
		    at_number(&c->args, s->cops_format, &format) == -1 ||
		    format > 2)
			return AT_CME(50);
		s->cops_format = (int)format;
		return AT_OK;
	}
	if (!stick_registered(stick_cs(s)))
		at_line(c->at, "+COPS: 0");
	else
		at_line(c->at, "+COPS: 0,%d,\"%s\",%d", s->cops_format,
		    s->cops_format == 2 ? s->operator : s->operator_name,
		    s->g3 ? 2 : 0);
	return AT_OK;
}

static int
run_cpas(struct at_call *c)
{
	at_line(c->at, "+CPAS: %d", session_is_up(c->stick->session) ? 4 : 0);
	return AT_OK;
}

static int
run_clock(struct at_call *c)
{
	time_t now = time(NULL);
	struct tm tm;

	if (c->kind == AT_SET)
		return AT_OK;
	gmtime_r(&now, &tm);
	at_line(c->at, "+CCLK: \"%02d/%02d/%02d,%02d:%02d:%02d+00\"",
	    tm.tm_year % 100, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
	return AT_OK;
}

/*
 * Packet data.
 */

static int
define_context(struct at_call *c)
{
	char type[16], apn[STICK_APN];
	int64_t cid;

	if (at_number(&c->args, 1, &cid) == -1 || cid < 1 ||
	    cid > STICK_CONTEXTS)
		return AT_CME(50);
	at_field(&c->args, type, sizeof(type));
	at_field(&c->args, apn, sizeof(apn));
	if (type[0] != '\0' && strcmp(type, "IP") != 0 &&
	    strcmp(type, "PPP") != 0)
		return AT_CME(50);
	snprintf(c->stick->apn[cid], STICK_APN, "%s", apn);
	return AT_OK;
}

static int
run_cgdcont(struct at_call *c)
{
	if (c->kind == AT_SET)
		return define_context(c);
	for (int i = 1; i <= STICK_CONTEXTS; i++) {
		if (c->stick->apn[i][0] != '\0')
			at_line(c->at, "+CGDCONT: %d,\"IP\",\"%s\",\"\",0,0",
			    i, c->stick->apn[i]);
	}
	return AT_OK;
}

static int
attach_done(struct at_call *c)
{
	struct stick *s = c->stick;

	if (!s->attached)
		session_drop(s->session);
	return s->attached && !stick_registered(stick_ps(s)) ? AT_CME(30) :
	    AT_OK;
}

static int
run_cgatt(struct at_call *c)
{
	struct stick *s = c->stick;
	int on;

	if (c->kind == AT_READ) {
		at_line(c->at, "+CGATT: %d", s->attached &&
		    stick_registered(stick_ps(s)));
		return AT_OK;
	}
	if (number(c, 1, &on) != AT_OK)
		return AT_CME(50);
	s->attached = on == 1;
	return at_wait(c->at, ATTACH_MS, attach_done);
}

static int
activate(struct at_call *c)
{
	struct stick *s = c->stick;
	int64_t on, cid;

	if (at_number(&c->args, 1, &on) == -1 || on > 1 ||
	    at_number(&c->args, 1, &cid) == -1 || cid < 1 ||
	    cid > STICK_CONTEXTS)
		return AT_CME(50);
	if (on == 1 && !stick_registered(stick_ps(s)))
		return AT_CME(30);
	/* Taking the context away hangs up on whoever uses it. */
	if (on == 0 && s->active[cid])
		session_drop(s->session);
	s->active[cid] = on == 1;
	return AT_OK;
}

static int
run_cgact(struct at_call *c)
{
	const struct stick *s = c->stick;

	if (c->kind == AT_SET)
		return activate(c);
	for (int i = 1; i <= STICK_CONTEXTS; i++) {
		if (s->apn[i][0] != '\0' || s->active[i])
			at_line(c->at, "+CGACT: %d,%d", i, s->active[i]);
	}
	return AT_OK;
}

static int
run_ceer(struct at_call *c)
{
	at_line(c->at, "+CEER: %s", c->stick->cause);
	return AT_OK;
}

static int
run_cscs(struct at_call *c)
{
	if (c->kind == AT_READ)
		at_line(c->at, "+CSCS: \"IRA\"");
	return AT_OK;
}

static int
run_any(struct at_call *c)
{
	(void)c;
	return AT_OK;
}

const struct at_command cmds_network[] = {
	{ "+CMEE", AT_READ | AT_SET, 0, "(0-2)", run_cmee },
	{ "+CPIN", AT_READ | AT_SET, 0, "", run_cpin },
	{ "+CLCK", AT_SET, AT_CARD, "(\"SC\")", run_clck },
	{ "+CPWD", AT_SET, AT_CARD, "(\"SC\",8)", run_cpwd },
	{ "+CIMI", AT_EXEC, AT_CARD, "", run_cimi },
	{ "+CFUN", AT_READ | AT_SET, 0, "(0,1,4-7),(0,1)", run_cfun },
	{ "+CSQ", AT_EXEC, 0, "(0-31,99),(0-7,99)", run_csq },
	{ "+CREG", AT_READ | AT_SET, 0, "(0-2)", run_creg },
	{ "+CGREG", AT_READ | AT_SET, 0, "(0-2)", run_cgreg },
	{ "+COPS", AT_READ | AT_SET | AT_TEST, AT_CARD, NULL, run_cops },
	{ "+CPAS", AT_EXEC, 0, "(0,2-4)", run_cpas },
	{ "+CCLK", AT_READ | AT_SET, 0, "", run_clock },
	{ "+CTZR", AT_READ | AT_SET, 0, "(0,1)", run_any },
	{ "+CSCS", AT_READ | AT_SET, 0, "(\"IRA\",\"GSM\",\"UCS2\")",
	    run_cscs },
	{ "+CGDCONT", AT_READ | AT_SET, 0, "(1-16),\"IP\",,,(0-2),(0-4)",
	    run_cgdcont },
	{ "+CGATT", AT_READ | AT_SET, AT_CARD, "(0,1)", run_cgatt },
	{ "+CGACT", AT_READ | AT_SET, AT_CARD, "(0,1)", run_cgact },
	{ "+CEER", AT_EXEC, 0, "", run_ceer },
	{ "+CRC", AT_READ | AT_SET, 0, "(0,1)", run_any },
	{ NULL, 0, 0, NULL, NULL },
};

const struct at_command cmds_generic[] = {
	{ "+CCID", AT_EXEC | AT_READ, 0, "", run_ccid },
	{ "+CPINR", AT_EXEC | AT_SET, 0, "", run_cpinr },
	{ NULL, 0, 0, NULL, NULL },
};
