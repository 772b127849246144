/*
 * verbs: the one table of what can be asked of oobd, over SSH, by oobctl and
 * in a session.  help, the man page (between the marks in docs/oobctl.1) and
 * every dispatcher read it.  A verb is added here and where it runs.
 */
#ifndef SERVER_VERBS_H
#define SERVER_VERBS_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "proto.h"
#include "words.h"

enum verb_where {
	VERB_CONSOLE,		/* in the console process */
	VERB_READER,		/* in a reader process of its own; -D */
	VERB_CLIENT,		/* in the session: attach, help */
	VERB_SSH,		/* in the ssh process, as a task */
	VERB_MODEM,		/* in the modem process, as a task */
	VERB_NOTIFY,		/* in the notify process, as a task */
	VERB_TOOL,		/* in oobctl itself (ctl_tools.h), no daemon */
};

/* Where the name of the console stands, if the verb takes one. */
enum verb_target {
	VERB_BOX,		/* takes none */
	VERB_FIRST,		/* only as first argument */
	VERB_ANY,		/* anywhere among the arguments */
	VERB_LAST,		/* several, behind the first argument */
};

struct verb {
	const char *name;
	const char *args;	/* "" or "[CONSOLE] [--tail N]" */
	const char *help;	/* a few words */
	const char *more;	/* sentences */
	enum role role;		/* the least that may run (some of) it */
	enum verb_where where;
	enum verb_target target;
	bool keys;		/* on a terminal: raw, takes key presses */
	bool box;		/* CONSOLE may be .box, the box's journal */
};

/* NULL: no such verb, or i is beyond the end. */
const struct verb *verb_find(const char *name);
const struct verb *verb_at(size_t i);

/*
 * The words behind a verb: its options, each with its value if the usage has
 * one, and all others.  Behind "--" there are no options.
 */
struct verb_words {
	int noptions, nplain;
	char *options[ARGS_MAX], *plain[ARGS_MAX];
};
void verb_split(const struct verb *, int argc, char *const argv[],
    struct verb_words *);

/*
 * What these words ask for.  Of verbs with subcommands ("link up") the second
 * word decides, from a table beside that of the verbs.
 */
struct verb_call {
	const struct verb *verb;	/* NULL: no such verb */
	bool usage;			/* its second word is no subcommand */
	enum role role;
	enum verb_where where;
	char name[32];			/* "link up", for messages */
};
struct verb_call verb_call(int argc, char *const argv[]);

/* Text came up; arg is that given to verbs_help. */
typedef void verbs_print_fn(void *arg, const char *text);

/* "usage: note [CONSOLE] TEXT\n". */
void verbs_usage(const struct verb *, verbs_print_fn *, void *arg);

/*
 * help [VERB]; help --mdoc prints the VERBS and ESCAPE KEYS sections of the
 * man page.  argv[0] is "help".  Returns an enum status: ST_USAGE when there
 * is no such verb, which is then printed, too.
 */
int verbs_help(int argc, char *const argv[], verbs_print_fn *, void *arg);

/*
 * The words to run: those of a verb, with the console chosen by the login
 * name put in where it takes one and none of is_console's (of VERB_LAST: none
 * at all) is named.  out holds
 * ARGS_MAX + 1 pointers, into the words and console.  Returns the number of words,
 * -1 when there is no room for one more.
 */
int verbs_with_console(const struct words *, const char *console,
    bool (*is_console)(void *arg, const char *name), void *arg,
    char *out[ARGS_MAX + 1]);

#endif
