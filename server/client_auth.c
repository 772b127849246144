#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authlog.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "client_auth.h"
#include "client_internal.h"
#include "pending.h"

/* What happens at the door, for the box's journal. */

#define LOCAL (1U << PEER_LOCAL)
#define SSH (1U << PEER_SSH)

static const struct {
	enum auth_what what;
	const char *word;
	unsigned from;		/* who may say so */
	bool admits;		/* else it is one of many who were refused */
} events[] = {
	{ AUTH_DOOR,		"door",		SSH,	true },
	{ AUTH_LOGIN,		"login",	SSH,	true },
	{ AUTH_LOGOUT,		"logout",	SSH,	true },
	{ AUTH_CODE_USED,	"code-used",	SSH,	true },
	{ AUTH_REFUSED,		"refused",	SSH,	false },
	{ AUTH_PENALTY,		"penalty",	SSH,	false },
	{ AUTH_CHANGED,		"credentials",	LOCAL,	true },
};

#define EVENTS (sizeof(events) / sizeof(events[0]))

/* One field: " name=value", in quotes where it has blanks, never forged. */
static void
put(char *dst, size_t size, const char *name, const char *value)
{
	size_t n = strlen(dst);
	char safe[256], *p;
	bool quote;

	if (*value == '\0')
		return;
	str_safe(safe, sizeof(safe), value, strlen(value));
	for (p = safe; *p != '\0'; p++) {
		if (*p == '"')
			*p = '\'';
	}
	quote = strpbrk(safe, " =") != NULL;
	snprintf(dst + n, size - n, " %s=%s%s%s", name, quote ? "\"" : "",
	    safe, quote ? "\"" : "");
}

static void
on_write(void *arg, const char *text)
{
	const struct console *con = arg;
	size_t n = strcspn(text, " ");
	char word[32];

	snprintf(word, sizeof(word), "%.*s", (int)n, text);
	scribe_box_event(con->scribe, word, "%s", text[n] == ' ' ?
	    text + n + 1 : "");
}

static void
on_flush(void *arg)
{
	struct console *con = arg;

	authlog_flush(con->authlog, mono_now(), false);
	timer_set(con->authlog_flush, AUTHLOG_SAME_MS);
}

void
auth_event(struct console *con, const char *key, const char *text)
{
	if (con->authlog != NULL)
		authlog_admit(con->authlog, key, text, mono_now());
}

static void
take_pending(void *arg, const char *text)
{
	auth_event(arg, text, text);
}

void
auth_start(struct console *con)
{
	con->authlog = authlog_new(on_write, con, mono_now());
	con->authlog_flush = timer_new(con->loop, on_flush, con);
	timer_set(con->authlog_flush, AUTHLOG_SAME_MS);
	scribe_box_event(con->scribe, "start", "version=%s pid=%ld",
	    OOBD_VERSION, (long)getpid());
	pending_take(con->conf->state_dir, take_pending, con);
}

void
auth_stop(struct console *con)
{
	if (con->authlog == NULL)
		return;
	authlog_flush(con->authlog, mono_now(), true);
	scribe_box_event(con->scribe, "stop", "why=orderly");
}

void
auth_free(struct console *con)
{
	timer_free(con->authlog_flush);
	authlog_free(con->authlog);
	con->authlog = NULL;
}

/* What a frame says. */
struct said {
	uint64_t login;
	char user[AUTH_USER], way[AUTH_WAY], key[AUTH_KEY];
	char from[AUTH_FROM], via[AUTH_VIA], why[AUTH_WHY];
};

/* A name that is none of ours may be a password typed too early. */
static void
hide_unknown(const struct console *con, struct said *s, enum auth_what what)
{
	char shown[CONFIG_SHOWN_LOGIN];

	if (what != AUTH_REFUSED || s->user[0] == '\0')
		return;
	config_shown_login(con->conf, s->user, shown);
	snprintf(s->user, sizeof(s->user), "%s", shown);
}

static void
text_of(char *text, size_t size, const char *word, const struct said *s)
{
	char id[24] = "";

	if (s->login != 0)
		snprintf(id, sizeof(id), "%016" PRIx64, s->login);
	snprintf(text, size, "%s", word);
	put(text, size, "id", id);
	put(text, size, "user", s->user);
	put(text, size, "way", s->way);
	put(text, size, "key", s->key);
	put(text, size, "from", s->from);
	put(text, size, "via", s->via);
	put(text, size, "why", s->why);
}

int
peer_auth(struct client *c, struct frame *f)
{
	struct console *con = c->console;
	uint8_t what = frame_u8(f);
	char text[AUTHLOG_TEXT], key[AUTHLOG_KEY];
	struct said s;

	s.login = frame_u64(f);
	frame_str(f, s.user, sizeof(s.user));
	frame_str(f, s.way, sizeof(s.way));
	frame_str(f, s.key, sizeof(s.key));
	frame_str(f, s.from, sizeof(s.from));
	frame_str(f, s.via, sizeof(s.via));
	frame_str(f, s.why, sizeof(s.why));
	if (!frame_ok(f) || what >= EVENTS ||
	    (events[what].from & 1U << c->peer) == 0)
		return -1;
	if (con->authlog == NULL)
		return 0;
	hide_unknown(con, &s, (enum auth_what)what);
	if (c->peer == PEER_LOCAL)
		snprintf(s.via, sizeof(s.via), "oobctl of %.50s", c->local_user);
	text_of(text, sizeof(text), events[what].word, &s);
	snprintf(key, sizeof(key), "%s %s %s %s", events[what].word, s.user,
	    s.from, what == AUTH_PENALTY ? "" : s.why);
	if (events[what].admits)
		authlog_admit(con->authlog, key, text, mono_now());
	else
		authlog_refuse(con->authlog, key, text, mono_now());
	return 0;
}
