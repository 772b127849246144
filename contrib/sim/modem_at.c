#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../server/base/buf.h"
#include "../../server/base/mem.h"
#include "../../server/base/os.h"
#include "modem_at.h"
#include "modem_session.h"
#include "modem_stick.h"

#define CTRL_Z 0x1a
#define ESC 0x1b
#define BACKSPACE 0x08

enum at_state {
	AT_COMMAND,		/* taking a line */
	AT_BUSY,		/* carrying one out */
	AT_PROMPT,		/* taking what "> " asked for */
	AT_DATA,
};

struct at {
	struct stick *stick;
	int index;
	enum at_state state;
	struct at_settings set;
	char line[AT_LINE + 1];	/* typed, or being carried out */
	size_t len;
	char *rest;		/* of line: still to be carried out */
	char command[AT_LINE + 1];	/* the one that is: for the faults */
	char name[AT_LINE + 1];	/* its name, in capitals */
	struct buf *typed;	/* ahead of the answer */
	struct buf *info;	/* lines of the answer, each with \n */
	bool begun;		/* something of it was shown */
	unsigned lines;		/* of it that were shown */
	int64_t left;		/* bytes that may be shown; -1: all */
	struct timer *wait;
	struct at_call call;	/* for then */
	at_run_fn *then;
	struct buf *held;
	struct fault fault;	/* of the command that runs */
	bool silent, double_cr;
};

static const struct {
	int result;
	const char *text;
	int digit;
} finals[] = {
	{ AT_OK, "OK", 0 },
	{ AT_ERROR, "ERROR", 4 },
	{ AT_NO_CARRIER, "NO CARRIER", 3 },
	{ AT_NOT_SUPPORT, "COMMAND NOT SUPPORT", 4 },
};

/* 3GPP TS 27.007, what the simulator uses of it. */
static const struct {
	int error;
	const char *text;
} cme_texts[] = {
	{ 3, "operation not allowed" },
	{ 4, "operation not supported" },
	{ 10, "SIM not inserted" },
	{ 11, "SIM PIN required" },
	{ 12, "SIM PUK required" },
	{ 13, "SIM failure" },
	{ 14, "SIM busy" },
	{ 15, "SIM wrong" },
	{ 16, "incorrect password" },
	{ 30, "no network service" },
	{ 50, "Incorrect parameters" },
};

static void at_run_line(struct at *);

/*
 * Output.
 */

void
at_raw(struct at *at, const void *p, size_t n)
{
	if (at->silent)
		return;
	if (at->left >= 0) {
		if ((int64_t)n > at->left)
			n = (size_t)at->left;
		at->left -= (int64_t)n;
	}
	port_put(stick_port(at->stick, at->index), p, n);
}

static void
put_end(struct at *at)
{
	if (at->double_cr)
		at_raw(at, "\r", 1);
	at_raw(at, "\r\n", 2);
}

/* A line by itself: the end of one before and after it. */
static void
put_line(struct at *at, const char *line)
{
	put_end(at);
	at_raw(at, line, strlen(line));
	put_end(at);
}

/* What the faults want to be said here. */
static void
say_injected(struct at *at, enum fault_where where, unsigned line)
{
	char text[FAULT_TEXT];

	while (faults_say(at->stick->faults, where, line, at->command, text))
		put_line(at, text);
}

static void
put_garbage(struct at *at, int64_t n)
{
	uint8_t c;

	while (n-- > 0) {
		os_random(&c, 1);
		at_raw(at, &c, 1);
	}
}

