#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../serial/keys.h"
#include "base/str.h"
#include "verbs.h"

#define TIMES "T is RFC 3339, HH:MM[:SS] today, -15min, or now."

static const struct verb verbs[] = {
	{ "attach", "[CONSOLE] [--ro | --force] [--tail N]",
	    "attach to a console",
	    "With a terminal: the shared session, with escape keys.  Without: "
	    "standard input and output are the line, byte for byte, and "
	    "notices go to standard error; at the end of input it ends once "
	    "the line was quiet for a second, or stays to watch when nothing "
	    "was sent at all.  --ro watches only, --force takes the pen, "
	    "--tail shows the last N lines first.",
	    ROLE_VIEWER, VERB_CLIENT, VERB_ANY, true, false },
	{ "list", "[--json]", "the consoles you may see",
	    "One line per console: name, state, settings, who has the pen, "
	    "description.",
	    ROLE_VIEWER, VERB_CONSOLE, VERB_BOX, false, false },
	{ "status", "[--json]", "the state of the whole box",
	    "Lines with their counters, journals, processes, host key, the link "
	    "and its relays.",
	    ROLE_VIEWER, VERB_CONSOLE, VERB_BOX, false, false },
	{ "who", "[--json]", "who is attached where",
	    "One line per session: id (see kick), console, user, from where, "
	    "since when, how long idle, and who has the pen.",
	    ROLE_VIEWER, VERB_CONSOLE, VERB_BOX, false, false },
	{ "last", "[-n N] [--since T] [--json]",
	    "who logged in, and who was refused",
	    "The newest N (50) first: when, who, by which way and key, from "
	    "where, for how long, and how it ended.  An address behind a "
	    "relay is what the relay says.  Of names that are none of ours "
	    "only a ? is shown, for they may be passwords.  What happens "
	    "again and again is counted.  It comes from the box's journal: "
	    "log .box has everything there.  " TIMES,
	    ROLE_ADMIN, VERB_READER, VERB_BOX, false, false },
	{ "digest", "[CONSOLE] [--json]",
	    "what happened since you were last there",
	    "New lines, who was attached, alerts, reboots, losses of the "
	    "line, since you last left the console (or were cut off).  "
	    "Shown when you attach, too, unless digest = false says no.",
	    ROLE_VIEWER, VERB_CONSOLE, VERB_FIRST, false, false },
	{ "log", "[CONSOLE] [--since T] [--until T] [--tail N] [--follow] "
	    "[--raw | --text | --json] [--events]",
	    "show the record",
	    "One line per line of the console with the UTC time of its first "
	    "byte, made safe for a terminal.  --raw: the exact bytes the "
	    "device sent.  --text: lines without times.  --json: an object per "
	    "line.  --events: what happened (who attached, typed, took the "
	    "pen; break, note, line lost), without the lines; with --text or "
	    "--json between them.  --follow goes on until interrupted, or "
	    "until the right to read ends (status 4).  An "
	    "admin's .box is the box's own journal: logins, rights, links, "
	    "seals; it has events only.  " TIMES,
	    ROLE_VIEWER, VERB_READER, VERB_ANY, false, true },
	{ "grep", "[-i] [-c] [-C N] [-m N] [--since T] [--until T] [--json] "
	    "REGEX [CONSOLE...]",
	    "search the record",
	    "Lines that match the extended regular expression, with their "
	    "times, terminal sequences removed first; of all consoles that "
	    "you may see, unless some are named.  -C shows N lines around "
	    "each, -m ends after N, -c counts them, -i takes upper and lower "
	    "case for the same, --json makes an object of each.  -- may stand "
	    "before an expression that begins with a dash.  The exit status "
	    "is 1 when nothing matched.  " TIMES,
	    ROLE_VIEWER, VERB_READER, VERB_LAST, false, false },
	{ "replay", "[CONSOLE] [--at T] [--until T] [--speed X] [--idle S] "
	    "[--raw]",
	    "play the record back in time",
	    "With a terminal the last line tells position, length and time, "
	    "and keys go elsewhere: space pauses, . makes one step, + and - "
	    "change the speed, left and right go 10 seconds, up and down one "
	    "minute, n and p to the next event and the one before, / and ? "
	    "search on and back, N again, g goes to a time, h shows all of "
	    "them, q ends.  The screen is as it was then.  --speed 4 is four "
	    "times as fast; --idle 2 makes no pause longer than 2 seconds.  "
	    "What could do more to a terminal than draw is taken out, unless "
	    "--raw.  Into a pipe goes text, at its pace.  " TIMES,
	    ROLE_VIEWER, VERB_READER, VERB_ANY, true, false },
	{ "export", "[CONSOLE] --since T [--until T] --format FORMAT "
	    "[--idle S] [--size SIZE] [--raw] [--state DIR] [--crash ID]",
	    "the record for other people's tools",
	    "FORMAT is cast2 or cast3 (asciinema), html (a page of its own "
	    "that plays it and says what verify says of that span), "
	    "script (an archive for tar x, with what scriptreplay "
	    "takes), ttyrec or text; it goes to standard "
	    "output.  Events become markers.  What could do more to a "
	    "terminal than draw is taken out, unless --raw.  --idle 2 makes "
	    "no pause longer than 2 seconds; SIZE is that of the terminal, "
	    "80x24 by default; --state, for -D, is the state folder, whose "
	    "key a page trusts.  --crash, with neither time nor format, "
	    "fetches a crash bundle instead: what was printed before and "
	    "after a panic or a reboot, as status lists them; ID is a "
	    "number, or last.  " TIMES,
	    ROLE_VIEWER, VERB_READER, VERB_ANY, false, false },
	{ "verify", "[CONSOLE] [--key FILE] [--seal N:HASH] [--state DIR] "
	    "[--json]",
	    "check that the record is as it was written",
	    "By its seals, the box's journal and the signatures there: what "
	    "was edited, removed, added, moved, cut off or replaced by an "
	    "older copy is named, with its line.  --key is the public key to "
	    "trust; --seal a seal that status printed or a notification "
	    "brought, which must be there; --state, for -D, the state "
	    "folder.  What is not sealed yet is no error.  .box: the box's "
	    "journal alone, for admins.  The way by hand is in journal.md.",
	    ROLE_VIEWER, VERB_READER, VERB_ANY, false, true },
	{ "break", "[CONSOLE]", "send a BREAK",
	    "Send a BREAK on the line.  Everyone attached is told, the journal "
	    "says who.  A BREAK halts some hosts.",
	    ROLE_OPERATOR, VERB_CONSOLE, VERB_FIRST, false, false },
	{ "note", "[CONSOLE] TEXT", "write a note into the journal",
	    "The note stands in the console's journal with your name, and is "
	    "shown to everyone attached.",
	    ROLE_OPERATOR, VERB_CONSOLE, VERB_FIRST, false, false },
	{ "say", "[CONSOLE] TEXT", "say something to everyone attached",
	    "Shown to everyone attached to the console, and journalled.",
	    ROLE_OPERATOR, VERB_CONSOLE, VERB_FIRST, false, false },
	{ "kick", "ID", "end a session",
	    "End the session with this id (see who).",
	    ROLE_OPERATOR, VERB_CONSOLE, VERB_BOX, false, false },
	{ "grant", "[--json] | USER CONSOLE DURATION [ROLE]",
	    "give a right to a console for a while",
	    "For DURATION, like 90s, 30min or 4h (a bare number is minutes; 7d "
	    "at most), USER may use CONSOLE as viewer, or as what ROLE "
	    "says: viewer or operator.  It holds at once, also for sessions "
	    "that are attached; given again it lasts DURATION from then on.  "
	    "Its user is warned 5 minutes before its end, and detached then, "
	    "or loses the pen.  It survives a restart and a reboot; "
	    "oobd(8) says how clocks count.  Needs the role admin.  Alone it "
	    "lists the grants: an admin's consoles', or one's own.",
	    ROLE_VIEWER, VERB_CONSOLE, VERB_BOX, false, false },
	{ "revoke", "USER [CONSOLE]",
	    "take back what grant gave",
	    "For CONSOLE, or all consoles.  It holds at once: who is attached "
	    "by it alone is detached.",
	    ROLE_ADMIN, VERB_CONSOLE, VERB_BOX, false, false },
	{ "set", "CONSOLE speed RATE | mode MODE | flow FLOW | default",
	    "change a line's settings for now",
	    "Until the next reload, or until default is set: for a router in "
	    "its boot monitor at 9600.  MODE is like 8N1; FLOW is none, rtscts "
	    "or xonxoff.  Journalled.",
	    ROLE_OPERATOR, VERB_CONSOLE, VERB_FIRST, false, false },
	{ "link", "status [--json] | up [DURATION] [--force | --existing] | "
	    "down | extend DURATION | drill",
	    "the way out through relays",
	    "up starts what relays with when = activated follow, and holds it "
	    "for DURATION, hold of the configuration by default; asked for "
	    "again it lasts the longer of both.  Where there is a modem it "
	    "dials; --existing takes the uplink that is there anyway, --force "
	    "dials although the budget of bytes is used up.  It is extended "
	    "while someone is attached, up to max_hold, and everyone attached "
	    "is warned before it ends.  DURATION is like 90s, 30min or 4h; a "
	    "bare number is minutes.  drill tries the whole way now, as the configured "
	    "drill does, and tells each step: the link comes up, oobd logs in "
	    "to itself through a relay, gets an echo, and takes the link down "
	    "again; it is refused while the link is up.  All but status need "
	    "the role operator.",
	    ROLE_VIEWER, VERB_MODEM, VERB_BOX, false, false },
	{ "modem", "status [--json] | reset | retry-pin | modem-only",
	    "the mobile modem",
	    "status: what it is, its network, ports and repairs.  reset "
	    "restarts it, unless the link is up over it; needs the role "
	    "operator.  retry-pin tries the PIN once more after it was not "
	    "taken, at the cost of one of the SIM's attempts; modem-only "
	    "makes a stick be no CD-ROM first when it is plugged in, which it "
	    "remembers for good; both need the role admin.",
	    ROLE_VIEWER, VERB_MODEM, VERB_BOX, false, false },
	{ "relay", "status [--json] [NAME] | test [NAME] | "
	    "keygen [-f CONFIG] [NAME]",
	    "the relays that lead here",
	    "status: a few lines per relay.  test: go through every step to "
	    "the relay and back to this box, with the time that each took; "
	    "where it stands already, only the way back is tried, and the "
	    "times are those of when it was made; needs the role operator.  "
	    "keygen makes the key by which this box logs in there, unless "
	    "there is one, and prints its line for authorized_keys; oobctl "
	    "does it alone, as root or as the service user.",
	    ROLE_VIEWER, VERB_SSH, VERB_BOX, false, false },
	{ "ssh-config", "", "what to put into your ~/.ssh/config",
	    "A Host block per way to this box through its relays, and the "
	    "line for known_hosts.",
	    ROLE_VIEWER, VERB_SSH, VERB_BOX, false, false },
	{ "sms", "decode HEX [--json] | send NUMBER TEXT", "short messages",
	    "decode: what stands in a PDU as a modem shows it, the address of "
	    "the SMS centre in front; oobctl does it alone, without daemon "
	    "and modem.  send: queue a message for NUMBER, like +46701234567, "
	    "within the limits of the modem's section, and wait up to a "
	    "minute until it is sent; needs the role operator.  It says sent, "
	    "queued (and is tried for a day), or why not.",
	    ROLE_VIEWER, VERB_TOOL, VERB_BOX, false, false },
	{ "code", "[-f CONFIG] new NAME [--totp] [--force] [--paper N] | "
	    "list [NAME] [--paper N] | check NAME CODE | "
	    "resync NAME CODE CODE | remove NAME",
	    "one-time codes for commands by SMS",
	    "new makes a secret for the admin NAME and shows it once: a URI "
	    "and a QR code for an authenticator app that can show eight "
	    "digits, and N codes on paper (20).  They go by a counter; "
	    "--totp: by time, good only while a clock can be trusted, and "
	    "not on paper.  --force ends the codes that NAME has.  list shows "
	    "who has which, how many were used, and with --paper the next N.  "
	    "check says whether a code would be accepted, and spends nothing.  "
	    "resync takes two codes in a row and moves a counter that fell "
	    "behind by more than 20.  Where CODE is -, or missing, it is read "
	    "from standard input.  oobctl does all this alone, as root or as "
	    "the service user, in state_dir of CONFIG.",
	    ROLE_ADMIN, VERB_TOOL, VERB_BOX, false, false },
	{ "user", "[-f CONFIG] passwd NAME [--remove]",
	    "a user's password, for logins without a key",
	    "Reads the new password of the user NAME twice from a terminal, or "
	    "once from standard input; --remove takes it away.  Of use to "
	    "users with password+code in require: a password alone lets "
	    "nobody in, so they need codes, too: code new.  oobctl does "
	    "this alone, as root or as the service user, in state_dir of "
	    "CONFIG.",
	    ROLE_ADMIN, VERB_TOOL, VERB_BOX, false, false },
	{ "notify", "test [NAME]", "tell people, to see whether it works",
	    "Tries once to tell every sink of the configuration, or the one "
	    "called NAME, that this is a test, and says how that went; "
	    "nothing of it waits or is repeated.",
	    ROLE_ADMIN, VERB_NOTIFY, VERB_BOX, false, false },
	{ "help", "[VERB]", "this list, or more about a verb",
	    "Without VERB: every verb and every escape key.",
	    ROLE_VIEWER, VERB_CLIENT, VERB_BOX, false, false },
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* Second words.  A verb that is here at all takes none but these. */
static const struct {
	const char *verb, *name;
	enum role role;
	enum verb_where where;
} subs[] = {
	{ "link",	"status",	ROLE_VIEWER,	VERB_MODEM },
	{ "link",	"up",		ROLE_OPERATOR,	VERB_MODEM },
	{ "link",	"down",		ROLE_OPERATOR,	VERB_MODEM },
	{ "link",	"extend",	ROLE_OPERATOR,	VERB_MODEM },
	{ "link",	"drill",	ROLE_OPERATOR,	VERB_MODEM },
	{ "modem",	"status",	ROLE_VIEWER,	VERB_MODEM },
	{ "modem",	"reset",	ROLE_OPERATOR,	VERB_MODEM },
	{ "modem",	"retry-pin",	ROLE_ADMIN,	VERB_MODEM },
	{ "modem",	"modem-only",	ROLE_ADMIN,	VERB_MODEM },
	{ "relay",	"status",	ROLE_VIEWER,	VERB_SSH },
	{ "relay",	"test",		ROLE_OPERATOR,	VERB_SSH },
	{ "relay",	"keygen",	ROLE_VIEWER,	VERB_TOOL },
	{ "notify",	"test",		ROLE_ADMIN,	VERB_NOTIFY },
	{ "sms",	"decode",	ROLE_VIEWER,	VERB_TOOL },
	{ "sms",	"send",		ROLE_OPERATOR,	VERB_MODEM },
};

const struct verb *
verb_at(size_t i)
{
	return i < VERBS ? &verbs[i] : NULL;
}

const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < VERBS; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

/* The usage has this option with a value behind it. */
static bool
takes_value(const struct verb *v, const char *option)
{
	size_t n = strlen(option);
	const char *p = v->args;

	while ((p = strstr(p, option)) != NULL) {
		if (p > v->args && (p[-1] == '[' || p[-1] == ' ') &&
		    p[n] == ' ')
			return isupper((unsigned char)p[n + 1]) != 0;
		p++;
	}
	return false;
}

void
verb_split(const struct verb *v, int argc, char *const argv[],
    struct verb_words *w)
{
	bool only_plain = false;

	w->noptions = w->nplain = 0;
	for (int i = 1; i < argc && i < ARGS_MAX; i++) {
		if (!only_plain && strcmp(argv[i], "--") == 0) {
			only_plain = true;
		} else if (only_plain || *argv[i] != '-') {
			w->plain[w->nplain++] = argv[i];
		} else {
			w->options[w->noptions++] = argv[i];
			if (takes_value(v, argv[i]) && i + 1 < argc)
				w->options[w->noptions++] = argv[++i];
		}
	}
}

struct verb_call
verb_call(int argc, char *const argv[])
{
	struct verb_call c = { .verb = verb_find(argv[0]) };

	if (c.verb == NULL)
		return c;
	c.role = c.verb->role;
	c.where = c.verb->where;
	snprintf(c.name, sizeof(c.name), "%s", c.verb->name);
	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++) {
		if (strcmp(subs[i].verb, c.verb->name) != 0)
			continue;
		c.usage = true;
		if (argc < 2 || strcmp(subs[i].name, argv[1]) != 0)
			continue;
		c.usage = false;
		c.role = subs[i].role;
		c.where = subs[i].where;
		snprintf(c.name, sizeof(c.name), "%s %s", subs[i].verb,
		    subs[i].name);
		break;
	}
	return c;
}

