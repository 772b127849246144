#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../server/base/mem.h"
#include "../../server/base/str.h"
#include "modem_fault.h"

#define COMMAND 32
#define TIMES_MAX 1000000

struct rule {
	char command[COMMAND];	/* "": a free place */
	int64_t left;		/* -1: always */
	struct fault fault;
};

struct injection {
	bool used;
	enum fault_where where;
	unsigned line;
	char command[COMMAND];	/* "": any */
	char text[FAULT_TEXT];
};

struct faults {
	struct rule rules[FAULT_RULES];
	struct injection injections[FAULT_INJECTIONS];
};

static const struct {
	const char *word;
	enum fault_action action;
	bool number, text;	/* what it wants */
} actions[] = {
	{ "hang", FAULT_HANG, false, false },
	{ "dead", FAULT_DEAD, false, false },
	{ "answer", FAULT_ANSWER, false, true },
	{ "slow", FAULT_SLOW, true, false },
	{ "garbage", FAULT_GARBAGE, true, false },
	{ "cut", FAULT_CUT, true, false },
};

#define NACTIONS (sizeof(actions) / sizeof(actions[0]))

static const struct {
	const char *word;
	enum fault_where where;
} places[] = {
	{ "echo", FAULT_ECHO },
	{ "info", FAULT_LINE },
	{ "final", FAULT_FINAL },
	{ "prompt", FAULT_PROMPT },
	{ "after", FAULT_AFTER },
};

#define NPLACES (sizeof(places) / sizeof(places[0]))

struct faults *
faults_new(void)
{
	return xcalloc(1, sizeof(struct faults));
}

void
faults_free(struct faults *f)
{
	free(f);
}

static const char *
fill_fault(struct fault *f, const char *action, const char *arg)
{
	for (size_t i = 0; i < NACTIONS; i++) {
		if (strcmp(actions[i].word, action) != 0)
			continue;
		f->action = actions[i].action;
		if (actions[i].number &&
		    str_int(arg, 0, 1000000, &f->number) == -1)
			return "this action wants a number";
		if (actions[i].text && *arg == '\0')
			return "this action wants a text";
		snprintf(f->text, sizeof(f->text), "%s", arg);
		return NULL;
	}
	return "the actions are: hang dead answer slow garbage cut";
}

const char *
faults_add(struct faults *f, char *words)
{
	const char *command = strsep(&words, " "), *why;
	char *action = words == NULL ? NULL : strsep(&words, " ");
	struct rule r = { .left = -1 };

	if (action != NULL && action[0] == 'x' &&
	    str_int(action + 1, 1, TIMES_MAX, &r.left) == 0)
		action = words == NULL ? NULL : strsep(&words, " ");
	if (*command == '\0' || action == NULL)
		return "wanted: COMMAND [xN] ACTION [ARG]";
	if (strlen(command) >= COMMAND)
		return "the command is too long";
	memcpy(r.command, command, strlen(command) + 1);
	why = fill_fault(&r.fault, action, words == NULL ? "" : words);
	if (why != NULL)
		return why;
	for (size_t i = 0; i < FAULT_RULES; i++) {
		if (f->rules[i].command[0] != '\0')
			continue;
		f->rules[i] = r;
		return NULL;
	}
	return "there are too many, see \"fault off\"";
}

const char *
faults_inject(struct faults *f, char *words)
{
	char *place = strsep(&words, " "), *command = place;
	struct injection n = { .used = true };
	int64_t line;
	size_t i;

	place = strsep(&command, ":");
	for (i = 0; i < NPLACES && strcmp(places[i].word, place) != 0; i++)
		;
	if (i < NPLACES) {
		n.where = places[i].where;
	} else if (strncmp(place, "line", 4) == 0 &&
	    str_int(place + 4, 0, 1000, &line) == 0) {
		n.where = FAULT_LINE;
		n.line = (unsigned)line;
	} else {
		return "the places are: echo info lineN final prompt after";
	}
	if (words == NULL || *words == '\0')
		return "wanted: WHERE[:COMMAND] TEXT";
	if (command != NULL && strlen(command) >= COMMAND)
		return "the command is too long";
	snprintf(n.command, sizeof(n.command), "%s",
	    command == NULL ? "" : command);
	snprintf(n.text, sizeof(n.text), "%s", words);
	for (i = 0; i < FAULT_INJECTIONS; i++) {
		if (f->injections[i].used)
			continue;
		f->injections[i] = n;
		return NULL;
	}
	return "there are too many, see \"fault off\"";
}

void
faults_clear(struct faults *f, const char *command)
{
	if (command == NULL) {
		memset(f, 0, sizeof(*f));
		return;
	}
	for (size_t i = 0; i < FAULT_RULES; i++) {
		if (strcasecmp(f->rules[i].command, command) == 0)
			f->rules[i].command[0] = '\0';
	}
}

static bool
matches(const char *pattern, const char *command)
{
	if (strcmp(pattern, "*") == 0)
		return true;
	if (strcasecmp(pattern, "AT") == 0)
		return *command == '\0';
	return strncasecmp(pattern, command, strlen(pattern)) == 0;
}

void
faults_find(struct faults *f, const char *command, struct fault *out)
{
	out->action = FAULT_NONE;
	for (size_t i = 0; i < FAULT_RULES; i++) {
		struct rule *r = &f->rules[i];

		if (r->command[0] == '\0' || !matches(r->command, command))
			continue;
		*out = r->fault;
		if (r->left > 0 && --r->left == 0)
			r->command[0] = '\0';
		return;
	}
}

bool
faults_say(struct faults *f, enum fault_where where, unsigned line,
    const char *command, char text[FAULT_TEXT])
{
	for (size_t i = 0; i < FAULT_INJECTIONS; i++) {
		struct injection *n = &f->injections[i];

		if (!n->used || n->where != where ||
		    (where == FAULT_LINE && n->line != line) ||
		    (n->command[0] != '\0' && !matches(n->command, command)))
			continue;
		n->used = false;
		memcpy(text, n->text, FAULT_TEXT);
		return true;
	}
	return false;
}
