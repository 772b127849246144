#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "modem/at_errors.h"
#include "modem/at_field.h"

static void
test_cmgl(void **state)
{
	struct at_field f;
	int64_t n = -7;
	char s[8];

	(void)state;
	assert_true(at_field_start(&f, "+CMGL: 1,0,,24", "+CMGL:"));
	assert_int_equal(at_field_int(&f, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(at_field_int(&f, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(at_field_str(&f, s, sizeof(s)), 1);
	assert_int_equal(at_field_int(&f, &n), 0);
	assert_int_equal(n, 24);
	assert_false(at_field_more(&f));
	assert_int_equal(at_field_int(&f, &n), -1);
	assert_int_equal(n, 24);
}

static void
test_prefix(void **state)
{
	struct at_field f;
	int64_t n;

	(void)state;
	assert_true(at_field_start(&f, "+csq:17,99", "+CSQ"));
	assert_int_equal(at_field_int(&f, &n), 0);
	assert_int_equal(n, 17);
	assert_false(at_field_start(&f, "+CSQN: 1", "+CSQ"));
	assert_false(at_field_more(&f));
	assert_false(at_field_start(&f, "+CS", "+CSQ"));
	assert_true(at_field_start(&f, "+CSQ:", "+CSQ"));
	assert_false(at_field_more(&f));
	assert_true(at_field_start(&f, "+CMGR: ,,92", "+CMGR:"));
	assert_int_equal(at_field_skip(&f), 1);
	assert_int_equal(at_field_skip(&f), 1);
	assert_int_equal(at_field_int(&f, &n), 0);
	assert_int_equal(n, 92);
}

static void
test_strings(void **state)
{
	struct at_field f;
	int64_t n;
	char s[8];

	(void)state;
	assert_true(at_field_start(&f, "+X: \"a,b\" , \"READY\",\"12345678\","
	    " bare ,\"\",\"1\"", "+X"));
	assert_int_equal(at_field_str(&f, s, sizeof(s)), 0);
	assert_string_equal(s, "a,b");
	assert_int_equal(at_field_str(&f, s, sizeof(s)), 0);
	assert_string_equal(s, "READY");
	/* Too long: used up, dst as it was. */
	assert_int_equal(at_field_str(&f, s, sizeof(s)), -1);
	assert_string_equal(s, "READY");
	assert_int_equal(at_field_str(&f, s, sizeof(s)), 0);
	assert_string_equal(s, "bare");
	assert_int_equal(at_field_str(&f, s, sizeof(s)), 1);
	assert_int_equal(at_field_int(&f, &n), 0);
	assert_int_equal(n, 1);
}

static void
test_numbers(void **state)
{
	static const char *const bad[] = { "+X: x", "+X: 1x", "+X: -",
	    "+X: 1 2", "+X: 1234567890123456789" };
	struct at_field f;
	int64_t n = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(at_field_start(&f, bad[i], "+X"));
		assert_int_equal(at_field_int(&f, &n), -1);
		assert_int_equal(n, 5);
		assert_false(at_field_more(&f));
	}
	assert_true(at_field_start(&f, "+CMTI: \"SM\",-1", "+CMTI"));
	at_field_skip(&f);
	assert_int_equal(at_field_int(&f, &n), 0);
	assert_int_equal(n, -1);
}

/* As modems were seen to write cells: three wrong ways and one right. */
static void
test_hex(void **state)
{
	static const struct {
		const char *line;
		uint32_t lac, ci;
	} cells[] = {
		{ "+CREG: 2,1,\"00AB\",\"01cd\"", 0xab, 0x1cd },
		{ "+CREG: 2,1,  0 5, 2715", 0x5, 0x2715 },
		{ "+CREG: 2,1,\"0B,\"0100701\"", 0xb, 0x100701 },
		{ "+CREG: 2, 001 ,8BE3,2BAF", 0x8be3, 0x2baf },
	};
	uint32_t lac, ci;
	struct at_field f;
	int64_t stat;

	(void)state;
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		assert_true(at_field_start(&f, cells[i].line, "+CREG:"));
		at_field_skip(&f);
		assert_int_equal(at_field_int(&f, &stat), 0);
		assert_int_equal(stat, 1);
		assert_int_equal(at_field_hex(&f, &lac), 0);
		assert_int_equal(at_field_hex(&f, &ci), 0);
		assert_int_equal(lac, cells[i].lac);
		assert_int_equal(ci, cells[i].ci);
	}
	assert_true(at_field_start(&f, "+X: ,\"\",123456789,0x1", "+X"));
	assert_int_equal(at_field_hex(&f, &lac), 1);
	assert_int_equal(at_field_hex(&f, &lac), 1);
	assert_int_equal(at_field_hex(&f, &lac), -1);
	assert_int_equal(at_field_hex(&f, &lac), -1);
	assert_int_equal(at_field_hex(&f, &lac), -1);
}

static void
test_lists(void **state)
{
	struct at_field f, list;
	char s[8];

	(void)state;
	assert_true(at_field_start(&f, "+CPMS: (\"ME\",\"SM\"),(\"SM\"),()",
	    "+CPMS:"));
	assert_int_equal(at_field_list(&f, &list), 0);
	assert_int_equal(at_field_str(&list, s, sizeof(s)), 0);
	assert_string_equal(s, "ME");
	assert_int_equal(at_field_str(&list, s, sizeof(s)), 0);
	assert_string_equal(s, "SM");
	assert_false(at_field_more(&list));
	assert_int_equal(at_field_list(&f, &list), 0);
	assert_int_equal(at_field_str(&list, s, sizeof(s)), 0);
	assert_int_equal(at_field_list(&f, &list), 0);
	assert_false(at_field_more(&list));
	assert_int_equal(at_field_list(&f, &list), -1);
	/* What is never closed protects nothing. */
	assert_true(at_field_start(&f, "+X: (1,\"2,3", "+X"));
	assert_int_equal(at_field_list(&f, &list), -1);
	assert_int_equal(at_field_str(&f, s, sizeof(s)), 0);
	assert_string_equal(s, "2");
}

static void
test_errors(void **state)
{
	(void)state;
	assert_string_equal(at_cme_text(10), "SIM not inserted");
	assert_string_equal(at_cms_text(322), "memory full");
	assert_string_equal(at_cms_text(4711), "unknown error");
	assert_int_equal(at_cme_code(" 14"), AT_CME_SIM_BUSY);
	assert_int_equal(at_cme_code(" incorrect PASSWORD"),
	    AT_CME_BAD_PASSWORD);
	assert_int_equal(at_cme_code("something else"), -1);
	assert_int_equal(at_cme_code(""), -1);
	assert_int_equal(at_cms_code("SMSC address unknown"), 330);
	assert_int_equal(at_cms_code("-1"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cmgl),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
