/*
 * The libssh session of a relay: log in, ask it to listen, take the channels
 * that it opens, refuse the rest.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <libssh/server.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/str.h"
#include "listen.h"
#include "relay_chan.h"
#include "relay_key.h"
#include "ssh_hook.h"
#include "ssh_offer.h"

#define TCP_TIMEOUT_MAX (24 * 60 * 60 * 1000)

/* What libssh says may hold what the peer said. */
static const char *
error_text(struct relay *r, char dst[RELAY_TEXT])
{
	const char *text = ssh_get_error(r->session);

	str_safe(dst, 200, text, strnlen(text, 200));
	return dst[0] != '\0' ? dst : "the connection was closed";
}

/* What the relay asks of us. */

enum refusal {
	REFUSED_CHANNEL,
	REFUSED_FORWARD,
	REFUSED_MANY,
	REFUSED_REQUEST,
	REFUSED_GLOBAL,
};

static const char *const refusals[] = {
	[REFUSED_CHANNEL] = "a channel that is no connection to us",
	[REFUSED_FORWARD] = "a connection to what it does not listen for",
	[REFUSED_MANY] = "a channel beyond max_channels",
	[REFUSED_REQUEST] = "a request on a channel",
	[REFUSED_GLOBAL] = "a request about the connection",
};

/* 1: libssh says no. */
static int
refuse(struct relay *r, enum refusal kind)
{
	if (!(r->refused & (1u << kind)))
		log_warn("%s asks for %s: refused", r->via, refusals[kind]);
	r->refused |= 1u << kind;
	return 1;
}

/*
 * Somebody may come to a port so soon that libssh shows him before it tells
 * that the relay listens there.
 */
static bool
listens_on(const struct relay *r, size_t i, unsigned port)
{
	const struct relay_listen *l = &r->listens[i];

	return l->bound == port || (l->port == port &&
	    r->state == RELAY_FORWARDING && i == r->asking);
}

static struct relay_listen *
find_listen(struct relay *r, const char *host, unsigned port)
{
	for (size_t i = 0; i < r->nlistens; i++) {
		if (port != 0 && listens_on(r, i, port) &&
		    strcasecmp(r->listens[i].host, host) == 0)
			return &r->listens[i];
	}
	return NULL;
}

/* An address, or nothing that could be taken for one. */
static void
claimed_address(char dst[LISTEN_TEXT], const char *said)
{
	size_t n = strlen(said);

	if (n == 0 || n >= LISTEN_TEXT || strspn(said, "0123456789abcdef"
	    "ghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:-_%") != n)
		said = "unknown";
	snprintf(dst, LISTEN_TEXT, "%s", said);
}

static int
on_open(struct relay *r, ssh_message m)
{
	const char *host, *from;
	struct relay_listen *listen;
	char peer[LISTEN_TEXT];
	ssh_channel channel;
	int port;

	if (ssh_message_subtype(m) != SSH_CHANNEL_FORWARDED_TCPIP)
		return refuse(r, REFUSED_CHANNEL);
	host = ssh_message_channel_request_open_destination(m);
	port = ssh_message_channel_request_open_destination_port(m);
	from = ssh_message_channel_request_open_originator(m);
	listen = host == NULL || port <= 0 ? NULL :
	    find_listen(r, host, (unsigned)port);
	if (listen == NULL || r->state == RELAY_LEAVING)
		return refuse(r, REFUSED_FORWARD);
	if (r->nchans >= r->conf->max_channels)
		return refuse(r, REFUSED_MANY);
	channel = ssh_message_channel_request_open_reply_accept(m);
	if (channel == NULL)
		return 0;
	claimed_address(peer, from == NULL ? "" : from);
	port = ssh_message_channel_request_open_originator_port(m);
	listen->opened++;
	relay_adopt(r, relay_chan_new(r, channel, peer,
	    port > 0 && port < 65536 ? (unsigned)port : 0));
	return 0;
}

static int
on_message(ssh_session s, ssh_message m, void *arg)
{
	struct relay *r = arg;

	(void)s;
	switch (ssh_message_type(m)) {
	case SSH_REQUEST_CHANNEL_OPEN:
		return on_open(r, m);
	case SSH_REQUEST_CHANNEL:
		return refuse(r, REFUSED_REQUEST);
	case SSH_REQUEST_GLOBAL:
		return refuse(r, REFUSED_GLOBAL);
	}
	return 1;
}

/* The session. */

static void
tune_socket(const struct relay *r, int fd)
{
	int64_t ms = r->conf->keepalive_ms * (r->conf->keepalive_count + 1);
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)os_tcp_user_timeout(fd,
	    ms < TCP_TIMEOUT_MAX ? (unsigned)ms : TCP_TIMEOUT_MAX);
}

