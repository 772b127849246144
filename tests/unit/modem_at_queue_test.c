#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modem/at_errors.h"
#include "modem/at_queue.h"
#include "server/base/log.h"

/* A queue, and everything that came out of it. */
struct box {
	struct at_queue *q;
	char out[8192];		/* written, since last looked */
	size_t nout;
	int64_t timer;		/* -1: none */
	bool slow, full;
	unsigned synced, silent, done, urcs;
	char log[8192];		/* of callbacks */
	enum at_result result;
	int code;
	bool written, body_written, cut;
	uint32_t cancel_other;
	unsigned left;
};

static int
op_write(void *arg, const void *p, size_t n)
{
	struct box *b = arg;

	if (b->full)
		return -1;
	assert_true(n < sizeof(b->out) - b->nout);
	memcpy(b->out + b->nout, p, n);
	b->nout += n;
	b->out[b->nout] = '\0';
	return 0;
}

static void
op_timer(void *arg, int64_t ms)
{
	((struct box *)arg)->timer = ms;
}

static void
op_slow(void *arg, bool slow)
{
	((struct box *)arg)->slow = slow;
}

static void
op_synced(void *arg)
{
	((struct box *)arg)->synced++;
}

static void
op_silent(void *arg, const char *why)
{
	assert_true(strlen(why) > 0);
	((struct box *)arg)->silent++;
}

static const struct at_queue_ops ops = { op_write, op_timer, op_slow,
    op_synced, op_silent };

static void
add(struct box *b, const char *text)
{
	strcat(b->log, text);
	strcat(b->log, "|");
}

static void
on_done(void *arg, const struct at_reply *r)
{
	struct box *b = arg;
	char text[64];

	snprintf(text, sizeof(text), "done %d", r->result);
	for (size_t i = 0; i < r->nlines; i++)
		add(b, r->lines[i]);
	add(b, text);
	b->done++;
	b->result = r->result;
	b->code = r->code;
	b->written = r->written;
	b->body_written = r->body_written;
	b->cut = r->cut;
}

static void
on_urc(void *arg, const char *line, const char *body)
{
	struct box *b = arg;

	b->urcs++;
	add(b, "urc");
	add(b, line);
	if (body != NULL)
		add(b, body);
}

static size_t
input(struct box *b, const char *text)
{
	return at_queue_input(b->q, (const uint8_t *)text, strlen(text));
}

/* What was written since, then forgotten. */
static const char *
wrote(struct box *b)
{
	static char copy[sizeof(b->out)];

	memcpy(copy, b->out, b->nout);
	copy[b->nout] = '\0';
	b->nout = 0;
	return copy;
}

static void
expire(struct box *b)
{
	assert_true(b->timer >= 0);
	b->timer = -1;
	at_queue_timeout(b->q);
}

/* Through the silence and the question of a resync. */
static void
pass_resync(struct box *b)
{
	assert_string_equal(wrote(b), "\033\r");
	expire(b);
	assert_string_equal(wrote(b), "AT+CMEE?\r");
	input(b, "\r\n+CMEE: 1\r\n\r\nOK\r\n");
}

static struct box
box_new(void)
{
	return (struct box){ .timer = -1 };
}

static void
open_queue(struct box *b)
{
	b->q = at_queue_new("test", &ops, b);
	at_queue_attach(b->q);
	pass_resync(b);
	assert_int_equal(b->synced, 1);
	assert_int_equal(b->timer, -1);
}

static uint32_t
send(struct box *b, const char *text, const char *prefix)
{
	return at_send(b->q, &(struct at_command){ .text = text,
	    .prefix = prefix }, on_done, b);
}

