#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "modem/outbox.h"
#include "modem/pdu.h"
#include "server/base/fileio.h"

#define NUMBER "+436601234567"
#define NOON 1787572800		/* 2026-08-24T12:00:00Z */

/* A modem that is told how to answer; what it was given is kept. */
struct modem {
	struct outbox *outbox;
	struct outbox_conf conf;
	char dir[64], path[96];
	struct mono now;

	enum outbox_answer answers[8];
	int codes[8];
	size_t nanswers;	/* further ones: OUTBOX_TAKEN */
	bool silent;		/* does not answer at all */
	bool die;		/* nor ever again: the process is killed */

	unsigned sent;
	struct pdu last;
	char on_disk[8192];	/* the file while it was sent */

	unsigned ended;
	struct outbox_end end;
	char number[OUTBOX_NUMBER];
	char why[OUTBOX_WHY];
};

static void
on_send(void *arg, const char *hex, size_t tpdu_len)
{
	struct modem *m = arg;
	const char *why;
	char *text;
	size_t i = m->sent++;

	if (pdu_decode_hex(&m->last, hex, strlen(hex), &why) == -1)
		fail_msg("%s: %s", hex, why);
	assert_int_equal(m->last.tpdu_len, tpdu_len);
	assert_int_equal(m->last.type, PDU_SUBMIT);
	text = file_read(m->path, sizeof(m->on_disk) - 1, NULL);
	if (text != NULL)
		snprintf(m->on_disk, sizeof(m->on_disk), "%s", text);
	free(text);
	if (m->silent || m->die)
		return;
	outbox_answer(m->outbox, i < m->nanswers ? m->answers[i] :
	    OUTBOX_TAKEN, i < m->nanswers ? m->codes[i] : -1);
}

static void
on_end(void *arg, const struct outbox_end *end)
{
	struct modem *m = arg;

	m->ended++;
	m->end = *end;
	m->end.number = m->end.why = NULL;
	snprintf(m->number, sizeof(m->number), "%s", end->number);
	snprintf(m->why, sizeof(m->why), "%s", end->why);
}

static const struct outbox_ops ops = { on_send, on_end };

