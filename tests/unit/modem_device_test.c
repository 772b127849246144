#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "device_help.h"

static void
on_urc(void *arg, const char *line, const char *body)
{
	struct rig *r = arg;

	(void)body;
	if (strcmp(line, "+CMTI: \"SM\",1") == 0)
		r->urcs++;
}

static void
test_one_port(void **state)
{
	const struct device_status *st;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r, "data", NULL, NULL, NULL);
	assert_true(reach(&r, DEVICE_READY, 20000));
	st = device_status(r.dev);
	assert_string_equal(st->maker, "huawei");
	assert_string_equal(st->model, "E1752");
	assert_string_equal(st->firmware, "11.126.03");
	assert_string_equal(st->imei, "351234567890123");
	assert_string_equal(st->imsi, "232031234567890");
	assert_string_equal(st->iccid, "89430103524123456785");
	assert_string_equal(st->quirk->name, "Huawei");
	assert_string_equal(st->oper, "23203");
	assert_int_equal(st->rssi, 17);
	assert_int_equal(st->cs, DEVICE_REG_HOME);
	assert_int_equal(st->ps, DEVICE_REG_HOME);
	assert_int_equal(st->lac, 0xab);
	assert_int_equal(st->ci, 0x1cd);
	assert_false(st->two_ports);
	assert_false(st->roaming);
	assert_true(device_serves(r.dev));
	/* Its URCs are to come to the only port; never text mode. */
	assert_non_null(strstr(r.port[0].log, "AT^PORTSEL=1|AT^CURC=1|"));
	assert_non_null(strstr(r.port[0].log, "AT+CMGF=0|"));
	assert_null(strstr(r.port[0].log, "CMGF=1"));
	assert_null(strstr(r.port[0].log, "U2DIAG"));
	assert_null(strstr(r.port[0].log, "COPS=?"));
	assert_int_equal(r.card.pins, 0);
	/* It is asked again, and says something else. */
	r.card.reg = 5;
	pass(&r, 61000);
	assert_int_equal(st->cs, DEVICE_REG_ROAMING);
	assert_true(st->roaming);
	r.card.reg = 2;
	fake_say(&r.port[0], "+CREG: 2");
	assert_true(reach(&r, DEVICE_SEARCHING, 5000));
	device_stop(r.dev);
	assert_int_equal(st->state, DEVICE_OFF);
	pass(&r, 1000);
	assert_int_equal(r.port[0].fd, -1);
	rig_fini(&r);
}

static void
test_ways_of_talking(void **state)
{
	static const char *const eols[] = { "\r\n", "\r\r\n", "\r", "\n" };

	(void)state;
	for (int i = 0; i < 16; i++) {
		struct rig r;

		rig_init(&r);
		r.port[0].eol = eols[i / 4];
		r.port[0].echo = i & 1;
		r.port[0].drips = i & 2;
		rig_start(&r, "data", NULL, NULL, NULL);
		assert_true(reach(&r, DEVICE_READY, 60000));
		assert_string_equal(device_status(r.dev)->imsi,
		    "232031234567890");
		assert_int_equal(device_status(r.dev)->rssi, 17);
		rig_fini(&r);
	}
}

/* One URC after each byte that the modem says until it is ready. */
static void
test_urc_at_every_byte(void **state)
{
	size_t total, at;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r, "data", NULL, NULL, NULL);
	assert_true(reach(&r, DEVICE_READY, 20000));
	total = r.port[0].sent;
	rig_fini(&r);
	assert_in_range(total, 300, 3000);
	for (at = 0; at < total; at++) {
		rig_init(&r);
		r.port[0].urc = "\r\n+CMTI: \"SM\",1\r\n";
		r.port[0].urc_at = at;
		rig_start(&r, "data", NULL, NULL, NULL);
		at_urc_add(device_queue(r.dev), "+CMTI:", on_urc, &r);
		if (!reach(&r, DEVICE_READY, 120000)) {
			print_error("urc at %zu: %s: %s\n", at,
			    device_state_text(device_status(r.dev)->state),
			    device_status(r.dev)->why);
			fail();
		}
		pass(&r, 10);
		/*
		 * One that comes with the very answer by which the port is
		 * chosen is for nobody; the first look at the messages
		 * finds what it told of.
		 */
		if (r.urcs != 1 && !(r.urcs == 0 && at >= 16 && at < 18))
			fail_msg("urc at %zu of %zu: told %u times", at,
			    total, r.urcs);
		rig_fini(&r);
	}
}

