#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../../server/base/str.h"
#include "escape.h"
#include "modem_orders.h"
#include "modem_session.h"

#define SEND_BYTES 4096

/* Where an answer goes; what does not fit is left out. */
struct answer {
	char *text;
	size_t size, n;
};

struct order {
	const char *word;
	const char *args;
	const char *help;
	/* NULL, or what is wrong.  rest is "" without words behind it. */
	const char *(*run)(struct stick *, char *rest, struct answer *);
};

struct choice {
	const char *word;
	int value;
};

static void __attribute__((format(printf, 2, 3)))
answer(struct answer *a, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(a->text + a->n, a->size - a->n, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= a->size - a->n)
		a->text[a->n] = '\0';
	else
		a->n += (size_t)n;
}

/* The value of a word in a list that ends with NULL, -1: it is not there. */
static int
choose(const struct choice *choices, const char *word)
{
	for (; choices->word != NULL; choices++) {
		if (strcmp(choices->word, word) == 0)
			return choices->value;
	}
	return -1;
}

static const struct choice on_off[] = {
	{ "on", 1 }, { "off", 0 }, { NULL, 0 },
};

static const struct choice port_choices[] = {
	{ "data", STICK_DATA }, { "control", STICK_CONTROL }, { NULL, 0 },
};

/* The port a word names; -1 also when there is no such port now. */
static int
choose_port(const struct stick *s, const char *word)
{
	int port = choose(port_choices, word);

	return port >= (int)s->conf->nports ? -1 : port;
}

static const char *
next_word(char **rest)
{
	const char *word = *rest == NULL ? NULL : strsep(rest, " ");

	return word == NULL ? "" : word;
}

static const char *
last_words(char **rest)
{
	return *rest == NULL ? "" : *rest;
}

/*
 * Messages.
 */

static const char *
order_sms(struct stick *s, char *rest, struct answer *a)
{
	const char *pdu = next_word(&rest), *mem = next_word(&rest);

	(void)a;
	if (strlen(pdu) >= PDU_HEX || pdu_check(pdu, NULL) == -1)
		return "not a PDU in hex with an SMS centre in front";
	if (*mem != '\0' && store_find(s->store, mem) == -1)
		return "no such store";
	return stick_message(s, pdu, mem) == -1 ? "too many are waiting" :
	    NULL;
}

static const char *
order_text(struct stick *s, char *rest, struct answer *a)
{
	char pdus[PDU_PARTS][PDU_HEX], text[SEND_BYTES];
	const char *sender = next_word(&rest);
	unsigned copies = s->copies;
	ssize_t n = escape_bytes(text, sizeof(text) - 1, last_words(&rest));
	size_t parts;

	(void)a;
	if (n == -1)
		return ESCAPE_HELP;
	text[n] = '\0';
	parts = pdu_deliver(pdus, sender, text, (int64_t)time(NULL),
	    ++s->ref);
	if (parts == 0)
		return "wanted: SENDER TEXT, no more than 8 messages of UTF-8";
	for (size_t i = 0; i < parts; i++) {
		s->copies = copies;
		if (stick_message(s, pdus[i], "") == -1)
			return "too many are waiting";
	}
	return NULL;
}

static const char *
order_copies(struct stick *s, char *rest, struct answer *a)
{
	int64_t n;

	(void)a;
	if (str_int(rest, 1, STICK_WAITING, &n) == -1)
		return "wanted: a number from 1 to 64";
	s->copies = (unsigned)n;
	return NULL;
}

static const char *
order_sent(struct stick *s, char *rest, struct answer *a)
{
	uint64_t i = s->nsent > STICK_SENT ? s->nsent - STICK_SENT : 0;
	bool text = strcmp(rest, "text") == 0;
	char shown[PDU_SHOWN], safe[PDU_SHOWN * 2];

	if (strcmp(rest, "clear") == 0) {
		s->nsent = 0;
		return NULL;
	}
	if (*rest != '\0' && !text)
		return "wanted: nothing, text, or clear";
	if (i == s->nsent)
		answer(a, "none");
	for (; i < s->nsent; i++) {
		const char *pdu = s->sent[i % STICK_SENT];

		if (!text) {
			answer(a, "%s%s", a->n == 0 ? "" : " ", pdu);
			continue;
		}
		pdu_show(shown, pdu);
		answer(a, "%s%s", a->n == 0 ? "" : " | ",
		    str_safe(safe, sizeof(safe), shown, strlen(shown)));
	}
	return NULL;
}