static bool
set_options(struct relay *r, int fd)
{
	char algorithms[RELAY_KEY_ALGORITHMS];
	const struct {
		enum ssh_options_e option;
		const void *value;
	} options[] = {
		{ SSH_OPTIONS_HOST, r->conf->host },
		{ SSH_OPTIONS_USER, r->conf->user },
		{ SSH_OPTIONS_FD, &fd },
		{ SSH_OPTIONS_HOSTKEYS, algorithms },
	};

	relay_key_algorithms(r->conf, algorithms);
	if (!ssh_offer_client(r->session))
		return false;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (ssh_options_set(r->session, options[i].option,
		    options[i].value) != SSH_OK)
			return false;
	}
	return true;
}

static void
on_socket(void *arg, short revents)
{
	struct relay *r = arg;

	(void)revents;
	relay_wake(r);
	relay_session_read(r);
}

/*
 * libssh takes O_NONBLOCK away once it finds the socket connected.  The first
 * call gives it the descriptor.
 */
static int
connect_session(struct relay *r)
{
	int rc = ssh_connect(r->session);

	if (ssh_get_fd(r->session) == r->fd)
		fd_prepare(r->fd);
	return rc;
}

bool
relay_session_open(struct relay *r, int fd)
{
	char text[RELAY_TEXT] = "no memory";

	tune_socket(r, fd);
	r->fd = fd;
	r->session = ssh_new();
	if (r->session != NULL)
		ssh_set_blocking(r->session, 0);
	if (r->session == NULL || !set_options(r, fd) ||
	    connect_session(r) == SSH_ERROR) {
		/* It may be closed already: that does no harm here. */
		if (r->session == NULL || ssh_get_fd(r->session) != fd)
			close(fd);
		relay_fail(r, RELAY_KEX, "%s", r->session == NULL ? text :
		    error_text(r, text));
		return false;
	}
	memset(&r->socket, 0, sizeof(r->socket));
	memset(&r->packets, 0, sizeof(r->packets));
	ssh_set_counters(r->session, &r->socket, &r->packets);
	ssh_set_message_callback(r->session, on_message, r);
	r->heard = 0;
	r->answered = 0;
	r->refused = 0;
	r->asking = 0;
	r->watch = watch_new(r->world->loop, fd, POLLIN, on_socket, r);
	return true;
}

void
relay_session_close(struct relay *r, bool polite)
{
	socket_t fd;

	watch_free(r->watch);
	r->watch = NULL;
	for (size_t i = 0; i < r->nchans; i++)
		relay_chan_free(r->chans[i], false);
	free(r->chans);
	r->chans = NULL;
	r->nchans = 0;
	if (r->session == NULL)
		return;
	fd = ssh_get_fd(r->session);
	if (polite && fd != SSH_INVALID_SOCKET && relay_writable(r)) {
		/* Leaves a socket that it was given open. */
		ssh_disconnect(r->session);
		close(fd);
	} else {
		ssh_silent_disconnect(r->session);
	}
	ssh_free(r->session);
	r->session = NULL;
	r->fd = -1;
}

/*
 * libssh sends at once only when it believes that the socket can take it,
 * and believes so only after a poll of its own, in which it would also read.
 * So the poll is done here, and libssh told of it.
 */
bool
relay_writable(struct relay *r)
{
	struct pollfd p = { .fd = r->fd, .events = POLLOUT };

	if (ssh_get_status(r->session) & SSH_WRITE_PENDING)
		return false;
	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
		return false;
	ssh_set_fd_towrite(r->session);
	return true;
}

/* Getting there. */

static const char *
read_server_key(struct relay *r, char **base64)
{
	ssh_key key = NULL;

	*base64 = NULL;
	if (ssh_get_server_publickey(r->session, &key) != SSH_OK)
		return "the relay showed no key";
	ssh_key_fingerprint(r->fingerprint, key);
	if (ssh_pki_export_pubkey_base64(key, base64) != SSH_OK)
		*base64 = NULL;
	ssh_key_free(key);
	return *base64 == NULL ? "the relay's key cannot be read" : NULL;
}

static bool
check_host_key(struct relay *r)
{
	char why[RELAY_TEXT];
	const char *bad;
	char *base64;
	bool good;

	bad = read_server_key(r, &base64);
	if (bad != NULL) {
		relay_fail(r, RELAY_HOST_KEY, "%s", bad);
		return false;
	}
	good = relay_key_is_pinned(r->conf, base64, r->fingerprint, why,
	    sizeof(why));
	ssh_string_free_char(base64);
	if (!good)
		relay_fail(r, RELAY_HOST_KEY, "%s", why);
	return good;
}

static bool
handshake(struct relay *r)
{
	char text[RELAY_TEXT];
	int rc = connect_session(r);

	if (rc == SSH_AGAIN)
		return false;
	if (rc != SSH_OK) {
		relay_fail(r, RELAY_KEX, "%s", error_text(r, text));
		return false;
	}
	relay_step_taken(r, RELAY_STEP_KEX, true, "%s",
	    ssh_get_kex_algo(r->session));
	if (!check_host_key(r))
		return false;
	relay_step_taken(r, RELAY_STEP_HOST_KEY, true, "%s", r->fingerprint);
	relay_logged_on(r);
	return true;
}