static void
test_simple(void **state)
{
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	assert_int_not_equal(send(&b, "AT+CSQ", "+CSQ:"), 0);
	assert_int_not_equal(send(&b, "AT+X", NULL), 0);
	assert_string_equal(wrote(&b), "AT+CSQ\r");
	assert_int_equal(b.timer, 3000);
	input(&b, "AT+CSQ\r\r\n+CSQ: 9,99\r\n\r\nO");
	assert_int_equal(b.done, 0);
	input(&b, "K\r\n");
	assert_string_equal(b.log, "+CSQ: 9,99|done 0|");
	assert_string_equal(wrote(&b), "AT+X\r");
	input(&b, "\r\n+CME ERROR: SIM busy\r\n");
	assert_int_equal(b.result, AT_CME);
	assert_int_equal(b.code, AT_CME_SIM_BUSY);
	assert_int_equal(at_queue_len(b.q), 0);
	assert_int_equal(b.timer, -1);
	at_queue_free(b.q);
}

static void
test_finals(void **state)
{
	static const struct {
		const char *line;
		enum at_result result;
		int code;
	} finals[] = {
		{ "OK", AT_OK, -1 },
		{ "ok", AT_OK, -1 },
		{ "ERROR", AT_ERROR, -1 },
		{ "+CME ERROR: 10", AT_CME, 10 },
		{ "+CME ERROR:10", AT_CME, 10 },
		{ "+CME ERROR: what", AT_CME, -1 },
		{ "+CMS ERROR: 322", AT_CMS, 322 },
		{ "+EXT ERROR: 5", AT_EXT, 5 },
		{ "MODEM ERROR: 7", AT_EXT, 7 },
		{ "COMMAND NOT SUPPORT", AT_UNKNOWN, -1 },
		{ "TOO MANY PARAMETERS", AT_UNKNOWN, -1 },
		{ "NA", AT_UNKNOWN, -1 },
		{ "ABORTED", AT_ABORTED, -1 },
		{ "0", AT_OK, -1 },
		{ "4", AT_ERROR, -1 },
	};
	static const char *const none[] = { "NO CARRIER", "BUSY", "RING",
	    "CONNECT", "NO ANSWER", "OKAY", "ERRORS", "3", "^BOOT:1,0", "NAB" };
	struct box b = box_new();
	char line[64], text[AT_REPLY_TEXT];

	(void)state;
	open_queue(&b);
	for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
		send(&b, "AT+X", NULL);
		for (size_t k = 0; k < sizeof(none) / sizeof(none[0]); k++) {
			snprintf(line, sizeof(line), "\r\n%s\r\n", none[k]);
			input(&b, line);
		}
		assert_int_equal(b.done, i);
		snprintf(line, sizeof(line), "\r\n%s\r\n", finals[i].line);
		input(&b, line);
		assert_int_equal(b.done, i + 1);
		assert_int_equal(b.result, finals[i].result);
		assert_int_equal(b.code, finals[i].code);
		at_reply_text(text, &(struct at_reply){ .result = b.result,
		    .code = b.code });
		assert_true(strlen(text) > 0);
	}
	at_queue_free(b.q);
}

static const char pdu[] = "07916407058099F9040B916407950303F100";

/* Every URC at every byte where a line can begin, whole and byte by byte. */
static void
test_urcs_anywhere(void **state)
{
	static const char urc[] = "\r\n+CMTI: \"SM\",3\r\n";
	static const char *const dialogue[] = { "AT+CMGL=4\r", "\r\n",
	    "+CMGL: 1,0,,24\r\n", pdu, "\r\n", "+CMGL: 2,0,,24\r\n", pdu,
	    "\r\n", "\r\nOK\r\n", "" };
	char text[512], want[512];

	(void)state;
	snprintf(want, sizeof(want), "+CMGL: 1,0,,24|%s|+CMGL: 2,0,,24|%s|"
	    "done 0|", pdu, pdu);
	for (size_t at = 0; at < 10; at++) {
		for (size_t step = 1; step < 40; step += 13) {
			struct box b = box_new();
			char got[512] = "";
			size_t n;

			open_queue(&b);
			at_urc_add(b.q, "+CMTI:", on_urc, &b);
			send(&b, "AT+CMGL=4", "+CMGL:");
			text[0] = '\0';
			for (size_t i = 0; i < 10; i++) {
				if (i == at)
					strcat(text, urc);
				strcat(text, dialogue[i]);
			}
			for (size_t i = 0; i < strlen(text); i += n) {
				n = strlen(text + i) < step ?
				    strlen(text + i) : step;
				assert_int_equal(at_queue_input(b.q,
				    (uint8_t *)text + i, n), n);
			}
			assert_int_equal(b.urcs, 1);
			assert_int_equal(b.done, 1);
			/* Without the URC all is as it would have been. */
			for (char *p = strtok(b.log, "|"); p != NULL;
			    p = strtok(NULL, "|")) {
				if (strcmp(p, "urc") == 0) {
					p = strtok(NULL, "|");
					assert_string_equal(p,
					    "+CMTI: \"SM\",3");
					continue;
				}
				strcat(got, p);
				strcat(got, "|");
			}
			assert_string_equal(got, want);
			at_queue_free(b.q);
		}
	}
}

