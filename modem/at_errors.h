/*
 * at_errors: the numbers behind +CME ERROR (3GPP TS 27.007 9.2) and
 * +CMS ERROR (27.005 3.2.5) as text, and back.  Pure.
 */
#ifndef MODEM_AT_ERRORS_H
#define MODEM_AT_ERRORS_H

/* Codes that decide what is done next. */
enum at_cme {
	AT_CME_FORBIDDEN = 3,		/* operation not allowed */
	AT_CME_NO_SIM = 10,
	AT_CME_PIN_NEEDED = 11,
	AT_CME_PUK_NEEDED = 12,
	AT_CME_SIM_FAILURE = 13,
	AT_CME_SIM_BUSY = 14,
	AT_CME_SIM_WRONG = 15,
	AT_CME_BAD_PASSWORD = 16,
	AT_CME_NO_NETWORK = 30,
	AT_CME_RESTART_WAIT = 515,	/* Huawei: "please wait, starting" */
};

/* Text of a code, never NULL ("unknown error"). */
const char *at_cme_text(int code);
const char *at_cms_text(int code);

/*
 * The code of what stands behind the colon: a number, or one of these texts
 * (AT+CMEE=2).  -1 when it is neither.
 */
int at_cme_code(const char *text);
int at_cms_code(const char *text);

#endif
