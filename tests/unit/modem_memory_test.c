/*
 * Every allocation of what the modem process is made of fails once, in turn:
 * no order counts twice, no message is lost or sent twice.
 */
#include "sweep.h"

#include "auth/codes.h"
#include "modem/activation.h"
#include "modem/at_queue.h"
#include "modem/inbox.h"
#include "modem/outbox.h"
#include "server/base/mem.h"

#define OWNER "+46701234567"
#define NOON 1787572800		/* 2026-08-24T12:00:00Z */

static const char *
in_folder(const struct sweep_place *p, const char *name)
{
	static char path[100];

	snprintf(path, sizeof(path), "%s/%s", p->s.dir, name);
	return path;
}

/* Commands and answers. */

static int
on_write(void *arg, const void *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
	return 0;
}

static void
on_timer(void *arg, int64_t ms)
{
	(void)arg;
	(void)ms;
}

static void
on_synced(void *arg)
{
	(void)arg;
}

static void
on_silent(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static void
on_done(void *arg, const struct at_reply *r)
{
	*(bool *)arg = r->result == AT_OK && r->nlines == 2;
}

static void
on_urc(void *arg, const char *line, const char *body)
{
	(void)line;
	*(bool *)arg = body != NULL;
}

static int
ask(struct sweep_place *p)
{
	static const struct at_queue_ops ops = { on_write, on_timer, NULL,
	    on_synced, on_silent };
	const struct at_command command = { .text = "AT+CMGL=4",
	    .prefix = "+CMGL:" };
	bool done = false, told = false;
	struct at_queue *q = at_queue_new("test", &ops, NULL);

	(void)p;
	at_urc_add(q, "+CMT:", on_urc, &told);
	at_queue_attach(q);
	at_queue_timeout(q);
	at_queue_input(q, (const uint8_t *)"\r\n+CMEE: 1\r\n\r\nOK\r\n", 18);
	at_send(q, &command, on_done, &done);
	at_queue_input(q, (const uint8_t *)
	    "\r\n+CMGL: 1,0,,3\r\n0011\r\n\r\nOK\r\n", 29);
	at_queue_input(q, (const uint8_t *)"\r\n+CMT: ,3\r\n0011\r\n", 18);
	at_queue_free(q);
	return done && told ? 0 : -1;
}

static void
test_ask(void **state)
{
	const struct sweep w = { NULL, ask, NULL };

	(void)state;
	sweep(&w);
}

/* An order by SMS: once, whatever became of the process that took it. */

static void
make_codes(struct sweep_place *p)
{
	struct codes *c = codes_open(p->s.dir);
	struct codes_record r;

	assert_int_equal(codes_new(c, "alice", false, false, &r), 0);
	codes_close(c);
}

static enum activation_why
order(struct sweep_place *p)
{
	static const char *const from[] = { OWNER };
	const struct activation_conf conf = { from, 1, false };
	const struct activation_now now = { true, 1700000000, { 5000000 } };
	struct codes *c = codes_open(p->s.dir);
	struct activation *a = activation_new(&conf, c);
	struct activation_message m = { .sender = OWNER, .toa = 0x91 };
	struct activation_verdict v = { .why = ACTIVATION_FAILED };
	char code[OTP_CODE] = "", text[64];
	struct codes_record r;

	if (codes_get(c, "alice", &r) == 0) {
		otp_code(&r.secret, 0, code);
		m.len = (size_t)snprintf(text, sizeof(text), "up 60 %s", code);
		m.text = text;
		activation_decide(a, &m, &now, &v);
	}
	p->note->safe += v.act;
	activation_free(a);
	codes_close(c);
	return v.why;
}

static int
activate(struct sweep_place *p)
{
	return order(p) == ACTIVATION_ACCEPTED ? 0 : -1;
}

/* The same message again: it acts if it did not, and then never more. */
static void
check_activated(struct sweep_place *p)
{
	enum activation_why why = order(p);

	if (why != ACTIVATION_ACCEPTED && why != ACTIVATION_USED)
		fail_msg("allocation %d: %s", p->at,
		    activation_why_text(why));
	assert_int_equal(order(p), ACTIVATION_USED);
	assert_true(p->note->safe <= 1);
}

static void
test_activate(void **state)
{
	const struct sweep w = { make_codes, activate, check_activated };

	(void)state;
	sweep(&w);
}

/* What comes in. */

#define HEAD "00040C9134661032547600"
#define STAMP "62804230712480"
#define UP HEAD "08" STAMP "0400750070"		/* "up" in UCS-2 */

static struct inbox *inbox;
static struct sweep_place *place;
static bool full;		/* the card's one place */

static void
on_list(void *arg, const char *store)
{
	(void)arg;
	(void)store;
	if (full)
		inbox_listed(inbox, 1, UP, strlen(UP));
	inbox_answer(inbox, INBOX_OK);
}

static void
on_read(void *arg, const char *store, unsigned at)
{
	(void)at;
	on_list(arg, store);
}

static void
on_remove(void *arg, const char *store, unsigned at)
{
	(void)arg;
	(void)store;
	(void)at;
	full = false;
	place->note->more[1] = 1;
	inbox_answer(inbox, INBOX_OK);
}

static void
on_remove_all(void *arg, const char *store, enum inbox_which which)
{
	(void)which;
	on_remove(arg, store, 0);
}

static void
on_message(void *arg, const struct inbox_message *m)
{
	(void)arg;
	place->note->safe += m->text_len == 2 && memcmp(m->text, "up", 2) == 0;
}

static void
on_stuck(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static int
receive(struct sweep_place *p)
{
	static const struct inbox_ops ops = { on_list, on_read, on_remove,
	    on_remove_all, on_message, NULL, on_stuck };
	static const char *const stores[] = { "SM" };
	struct mono now = { 1000000 };
	int64_t wait = 0;

	place = p;
	full = p->note->more[1] == 0;
	inbox = inbox_new(stores, 1, in_folder(p, "seen"), &ops, NULL);
	inbox_ready(inbox, true);
	for (int i = 0; i < 20 && wait >= 0; i++) {
		wait = inbox_run(inbox, now);
		now = mono_after(now, wait < 1 ? 1 : wait);
	}
	inbox_free(inbox);
	return full ? -1 : 0;
}

/* Whoever comes next: it was given out before, or is now; never removed
   without that, and at most once more than the disk knew. */
static void
check_received(struct sweep_place *p)
{
	const uint64_t before = p->note->safe;

	assert_true(before <= 1);
	assert_true(p->note->more[1] == 0 || before == 1);
	assert_int_equal(receive(p), 0);
	assert_int_equal(p->note->safe, 1);
}

static void
test_receive(void **state)
{
	const struct sweep w = { NULL, receive, check_received };

	(void)state;
	sweep(&w);
}

/* What goes out. */

static struct outbox *outbox;

static void
on_send(void *arg, const char *hex, size_t tpdu_len)
{
	(void)arg;
	(void)hex;
	(void)tpdu_len;
	place->note->more[0]++;
	outbox_answer(outbox, OUTBOX_TAKEN, -1);
}

static void
on_end(void *arg, const struct outbox_end *end)
{
	(void)arg;
	place->note->more[1] += end->state == OUTBOX_SENT;
}

static void
open_outbox(struct sweep_place *p)
{
	static const struct outbox_ops ops = { on_send, on_end };
	static const struct outbox_conf conf = { 30, 10 };

	place = p;
	outbox = outbox_new(in_folder(p, "sms_out"), &conf, &ops, NULL);
}

static void
run_outbox(void)
{
	struct mono now = { 1000000 };
	int64_t wait = 0;

	outbox_ready(outbox, true);
	for (int i = 0; i < 20 && wait >= 0; i++) {
		wait = outbox_run(outbox, now);
		now = mono_after(now, wait < 1 ? 1 : wait);
	}
}

static int
send_two(struct sweep_place *p)
{
	char why[OUTBOX_WHY];
	uint32_t id;
	int r = 0;

	open_outbox(p);
	for (int i = 0; i < 2; i++) {
		if (outbox_add(outbox, OWNER, i == 0 ? "one" : "two", NOON,
		    &id, why) == 0)
			p->note->safe++;
		else
			r = -1;
	}
	run_outbox();
	outbox_free(outbox);
	return r;
}

/* What was taken is sent, by the next one if need be; no message twice. */
static void
check_sent(struct sweep_place *p)
{
	open_outbox(p);
	run_outbox();
	outbox_free(outbox);
	/* One whose sending was cut off is not risked a second time. */
	assert_in_range(p->note->more[0], p->note->safe, 2);
}

static void
test_send(void **state)
{
	const struct sweep w = { NULL, send_two, check_sent };

	(void)state;
	sweep(&w);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_activate),
		cmocka_unit_test(test_receive),
		cmocka_unit_test(test_send),
	};

	(void)argc;
	sweep_load(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
