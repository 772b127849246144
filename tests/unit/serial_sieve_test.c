#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "serial/omens.h"
#include "serial/sieve.h"

#define LINE 60

static const char *
find(const char *ere, bool fold, const char *text)
{
	struct needle needle;
	struct sieve sieve;

	needle_make(&needle, ere, fold);
	assert_true(needle.count > 0);
	sieve_make(&sieve, &needle);
	return sieve_find(&sieve, text, strlen(text));
}

static void
test_find(void **state)
{
	const char *text = "one two Three four";

	(void)state;
	assert_ptr_equal(find("four|two|six", false, text), text + 4);
	assert_ptr_equal(find("four|six|seven", false, text), text + 14);
	assert_ptr_equal(find("on|six|seven", false, text), text);
	assert_null(find("three|six|seven", false, text));
	assert_ptr_equal(find("tHREE|six|seven", true, text), text + 8);
	assert_null(find("fours|six|seven", false, text));
	assert_null(find("xone|six|seven", false, text));
	assert_null(find("on|six", false, ""));
	assert_null(find("on|six", false, "o"));
	text = "{ab [AB";
	assert_ptr_equal(find("\\[ab|six", true, text), text + 4);
	text = "x\xc3\xa5";
	assert_ptr_equal(find("\xc3\xa5|six", false, text), text + 1);
}

/* One line has what the needle finds, or it has nothing. */
static void
compare(const struct needle *needle, const char *line, size_t n, int *found)
{
	struct sieve sieve;
	const char *hit;
	bool one = false;

	sieve_make(&sieve, needle);
	hit = sieve_find(&sieve, line, n);
	assert_int_equal(hit == NULL, needle_find(needle, line, n) == NULL);
	if (hit == NULL)
		return;
	(*found)++;
	assert_true(hit >= line && hit < line + n);
	for (size_t i = 0; i < needle->count && !one; i++)
		one = needle->any[i].n <= (size_t)(line + n - hit) &&
		    needle_find_one(needle, i, hit, needle->any[i].n) == hit;
	assert_true(one);
}

/* The same as a needle: random literals and lines. */
static void
test_same_as_needle(void **state)
{
	char ere[200], line[LINE];
	struct needle needle;
	unsigned seed = 1;
	int found = 0;

	(void)state;
	for (int i = 0; i < 4000; i++) {
		size_t n = 0;

		for (int words = 1 + rand_r(&seed) % 12; words > 0; words--) {
			for (int k = 2 + rand_r(&seed) % 4; k > 0; k--)
				ere[n++] = "abcdABx "[rand_r(&seed) % 8];
			ere[n++] = '|';
		}
		ere[n - 1] = '\0';
		needle_make(&needle, ere, i % 2 == 0);
		assert_true(needle.count > 0);
		for (int k = 0; k < 10; k++) {
			n = (size_t)rand_r(&seed) % LINE;
			for (size_t c = 0; c < n; c++)
				line[c] = "abcdABCDx -1\xff\n"[
				    rand_r(&seed) % 14];
			compare(&needle, line, n, &found);
		}
	}
	assert_true(found > 1000 && found < 39000);
}

/* Every omen's own line. */
static void
test_omens(void **state)
{
	const struct omen_row *row;
	struct needle needle;
	struct sieve sieve;
	char *ere;

	(void)state;
	for (int omen = 0; omen < OMENS; omen++) {
		ere = omen_pattern((enum omen)omen);
		needle_make(&needle, ere, false);
		assert_true(needle.count > 2);
		sieve_make(&sieve, &needle);
		for (size_t i = 0; (row = omen_at(i)) != NULL; i++) {
			if (row->omen == (enum omen)omen)
				assert_non_null(sieve_find(&sieve,
				    row->example, strlen(row->example)));
		}
		free(ere);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_same_as_needle),
		cmocka_unit_test(test_omens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