/*
 * At every byte, also in the midst of a line: the URC is never lost, and the
 * queue is in order again at the latest after a timeout.
 */
static void
test_urc_at_every_byte(void **state)
{
	static const char urc[] = "\r\n+CMTI: \"SM\",3\r\n";
	static const char answer[] = "AT+CSQ\r\r\n+CSQ: 9,99\r\n\r\nOK\r\n";
	struct box b = box_new();
	unsigned timeouts = 0;
	char text[128];

	(void)state;
	open_queue(&b);
	at_urc_add(b.q, "+CMTI:", on_urc, &b);
	for (size_t at = 0; at <= strlen(answer); at++) {
		b.log[0] = '\0';
		assert_int_not_equal(send(&b, "AT+CSQ", "+CSQ:"), 0);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)at, answer, urc,
		    answer + at);
		input(&b, text);
		assert_int_equal(b.urcs, at + 1);
		if (b.done == at) {
			timeouts++;
			wrote(&b);
			expire(&b);
			pass_resync(&b);
		}
		assert_int_equal(b.done, at + 1);
		assert_int_equal(b.result == AT_OK ||
		    b.result == AT_TIMEOUT, true);
	}
	/* Only where OK itself was torn. */
	assert_int_equal(timeouts, 1);
	at_queue_free(b.q);
}

static void
test_two_line_urc(void **state)
{
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	at_urc_add(b.q, "+CMT:", on_urc, &b);
	send(&b, "AT+CMGL=4", "+CMGL:");
	input(&b, "+CMGL: 1,0,,24\r\n07\r\n+CMT: ,24\r\n0791\r\nOK\r\n");
	assert_string_equal(b.log,
	    "urc|+CMT: ,24|0791|+CMGL: 1,0,,24|07|done 0|");
	/* The second line does not come. */
	b.log[0] = '\0';
	send(&b, "AT", NULL);
	input(&b, "+CMT: ,24\r\nOK\r\n");
	assert_string_equal(b.log, "urc|+CMT: ,24|done 0|");
	at_queue_free(b.q);
}

static bool
is_read_answer(const char *line)
{
	return strchr(line, ',') != NULL;
}

static void
test_mine(void **state)
{
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	at_urc_add(b.q, "+CREG:", on_urc, &b);
	at_send(b.q, &(struct at_command){ .text = "AT+CREG?",
	    .prefix = "+CREG:", .mine = is_read_answer }, on_done, &b);
	input(&b, "\r\n+CREG: 1\r\n\r\n+CREG: 2,1\r\n\r\nOK\r\n");
	assert_string_equal(b.log, "urc|+CREG: 1|+CREG: 2,1|done 0|");
	at_queue_free(b.q);
}