/* A text for every place that is left. */
static const char *
order_fill(struct stick *s, char *rest, struct answer *a)
{
	char pdus[PDU_PARTS][PDU_HEX];
	int mem = store_find(s->store, rest);

	(void)a;
	if (mem == -1)
		return "no such store";
	if (pdu_deliver(pdus, "+436600000000", "old message",
	    (int64_t)time(NULL), 0) != 1)
		return "no message to fill it with";
	while (store_put(s->store, mem, pdus[0], STORE_READ) != -1)
		;
	return NULL;
}

static const char *
order_stores(struct stick *s, char *rest, struct answer *a)
{
	(void)rest;
	for (int i = 0; store_name(s->store, i) != NULL; i++) {
		unsigned size = store_size(s->store, i);

		if (strcmp(store_name(s->store, i), "MT") == 0)
			continue;
		for (unsigned n = 0; n < size; n++) {
			const struct slot *slot = store_slot(s->store, i, n);

			if (slot->used)
				answer(a, "%s%s:%u:%d:%s",
				    a->n == 0 ? "" : " ",
				    store_name(s->store, i), n,
				    (int)slot->state, slot->pdu);
		}
	}
	if (a->n == 0)
		answer(a, "none");
	return NULL;
}

/*
 * Network and card.
 */

static const char *
order_signal(struct stick *s, char *rest, struct answer *a)
{
	int64_t rssi;

	(void)a;
	if (str_int(rest, 0, 99, &rssi) == -1 || (rssi > 31 && rssi != 99))
		return "wanted: 0 to 31, or 99";
	s->rssi = (int)rssi;
	stick_rssi_changed(s);
	return NULL;
}

static const char *
order_reg(struct stick *s, char *rest, struct answer *a)
{
	static const struct choice states[] = {
		{ "idle", REG_IDLE }, { "home", REG_HOME },
		{ "searching", REG_SEARCHING }, { "denied", REG_DENIED },
		{ "unknown", REG_UNKNOWN }, { "roaming", REG_ROAMING },
		{ NULL, 0 },
	};
	static const struct choice domains[] = {
		{ "", 3 }, { "cs", 1 }, { "ps", 2 }, { NULL, 0 },
	};
	int state = choose(states, next_word(&rest));
	int domain = choose(domains, next_word(&rest));

	(void)a;
	if (state == -1 || domain == -1)
		return "wanted: idle home searching denied unknown roaming, "
		    "and cs or ps for only one of them";
	if (domain & 1)
		s->cs = (enum registration)state;
	if (domain & 2)
		s->ps = (enum registration)state;
	stick_radio_changed(s);
	return NULL;
}

static const char *
order_operator(struct stick *s, char *rest, struct answer *a)
{
	const char *number = next_word(&rest), *name = last_words(&rest);
	int64_t n;

	(void)a;
	if (str_int(number, 0, 999999, &n) == -1 || strlen(number) > 6)
		return "wanted: 23201 NAME";
	snprintf(s->operator, sizeof(s->operator), "%s", number);
	snprintf(s->operator_name, sizeof(s->operator_name), "%s",
	    *name == '\0' ? number : name);
	return NULL;
}

static const char *
order_net(struct stick *s, char *rest, struct answer *a)
{
	static const struct choice nets[] = {
		{ "2g", 0 }, { "3g", 1 }, { NULL, 0 },
	};
	int net = choose(nets, rest);

	(void)a;
	if (net == -1)
		return "wanted: 2g or 3g";
	s->g3 = net == 1;
	stick_chat(s, "^MODE:%s", s->g3 ? "5,4" : "3,2");
	return NULL;
}

static bool
is_code(const char *p)
{
	size_t n = strlen(p);

	return n >= 4 && n <= 8 && p[strspn(p, "0123456789")] == '\0';
}

static const char *
order_pin(struct stick *s, char *rest, struct answer *a)
{
	(void)a;
	if (strcmp(rest, "off") == 0)
		card_set(s->card, NULL);
	else if (is_code(rest))
		card_set(s->card, rest);
	else
		return "wanted: 4 to 8 digits, or off";
	card_power(s->card);
	stick_radio_changed(s);
	return NULL;
}

