#include <sys/types.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../auth/codes.h"
#include "base/mem.h"
#include "base/str.h"
#include "code_tool.h"
#include "config.h"
#include "qr.h"
#include "tool_state.h"
#include "tool_tell.h"
#include "verbs.h"

#define WORDS_MAX 4
#define PAPER 20		/* codes on a sheet */
#define PAPER_MAX 200
#define PAPER_ROW 4

struct call {
	const char *config;
	const char *words[WORDS_MAX];	/* "new", "alice" */
	int nwords;
	bool totp, force;
	int64_t paper;			/* -1: not asked for */
	const struct config *conf;
	struct codes *codes;
};

struct action {
	const char *name;
	int min, max;			/* words */
	int (*run)(struct call *);
	const char *told;	/* for the box's journal; NULL: changes nothing */
};

static void
print(void *arg, const char *text)
{
	fputs(text, arg);
}

static int
usage(void)
{
	verbs_usage(verb_find("code"), print, stderr);
	return ST_USAGE;
}

/* What errno of codes.h means for this admin. */
static int
complain(const struct call *c, const char *name)
{
	const char *path = codes_path(c->codes);

	switch (errno) {
	case EEXIST:
		fprintf(stderr, "oobctl: %s has codes already; --force makes "
		    "new ones, and the old ones end\n", name);
		break;
	case ENOENT:
		fprintf(stderr, "oobctl: %s has no codes; oobctl code new %s "
		    "makes some\n", name, name);
		break;
	case EINVAL:
		fprintf(stderr, "oobctl: %s: a name is letters, digits, . _ "
		    "and -, at most 32, and begins with a letter or digit\n",
		    name);
		break;
	case EBADMSG:
		fprintf(stderr, "oobctl: %s/%s: damaged; oobctl code new %s "
		    "--force replaces it\n", path, name, name);
		break;
	case E2BIG:
		fprintf(stderr, "oobctl: %s: %d admins have codes, no more "
		    "fit; oobctl code remove takes some away\n", path,
		    CODES_MAX);
		break;
	case EBUSY:
		fprintf(stderr, "oobctl: %s: somebody else is changing it, try "
		    "again\n", path);
		break;
	case EACCES:
	case EPERM:
		fprintf(stderr, "oobctl: %s: %s: only root and the service "
		    "user may see codes\n", path, strerror(errno));
		break;
	default:
		fprintf(stderr, "oobctl: %s/%s: %s\n", path, name,
		    strerror(errno));
		break;
	}
	return ST_FAILED;
}

/* n codes from the counter on, in rows. */
static void
put_paper(const struct codes_record *r, int64_t n)
{
	char code[OTP_CODE];

	for (int64_t i = 0; i < n; i++) {
		if (otp_code(&r->secret, r->counter + (uint64_t)i, code) == -1)
			break;
		printf("%5" PRIu64 "  %s%s", r->counter + (uint64_t)i, code,
		    i % PAPER_ROW == PAPER_ROW - 1 || i == n - 1 ? "\n" :
		    "   ");
	}
	explicit_bzero(code, sizeof(code));
}

static void
put_sheet(const struct call *c, const struct codes_record *r, int64_t n)
{
	if (r->totp || n == 0)
		return;
	printf("Paper codes of %s for %s.  Use them in this order, each works "
	    "once, and\nnone before it works after it; that goes for the app's "
	    "codes, too.\n\n", r->name, c->conf->name);
	put_paper(r, n);
	printf("\nSend by SMS, for example: oob up 60 CODE\n");
}

static int
run_new(struct call *c)
{
	struct codes_record r;
	char *uri, *qr;

	if (codes_new(c->codes, c->words[1], c->totp, c->force, &r) == -1) {
		explicit_bzero(&r, sizeof(r));
		return complain(c, c->words[1]);
	}
	uri = otp_uri(&r.secret, r.totp, c->conf->name, r.name, r.counter);
	qr = qr_text(uri, isatty(STDOUT_FILENO));
	fprintf(stderr, "For an authenticator app that can show eight digits; "
	    "shown only now:\n");
	printf("%s\n\n", uri);
	if (qr != NULL)
		printf("%s\n", qr);
	put_sheet(c, &r, c->paper == -1 ? PAPER : c->paper);
	freezero(uri, strlen(uri));
	if (qr != NULL)
		freezero(qr, strlen(qr));
	explicit_bzero(&r, sizeof(r));
	return ST_OK;
}

