#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "relay_chan.h"
#include "relay_key.h"
#include "relay_login.h"
#include "relay_probe.h"
#include "ssh_login.h"
#include "ssh_offer.h"

#define WHY_MAX 256
#define OUR_KEY_TYPE "ssh-ed25519"

/* RFC 4254, 5.1 */
#define OPEN_PROHIBITED 1
#define OPEN_CONNECT_FAILED 2
#define OPEN_UNKNOWN_TYPE 3

struct relay_probe {
	struct relay *relay;
	const struct relay_listen *listen;	/* of the relay */
	struct relay_probe_conf conf;
	char nonce[SSH_ECHO_NONCE];
	struct relay_login *login;	/* NULL: none, or not yet */
	ssh_channel channel;
	struct relay_chan *chan;	/* the same, with a socket at our end */
	bool open;
	ssh_session session;		/* our client at its other end */
	int fd;
	struct watch *watch;
	struct timer *limit;
	bool late;
	size_t before;			/* channels when it began */
};

static void
on_limit(void *arg)
{
	struct relay_probe *p = arg;

	p->late = true;
	relay_wake(p->relay);
}

struct relay_probe *
relay_probe_new(struct relay *r, const struct relay_listen *listen,
    const struct relay_probe_conf *conf)
{
	struct relay_probe *p = xcalloc(1, sizeof(*p));

	p->relay = r;
	p->listen = listen;
	p->conf = *conf;
	if (conf->nonce != NULL)
		snprintf(p->nonce, sizeof(p->nonce), "%s", conf->nonce);
	p->fd = -1;
	p->before = listen->opened;
	p->limit = timer_new(r->world->loop, on_limit, p);
	timer_set(p->limit, conf->limit_ms);
	relay_wake(r);
	return p;
}

void
relay_probe_free(struct relay_probe *p)
{
	if (p == NULL)
		return;
	watch_free(p->watch);
	timer_free(p->limit);
	relay_login_free(p->login);
	if (p->session != NULL) {
		ssh_silent_disconnect(p->session);
		ssh_free(p->session);
	}
	/* One that is open is closed in order, like all others. */
	if (p->open)
		relay_adopt(p->relay, p->chan);
	else if (p->chan != NULL)
		relay_chan_free(p->chan, true);
	free(p);
}

/* Opening. */

/* The reason is nowhere but in the text. */
static int
open_error(struct relay *r)
{
	const char *text = strstr(ssh_get_error(r->session), "error (");

	return text == NULL ? 0 : atoi(text + strlen("error ("));
}

static void
not_opened(struct relay_probe *p)
{
	switch (open_error(p->relay)) {
	case OPEN_PROHIBITED:
	case OPEN_UNKNOWN_TYPE:
		p->conf.done(p->relay, RELAY_PROBE_NOT_PERMITTED, "");
		break;
	case OPEN_CONNECT_FAILED:
		p->conf.done(p->relay, RELAY_PROBE_DEAD, "nothing listens there");
		break;
	default:
		/* Short of resources, or the connection is gone: seen soon. */
		p->conf.done(p->relay, RELAY_PROBE_BUSY, "");
		break;
	}
}

static bool
ask_channel(struct relay_probe *p)
{
	struct relay *r = p->relay;

	if (p->channel == NULL) {
		p->channel = ssh_channel_new(r->session);
		if (p->channel == NULL) {
			p->conf.done(p->relay, RELAY_PROBE_BUSY, "");
			return false;
		}
		/* Before the answer: data may come along with it. */
		p->chan = relay_chan_new(r, p->channel, NULL, 0);
	}
	switch (ssh_channel_open_forward(p->channel,
	    relay_key_open_host(p->listen->host), (int)p->listen->bound,
	    "localhost", 0)) {
	case SSH_OK:
		return true;
	case SSH_AGAIN:
		return false;
	default:
		not_opened(p);
		return false;
	}
}

/* Our client. */

static void
on_socket(void *arg, short revents)
{
	struct relay_probe *p = arg;

	(void)revents;
	relay_wake(p->relay);
}

static bool
make_client(struct relay_probe *p, int fd)
{
	p->session = ssh_new();
	if (p->session == NULL)
		return false;
	ssh_set_blocking(p->session, 0);
	return ssh_offer_client(p->session) &&
	    ssh_options_set(p->session, SSH_OPTIONS_HOST, "localhost") ==
	    SSH_OK &&
	    ssh_options_set(p->session, SSH_OPTIONS_USER,
	    p->conf.key != NULL ? SSH_LOGIN_DRILL : "self-test") == SSH_OK &&
	    ssh_options_set(p->session, SSH_OPTIONS_HOSTKEYS, OUR_KEY_TYPE) ==
	    SSH_OK &&
	    ssh_options_set(p->session, SSH_OPTIONS_FD, &fd) == SSH_OK;
}

