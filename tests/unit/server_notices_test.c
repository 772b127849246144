#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/base/mem.h"
#include "server/notices.h"
#include "loop_help.h"
#include "virtual_time.h"

#define MIN (60 * 1000)

static struct {
	struct loop *loop;
	struct notices *notices;
	char told[4096];	/* "severity event source: text\n" */
} f;

static void
on_tell(void *arg, const struct notify_event *e)
{
	size_t n = strlen(f.told);

	(void)arg;
	assert_int_equal(e->id, 0);
	snprintf(f.told + n, sizeof(f.told) - n, "%s %s %s: %s\n",
	    notify_severity_text(e->severity), e->event, e->source, e->text);
}

static void
pass(int64_t ms)
{
	loop_for(f.loop, ms);
}

static void
expect(const char *text)
{
	assert_string_equal(f.told, text);
	f.told[0] = '\0';
}

static int
setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	f.loop = loop_new();
	f.notices = notices_new(f.loop, on_tell, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	notices_free(f.notices);
	loop_free(f.loop);
	return 0;
}

static void
test_line(void **state)
{
	(void)state;
	notices_event(f.notices, "line-lost", "gw", "unplugged");
	pass(MIN - 100);
	notices_event(f.notices, "line-back", "gw", "");
	pass(2 * MIN);
	expect("");
	/* Its time runs from when it was lost, not from the last word. */
	notices_event(f.notices, "line-lost", "gw", "unplugged");
	notices_event(f.notices, "line-lost", "sw", "unplugged");
	pass(MIN / 2);
	notices_event(f.notices, "line-lost", "gw", "no such device");
	pass(MIN / 2 + 100);
	expect("warning line-lost gw: console gw: the line is gone: "
	    "no such device\n"
	    "warning line-lost sw: console sw: the line is gone: "
	    "unplugged\n");
	/* Told: nothing more until it is back. */
	notices_event(f.notices, "line-lost", "gw", "no such device");
	pass(10 * MIN);
	expect("");
	notices_event(f.notices, "line-back", "gw", "");
	expect("info line-back gw: console gw: the line is back\n");
	notices_event(f.notices, "line-back", "gw", "");
	expect("");
}

static void
test_journal(void **state)
{
	(void)state;
	notices_event(f.notices, "journal-failed", "gw", "disk full");
	expect("critical journal-failed gw: console gw is NOT RECORDED: "
	    "disk full\n");
	notices_event(f.notices, "journal-back", "sw", "");
	expect("");
	notices_event(f.notices, "journal-back", "gw", "");
	expect("info journal-back gw: console gw is recorded again\n");
}

static void
test_relay(void **state)
{
	(void)state;
	notices_event(f.notices, "relay-refused", NULL,
	    "relay=cloud why=the host key is not the pinned one");
	expect("critical relay-refused cloud: relay cloud does not let us "
	    "in: the host key is not the pinned one\n");
	notices_event(f.notices, "relay-down", NULL,
	    "relay=cloud failure=E-DEAD why=\"no answer\"");
	pass(9 * MIN);
	notices_event(f.notices, "relay-up", NULL, "relay=cloud listen=x");
	pass(20 * MIN);
	expect("");
	notices_event(f.notices, "relay-down", NULL,
	    "relay=cloud failure=E-DEAD why=\"no answer\"");
	notices_event(f.notices, "relay-failed", NULL,
	    "relay=cloud failure=E-RELAY why=nobody listens");
	pass(10 * MIN + 100);
	expect("warning relay-failed cloud: relay cloud cannot be reached "
	    "for 10 minutes: nobody listens\n");
	notices_event(f.notices, "relay-up", NULL, "relay=cloud listen=x");
	expect("info relay-up cloud: relay cloud is up\n");
	/* As it was asked for. */
	notices_event(f.notices, "relay-down", NULL,
	    "relay=cloud why=\"no longer wanted\"");
	pass(20 * MIN);
	notices_event(f.notices, "relay-failed", NULL, "relay=cloud why=x");
	notices_event(f.notices, "relay-down", NULL,
	    "relay=cloud why=\"no longer wanted\"");
	pass(20 * MIN);
	expect("");
}

