#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../serial/jdir.h"
#include "answer_internal.h"
#include "base/mem.h"
#include "base/str.h"
#include "task.h"

#define BREAK_MAX_MS 5000

static void
fail(const struct answer *a, enum status status, const char *text)
{
	answer_outf(a, 2, "oobd: %s\n", text);
	answer_end(a, (int)status);
}

static void
print_usage(void *arg, const char *text)
{
	answer_out(arg, 2, text);
}

void
answer_usage(const struct answer *a, const struct verb *v)
{
	verbs_usage(v, print_usage, (void *)(uintptr_t)a);
	answer_end(a, ST_USAGE);
}

/* The wire of this name, if the guest may know of it. */
static struct wire *
visible(const struct answer *a, const char *name)
{
	struct wire *w = wires_named(a->console->wires, name);

	return w != NULL && guest_sees(a->guest, w) ? w : NULL;
}

/* The one it is attached to, or the only one it may see. */
static struct wire *
implied(const struct answer *a)
{
	struct wire *only = NULL, *w;

	if (guest_wire(a->guest) != NULL)
		return guest_wire(a->guest);
	for (size_t i = 0; i < wires_count(a->console->wires); i++) {
		w = wires_at(a->console->wires, i);
		if (!guest_sees(a->guest, w))
			continue;
		if (only != NULL)
			return NULL;
		only = w;
	}
	return only;
}

static void
which(const struct answer *a)
{
	fail(a, ST_NO_CONSOLE, "which console?  Name one; list shows them");
}

/* Does his role there reach?  Else he is told. */
static bool
may(const struct answer *a, const struct wire *w, enum role role)
{
	char text[256];

	if (guest_role_on(a->guest, w) >= role)
		return true;
	snprintf(text, sizeof(text), "%s: not allowed, your role is %s",
	    a->argv[0], role_text(guest_role_on(a->guest, w)));
	fail(a, ST_DENIED, text);
	return false;
}

/*
 * The console meant by argv[1], else the implied one; *rest is where the
 * other arguments begin.  NULL: told, also that his role there is too low.
 */
static struct wire *
first_console(const struct answer *a, const struct verb *v, int *rest)
{
	struct wire *w = NULL;

	*rest = 1;
	if (a->argc > 1)
		w = visible(a, a->argv[1]);
	if (w != NULL)
		*rest = 2;
	else
		w = implied(a);
	if (w == NULL)
		which(a);
	return w == NULL || !may(a, w, v->role) ? NULL : w;
}

/* The words from argv[i] on, with blanks between.  The caller frees. */
static char *
join(const struct answer *a, int i)
{
	char *text = xstrdup(""), *more;

	for (; i < a->argc; i++) {
		more = xasprintf("%s%s%s", text, *text == '\0' ? "" : " ",
		    a->argv[i]);
		free(text);
		text = more;
	}
	return text;
}

static const char *
break_problem(int error)
{
	switch (error) {
	case ENODEV:
		return "the line is down";
	case EBUSY:
		return "a BREAK is being sent already";
	case ENOTTY:
	case EINVAL:
		return "this line cannot send a BREAK";
	}
	return strerror(error);
}

/* 0, or -1 with the reason in errno; everyone attached is told. */
static int
send_break(struct console *c, struct wire *w, const char *user, int64_t ms)
{
	char text[160];

	if (ms == 0)
		ms = wire_conf(w)->break_ms;
	if (wire_break(w, user, ms) == -1)
		return -1;
	snprintf(text, sizeof(text), "%s sent a BREAK (%lld ms)", user,
	    (long long)ms);
	clients_notice(c, w, text);
	return 0;
}

void
answer_break(struct guest *g, int64_t ms)
{
	char text[160];

	if (guest_role_on(g, guest_wire(g)) == ROLE_VIEWER) {
		guest_tell(g, "you may only watch: no BREAK");
		return;
	}
	if (send_break(guest_console(g), guest_wire(g), guest_user(g),
	    ms) == -1) {
		snprintf(text, sizeof(text), "no BREAK: %s",
		    break_problem(errno));
		guest_tell(g, text);
	}
}

