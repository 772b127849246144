#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "config_internal.h"

#define FORWARDS_MAX 8		/* of a relay */
#define LIST_MAX 32		/* host keys, numbers, hosts to watch */
#define WATCH_MIN (60 * 1000)

/* Every one once, and not too many. */
static void
check_list(struct build *b, const char *name, char ***field, size_t n,
    size_t most)
{
	char **list = *field;
	char show[SHOW_TEXT];

	if (n > most)
		build_error(b, build_line(b, field, most), "%s: at most %zu "
		    "are allowed", name, most);
	for (size_t i = 0; i < n && i <= most; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(list[i], list[j]) != 0)
				continue;
			build_error(b, build_line(b, field, i), "%s \"%s\" is "
			    "there twice: remove one", name, build_show(show,
			    list[i]));
			break;
		}
	}
}

static void
check_relay(struct build *b, struct config_relay *r)
{
	check_list(b, "host_key", &r->host_keys, r->nhost_keys, LIST_MAX);
	check_list(b, "listen", &r->listen, r->nlisten, FORWARDS_MAX);
	if (r->ppp_only && b->conf->modem == NULL)
		build_error(b, build_line(b, &r->ppp_only, 0), "over \"ppp\": "
		    "there is no modem section: add one, or take over = "
		    "\"any\"");
}

static void
check_budget(struct build *b, const char *period, const uint64_t *soft,
    uint64_t hard)
{
	if (hard != 0 && *soft > hard)
		build_error(b, build_line(b, soft, 0), "%s_soft must not be "
		    "more than %s_limit: it warns before that", period,
		    period);
}

static void
check_modem(struct build *b, struct config_modem *m)
{
	if (m->password_file != NULL && m->user == NULL &&
	    !build_has(b, &m->user))
		build_error(b, build_line(b, &m->password_file, 0),
		    "password_file without a user: add user = \"NAME\"");
	check_budget(b, "day", &m->day_soft, m->day_hard);
	check_budget(b, "month", &m->month_soft, m->month_hard);
	if (m->sms_per_number > m->sms_per_day)		/* so it was given */
		build_error(b, build_line(b, &m->sms_per_number, 0),
		    "sms_per_number \"%u\": one number cannot get more than "
		    "sms_per_day (%u) are sent to all", m->sms_per_number,
		    m->sms_per_day);
}

static void
check_activation(struct build *b, struct config_activation *a)
{
	check_list(b, "from", &a->from, a->nfrom, LIST_MAX);
	check_list(b, "report", &a->report, a->nreport, LIST_MAX);
	check_list(b, "watch", &a->watch, a->nwatch, LIST_MAX);
	if (a->hold_ms > a->max_hold_ms)
		build_error(b, build_line(b, &a->hold_ms, 0), "hold must not "
		    "be longer than max_hold");
	if (a->watch_ms == 0)
		return;
	if (!build_has(b, &a->watch))
		build_error(b, build_line(b, &a->watch_ms, 0), "watch_for "
		    "without anything to watch: add watch = "
		    "{\"192.0.2.1:443\"}");
	if (a->watch_ms < WATCH_MIN)
		build_error(b, build_line(b, &a->watch_ms, 0), "watch_for: "
		    "give 1min or more, or 0 for never");
	if (a->nwatch == 0)
		a->watch_ms = 0;
}

/*
 * Notify: what each type has.
 */
enum notify_option {
	HAS_URL = 1,
	HAS_TOKEN = 2,
	HAS_USER = 4,
	HAS_SECRET = 8,
	HAS_COMMAND = 16,
	HAS_TO = 32,
	HAS_CA = 64,
};

static const struct {
	const char *name;
	unsigned needs, may;
} notify_types[] = {
	[NOTIFY_PUSHOVER] = { "pushover", HAS_TOKEN | HAS_USER,
	    HAS_URL | HAS_CA },
	[NOTIFY_NTFY] = { "ntfy", HAS_URL, HAS_TOKEN | HAS_CA },
	[NOTIFY_WEBHOOK] = { "webhook", HAS_URL | HAS_SECRET, HAS_CA },
	[NOTIFY_EXEC] = { "exec", HAS_COMMAND, 0 },
	[NOTIFY_SMS] = { "sms", HAS_TO, 0 },
};

static const struct {
	enum notify_option bit;
	const char *name;
	size_t at;
	const char *how;
} notify_options[] = {
	{ HAS_URL, "url", offsetof(struct config_notify, url),
	    "url = \"https://...\"" },
	{ HAS_TOKEN, "token_file", offsetof(struct config_notify, token_file),
	    "token_file = \"PATH\"" },
	{ HAS_USER, "user_file", offsetof(struct config_notify, user_file),
	    "user_file = \"PATH\"" },
	{ HAS_SECRET, "secret_file", offsetof(struct config_notify,
	    secret_file), "secret_file = \"PATH\", the key that signs" },
	{ HAS_COMMAND, "command", offsetof(struct config_notify, command),
	    "command = \"/PATH\"" },
	{ HAS_TO, "to", offsetof(struct config_notify, numbers),
	    "to = {\"+46701234567\"}" },
	{ HAS_CA, "ca_file", offsetof(struct config_notify, ca_file),
	    "ca_file = \"PATH\"" },
};

