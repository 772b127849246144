#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/modem_why.h"

static struct device_status
modem(enum device_state state)
{
	struct device_status s = { .state = state, .rssi = 18,
	    .cs = DEVICE_REG_HOME, .ps = DEVICE_REG_HOME, .pin_tries = -1 };

	return s;
}

static void
assert_begins(const char *text, const char *begin)
{
	if (strncmp(text, begin, strlen(begin)) != 0)
		fail_msg("%s does not begin with %s", text, begin);
}

static void
able(void **state)
{
	struct device_status s = modem(DEVICE_READY);
	char why[MODEM_WHY];

	(void)state;
	assert_int_equal(modem_why_not(&s, false, why), MODEM_CAN);
	assert_string_equal(why, "");
	assert_int_equal(modem_why_not(NULL, false, why), MODEM_CANNOT);
	assert_begins(why, "E-MODEM: ");
}

static void
every_state_has_a_name(void **state)
{
	char why[MODEM_WHY], name[MODEM_WHY_NAME];

	(void)state;
	for (int i = DEVICE_OFF; i <= DEVICE_REPAIRING; i++) {
		struct device_status s = modem((enum device_state)i);

		memset(s.why, 'x', sizeof(s.why) - 1);
		if (i == DEVICE_READY)
			continue;
		assert_int_not_equal(modem_why_not(&s, true, why), MODEM_CAN);
		assert_int_not_equal(strlen(modem_why_name(name, why)), 0);
		assert_true(strlen(why) < MODEM_WHY);
	}
}

static void
sim_and_pin(void **state)
{
	struct device_status s = modem(DEVICE_BLOCKED);
	char why[MODEM_WHY];

	(void)state;
	snprintf(s.why, sizeof(s.why), "there is no SIM in the modem");
	assert_int_equal(modem_why_not(&s, false, why), MODEM_CANNOT);
	assert_string_equal(why, "E-SIM: there is no SIM in the modem");
	snprintf(s.why, sizeof(s.why), "the SIM wants its PUK: unlock it");
	modem_why_not(&s, false, why);
	assert_begins(why, "E-PIN: the SIM wants its PUK");
}

static void
registration(void **state)
{
	struct device_status s = modem(DEVICE_SEARCHING);
	char why[MODEM_WHY];

	(void)state;
	s.cs = s.ps = DEVICE_REG_DENIED;
	assert_int_equal(modem_why_not(&s, false, why), MODEM_WAITS);
	assert_string_equal(why, "E-REG: not registered: denied, "
	    "signal -77 dBm");
	s = modem(DEVICE_READY);
	s.ps = DEVICE_REG_SEARCHING;
	s.rssi = 99;
	assert_int_equal(modem_why_not(&s, false, why), MODEM_WAITS);
	assert_string_equal(why, "E-REG: no data service (messages: home, "
	    "data: searching), no signal known");
	s = modem(DEVICE_READY);
	s.cs = s.ps = DEVICE_REG_ROAMING;
	s.roaming = true;
	assert_int_equal(modem_why_not(&s, false, why), MODEM_WAITS);
	assert_begins(why, "E-REG: in a foreign network");
	assert_int_equal(modem_why_not(&s, true, why), MODEM_CAN);
}

static void
calls(void **state)
{
	static const struct {
		enum at_result result;
		int code;
		const char *cause, *name;
	} rows[] = {
		{ AT_NO_CARRIER, -1, "", "E-PDP" },
		{ AT_NO_CARRIER, -1, "No cause information available",
		    "E-PDP" },
		{ AT_NO_CARRIER, -1, "Missing or unknown APN", "E-APN" },
		{ AT_NO_CARRIER, -1, "Requested service option not "
		    "subscribed", "E-APN" },
		{ AT_NO_CARRIER, -1, "User authentication failed", "E-AUTH" },
		{ AT_CME, 133, "", "E-APN" },
		{ AT_CME, 149, "", "E-AUTH" },
		{ AT_CME, 30, "", "E-REG" },
		{ AT_CME, 12, "", "E-PIN" },
		{ AT_CME, 3, "", "E-PDP" },
		{ AT_ERROR, 133, "", "E-PDP" },
		{ AT_TIMEOUT, -1, "", "E-PDP" },
		{ AT_GONE, -1, "", "E-MODEM" },
	};
	char why[MODEM_WHY], name[MODEM_WHY_NAME];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct at_reply r = { .result = rows[i].result,
		    .code = rows[i].code, .text = "" };

		modem_why_call(why, &r, rows[i].cause);
		assert_string_equal(modem_why_name(name, why), rows[i].name);
		assert_non_null(strstr(why, rows[i].cause));
	}
}

static void
causes_are_worth_asking(void **state)
{
	struct at_reply r = { .result = AT_NO_CARRIER, .code = -1 };

	(void)state;
	assert_true(modem_why_has_cause(&r));
	r.result = AT_GONE;
	assert_false(modem_why_has_cause(&r));
	r.result = AT_TIMEOUT;
	assert_false(modem_why_has_cause(&r));
}

static void
unproven(void **state)
{
	char why[MODEM_WHY], name[MODEM_WHY_NAME], text[600];

	(void)state;
	modem_why_unproven(why, "", "", false);
	assert_string_equal(modem_why_name(name, why), "E-DEAD");
	modem_why_unproven(why, "host-key", "cloud: another key", true);
	assert_string_equal(modem_why_name(name, why), "E-PORTAL");
	modem_why_unproven(why, "handshake", "cloud: HTTP", true);
	assert_string_equal(modem_why_name(name, why), "E-PORTAL");
	modem_why_unproven(why, "connect", "cloud: timed out", true);
	assert_string_equal(why, "E-RELAY: no relay gets through: cloud: "
	    "timed out");
	/* Nothing heard counts more than what somebody makes of it. */
	modem_why_unproven(why, "host-key", "x", false);
	assert_string_equal(modem_why_name(name, why), "E-DEAD");
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	modem_why_unproven(why, "login", text, true);
	assert_true(strlen(why) < MODEM_WHY);
}

static void
names(void **state)
{
	static const struct {
		const char *text, *name;
	} rows[] = {
		{ "E-REG: not registered", "E-REG" },
		{ "E-REG", "E-REG" },
		{ "", "" }, { "E-", "" }, { "E-: x", "" }, { "e-reg", "" },
		{ "asked for", "" }, { "E-ABCDEFGHIJKLMNOPQRS: x", "" },
	};
	char name[MODEM_WHY_NAME];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(modem_why_name(name, rows[i].text),
		    rows[i].name);
}

static void
signals(void **state)
{
	(void)state;
	assert_int_equal(modem_why_dbm(0), -113);
	assert_int_equal(modem_why_dbm(31), -51);
	assert_int_equal(modem_why_dbm(99), 0);
	assert_int_equal(modem_why_dbm(-1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(able),
		cmocka_unit_test(every_state_has_a_name),
		cmocka_unit_test(sim_and_pin),
		cmocka_unit_test(registration),
		cmocka_unit_test(calls),
		cmocka_unit_test(causes_are_worth_asking),
		cmocka_unit_test(unproven),
		cmocka_unit_test(names),
		cmocka_unit_test(signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
