/*
 * A modem on the other end of a socketpair, for tests that run it and what is
 * tested on one loop: a few commands, a SIM, and faults on demand.
 */
#ifndef TESTS_FAKE_MODEM_H
#define TESTS_FAKE_MODEM_H

#include <sys/types.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "server/base/loop.h"
#include "server/base/mem.h"

struct fake {
	struct loop *loop;
	int fd;				/* -1: unplugged */
	struct watch *watch;
	struct timer *drip;
	char in[1024];
	size_t nin;
	char out[8192];			/* not yet sent */
	size_t nout;
	size_t sent;			/* bytes sent since plugged */
	/* How it behaves. */
	bool echo, drips, silent, dead_call;
	const char *eol;		/* "\r\n", "\r\r\n" */
	size_t urc_at;			/* after so many bytes... */
	const char *urc;		/* ...this once; NULL: none */
	const char *mute;		/* no answer to what begins so */
	const char *maker;
	const char *mode;		/* ^GETPORTMODE; NULL: not supported */
	/* Its card and network, shared by the ports of a modem. */
	struct fake_card *card;
	/* What it was told: all commands, each with '|' behind. */
	char log[32768];
	unsigned raw;			/* bytes while in data mode */
	bool data;
};

struct fake_card {
	const char *state;		/* of +CPIN? */
	const char *pin;
	int tries;
	unsigned pins;			/* AT+CPIN= seen */
	unsigned busy;			/* so often still busy */
	int reg;
	bool no_tries;			/* ^CPIN? is not known */
	bool mute_pin;			/* takes it and says nothing */
	bool shy;			/* no ICCID before it is open */
	const char *connect;		/* answer to ATD */
};

static void
fake_pump(void *arg)
{
	struct fake *f = arg;
	size_t n = f->drips && f->nout > 1 ? 1 : f->nout;
	ssize_t got;

	if (f->urc != NULL && f->sent <= f->urc_at &&
	    f->sent + n > f->urc_at)
		n = f->urc_at - f->sent;
	if (n == 0 && f->urc != NULL && f->sent == f->urc_at &&
	    f->fd != -1) {
		got = write(f->fd, f->urc, strlen(f->urc));
		(void)got;
		f->urc = NULL;
		timer_set(f->drip, 1);
		return;
	}
	if (n == 0 || f->fd == -1)
		return;
	got = write(f->fd, f->out, n);
	if (got > 0) {
		f->sent += (size_t)got;
		memmove(f->out, f->out + got, f->nout - (size_t)got);
		f->nout -= (size_t)got;
	}
	if (f->nout > 0)
		timer_set(f->drip, 1);
}

static void
fake_raw(struct fake *f, const char *text)
{
	size_t n = strlen(text);

	if (n > sizeof(f->out) - f->nout)
		abort();
	memcpy(f->out + f->nout, text, n);
	f->nout += n;
	fake_pump(f);
}

static void
fake_say(struct fake *f, const char *line)
{
	char text[1200];

	snprintf(text, sizeof(text), "%s%s%s", f->eol, line, f->eol);
	fake_raw(f, text);
}

static const struct {
	const char *command, *answer;	/* NULL: just OK */
} fake_answers[] = {
	{ "AT+CMEE?", "+CMEE: 1" },
	{ "AT+CGMM", "E1752" },
	{ "AT+CGMR", "11.126.03" },
	{ "AT+CGSN", "351234567890123" },
	{ "AT^ICCID?", "^ICCID: 89430103524123456785" },
	{ "AT+CCID", "+CCID: 89430103524123456785" },
	{ "AT+CIMI", "232031234567890" },
	{ "AT+CSQ", "+CSQ: 17,99" },
	{ "AT+COPS?", "+COPS: 0,2,\"23203\",2" },
	{ "AT^SYSINFO", "^SYSINFO:2,3,0,5,1,,4" },
	{ "AT", NULL },
	{ "ATE0V1Q0", NULL },
	{ "AT+CMEE=1", NULL },
	{ "AT^PORTSEL=0", NULL },
	{ "AT^PORTSEL=1", NULL },
	{ "AT^CURC=1", NULL },
	{ "AT+CREG=2", NULL },
	{ "AT+CGREG=2", NULL },
	{ "AT+COPS=3,2", NULL },
	{ "AT+CMGF=0", NULL },
	{ "ATX4&C1&D2", NULL },
	{ "ATH", NULL },
	{ "AT+CFUN=4", NULL },
	{ "AT+CFUN=1", NULL },
	{ "AT+CGACT=0,1", NULL },
};

static void
fake_pin(struct fake *f, const char *command)
{
	struct fake_card *c = f->card;
	char want[32];

	c->pins++;
	snprintf(want, sizeof(want), "AT+CPIN=\"%s\"", c->pin);
	if (strcmp(c->state, "SIM PIN") == 0 && strcmp(command, want) == 0) {
		c->state = "READY";
		c->tries = 3;
		if (!c->mute_pin)
			fake_say(f, "OK");
		return;
	}
	if (--c->tries == 0)
		c->state = "SIM PUK";
	if (!c->mute_pin)
		fake_say(f, "+CME ERROR: 16");
}

