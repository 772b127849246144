#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "relay_login.h"
#include "ssh_login.h"

#define ANSWER_MAX 256

enum login_state {
	LOGIN_AUTHENTICATING,
	LOGIN_OPENING,
	LOGIN_ASKING,
	LOGIN_READING,
	LOGIN_DONE,
};

struct relay_login {
	ssh_session session;
	ssh_key key;
	char nonce[SSH_ECHO_NONCE];
	enum login_state state;
	ssh_channel channel;
	char answer[ANSWER_MAX];
	size_t n;
};

static void
change_state(struct relay_login *l, enum login_state to)
{
	l->state = to;
}

/* What libssh says may hold what the peer said. */
static enum relay_login_word
bad(struct relay_login *l, const char *what, char why[RELAY_LOGIN_WHY])
{
	const char *text = ssh_get_error(l->session);
	char safe[120];

	change_state(l, LOGIN_DONE);
	str_safe(safe, sizeof(safe), text, strnlen(text, sizeof(safe) - 1));
	snprintf(why, RELAY_LOGIN_WHY, "%s: %s", what,
	    safe[0] == '\0' ? "the connection was closed" : safe);
	return RELAY_LOGIN_BAD;
}

static enum relay_login_word
authenticate(struct relay_login *l, char why[RELAY_LOGIN_WHY])
{
	switch (ssh_userauth_publickey(l->session, NULL, l->key)) {
	case SSH_AUTH_AGAIN:
		return RELAY_LOGIN_ON;
	case SSH_AUTH_SUCCESS:
		break;
	default:
		return bad(l, "our own server does not let the drill in", why);
	}
	l->channel = ssh_channel_new(l->session);
	if (l->channel == NULL)
		return bad(l, "no channel", why);
	change_state(l, LOGIN_OPENING);
	return RELAY_LOGIN_ON;
}

static enum relay_login_word
open_channel(struct relay_login *l, char why[RELAY_LOGIN_WHY])
{
	switch (ssh_channel_open_session(l->channel)) {
	case SSH_AGAIN:
		return RELAY_LOGIN_ON;
	case SSH_OK:
		change_state(l, LOGIN_ASKING);
		return RELAY_LOGIN_ON;
	default:
		return bad(l, "our own server opens no channel", why);
	}
}

static enum relay_login_word
ask(struct relay_login *l, char why[RELAY_LOGIN_WHY])
{
	char command[sizeof(SSH_ECHO_COMMAND) + SSH_ECHO_NONCE];

	snprintf(command, sizeof(command), SSH_ECHO_COMMAND "%s", l->nonce);
	switch (ssh_channel_request_exec(l->channel, command)) {
	case SSH_AGAIN:
		return RELAY_LOGIN_ON;
	case SSH_OK:
		change_state(l, LOGIN_READING);
		return RELAY_LOGIN_ON;
	default:
		return bad(l, "our own server does not take the echo's "
		    "command", why);
	}
}

static enum relay_login_word
judge(struct relay_login *l, char why[RELAY_LOGIN_WHY])
{
	size_t n = strlen(l->nonce);

	change_state(l, LOGIN_DONE);
	l->answer[strcspn(l->answer, "\n")] = '\0';
	if (strncmp(l->answer, l->nonce, n) == 0 && l->answer[n] == ' ') {
		str_safe(why, RELAY_LOGIN_WHY, l->answer + n + 1,
		    strlen(l->answer + n + 1));
		return RELAY_LOGIN_GOOD;
	}
	snprintf(why, RELAY_LOGIN_WHY, "no echo: ");
	n = strlen(why);
	str_safe(why + n, RELAY_LOGIN_WHY - n, l->answer, strlen(l->answer));
	return RELAY_LOGIN_BAD;
}

static enum relay_login_word
read_echo(struct relay_login *l, char why[RELAY_LOGIN_WHY])
{
	int r;

	do {
		r = ssh_channel_read_nonblocking(l->channel, l->answer + l->n,
		    (uint32_t)(sizeof(l->answer) - 1 - l->n), 1);
		if (r > 0)
			l->n += (size_t)r;
	} while (r > 0 && l->n < sizeof(l->answer) - 1);
	l->answer[l->n] = '\0';
	if (strchr(l->answer, '\n') != NULL ||
	    l->n == sizeof(l->answer) - 1)
		return judge(l, why);
	if (r == SSH_ERROR)
		return bad(l, "no echo", why);
	/* Ended with less than a line. */
	if (ssh_channel_is_eof(l->channel) || !ssh_channel_is_open(l->channel))
		return judge(l, why);
	return RELAY_LOGIN_ON;
}

struct relay_login *
relay_login_new(ssh_session session, ssh_key key,
    const char nonce[SSH_ECHO_NONCE])
{
	struct relay_login *l = xcalloc(1, sizeof(*l));

	l->session = session;
	l->key = key;
	memcpy(l->nonce, nonce, sizeof(l->nonce));
	return l;
}

void
relay_login_free(struct relay_login *l)
{
	if (l == NULL)
		return;
	if (l->channel != NULL)
		ssh_channel_free(l->channel);
	free(l);
}

enum relay_login_word
relay_login_run(struct relay_login *l, char why[RELAY_LOGIN_WHY])
{
	enum relay_login_word word = RELAY_LOGIN_ON;
	enum login_state before;

	do {
		before = l->state;
		switch (l->state) {
		case LOGIN_AUTHENTICATING:
			word = authenticate(l, why);
			break;
		case LOGIN_OPENING:
			word = open_channel(l, why);
			break;
		case LOGIN_ASKING:
			word = ask(l, why);
			break;
		case LOGIN_READING:
			word = read_echo(l, why);
			break;
		case LOGIN_DONE:
			break;
		}
	} while (word == RELAY_LOGIN_ON && l->state != before);
	return word;
}
