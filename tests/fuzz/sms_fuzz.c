/*
 * Messages by a modem gone bad, or over the air: whatever it answers, reports
 * and holds, what is given out is text within its bounds, and each message
 * sent by us ends once.
 *
 * Input: acts, a byte each: 0 an answer that fits, 1 bytes (how many, then
 * they), 2-4 a message listed, given, or a report (index, how many octets,
 * they), 5 ERROR, 6 time is up, 7 told of one (index), 8 gone and back, 9 we
 * send one, 10 and more: look.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modem/sms_at.h"
#include "server/base/log.h"
#include "server/base/str.h"

#define ACTS 400
#define NUMBER "+436601234567"
#define TEXT_MAX (256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct state {
	struct loop *loop;
	struct timer *stop;
	struct at_queue *q;
	struct sms_at *sms;
	char last[1200];	/* command or body */
	bool timer;
	unsigned sent, ended;
} st;

static int
op_write(void *arg, const void *p, size_t n)
{
	(void)arg;
	if (n >= sizeof(st.last))
		abort();
	memcpy(st.last, p, n);
	st.last[n] = '\0';
	return 0;
}

static void
op_timer(void *arg, int64_t ms)
{
	(void)arg;
	st.timer = ms >= 0;
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

static const struct at_queue_ops queue_ops = { op_write, op_timer, NULL,
    op_synced, op_silent };

static void
on_message(void *arg, const struct inbox_message *m)
{
	const uint8_t *p = (const uint8_t *)m->text;
	int len;

	(void)arg;
	if (m->parts == 0 || m->parts > 255 || m->text_len > TEXT_MAX ||
	    m->text[m->text_len] != '\0' || m->sender == NULL ||
	    m->scts == NULL ||
	    memchr(m->sender->text, '\0', PDU_ADDR) == NULL)
		abort();
	for (size_t i = 0; i < m->text_len; i += (size_t)len) {
		len = p[i] == '\0' ? 1 : str_utf8(p + i, m->text_len - i);
		if (len <= 0)
			abort();
	}
}

static void
on_end(void *arg, const struct outbox_end *e)
{
	(void)arg;
	if (++st.ended > st.sent || strcmp(e->number, NUMBER) != 0 ||
	    (e->state == OUTBOX_SENT) != (e->why[0] == '\0'))
		abort();
}

static void
on_stuck(void *arg, const char *why)
{
	(void)arg;
	if (why[0] == '\0')
		abort();
}

static const struct sms_at_ops sms_ops = { on_message, on_end, on_stuck };

static void
on_stop(void *arg)
{
	(void)arg;
	loop_stop(st.loop, 0);
}

static void
turn(void)
{
	timer_set(st.stop, 0);
	loop_run(st.loop);
}

static void
give(const void *p, size_t n)
{
	at_queue_input(st.q, p, n);
	turn();
}

static void
say(const char *text)
{
	give(text, strlen(text));
}

/* What a modem answers to this. */
static const struct {
	const char *command, *answer;
} fitting[] = {
	{ "AT+CMEE?", "\r\n+CMEE: 1\r\n\r\nOK\r\n" },
	{ "AT+CPMS=", "\r\n+CPMS: 3,10,3,10,3,10\r\n\r\nOK\r\n" },
	{ "AT+CMGS=", "\r\n> " },
	{ "AT", "\r\nOK\r\n" },
	{ "", "\r\n+CMGS: 5\r\n\r\nOK\r\n" },
};

static void
answer(void)
{
	size_t i = 0;

	while (strncmp(st.last, fitting[i].command,
	    strlen(fitting[i].command)) != 0)
		i++;
	say(fitting[i].answer);
}

static void
time_is_up(void)
{
	if (!st.timer)
		return;
	st.timer = false;
	at_queue_timeout(st.q);
	turn();
}

static void
serve(void)
{
	at_queue_attach(st.q);
	for (int i = 0; i < 10 && !at_queue_works(st.q); i++) {
		time_is_up();
		answer();
	}
	if (!at_queue_works(st.q))
		abort();
	sms_at_serve(st.sms, quirk_at(0), true);
	turn();
}

/* A line with so many octets in hexadecimal behind it. */
static void
message(const char *head, unsigned index, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";
	char text[64 + 2 * 255];
	int at = snprintf(text, 64, "\r\n%s%u,1,,%zu\r\n", head, index,
	    n > 8 ? n - 8 : n);

	for (size_t i = 0; i < n; i++) {
		text[at++] = digits[p[i] >> 4];
		text[at++] = digits[p[i] & 15];
	}
	give(text, (size_t)at);
	say("\r\n");
}

static void
send_one(void)
{
	char why[OUTBOX_WHY];
	uint32_t id;

	if (sms_at_send(st.sms, NUMBER, "the link is up", &id, why) == 0)
		st.sent++;
	else if (why[0] == '\0')
		abort();
	turn();
}

/* The next act; how many bytes it was. */
static size_t
act(const uint8_t *p, size_t n)
{
	static const char *const heads[] = { "+CMGL: ", "+CMT: ", "+CDS: " };
	char text[40];
	size_t len;

	switch (p[0] % 12) {
	case 0:
		answer();
		return 1;
	case 1:
		len = n < 2 ? 0 : p[1] < n - 2 ? p[1] : n - 2;
		give(p + (n < 2 ? 1 : 2), len);
		return n < 2 ? n : 2 + len;
	case 2:
	case 3:
	case 4:
		if (n < 3)
			return n;
		len = p[2] < n - 3 ? p[2] : n - 3;
		message(heads[p[0] % 12 - 2], p[1], p + 3, len);
		return 3 + len;
	case 5:
		say("\r\nERROR\r\n");
		return 1;
	case 6:
		time_is_up();
		return 1;
	case 7:
		snprintf(text, sizeof(text), "\r\n+CMTI: \"SM\",%u\r\n",
		    n > 1 ? p[1] : 0U);
		say(text);
		return n > 1 ? 2 : 1;
	case 8:
		sms_at_serve(st.sms, NULL, false);
		at_queue_detach(st.q);
		serve();
		return 1;
	case 9:
		send_one();
		return 1;
	}
	sms_at_waiting(st.sms, (p[0] & 16) != 0);
	sms_at_look(st.sms);
	turn();
	return 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct sms_at_conf conf = { NULL, NULL, { 30, 10 } };
	size_t used;

	if (st.loop == NULL) {
		log_open(NULL, LOG_TO_SYSLOG, false);
		st.loop = loop_new();
		st.stop = timer_new(st.loop, on_stop, NULL);
	}
	st.sent = st.ended = 0;
	st.last[0] = '\0';
	st.q = at_queue_new("fuzz", &queue_ops, NULL);
	st.sms = sms_at_new(st.loop, st.q, &conf, &sms_ops, NULL);
	serve();
	for (int i = 0; i < ACTS && n > 0; i++) {
		used = act(p, n);
		p += used;
		n -= used;
	}
	sms_at_serve(st.sms, NULL, false);
	at_queue_detach(st.q);
	turn();
	sms_at_free(st.sms);
	at_queue_free(st.q);
	turn();
	return 0;
}
