#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include <errno.h>
#include <signal.h>

#include "modem/device.h"
#include "modem/pinlog.h"
#include "tests/unit/fake_modem.h"
#include "tests/unit/virtual_time.h"

#define PORTS 3

/* A modem of up to three ports, a device, and all it did. */
struct rig {
	struct loop *loop;
	struct device *dev;
	struct fake_card card;
	struct fake port[PORTS];
	const char *spec[PORTS];	/* NULL: there is no such port */
	bool absent[PORTS], never_open;
	char pinlog[64], hook[64], dir[32];
	char events[8192];
	unsigned opens, revoked, changes, urcs, dialled;
	uint32_t last_request;
	enum device_state want;
	enum at_result result;
	int fd;				/* of a call */
};

static void
op_open(void *arg, uint32_t request, const char *spec)
{
	struct rig *r = arg;

	r->opens++;
	r->last_request = request;
	if (r->never_open)
		return;
	for (int i = 0; i < PORTS; i++) {
		if (r->spec[i] == NULL || strcmp(r->spec[i], spec) != 0)
			continue;
		device_opened(r->dev, request, fake_plug(&r->port[i]), spec);
		return;
	}
	device_not_opened(r->dev, request, "no such port");
}

static bool
op_present(void *arg, const char *spec)
{
	struct rig *r = arg;

	for (int i = 0; i < PORTS; i++)
		if (r->spec[i] != NULL && strcmp(r->spec[i], spec) == 0)
			return !r->absent[i];
	return false;
}

static void
op_changed(void *arg)
{
	struct rig *r = arg;

	r->changes++;
	if (device_status(r->dev)->state == r->want)
		loop_stop(r->loop, 1);
}

static void
op_event(void *arg, const char *kind, const char *text)
{
	struct rig *r = arg;

	assert_true(strlen(text) > 0);
	if (strlen(r->events) + strlen(kind) + strlen(text) + 4 <
	    sizeof(r->events)) {
		strcat(r->events, kind);
		strcat(r->events, ": ");
		strcat(r->events, text);
		strcat(r->events, "|");
	}
}

static void
op_revoke(void *arg)
{
	struct rig *r = arg;

	r->revoked++;
	close(r->fd);
	r->fd = -1;
}

static const struct device_ops ops = { op_open, op_present, op_changed,
    op_event, op_revoke, NULL };

static void
on_timeout(void *arg)
{
	loop_stop(arg, 0);
}

/* Until this state, or for so long: was it reached? */
static bool
reach(struct rig *r, enum device_state want, int64_t ms)
{
	struct timer *t = timer_new(r->loop, on_timeout, r->loop);

	r->want = want;
	timer_set(t, ms);
	if (device_status(r->dev)->state != want)
		loop_run(r->loop);
	timer_free(t);
	r->want = DEVICE_OFF;
	return device_status(r->dev)->state == want;
}

static void
pass(struct rig *r, int64_t ms)
{
	reach(r, (enum device_state)-1, ms);
}

static void
rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->loop = loop_new();
	r->fd = -1;
	r->card = (struct fake_card){ .state = "READY", .pin = "1234",
	    .tries = 3, .reg = 1, .connect = "CONNECT" };
	for (int i = 0; i < PORTS; i++)
		fake_init(&r->port[i], r->loop, &r->card);
	r->spec[0] = "data";
	strcpy(r->dir, "/tmp/oobd-dev-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->pinlog, sizeof(r->pinlog), "%s/pin", r->dir);
	snprintf(r->hook, sizeof(r->hook), "%s/hook", r->dir);
}

static void
rig_start(struct rig *r, const char *data, const char *control,
    const char *pin, const char *hook)
{
	r->dev = device_new(r->loop, &(struct device_conf){ .data = data,
	    .control = control, .pin = pin, .pinlog = r->pinlog,
	    .power_hook = hook }, &ops, r);
	device_start(r->dev);
}

static void
rig_stop(struct rig *r)
{
	device_free(r->dev);
	r->dev = NULL;
	if (r->fd != -1)
		close(r->fd);
	r->fd = -1;
}

static void
rig_fini(struct rig *r)
{
	char cmd[128];

	rig_stop(r);
	for (int i = 0; i < PORTS; i++)
		fake_fini(&r->port[i]);
	loop_free(r->loop);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", r->dir);
	assert_int_equal(system(cmd), 0);
}

static void
on_urc(void *arg, const char *line, const char *body)
{
	struct rig *r = arg;

	(void)body;
	if (strcmp(line, "+CMTI: \"SM\",1") == 0)
		r->urcs++;
}

static void
on_reply(void *arg, const struct at_reply *reply)
{
	((struct rig *)arg)->result = reply->result;
}

static unsigned
count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)) != NULL; text += strlen(word))
		n++;
	return n;
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
		cmocka_unit_test(test_unplugged),
		cmocka_unit_test(test_open_late),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_half_silence),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_call_on_two_ports),
		cmocka_unit_test(test_found_in_call),
		cmocka_unit_test(test_garbage),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