static void
test_link_and_drill(void **state)
{
	(void)state;
	notices_event(f.notices, "link-state", NULL,
	    "state=dialling from=idle why=\"x\"");
	expect("");
	notices_event(f.notices, "link-state", NULL,
	    "state=failed from=dialling why=\"E-APN: refused\"");
	expect("warning link-state : the link failed: E-APN: refused\n");
	notices_event(f.notices, "link-up", NULL, "who=\"a\" way=ppp");
	expect("info link-up : the link is up\n");
	/* Of a drill's link only the drill speaks. */
	notices_event(f.notices, "link-state", NULL,
	    "state=failed from=dialling drill=yes why=\"E-APN: refused\"");
	notices_event(f.notices, "link-late", NULL,
	    "state=relaying drill=yes why=\"x\"");
	expect("");
	notices_event(f.notices, "link-up", NULL, "who=\"a\" way=ppp");
	expect("");
	notices_event(f.notices, "uplink-back", NULL, "why=\"a:1 answers\"");
	expect("");
	notices_event(f.notices, "uplink-dead", NULL, "why=\"no answer\"");
	expect("critical uplink-dead : the site's uplink is dead: no answer\n");
	notices_event(f.notices, "uplink-back", NULL, "why=\"a:1 answers\"");
	expect("info uplink-back : the site's uplink is back: a:1 answers\n");
	notices_event(f.notices, "drill-done", NULL, "why=\"proven in 40 s\"");
	expect("");
	notices_event(f.notices, "drill-failed", NULL, "why=\"E-REG\"");
	expect("critical drill-failed : the drill failed: E-REG\n");
	notices_event(f.notices, "drill-done", NULL, "why=\"proven in 40 s\"");
	expect("info drill-done : the drill went well: proven in 40 s\n");
}

static void
test_modem(void **state)
{
	(void)state;
	notices_event(f.notices, "modem-lost", NULL, "what=\"unplugged\"");
	pass(MIN);
	notices_event(f.notices, "modem-repair", NULL, "what=\"reset\"");
	pass(MIN);
	notices_event(f.notices, "modem-ready", NULL, "what=\"ready\"");
	pass(10 * MIN);
	expect("");
	notices_event(f.notices, "modem-lost", NULL, "what=\"unplugged\"");
	pass(MIN);
	notices_event(f.notices, "modem-repair", NULL, "what=\"reset\"");
	pass(4 * MIN + 100);
	expect("warning modem-repair : the modem does not work for 5 "
	    "minutes: reset\n");
	notices_event(f.notices, "modem-ready", NULL, "what=\"ready\"");
	expect("info modem-ready : the modem works again\n");
	/* What waits for a human does not wait for the rest. */
	notices_event(f.notices, "modem-lost", NULL, "what=\"unplugged\"");
	notices_event(f.notices, "modem-blocked", NULL, "what=\"PUK\"");
	expect("critical modem-blocked : the modem waits for somebody: "
	    "PUK\n");
	notices_event(f.notices, "modem-ready", NULL, "");
	expect("info modem-ready : the modem works again\n");
	notices_event(f.notices, "sms-refused", NULL,
	    "from=+1: not in from");
	notices_event(f.notices, "sms-refused", NULL,
	    "from=+1: wrong code (and 3 before it)");
	notices_event(f.notices, "sms-refused", NULL,
	    "from=+1: somebody guesses codes: send the next one, too");
	expect("warning sms-refused : an SMS with a wrong code: "
	    "from=+1: wrong code (and 3 before it)\n"
	    "critical sms-refused : many SMS with wrong codes: from=+1: "
	    "somebody guesses codes: send the next one, too\n");
}

static void
test_others_are_no_news(void **state)
{
	(void)state;
	notices_event(f.notices, "relay-forward", NULL, "relay=cloud");
	notices_event(f.notices, "link", NULL, "");
	notices_event(f.notices, "", NULL, "");
	pass(60 * MIN);
	expect("");
}

/* Long and odd texts fit; what does not fit is cut. */
static void
test_bounds(void **state)
{
	char big[4096], name[32];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	notices_event(f.notices, "relay-refused", big, big);
	assert_true(strlen(f.told) < NOTIFY_TEXT + 2 * NOTIFY_NAME);
	f.told[0] = '\0';
	for (int i = 0; i < NOTICES_OPEN_MAX; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		notices_event(f.notices, "line-lost", name, "x");
	}
	expect("");
	/* No room to wait in: told at once rather than never. */
	notices_event(f.notices, "line-lost", "more", "x");
	expect("warning line-lost more: console more: the line is gone: x\n");
	for (int i = 0; i < NOTICES_OPEN_MAX; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		notices_event(f.notices, "line-back", name, "x");
	}
	pass(2 * MIN);
	expect("");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relay, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_and_drill, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_modem, setup, teardown),
		cmocka_unit_test_setup_teardown(test_others_are_no_news,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
