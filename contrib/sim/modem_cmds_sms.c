#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../../server/base/str.h"
#include "modem_cmds.h"
#include "modem_stick.h"

#define ALL 4			/* +CMGL=4 */
#define MEMORY_FULL 322
#define BAD_PDU 304
#define BAD_INDEX 321
#define NOT_SUPPORTED 303
#define NO_NETWORK 331
#define BAD_PARAMETER 305

static int
run_cmgf(struct at_call *c)
{
	int64_t mode;

	if (c->kind == AT_READ) {
		at_line(c->at, "+CMGF: %d", c->stick->text_mode);
		return AT_OK;
	}
	if (at_number(&c->args, 0, &mode) == -1 || mode > 1)
		return AT_ERROR;
	c->stick->text_mode = mode == 1;
	return AT_OK;
}

static int
run_csms(struct at_call *c)
{
	at_line(c->at, c->kind == AT_READ ? "+CSMS: 0,1,1,1" :
	    "+CSMS: 1,1,1");
	return AT_OK;
}

static int
test_cpms(struct at_call *c)
{
	const struct store *store = c->stick->store;
	char list[64] = "";

	for (int i = 0; store_name(store, i) != NULL; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
		    "%s\"%s\"", i == 0 ? "" : ",", store_name(store, i));
	at_line(c->at, "+CPMS: (%s),(%s),(%s)", list, list, list);
	return AT_OK;
}

static int
run_cpms(struct at_call *c)
{
	struct stick *s = c->stick;
	char text[160] = "", name[8];
	int mem[3];

	if (c->kind == AT_TEST)
		return test_cpms(c);
	for (int i = 0; c->kind == AT_SET && i < 3; i++) {
		mem[i] = s->mem[i];
		if (at_field(&c->args, name, sizeof(name)))
			mem[i] = store_find(s->store, name);
		if (mem[i] == -1)
			return AT_CMS(302);
	}
	if (c->kind == AT_SET)
		memcpy(s->mem, mem, sizeof(mem));
	for (int i = 0; i < 3; i++) {
		int m = s->mem[i];
		size_t n = strlen(text);

		if (c->kind == AT_READ)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s\"%s\"", i == 0 ? "" : ",",
			    store_name(s->store, m));
		snprintf(text + n, sizeof(text) - n, "%s%u,%u",
		    n == 0 ? "" : ",", store_used(s->store, m),
		    store_size(s->store, m));
	}
	at_line(c->at, "+CPMS: %s", text);
	stick_deliver(s);
	return AT_OK;
}

static int
run_cnmi(struct at_call *c)
{
	static const int max[5] = { 3, 3, 3, 2, 1 };
	int *set = at_settings(c->at)->cnmi, wanted[5];
	int64_t n;

	if (c->kind == AT_READ) {
		at_line(c->at, "+CNMI: %d,%d,%d,%d,%d", set[0], set[1],
		    set[2], set[3], set[4]);
		return AT_OK;
	}
	for (int i = 0; i < 5; i++) {
		if (at_number(&c->args, set[i], &n) == -1 || n > max[i])
			return AT_CMS(BAD_PARAMETER);
		wanted[i] = (int)n;
	}
	memcpy(set, wanted, sizeof(wanted));
	stick_deliver(c->stick);
	return AT_OK;
}

/* "1,,23" of a message: its state and octets, as +CMGL and +CMGR say it. */
static void
describe(const struct slot *slot, char *dst, size_t size)
{
	size_t octets = 0;

	pdu_check(slot->pdu, &octets);
	snprintf(dst, size, "%d,,%zu", (int)slot->state, octets);
}

static int
run_cmgl(struct at_call *c)
{
	struct stick *s = c->stick;
	char text[48];
	int64_t which;

	if (s->text_mode)
		return AT_CMS(NOT_SUPPORTED);
	if (at_number(&c->args, 0, &which) == -1 || which > ALL)
		return AT_CMS(BAD_PARAMETER);
	for (unsigned i = 0; i < store_size(s->store, s->mem[0]); i++) {
		struct slot *slot = store_slot(s->store, s->mem[0], i);

		if (!slot->used ||
		    (which != ALL && (int)slot->state != which))
			continue;
		describe(slot, text, sizeof(text));
		at_line(c->at, "+CMGL: %u,%s", i, text);
		at_line(c->at, "%s", slot->pdu);
		if (slot->state == STORE_UNREAD)
			slot->state = STORE_READ;
	}
	return AT_OK;
}

static int
run_cmgr(struct at_call *c)
{
	struct stick *s = c->stick;
	struct slot *slot;
	char text[48];
	int64_t at;

	if (s->text_mode)
		return AT_CMS(NOT_SUPPORTED);
	if (at_number(&c->args, -1, &at) == -1 || at == -1)
		return AT_CMS(BAD_PARAMETER);
	slot = store_slot(s->store, s->mem[0], (unsigned)at);
	if (slot == NULL || !slot->used)
		return AT_CMS(BAD_INDEX);
	describe(slot, text, sizeof(text));
	at_line(c->at, "+CMGR: %s", text);
	at_line(c->at, "%s", slot->pdu);
	if (slot->state == STORE_UNREAD)
		slot->state = STORE_READ;
	return AT_OK;
}

