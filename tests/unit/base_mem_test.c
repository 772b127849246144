#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/mem.h"

#define ROOM ((size_t)4 * 1024 * 1024)
#define BLOCK ((size_t)1024 * 1024)
#define BLOCKS 4

static void
test_room(void **state)
{
	(void)state;
	assert_true(mem_has_room(1));
	assert_true(mem_has_room(ROOM));
	assert_false(mem_has_room(SIZE_MAX / 2));
}

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)

/* Bytes of ours alone that are in memory now. */
static size_t
resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long size, all, shared;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu %lu", &size, &all, &shared), 3);
	fclose(f);
	return (size_t)(all - shared) * (size_t)sysconf(_SC_PAGESIZE);
}

/* What is freed goes back to the system, as it does where nobody asked. */
static void
test_room_keeps_nothing(void **state)
{
	char *blocks[BLOCKS];
	size_t before;

	(void)state;
	assert_true(mem_has_room(ROOM));
	before = resident();
	for (size_t i = 0; i < BLOCKS; i++) {
		blocks[i] = xmalloc(BLOCK);
		memset(blocks[i], 1, BLOCK);
	}
	assert_true(resident() >= before + (BLOCKS - 1) * BLOCK);
	for (size_t i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	assert_true(resident() < before + BLOCK / 2);
}

#else

static void
test_room_keeps_nothing(void **state)
{
	(void)state;
	skip();
}

#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_room_keeps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
