#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modem/sms_at.h"

#define PLACES 10
#define UP "00040C913466103254760008628042307124800400750070"
#define OTHER "00040C913466103254760008628042307124800400750071"
#define NUMBER "+436601234567"

/*
 * A modem behind a queue: it answers what it is written, a turn later.
 */
struct modem {
	struct loop *loop;
	struct at_queue *queue;
	struct sms_at *sms;
	struct timer *answer, *tick, *end;
	char in[1024];		/* of a command, so far */
	size_t nin;
	char out[8192];		/* to be given to the queue */
	bool prompt;		/* waits for octets */
	char store[8];
	char places[3][PLACES][400];
	char path[64];

	const char *refuse;	/* commands that begin so: ERROR */
	const char *ignore;	/* ... no answer */
	const char *in_between;	/* a report before the next answer */
	char log[8192];		/* commands */

	unsigned given, ended, stuck;
	char text[256];
	bool old;
	enum outbox_state state;
	char sent[1024];
};

static const char *const names[3] = { "SM", "ME", "SR" };

static char (*chosen(struct modem *m))[400]
{
	for (size_t i = 0; i < 3; i++) {
		if (strcmp(names[i], m->store) == 0)
			return m->places[i];
	}
	return m->places[0];
}

static void
say(struct modem *m, const char *text)
{
	assert_true(strlen(m->out) + strlen(text) < sizeof(m->out));
	strcat(m->out, text);
	timer_set(m->answer, 0);
}

static void
say_list(struct modem *m)
{
	char line[512];

	for (size_t i = 0; i < PLACES; i++) {
		if (chosen(m)[i][0] == '\0')
			continue;
		snprintf(line, sizeof(line), "\r\n+CMGL: %zu,1,,24\r\n%s\r\n",
		    i, chosen(m)[i]);
		say(m, line);
	}
}

static void
obey(struct modem *m, const char *c)
{
	char line[64];

	if (m->in_between != NULL) {
		say(m, m->in_between);
		m->in_between = NULL;
	}
	if (m->ignore != NULL && strncmp(c, m->ignore, strlen(m->ignore)) == 0)
		return;
	if (m->refuse != NULL &&
	    strncmp(c, m->refuse, strlen(m->refuse)) == 0) {
		say(m, "\r\nERROR\r\n");
		return;
	}
	if (strncmp(c, "AT+CPMS=\"", 9) == 0) {
		snprintf(m->store, sizeof(m->store), "%.2s", c + 9);
		snprintf(line, sizeof(line), "\r\n+CPMS: 1,%d,1,%d,1,%d\r\n",
		    PLACES, PLACES, PLACES);
		say(m, line);
	} else if (strcmp(c, "AT+CMEE?") == 0) {
		say(m, "\r\n+CMEE: 1\r\n");
	} else if (strcmp(c, "AT+CMGL=4") == 0) {
		say_list(m);
	} else if (strncmp(c, "AT+CMGD=", 8) == 0) {
		chosen(m)[atoi(c + 8)][0] = '\0';
	} else if (strncmp(c, "AT+CMGS=", 8) == 0) {
		m->prompt = true;
		say(m, "\r\n> ");
		return;
	}
	say(m, "\r\nOK\r\n");
}

static void
take_octets(struct modem *m)
{
	m->prompt = false;
	snprintf(m->sent, sizeof(m->sent), "%s", m->in);
	if (m->ignore == NULL || strcmp(m->ignore, "PDU") != 0)
		say(m, "\r\n+CMGS: 5\r\n\r\nOK\r\n");
}

static void
note(struct modem *m, const char *command)
{
	size_t n = strlen(m->log);

	snprintf(m->log + n, sizeof(m->log) - n, "%s ", command);
}

static int
op_write(void *arg, const void *p, size_t n)
{
	struct modem *m = arg;

	for (size_t i = 0; i < n; i++) {
		char c = ((const char *)p)[i];

		if (c != '\r' && c != 0x1a && c != 0x1b) {
			assert_true(m->nin + 1 < sizeof(m->in));
			m->in[m->nin++] = c;
			continue;
		}
		m->in[m->nin] = '\0';
		m->nin = 0;
		if (m->prompt && c == 0x1a)
			take_octets(m);
		else if (c == 0x1b)
			m->prompt = false;
		else if (m->in[0] != '\0') {
			note(m, m->in);
			obey(m, m->in);
		}
	}
	return 0;
}