static int
list_one(struct call *c, const char *name)
{
	struct codes_record r;
	char made[32] = "";
	time_t t;
	struct tm tm;

	if (codes_get(c->codes, name, &r) == -1)
		return complain(c, name);
	t = (time_t)r.made;
	if (gmtime_r(&t, &tm) != NULL)
		strftime(made, sizeof(made), "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("%-16s  %s  %10" PRIu64 "  %6" PRIu64 "  %s\n", r.name,
	    r.totp ? "totp" : "hotp", r.counter, r.used, made);
	if (c->paper > 0 && !r.totp) {
		printf("\n");
		put_sheet(c, &r, c->paper);
	} else if (c->paper > 0) {
		fprintf(stderr, "oobctl: %s has time-based codes, which cannot "
		    "be put on paper\n", name);
	}
	explicit_bzero(&r, sizeof(r));
	return ST_OK;
}

static int
run_list(struct call *c)
{
	struct codes_names *names = xcalloc(1, sizeof(*names));
	int status = ST_OK;

	if (codes_list(c->codes, names) == -1) {
		status = complain(c, "");
	} else if (c->nwords == 2) {
		snprintf(names->name[0], CODES_NAME, "%s", c->words[1]);
		names->n = 1;
	}
	if (status == ST_OK && names->n == 0)
		fprintf(stderr, "oobctl: nobody has codes yet; oobctl code new "
		    "NAME makes some\n");
	else if (status == ST_OK)
		printf("%-16s  %s  %10s  %6s  %s\n", "NAME", "KIND", "COUNTER",
		    "USED", "MADE");
	for (size_t i = 0; i < names->n; i++) {
		if (list_one(c, names->name[i]) != ST_OK)
			status = ST_FAILED;
	}
	free(names);
	return status;
}

