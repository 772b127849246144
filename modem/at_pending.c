#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../server/base/mem.h"
#include "at_pending.h"

#define TIMEOUT_MS 3000
#define PROMPT_MS 10000

/* Unsolicited words that no subscription and no prefix tells from answers. */
static const char *const stray_words[] = { "RING", "NO CARRIER", "RDY",
    "Call Ready", "SMS Ready", "SMS DONE", "PB DONE", "NORMAL POWER DOWN",
    "CONNECT", "BUSY", "NO ANSWER", "*PSUTTZ:" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

bool
at_has_prefix(const char *line, const char *prefix)
{
	return strncasecmp(line, prefix, strlen(prefix)) == 0;
}

bool
at_is_hex(const char *p)
{
	size_t n = strspn(p, "0123456789ABCDEFabcdef");

	return n > 0 && n % 2 == 0 && p[n] == '\0';
}

/* What would break out of its line is never sent. */
bool
at_pending_may(const struct at_command *a)
{
	size_t n;

	for (n = 0; a->text[n] != '\0'; n++)
		if (a->text[n] < ' ' || a->text[n] > '~')
			return false;
	return n >= 2 && n <= AT_TEXT_MAX && at_has_prefix(a->text, "AT") &&
	    (a->body == NULL || (at_is_hex(a->body) &&
	    strlen(a->body) <= AT_LINE_MAX));
}

struct at_pending *
at_pending_new(const struct at_command *a, uint32_t id, at_done_fn *done,
    void *arg)
{
	struct at_pending *c = xcalloc(1, sizeof(*c));

	c->id = id;
	c->text = xstrdup(a->text);
	c->prefix = a->prefix == NULL ? NULL : xstrdup(a->prefix);
	c->body = a->body == NULL ? NULL : xstrdup(a->body);
	c->mine = a->mine;
	c->timeout_ms = a->timeout_ms > 0 ? a->timeout_ms : TIMEOUT_MS;
	c->prompt_ms = a->prompt_ms > 0 ? a->prompt_ms : PROMPT_MS;
	c->flags = a->flags;
	c->done = done;
	c->arg = arg;
	return c;
}

void
at_pending_free(struct at_pending *c)
{
	if (c == NULL)
		return;
	freezero(c->text, strlen(c->text));
	if (c->body != NULL)
		freezero(c->body, strlen(c->body));
	free(c->prefix);
	for (size_t i = 0; i < c->nlines; i++)
		freezero(c->lines[i], strlen(c->lines[i]));
	free(c->lines);
	free(c);
}

/* Keep a line of information, within bounds. */
void
at_pending_gather(struct at_pending *c, const char *line)
{
	size_t n = strlen(line);

	if (c->cancelled)
		return;
	if (c->cut || n + sizeof(*c->lines) > AT_REPLY_MAX - c->bytes) {
		c->cut = true;
		return;
	}
	c->lines = xreallocarray(c->lines, c->nlines + 1, sizeof(*c->lines));
	c->lines[c->nlines++] = xstrdup(line);
	c->bytes += n + sizeof(*c->lines);
}

bool
at_pending_is_own(const struct at_pending *c, const struct at_token *t)
{
	if (c->prefix == NULL || c->prefix[0] == '\0')
		return false;
	if (at_has_prefix(t->text, c->prefix))
		return c->mine == NULL || c->mine(t->text);
	return c->own && t->hex;
}

bool
at_pending_is_echo(const struct at_pending *c, const char *line)
{
	return strcasecmp(line, c->text) == 0 ||
	    (c->body != NULL && strcasecmp(line, c->body) == 0);
}

/*
 * May it be an answer to a command that takes any line (ATI)?  Not a URC,
 * though one beginning as the command does is no URC.
 */
bool
at_pending_is_any(const struct at_pending *c, const char *line)
{
	size_t n;

	if (c->prefix == NULL || c->prefix[0] != '\0')
		return false;
	n = strcspn(c->text + 2, "=?");
	if (n > 0 && strncasecmp(line, c->text + 2, n) == 0)
		return true;
	if (line[0] == '^' || (line[0] == '+' && strchr(line, ':') != NULL))
		return false;
	for (size_t i = 0; i < COUNT(stray_words); i++)
		if (at_has_prefix(line, stray_words[i]))
			return false;
	return true;
}

void
at_pending_conclude(struct at_pending *c, enum at_result result, int code,
    const char *text)
{
	struct at_reply r = {
		.result = result,
		.code = code,
		.text = text,
		.lines = c->lines,
		.nlines = c->nlines,
		.cut = c->cut,
		.written = c->written,
		.body_written = c->body_written,
	};
	at_done_fn *done = c->done;

	c->done = NULL;
	if (done != NULL)
		done(c->arg, &r);
}