static void
do_break(const struct answer *a, const struct verb *v)
{
	struct wire *w;
	int rest;

	w = first_console(a, v, &rest);
	if (w == NULL)
		return;
	if (rest != a->argc) {
		if (rest == 1 && a->argc == 2)
			fail(a, ST_NO_CONSOLE, "no such console");
		else
			answer_usage(a, v);
		return;
	}
	if (send_break(a->console, w, guest_user(a->guest), 0) == -1) {
		fail(a, errno == ENODEV ? ST_DOWN : ST_FAILED,
		    break_problem(errno));
		return;
	}
	answer_end(a, ST_OK);
}

void
answer_note(struct console *c, struct wire *w, const char *user,
    const char *text)
{
	char safe[1200], notice[1400];

	str_safe(safe, sizeof(safe), text, strlen(text));
	scribe_event(wire_log(w), "note", "user=%s text=%s", user, safe);
	snprintf(notice, sizeof(notice), "note by %s: %s", user, safe);
	clients_notice(c, w, notice);
}

/* Its console, and the text behind, to be freed.  NULL: it was answered. */
static char *
console_text(const struct answer *a, const struct verb *v, struct wire **w)
{
	int rest;

	*w = first_console(a, v, &rest);
	if (*w == NULL)
		return NULL;
	if (rest < a->argc)
		return join(a, rest);
	answer_usage(a, v);
	return NULL;
}

static void
do_note(const struct answer *a, const struct verb *v)
{
	struct wire *w;
	char *text = console_text(a, v, &w);

	if (text == NULL)
		return;
	answer_note(a->console, w, guest_user(a->guest), text);
	free(text);
	answer_end(a, ST_OK);
}

static void
do_say(const struct answer *a, const struct verb *v)
{
	char safe[1200], notice[1400], *text;
	struct wire *w;

	text = console_text(a, v, &w);
	if (text == NULL)
		return;
	str_safe(safe, sizeof(safe), text, strlen(text));
	free(text);
	scribe_event(wire_log(w), "say", "user=%s text=%s",
	    guest_user(a->guest), safe);
	snprintf(notice, sizeof(notice), "%s says: %s", guest_user(a->guest),
	    safe);
	clients_notice(a->console, w, notice);
	answer_end(a, ST_OK);
}

static void
do_kick(const struct answer *a, const struct verb *v)
{
	char why[160], user[80];
	const char *name;
	struct wire *w;
	int64_t id;

	if (a->argc != 2 || str_int(a->argv[1], 1, UINT32_MAX, &id) == -1) {
		answer_usage(a, v);
		return;
	}
	/* Who is where one may not look is not there. */
	name = guest_console_of(a->console, (uint32_t)id, user, sizeof(user));
	w = name == NULL ? NULL : visible(a, name);
	if (name == NULL || (*name != '\0' && w == NULL) ||
	    (*name == '\0' && guest_role(a->guest) != ROLE_ADMIN)) {
		fail(a, ST_FAILED, "no such session; who shows them");
		return;
	}
	if (w != NULL && !may(a, w, v->role))
		return;
	if ((uint32_t)id == guest_id(a->guest)) {
		fail(a, ST_USAGE, "that is your own session");
		return;
	}
	if (w != NULL)
		scribe_event(wire_log(w), "kick", "user=%s id=%lld by=%s",
		    user, (long long)id, guest_user(a->guest));
	snprintf(why, sizeof(why), "kicked by %s", guest_user(a->guest));
	guest_kick(a->console, (uint32_t)id, why);
	if (w != NULL) {
		snprintf(why, sizeof(why), "%s kicked %s",
		    guest_user(a->guest), user);
		clients_notice(a->console, w, why);
	}
	answer_end(a, ST_OK);
}