/* The code as argument, or, to keep it from others' eyes, from input. */
static const char *
code_word(const struct call *c, int i, char *line, size_t size)
{
	if (c->nwords > i && strcmp(c->words[i], "-") != 0)
		return c->words[i];
	if (isatty(STDIN_FILENO))
		fprintf(stderr, "code: ");
	if (fgets(line, (int)size, stdin) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

static int
tell_look(const struct call *c, enum codes_verdict v,
    const struct codes_match *m)
{
	const char *name = c->words[1];

	switch (v) {
	case CODES_GOOD:
		if (m->ahead <= CODES_AHEAD) {
			printf("%s: good, at counter %" PRIu64 " + %" PRIu64
			    "\n", name, m->counter - m->ahead, m->ahead);
			return ST_OK;
		}
		printf("%s: too far ahead, at counter %" PRIu64 " + %" PRIu64
		    ", and only %d are looked at: oobctl code resync %s CODE "
		    "NEXT-CODE\n", name, m->counter - m->ahead, m->ahead,
		    CODES_AHEAD, name);
		return ST_FAILED;
	case CODES_USED:
		printf("%s: used or passed over already, at counter %" PRIu64
		    "\n", name, m->counter);
		return ST_FAILED;
	case CODES_WRONG:
	case CODES_FAR:
		printf("%s: wrong\n", name);
		return ST_FAILED;
	case CODES_NONE:
	case CODES_FAILED:
		break;
	}
	return complain(c, name);
}

static int
run_check(struct call *c)
{
	struct codes_record r;
	struct codes_match m;
	enum codes_verdict v;
	char line[64];
	struct codes_query q = {
		.time = { .trusted = true, .now = (int64_t)time(NULL) },
		.totp = true,
	};

	/* Says what is wrong with the name or the file before it asks. */
	if (codes_get(c->codes, c->words[1], &r) == -1)
		return complain(c, c->words[1]);
	q.code = code_word(c, 2, line, sizeof(line));
	v = codes_look(c->codes, c->words[1], &q, &m);
	if (v == CODES_GOOD && r.totp)
		m.ahead = 0;
	explicit_bzero(&r, sizeof(r));
	explicit_bzero(line, sizeof(line));
	return tell_look(c, v, &m);
}

static int
run_resync(struct call *c)
{
	const char *name = c->words[1];
	char one[64], two[64];
	const char *first = code_word(c, 2, one, sizeof(one));
	const char *second = code_word(c, 3, two, sizeof(two));
	struct codes_match m;
	enum codes_verdict v = codes_resync(c->codes, name, first, second, &m);

	explicit_bzero(one, sizeof(one));
	explicit_bzero(two, sizeof(two));
	switch (v) {
	case CODES_GOOD:
		printf("%s: counter moved to %" PRIu64 "\n", name,
		    m.counter + 2);
		return ST_OK;
	case CODES_USED:
		fprintf(stderr, "oobctl: %s: these are behind the counter; it "
		    "never moves back: take later codes, or make new ones\n",
		    name);
		return ST_FAILED;
	case CODES_WRONG:
		fprintf(stderr, "oobctl: %s: these are no two codes in a row "
		    "within the next %d\n", name, CODES_RESYNC);
		return ST_FAILED;
	case CODES_FAR:
		fprintf(stderr, "oobctl: %s has time-based codes: set the "
		    "clocks, there is no counter\n", name);
		return ST_FAILED;
	case CODES_NONE:
	case CODES_FAILED:
		break;
	}
	return complain(c, name);
}

static int
run_remove(struct call *c)
{
	if (codes_remove(c->codes, c->words[1]) == -1)
		return complain(c, c->words[1]);
	return ST_OK;
}

static const struct action actions[] = {
	{ "new", 2, 2, run_new, "new codes" },
	{ "list", 1, 2, run_list, NULL },
	{ "check", 2, 3, run_check, NULL },
	{ "resync", 2, 4, run_resync, "codes moved on" },
	{ "remove", 2, 2, run_remove, "codes removed" },
	{ NULL, 0, 0, NULL, NULL },
};

/* The option at argv[i]; how many words it has, -1: there is none such. */
static int
parse_option(struct call *c, int left, char *const argv[])
{
	const char *next = left > 1 ? argv[1] : "";

	if (strcmp(argv[0], "-f") == 0 && left > 1) {
		c->config = next;
		return 2;
	}
	if (strcmp(argv[0], "--paper") == 0) {
		c->paper = PAPER;
		return str_int(next, 0, PAPER_MAX, &c->paper) == 0 ? 2 : 1;
	}
	if (strcmp(argv[0], "--totp") == 0)
		c->totp = true;
	else if (strcmp(argv[0], "--force") == 0)
		c->force = true;
	else
		return -1;
	return 1;
}

static const struct action *
parse(struct call *c, int argc, char *const argv[])
{
	int n;

	for (int i = 1; i < argc; i += n) {
		n = 1;
		if (argv[i][0] == '-' && argv[i][1] != '\0')
			n = parse_option(c, argc - i, argv + i);
		else if (c->nwords < WORDS_MAX)
			c->words[c->nwords++] = argv[i];
		else
			n = -1;
		if (n == -1)
			return NULL;
	}
	for (const struct action *a = actions; a->name != NULL &&
	    c->nwords > 0; a++) {
		if (strcmp(a->name, c->words[0]) == 0)
			return c->nwords >= a->min && c->nwords <= a->max ? a :
			    NULL;
	}
	return NULL;
}

int
code_tool(int argc, char *const argv[])
{
	struct call c = { .config = config_default_path(), .paper = -1 };
	const struct action *action = parse(&c, argc, argv);
	struct config *conf;
	int status = ST_FAILED, daemon;

	if (action == NULL)
		return usage();
	conf = tool_config(c.config);
	if (conf == NULL)
		return ST_FAILED;
	c.conf = conf;
	daemon = action->told == NULL ? -1 : tool_connect(conf);
	if (tool_become_owner(conf) == 0) {
		c.codes = codes_open(conf->state_dir);
		status = action->run(&c);
		if (status == ST_OK && action->told != NULL) {
			tool_tell(conf, daemon, c.words[1], action->told);
			daemon = -1;
		}
		if (fflush(stdout) == EOF || ferror(stdout)) {
			fprintf(stderr, "oobctl: %s\n", strerror(errno));
			status = ST_FAILED;
		}
		codes_close(c.codes);
	}
	if (daemon != -1)
		close(daemon);
	config_free(conf);
	return status;
}