static void
test_any(void **state)
{
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	send(&b, "AT+CGMI", "");
	input(&b, "\r\n^RSSI:11\r\nRING\r\n+CREG: 1\r\nhuawei\r\n"
	    "+CGMI: x\r\nNO CARRIER\r\nOK\r\n");
	assert_string_equal(b.log, "huawei|+CGMI: x|done 0|");
	/* A number of bare digits is information here, no result. */
	b.log[0] = '\0';
	send(&b, "AT+CGSN", "");
	input(&b, "0\r\n351234567890123\r\nOK\r\n");
	assert_string_equal(b.log, "0|351234567890123|done 0|");
	at_queue_free(b.q);
}

static uint32_t
send_sms(struct box *b)
{
	return at_send(b->q, &(struct at_command){ .text = "AT+CMGS=17",
	    .prefix = "+CMGS:", .body = pdu, .timeout_ms = 60000 }, on_done, b);
}

static void
test_prompt(void **state)
{
	char want[128];
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	at_urc_add(b.q, "+CMTI:", on_urc, &b);
	send_sms(&b);
	assert_string_equal(wrote(&b), "AT+CMGS=17\r");
	assert_int_equal(b.timer, 10000);
	input(&b, "AT+CMGS=17\r\r\n+CMTI: \"SM\",1\r\n");
	assert_int_equal(b.nout, 0);
	input(&b, "\r\n> ");
	snprintf(want, sizeof(want), "%s\032", pdu);
	assert_string_equal(wrote(&b), want);
	assert_int_equal(b.timer, 60000);
	/* The PDU is echoed, and a URC comes before the result. */
	input(&b, pdu);
	input(&b, "\032\r\n+CMTI: \"SM\",2\r\n+CMGS: 12\r\n\r\nOK\r\n");
	assert_string_equal(b.log, "urc|+CMTI: \"SM\",1|urc|+CMTI: \"SM\",2|"
	    "+CMGS: 12|done 0|");
	assert_true(b.body_written);
	at_queue_free(b.q);
}

static void
test_prompt_refused(void **state)
{
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	send_sms(&b);
	input(&b, "\r\n+CMS ERROR: 330\r\n");
	assert_int_equal(b.result, AT_CMS);
	assert_false(b.body_written);
	assert_true(b.written);
	/* None comes at all: out of it by ESC, before anything else. */
	send_sms(&b);
	send(&b, "AT", NULL);
	wrote(&b);
	expire(&b);
	assert_int_equal(b.result, AT_TIMEOUT);
	assert_false(b.body_written);
	pass_resync(&b);
	assert_string_equal(wrote(&b), "AT\r");
	/* No answer to the PDU: it may have gone out. */
	input(&b, "OK\r");
	send_sms(&b);
	input(&b, "> ");
	expire(&b);
	assert_int_equal(b.result, AT_TIMEOUT);
	assert_true(b.body_written);
	at_queue_free(b.q);
}

static void
test_late_answer(void **state)
{
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	at_urc_add(b.q, "+CMTI:", on_urc, &b);
	send(&b, "AT+COPS?", "+COPS:");
	send(&b, "AT+CSQ", "+CSQ:");
	wrote(&b);
	expire(&b);
	assert_int_equal(b.result, AT_TIMEOUT);
	assert_int_equal(at_queue_timeouts(b.q), 1);
	assert_string_equal(wrote(&b), "\033\r");
	/* It comes while it should be quiet, and again behind the question. */
	input(&b, "\r\n+COPS: 0\r\n\r\nOK\r\n+CMTI: \"SM\",1\r\n");
	assert_int_equal(b.timer, 300);
	expire(&b);
	assert_string_equal(wrote(&b), "AT+CMEE?\r");
	input(&b, "\r\nOK\r\n\r\nERROR\r\n+CMTI: \"SM\",2\r\n");
	assert_int_equal(b.synced, 1);
	input(&b, "AT+CMEE?\r\r\n+CMEE: 1\r\n");
	assert_int_equal(b.nout, 0);
	input(&b, "\r\nOK\r\n");
	assert_int_equal(b.synced, 2);
	assert_int_equal(b.urcs, 2);
	assert_string_equal(wrote(&b), "AT+CSQ\r");
	input(&b, "\r\n+CSQ: 1,1\r\n\r\nOK\r\n");
	assert_int_equal(b.result, AT_OK);
	assert_int_equal(at_queue_timeouts(b.q), 0);
	at_queue_free(b.q);
}

