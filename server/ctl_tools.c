#include <stddef.h>
#include <string.h>

#include "code_tool.h"
#include "ctl_tools.h"
#include "relay_keygen.h"
#include "sms_decode.h"
#include "user_tool.h"

/* word NULL: the verb alone names the tool. */
static const struct {
	const char *verb, *word;
	ctl_tool_fn *run;
} tools[] = {
	{ "sms", "decode", sms_decode },
	{ "code", NULL, code_tool },
	{ "relay", "keygen", relay_keygen },
	{ "user", NULL, user_tool },
	{ NULL, NULL, NULL },
};

ctl_tool_fn *
ctl_tool(int argc, char *const argv[])
{
	for (size_t i = 0; tools[i].verb != NULL; i++) {
		if (strcmp(tools[i].verb, argv[0]) == 0 &&
		    (tools[i].word == NULL || (argc > 1 &&
		    strcmp(tools[i].word, argv[1]) == 0)))
			return tools[i].run;
	}
	return NULL;
}