static void
test_two_ports(void **state)
{
	const struct device_status *st;
	struct rig r;

	(void)state;
	rig_init(&r);
	r.spec[1] = "control";
	rig_start(&r, "data", "control", NULL, NULL);
	assert_true(reach(&r, DEVICE_READY, 20000));
	st = device_status(r.dev);
	assert_true(st->two_ports);
	assert_string_equal(st->data, "data");
	assert_string_equal(st->control, "control");
	assert_non_null(strstr(r.port[1].log, "AT^PORTSEL=0|"));
	assert_null(strstr(r.port[0].log, "CPIN"));
	/* The control port says nothing: one has to do. */
	rig_stop(&r);
	r.port[1].silent = true;
	r.events[0] = '\0';
	rig_start(&r, "data", "control", NULL, NULL);
	assert_true(reach(&r, DEVICE_READY, 60000));
	assert_false(device_status(r.dev)->two_ports);
	assert_non_null(strstr(r.events, "modem-port: control "));
	/* It speaks again: after an hour at the latest it is used. */
	r.port[1].silent = false;
	pass(&r, 70 * 60 * 1000);
	assert_true(device_status(r.dev)->two_ports);
	assert_int_equal(device_status(r.dev)->state, DEVICE_READY);
	rig_fini(&r);
}

static void
test_search(void **state)
{
	const struct device_status *st;
	struct rig r;

	(void)state;
	rig_init(&r);
	r.spec[0] = "usb:12d1:1001::00";
	r.spec[1] = "usb:12d1:1001::01";
	r.spec[2] = "usb:12d1:1001::02";
	r.port[1].silent = true;	/* DIAG */
	r.port[0].mode = r.port[2].mode =
	    "^GETPORTMODE: TYPE: WCDMA: huawei,MDM:0,DIAG:1,PCUI:2";
	rig_start(&r, "usb:12d1:1001", NULL, NULL, NULL);
	assert_true(reach(&r, DEVICE_READY, 60000));
	st = device_status(r.dev);
	assert_true(st->two_ports);
	assert_string_equal(st->data, r.spec[0]);
	assert_string_equal(st->control, r.spec[2]);
	pass(&r, 100);
	assert_int_equal(r.port[1].fd, -1);
	/* Plugged elsewhere: other interfaces, and only one that talks. */
	r.spec[0] = r.spec[2] = NULL;
	r.port[1].silent = false;
	fake_unplug(&r.port[0]);
	assert_true(reach(&r, DEVICE_ABSENT, 5000));
	assert_true(reach(&r, DEVICE_READY, 60000));
	assert_false(st->two_ports);
	assert_string_equal(st->data, r.spec[1]);
	rig_fini(&r);
}

static void
test_unplugged(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.spec[1] = "control";
	rig_start(&r, "data", "control", NULL, NULL);
	at_urc_add(device_queue(r.dev), "+CMTI:", on_urc, &r);
	assert_true(reach(&r, DEVICE_READY, 20000));
	at_send(device_queue(r.dev), &(struct at_command){ .text = "AT+SLOW" },
	    on_reply, &r);
	r.result = AT_OK;
	r.absent[0] = r.absent[1] = true;
	fake_unplug(&r.port[1]);
	assert_true(reach(&r, DEVICE_ABSENT, 1000));
	assert_int_equal(r.result, AT_GONE);
	assert_int_equal(at_send(device_queue(r.dev), &(struct at_command){
	    .text = "AT" }, on_reply, &r), 0);
	/* The other one is closed at once, too. */
	pass(&r, 10);
	assert_int_equal(r.port[0].fd, -1);
	assert_int_equal(device_status(r.dev)->lost, 1);
	r.opens = 0;
	pass(&r, 30000);
	assert_int_equal(r.opens, 0);
	/* It is back; the subscription is as it was. */
	r.absent[0] = r.absent[1] = false;
	device_look(r.dev);
	assert_true(reach(&r, DEVICE_READY, 5000));
	fake_say(&r.port[1], "+CMTI: \"SM\",1");
	pass(&r, 10);
	assert_int_equal(r.urcs, 1);
	rig_fini(&r);
}

/* A port that opens never, one that opens late, an answer nobody wants. */
static void
test_open_late(void **state)
{
	struct rig r;
	char c;
	int fd;

	(void)state;
	rig_init(&r);
	r.never_open = true;
	rig_start(&r, "data", NULL, NULL, NULL);
	pass(&r, 100);
	assert_int_equal(r.opens, 1);
	assert_true(reach(&r, DEVICE_ABSENT, 31000));
	fd = fake_plug(&r.port[0]);
	device_opened(r.dev, r.last_request, fd, "data");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(read(r.port[0].fd, &c, 1), 0);
	device_not_opened(r.dev, 4711, "old");
	r.never_open = false;
	assert_true(reach(&r, DEVICE_READY, 30000));
	rig_fini(&r);
}

