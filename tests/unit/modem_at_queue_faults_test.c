#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "at_queue_help.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prompt_refused),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_no_final),
		cmocka_unit_test(test_without_cmee),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_noise_in_resync),
		cmocka_unit_test(test_port_full),
		cmocka_unit_test(test_ill_formed),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_reentrant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
