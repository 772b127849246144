#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "at_queue_help.h"
#include "server/base/log.h"

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
		cmocka_unit_test(test_dial),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_cancel_prompt_and_dial),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
