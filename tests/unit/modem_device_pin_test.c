#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device_help.h"
#include "modem/pinlog.h"

static void
test_pin(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.card.state = "SIM PIN";
	r.card.busy = 5;
	rig_start(&r, "data", NULL, "1234", NULL);
	assert_true(reach(&r, DEVICE_READY, 60000));
	assert_int_equal(r.card.pins, 1);
	assert_int_equal(device_status(r.dev)->pin_tries, 3);
	assert_int_equal(pinlog_look(r.pinlog, "89430103524123456785", "1234"),
	    PINLOG_FRESH);
	/* The PIN is in no event. */
	assert_null(strstr(r.events, "1234"));
	rig_fini(&r);
}

/* Written down under one name, struck off under it and the other. */
static void
test_number_told_late(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.card.shy = true;
	for (unsigned i = 1; i <= 3; i++) {
		r.card.state = "SIM PIN";
		rig_start(&r, "data", NULL, "1234", NULL);
		assert_true(reach(&r, DEVICE_READY, 60000));
		assert_int_equal(r.card.pins, i);
		rig_stop(&r);
	}
	/* A wrong one counts, by whatever name the SIM goes. */
	for (int i = 0; i < 2; i++) {
		r.card.state = "SIM PIN";
		r.card.shy = i == 0;
		rig_start(&r, "data", NULL, "9999", NULL);
		assert_true(reach(&r, DEVICE_BLOCKED, 60000));
		assert_int_equal(r.card.pins, 4);
		rig_stop(&r);
	}
	rig_fini(&r);
}

static void
test_wrong_pin_then_shy(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.card.state = "SIM PIN";
	rig_start(&r, "data", NULL, "9999", NULL);
	assert_true(reach(&r, DEVICE_BLOCKED, 60000));
	rig_stop(&r);
	r.card.shy = true;
	rig_start(&r, "data", NULL, "9999", NULL);
	assert_true(reach(&r, DEVICE_BLOCKED, 60000));
	assert_int_equal(r.card.pins, 1);
	/* A human may say to forget it all. */
	device_retry_pin(r.dev);
	pass(&r, 100000);
	assert_int_equal(r.card.pins, 2);
	rig_fini(&r);
}

static void
test_wrong_pin(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.card.state = "SIM PIN";
	rig_start(&r, "data", NULL, "9999", NULL);
	assert_true(reach(&r, DEVICE_BLOCKED, 60000));
	assert_int_equal(r.card.pins, 1);
	assert_int_equal(r.card.tries, 2);
	assert_non_null(strstr(device_status(r.dev)->why, "2 attempts left"));
	/* Not in an hour, not after a restart, not after a re-plug. */
	pass(&r, 3600000);
	rig_stop(&r);
	rig_start(&r, "data", NULL, "9999", NULL);
	assert_true(reach(&r, DEVICE_BLOCKED, 60000));
	fake_unplug(&r.port[0]);
	assert_true(reach(&r, DEVICE_ABSENT, 60000));
	assert_true(reach(&r, DEVICE_BLOCKED, 60000));
	assert_int_equal(r.card.pins, 1);
	assert_null(strstr(r.events, "9999"));
	/* One event a life, not one a look. */
	assert_int_equal(count(r.events, "modem-blocked"), 3);
	/* Another PIN may be tried, once. */
	device_set_pin(r.dev, "1234");
	assert_true(reach(&r, DEVICE_READY, 60000));
	assert_int_equal(r.card.pins, 2);
	rig_fini(&r);
}

static void
test_last_try_is_kept(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.card.state = "SIM PIN";
	r.card.tries = 1;
	rig_start(&r, "data", NULL, "1234", NULL);
	assert_true(reach(&r, DEVICE_BLOCKED, 60000));
	assert_int_equal(r.card.pins, 0);
	device_retry_pin(r.dev);
	pass(&r, 100000);
	assert_int_equal(r.card.pins, 0);
	/* Somebody unlocked it in a phone. */
	r.card.state = "READY";
	assert_true(reach(&r, DEVICE_READY, 60000));
	rig_fini(&r);
}