/* Those of the card.  False: not one of them. */
static bool
fake_card_command(struct fake *f, const char *command)
{
	struct fake_card *c = f->card;
	char text[64];

	if (strcmp(command, "AT+CPIN?") == 0) {
		if (c->busy > 0) {
			c->busy--;
			fake_say(f, "+CME ERROR: 14");
			return true;
		}
		snprintf(text, sizeof(text), "+CPIN: %s", c->state);
		fake_say(f, text);
	} else if (strncmp(command, "AT+CPIN=", 8) == 0) {
		fake_pin(f, command);
		return true;
	} else if (strstr(command, "CCID") != NULL && c->shy &&
	    strcmp(c->state, "READY") != 0) {
		fake_say(f, "+CME ERROR: 11");
		return true;
	} else if (strcmp(command, "AT^CPIN?") == 0 && !c->no_tries) {
		snprintf(text, sizeof(text), "^CPIN: %s,,10,%d,10,3", c->state,
		    c->tries);
		fake_say(f, text);
	} else if (strcmp(command, "AT+CREG?") == 0 ||
	    strcmp(command, "AT+CGREG?") == 0) {
		snprintf(text, sizeof(text), "+%s: 2,%d,\"00AB\",\"01CD\"",
		    command[4] == 'R' ? "CREG" : "CGREG", c->reg);
		fake_say(f, text);
	} else
		return false;
	fake_say(f, "OK");
	return true;
}

static void
fake_command(struct fake *f, const char *command)
{
	if (strlen(f->log) + strlen(command) + 2 < sizeof(f->log)) {
		strcat(f->log, command);
		strcat(f->log, "|");
	}
	if (f->mute != NULL &&
	    strncmp(command, f->mute, strlen(f->mute)) == 0)
		return;
	if (f->echo) {
		fake_raw(f, command);
		fake_raw(f, "\r");
	}
	if (strcmp(command, "ATE0V1Q0") == 0 && !f->drips)
		f->echo = false;
	if (strncmp(command, "ATD", 3) == 0) {
		f->data = strncmp(f->card->connect, "CONNECT", 7) == 0;
		fake_say(f, f->card->connect);
		return;
	}
	if (fake_card_command(f, command))
		return;
	if (strcmp(command, "AT+CGMI") == 0 ||
	    (f->mode != NULL && strcmp(command, "AT^GETPORTMODE") == 0)) {
		fake_say(f, command[2] == '^' ? f->mode : f->maker);
		fake_say(f, "OK");
		return;
	}
	for (size_t i = 0; i < sizeof(fake_answers) / sizeof(fake_answers[0]);
	    i++) {
		if (strcasecmp(fake_answers[i].command, command) != 0)
			continue;
		if (fake_answers[i].answer != NULL)
			fake_say(f, fake_answers[i].answer);
		fake_say(f, "OK");
		return;
	}
	fake_say(f, "COMMAND NOT SUPPORT");
}

static void
fake_byte(struct fake *f, char c)
{
	if (f->data) {
		/* "+++" behind a pause is all that counts here. */
		f->raw++;
		f->in[f->nin++ % 3] = c;
		if (f->nin >= 3 && memcmp(f->in, "+++", 3) == 0 &&
		    !f->dead_call) {
			f->data = false;
			f->nin = 0;
			fake_say(f, "OK");
		}
		return;
	}
	if (c == '\033') {
		f->nin = 0;
	} else if (c == '\r') {
		f->in[f->nin] = '\0';
		if (f->nin > 0)
			fake_command(f, f->in);
		f->nin = 0;
	} else if (f->nin < sizeof(f->in) - 1)
		f->in[f->nin++] = c;
}

/* Pull it out. */
static void
fake_unplug(struct fake *f)
{
	if (f->fd == -1)
		return;
	watch_free(f->watch);
	f->watch = NULL;
	close(f->fd);
	f->fd = -1;
	f->nin = f->nout = 0;
	f->data = false;
}

static void
fake_ready(void *arg, short revents)
{
	struct fake *f = arg;
	char buf[512];
	ssize_t n;

	(void)revents;
	n = read(f->fd, buf, sizeof(buf));
	if (n <= 0) {
		fake_unplug(f);
		return;
	}
	for (ssize_t i = 0; i < n && !f->silent; i++)
		fake_byte(f, buf[i]);
}

/* The end to give to what is tested. */
static int
fake_plug(struct fake *f)
{
	int pair[2];

	fake_unplug(f);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	f->fd = pair[0];
	f->sent = 0;
	f->watch = watch_new(f->loop, f->fd, POLLIN, fake_ready, f);
	return pair[1];
}

static void
fake_init(struct fake *f, struct loop *loop, struct fake_card *card)
{
	memset(f, 0, sizeof(*f));
	f->loop = loop;
	f->fd = -1;
	f->eol = "\r\n";
	f->maker = "huawei";
	f->card = card;
	f->drip = timer_new(loop, fake_pump, f);
}

static void
fake_fini(struct fake *f)
{
	fake_unplug(f);
	timer_free(f->drip);
}

#endif