static void
do_set(const struct answer *a, const struct verb *v)
{
	struct wire *w;
	char text[512];
	int status;

	if (a->argc < 3 || a->argc > 4) {
		answer_usage(a, v);
		return;
	}
	w = visible(a, a->argv[1]);
	if (w == NULL) {
		fail(a, ST_NO_CONSOLE, "no such console");
		return;
	}
	if (!may(a, w, v->role))
		return;
	status = wire_set(w, guest_user(a->guest), a->argv[2], a->argv[3],
	    text, sizeof(text));
	answer_outf(a, status == ST_OK ? 1 : 2, "%s\n", text);
	answer_end(a, status);
}

static void
do_list(const struct answer *a, const struct verb *v)
{
	(void)v;
	answer_list(a);
}

static void
do_status(const struct answer *a, const struct verb *v)
{
	(void)v;
	answer_status(a);
}

static void
do_digest(const struct answer *a, const struct verb *v)
{
	struct wire *w;
	int rest;

	w = first_console(a, v, &rest);
	if (w == NULL)
		return;
	if (rest < a->argc - 1 || (rest == a->argc - 1 &&
	    !answer_digest_option(a->argv[rest])))
		answer_usage(a, v);
	else
		answer_digest(a, w, rest < a->argc ? a->argv[rest] : "");
}

static void
do_who(const struct answer *a, const struct verb *v)
{
	(void)v;
	answer_who(a);
}

/* What a reader does. */

/* Room for all words of one reader, see server/privileged.c. */
#define READER_WORDS 12288
#define READER_ARGS (ARGS_MAX - 4)

/* The verb, consoles, maybe one more word, and the options. */
static void
start_reader(const struct answer *a, char *consoles, char *word,
    const struct verb_words *w)
{
	size_t total = 0, longest = 0, len;
	char *words[ARGS_MAX + 3];
	int n = 0;

	words[n++] = a->argv[0];
	words[n++] = consoles;
	if (word != NULL)
		words[n++] = word;
	for (int i = 0; i < w->noptions; i++)
		words[n++] = w->options[i];
	for (int i = 0; i < n; i++) {
		len = strlen(words[i]);
		total += len + 1;
		longest = len > longest ? len : longest;
	}
	if (n > READER_ARGS || longest >= WORD_BYTES || total > READER_WORDS)
		fail(a, ST_USAGE, "the command is too long");
	else
		answer_reader(a, n, words);
}

static void
do_read(const struct answer *a, const struct verb *v)
{
	struct verb_words words;
	struct wire *w;

	verb_split(v, a->argc, a->argv, &words);
	if (words.nplain > 1) {
		answer_usage(a, v);
		return;
	}
	w = words.nplain == 1 ? visible(a, words.plain[0]) : implied(a);
	if (w != NULL)
		start_reader(a, wire_conf(w)->name, NULL, &words);
	else if (words.nplain == 1)
		fail(a, ST_NO_CONSOLE, "no such console");
	else
		which(a);
}

/* One more console of a list with commas; list is replaced. */
static void
add_console(char **list, const struct wire *w)
{
	char *more = xasprintf("%s%s%s", *list, **list == '\0' ? "" : ",",
	    wire_conf(w)->name);

	free(*list);
	*list = more;
}

/* Those meant where none is named: the attached one, or all. */
static void
add_implied(const struct answer *a, char **list)
{
	struct wire *w;

	if (guest_wire(a->guest) != NULL) {
		add_console(list, guest_wire(a->guest));
		return;
	}
	for (size_t i = 0; i < wires_count(a->console->wires); i++) {
		w = wires_at(a->console->wires, i);
		if (guest_sees(a->guest, w))
			add_console(list, w);
	}
}

/* An argument, and any number of consoles. */
static void
do_read_several(const struct answer *a, const struct verb *v)
{
	struct verb_words words;
	struct wire *w = NULL;
	char *list = xstrdup("");

	verb_split(v, a->argc, a->argv, &words);
	for (int i = 1; i < words.nplain; i++) {
		w = visible(a, words.plain[i]);
		if (w == NULL)
			break;
		add_console(&list, w);
	}
	if (words.nplain == 1)
		add_implied(a, &list);
	if (words.nplain == 0)
		answer_usage(a, v);
	else if (words.nplain > 1 && w == NULL)
		fail(a, ST_NO_CONSOLE, "no such console");
	else if (*list == '\0')
		fail(a, ST_NO_CONSOLE, "there is no console that you may see");
	else
		start_reader(a, list, words.plain[0], &words);
	free(list);
}