static void
op_timer(void *arg, int64_t ms)
{
	struct modem *m = arg;

	if (ms == -1)
		timer_stop(m->tick);
	else
		timer_set(m->tick, ms);
}

static void
op_synced(void *arg)
{
	(void)arg;
}

static void
op_silent(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static const struct at_queue_ops queue_ops = {
	.write = op_write, .timer = op_timer, .synced = op_synced,
	.silent = op_silent,
};

static void
on_answer(void *arg)
{
	struct modem *m = arg;
	char text[sizeof(m->out)];

	memcpy(text, m->out, sizeof(text));
	m->out[0] = '\0';
	at_queue_input(m->queue, (const uint8_t *)text, strlen(text));
}

static void
on_tick(void *arg)
{
	at_queue_timeout(((struct modem *)arg)->queue);
}

static void
on_over(void *arg)
{
	loop_stop(((struct modem *)arg)->loop, 0);
}

static void
on_message(void *arg, const struct inbox_message *i)
{
	struct modem *m = arg;

	m->given++;
	snprintf(m->text, sizeof(m->text), "%s", i->text);
	m->old = i->stored_before_start;
}

static void
on_end(void *arg, const struct outbox_end *end)
{
	struct modem *m = arg;

	m->ended++;
	m->state = end->state;
}

static void
on_stuck(void *arg, const char *why)
{
	(void)why;
	((struct modem *)arg)->stuck++;
}

static const struct sms_at_ops sms_ops = { on_message, on_end, on_stuck };

static void
start(struct modem *m)
{
	const struct sms_at_conf conf = {
		.out_path = m->path, .out = { 30, 10 },
	};

	m->sms = sms_at_new(m->loop, m->queue, &conf, &sms_ops, m);
}

static void
run(struct modem *m, int64_t ms)
{
	timer_set(m->end, ms);
	loop_run(m->loop);
}

static int
setup(void **state)
{
	static unsigned n;
	struct modem *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	snprintf(m->path, sizeof(m->path), "/tmp/oobd_sms_at_%d_%u",
	    (int)getpid(), n++);
	m->loop = loop_new();
	m->answer = timer_new(m->loop, on_answer, m);
	m->tick = timer_new(m->loop, on_tick, m);
	m->end = timer_new(m->loop, on_over, m);
	m->queue = at_queue_new("test", &queue_ops, m);
	at_queue_attach(m->queue);
	start(m);
	run(m, 700);
	*state = m;
	return 0;
}

static int
teardown(void **state)
{
	struct modem *m = *state;

	sms_at_free(m->sms);
	at_queue_free(m->queue);
	timer_free(m->answer);
	timer_free(m->tick);
	timer_free(m->end);
	loop_free(m->loop);
	unlink(m->path);
	free(m);
	return 0;
}

static void
serve(struct modem *m)
{
	m->log[0] = '\0';
	sms_at_serve(m->sms, quirk_find("huawei"), true);
	run(m, 300);
}

static void
urc(struct modem *m, const char *text)
{
	say(m, text);
	run(m, 300);
}

static void
put(struct modem *m, size_t store, size_t i, const char *hex)
{
	snprintf(m->places[store][i], sizeof(m->places[store][i]), "%s", hex);
}

static bool
logged(const struct modem *m, const char *text)
{
	return strstr(m->log, text) != NULL;
}

static void
test_starts(void **state)
{
	struct modem *m = *state;

	/* Not before it serves. */
	assert_false(logged(m, "CMGL"));
	put(m, 0, 3, UP);
	serve(m);
	assert_true(logged(m, "AT+CNMI=2,1,2,1,0 "));
	assert_true(logged(m, "AT+CPMS=\"SM\",\"SM\",\"SM\" "));
	assert_true(logged(m, "AT+CPMS=\"SR\" AT+CMGL=4 "));
	assert_true(logged(m, "AT+CMGD=3 "));
	assert_int_equal(m->given, 1);
	assert_true(m->old);
	assert_string_equal(m->places[0][3], "");
	/* Told again, it does nothing again. */
	serve(m);
	assert_string_equal(m->log, "");
}

static void
test_reports(void **state)
{
	static const char *const kinds[] = { "\r\n+CMTI: \"SM\",0\r\n",
	    "\r\n+CMTI: \"SM\",-1\r\n", "\r\n+CDSI: \"SR\",1\r\n",
	    "\r\n^SMMEMFULL: \"SM\"\r\n", "\r\n+CMTI: \"XX\r\n",
	    "\r\n+CMTI:\r\n" };
	struct modem *m = *state;
	char hex[64];

	serve(m);
	for (size_t i = 0; i < 6; i++) {
		snprintf(hex, sizeof(hex), "%.44s%02zX70", UP, 0x40 + i);
		put(m, i % 2, i, hex);
		urc(m, kinds[i]);
		assert_int_equal(m->given, i + 1);
		assert_false(m->old);
	}
	assert_int_equal(m->stuck, 0);
}

static void
test_direct(void **state)
{
	struct modem *m = *state;

	serve(m);
	urc(m, "\r\n+CMT: ,24\r\n" UP "\r\n");
	assert_int_equal(m->given, 1);
	assert_string_equal(m->text, "up");
	/* Stored as well. */
	put(m, 0, 1, UP);
	urc(m, "\r\n+CMTI: \"SM\",1\r\n");
	assert_int_equal(m->given, 1);
	assert_string_equal(m->places[0][1], "");
	/* In the middle of everything. */
	put(m, 0, 1, UP);
	m->in_between = "\r\n+CMT: ,24\r\n" OTHER "\r\n";
	urc(m, "\r\n+CMTI: \"SM\",1\r\n");
	assert_int_equal(m->given, 2);
}

static void
test_no_reports(void **state)
{
	struct modem *m = *state;

	m->refuse = "AT+CNMI";
	serve(m);
	assert_true(logged(m, "AT+CNMI=2,1,2,1,0 AT+CPMS"));
	assert_true(logged(m, "AT+CNMI=2,1,2,2,0 "));
	put(m, 1, 0, UP);
	sms_at_look(m->sms);
	run(m, 300);
	assert_int_equal(m->given, 1);
}

static void
test_no_such_store(void **state)
{
	struct modem *m = *state;

	m->refuse = "AT+CPMS=\"ME\"";
	serve(m);
	assert_true(inbox_is_swept(sms_at_inbox(m->sms)));
	m->log[0] = '\0';
	sms_at_look(m->sms);
	run(m, 300);
	assert_false(logged(m, "\"ME\""));
	assert_true(logged(m, "\"SR\""));
}

/* A list refused twice is read one by one. */
static void
test_list_refused(void **state)
{
	struct modem *m = *state;

	serve(m);
	m->refuse = "AT+CMGL";
	sms_at_look(m->sms);
	run(m, 300);
	sms_at_look(m->sms);
	run(m, 300);
	m->log[0] = '\0';
	sms_at_look(m->sms);
	run(m, 600);
	assert_true(logged(m, "AT+CPMS=\"SM\" AT+CMGR=0 AT+CMGR=1 "));
}

static void
test_send(void **state)
{
	struct modem *m = *state;
	char why[OUTBOX_WHY];
	uint32_t id;

	serve(m);
	assert_int_equal(sms_at_send(m->sms, NUMBER, "x", &id, why), 0);
	run(m, 300);
	assert_int_equal(m->ended, 1);
	assert_int_equal(m->state, OUTBOX_SENT);
	assert_true(logged(m, "AT+CMGS=15 "));
	assert_string_equal(m->sent, "0011000C913466103254760000470178");
	assert_int_equal(sms_at_send(m->sms, "x", "x", &id, why), -1);
}

static void
test_not_registered(void **state)
{
	struct modem *m = *state;
	char why[OUTBOX_WHY];
	uint32_t id;

	sms_at_serve(m->sms, quirk_find("huawei"), false);
	assert_int_equal(sms_at_send(m->sms, NUMBER, "x", &id, why), 0);
	run(m, 300);
	assert_int_equal(m->ended, 0);
	sms_at_serve(m->sms, quirk_find("huawei"), true);
	run(m, 300);
	assert_int_equal(m->state, OUTBOX_SENT);
	assert_int_equal(m->ended, 1);
}

static void
test_gone_while_sending(void **state)
{
	struct modem *m = *state;
	char why[OUTBOX_WHY];
	uint32_t id;

	serve(m);
	m->ignore = "PDU";
	assert_int_equal(sms_at_send(m->sms, NUMBER, "x", &id, why), 0);
	run(m, 300);
	assert_int_equal(m->ended, 0);
	at_queue_detach(m->queue);
	sms_at_serve(m->sms, NULL, false);
	run(m, 100);
	assert_int_equal(m->ended, 1);
	assert_int_equal(m->state, OUTBOX_UNKNOWN);
}

static void
test_gone_before_the_prompt(void **state)
{
	struct modem *m = *state;
	char why[OUTBOX_WHY];
	uint32_t id;

	serve(m);
	m->ignore = "AT+CMGS";
	assert_int_equal(sms_at_send(m->sms, NUMBER, "x", &id, why), 0);
	run(m, 300);
	at_queue_detach(m->queue);
	sms_at_serve(m->sms, NULL, false);
	run(m, 100);
	/* It never got it: it is still to be sent. */
	assert_int_equal(m->ended, 0);
	assert_int_equal(outbox_count(sms_at_outbox(m->sms)), 1);
}

/* The answer to what was asked before is not one to what is asked now. */
static void
test_serves_again_at_once(void **state)
{
	struct modem *m = *state;

	serve(m);
	m->ignore = "AT+CMGL";
	put(m, 0, 2, UP);
	urc(m, "\r\n+CMTI: \"SM\",2\r\n");
	assert_true(inbox_is_busy(sms_at_inbox(m->sms)));
	at_queue_detach(m->queue);
	sms_at_serve(m->sms, NULL, false);
	assert_false(inbox_is_busy(sms_at_inbox(m->sms)));
	m->ignore = NULL;
	at_queue_attach(m->queue);
	run(m, 700);
	serve(m);
	assert_int_equal(m->given, 1);
	assert_false(m->old);
	assert_string_equal(m->places[0][2], "");
	/* Without its port having gone. */
	m->ignore = "AT+CMGL";
	put(m, 0, 2, OTHER);
	urc(m, "\r\n+CMTI: \"SM\",2\r\n");
	sms_at_serve(m->sms, NULL, false);
	m->ignore = NULL;
	serve(m);
	/* It is waited for in silence until its time is over. */
	say(m, "\r\nOK\r\n");
	run(m, 1500);
	assert_int_equal(m->given, 2);
}

static void
test_freed_in_the_middle(void **state)
{
	struct modem *m = *state;
	char why[OUTBOX_WHY];
	uint32_t id;

	serve(m);
	m->ignore = "PDU";
	assert_int_equal(sms_at_send(m->sms, NUMBER, "x", &id, why), 0);
	run(m, 300);
	sms_at_free(m->sms);
	m->sms = NULL;
	urc(m, "\r\n+CMTI: \"SM\",2\r\n\r\n+CMGS: 1\r\n\r\nOK\r\n");
	/* Started again: nobody knows whether it was sent. */
	m->ignore = NULL;
	start(m);
	run(m, 100);
	assert_int_equal(m->ended, 1);
	assert_int_equal(m->state, OUTBOX_UNKNOWN);
	m->sent[0] = '\0';
	serve(m);
	assert_string_equal(m->sent, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_starts),
		TEST(test_reports),
		TEST(test_direct),
		TEST(test_no_reports),
		TEST(test_no_such_store),
		TEST(test_list_refused),
		TEST(test_send),
		TEST(test_not_registered),
		TEST(test_gone_while_sending),
		TEST(test_gone_before_the_prompt),
		TEST(test_serves_again_at_once),
		TEST(test_freed_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
