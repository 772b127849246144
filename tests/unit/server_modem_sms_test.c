#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/modem_sms_internal.h"

/* Who asked for a link is kept as text, over restarts: it must come back. */

static void
test_there_and_back(void **state)
{
	struct sms_request r = { .verb = COMMAND_UP };
	char who[LINKSTATE_WHO], number[OUTBOX_NUMBER];

	(void)state;
	strcpy(r.number, "+123456789012345");	/* the longest of E.164 */
	memset(r.who, 'x', sizeof(r.who) - 1);	/* the longest name */
	modem_sms_who(&r, who);
	assert_non_null(modem_sms_number(who, number));
	assert_string_equal(number, r.number);
	strcpy(r.number, "+46701234567");
	strcpy(r.who, "alice");
	modem_sms_who(&r, who);
	assert_string_equal(who, "alice (sms +46701234567)");
	assert_string_equal(modem_sms_number(who, number), "+46701234567");
}

static void
test_nobody_by_sms(void **state)
{
	static const char *const others[] = { "", "alice (ssh)",
	    "root (oobctl)", "alice (sms )", "alice (sms +46", "sms +461)",
	    "a (sms +4670x)", "a (sms +12345678901234567890123456)", "drill" };
	char number[OUTBOX_NUMBER];

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_null(modem_sms_number(others[i], number));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_nobody_by_sms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