static void
test_retry_pin(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.card.state = "SIM PIN";
	rig_start(&r, "data", NULL, "9999", NULL);
	assert_true(reach(&r, DEVICE_BLOCKED, 60000));
	device_retry_pin(r.dev);
	pass(&r, 100000);
	assert_int_equal(r.card.pins, 2);
	assert_int_equal(r.card.tries, 1);
	/* Asked for or not, the last one is not taken. */
	device_retry_pin(r.dev);
	pass(&r, 100000);
	assert_int_equal(r.card.pins, 2);
	rig_fini(&r);
}

static void
blocks(const char *card, const char *pin, const char *word)
{
	struct rig r;

	rig_init(&r);
	r.card.state = card;
	rig_start(&r, "data", NULL, pin, NULL);
	assert_true(reach(&r, DEVICE_BLOCKED, 60000));
	if (strstr(device_status(r.dev)->why, word) == NULL)
		fail_msg("%s: %s", card, device_status(r.dev)->why);
	pass(&r, 120000);
	assert_int_equal(r.card.pins, 0);
	rig_fini(&r);
}

static void
test_needs_human(void **state)
{
	(void)state;
	blocks("SIM PUK", "1234", "PUK");
	blocks("PH-NET PIN", "1234", "network");
	blocks("WHATEVER", "1234", "unknown state, WHATEVER");
	blocks("SIM PIN", NULL, "pin_file");
	blocks("SIM PIN", "12a4", "4 to 8 digits");
	blocks("SIM PIN", "123", "4 to 8 digits");
}

static void
test_pin_not_written(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.card.state = "SIM PIN";
	snprintf(r.pinlog, sizeof(r.pinlog), "%s/none/pin", r.dir);
	rig_start(&r, "data", NULL, "1234", NULL);
	assert_true(reach(&r, DEVICE_BLOCKED, 60000));
	pass(&r, 120000);
	assert_int_equal(r.card.pins, 0);
	rig_stop(&r);
	/* Nor is a list that cannot be read an empty one. */
	snprintf(r.pinlog, sizeof(r.pinlog), "%s/pin", r.dir);
	{
		FILE *f = fopen(r.pinlog, "w");

		fputs("rubbish\n", f);
		fclose(f);
	}
	rig_start(&r, "data", NULL, "1234", NULL);
	assert_true(reach(&r, DEVICE_BLOCKED, 60000));
	assert_int_equal(r.card.pins, 0);
	rig_fini(&r);
}

/* The answer to the PIN is lost: the SIM tells, not the modem. */
static void
test_pin_without_answer(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.card.state = "SIM PIN";
	r.card.mute_pin = true;
	rig_start(&r, "data", NULL, "1234", NULL);
	assert_true(reach(&r, DEVICE_READY, 60000));
	assert_int_equal(r.card.pins, 1);
	rig_stop(&r);
	r.card.state = "SIM PIN";
	r.card.pin = "4711";
	rig_start(&r, "data", NULL, "1234", NULL);
	assert_true(reach(&r, DEVICE_BLOCKED, 60000));
	assert_int_equal(r.card.pins, 2);
	pass(&r, 120000);
	assert_int_equal(r.card.pins, 2);
	rig_fini(&r);
}

static void
test_tries_not_known(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.card.state = "SIM PIN";
	r.card.no_tries = true;
	rig_start(&r, "data", NULL, "9999", NULL);
	assert_true(reach(&r, DEVICE_BLOCKED, 60000));
	pass(&r, 120000);
	assert_int_equal(r.card.pins, 1);
	assert_int_equal(device_status(r.dev)->pin_tries, -1);
	rig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_number_told_late),
		cmocka_unit_test(test_wrong_pin_then_shy),
		cmocka_unit_test(test_wrong_pin),
		cmocka_unit_test(test_last_try_is_kept),
		cmocka_unit_test(test_retry_pin),
		cmocka_unit_test(test_needs_human),
		cmocka_unit_test(test_pin_not_written),
		cmocka_unit_test(test_pin_without_answer),
		cmocka_unit_test(test_tries_not_known),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