/* What of the answer has come so far. */
static void
put_info(struct at *at)
{
	const char *p = (const char *)buf_data(at->info), *end;
	size_t left = buf_len(at->info);

	if (!at->begun) {
		at->begun = true;
		if (at->fault.action == FAULT_CUT)
			at->left = at->fault.number;
		if (at->fault.action == FAULT_GARBAGE)
			put_garbage(at, at->fault.number);
		say_injected(at, FAULT_LINE, 0);
	}
	while (left > 0 && (end = memchr(p, '\n', left)) != NULL) {
		if (at->lines++ == 0 && at->set.verbose)
			put_end(at);
		at_raw(at, p, (size_t)(end - p));
		put_end(at);
		say_injected(at, FAULT_LINE, at->lines);
		left -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	buf_clear(at->info);
}

void
at_line(struct at *at, const char *fmt, ...)
{
	char line[AT_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	line[strcspn(line, "\n")] = '\0';
	strcat(line, "\n");
	/* What is too much is missing, as from a modem's own buffer. */
	buf_add(at->info, line, strlen(line));
}

void
at_urc(struct at *at, const char *line, bool hold)
{
	char whole[AT_LINE];
	int n;

	if (at->state != AT_DATA && at->state != AT_PROMPT) {
		put_line(at, line);
		return;
	}
	if (!hold)
		return;
	n = snprintf(whole, sizeof(whole), "%s\n", line);
	if (n < (int)sizeof(whole))
		buf_add(at->held, whole, (size_t)n);
}

static void
flush_held(struct at *at)
{
	const char *p = (const char *)buf_data(at->held), *end;
	size_t left = buf_len(at->held);
	char line[AT_LINE];

	while (left > 0 && (end = memchr(p, '\n', left)) != NULL) {
		snprintf(line, sizeof(line), "%.*s", (int)(end - p), p);
		put_line(at, line);
		left -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	buf_clear(at->held);
}

static const char *
cme_text(int error)
{
	for (size_t i = 0; i < sizeof(cme_texts) / sizeof(cme_texts[0]); i++) {
		if (cme_texts[i].error == error)
			return cme_texts[i].text;
	}
	return "unknown";
}

/* The final result code's text into dst. */
static void
result_text(const struct at *at, int result, char *dst, size_t size)
{
	if (result >= AT_CMS(0)) {
		snprintf(dst, size, "+CMS ERROR: %d", result - AT_CMS(0));
		return;
	}
	if (result >= AT_CME(0) && at->set.cmee == 1) {
		snprintf(dst, size, "+CME ERROR: %d", result - AT_CME(0));
		return;
	}
	if (result >= AT_CME(0) && at->set.cmee == 2) {
		snprintf(dst, size, "+CME ERROR: %s",
		    cme_text(result - AT_CME(0)));
		return;
	}
	if (result >= AT_CME(0))
		result = AT_ERROR;
	for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
		if (finals[i].result != result)
			continue;
		if (at->set.verbose)
			snprintf(dst, size, "%s", finals[i].text);
		else
			snprintf(dst, size, "%d", finals[i].digit);
	}
}

static void
put_final(struct at *at, const char *text)
{
	say_injected(at, FAULT_FINAL, 0);
	if (at->set.quiet)
		return;
	if (at->set.verbose) {
		put_line(at, text);
	} else {
		at_raw(at, text, strlen(text));
		at_raw(at, "\r", 1);
	}
}

/*
 * States.
 */

static void
change_state(struct at *at, enum at_state state)
{
	at->state = state;
	switch (state) {
	case AT_COMMAND:
		at->len = 0;
		at->left = -1;
		at->then = NULL;
		timer_stop(at->wait);
		flush_held(at);
		break;
	case AT_PROMPT:
		at->len = 0;
		break;
	case AT_DATA:
		at->left = -1;
		break;
	case AT_BUSY:
		break;
	}
}

/* Take up what was typed ahead. */
static void
take_typed(struct at *at)
{
	uint8_t c;

	while (at->state == AT_COMMAND && buf_len(at->typed) > 0) {
		c = *buf_data(at->typed);
		buf_drop(at->typed, 1);
		at_input(at, &c, 1);
	}
}

/* The line is done. */
static void
conclude(struct at *at, const char *text)
{
	at->rest = NULL;
	put_info(at);
	put_final(at, text);
	say_injected(at, FAULT_AFTER, 0);
	change_state(at, AT_COMMAND);
	take_typed(at);
}

/* The line is done without a word. */
static void
abandon(struct at *at)
{
	at->rest = NULL;
	buf_clear(at->info);
	change_state(at, AT_COMMAND);
	take_typed(at);
}

/*
 * Carrying out.
 */

int
at_wait(struct at *at, int64_t ms, at_run_fn *then)
{
	at->then = then;
	timer_set(at->wait, ms);
	return AT_LATER;
}

int
at_prompt(struct at *at, at_run_fn *then)
{
	put_info(at);
	say_injected(at, FAULT_PROMPT, 0);
	at->then = then;
	at->rest = NULL;	/* nothing can follow, and the line is used */
	change_state(at, AT_PROMPT);
	put_end(at);
	at_raw(at, "> ", 2);
	return AT_LATER;
}

/* What is to go wrong.  True: with the command itself, it is over. */
static bool
apply_fault(struct at *at)
{
	faults_find(at->stick->faults, at->command, &at->fault);
	switch (at->fault.action) {
	case FAULT_HANG:
		abandon(at);
		return true;
	case FAULT_DEAD:
		at->silent = true;
		abandon(at);
		return true;
	case FAULT_ANSWER:
		conclude(at, at->fault.text);
		return true;
	case FAULT_NONE:
	case FAULT_SLOW:
	case FAULT_GARBAGE:
	case FAULT_CUT:
		break;
	}
	return false;
}

void
at_finish(struct at *at, int result)
{
	char text[64] = "";

	if (at->state == AT_PROMPT)
		change_state(at, AT_BUSY);
	if (result == AT_OK && at->rest != NULL && *at->rest != '\0') {
		at_run_line(at);
		return;
	}
	result_text(at, result, text, sizeof(text));
	conclude(at, text);
}

/* The end of an extended command: the next ; that is not in quotes. */
static char *
end_of(char *p)
{
	bool quoted = false;

	for (; *p != '\0' && (quoted || *p != ';'); p++) {
		if (*p == '"')
			quoted = !quoted;
	}
	return p;
}

/* Cut the next command off the line.  Where its name ends. */
static size_t
cut_command(struct at *at)
{
	static const char marks[] = "+^%$*#@";
	char *p = at->rest + strspn(at->rest, " ;"), *end;
	size_t name = 1;

	if (*p != '\0' && strchr(marks, *p) != NULL) {
		end = end_of(p);
		name = strcspn(p, "=?;");
	} else if (toupper((unsigned char)*p) == 'D') {
		end = p + strlen(p);
	} else {
		name = *p == '&' && p[1] != '\0' ? 2 : 1;
		end = p + (*p == '\0' ? 0 : name);
		end += strspn(end, "0123456789=?");
	}
	snprintf(at->command, sizeof(at->command), "%.*s", (int)(end - p), p);
	at->rest = end;
	return name;
}

/* Kind and args of the command, whose name is n bytes long. */
static void
fill_call(struct at *at, size_t n)
{
	struct at_call *c = &at->call;
	char *args = at->command + (strlen(at->command) < n ? 0 : n);

	snprintf(at->name, sizeof(at->name), "%.*s", (int)n, at->command);
	for (char *p = at->name; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	c->at = at;
	c->stick = at->stick;
	c->name = at->name;
	c->kind = *args == '\0' ? AT_EXEC : AT_SET;
	if (strcmp(args, "?") == 0)
		c->kind = AT_READ;
	else if (strcmp(args, "=?") == 0)
		c->kind = AT_TEST;
	if (*args == '=')
		args++;
	c->args = args;
}

static const struct at_command *
find_command(const struct stick *s, const char *name)
{
	for (const struct at_command *const *t = s->conf->who->tables;
	    *t != NULL; t++) {
		for (const struct at_command *c = *t; c->name != NULL; c++) {
			if (strcmp(c->name, name) == 0)
				return c;
		}
	}
	return NULL;
}

/* The CMS error in place of a card's CME error. */
static int
cms_of(int cme)
{
	static const struct {
		int cme, cms;
	} pairs[] = {
		{ 10, 310 }, { 11, 311 }, { 12, 316 }, { 14, 314 }, { 15, 315 },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pairs[i].cme == cme)
			return pairs[i].cms;
	}
	return 313;
}

static int
run_command(struct at *at)
{
	const struct at_command *c = find_command(at->stick, at->name);
	int error = card_error(at->stick->card);

	if (*at->command == '\0')
		return AT_OK;
	if (c == NULL)
		return at->stick->conf->who->unknown;
	if (at->call.kind == AT_TEST && c->test != NULL) {
		if (*c->test != '\0')
			at_line(at, "%s: %s", c->name, c->test);
		return AT_OK;
	}
	if (at->call.kind == AT_TEST && !(c->kinds & AT_TEST))
		return AT_OK;
	if (!(c->kinds & at->call.kind))
		return AT_ERROR;
	if ((c->needs & AT_CARD) && error != 0)
		return AT_CME(error);
	if ((c->needs & AT_CARD_SMS) && error != 0)
		return AT_CMS(cms_of(error));
	return c->run(&at->call);
}

static void
on_wait(void *arg)
{
	struct at *at = arg;
	at_run_fn *then = at->then;
	int result;

	at->then = NULL;
	/* A slow command, at last. */
	result = then == NULL ? run_command(at) : then(&at->call);
	if (result != AT_LATER)
		at_finish(at, result);
}

/* Carry out what is left of the line. */
static void
at_run_line(struct at *at)
{
	int result;

	do {
		fill_call(at, cut_command(at));
		if (apply_fault(at))
			return;
		if (at->fault.action == FAULT_SLOW) {
			at_wait(at, at->fault.number, NULL);
			return;
		}
		result = run_command(at);
		if (result == AT_LATER)
			return;
	} while (result == AT_OK && *at->rest != '\0');
	at->rest = NULL;
	at_finish(at, result);
}

/*
 * Input.
 */

static void
start_line(struct at *at)
{
	char *p = at->line;

	at->line[at->len] = '\0';
	at->len = 0;
	p += strspn(p, " ");
	if (*p == '\0')
		return;
	stick_log(at->stick, at->index, p);
	/* What a dead PPP left on the line is no part of the command. */
	while (*p != '\0' && strncasecmp(p, "AT", 2) != 0)
		p++;
	if (*p == '\0')
		return;
	at->rest = p + 2;
	at->begun = false;
	at->lines = 0;
	at->fault.action = FAULT_NONE;
	change_state(at, AT_BUSY);
	at_run_line(at);
}

static void
command_byte(struct at *at, uint8_t c)
{
	if (at->len == 0 && c != '\r' && c != '\n') {
		at->command[0] = '\0';
		say_injected(at, FAULT_ECHO, 0);
	}
	if (at->set.echo)
		at_raw(at, &c, 1);
	if (c == '\r')
		start_line(at);
	else if (c == BACKSPACE && at->len > 0)
		at->len--;
	else if (c == ESC)
		at->len = 0;
	else if (c >= ' ' && at->len < AT_LINE)
		at->line[at->len++] = (char)c;
}

/* What was typed at the prompt is whole. */
static void
submit(struct at *at)
{
	char logged[AT_LINE + 16];
	at_run_fn *then = at->then;
	int result;

	at->line[at->len] = '\0';
	snprintf(logged, sizeof(logged), "SUBMIT %s", at->line);
	stick_log(at->stick, at->index, logged);
	snprintf(at->command, sizeof(at->command), "SUBMIT");
	change_state(at, AT_BUSY);
	at->call.args = at->line;
	at->begun = false;
	faults_find(at->stick->faults, at->command, &at->fault);
	if (at->fault.action == FAULT_ANSWER) {
		conclude(at, at->fault.text);
		return;
	}
	if (at->fault.action == FAULT_SLOW) {
		at_wait(at, at->fault.number, then);
		return;
	}
	result = then(&at->call);
	/* It is on its way, though the stick does not say so. */
	if (at->fault.action == FAULT_HANG || at->fault.action == FAULT_DEAD) {
		at->silent = at->fault.action == FAULT_DEAD;
		abandon(at);
	} else if (result != AT_LATER) {
		at_finish(at, result);
	}
}

static void
prompt_byte(struct at *at, uint8_t c)
{
	if (c == CTRL_Z) {
		submit(at);
		return;
	}
	if (c == ESC) {
		stick_log(at->stick, at->index, "ESC");
		at_finish(at, AT_OK);
		return;
	}
	if (at->set.echo)
		at_raw(at, &c, 1);
	if (c >= ' ' && at->len < AT_LINE)
		at->line[at->len++] = (char)c;
}

void
at_input(struct at *at, const uint8_t *p, size_t n)
{
	if (at->silent)
		return;
	while (n > 0) {
		switch (at->state) {
		case AT_COMMAND:
			command_byte(at, *p);
			break;
		case AT_PROMPT:
			prompt_byte(at, *p);
			break;
		case AT_BUSY:
			/* Any key ends an attempt to dial: V.250. */
			if (session_dialling(at->stick->session) &&
			    at->index == STICK_DATA)
				session_drop(at->stick->session);
			else
				buf_add(at->typed, p, 1);
			break;
		case AT_DATA:
			session_input(at->stick->session, p, n);
			return;
		}
		p++;
		n--;
	}
}

/*
 * Data mode.
 */

void
at_connect(struct at *at, const char *text)
{
	at->rest = NULL;
	put_info(at);
	put_final(at, at->set.verbose ? text : "1");
	change_state(at, AT_DATA);
}

void
at_back(struct at *at, int result)
{
	char text[64] = "";

	if (at->state != AT_DATA)
		return;
	result_text(at, result, text, sizeof(text));
	put_final(at, text);
	change_state(at, AT_COMMAND);
}

/*
 * Life.
 */

int
at_index(const struct at *at)
{
	return at->index;
}

struct at_settings *
at_settings(struct at *at)
{
	return &at->set;
}

void
at_silence(struct at *at, bool silent)
{
	at->silent = silent;
}

void
at_double_cr(struct at *at, bool on)
{
	at->double_cr = on;
}

void
at_defaults(struct at *at)
{
	at->set = (struct at_settings){ .echo = true, .verbose = true,
	    .x = 4, .dtr = 2 };
}

void
at_reset(struct at *at)
{
	at_defaults(at);
	at->silent = false;
	at->rest = NULL;
	at->begun = false;
	at->lines = 0;
	buf_clear(at->typed);
	buf_clear(at->info);
	buf_clear(at->held);
	change_state(at, AT_COMMAND);
}

struct at *
at_new(struct stick *s, int index)
{
	struct at *at = xcalloc(1, sizeof(*at));

	at->stick = s;
	at->index = index;
	at->left = -1;
	at->typed = buf_new(AT_TYPED);
	at->info = buf_new(AT_INFO);
	at->held = buf_new(AT_HELD);
	at->wait = timer_new(s->loop, on_wait, at);
	at_defaults(at);
	return at;
}

void
at_free(struct at *at)
{
	if (at == NULL)
		return;
	timer_free(at->wait);
	buf_free(at->typed);
	buf_free(at->info);
	buf_free(at->held);
	free(at);
}