static bool
log_in(struct relay *r)
{
	char print[SSH_KEY_FINGERPRINT], text[RELAY_TEXT];

	switch (ssh_userauth_publickey(r->session, NULL, r->identity)) {
	case SSH_AUTH_AGAIN:
		return false;
	case SSH_AUTH_SUCCESS:
		break;
	case SSH_AUTH_DENIED:
	case SSH_AUTH_PARTIAL:
		relay_fail(r, RELAY_LOGIN, "our key %s is refused for user %s "
		    "(is its line in authorized_keys there?  oobctl relay "
		    "keygen prints it)", ssh_key_fingerprint(print,
		    r->identity), r->conf->user);
		return false;
	default:
		relay_fail(r, RELAY_LOGIN, "%s", error_text(r, text));
		return false;
	}
	relay_step_taken(r, RELAY_STEP_LOGIN, true, "%s with %s",
	    r->conf->user, ssh_key_fingerprint(print, r->identity));
	relay_logged_in(r);
	return true;
}

static void
not_forwarded(struct relay *r, const struct relay_listen *l)
{
	char text[RELAY_TEXT];

	/* The reply, or the end of the connection. */
	if (ssh_get_error_code(r->session) != SSH_REQUEST_DENIED)
		relay_fail(r, RELAY_LOST, "%s", error_text(r, text));
	else
		relay_fail(r, RELAY_REFUSED, "the relay will not listen on "
		    "%s: another connection has the port still, or "
		    "permitlisten of our key there does not name it",
		    l->asked);
}

static bool
ask_forward(struct relay *r)
{
	struct relay_listen *l = &r->listens[r->asking];
	int bound = 0;

	switch (ssh_channel_listen_forward(r->session, l->host, (int)l->port,
	    &bound)) {
	case SSH_AGAIN:
		return false;
	case SSH_OK:
		break;
	default:
		not_forwarded(r, l);
		return false;
	}
	if (l->port == 0 && (bound <= 0 || bound > 65535)) {
		relay_fail(r, RELAY_REFUSED, "the relay does not say which "
		    "port it took");
		return false;
	}
	l->bound = l->port != 0 ? l->port : (unsigned)bound;
	if (++r->asking == r->nlistens)
		relay_is_forwarded(r);
	return true;
}

bool
relay_session_step(struct relay *r)
{
	if (r->session == NULL || r->failing != RELAY_OK)
		return false;
	switch (r->state) {
	case RELAY_HANDSHAKE:
		return handshake(r);
	case RELAY_AUTHENTICATING:
		return log_in(r);
	case RELAY_FORWARDING:
		return ask_forward(r);
	case RELAY_OFF:
	case RELAY_WAITING:
	case RELAY_RESOLVING:
	case RELAY_CONNECTING:
	case RELAY_PROVING:
	case RELAY_UP:
	case RELAY_LEAVING:
		break;
	}
	return false;
}

/* Standing. */

void
relay_session_read(struct relay *r)
{
	if (r->failing != RELAY_OK)
		return;
	switch (r->state) {
	case RELAY_PROVING:
	case RELAY_UP:
	case RELAY_LEAVING:
		/* There is nothing in it that only the log would tell. */
		ssh_hook_quiet();
		ssh_execute_message_callbacks(r->session);
		ssh_hook_loud();
		break;
	case RELAY_OFF:
	case RELAY_WAITING:
	case RELAY_RESOLVING:
	case RELAY_CONNECTING:
	case RELAY_HANDSHAKE:		/* the run reads */
	case RELAY_AUTHENTICATING:
	case RELAY_FORWARDING:
		break;
	}
}

/* How much it was told since it last had read everything. */
static void
check_unread(struct relay *r)
{
	if (!(ssh_get_status(r->session) & SSH_WRITE_PENDING))
		r->answered = r->packets.out_bytes;
	else if (r->packets.out_bytes - r->answered > RELAY_UNREAD_MAX)
		relay_fail(r, RELAY_ABUSE, "it asks and does not read the "
		    "answers");
}

void
relay_session_check(struct relay *r)
{
	char text[RELAY_TEXT];

	if (r->session == NULL || r->failing != RELAY_OK)
		return;
	if (r->socket.in_bytes != r->heard) {
		r->heard = r->socket.in_bytes;
		relay_was_heard(r);
	}
	/* libssh closes the descriptor by itself when the peer is gone. */
	if (ssh_get_fd(r->session) == SSH_INVALID_SOCKET ||
	    (ssh_get_status(r->session) & (SSH_CLOSED | SSH_CLOSED_ERROR)))
		relay_fail(r, r->state < RELAY_PROVING ? RELAY_KEX :
		    RELAY_LOST, "%s", error_text(r, text));
	else
		check_unread(r);
}

void
relay_session_keepalive(struct relay *r)
{
	uint64_t sent = r->packets.out_packets;

	ssh_send_keepalive(r->session);
	/* The first call may only have fetched the answer to the last one. */
	if (r->packets.out_packets == sent)
		ssh_send_keepalive(r->session);
}