/* Information that came before the time was up is told. */
static void
test_no_final(void **state)
{
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	send(&b, "AT+CPIN?", "+CPIN:");
	input(&b, "\r\n+CPIN:READY\r\n");
	expire(&b);
	assert_string_equal(b.log, "+CPIN:READY|done 12|");
	at_queue_free(b.q);
}

static void
test_without_cmee(void **state)
{
	struct box b = box_new();

	(void)state;
	b.q = at_queue_new("test", &ops, &b);
	at_queue_attach(b.q);
	expire(&b);
	for (int i = 0; i < 2; i++) {
		input(&b, "\r\nERROR\r\n");
		assert_int_equal(b.synced, 0);
		expire(&b);
	}
	input(&b, "\r\nOK\r\n");
	assert_int_equal(b.synced, 1);
	at_queue_free(b.q);
}

static void
test_silent(void **state)
{
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	send(&b, "AT+A", NULL);
	send(&b, "AT+B", NULL);
	expire(&b);
	assert_int_equal(b.done, 1);
	for (int i = 0; i < 4; i++)
		expire(&b);
	assert_int_equal(b.silent, 1);
	assert_int_equal(b.done, 2);
	assert_int_equal(b.result, AT_GONE);
	assert_false(b.written);
	assert_int_equal(send(&b, "AT", NULL), 0);
	/* URCs it may still have. */
	at_urc_add(b.q, "RING", on_urc, &b);
	input(&b, "RING\r\n");
	assert_int_equal(b.urcs, 1);
	wrote(&b);
	at_queue_resync(b.q);
	pass_resync(&b);
	assert_int_equal(b.synced, 2);
	assert_int_not_equal(send(&b, "AT", NULL), 0);
	at_queue_free(b.q);
}

/* A flood does not put off a resync for ever. */
static void
test_noise_in_resync(void **state)
{
	struct box b = box_new();
	int i;

	(void)state;
	b.q = at_queue_new("test", &ops, &b);
	at_queue_attach(b.q);
	for (i = 0; i < 1000 && b.timer != -1; i++) {
		b.timer = -1;
		input(&b, "\r\n^RSSI:9\r\n");
	}
	assert_in_range(i, 5, 100);
	at_queue_free(b.q);
}

static void
test_port_full(void **state)
{
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	b.full = true;
	assert_int_not_equal(send(&b, "AT", NULL), 0);
	assert_int_equal(b.done, 0);
	assert_int_equal(b.timer, 0);
	/* What never went out has no answer. */
	input(&b, "\r\nOK\r\n");
	assert_int_equal(b.done, 0);
	expire(&b);
	assert_int_equal(b.result, AT_TIMEOUT);
	assert_false(b.written);
	expire(&b);
	assert_int_equal(b.timer, 0);
	expire(&b);
	assert_int_equal(b.silent, 1);
	at_queue_free(b.q);
}

static void
dial(struct box *b)
{
	assert_int_not_equal(at_send(b->q, &(struct at_command){
	    .text = "ATD*99#", .timeout_ms = 90000, .flags = AT_DIAL },
	    on_done, b), 0);
}