static const char *
order_tries(struct stick *s, char *rest, struct answer *a)
{
	const char *pin = next_word(&rest), *puk = next_word(&rest);
	int64_t n, m = card_puk_tries(s->card);

	(void)a;
	if (str_int(pin, 0, CARD_TRIES, &n) == -1 ||
	    (*puk != '\0' && str_int(puk, 0, CARD_PUK_TRIES, &m) == -1))
		return "wanted: PIN tries (0 to 3), PUK tries (0 to 10)";
	card_set_tries(s->card, (unsigned)n, (unsigned)m);
	stick_radio_changed(s);
	return NULL;
}

static const char *
order_sim(struct stick *s, char *rest, struct answer *a)
{
	enum { IN, OUT, BUSY, READY };
	static const struct choice states[] = {
		{ "in", IN }, { "out", OUT }, { "busy", BUSY },
		{ "ready", READY }, { NULL, 0 },
	};
	int state = choose(states, rest);

	(void)a;
	if (state == -1)
		return "wanted: in out busy ready";
	if (state == BUSY || state == READY)
		card_busy(s->card, state == BUSY);
	else
		card_insert(s->card, state == IN);
	if (state == IN || state == OUT)
		stick_chat(s, "^SIMST:%d", state == IN ? 1 : 255);
	stick_radio_changed(s);
	return NULL;
}

/*
 * The connection.
 */

static const char *
order_carrier(struct stick *s, char *rest, struct answer *a)
{
	(void)a;
	for (int i = 0; i < CARRIER_KINDS; i++) {
		if (strcmp(carrier_kind_text((enum carrier_kind)i), rest) != 0)
			continue;
		session_set_kind(s->session, (enum carrier_kind)i);
		return NULL;
	}
	return "wanted: command silent dead portal stuck refuse";
}

static const char *
order_stall(struct stick *s, char *rest, struct answer *a)
{
	int on = choose(on_off, rest);

	(void)a;
	if (on == -1)
		return "wanted: on or off";
	session_stall(s->session, on == 1);
	return NULL;
}

static const char *
order_no_carrier(struct stick *s, char *rest, struct answer *a)
{
	(void)rest;
	(void)a;
	session_drop(s->session);
	return NULL;
}

static const char *
order_dtr(struct stick *s, char *rest, struct answer *a)
{
	(void)rest;
	(void)a;
	session_dtr_low(s->session);
	return NULL;
}

/*
 * The cable.
 */

static const char *
order_unplug(struct stick *s, char *rest, struct answer *a)
{
	(void)rest;
	(void)a;
	stick_unplug(s);
	return NULL;
}

static const char *
order_plug(struct stick *s, char *rest, struct answer *a)
{
	bool swap = strcmp(rest, "swap") == 0;

	(void)a;
	if (*rest != '\0' && !swap)
		return "wanted: nothing, or swap";
	if (s->plugged)
		return "it is plugged in";
	if (swap && s->conf->nports == 1)
		return "there is only one port";
	return stick_plug(s, swap) == -1 ? "no new port, see stderr" : NULL;
}

static const char *
order_replug(struct stick *s, char *rest, struct answer *a)
{
	stick_unplug(s);
	return order_plug(s, rest, a);
}

static const char *
order_reset(struct stick *s, char *rest, struct answer *a)
{
	(void)rest;
	(void)a;
	stick_reset(s);
	return NULL;
}

/*
 * What goes wrong.
 */

static const char *
order_fault(struct stick *s, char *rest, struct answer *a)
{
	(void)a;
	if (strcmp(rest, "off") == 0) {
		faults_clear(s->faults, NULL);
		return NULL;
	}
	if (strncmp(rest, "off ", 4) == 0) {
		faults_clear(s->faults, rest + 4);
		return NULL;
	}
	return faults_add(s->faults, rest);
}

static const char *
order_inject(struct stick *s, char *rest, struct answer *a)
{
	(void)a;
	return faults_inject(s->faults, rest);
}

static const char *
order_urc(struct stick *s, char *rest, struct answer *a)
{
	char *all = rest;
	int port = choose_port(s, next_word(&rest));

	(void)a;
	if (port != -1) {
		at_urc(s->at[port], last_words(&rest), true);
		return NULL;
	}
	if (rest != NULL)
		rest[-1] = ' ';
	stick_urc(s, "%s", all);
	return NULL;
}

static const char *
order_send(struct stick *s, char *rest, struct answer *a)
{
	int port = choose_port(s, next_word(&rest));
	char bytes[SEND_BYTES];
	ssize_t n = escape_bytes(bytes, sizeof(bytes), last_words(&rest));

	(void)a;
	if (port == -1)
		return "wanted: data or control, and what to send";
	if (n == -1)
		return ESCAPE_HELP;
	at_raw(s->at[port], bytes, (size_t)n);
	return NULL;
}