/* Is a message in this state to go, for +CMGD's second number? */
static bool
is_to_go(enum store_state state, int64_t flag)
{
	static const bool table[5][4] = {
		[1] = { [STORE_READ] = true },
		[2] = { [STORE_READ] = true, [STORE_SENT] = true },
		[3] = { [STORE_READ] = true, [STORE_SENT] = true,
		    [STORE_UNSENT] = true },
		[4] = { true, true, true, true },
	};

	return table[flag][state];
}

static int
run_cmgd(struct at_call *c)
{
	struct stick *s = c->stick;
	struct slot *slot;
	int64_t at, flag;

	if (at_number(&c->args, -1, &at) == -1 || at == -1 ||
	    at_number(&c->args, 0, &flag) == -1 || flag > 4)
		return AT_CMS(BAD_PARAMETER);
	stick_deliver(s);
	if (flag == 0) {
		slot = store_slot(s->store, s->mem[0], (unsigned)at);
		if (slot == NULL)
			return AT_CMS(BAD_INDEX);
		slot->used = false;
		return AT_OK;
	}
	for (unsigned i = 0; i < store_size(s->store, s->mem[0]); i++) {
		slot = store_slot(s->store, s->mem[0], i);
		if (slot->used && is_to_go(slot->state, flag))
			slot->used = false;
	}
	return AT_OK;
}

static int
sending_done(struct at_call *c)
{
	at_line(c->at, "%s: %u", c->name, c->stick->ref);
	return AT_OK;
}

/* What was typed at the prompt of "AT+CMGS=n": args, n is the name's. */
static int
submit(struct at_call *c)
{
	struct stick *s = c->stick;
	size_t octets;

	if (pdu_check(c->args, &octets) == -1 ||
	    octets != s->announced[at_index(c->at)])
		return AT_CMS(BAD_PDU);
	if (!stick_registered(stick_cs(s)))
		return AT_CMS(NO_NETWORK);
	stick_sent(s, c->args);
	return at_wait(c->at, s->conf->sms_ms, sending_done);
}

static int
keep(struct at_call *c)
{
	struct stick *s = c->stick;
	size_t octets;
	int at;

	if (pdu_check(c->args, &octets) == -1 ||
	    octets != s->announced[at_index(c->at)])
		return AT_CMS(BAD_PDU);
	at = store_put(s->store, s->mem[1], c->args, STORE_UNSENT);
	if (at == -1)
		return AT_CMS(MEMORY_FULL);
	at_line(c->at, "+CMGW: %d", at);
	return AT_OK;
}

/* +CMGS and +CMGW. */
static int
ask_for_pdu(struct at_call *c, at_run_fn *then)
{
	int64_t octets;

	if (c->stick->text_mode)
		return AT_CMS(NOT_SUPPORTED);
	if (at_number(&c->args, 0, &octets) == -1 || octets < 1 ||
	    octets > 176)
		return AT_CMS(BAD_PARAMETER);
	c->stick->announced[at_index(c->at)] = (size_t)octets;
	return at_prompt(c->at, then);
}

static int
run_cmgs(struct at_call *c)
{
	return ask_for_pdu(c, submit);
}

static int
run_cmgw(struct at_call *c)
{
	return ask_for_pdu(c, keep);
}

static int
run_csca(struct at_call *c)
{
	if (c->kind == AT_READ)
		at_line(c->at, "+CSCA: \"+436640000000\",145");
	return AT_OK;
}

static int
run_any(struct at_call *c)
{
	(void)c;
	return AT_OK;
}

const struct at_command cmds_sms[] = {
	{ "+CMGF", AT_READ | AT_SET, 0, "(0,1)", run_cmgf },
	{ "+CSMS", AT_READ | AT_SET, 0, "(0,1)", run_csms },
	{ "+CPMS", AT_READ | AT_SET | AT_TEST, AT_CARD_SMS, NULL, run_cpms },
	{ "+CNMI", AT_READ | AT_SET, 0,
	    "(0,1,2,3),(0,1,2,3),(0,1,2,3),(0,1,2),(0,1)", run_cnmi },
	{ "+CMGL", AT_EXEC | AT_SET, AT_CARD_SMS, "(0-4)", run_cmgl },
	{ "+CMGR", AT_SET, AT_CARD_SMS, "", run_cmgr },
	{ "+CMGD", AT_SET, AT_CARD_SMS, "(0-254),(0-4)", run_cmgd },
	{ "+CMGS", AT_SET, AT_CARD_SMS, "", run_cmgs },
	{ "+CMGW", AT_SET, AT_CARD_SMS, "", run_cmgw },
	{ "+CSCA", AT_READ | AT_SET, AT_CARD_SMS, "", run_csca },
	{ "+CMMS", AT_READ | AT_SET, 0, "(0-2)", run_any },
	{ "+CGSMS", AT_READ | AT_SET, 0, "(0-3)", run_any },
	{ "+CNMA", AT_EXEC | AT_SET, 0, "(0-2)", run_any },
	{ NULL, 0, 0, NULL, NULL },
};