static void
check_notify(struct build *b, struct config_notify *n)
{
	const char *type = notify_types[n->type].name;
	unsigned needs = notify_types[n->type].needs;
	unsigned all = needs | notify_types[n->type].may;
	char show[SHOW_TEXT];

	build_show(show, n->name);
	check_list(b, "to", &n->numbers, n->nnumbers, LIST_MAX);
	if (build_line(b, &n->type, 0) == 0)
		return;		/* its type is not known */
	for (size_t i = 0; i < sizeof(notify_options) /
	    sizeof(notify_options[0]); i++) {
		unsigned bit = notify_options[i].bit;
		bool has = build_line(b, (char *)n + notify_options[i].at,
		    BUILD_WHOLE) > 0;

		if ((needs & bit) && !has)
			build_error(b, n->file_line, "notify \"%s\" has no "
			    "%s, which type \"%s\" needs: add %s", show,
			    notify_options[i].name, type,
			    notify_options[i].how);
		else if (has && !(all & bit))
			build_error(b, n->file_line, "notify \"%s\": type "
			    "\"%s\" has no use for %s: remove it", show, type,
			    notify_options[i].name);
	}
	if (n->url != NULL && strncmp(n->url, "http:", 5) == 0 &&
	    n->token_file != NULL)
		build_error(b, build_line(b, &n->url, 0), "url: http would "
		    "send the token in clear, write https");
	if (n->type == NOTIFY_SMS && b->conf->modem == NULL)
		build_error(b, n->file_line, "notify \"%s\" sends SMS, and "
		    "there is no modem section: add one", show);
}

void
config_check_way(struct build *b)
{
	struct config *c = b->conf;

	for (size_t i = 0; i < c->nrelays; i++)
		check_relay(b, &c->relays[i]);
	if (c->modem != NULL)
		check_modem(b, c->modem);
	check_activation(b, &c->activation);
	for (size_t i = 0; i < c->nnotifies; i++)
		check_notify(b, &c->notifies[i]);
}

/*
 * Files.
 */

/* What is at path; false with a complaint when it is not a file. */
static bool
stat_file(struct build *b, const char *name, char *const *field,
    struct stat *st, const char *remedy)
{
	int line = build_line(b, field, 0);
	char show[SHOW_TEXT];

	build_show(show, *field);
	if (stat(*field, st) == -1) {
		build_error(b, line, "%s \"%s\": %s%s", name, show,
		    strerror(errno), errno == ENOENT ? remedy : "");
		return false;
	}
	if (!S_ISREG(st->st_mode)) {
		build_error(b, line, "%s \"%s\": this is not a file", name,
		    show);
		return false;
	}
	return true;
}

/* The processes that read secrets are not root. */
static void
check_owner(struct build *b, const char *name, char *const *field,
    const struct stat *st)
{
	const char *user = b->conf->service_user;
	const struct passwd *pw;
	char show[SHOW_TEXT];

	if (geteuid() != 0 || user == NULL || (pw = getpwnam(user)) == NULL ||
	    st->st_uid == pw->pw_uid)
		return;
	build_show(show, *field);
	build_error(b, build_line(b, field, 0), "%s \"%s\": the daemon runs "
	    "as %s and could not read it: chown %s %s", name, show, user,
	    user, show);
}

/* A file with a secret in it; NULL: none. */
static void
check_secret(struct build *b, const char *name, char *const *field)
{
	char show[SHOW_TEXT];
	struct stat st;

	if (*field == NULL || !stat_file(b, name, field, &st, ": make it, and "
	    "chmod 600"))
		return;
	build_show(show, *field);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		build_error(b, build_line(b, field, 0), "%s \"%s\": others "
		    "than its owner may read it: chmod 600 %s", name, show,
		    show);
	else if (st.st_size == 0)
		build_error(b, build_line(b, field, 0), "%s \"%s\": this file "
		    "is empty", name, show);
	else
		check_owner(b, name, field, &st);
}

/* A program that we run; NULL: none. */
static void
check_program(struct build *b, const char *name, char *const *field,
    bool as_root)
{
	char show[SHOW_TEXT];
	struct stat st;

	if (*field == NULL || !stat_file(b, name, field, &st, ""))
		return;
	build_show(show, *field);
	if (!(st.st_mode & S_IXUSR))
		build_error(b, build_line(b, field, 0), "%s \"%s\": this is "
		    "no program: chmod 755 %s", name, show, show);
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		build_error(b, build_line(b, field, 0), "%s \"%s\": others "
		    "than its owner may change it: chmod go-w %s", name, show,
		    show);
	else if (as_root && geteuid() == 0 && st.st_uid != 0)
		build_error(b, build_line(b, field, 0), "%s \"%s\": it is run "
		    "as root and belongs to somebody else: chown root %s",
		    name, show, show);
}

/* Certificates, which are no secret; NULL: none. */
static void
check_ca(struct build *b, char *const *field)
{
	struct stat st;

	if (*field != NULL)
		stat_file(b, "ca_file", field, &st, "");
}

void
config_check_files(struct build *b)
{
	struct config *c = b->conf;

	for (size_t i = 0; i < c->nrelays; i++) {
		/* "relay keygen" makes it. */
		config_check_folder(b, "identity", &c->relays[i].identity);
		if (c->relays[i].identity != NULL &&
		    access(c->relays[i].identity, F_OK) == 0)
			check_secret(b, "identity", &c->relays[i].identity);
	}
	if (c->modem != NULL) {
		check_secret(b, "password_file", &c->modem->password_file);
		check_secret(b, "pin_file", &c->modem->pin_file);
		check_program(b, "power_hook", &c->modem->power_hook,
		    true);
	}
	for (size_t i = 0; i < c->nnotifies; i++) {
		check_ca(b, &c->notifies[i].ca_file);
		check_secret(b, "token_file", &c->notifies[i].token_file);
		check_secret(b, "user_file", &c->notifies[i].user_file);
		check_secret(b, "secret_file", &c->notifies[i].secret_file);
		check_program(b, "command", &c->notifies[i].command,
		    false);
	}
}
