#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "modem_cmds.h"
#include "modem_session.h"
#include "modem_stick.h"

static int
run_sysinfo(struct at_call *c)
{
	const struct stick *s = c->stick;
	bool cs = stick_registered(stick_cs(s));
	bool ps = stick_registered(stick_ps(s));
	int error = card_error(s->card);

	/* Service, domain, roaming, mode, card, lock, sub-mode. */
	at_line(c->at, "^SYSINFO:%d,%d,%d,%d,%d,,%d", cs || ps ? 2 : 0,
	    cs && ps ? 3 : cs ? 1 : ps ? 2 : 0, stick_cs(s) == REG_ROAMING,
	    !cs && !ps ? 0 : s->g3 ? 5 : 3, error == 10 ? 255 : error == 0,
	    !cs && !ps ? 0 : s->g3 ? 4 : 2);
	return AT_OK;
}

/* A number in *value, asked for and set. */
static int
setting(struct at_call *c, int max, int *value)
{
	int64_t n;

	if (c->kind == AT_READ) {
		at_line(c->at, "%s: %d", c->name, *value);
		return AT_OK;
	}
	if (at_number(&c->args, 0, &n) == -1 || n > max)
		return AT_CME(50);
	*value = (int)n;
	return AT_OK;
}

static int
run_curc(struct at_call *c)
{
	int on = c->stick->curc, result = setting(c, 1, &on);

	c->stick->curc = on == 1;
	return result;
}

static int
run_portsel(struct at_call *c)
{
	return setting(c, 1, &c->stick->portsel);
}

static int
run_u2diag(struct at_call *c)
{
	return setting(c, 999, &c->stick->u2diag);
}

static int
run_getportmode(struct at_call *c)
{
	at_line(c->at, "^GETPORTMODE: TYPE: WCDMA: huawei,MDM:0%s",
	    c->stick->conf->nports == 1 ? "" : ",DIAG:1,PCUI:2");
	return AT_OK;
}

static int
run_cpin(struct at_call *c)
{
	const struct card *card = c->stick->card;
	const char *text = card_state_text(card);
	char times[16] = "";

	if (text == NULL)
		return AT_CME(card_error(card));
	if (card_state(card) != CARD_READY)
		snprintf(times, sizeof(times), "%u",
		    card_state(card) == CARD_PIN ? card_tries(card) :
		    card_puk_tries(card));
	at_line(c->at, "^CPIN: %s,%s,%u,%u,%u,%u", text, times,
	    card_puk_tries(card), card_tries(card), CARD_PUK_TRIES,
	    CARD_TRIES);
	return AT_OK;
}

static int
run_iccid(struct at_call *c)
{
	if (card_state(c->stick->card) == CARD_OUT)
		return AT_CME(10);
	at_line(c->at, "^ICCID: " CARD_ICCID);
	return AT_OK;
}

static int
run_cardmode(struct at_call *c)
{
	at_line(c->at, "^CARDMODE: 2");
	return AT_OK;
}

static int
run_syscfg(struct at_call *c)
{
	if (c->kind == AT_READ)
		at_line(c->at, "^SYSCFG:2,0,3FFFFFFF,1,2");
	return AT_OK;
}

static int
run_dsflowqry(struct at_call *c)
{
	struct session_stat st;

	session_stat(c->stick->session, &st);
	at_line(c->at, "^DSFLOWQRY:%08" PRIX64 ",%016" PRIX64 ",%016" PRIX64
	    ",%08" PRIX64 ",%016" PRIX64 ",%016" PRIX64,
	    (uint64_t)st.seconds, st.up, st.down, (uint64_t)st.seconds,
	    st.all_up, st.all_down);
	return AT_OK;
}

static int
run_dsflowclr(struct at_call *c)
{
	session_clear_stat(c->stick->session);
	return AT_OK;
}

static int
run_rfswitch(struct at_call *c)
{
	struct stick *s = c->stick;
	int64_t on;

	if (c->kind == AT_READ) {
		at_line(c->at, "^RFSWITCH:%d,1", s->cfun == 1);
		return AT_OK;
	}
	if (at_number(&c->args, 1, &on) == -1 || on > 1)
		return AT_CME(50);
	s->cfun = on == 1 ? 1 : 7;
	stick_radio_changed(s);
	return AT_OK;
}

static int
run_hwver(struct at_call *c)
{
	at_line(c->at, "^HWVER:\"CD6ATCPU\"");
	return AT_OK;
}

static int
run_reset(struct at_call *c)
{
	stick_reset(c->stick);
	return AT_OK;
}

static int
run_any(struct at_call *c)
{
	(void)c;
	return AT_OK;
}

const struct at_command cmds_huawei[] = {
	{ "^SYSINFO", AT_EXEC, 0, "", run_sysinfo },
	{ "^CURC", AT_READ | AT_SET, 0, "(0-1)", run_curc },
	{ "^PORTSEL", AT_READ | AT_SET, 0, "(0-1)", run_portsel },
	{ "^U2DIAG", AT_READ | AT_SET, 0, "(0-999)", run_u2diag },
	{ "^GETPORTMODE", AT_EXEC, 0, "", run_getportmode },
	{ "^CPIN", AT_READ, 0, "", run_cpin },
	{ "^ICCID", AT_READ, 0, "", run_iccid },
	{ "^CARDMODE", AT_EXEC | AT_READ, 0, "", run_cardmode },
	{ "^SYSCFG", AT_READ | AT_SET, 0,
	    "(2,13,14,16),(0-3),((400380,\"GSM900/GSM1800/WCDMA2100\")),"
	    "(0-2),(0-4)", run_syscfg },
	{ "^DSFLOWQRY", AT_EXEC, 0, "", run_dsflowqry },
	{ "^DSFLOWCLR", AT_EXEC, 0, "", run_dsflowclr },
	{ "^DSFLOWRPT", AT_READ | AT_SET, 0, "(0-1)", run_any },
	{ "^RFSWITCH", AT_READ | AT_SET, 0, "(0-1)", run_rfswitch },
	{ "^AUTHDATA", AT_READ | AT_SET, 0, "", run_any },
	{ "^HWVER", AT_EXEC, 0, "", run_hwver },
	{ "^RESET", AT_EXEC, 0, "", run_reset },
	{ NULL, 0, 0, NULL, NULL },
};

static const char *const about_huawei[] = {
	"Manufacturer: huawei",
	"Model: E1752",
	"Revision: 11.126.03.00.00",
	"IMEI: 353456789012343",
	"+GCAP: +CGSM,+DS,+ES",
	NULL,
};

static const char *const about_generic[] = {
	"oobsim modem",
	NULL,
};

static const struct at_command *const tables_huawei[] = {
	cmds_basic,
	cmds_network,
	cmds_sms,
	cmds_huawei,
	NULL,
};

static const struct at_command *const tables_generic[] = {
	cmds_basic,
	cmds_network,
	cmds_sms,
	cmds_generic,
	NULL,
};

const struct personality personality_huawei = {
	"huawei",
	"huawei",
	"E1752",
	"11.126.03.00.00",
	"353456789012343",
	about_huawei,
	tables_huawei,
	AT_NOT_SUPPORT,
	true,
};

const struct personality personality_generic = {
	"generic",
	"oobsim",
	"modem",
	"1.0",
	"490154203237518",
	about_generic,
	tables_generic,
	AT_ERROR,
	false,
};