static int
setup(void **state)
{
	struct modem *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	snprintf(m->dir, sizeof(m->dir), "/tmp/oobd_outbox_XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	snprintf(m->path, sizeof(m->path), "%s/sms_out", m->dir);
	m->conf = (struct outbox_conf){ 30, 10 };
	m->now.us = 1000000;
	m->outbox = outbox_new(m->path, &m->conf, &ops, m);
	outbox_ready(m->outbox, true);
	*state = m;
	return 0;
}

static int
teardown(void **state)
{
	struct modem *m = *state;

	outbox_free(m->outbox);
	chmod(m->dir, 0700);
	unlink(m->path);
	rmdir(m->dir);
	free(m);
	return 0;
}

/* Killed, and started again. */
static void
crash(struct modem *m)
{
	outbox_free(m->outbox);
	m->outbox = outbox_new(m->path, &m->conf, &ops, m);
	outbox_ready(m->outbox, true);
	m->die = m->silent = false;
}

static int
add_at(struct modem *m, const char *number, const char *text, int64_t utc)
{
	char why[OUTBOX_WHY] = "";
	uint32_t id = 0;
	int r = outbox_add(m->outbox, number, text, utc, &id, why);

	if (r == -1) {
		assert_true(strlen(why) > 0);
		snprintf(m->why, sizeof(m->why), "%s", why);
	} else {
		assert_true(id > 0);
	}
	return r;
}

static int
add(struct modem *m, const char *text)
{
	return add_at(m, NUMBER, text, NOON);
}

static void
pass(struct modem *m, int64_t ms)
{
	struct mono end = mono_after(m->now, ms);

	for (;;) {
		int64_t wait = outbox_run(m->outbox, m->now);

		if (wait < 0 || mono_ms(m->now, end) < wait)
			break;
		assert_true(wait > 0);
		m->now = mono_after(m->now, wait);
	}
	m->now = end;
}

static void
answers(struct modem *m, size_t i, enum outbox_answer a, int code)
{
	m->answers[i] = a;
	m->codes[i] = code;
	m->nanswers = i + 1;
}

/*
 * Sending
 */
static void
test_send(void **state)
{
	struct modem *m = *state;
	struct stat st;

	assert_int_equal(add(m, "link is down"), 0);
	pass(m, 10);
	assert_int_equal(m->sent, 1);
	assert_string_equal(m->last.text, "link is down");
	assert_string_equal(m->last.addr.text, NUMBER);
	assert_int_equal(m->last.addr.toa, 0x91);
	assert_false(m->last.has_smsc);
	assert_int_equal(m->last.vp_seconds, 6 * 3600);
	assert_int_equal(m->ended, 1);
	assert_int_equal(m->end.state, OUTBOX_SENT);
	assert_int_equal(outbox_count(m->outbox), 0);
	assert_int_equal(stat(m->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* It was on disk before. */
	assert_non_null(strstr(m->on_disk, " s 1 0 "));
	crash(m);
	pass(m, 1000);
	assert_int_equal(m->sent, 1);
	assert_int_equal(m->ended, 1);
}

static void
test_order_and_numbers(void **state)
{
	struct modem *m = *state;

	outbox_ready(m->outbox, false);
	assert_int_equal(add_at(m, "0660555", "one", NOON), 0);
	assert_int_equal(add(m, "two"), 0);
	pass(m, 100000);
	assert_int_equal(m->sent, 0);
	m->silent = true;
	outbox_ready(m->outbox, true);
	pass(m, 10);
	assert_string_equal(m->last.text, "one");
	assert_int_equal(m->last.addr.toa, 0x81);
	/* One at a time. */
	pass(m, 10000);
	assert_int_equal(m->sent, 1);
	m->silent = false;
	outbox_answer(m->outbox, OUTBOX_TAKEN, -1);
	pass(m, 10);
	assert_string_equal(m->last.text, "two");
	assert_int_equal(m->ended, 2);
}

static void
test_alphabets(void **state)
{
	struct modem *m = *state;

	assert_int_equal(add(m, "caf\u00e9 {10 \u20ac}"), 0);
	pass(m, 10);
	assert_int_equal(m->last.dcs, 0);
	assert_string_equal(m->last.text, "caf\u00e9 {10 \u20ac}");
	assert_int_equal(add(m, "\u0151 \U0001f600"), 0);
	pass(m, 10);
	assert_int_equal(m->last.dcs, 8);
	assert_string_equal(m->last.text, "\u0151 \U0001f600");
	assert_int_equal(add(m, ""), 0);
	pass(m, 10);
	assert_string_equal(m->last.text, "");
	assert_int_equal(m->ended, 3);
}

static void
test_long(void **state)
{
	struct modem *m = *state;
	char text[460];
	unsigned ref;

	memset(text, 'a', 459);
	text[459] = '\0';
	m->silent = true;
	assert_int_equal(add(m, text), 0);
	pass(m, 10);
	ref = m->last.concat.ref;
	for (unsigned seq = 1; seq <= 3; seq++) {
		assert_int_equal(m->sent, seq);
		assert_int_equal(m->last.concat.seq, seq);
		assert_int_equal(m->last.concat.total, 3);
		assert_int_equal(m->last.concat.ref, ref);
		assert_int_equal(m->last.data_len, 153);
		assert_int_equal(m->ended, 0);
		outbox_answer(m->outbox, OUTBOX_TAKEN, -1);
		pass(m, 10);
	}
	assert_int_equal(m->ended, 1);
	assert_int_equal(m->sent, 3);
	assert_int_equal(outbox_today(m->outbox, NULL), 3);
	/* The next one has another reference. */
	assert_int_equal(add(m, text), 0);
	pass(m, 10);
	assert_int_not_equal(m->last.concat.ref, ref);
}

/*
 * Failures
 */
static void
test_no_prompt(void **state)
{
	struct modem *m = *state;

	answers(m, 0, OUTBOX_NOT_WRITTEN, -1);
	assert_int_equal(add(m, "x"), 0);
	pass(m, 9000);
	assert_int_equal(m->sent, 1);
	assert_int_equal(m->ended, 0);
	pass(m, 2000);
	assert_int_equal(m->sent, 2);
	assert_int_equal(m->end.state, OUTBOX_SENT);
}

static void
test_refused_for_now(void **state)
{
	struct modem *m = *state;

	for (size_t i = 0; i < 8; i++)
		answers(m, i, OUTBOX_REFUSED, 331);
	assert_int_equal(add(m, "x"), 0);
	pass(m, 3600000);
	assert_int_equal(m->sent, OUTBOX_TRIES);
	assert_int_equal(m->ended, 1);
	assert_int_equal(m->end.state, OUTBOX_FAILED);
	assert_true(strlen(m->why) > 0);
	pass(m, 3600000);
	assert_int_equal(m->sent, OUTBOX_TRIES);
}

static void
test_refused_for_good(void **state)
{
	static const int codes[] = { 1, 21, 28, 50, 304, 330 };
	struct modem *m = *state;

	for (size_t i = 0; i < 6; i++) {
		answers(m, i, OUTBOX_REFUSED, codes[i]);
		assert_int_equal(add(m, "x"), 0);
		pass(m, 10);
		assert_int_equal(m->ended, i + 1);
		assert_int_equal(m->end.state, OUTBOX_FAILED);
	}
	pass(m, 3600000);
	assert_int_equal(m->sent, 6);
}

/* One that waits for another try does not hold up the others. */
static void
test_others_go_on(void **state)
{
	struct modem *m = *state;

	answers(m, 0, OUTBOX_REFUSED, 42);
	assert_int_equal(add(m, "one"), 0);
	assert_int_equal(add(m, "two"), 0);
	pass(m, 10);
	assert_int_equal(m->sent, 2);
	assert_string_equal(m->last.text, "two");
	pass(m, 11000);
	assert_string_equal(m->last.text, "one");
	assert_int_equal(m->ended, 2);
}

static void
test_no_answer(void **state)
{
	struct modem *m = *state;

	answers(m, 0, OUTBOX_NO_ANSWER, -1);
	assert_int_equal(add(m, "x"), 0);
	pass(m, 3600000);
	assert_int_equal(m->sent, 1);
	assert_int_equal(m->end.state, OUTBOX_UNKNOWN);
	crash(m);
	pass(m, 3600000);
	assert_int_equal(m->sent, 1);
	assert_int_equal(m->ended, 1);
}

static void
test_no_answer_in_the_middle(void **state)
{
	struct modem *m = *state;
	char text[301];

	memset(text, 'a', 300);
	text[300] = '\0';
	answers(m, 0, OUTBOX_TAKEN, -1);
	answers(m, 1, OUTBOX_NO_ANSWER, -1);
	assert_int_equal(add(m, text), 0);
	pass(m, 3600000);
	assert_int_equal(m->sent, 2);
	assert_int_equal(m->end.state, OUTBOX_UNKNOWN);
}

static void
test_modem_gone(void **state)
{
	struct modem *m = *state;

	outbox_ready(m->outbox, false);
	assert_int_equal(add(m, "x"), 0);
	pass(m, 23 * 3600000LL);
	assert_int_equal(m->ended, 0);
	pass(m, 2 * 3600000LL);
	assert_int_equal(m->sent, 0);
	assert_int_equal(m->end.state, OUTBOX_FAILED);
	outbox_ready(m->outbox, true);
	pass(m, 1000);
	assert_int_equal(m->sent, 0);
	/* An answer that nobody waits for. */
	outbox_answer(m->outbox, OUTBOX_TAKEN, -1);
	pass(m, 1000);
	assert_int_equal(m->ended, 1);
}

/*
 * Crashes
 */
static void
test_crash_while_queued(void **state)
{
	struct modem *m = *state;

	outbox_ready(m->outbox, false);
	assert_int_equal(add(m, "say \"x\"\n\u20ac"), 0);
	crash(m);
	pass(m, 10);
	assert_int_equal(m->sent, 1);
	assert_string_equal(m->last.text, "say \"x\"\n\u20ac");
	assert_int_equal(m->end.state, OUTBOX_SENT);
}

static void
test_crash_while_sending(void **state)
{
	struct modem *m = *state;

	m->die = true;
	assert_int_equal(add(m, "x"), 0);
	assert_int_equal(add(m, "y"), 0);
	pass(m, 10);
	assert_int_equal(m->sent, 1);
	crash(m);
	pass(m, 3600000);
	/* Only the other one was sent. */
	assert_int_equal(m->sent, 2);
	assert_string_equal(m->last.text, "y");
	assert_int_equal(m->ended, 2);
	crash(m);
	pass(m, 3600000);
	assert_int_equal(m->sent, 2);
	assert_int_equal(m->ended, 2);
}

static void
test_crash_tells_unknown(void **state)
{
	struct modem *m = *state;

	m->die = true;
	assert_int_equal(add(m, "x"), 0);
	pass(m, 10);
	crash(m);
	pass(m, 10);
	assert_int_equal(m->ended, 1);
	assert_int_equal(m->end.state, OUTBOX_UNKNOWN);
	assert_string_equal(m->number, NUMBER);
}

/* The answer came, but was not written down: not sent again. */
static void
test_crash_after_the_answer(void **state)
{
	struct modem *m = *state;

	m->silent = true;
	assert_int_equal(add(m, "x"), 0);
	pass(m, 10);
	outbox_answer(m->outbox, OUTBOX_TAKEN, -1);
	crash(m);
	pass(m, 3600000);
	assert_int_equal(m->sent, 1);
	assert_int_equal(m->end.state, OUTBOX_UNKNOWN);
}

static void
test_crash_between_parts(void **state)
{
	struct modem *m = *state;
	char text[301];

	memset(text, 'a', 300);
	text[300] = '\0';
	m->silent = true;
	assert_int_equal(add(m, text), 0);
	pass(m, 10);
	outbox_answer(m->outbox, OUTBOX_TAKEN, -1);
	/* The second part is not begun before the first is done with. */
	outbox_ready(m->outbox, false);
	pass(m, 10);
	crash(m);
	pass(m, 10);
	assert_int_equal(m->sent, 2);
	assert_int_equal(m->last.concat.seq, 2);
	assert_int_equal(m->end.state, OUTBOX_SENT);
}

static void
test_tries_survive(void **state)
{
	struct modem *m = *state;

	for (size_t i = 0; i < 8; i++)
		answers(m, i, OUTBOX_REFUSED, 332);
	assert_int_equal(add(m, "x"), 0);
	for (unsigned i = 0; i < 10; i++) {
		pass(m, 1000);
		crash(m);
	}
	pass(m, 3600000);
	assert_int_equal(m->sent, OUTBOX_TRIES);
	assert_int_equal(m->ended, 1);
}

/* What cannot be written down is not sent. */
static void
test_disk_full(void **state)
{
	struct modem *m = *state;
	char moved[128];

	snprintf(moved, sizeof(moved), "%s.away", m->dir);
	outbox_ready(m->outbox, false);
	assert_int_equal(add(m, "x"), 0);
	pass(m, 10);
	outbox_ready(m->outbox, true);
	assert_int_equal(rename(m->dir, moved), 0);
	assert_int_equal(add(m, "y"), -1);
	assert_non_null(strstr(m->why, "state_dir"));
	assert_int_equal(outbox_count(m->outbox), 1);
	pass(m, 100000);
	assert_int_equal(m->sent, 0);
	assert_int_equal(outbox_today(m->outbox, NULL), 1);
	assert_int_equal(rename(moved, m->dir), 0);
	pass(m, 31000);
	assert_int_equal(m->sent, 1);
	assert_int_equal(m->end.state, OUTBOX_SENT);
}

static void
test_damaged_file(void **state)
{
	static const char *const damages[] = {
		"", "rubbish", "oobd-sms-out 2\n", "oobd-sms-out 1\ncounts x\n",
		"oobd-sms-out 1\nmessage 1 s 1 0 0 +43 zz\n",
		"oobd-sms-out 1\nmessage 1 x 1 0 0 +43 00\n",
		"oobd-sms-out 1\nmessage 1 q 0 0 0 +43 00\n",
		"oobd-sms-out 1\nmessage 1 q 9 0 0 +43660 3031\n",
		"oobd-sms-out 1\nmessage 1 q 1 0 0 Alice 3031\n",
		"oobd-sms-out 1\nmessage 1 q 1 0 0 +43660 FFFE\n",
		"oobd-sms-out 1\nnumber\nfurther\n",
		"oobd-sms-out 1\ncounts 1 2 3 4",
	};
	struct modem *m = *state;

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		assert_int_equal(file_replace(m->path, damages[i],
		    strlen(damages[i]), 0600), 0);
		crash(m);
		pass(m, 1000);
		assert_int_equal(m->sent, i);
		assert_int_equal(add_at(m, "0660", "x", NOON), 0);
		pass(m, 1000);
		assert_int_equal(m->sent, i + 1);
		assert_int_equal(outbox_count(m->outbox), 0);
	}
}

/*
 * Limits
 */
static void
test_caps(void **state)
{
	struct modem *m = *state;
	char number[24];

	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(add(m, "x"), 0);
		pass(m, 10);
	}
	assert_int_equal(add(m, "x"), -1);
	assert_non_null(strstr(m->why, "10 of 10"));
	/* Not by being started again. */
	crash(m);
	assert_int_equal(add(m, "x"), -1);
	assert_int_equal(outbox_today(m->outbox, NUMBER), 10);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(number, sizeof(number), "+4366000%u", i);
		assert_int_equal(add_at(m, number, "x", NOON), 0);
		pass(m, 10);
	}
	assert_int_equal(add_at(m, "0660555", "x", NOON), -1);
	assert_non_null(strstr(m->why, "30 of 30"));
	assert_int_equal(m->sent, 30);
	/* The next day. */
	assert_int_equal(add_at(m, NUMBER, "x", NOON + 86400), 0);
	assert_int_equal(outbox_today(m->outbox, NULL), 1);
}

