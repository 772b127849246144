#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device_help.h"

static void
on_dial(void *arg, const struct at_reply *reply, int fd)
{
	struct rig *r = arg;

	r->dialled++;
	r->result = reply->result;
	r->fd = fd;
}

static void
dial(struct rig *r)
{
	unsigned before = r->dialled;

	assert_true(device_dial(r->dev, "*99#", 90000, on_dial, r));
	assert_false(device_dial(r->dev, "*99#", 90000, on_dial, r));
	pass(r, 2000);
	assert_int_equal(r->dialled, before + 1);
}

static void
test_call(void **state)
{
	char buf[64];
	struct rig r;
	ssize_t n;

	(void)state;
	rig_init(&r);
	rig_start(&r, "data", NULL, NULL, NULL);
	assert_true(reach(&r, DEVICE_READY, 20000));
	assert_false(device_dial(r.dev, "*99#;+X", 1000, on_dial, &r));
	assert_false(device_dial(r.dev, "", 1000, on_dial, &r));
	/* PPP begins in the very same write as CONNECT ends. */
	r.card.connect = "CONNECT 7200000\r\n~\xff}#\xc0!";
	dial(&r);
	assert_int_equal(r.result, AT_CONNECT);
	assert_true(r.fd != -1);
	assert_int_equal(device_status(r.dev)->state, DEVICE_DEAF);
	assert_true(device_status(r.dev)->lent);
	n = read(r.fd, buf, sizeof(buf));
	/* The LF of CONNECT, then all of PPP. */
	assert_int_equal(n, 9);
	assert_memory_equal(buf, "\n~\xff}#\xc0!\r\n", 9);
	assert_int_equal(at_send(device_queue(r.dev), &(struct at_command){
	    .text = "AT" }, on_reply, &r), 0);
	pass(&r, 120000);
	assert_int_equal(r.port[0].raw, 0);
	/* The modem hung up by itself, as after a proper end of PPP. */
	r.port[0].data = false;
	device_return(r.dev, r.fd);
	r.fd = -1;
	assert_true(reach(&r, DEVICE_READY, 10000));
	/* Again, and now it stays in data mode until it is escaped. */
	r.card.connect = "CONNECT";
	dial(&r);
	device_return(r.dev, r.fd);
	r.fd = -1;
	assert_true(reach(&r, DEVICE_READY, 30000));
	assert_false(device_status(r.dev)->lent);
	/* Nobody there. */
	r.card.connect = "NO CARRIER";
	dial(&r);
	assert_int_equal(r.result, AT_NO_CARRIER);
	assert_int_equal(r.fd, -1);
	assert_true(device_serves(r.dev));
	/* Given up half-way. */
	r.port[0].mute = "ATD";
	assert_true(device_dial(r.dev, "*99#", 90000, on_dial, &r));
	pass(&r, 1000);
	device_hang_up(r.dev);
	assert_int_equal(r.result, AT_CANCELLED);
	rig_fini(&r);
}

static void
test_call_on_two_ports(void **state)
{
	struct rig r;
	int fd;

	(void)state;
	rig_init(&r);
	r.spec[1] = "control";
	rig_start(&r, "data", "control", NULL, NULL);
	assert_true(reach(&r, DEVICE_READY, 20000));
	dial(&r);
	assert_int_equal(r.result, AT_CONNECT);
	/* Everything else goes on. */
	r.port[1].log[0] = '\0';
	pass(&r, 120000);
	assert_true(device_serves(r.dev));
	assert_in_range(count(r.port[1].log, "AT+CSQ|"), 1, 3);
	/* Data mode for good: +++ in vain, the context is ended. */
	r.port[0].dead_call = true;
	device_return(r.dev, r.fd);
	r.fd = -1;
	pass(&r, 40000);
	assert_non_null(strstr(r.port[1].log, "AT+CGACT=0,1|"));
	assert_int_not_equal(r.port[0].raw, 0);
	/* In vain, too: the ladder, which opens anew. */
	pass(&r, 60000);
	assert_non_null(strstr(r.events, "stays in data mode"));
	assert_true(reach(&r, DEVICE_READY, 60000));
	/* The control port is silent meanwhile: PPP is left in peace. */
	r.port[0].dead_call = false;
	dial(&r);
	fd = r.fd;
	r.events[0] = '\0';
	r.port[1].silent = true;
	pass(&r, 20 * 60 * 1000);
	assert_int_equal(r.revoked, 0);
	assert_int_equal(device_status(r.dev)->state, DEVICE_REPAIRING);
	assert_int_equal(fcntl(fd, F_GETFD) != -1, true);
	r.port[1].silent = false;
	assert_true(reach(&r, DEVICE_READY, 70000));
	/* The modem is pulled out: the borrower is told at once. */
	fake_unplug(&r.port[1]);
	pass(&r, 10);
	assert_int_equal(r.revoked, 1);
	assert_true(reach(&r, DEVICE_READY, 20000));
	rig_fini(&r);
}

/* What was left in a call by a predecessor that died. */
static void
test_found_in_call(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.port[0].data = true;
	r.spec[1] = "control";
	rig_start(&r, "data", "control", NULL, NULL);
	/* Plugging is a fresh start: be in a call all the same. */
	pass(&r, 100);
	r.port[0].data = true;
	assert_true(reach(&r, DEVICE_READY, 30000));
	pass(&r, 30000);
	assert_false(r.port[0].data);
	dial(&r);
	assert_int_equal(r.result, AT_CONNECT);
	rig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_call_on_two_ports),
		cmocka_unit_test(test_found_in_call),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