static void
test_dial(void **state)
{
	static const char connect[] = "\r\nCONNECT 7200000\r\n~\xff}#";
	static const struct {
		const char *line;
		enum at_result result;
	} fails[] = {
		{ "NO CARRIER\r\n", AT_NO_CARRIER },
		{ "NO CARRIER 12\r\n", AT_NO_CARRIER },
		{ "BUSY\r\n", AT_BUSY },
		{ "NO DIALTONE\r\n", AT_NO_DIALTONE },
		{ "NO DIAL TONE\r\n", AT_NO_DIALTONE },
		{ "NO ANSWER\r\n", AT_NO_ANSWER },
		{ "+CME ERROR: 33\r\n", AT_CME },
	};
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	for (size_t i = 0; i < sizeof(fails) / sizeof(fails[0]); i++) {
		dial(&b);
		assert_true(b.slow);
		input(&b, fails[i].line);
		assert_int_equal(b.result, fails[i].result);
		assert_false(b.slow);
	}
	dial(&b);
	send(&b, "AT+CSQ", "+CSQ:");
	b.log[0] = '\0';
	/* All behind the CR of CONNECT is left. */
	assert_int_equal(input(&b, connect), 2 + 15 + 1);
	assert_string_equal(b.log, "done 14|done 1|");
	assert_true(at_queue_in_data(b.q));
	assert_int_equal(send(&b, "AT", NULL), 0);
	assert_int_equal(input(&b, "~~\r\n"), 0);
	/* The line is back. */
	wrote(&b);
	at_queue_attach(b.q);
	assert_false(b.slow);
	pass_resync(&b);
	assert_int_not_equal(send(&b, "AT", NULL), 0);
	at_queue_free(b.q);
}

static void
test_cancel(void **state)
{
	uint32_t id, other;
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	id = send(&b, "AT+A", NULL);
	other = send(&b, "AT+B", NULL);
	assert_true(at_cancel(b.q, other));
	assert_int_equal(b.result, AT_CANCELLED);
	assert_false(b.written);
	assert_false(at_cancel(b.q, other));
	assert_true(at_cancel(b.q, id));
	assert_int_equal(b.done, 2);
	assert_false(at_cancel(b.q, id));
	/* The next has to wait for the answer that nobody wants. */
	wrote(&b);
	send(&b, "AT+C", NULL);
	assert_int_equal(b.nout, 0);
	input(&b, "\r\nOK\r\n");
	assert_int_equal(b.done, 2);
	assert_string_equal(wrote(&b), "AT+C\r");
	input(&b, "\r\nOK\r\n");
	assert_int_equal(b.done, 3);
	assert_false(at_cancel(b.q, 0));
	at_queue_free(b.q);
}

static void
test_cancel_prompt_and_dial(void **state)
{
	uint32_t id;
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	id = send_sms(&b);
	wrote(&b);
	assert_true(at_cancel(b.q, id));
	assert_string_equal(wrote(&b), "\033");
	input(&b, "\r\n> ");
	assert_string_equal(wrote(&b), "\033");
	input(&b, "\r\nOK\r\n");
	assert_int_equal(at_queue_len(b.q), 0);
	id = at_send(b.q, &(struct at_command){ .text = "ATD*99#",
	    .flags = AT_DIAL }, on_done, &b);
	wrote(&b);
	assert_true(at_cancel(b.q, id));
	assert_string_equal(wrote(&b), "\r");
	/* Too late. */
	input(&b, "\r\nCONNECT\r\n");
	assert_int_equal(b.silent, 1);
	assert_int_equal(b.done, 2);
	at_queue_free(b.q);
}

static void
test_ill_formed(void **state)
{
	static const char *const bad[] = { "", "A", "+CSQ", "AT\r", "AT\nAT",
	    "AT+X=\"\033\"", "AT\x7f", "AT+X=\xc3\xa4" };
	char text[AT_TEXT_MAX + 2];
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(send(&b, bad[i], NULL), 0);
	memset(text, 'A', sizeof(text));
	memcpy(text, "AT", 2);
	text[AT_TEXT_MAX + 1] = '\0';
	assert_int_equal(send(&b, text, NULL), 0);
	/* Text mode is not to be had. */
	assert_int_equal(at_send(b.q, &(struct at_command){
	    .text = "AT+CMGS=\"+43\"", .body = "hello" }, on_done, &b), 0);
	assert_int_equal(at_send(b.q, &(struct at_command){
	    .text = "AT+CMGS=1", .body = "012" }, on_done, &b), 0);
	assert_int_equal(b.nout, 0);
	text[AT_TEXT_MAX] = '\0';
	assert_int_not_equal(send(&b, text, NULL), 0);
	at_queue_free(b.q);
}