static void
test_parts_count(void **state)
{
	struct modem *m = *state;
	char text[400];

	memset(text, 'a', 399);
	text[399] = '\0';
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(add(m, text), 0);
	/* A tenth, but not a tenth to a twelfth. */
	assert_int_equal(add(m, text), -1);
	assert_int_equal(add(m, "x"), 0);
	assert_int_equal(add(m, "x"), -1);
}

static void
test_clock(void **state)
{
	struct modem *m = *state;

	m->conf.per_number = 2;
	outbox_configure(m->outbox, &m->conf);
	assert_int_equal(add(m, "x"), 0);
	pass(m, 10);
	/* Never set: it is nobody's day. */
	assert_int_equal(add_at(m, NUMBER, "x", 100), 0);
	pass(m, 10);
	assert_int_equal(add_at(m, NUMBER, "x", 100 + 86400), -1);
	assert_int_equal(add(m, "x"), -1);
	/* Back by a day, and forward: a day like any other. */
	assert_int_equal(add_at(m, NUMBER, "x", NOON - 86400), -1);
	assert_int_equal(add(m, "x"), 0);
	pass(m, 10);
	assert_int_equal(outbox_today(m->outbox, NULL), 1);
}

static void
test_many_numbers(void **state)
{
	struct modem *m = *state;
	char number[24];

	m->conf.per_day = 1000;
	outbox_configure(m->outbox, &m->conf);
	for (unsigned i = 0; i < OUTBOX_NUMBERS; i++) {
		snprintf(number, sizeof(number), "+4366000%u", i);
		assert_int_equal(add_at(m, number, "x", NOON), 0);
		pass(m, 10);
	}
	assert_int_equal(add_at(m, "0660555", "x", NOON), -1);
	assert_non_null(strstr(m->why, "numbers"));
	assert_int_equal(add_at(m, number, "x", NOON), 0);
}

