/*
 * Commands by SMS: what is accepted is within its bounds, and says the same
 * when it is written again, plainly or with all that does not matter.
 */
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modem/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
same(const struct command *c, const char *before, const char *between)
{
	struct command again;
	char arg[16] = "", text[COMMAND_MAX + 1];
	int n;

	if (c->arg > 0)
		snprintf(arg, sizeof(arg), "%u", c->arg);
	n = snprintf(text, sizeof(text), "%s%s%s%s%s%s", before,
	    command_name(c->verb), between, arg, between, c->code);
	if (command_parse(text, (size_t)n, &again) == -1 ||
	    memcmp(&again, c, sizeof(again)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct command none;
	struct command c;

	memset(&c, 0x55, sizeof(c));
	if (command_parse((const char *)p, n, &c) == -1) {
		if (memcmp(&c, &none, sizeof(c)) != 0)
			abort();
		return 0;
	}
	if (n > COMMAND_MAX || c.verb > COMMAND_WHO ||
	    c.arg > COMMAND_MINUTES || strlen(c.code) != COMMAND_CODE - 1 ||
	    strspn(c.code, "0123456789") != COMMAND_CODE - 1)
		abort();
	same(&c, "", " ");
	same(&c, "\r\noOB\xc2\xa0", "\t\xc2\xa0 ");
	return 0;
}
