#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../modem/at_errors.h"
#include "modem_why.h"

int
modem_why_dbm(int rssi)
{
	return rssi >= 0 && rssi <= 31 ? 2 * rssi - 113 : 0;
}

char *
modem_why_name(char name[MODEM_WHY_NAME], const char *why)
{
	size_t n = strncmp(why, "E-", 2) == 0 ? 2 +
	    strspn(why + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0;

	if (n <= 2 || n >= MODEM_WHY_NAME)
		n = 0;
	snprintf(name, MODEM_WHY_NAME, "%.*s", (int)n, why);
	return name;
}

static bool
is_registered(enum device_reg reg)
{
	return reg == DEVICE_REG_HOME || reg == DEVICE_REG_ROAMING;
}

static const char *
signal_text(char dst[32], int rssi)
{
	if (modem_why_dbm(rssi) == 0)
		snprintf(dst, 32, "no signal known");
	else
		snprintf(dst, 32, "signal %d dBm", modem_why_dbm(rssi));
	return dst;
}

/* Blocked: the device says what a human must do. */
static enum modem_can
blocked(const struct device_status *s, char why[MODEM_WHY])
{
	bool pin = strstr(s->why, "PIN") != NULL ||
	    strstr(s->why, "PUK") != NULL;

	snprintf(why, MODEM_WHY, "%s: %.140s", pin ? "E-PIN" : "E-SIM", s->why);
	return MODEM_CANNOT;
}

static enum modem_can
ready(const struct device_status *s, bool roaming, char why[MODEM_WHY])
{
	char signal[32];

	if (!is_registered(s->ps)) {
		snprintf(why, MODEM_WHY, "E-REG: no data service (messages: "
		    "%s, data: %s), %s", device_reg_text(s->cs),
		    device_reg_text(s->ps), signal_text(signal, s->rssi));
		return MODEM_WAITS;
	}
	if (s->roaming && !roaming) {
		snprintf(why, MODEM_WHY, "E-REG: in a foreign network (%s) "
		    "and roaming is false", s->oper);
		return MODEM_WAITS;
	}
	why[0] = '\0';
	return MODEM_CAN;
}

enum modem_can
modem_why_not(const struct device_status *s, bool roaming,
    char why[MODEM_WHY])
{
	char signal[32];

	if (s == NULL) {
		snprintf(why, MODEM_WHY, "E-MODEM: none is configured");
		return MODEM_CANNOT;
	}
	switch (s->state) {
	case DEVICE_READY:
		return ready(s, roaming, why);
	case DEVICE_BLOCKED:
		return blocked(s, why);
	case DEVICE_SEARCHING:
		snprintf(why, MODEM_WHY, "E-REG: not registered: %s, %s",
		    device_reg_text(s->cs), signal_text(signal, s->rssi));
		break;
	case DEVICE_SIM:
		snprintf(why, MODEM_WHY, "E-SIM: the SIM is not ready%s%.120s",
		    s->why[0] == '\0' ? "" : ": ", s->why);
		break;
	case DEVICE_OFF:
	case DEVICE_ABSENT:
	case DEVICE_OPENING:
	case DEVICE_STARTING:
	case DEVICE_DEAF:
	case DEVICE_REPAIRING:
		snprintf(why, MODEM_WHY, "E-MODEM: %s%s%.130s",
		    device_state_text(s->state),
		    s->why[0] == '\0' ? "" : ": ", s->why);
		break;
	}
	return MODEM_WAITS;
}

/* Words in a cause, and what they mean. */
static const struct {
	const char *words, *name;
} causes[] = {
	{ "authentication",		"E-AUTH" },
	{ "apn",			"E-APN" },
	{ "access point",		"E-APN" },
	{ "option not subscribed",	"E-APN" },
	{ "not subscribed",		"E-APN" },
	{ "not supported",		"E-APN" },
	{ "barred",			"E-APN" },
	{ "credit",			"E-APN" },
};

/* Of +CME ERROR; 27.007 9.2.2. */
static const struct {
	int code;
	const char *name;
} codes[] = {
	{ AT_CME_NO_SIM, "E-SIM" },
	{ AT_CME_SIM_FAILURE, "E-SIM" },
	{ AT_CME_PIN_NEEDED, "E-PIN" },
	{ AT_CME_PUK_NEEDED, "E-PIN" },
	{ AT_CME_NO_NETWORK, "E-REG" },
	{ 103, "E-SIM" },	/* illegal MS */
	{ 107, "E-APN" },	/* GPRS services not allowed */
	{ 132, "E-APN" },	/* service option not supported */
	{ 133, "E-APN" },	/* requested service option not subscribed */
	{ 134, "E-PDP" },	/* temporarily out of order */
	{ 149, "E-AUTH" },	/* PDP authentication failure */
};

static const char *
find_words(const char *text, const char *words)
{
	size_t n = strlen(words);

	for (; *text != '\0'; text++) {
		if (strncasecmp(text, words, n) == 0)
			return text;
	}
	return NULL;
}

static const char *
name_of(const struct at_reply *r, const char *cause)
{
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (find_words(cause, causes[i].words) != NULL)
			return causes[i].name;
	}
	for (size_t i = 0; r->result == AT_CME &&
	    i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].code == r->code)
			return codes[i].name;
	}
	return r->result == AT_GONE ? "E-MODEM" : "E-PDP";
}

bool
modem_why_has_cause(const struct at_reply *r)
{
	return r->result != AT_GONE && r->result != AT_CANCELLED &&
	    r->result != AT_TIMEOUT && r->result != AT_CONNECT;
}

char *
modem_why_call(char why[MODEM_WHY], const struct at_reply *r,
    const char *cause)
{
	char text[AT_REPLY_TEXT];

	snprintf(why, MODEM_WHY, "%s: the call failed: %s%s%.80s",
	    name_of(r, cause), at_reply_text(text, r),
	    *cause == '\0' ? "" : ", ", cause);
	return why;
}

char *
modem_why_unproven(char why[MODEM_WHY], const char *failure,
    const char *text, bool heard)
{
	/* Something answers, and it is not the relay. */
	bool portal = strcmp(failure, "host-key") == 0 ||
	    strcmp(failure, "handshake") == 0;

	if (!heard)
		snprintf(why, MODEM_WHY, "E-DEAD: PPP is up, but nothing "
		    "comes back (no credit left?)");
	else
		snprintf(why, MODEM_WHY, "%s: %s%s%.100s",
		    portal ? "E-PORTAL" : "E-RELAY", portal ?
		    "somebody else answers in place of the relay" :
		    "no relay gets through", *text == '\0' ? "" : ": ", text);
	return why;
}