static const char *
order_silent(struct stick *s, char *rest, struct answer *a)
{
	int port = choose_port(s, rest);
	bool off = strcmp(rest, "off") == 0;

	(void)a;
	if (port == -1 && !off && strcmp(rest, "both") != 0)
		return "wanted: data control both off";
	for (int i = 0; i < (int)s->conf->nports; i++) {
		if (port == -1 || i == port)
			at_silence(s->at[i], !off);
	}
	return NULL;
}

static const char *
order_ends(struct stick *s, char *rest, struct answer *a)
{
	static const struct choice ends[] = {
		{ "crlf", 0 }, { "crcrlf", 1 }, { NULL, 0 },
	};
	int end = choose(ends, rest);

	(void)a;
	if (end == -1)
		return "wanted: crlf or crcrlf";
	for (unsigned i = 0; i < s->conf->nports; i++)
		at_double_cr(s->at[i], end == 1);
	return NULL;
}

static const char *
order_dribble(struct stick *s, char *rest, struct answer *a)
{
	int64_t ms = 0;

	(void)a;
	if (strcmp(rest, "off") != 0 && str_int(rest, 1, 1000, &ms) == -1)
		return "wanted: milliseconds (1 to 1000), or off";
	for (unsigned i = 0; i < s->conf->nports; i++)
		port_dribble(s->port[i], ms);
	return NULL;
}

static const char *
order_index(struct stick *s, char *rest, struct answer *a)
{
	static const struct choice indices[] = {
		{ "lost", 1 }, { "right", 0 }, { NULL, 0 },
	};
	int lost = choose(indices, rest);

	(void)a;
	if (lost == -1)
		return "wanted: lost or right";
	s->lost_index = lost == 1;
	return NULL;
}

/*
 * What is seen.
 */

static const char *
order_commands(struct stick *s, char *rest, struct answer *a)
{
	int64_t last = STICK_LOG;
	uint64_t i;

	if (strcmp(rest, "clear") == 0) {
		s->nlog = 0;
		return NULL;
	}
	if (*rest != '\0' && str_int(rest, 1, STICK_LOG, &last) == -1)
		return "wanted: nothing, how many, or clear";
	i = s->nlog > (uint64_t)last ? s->nlog - (uint64_t)last : 0;
	if (i == s->nlog)
		answer(a, "none");
	for (; i < s->nlog; i++)
		answer(a, "%s%s", a->n == 0 ? "" : " | ",
		    s->log[i % STICK_LOG]);
	return NULL;
}

static void
answer_card(const struct stick *s, struct answer *a)
{
	static const char *const texts[] = {
		[CARD_READY] = "ready", [CARD_PIN] = "pin",
		[CARD_PUK] = "puk", [CARD_BLOCKED] = "blocked",
		[CARD_BUSY] = "busy", [CARD_OUT] = "out",
	};

	answer(a, " sim=%s pin_tries=%u puk_tries=%u",
	    texts[card_state(s->card)], card_tries(s->card),
	    card_puk_tries(s->card));
}

static void
answer_session(const struct stick *s, struct answer *a)
{
	struct session_stat st;

	session_stat(s->session, &st);
	answer(a, " session=%s dials=%" PRIu64 " connects=%" PRIu64
	    " up=%" PRIu64 " down=%" PRIu64 " all_up=%" PRIu64
	    " all_down=%" PRIu64, st.state, st.dials, st.connects, st.up,
	    st.down, st.all_up, st.all_down);
}

static const char *
order_stat(struct stick *s, char *rest, struct answer *a)
{
	(void)rest;
	answer(a, "plugged=%d swapped=%d resets=%" PRIu64, s->plugged,
	    s->swapped, s->resets);
	for (int i = 0; i < (int)s->conf->nports; i++)
		answer(a, " %s=%s", stick_port_text(i),
		    port_heard(stick_port(s, i)) ? "open" : "closed");
	answer_card(s, a);
	answer(a, " cfun=%d cs=%d ps=%d rssi=%d operator=%s", s->cfun,
	    (int)stick_cs(s), (int)stick_ps(s), s->rssi, s->operator);
	answer_session(s, a);
	for (int i = 0; store_name(s->store, i) != NULL; i++)
		answer(a, " %s=%u/%u", store_name(s->store, i),
		    store_used(s->store, i), store_size(s->store, i));
	answer(a, " waiting=%u sent=%" PRIu64 " commands=%" PRIu64
	    " text_mode=%d u2diag=%d", s->nwaiting, s->nsent, s->nlog,
	    s->text_mode, s->u2diag);
	return NULL;
}