struct out {
	verbs_print_fn *print;
	void *arg;
};

static void put(const struct out *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
put(const struct out *o, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	o->print(o->arg, text);
}

static const char *
blank_before(const char *args)
{
	return *args == '\0' ? "" : " ";
}

void
verbs_usage(const struct verb *v, verbs_print_fn *print, void *arg)
{
	struct out o = { print, arg };

	put(&o, "usage: %s%s%s\n", v->name, blank_before(v->args), v->args);
}

/* Text in lines of at most 76 columns, indented. */
static void
put_wrapped(const struct out *o, const char *text, const char *indent)
{
	size_t width = 76 - strlen(indent);

	while (*text != '\0') {
		size_t n = strlen(text);

		if (n > width) {
			n = width;
			while (n > 1 && text[n] != ' ')
				n--;
			while (n > 1 && text[n - 1] == ' ')
				n--;
		}
		put(o, "%s%.*s\n", indent, (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
}

static void
help_all(const struct out *o)
{
	struct keys_help k;

	put(o, "Verbs (help VERB says more):\n");
	for (size_t i = 0; i < VERBS; i++) {
		put(o, "  %-7s %s\n", verbs[i].name, verbs[i].help);
	}
	put(o, "\nKeys in a terminal session, after ^Ec:\n");
	for (size_t i = 0; keys_help_at(i, &k); i++)
		put(o, "  %-8s%s\n", k.key, k.help);
}

static void
help_one(const struct out *o, const struct verb *v)
{
	verbs_usage(v, o->print, o->arg);
	put(o, "\n");
	put_wrapped(o, v->more, "  ");
	if (v->role != ROLE_VIEWER)
		put(o, "\n  Needs the role %s.\n",
		    v->role == ROLE_ADMIN ? "admin" : "operator");
}

/* One word of an argument text as an mdoc macro. */
static void
mdoc_word(const struct out *o, const char *w, size_t n)
{
	if (n > 2 && strncmp(w, "--", 2) == 0)
		put(o, " Fl -%.*s", (int)(n - 2), w + 2);
	else if (n > 1 && *w == '-')
		put(o, " Fl %.*s", (int)(n - 1), w + 1);
	else if (n == 1 && *w == '|')
		put(o, " |");
	else if (isupper((unsigned char)*w))
		put(o, " Ar %.*s", (int)n, w);
	else
		put(o, " Cm %.*s", (int)n, w);
}

static void
mdoc_args(const struct out *o, const char *args)
{
	while (*args != '\0') {
		size_t n = strcspn(args, " []");

		if (n > 0)
			mdoc_word(o, args, n);
		else if (*args == '[')
			put(o, " Oo");
		else if (*args == ']')
			put(o, " Oc");
		args += n > 0 ? n : 1;
	}
}

/* One piece of a line as roff must see it to print what is written. */
static void
mdoc_escaped(const struct out *o, const char *p, size_t n)
{
	if (n > 0 && (*p == '.' || *p == '\''))
		put(o, "\\&");
	for (; n > 0; n--, p++) {
		if (*p == '-')
			put(o, "\\-");
		else if (*p == '^')
			put(o, "\\(ha");
		else
			put(o, "%c", *p);
	}
}

/* Sentences for mdoc: each begins a line, none is longer than 72 columns. */
static void
mdoc_text(const struct out *o, const char *text)
{
	while (*text != '\0') {
		const char *stop = strstr(text, ".  ");
		size_t n = stop != NULL ? (size_t)(stop - text) + 1 :
		    strlen(text);

		if (n > 72) {
			n = 72;
			while (n > 1 && text[n] != ' ')
				n--;
		}
		mdoc_escaped(o, text, n);
		put(o, "\n");
		text += n;
		text += strspn(text, " ");
	}
}

static void
help_mdoc(const struct out *o)
{
	struct keys_help k;

	put(o, ".Sh VERBS\n.Bl -tag -width Ds\n");
	for (size_t i = 0; i < VERBS; i++) {
		put(o, ".It Ic %s", verbs[i].name);
		mdoc_args(o, verbs[i].args);
		put(o, "\n");
		mdoc_text(o, verbs[i].more);
		if (verbs[i].role != ROLE_VIEWER)
			put(o, "Needs the role %s.\n",
			    verbs[i].role == ROLE_ADMIN ? "admin" :
			    "operator");
	}
	put(o, ".El\n.Sh ESCAPE KEYS\n"
	    "In a terminal session, after the lead-in\n"
	    ".Ql \\(haEc\n"
	    "(control-E and the letter c):\n"
	    ".Bl -tag -width Ds\n");
	for (size_t i = 0; keys_help_at(i, &k); i++) {
		if (*k.key == '^')
			put(o, ".It Ic \\(ha%s\n", k.key + 1);
		else
			put(o, ".It Ic %s%s\n",
			    ispunct((unsigned char)*k.key) ? "\\&" : "", k.key);
		mdoc_text(o, k.more);
	}
	put(o, ".El\n");
}

int
verbs_help(int argc, char *const argv[], verbs_print_fn *print, void *arg)
{
	struct out o = { print, arg };
	const struct verb *v;
	char name[64];

	if (argc <= 1) {
		help_all(&o);
		return ST_OK;
	}
	if (argc > 2) {
		verbs_usage(verb_find("help"), print, arg);
		return ST_USAGE;
	}
	if (strcmp(argv[1], "--mdoc") == 0) {
		help_mdoc(&o);
		return ST_OK;
	}
	v = verb_find(argv[1]);
	if (v == NULL) {
		put(&o, "no such verb: %s; help lists them\n",
		    str_safe(name, sizeof(name), argv[1], strlen(argv[1])));
		return ST_USAGE;
	}
	help_one(&o, v);
	return ST_OK;
}

int
verbs_with_console(const struct words *w, const char *console,
    bool (*is_console)(void *arg, const char *name), void *arg,
    char *out[ARGS_MAX + 1])
{
	const struct verb *v = verb_find(w->argv[0]);
	bool named = console == NULL || v == NULL || v->target == VERB_BOX;
	int last = w->argc, n = 0;
	struct verb_words words;

	if (!named && v->target == VERB_FIRST && last > 2)
		last = 2;
	if (!named && v->target == VERB_LAST) {
		verb_split(v, w->argc, w->argv, &words);
		named = words.nplain > 1;
	}
	for (int i = 1; i < last && !named && v->target != VERB_LAST; i++)
		named = is_console(arg, w->argv[i]);
	if (w->argc + (named ? 0 : 1) > ARGS_MAX)
		return -1;
	out[n++] = w->argv[0];
	if (!named && v->target != VERB_LAST)
		out[n++] = (char *)(uintptr_t)console;
	for (int i = 1; i < w->argc; i++)
		out[n++] = w->argv[i];
	if (!named && v->target == VERB_LAST)
		out[n++] = (char *)(uintptr_t)console;
	out[n] = NULL;
	return n;
}
