#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../server/base/str.h"
#include "at_errors.h"
#include "at_result.h"

enum when {
	ALWAYS,
	DIAL,		/* only of ATD */
	BARE,		/* only where nothing else is expected */
};

enum how {
	WHOLE,		/* the line is this text */
	WORD,		/* ... or goes on after a blank */
	COLON,		/* goes on with anything */
};

static const struct final {
	const char *text;
	enum how how;
	enum when when;
	enum at_result result;
} finals[] = {
	{ "OK",				WHOLE,	ALWAYS,	AT_OK },
	{ "ERROR",			WHOLE,	ALWAYS,	AT_ERROR },
	{ "+CME ERROR:",		COLON,	ALWAYS,	AT_CME },
	{ "+CMS ERROR:",		COLON,	ALWAYS,	AT_CMS },
	{ "+EXT ERROR:",		COLON,	ALWAYS,	AT_EXT },
	{ "MODEM ERROR:",		COLON,	ALWAYS,	AT_EXT },
	{ "COMMAND NOT SUPPORT",	COLON,	ALWAYS,	AT_UNKNOWN },
	{ "TOO MANY PARAMETERS",	WHOLE,	ALWAYS,	AT_UNKNOWN },
	{ "NA",				WHOLE,	ALWAYS,	AT_UNKNOWN },
	{ "ABORTED",			WHOLE,	ALWAYS,	AT_ABORTED },
	{ "CONNECT",			WORD,	DIAL,	AT_CONNECT },
	{ "^CONNECT",			WORD,	DIAL,	AT_CONNECT },
	{ "NO CARRIER",			WORD,	DIAL,	AT_NO_CARRIER },
	{ "NO DIALTONE",		WHOLE,	DIAL,	AT_NO_DIALTONE },
	{ "NO DIAL TONE",		WHOLE,	DIAL,	AT_NO_DIALTONE },
	{ "BUSY",			WHOLE,	DIAL,	AT_BUSY },
	{ "NO ANSWER",			WHOLE,	DIAL,	AT_NO_ANSWER },
	{ "0",				WHOLE,	BARE,	AT_OK },
	{ "4",				WHOLE,	BARE,	AT_ERROR },
};

static bool
fits(const struct final *f, const char *line)
{
	size_t n = strlen(f->text);

	if (strncasecmp(line, f->text, n) != 0)
		return false;
	switch (f->how) {
	case WHOLE:
		return line[n] == '\0';
	case WORD:
		return line[n] == '\0' || line[n] == ' ';
	case COLON:
		return true;
	}
	return false;
}

static int
code_of(enum at_result result, const char *text)
{
	int64_t number;

	while (*text == ' ')
		text++;
	if (result == AT_CME)
		return at_cme_code(text);
	if (result == AT_CMS)
		return at_cms_code(text);
	if (result == AT_EXT && str_int(text, 0, 65535, &number) == 0)
		return (int)number;
	return -1;
}

bool
at_result_parse(const char *line, bool dial, bool bare,
    enum at_result *result, int *code)
{
	const struct final *f;

	for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
		f = &finals[i];
		if ((f->when == DIAL && !dial) || (f->when == BARE && !bare) ||
		    !fits(f, line))
			continue;
		*result = f->result;
		*code = code_of(f->result, line + strlen(f->text));
		return true;
	}
	return false;
}

const char *
at_result_text(enum at_result result)
{
	static const char *const texts[] = {
		[AT_OK] = "OK",
		[AT_CONNECT] = "CONNECT",
		[AT_ERROR] = "ERROR",
		[AT_CME] = "CME error",
		[AT_CMS] = "CMS error",
		[AT_EXT] = "vendor error",
		[AT_UNKNOWN] = "command not supported",
		[AT_NO_CARRIER] = "NO CARRIER",
		[AT_NO_DIALTONE] = "NO DIALTONE",
		[AT_BUSY] = "BUSY",
		[AT_NO_ANSWER] = "NO ANSWER",
		[AT_ABORTED] = "aborted",
		[AT_TIMEOUT] = "no answer in time",
		[AT_CANCELLED] = "cancelled",
		[AT_GONE] = "the modem's port is gone",
	};

	return texts[result];
}

char *
at_reply_text(char dst[AT_REPLY_TEXT], const struct at_reply *r)
{
	const char *what = at_result_text(r->result);

	if (r->result == AT_CME && r->code >= 0)
		snprintf(dst, AT_REPLY_TEXT, "%s %d: %s", what, r->code,
		    at_cme_text(r->code));
	else if (r->result == AT_CMS && r->code >= 0)
		snprintf(dst, AT_REPLY_TEXT, "%s %d: %s", what, r->code,
		    at_cms_text(r->code));
	else if (r->code >= 0)
		snprintf(dst, AT_REPLY_TEXT, "%s %d", what, r->code);
	else
		snprintf(dst, AT_REPLY_TEXT, "%s", what);
	return dst;
}