static bool
start_client(struct relay_probe *p)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    pair) == -1) {
		log_errno("%s: no socket for the self-test", p->relay->via);
		return false;
	}
	relay_chan_join(p->chan, pair[0]);
	p->open = true;
	p->fd = pair[1];
	if (!make_client(p, p->fd) ||
	    ssh_connect(p->session) == SSH_ERROR) {
		if (p->session == NULL || ssh_get_fd(p->session) != p->fd)
			close(p->fd);
		return false;
	}
	fd_prepare(p->fd);
	p->watch = watch_new(p->relay->world->loop, p->fd, POLLIN, on_socket,
	    p);
	return true;
}

/* False: it has ended, and p is no more. */
static bool
compare_key(struct relay_probe *p)
{
	char print[SSH_KEY_FINGERPRINT] = "?", why[WHY_MAX];
	struct relay *r = p->relay;
	char *base64 = NULL;
	ssh_key key = NULL;
	bool same;

	if (ssh_get_server_publickey(p->session, &key) == SSH_OK) {
		ssh_key_fingerprint(print, key);
		ssh_pki_export_pubkey_base64(key, &base64);
	}
	same = base64 != NULL && strcmp(base64, r->world->box_key) == 0;
	ssh_string_free_char(base64);
	ssh_key_free(key);
	if (same && p->conf.key != NULL) {
		p->login = relay_login_new(p->session, p->conf.key, p->nonce);
		return true;
	}
	snprintf(why, sizeof(why), "somebody else answers there, with host "
	    "key %s", print);
	p->conf.done(r, same ? RELAY_PROBE_GOOD : RELAY_PROBE_DEAD, why);
	return false;
}

/*
 * Where no answer came: a channel that was opened meanwhile says that the
 * forward works, and only our own server had no room for one more.
 */
static void
no_answer(struct relay_probe *p, const char *why)
{
	bool arrived = p->listen->opened != p->before;

	p->conf.done(p->relay, arrived ? RELAY_PROBE_BUSY : RELAY_PROBE_DEAD, why);
}

/* False: it has ended, and p is no more. */
static bool
shake_hands(struct relay_probe *p)
{
	char why[WHY_MAX];
	const char *text;
	int rc = ssh_connect(p->session);

	if (ssh_get_fd(p->session) == p->fd)
		fd_prepare(p->fd);
	if (rc == SSH_OK)
		return compare_key(p);
	if (rc == SSH_AGAIN)
		return true;
	text = ssh_get_error(p->session);
	str_safe(why, sizeof(why), text, strnlen(text, 200));
	no_answer(p, why[0] != '\0' ? why : "closed");
	return false;
}

static bool
log_in(struct relay_probe *p)
{
	char why[RELAY_LOGIN_WHY];

	switch (relay_login_run(p->login, why)) {
	case RELAY_LOGIN_ON:
		return true;
	case RELAY_LOGIN_GOOD:
		p->conf.done(p->relay, RELAY_PROBE_GOOD, why);
		return false;
	case RELAY_LOGIN_BAD:
		p->conf.done(p->relay, RELAY_PROBE_DEAD, why);
		return false;
	}
	return true;
}

static void
go_on_with_client(struct relay_probe *p)
{
	if (p->login == NULL && !shake_hands(p))
		return;
	if (p->login != NULL && !log_in(p))
		return;
	watch_set(p->watch, (ssh_get_poll_flags(p->session) &
	    SSH_WRITE_PENDING) ? POLLIN | POLLOUT : POLLIN);
}

void
relay_probe_run(struct relay_probe *p)
{
	struct relay *r = p->relay;

	if (p->late) {
		no_answer(p, "no answer");
		return;
	}
	if (!p->open) {
		if (p->channel == NULL && r->nchans >= r->conf->max_channels) {
			p->conf.done(p->relay, RELAY_PROBE_BUSY, "");
			return;
		}
		if (!ask_channel(p))
			return;
		if (!start_client(p)) {
			p->conf.done(p->relay, RELAY_PROBE_BUSY, "");
			return;
		}
	}
	relay_chan_run(p->chan);
	if (r->failing == RELAY_OK)
		go_on_with_client(p);
}

bool
relay_probe_wants_out(const struct relay_probe *p)
{
	return p->chan != NULL && relay_chan_wants_out(p->chan);
}