static void
test_queue_full(void **state)
{
	struct modem *m = *state;
	char text[OUTBOX_TEXT];

	m->conf = (struct outbox_conf){ 1000, 1000 };
	outbox_configure(m->outbox, &m->conf);
	outbox_ready(m->outbox, false);
	/* As long as texts can be. */
	text[0] = '\0';
	for (unsigned i = 0; i < 459; i++)
		strcat(text, "\u00e9");
	for (unsigned i = 0; i < OUTBOX_MAX; i++)
		assert_int_equal(add(m, text), 0);
	assert_int_equal(add(m, "x"), -1);
	assert_non_null(strstr(m->why, "wait"));
	crash(m);
	assert_int_equal(outbox_count(m->outbox), OUTBOX_MAX);
	pass(m, 1000);
	assert_int_equal(m->sent, 3 * OUTBOX_MAX);
	assert_int_equal(m->ended, OUTBOX_MAX);
}

static void
test_bad_input(void **state)
{
	static const char *const numbers[] = { "", "+", "12", "Alice",
	    "+43 660", "123456789012345678901", "+43660\n", "-1234" };
	struct modem *m = *state;
	char text[1200];

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_int_equal(add_at(m, numbers[i], "x", NOON), -1);
		assert_non_null(strstr(m->why, "number"));
	}
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(add(m, text), -1);
	assert_non_null(strstr(m->why, "longer"));
	assert_int_equal(add(m, "\xff"), -1);
	assert_non_null(strstr(m->why, "UTF-8"));
	assert_int_equal(outbox_count(m->outbox), 0);
	assert_int_equal(outbox_today(m->outbox, NULL), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_send),
		TEST(test_order_and_numbers),
		TEST(test_alphabets),
		TEST(test_long),
		TEST(test_no_prompt),
		TEST(test_refused_for_now),
		TEST(test_refused_for_good),
		TEST(test_others_go_on),
		TEST(test_no_answer),
		TEST(test_no_answer_in_the_middle),
		TEST(test_modem_gone),
		TEST(test_crash_while_queued),
		TEST(test_crash_while_sending),
		TEST(test_crash_tells_unknown),
		TEST(test_crash_after_the_answer),
		TEST(test_crash_between_parts),
		TEST(test_tries_survive),
		TEST(test_disk_full),
		TEST(test_damaged_file),
		TEST(test_caps),
		TEST(test_parts_count),
		TEST(test_clock),
		TEST(test_many_numbers),
		TEST(test_queue_full),
		TEST(test_bad_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