static void
test_bounds(void **state)
{
	struct box b = box_new();
	uint32_t first;

	(void)state;
	open_queue(&b);
	for (int i = 0; i < AT_QUEUE_MAX + 1; i++)
		assert_int_not_equal(send(&b, "AT", NULL), 0);
	assert_int_equal(send(&b, "AT", NULL), 0);
	at_queue_detach(b.q);
	assert_int_equal(b.done, AT_QUEUE_MAX + 1);
	assert_int_equal(b.result, AT_GONE);
	assert_int_equal(send(&b, "AT", NULL), 0);
	wrote(&b);
	at_queue_attach(b.q);
	pass_resync(&b);
	first = at_urc_add(b.q, "A", on_urc, &b);
	for (int i = 1; i < AT_URC_MAX; i++)
		assert_int_not_equal(at_urc_add(b.q, "A", on_urc, &b), 0);
	assert_int_equal(at_urc_add(b.q, "A", on_urc, &b), 0);
	at_urc_remove(b.q, first);
	assert_int_not_equal(at_urc_add(b.q, "A", on_urc, &b), 0);
	at_queue_free(b.q);
}

static void
count_lines(void *arg, const struct at_reply *r)
{
	struct box *b = arg;

	b->cut = r->cut;
	b->left = (unsigned)r->nlines;
	b->done++;
}

static void
test_cut(void **state)
{
	struct box b = box_new();
	char line[512];

	(void)state;
	open_queue(&b);
	at_send(b.q, &(struct at_command){ .text = "AT+X", .prefix = "+X:" },
	    count_lines, &b);
	memset(line, 'x', sizeof(line));
	memcpy(line, "+X:", 3);
	memcpy(line + sizeof(line) - 2, "\r", 2);
	for (int i = 0; i < 1000; i++)
		input(&b, line);
	input(&b, "OK\r");
	assert_int_equal(b.done, 1);
	assert_true(b.cut);
	assert_in_range(b.left, 100, AT_REPLY_MAX / 500);
	at_queue_free(b.q);
}

static void
on_done_again(void *arg, const struct at_reply *r)
{
	struct box *b = arg;

	assert_int_equal(r->result, AT_OK);
	if (++b->done < 3)
		at_send(b->q, &(struct at_command){ .text = "AT+NEXT" },
		    on_done_again, b);
}

static void
on_done_free(void *arg, const struct at_reply *r)
{
	struct box *b = arg;

	(void)r;
	b->done++;
	at_queue_free(b->q);
}

static void
on_urc_free(void *arg, const char *line, const char *body)
{
	struct box *b = arg;

	(void)line;
	(void)body;
	b->urcs++;
	at_queue_free(b->q);
}

static void
on_urc_once(void *arg, const char *line, const char *body)
{
	struct box *b = arg;

	(void)line;
	(void)body;
	b->urcs++;
	at_urc_remove(b->q, b->cancel_other);
}

static void
on_done_cancel(void *arg, const struct at_reply *r)
{
	struct box *b = arg;

	(void)r;
	assert_true(at_cancel(b->q, b->cancel_other));
}

