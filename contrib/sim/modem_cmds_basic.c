#include <stdio.h>
#include <string.h>

#include "../../server/base/str.h"
#include "modem_cmds.h"
#include "modem_session.h"
#include "modem_stick.h"

/* The digit behind a letter, 0 without one; AT_ERROR above max. */
static int
digit(struct at_call *c, int max, int *out)
{
	int64_t n = 0;

	if (*c->args != '\0' && str_int(c->args, 0, max, &n) == -1)
		return AT_ERROR;
	*out = (int)n;
	return AT_OK;
}

static int
flag(struct at_call *c, bool *out)
{
	int n;

	if (digit(c, 1, &n) != AT_OK)
		return AT_ERROR;
	*out = n == 1;
	return AT_OK;
}

static int
run_echo(struct at_call *c)
{
	return flag(c, &at_settings(c->at)->echo);
}

static int
run_verbose(struct at_call *c)
{
	return flag(c, &at_settings(c->at)->verbose);
}

static int
run_quiet(struct at_call *c)
{
	return flag(c, &at_settings(c->at)->quiet);
}

static int
run_x(struct at_call *c)
{
	return digit(c, 4, &at_settings(c->at)->x);
}

static int
run_dtr(struct at_call *c)
{
	return digit(c, 2, &at_settings(c->at)->dtr);
}

static int
run_any(struct at_call *c)
{
	(void)c;
	return AT_OK;
}

static int
run_z(struct at_call *c)
{
	if (at_index(c->at) == STICK_DATA)
		session_hangup(c->stick->session);
	at_defaults(c->at);
	return AT_OK;
}

static int
run_about(struct at_call *c)
{
	for (const char *const *p = c->stick->conf->who->about; *p != NULL;
	    p++)
		at_line(c->at, "%s", *p);
	return AT_OK;
}

static int
run_hang_up(struct at_call *c)
{
	if (at_index(c->at) != STICK_DATA)
		return AT_OK;
	return session_hangup(c->stick->session);
}

static int
run_online(struct at_call *c)
{
	return session_resume(c->stick->session, c->at);
}

/* The context of "*99#", "*99***1#", "*98*1#"; 0: no number of a network. */
static unsigned
context_of(const char *number)
{
	unsigned context = 1;
	char end;

	if (*number == 'T' || *number == 't')
		number++;
	if (strcmp(number, "*99#") == 0)
		return 1;
	if (sscanf(number, "*99***%u%c", &context, &end) == 2 && end == '#' &&
	    context <= STICK_CONTEXTS)
		return context;
	return 0;
}

static int
run_dial(struct at_call *c)
{
	unsigned context = context_of(c->args);

	/* The other port of such a stick is not for data. */
	if (at_index(c->at) != STICK_DATA || context == 0)
		return AT_NO_CARRIER;
	return session_dial(c->stick->session, c->at, context);
}

static int
run_register(struct at_call *c)
{
	size_t n = strspn(c->args, "0123456789");

	if (n == 0)
		return AT_ERROR;
	if (strcmp(c->args + n, "?") == 0)
		at_line(c->at, "%03d", strncmp(c->args, "3", n) == 0 ? 13 :
		    strncmp(c->args, "4", n) == 0 ? 10 : 0);
	return AT_OK;
}

static int
run_manufacturer(struct at_call *c)
{
	at_line(c->at, "%s", c->stick->conf->who->manufacturer);
	return AT_OK;
}

static int
run_model(struct at_call *c)
{
	at_line(c->at, "%s", c->stick->conf->who->model);
	return AT_OK;
}

static int
run_revision(struct at_call *c)
{
	at_line(c->at, "%s", c->stick->conf->who->revision);
	return AT_OK;
}

static int
run_imei(struct at_call *c)
{
	at_line(c->at, "%s", c->stick->conf->who->imei);
	return AT_OK;
}

static int
run_capabilities(struct at_call *c)
{
	at_line(c->at, "+GCAP: +CGSM,+DS,+ES");
	return AT_OK;
}

static int
run_list(struct at_call *c)
{
	for (const struct at_command *const *t = c->stick->conf->who->tables;
	    *t != NULL; t++) {
		for (const struct at_command *p = *t; p->name != NULL; p++)
			at_line(c->at, "%s", p->name);
	}
	return AT_OK;
}

#define LETTER (AT_EXEC | AT_SET)

const struct at_command cmds_basic[] = {
	{ "E", LETTER, 0, NULL, run_echo },
	{ "V", LETTER, 0, NULL, run_verbose },
	{ "Q", LETTER, 0, NULL, run_quiet },
	{ "X", LETTER, 0, NULL, run_x },
	{ "Z", LETTER, 0, NULL, run_z },
	{ "I", LETTER, 0, NULL, run_about },
	{ "H", LETTER, 0, NULL, run_hang_up },
	{ "O", LETTER, 0, NULL, run_online },
	{ "D", AT_SET, 0, NULL, run_dial },
	{ "S", AT_SET, 0, NULL, run_register },
	{ "L", LETTER, 0, NULL, run_any },
	{ "M", LETTER, 0, NULL, run_any },
	{ "P", LETTER, 0, NULL, run_any },
	{ "T", LETTER, 0, NULL, run_any },
	{ "&C", LETTER, 0, NULL, run_any },
	{ "&D", LETTER, 0, NULL, run_dtr },
	{ "&F", LETTER, 0, NULL, run_z },
	{ "&K", LETTER, 0, NULL, run_any },
	{ "&S", LETTER, 0, NULL, run_any },
	{ "&W", LETTER, 0, NULL, run_any },
	{ "+GMI", AT_EXEC, 0, "", run_manufacturer },
	{ "+GMM", AT_EXEC, 0, "", run_model },
	{ "+GMR", AT_EXEC, 0, "", run_revision },
	{ "+GSN", AT_EXEC, 0, "", run_imei },
	{ "+GCAP", AT_EXEC, 0, "", run_capabilities },
	{ "+CGMI", AT_EXEC, 0, "", run_manufacturer },
	{ "+CGMM", AT_EXEC, 0, "", run_model },
	{ "+CGMR", AT_EXEC, 0, "", run_revision },
	{ "+CGSN", AT_EXEC, 0, "", run_imei },
	{ "+CLAC", AT_EXEC, 0, "", run_list },
	{ "+IPR", AT_READ | AT_SET, 0, "(0,115200)", run_any },
	{ "+IFC", AT_READ | AT_SET, 0, "(0,2),(0,2)", run_any },
	{ NULL, 0, 0, NULL, NULL },
};