/* Those of the box's journal, which only admins read. */
static void
do_read_box(const struct answer *a, const struct verb *v)
{
	struct verb_words words;
	char box[] = JDIR_BOX;

	verb_split(v, a->argc, a->argv, &words);
	if (words.nplain > (v->target == VERB_BOX ? 0 : 1))
		answer_usage(a, v);
	else
		start_reader(a, box, NULL, &words);
}

/* log and verify take the box's journal for a console's. */
static bool
means_box(const struct answer *a, const struct verb *v)
{
	struct verb_words words;

	if (v->target == VERB_BOX)
		return true;
	if (!v->box || guest_role(a->guest) != ROLE_ADMIN)
		return false;
	verb_split(v, a->argc, a->argv, &words);
	return words.nplain == 1 && strcmp(words.plain[0], JDIR_BOX) == 0;
}

static const struct {
	const char *name;
	void (*run)(const struct answer *, const struct verb *);
} runs[] = {
	{ "break",	do_break },
	{ "digest",	do_digest },
	{ "grant",	answer_grant },
	{ "kick",	do_kick },
	{ "list",	do_list },
	{ "note",	do_note },
	{ "revoke",	answer_revoke },
	{ "say",	do_say },
	{ "set",	do_set },
	{ "status",	do_status },
	{ "who",	do_who },
};

static void
run_here(const struct answer *a, const struct verb *v)
{
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		if (strcmp(runs[i].name, v->name) == 0) {
			runs[i].run(a, v);
			return;
		}
	}
	fail(a, ST_USAGE, "that verb is for a client to carry out");
}

static void
run_there(const struct answer *a, const struct verb_call *call)
{
	char text[80];

	switch (call->where) {
	case VERB_CONSOLE:
	case VERB_CLIENT:
		run_here(a, call->verb);
		break;
	case VERB_READER:
		if (means_box(a, call->verb))
			do_read_box(a, call->verb);
		else if (call->verb->target == VERB_LAST)
			do_read_several(a, call->verb);
		else
			do_read(a, call->verb);
		break;
	case VERB_SSH:
		task_start(a, PEER_SSH);
		break;
	case VERB_MODEM:
		task_start(a, PEER_MODEM);
		break;
	case VERB_NOTIFY:
		if (a->console->conf->nnotifies == 0)
			fail(a, ST_FAILED, "there is no notify section: see "
			    "oobd.conf(5)");
		else
			task_start(a, PEER_NOTIFY);
		break;
	case VERB_TOOL:
		snprintf(text, sizeof(text), "%s: run it with oobctl on the "
		    "box", call->name);
		fail(a, ST_USAGE, text);
		break;
	}
}

/*
 * Verbs for one console look themselves at his role there, which a grant may
 * have raised.
 */
static enum role
role_for(const struct answer *a, const struct verb *v)
{
	return v->target != VERB_BOX || strcmp(v->name, "kick") == 0 ?
	    guest_role_best(a->guest) : guest_role(a->guest);
}

void
answer_run(const struct answer *a)
{
	struct verb_call call = verb_call(a->argc, a->argv);
	const struct verb *v = call.verb;
	char name[128], text[256];

	if (v == NULL) {
		str_safe(name, sizeof(name), a->argv[0], strlen(a->argv[0]));
		snprintf(text, sizeof(text), "no such verb: %s (help lists "
		    "them)", name);
		fail(a, ST_USAGE, text);
		return;
	}
	if (role_for(a, v) < call.role) {
		snprintf(text, sizeof(text), "%s: not allowed, your role is "
		    "%s", call.name, role_text(guest_role(a->guest)));
		fail(a, ST_DENIED, text);
		return;
	}
	if (call.usage) {
		answer_usage(a, v);
		return;
	}
	run_there(a, &call);
}