static void
test_reentrant(void **state)
{
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	at_send(b.q, &(struct at_command){ .text = "AT" }, on_done_again, &b);
	for (int i = 0; i < 3; i++)
		input(&b, "OK\r");
	assert_int_equal(b.done, 3);
	/* The port goes; the first told cancels the second. */
	at_send(b.q, &(struct at_command){ .text = "AT" }, on_done_cancel, &b);
	b.cancel_other = send(&b, "AT", NULL);
	at_queue_detach(b.q);
	assert_int_equal(b.done, 4);
	assert_int_equal(b.result, AT_CANCELLED);
	wrote(&b);
	at_queue_attach(b.q);
	pass_resync(&b);
	/* A subscription ends the next one, and itself. */
	at_urc_add(b.q, "RING", on_urc_once, &b);
	b.cancel_other = at_urc_add(b.q, "RING", on_urc_once, &b);
	input(&b, "RING\rRING\r");
	assert_int_equal(b.urcs, 2);
	/* Freed from a callback, with more to come in the same bytes. */
	at_send(b.q, &(struct at_command){ .text = "AT" }, on_done_free, &b);
	send(&b, "AT", NULL);
	input(&b, "OK\rOK\r");
	assert_int_equal(b.done, 5);
	b = box_new();
	open_queue(&b);
	at_urc_add(b.q, "RING", on_urc_free, &b);
	at_urc_add(b.q, "RING", on_urc_free, &b);
	input(&b, "RING\rRING\r");
	assert_int_equal(b.urcs, 1);
	/* Told that the port is gone, it frees. */
	b = box_new();
	open_queue(&b);
	at_send(b.q, &(struct at_command){ .text = "AT" }, on_done_free, &b);
	send(&b, "AT", NULL);
	at_queue_detach(b.q);
	assert_int_equal(b.done, 1);
}

/* Neither a PIN nor a message gets into the log, not even with -d. */
static void
test_log(void **state)
{
	char name[] = "/tmp/oobd-log-XXXXXX", text[8192];
	struct box b = box_new();
	int saved = dup(STDERR_FILENO), fd = mkstemp(name);
	ssize_t n;

	(void)state;
	assert_true(fd != -1);
	unlink(name);
	dup2(fd, STDERR_FILENO);
	log_open(NULL, LOG_TO_STDERR, true);
	open_queue(&b);
	at_send(b.q, &(struct at_command){ .text = "AT+CPIN=\"4711\"",
	    .flags = AT_SECRET }, on_done, &b);
	/* The echo in time, and once more when all is over. */
	input(&b, "AT+CPIN=\"4711\"\r\r\nOK\r\n");
	input(&b, "AT+CPIN=\"4711\"\r\n");
	send(&b, "AT+CMGL=4", "+CMGL:");
	input(&b, "+CMGL: 1,0,,24\r\n");
	input(&b, pdu);
	input(&b, "\r\n");
	input(&b, pdu);
	input(&b, "\r\nOK\r\n");
	send_sms(&b);
	input(&b, "> ");
	input(&b, "\r\nOK\r\n");
	at_queue_free(b.q);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(fd, text, sizeof(text) - 1, 0);
	assert_in_range(n, 200, sizeof(text) - 2);
	text[n] = '\0';
	assert_non_null(strstr(text, "> AT+CMGL=4"));
	assert_null(strstr(text, "4711"));
	assert_null(strstr(text, pdu));
	close(fd);
	log_open(NULL, LOG_TO_STDERR, false);
}

static void
test_order(void **state)
{
	struct box b = box_new();

	(void)state;
	open_queue(&b);
	send(&b, "AT+A", NULL);
	send(&b, "AT+B", NULL);
	at_send(b.q, &(struct at_command){ .text = "AT+C",
	    .flags = AT_FIRST }, on_done, &b);
	input(&b, "OK\r");
	input(&b, "OK\r");
	assert_string_equal(wrote(&b), "AT+A\rAT+C\rAT+B\r");
	at_queue_free(b.q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple),
		cmocka_unit_test(test_finals),
		cmocka_unit_test(test_urcs_anywhere),
		cmocka_unit_test(test_urc_at_every_byte),
		cmocka_unit_test(test_two_line_urc),
		cmocka_unit_test(test_mine),
		cmocka_unit_test(test_any),
		cmocka_unit_test(test_prompt),
		cmocka_unit_test(test_prompt_refused),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_no_final),
		cmocka_unit_test(test_without_cmee),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_noise_in_resync),
		cmocka_unit_test(test_port_full),
		cmocka_unit_test(test_dial),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_cancel_prompt_and_dial),
		cmocka_unit_test(test_ill_formed),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_reentrant),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