static void
test_silence(void **state)
{
	struct rig r;
	struct stat st;
	FILE *f;

	(void)state;
	rig_init(&r);
	f = fopen(r.hook, "w");
	fprintf(f, "#!/bin/sh\necho \"$1\" >>%s/cycled\n", r.dir);
	fclose(f);
	assert_int_equal(chmod(r.hook, 0700), 0);
	rig_start(&r, "data", NULL, NULL, r.hook);
	assert_true(reach(&r, DEVICE_READY, 20000));
	r.events[0] = '\0';
	r.port[0].silent = true;
	pass(&r, 5 * 60 * 1000);
	/* The gentle one first, the rude one in the end. */
	assert_non_null(strstr(r.events, "reopen the ports|"));
	assert_true(strstr(r.events, "reopen the ports|") <
	    strstr(r.events, "cycle its power|"));
	snprintf(r.hook, sizeof(r.hook), "%s/cycled", r.dir);
	assert_int_equal(stat(r.hook, &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(device_repairs(r.dev, LADDER_POWER), 1);
	/* No more than the budget, however long it lasts. */
	pass(&r, 50 * 60 * 1000);
	assert_int_equal(device_repairs(r.dev, LADDER_POWER), 1);
	assert_in_range(device_repairs(r.dev, LADDER_REOPEN), 2, 12);
	assert_int_equal(device_status(r.dev)->state, DEVICE_REPAIRING);
	r.port[0].silent = false;
	assert_true(reach(&r, DEVICE_READY, 11 * 60 * 1000));
	rig_fini(&r);
}

/* Some commands are not answered, others are. */
static void
test_half_silence(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r, "data", NULL, NULL, NULL);
	assert_true(reach(&r, DEVICE_READY, 20000));
	r.port[0].mute = "AT+C";
	r.events[0] = '\0';
	pass(&r, 3 * 60 * 1000);
	assert_non_null(strstr(r.events, "resynchronise|"));
	r.port[0].mute = NULL;
	assert_true(reach(&r, DEVICE_READY, 20 * 60 * 1000));
	rig_fini(&r);
}

static void
test_restart(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r, "data", NULL, NULL, NULL);
	assert_true(reach(&r, DEVICE_READY, 20000));
	device_repair(r.dev, LADDER_RESET);
	/* ^RESET is not supported, +CFUN=1,1 neither. */
	assert_true(reach(&r, DEVICE_READY, 60000));
	assert_non_null(strstr(r.port[0].log, "AT^RESET|AT+CFUN=1,1|"));
	assert_non_null(strstr(r.events, "refuses to restart"));
	device_repair(r.dev, LADDER_CFUN);
	assert_true(reach(&r, DEVICE_READY, 60000));
	assert_non_null(strstr(r.port[0].log, "AT+CFUN=4|AT+CFUN=1|"));
	/* Not a USB device: said, and no harm done. */
	device_repair(r.dev, LADDER_USB);
	assert_true(reach(&r, DEVICE_READY, 60000));
	rig_fini(&r);
}

static void
test_denied(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.card.reg = 3;
	rig_start(&r, "data", NULL, NULL, NULL);
	assert_true(reach(&r, DEVICE_SEARCHING, 20000));
	assert_null(strstr(r.port[0].log, "AT+CFUN"));
	pass(&r, 55 * 60 * 1000);
	assert_int_equal(count(r.port[0].log, "AT+CFUN=4"), 1);
	assert_int_equal(device_status(r.dev)->state, DEVICE_SEARCHING);
	rig_fini(&r);
}

static void
test_garbage(void **state)
{
	uint32_t x = 4711;
	struct rig r;
	char c;

	(void)state;
	rig_init(&r);
	rig_start(&r, "data", NULL, NULL, NULL);
	assert_true(reach(&r, DEVICE_READY, 20000));
	for (int i = 0; i < 20000; i++) {
		x = x * 1103515245 + 12345;
		c = (char)(x >> 16);
		assert_int_equal(write(r.port[0].fd, &c, 1), 1);
		if (i % 100 == 0)
			pass(&r, 10);
	}
	pass(&r, 1000);
	fake_raw(&r.port[0], "\r\n");
	pass(&r, 120000);
	assert_true(device_serves(r.dev));
	assert_int_equal(device_status(r.dev)->rssi, 17);
	rig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_port),
		cmocka_unit_test(test_ways_of_talking),
		cmocka_unit_test(test_urc_at_every_byte),
		cmocka_unit_test(test_two_ports),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_unplugged),
		cmocka_unit_test(test_open_late),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_half_silence),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_garbage),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
