/* What all kept children say alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/role.h"

__attribute__((format(printf, 4, 5)))
static void test_toldf(struct feed *, uint32_t, int, const char *, ...);
static void test_done(struct feed *, uint32_t, int);

#define feed_toldf test_toldf
#define feed_done test_done
#include "server/role.c"

static struct {
	char told[8192];
	int status;
	unsigned done;
} w;

static void
test_toldf(struct feed *feed, uint32_t task, int stream, const char *fmt, ...)
{
	va_list ap;

	assert_null(feed);
	assert_int_equal(task, 7);
	assert_int_equal(stream, 2);
	assert_int_equal(w.done, 0);
	va_start(ap, fmt);
	vsnprintf(w.told, sizeof(w.told), fmt, ap);
	va_end(ap);
}

static void
test_done(struct feed *feed, uint32_t task, int status)
{
	assert_null(feed);
	assert_int_equal(task, 7);
	w.done++;
	w.status = status;
}

static void
refuse(char *verb)
{
	char *argv[] = { verb, NULL };
	const struct feed_task t = { .id = 7, .argc = 1, .argv = argv };

	memset(&w, 0, sizeof(w));
	role_cannot(NULL, &t, "modem");
	assert_int_equal(w.done, 1);
	assert_int_equal(w.status, ST_FAILED);
}

static void
verb_that_cannot_run(void **state)
{
	(void)state;
	refuse((char[]){ "link" });
	assert_string_equal(w.told, "oobd: link: the modem process cannot do "
	    "that now\n");
}

/* Its name is the word of somebody else. */
static void
verb_is_only_text(void **state)
{
	char longest[WORD_BYTES];

	(void)state;
	refuse((char[]){ "li\033[2Jnk\r" });
	assert_string_equal(w.told, "oobd: li\\x1b[2Jnk\\x0d: the modem "
	    "process cannot do that now\n");
	memset(longest, '\b', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	refuse(longest);
	assert_null(strchr(w.told, '\b'));
	assert_non_null(strstr(w.told, "cannot do that now\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verb_that_cannot_run),
		cmocka_unit_test(verb_is_only_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
