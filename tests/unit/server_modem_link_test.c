/*
 * What the link is held by: the configuration's figures, and our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "modem/linkstate.h"
#include "server/modem_drill.h"
#include "server/modem_link_internal.h"
#include "server/modem_saved.h"

static void test_configure(struct linkstate *, const struct linkstate_conf *);
static void test_relays(struct linkstate *, unsigned, bool);
static void test_prove(struct modem_link *);
static void test_drill_changed(struct modem_drill *);
static bool test_saved_read(const char *, struct linkstate_saved *);
static void test_saved_write(const char *, const struct linkstate_saved *);

#define linkstate_configure test_configure
#define linkstate_relays test_relays
#define modem_link_prove test_prove
#define modem_drill_changed test_drill_changed
#define modem_saved_read test_saved_read
#define modem_saved_write test_saved_write

#include "server/modem_link.c"

static struct linkstate_conf given;
static unsigned following;

static void
test_configure(struct linkstate *l, const struct linkstate_conf *conf)
{
	(void)l;
	given = *conf;
}

static void
test_relays(struct linkstate *l, unsigned follow, bool through)
{
	(void)l;
	assert_false(through);
	following = follow;
}

static void
test_prove(struct modem_link *m)
{
	(void)m;
}

static void
test_drill_changed(struct modem_drill *d)
{
	(void)d;
}

static bool
test_saved_read(const char *dir, struct linkstate_saved *s)
{
	(void)dir;
	(void)s;
	return false;
}

static void
test_saved_write(const char *dir, const struct linkstate_saved *s)
{
	(void)dir;
	assert_null(s);
}

/* Warned of 5 minutes before the end; a reload brings new figures. */
static void
test_figures(void **state)
{
	struct config conf = { .activation = { .hold_ms = 1800000,
	    .max_hold_ms = 14400000, .tries = 5 } };
	struct modem modem = { .conf = &conf };
	struct modem_link link = { .m = &modem };

	(void)state;
	for (int n = 0; n < 2; n++) {
		memset(&given, 0, sizeof(given));
		modem_link_configure(&link);
		assert_int_equal(given.warn_ms, 300000);
		assert_int_equal(given.hold_ms, conf.activation.hold_ms);
		assert_int_equal(given.max_hold_ms, 14400000);
		assert_int_equal(given.tries, 5);
		conf.activation.hold_ms = 7200000;
	}
	assert_int_equal(following, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
