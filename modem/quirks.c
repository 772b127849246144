#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "quirks.h"

/*
 * Huawei: unsolicited codes go to one port only, PORTSEL says to which (0: the
 * second one, 1: the modem's); CURC=1 turns them on.  CURC=0 would spare the
 * flood of ^RSSI, but on some firmware takes +CMTI away, too.
 */
static const char *const huawei_two[] = { "AT^PORTSEL=0", "AT^CURC=1", NULL };
static const char *const huawei_one[] = { "AT^PORTSEL=1", "AT^CURC=1", NULL };
static const char *const quectel_two[] = {
    "AT+QURCCFG=\"urcport\",\"usbat\"", NULL };
static const char *const quectel_one[] = {
    "AT+QURCCFG=\"urcport\",\"usbmodem\"", NULL };
static const char *const nothing[] = { NULL };

static const char *const huawei_iccid[] = { "AT^ICCID?", "AT+CCID",
    "AT+ICCID", NULL };
static const char *const quectel_iccid[] = { "AT+QCCID", "AT+CCID", NULL };
static const char *const sierra_iccid[] = { "AT!ICCID?", "AT+CCID?",
    "AT+ICCID", NULL };
static const char *const generic_iccid[] = { "AT+CCID", "AT+CCID?",
    "AT+ICCID", NULL };

/* ^CPIN: <state>,<times>,<puk>,<pin>,<puk2>,<pin2> */
static const struct quirk_tries huawei_tries[] = {
	{ "AT^CPIN?", "^CPIN:", NULL, 3 },
	{ "AT+CPINR=\"SIM PIN\"", "+CPINR:", "SIM PIN", 1 },
	{ .text = NULL },
};
static const struct quirk_tries quectel_tries[] = {
	{ "AT+QPINC=\"SC\"", "+QPINC:", "SC", 1 },
	{ "AT+CPINR=\"SIM PIN\"", "+CPINR:", "SIM PIN", 1 },
	{ .text = NULL },
};
/* +SPIC: <pin>,<puk>,<pin2>,<puk2> */
static const struct quirk_tries simcom_tries[] = {
	{ "AT+SPIC", "+SPIC:", NULL, 0 },
	{ "AT+CPINR=\"SIM PIN\"", "+CPINR:", "SIM PIN", 1 },
	{ .text = NULL },
};
/* +CPINC: <pin>,<pin2>,<puk>,<puk2> */
static const struct quirk_tries sierra_tries[] = {
	{ "AT+CPINC?", "+CPINC:", NULL, 0 },
	{ "AT+CPINR=\"SIM PIN\"", "+CPINR:", "SIM PIN", 1 },
	{ .text = NULL },
};
static const struct quirk_tries generic_tries[] = {
	{ "AT+CPINR=\"SIM PIN\"", "+CPINR:", "SIM PIN", 1 },
	{ .text = NULL },
};

static const char *const huawei_reset[] = { "AT^RESET", "AT+CFUN=1,1", NULL };
static const char *const sierra_reset[] = { "AT!RESET", "AT+CFUN=1,1", NULL };
static const char *const generic_reset[] = { "AT+CFUN=1,1", NULL };

/* Mode 2 keeps codes while the line carries data; mode 1 would lose them. */
static const char *const huawei_cnmi[] = { "2,1,2,1,0", "2,1,2,2,0",
    "2,1,0,2,0", "2,1,2,0,0", "1,1,0,0,0", NULL };
static const char *const generic_cnmi[] = { "2,1,2,1,0", "2,1,0,1,0",
    "2,1,2,0,0", "2,1,0,0,0", "1,1,0,0,0", NULL };

static const char *const stores[] = { "SM", "ME", NULL };

static const struct quirk quirks[] = {
	{
		.name = "Huawei",
		.maker = "huawei",
		.init_two = huawei_two,
		.init_one = huawei_one,
		.iccid = huawei_iccid,
		.tries = huawei_tries,
		.reset = huawei_reset,
		.port_mode = "AT^GETPORTMODE",
		.sysinfo = "AT^SYSINFO",
		.modem_only = "AT^U2DIAG=0",
		.cnmi = huawei_cnmi,
		.stores = stores,
	},
	{
		.name = "Quectel",
		.maker = "quectel",
		.init_two = quectel_two,
		.init_one = quectel_one,
		.iccid = quectel_iccid,
		.tries = quectel_tries,
		.reset = generic_reset,
		.cnmi = generic_cnmi,
		.stores = stores,
		.lte = true,
	},
	{
		.name = "SIMCom",
		.maker = "simcom",
		.init_two = nothing,
		.init_one = nothing,
		.iccid = generic_iccid,
		.tries = simcom_tries,
		.reset = generic_reset,
		.cnmi = generic_cnmi,
		.stores = stores,
		.lte = true,
	},
	{
		.name = "Sierra",
		.maker = "sierra",
		.init_two = nothing,
		.init_one = nothing,
		.iccid = sierra_iccid,
		.tries = sierra_tries,
		.reset = sierra_reset,
		.cnmi = generic_cnmi,
		.stores = stores,
		.lte = true,
	},
	{
		.name = "generic",
		.init_two = nothing,
		.init_one = nothing,
		.iccid = generic_iccid,
		.tries = generic_tries,
		.reset = generic_reset,
		.cnmi = generic_cnmi,
		.stores = stores,
		.lte = true,
	},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool
contains(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (; *text != '\0'; text++)
		if (strncasecmp(text, word, n) == 0)
			return true;
	return false;
}

const struct quirk *
quirk_find(const char *maker)
{
	size_t i;

	for (i = 0; i < COUNT(quirks) - 1; i++)
		if (contains(maker, quirks[i].maker))
			break;
	return &quirks[i];
}

const struct quirk *
quirk_at(unsigned i)
{
	return i < COUNT(quirks) ? &quirks[i] : NULL;
}
