/* As the daemon has it. */
#include "loop_cases.h"

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		LOOP_CASES,
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