static const struct order orders[] = {
	{ "sms", "PDU [STORE]", "a message in hex comes in", order_sms },
	{ "text", "SENDER TEXT", "the same, made here; \\n as such",
	    order_text },
	{ "copies", "N", "the next one comes N times", order_copies },
	{ "fill", "STORE", "old messages into every free place", order_fill },
	{ "stores", "", "STORE:INDEX:STATE:PDU of each", order_stores },
	{ "sent", "[text|clear]", "what was sent: PDUs, or readable",
	    order_sent },
	{ "signal", "RSSI", "0 to 31, 99: unknown", order_signal },
	{ "reg", "STATE [cs|ps]", "home roaming searching denied idle unknown",
	    order_reg },
	{ "operator", "NUMBER NAME", "as 23201 A1", order_operator },
	{ "net", "2g|3g", "the radio", order_net },
	{ "pin", "CODE|off", "another card: it asks for this PIN",
	    order_pin },
	{ "tries", "PIN [PUK]", "left; 0: it wants the PUK", order_tries },
	{ "sim", "in|out|busy|ready", "the card", order_sim },
	{ "carrier", "KIND", "behind the next call: the --carrier command,\n"
	    "                          silent: not a byte, dead: PPP but no "
	    "credit,\n                          portal: web pages for all, "
	    "stuck: no address,\n                          refuse: no such "
	    "password", order_carrier },
	{ "stall", "on|off", "bytes vanish, the connection stays",
	    order_stall },
	{ "no-carrier", "", "the call, or the attempt, ends",
	    order_no_carrier },
	{ "dtr", "", "as if DTR dropped on the data port", order_dtr },
	{ "unplug", "", "the ports are gone", order_unplug },
	{ "plug", "[swap]", "they are back, with each other's names",
	    order_plug },
	{ "replug", "[swap]", "both at once", order_replug },
	{ "reset", "", "gone, and back by itself", order_reset },
	{ "fault", "COMMAND [xN] ACTION", "for the next N of these commands "
	    "(+CMGL, D, *,\n                          AT: the bare one, SUBMIT: "
	    "a message typed):\n                          hang | dead | answer "
	    "TEXT | slow MS |\n                          garbage BYTES | cut "
	    "BYTES; \"fault off\"", order_fault },
	{ "inject", "WHERE[:COMMAND] TEXT", "a line in the next answer: echo "
	    "info lineN\n                          final prompt after",
	    order_inject },
	{ "urc", "[PORT] TEXT", "a line now, unasked", order_urc },
	{ "send", "PORT TEXT", "just these bytes; \\n \\e \\xNN",
	    order_send },
	{ "silent", "PORT|both|off", "hears and says nothing", order_silent },
	{ "ends", "crlf|crcrlf", "of lines", order_ends },
	{ "dribble", "MS|off", "a byte at a time", order_dribble },
	{ "index", "lost|right", "lost: +CMTI says -1", order_index },
	{ "commands", "[N|clear]", "what came: PORT:LINE | ...",
	    order_commands },
	{ "stat", "", "counters and states", order_stat },
};

#define NORDERS (sizeof(orders) / sizeof(orders[0]))

void
orders_run(void *arg, char *line, char *reply, size_t size)
{
	struct answer a = { .text = reply, .size = size };
	const char *why = "no such order; see oobsim modem --help";
	char none[] = "", *rest = line;
	const char *word = strsep(&rest, " ");

	for (size_t i = 0; i < NORDERS; i++) {
		if (strcmp(orders[i].word, word) != 0)
			continue;
		why = orders[i].run(arg, rest == NULL ? none : rest, &a);
		break;
	}
	if (why != NULL)
		snprintf(reply, size, "error: %s: %s", word, why);
	else if (a.n == 0)
		snprintf(reply, size, "ok");
}

void
orders_usage(FILE *to)
{
	char left[64];

	for (size_t i = 0; i < NORDERS; i++) {
		snprintf(left, sizeof(left), "%s %s", orders[i].word,
		    orders[i].args);
		if (strlen(left) > 19)
			fprintf(to, "      %s\n%26s%s\n", left, "",
			    orders[i].help);
		else
			fprintf(to, "      %-19s %s\n", left, orders[i].help);
	}
}
