#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../auth/cert.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/str.h"
#include "ssh_chan.h"
#include "ssh_conn_internal.h"
#include "ssh_hook.h"
#include "ssh_key.h"

#define FAREWELL_MS 2000	/* for a client to take its leave */
/*
 * A read that brought one packet and fewer bytes than PACKET_MIN + PART_MAX
 * left less than PART_MAX of another behind: 4 bytes of length, 16 of type,
 * channel, text and padding, 16 of tag are the shortest that holds a key.
 */
#define PACKET_MIN 36
#define PART_MAX 4
#define TCP_TIMEOUT_MAX (24 * 60 * 60 * 1000)

static const char *const refusals[] = {
	[SSH_REFUSED_ENV] = "environment variable",
	[SSH_REFUSED_SUBSYSTEM] = "subsystem",
	[SSH_REFUSED_CHANNEL] = "channel",
	[SSH_REFUSED_FORWARD] = "forwarding",
	[SSH_REFUSED_REQUEST] = "request",
};

static void
change_state(struct ssh_conn *c, enum conn_state state)
{
	if (c->state == CONN_LOGIN && state == CONN_OPEN)
		c->all->nopen++;
	else if (c->state != CONN_LOGIN && state == CONN_DEAD)
		c->all->nopen--;
	if (state == CONN_DEAD)
		c->all->n--;
	c->state = state;
}

void
ssh_conn_typed(struct ssh_conn *c)
{
	c->typed = true;
}

bool
ssh_conn_is_running(const struct ssh_conn *c)
{
	return c->running;
}

/*
 * libssh sends at once only when it believes that the socket can take it,
 * and believes so only after a poll of its own, in which it would also read.
 * So the poll is done here, and libssh told of it.
 */
bool
ssh_conn_writable(struct ssh_conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };

	if (ssh_get_status(c->session) & SSH_WRITE_PENDING)
		return false;
	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
		return false;
	ssh_set_fd_towrite(c->session);
	return true;
}

void
ssh_conn_end(struct ssh_conn *c, const char *why, bool polite)
{
	if (c->why != NULL)
		return;
	c->why = c->leave_why != NULL ? c->leave_why : why;
	c->polite = polite;
	ssh_conn_wake(c);
}

void
ssh_conn_fail(struct ssh_conn *c, const char *why)
{
	ssh_conn_end(c, why, false);
}

void
ssh_conn_refused(struct ssh_conn *c, enum ssh_refusal kind, const char *what)
{
	char safe[64];

	if (c->refused & (1u << kind))
		return;
	c->refused |= 1u << kind;
	str_safe(safe, sizeof(safe), what, strnlen(what, sizeof(safe)));
	/* Every stock client sends its language: not worth a line. */
	if (kind == SSH_REFUSED_ENV)
		log_debug("%s from %s: %s %s refused",
		    ssh_login_who(c->login)->user, c->from, refusals[kind],
		    safe);
	else
		log_info("%s from %s: %s %s refused",
		    ssh_login_who(c->login)->user, c->from, refusals[kind],
		    safe);
}

struct loop *
ssh_conn_loop(const struct ssh_conn *c)
{
	return c->all->loop;
}

struct feed *
ssh_conn_feed(const struct ssh_conn *c)
{
	return c->all->feed;
}

const struct ssh_auth_who *
ssh_conn_who(const struct ssh_conn *c)
{
	return ssh_login_who(c->login);
}

bool
ssh_conn_is_drill(const struct ssh_conn *c)
{
	return ssh_login_is_drill(c->login);
}

const char *
ssh_conn_from(const struct ssh_conn *c)
{
	return c->from;
}

const char *
ssh_conn_via(const struct ssh_conn *c)
{
	return c->via;
}

const char *
ssh_conn_key(const struct ssh_conn *c)
{
	return ssh_login_key(c->login);
}

const char *
ssh_conn_voucher(const struct ssh_conn *c)
{
	return c->voucher;
}

const char *
ssh_conn_full(const struct ssh_conn *c)
{
	return c->full;
}

/* Login. */

void
ssh_conn_leave_throttle(struct ssh_conn *c, enum throttle_outcome outcome)
{
	if (!c->counted)
		return;
	c->counted = false;
	throttle_done(c->all->throttle, c->relayed ? NULL : c->from, outcome,
	    mono_now());
}

static void
open_session(struct ssh_conn *c)
{
	struct ssh_conns *all = c->all;

	ssh_conn_leave_throttle(c, THROTTLE_AUTHENTICATED);
	if (all->nopen >= all->conf->ssh.max_sessions)
		c->full = "too many sessions, try again later";
	else
		timer_stop(c->limit);
	change_state(c, CONN_OPEN);
	c->id = ++all->last_id;
	ssh_conn_tell(c, AUTH_LOGIN, NULL);
	if (!timer_is_set(all->tick))
		timer_set(all->tick, all->conf->ssh.keepalive_ms);
	log_info("%s logged in from %s as \"%s\" with %s%s",
	    ssh_login_who(c->login)->user, c->where,
	    ssh_login_name(c->login), ssh_login_key(c->login),
	    c->full != NULL ? ": but there are too many sessions" : "");
}

/* A pass that was used is none any more. */
static enum ssh_login_answer
judge(struct ssh_conn *c, const struct ssh_login_request *request)
{
	struct ssh_login_request r = *request;
	struct ssh_conns *all = c->all;
	enum ssh_login_answer a;

	if (c->relayed && strcmp(c->via, all->pass_via) == 0)
		r.pass = all->pass;
	a = ssh_login_request(c->login, all->auth, &r, stamp_now().utc_us);
	if (ssh_login_is_drill(c->login)) {
		key_free(all->pass);
		all->pass = NULL;
	}
	return a;
}

void
ssh_conn_vouched(struct ssh_conn *c)
{
	open_session(c);
}

void
ssh_conn_answered(struct ssh_conn *c, enum ssh_login_answer a)
{
	const char *over = ssh_login_over(c->login,
	    c->all->conf->ssh.max_auth_tries);

	if (over != NULL) {
		c->outcome = THROTTLE_FAILED;
		ssh_conn_end(c, over, true);
	}
	if (a == SSH_LOGIN_IN && c->proof.data != NULL &&
	    c->voucher[0] == '\0' && !ssh_conn_is_drill(c))
		ssh_conn_prove(c);
	else if (a == SSH_LOGIN_IN)
		open_session(c);
	else if (a == SSH_LOGIN_HALF)
		ssh_set_auth_methods(c->session, SSH_AUTH_METHOD_INTERACTIVE);
}

static int
answer(struct ssh_conn *c, const struct ssh_login_request *r)
{
	static const int results[] = {
		[SSH_LOGIN_NO] = SSH_AUTH_DENIED,
		[SSH_LOGIN_OFFERED] = SSH_AUTH_SUCCESS,
		[SSH_LOGIN_HALF] = SSH_AUTH_PARTIAL,
		[SSH_LOGIN_IN] = SSH_AUTH_SUCCESS,
	};
	enum ssh_login_answer a;

	if (c->state != CONN_LOGIN || c->why != NULL)
		return SSH_AUTH_DENIED;
	/* What it asked to be asked is void (RFC 4252 5.1). */
	ssh_conn_ask_over(c);
	a = judge(c, r);
	ssh_conn_answered(c, a);
	return results[a];
}

static int
on_none(ssh_session s, const char *user, void *arg)
{
	(void)s;
	return answer(arg, &(struct ssh_login_request){
	    .method = SSH_LOGIN_NONE, .name = user });
}

static int
on_password(ssh_session s, const char *user, const char *password, void *arg)
{
	(void)s;
	(void)password;
	return answer(arg, &(struct ssh_login_request){
	    .method = SSH_LOGIN_OTHER, .name = user });
}

/* A certificate by its name, which says more than a fingerprint. */
static const char *
describe(char dst[SSH_KEY_FINGERPRINT], ssh_key key, const char *blob)
{
	char text[CERT_TEXT];
	const char *why;
	struct cert *cert;

	if (!cert_is(blob))
		return ssh_key_fingerprint(dst, key);
	cert = cert_parse(blob, &why);
	if (cert == NULL)
		return "a certificate";
	snprintf(dst, SSH_KEY_FINGERPRINT, "%s", cert_text(text, cert));
	cert_free(cert);
	return dst;
}

/* A key that is refused is no proof of what comes after it. */
static int
answer_signed(struct ssh_conn *c, const struct ssh_login_request *r)
{
	struct ssh_proof before = c->proof;
	int result;

	c->proof = (struct ssh_proof){ .data = NULL };
	(void)ssh_proof_take(&c->proof);
	result = answer(c, r);
	if (result == SSH_AUTH_DENIED) {
		ssh_proof_free(&c->proof);
		c->proof = before;
	} else {
		ssh_proof_free(&before);
	}
	return result;
}

static int
on_key(ssh_session s, const char *user, struct ssh_key_struct *key,
    char state, void *arg)
{
	struct ssh_conn *c = arg;
	struct ssh_login_request r = { .name = user };
	char fingerprint[SSH_KEY_FINGERPRINT];
	char *blob = NULL;
	int result;

	(void)s;
	if (state == SSH_PUBLICKEY_STATE_NONE)
		r.method = SSH_LOGIN_OFFER;
	else if (state == SSH_PUBLICKEY_STATE_VALID)
		r.method = SSH_LOGIN_SIGNED;
	else
		r.method = SSH_LOGIN_OTHER;
	if (r.method != SSH_LOGIN_OTHER &&
	    ssh_pki_export_pubkey_base64(key, &blob) == SSH_OK) {
		r.blob = blob;
		r.fingerprint = describe(fingerprint, key, blob);
	}
	if (r.method == SSH_LOGIN_SIGNED)
		result = answer_signed(c, &r);
	else
		result = answer(c, &r);
	/* The plain key comes next, and would be all that is told. */
	if (result == SSH_AUTH_DENIED && r.blob != NULL && cert_is(r.blob)) {
		log_info("login \"%s\" from %s: %s refused: %s",
		    ssh_login_name(c->login), c->where, r.fingerprint,
		    ssh_login_why(c->login));
		ssh_conn_tell(c, AUTH_REFUSED, ssh_login_why(c->login));
	}
	ssh_string_free_char(blob);
	return result;
}

/* Without this libssh would start Kerberos by itself. */
static ssh_string
on_gssapi(ssh_session s, const char *user, int n, ssh_string *oids, void *arg)
{
	(void)s;
	(void)n;
	(void)oids;
	answer(arg, &(struct ssh_login_request){
	    .method = SSH_LOGIN_OTHER, .name = user });
	return NULL;
}

/* Channels. */

static ssh_channel
on_channel(ssh_session s, void *arg)
{
	struct ssh_conn *c = arg;
	struct ssh_chan *chan;

	if (c->state != CONN_OPEN)
		return NULL;
	if (c->nchans >= c->all->conf->ssh.max_channels ||
	    (ssh_conn_is_drill(c) && c->nchans > 0)) {
		ssh_conn_refused(c, SSH_REFUSED_CHANNEL, "beyond the limit");
		return NULL;
	}
	chan = ssh_chan_new(c, s);
	if (chan == NULL)
		return NULL;
	c->chans = xreallocarray(c->chans, c->nchans + 1, sizeof(*c->chans));
	c->chans[c->nchans++] = chan;
	return ssh_chan_channel(chan);
}

static struct ssh_chan *
find_chan(const struct ssh_conn *c, ssh_channel channel)
{
	for (size_t i = 0; i < c->nchans; i++) {
		if (ssh_chan_channel(c->chans[i]) == channel)
			return c->chans[i];
	}
	return NULL;
}

/* A request of no known type, on a channel of ours. */
static int
on_other_request(struct ssh_conn *c, ssh_message m)
{
	bool is_break = ssh_hook_was_break();
	struct ssh_chan *chan;

	if (ssh_message_subtype(m) == SSH_CHANNEL_REQUEST_X11) {
		ssh_conn_refused(c, SSH_REFUSED_FORWARD, "X11");
		return 1;
	}
	chan = find_chan(c, ssh_message_channel_request_channel(m));
	if (!is_break || chan == NULL ||
	    ssh_message_subtype(m) != SSH_CHANNEL_REQUEST_UNKNOWN)
		return 1;
	ssh_chan_break(chan);
	ssh_message_channel_request_reply_success(m);
	return 0;
}

/* What no callback took; 1: libssh refuses it. */
static int
on_message(ssh_session s, ssh_message m, void *arg)
{
	struct ssh_conn *c = arg;

	(void)s;
	switch (ssh_message_type(m)) {
	case SSH_REQUEST_AUTH:
		if (ssh_message_subtype(m) == SSH_AUTH_METHOD_INTERACTIVE)
			return ssh_conn_interactive(c, m);
		answer(c, &(struct ssh_login_request){
		    .method = SSH_LOGIN_OTHER,
		    .name = ssh_message_auth_user(m) == NULL ? "" :
		    ssh_message_auth_user(m) });
		break;
	case SSH_REQUEST_CHANNEL:
		return on_other_request(c, m);
	case SSH_REQUEST_CHANNEL_OPEN:
		ssh_conn_refused(c, SSH_REFUSED_FORWARD,
		    "of connections (direct-tcpip)");
		break;
	case SSH_REQUEST_GLOBAL:
		ssh_conn_refused(c, SSH_REFUSED_FORWARD,
		    "of a port (tcpip-forward)");
		break;
	}
	return 1;
}

static const struct ssh_server_callbacks_struct callbacks = {
	.auth_password_function = on_password,
	.auth_none_function = on_none,
	.auth_pubkey_function = on_key,
	.gssapi_select_oid_function = on_gssapi,
	.channel_open_request_session_function = on_channel,
};

/* Running one. */

static void
reap_channels(struct ssh_conn *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nchans; i++) {
		if (ssh_chan_is_over(c->chans[i]))
			ssh_chan_free(c->chans[i], true);
		else
			c->chans[n++] = c->chans[i];
	}
	c->nchans = n;
}

static void
rewatch(struct ssh_conn *c)
{
	short events = ssh_conn_is_asking(c) ? 0 : POLLIN;

	if (ssh_get_status(c->session) & SSH_WRITE_PENDING)
		events |= POLLOUT;
	for (size_t i = 0; i < c->nchans; i++) {
		if (ssh_chan_wants_out(c->chans[i]))
			events |= POLLOUT;
	}
	watch_set(c->watch, events);
}

/* Not from inside a callback of libssh. */
void
ssh_conn_finish(struct ssh_conn *c)
{
	ssh_conn_tell_end(c);
	ssh_conn_ask_over(c);
	ssh_proof_free(&c->proof);
	explicit_bzero(c->voucher, sizeof(c->voucher));
	watch_free(c->watch);
	timer_free(c->limit);
	for (size_t i = 0; i < c->nchans; i++) {
		ssh_chan_lost(c->chans[i], c->silent);
		ssh_chan_free(c->chans[i], false);
	}
	c->nchans = 0;
	/* What waits in libssh's queue is lost now: it was waited for. */
	if (c->polite && ssh_conn_writable(c)) {
		ssh_session_set_disconnect_message(c->session, c->why);
		ssh_disconnect(c->session);
	} else {
		ssh_silent_disconnect(c->session);
	}
	ssh_free(c->session);
	c->session = NULL;
	if (c->outcome == THROTTLE_EARLY && ssh_login_has_tried(c->login))
		c->outcome = THROTTLE_FAILED;
	ssh_conn_leave_throttle(c, c->outcome);
	change_state(c, CONN_DEAD);
}

/* libssh closes the descriptor by itself when the peer is gone. */
static void
check_closed(struct ssh_conn *c)
{
	if (ssh_get_fd(c->session) == SSH_INVALID_SOCKET ||
	    (ssh_get_status(c->session) & (SSH_CLOSED | SSH_CLOSED_ERROR)))
		ssh_conn_end(c, "connection closed", false);
}

void
ssh_conn_run(struct ssh_conn *c)
{
	size_t n = c->nchans;	/* those opened meanwhile: the next run */

	check_closed(c);
	c->running = true;
	for (size_t i = 0; i < n && c->why == NULL; i++)
		ssh_chan_run(c->chans[i]);
	c->running = false;
	check_closed(c);
	if (c->why == NULL)
		reap_channels(c);
	if (c->state == CONN_LEAVING && c->nchans == 0)
		ssh_conn_end(c, "ended by the server", true);
	if (c->why != NULL)
		ssh_conn_finish(c);
	else
		rewatch(c);
}

/* Can there be nothing in it that only the log tells? */
static bool
may_be_quiet(const struct ssh_conn *c)
{
	int n;

	return c->whole && ioctl(c->fd, FIONREAD, &n) == 0 &&
	    n < SSH_HOOK_BREAK_MIN - PART_MAX;
}

/* Have libssh read and act. */
static void
take_packets(struct ssh_conn *c)
{
	uint64_t bytes = c->socket.in_bytes, packets = c->packets.in_packets;
	bool quiet = may_be_quiet(c);

	if (quiet)
		ssh_hook_quiet();
	ssh_execute_message_callbacks(c->session);
	if (quiet)
		ssh_hook_loud();
	bytes = c->socket.in_bytes - bytes;
	for (size_t i = 0; bytes > 0 && i < c->nchans; i++)
		ssh_chan_heard(c->chans[i]);
	packets = c->packets.in_packets - packets;
	c->whole = packets == 1 && bytes < PACKET_MIN + PART_MAX;
}

static void
on_socket(void *arg, short revents)
{
	struct ssh_conn *c = arg;

	ssh_conn_wake(c);
	if (c->why != NULL)
		return;
	if (ssh_conn_is_asking(c) && (revents & (POLLHUP | POLLERR))) {
		ssh_conn_end(c, "connection closed", false);
		return;
	}
	c->typed = false;
	take_packets(c);
	/*
	 * Clients with Nagle's algorithm wait for this before they send the
	 * next of several small packets.  What was typed is acknowledged by
	 * its echo.
	 */
	if (!c->relayed && !c->typed && c->fd == ssh_get_fd(c->session))
		os_tcp_quickack(c->fd);
}

static void
on_limit(void *arg)
{
	struct ssh_conn *c = arg;

	switch (c->state) {
	case CONN_LOGIN:
		c->outcome = THROTTLE_GRACE;
		ssh_conn_end(c, "not logged in within the time given", true);
		break;
	case CONN_OPEN:
		ssh_conn_end(c, "too many sessions", true);
		break;
	case CONN_LEAVING:
		ssh_conn_end(c, "ended by the server", true);
		break;
	case CONN_DEAD:
		break;
	}
}

/* Keepalive. */

void
ssh_conn_check_alive(struct ssh_conn *c)
{
	uint64_t sent = c->socket.out_bytes;

	if (c->socket.in_bytes != c->heard) {
		c->heard = c->socket.in_bytes;
		c->missed = 0;
		return;
	}
	if (c->missed++ >= c->all->conf->ssh.keepalive_count) {
		c->silent = true;
		ssh_conn_end(c, "it does not answer", false);
		return;
	}
	ssh_send_keepalive(c->session);
	/* The first call may only have fetched the answer to the last one. */
	if (c->socket.out_bytes == sent)
		ssh_send_keepalive(c->session);
	ssh_conn_wake(c);
}

/* End its channels with a message, then the connection. */
void
ssh_conn_leave(struct ssh_conn *c, const char *text)
{
	if (c->state == CONN_LOGIN) {
		c->outcome = THROTTLE_EXCUSED;
		ssh_conn_end(c, text, true);
	}
	if (c->state != CONN_OPEN)
		return;
	change_state(c, CONN_LEAVING);
	c->leave_why = text;
	for (size_t i = 0; i < c->nchans; i++)
		ssh_chan_end(c->chans[i], text, ST_FAILED);
	timer_set(c->limit, FAREWELL_MS);
	ssh_conn_wake(c);
}

/* Takes fd over in any case. */
static ssh_session
new_session(struct ssh_conns *all, int fd)
{
	ssh_session s = ssh_new();

	if (s == NULL) {
		close(fd);
		return NULL;
	}
	ssh_set_blocking(s, 0);
	/* There is no option of the bind for this. */
	ssh_options_set(s, SSH_OPTIONS_COMPRESSION_C_S, "none");
	ssh_options_set(s, SSH_OPTIONS_COMPRESSION_S_C, "none");
	if (ssh_bind_accept_fd(all->bind, s, fd) != SSH_OK) {
		log_error("ssh: %s", ssh_get_error(all->bind));
		/* Whose the descriptor is depends on how far it came. */
		if (ssh_get_fd(s) != fd)
			close(fd);
		ssh_free(s);
		return NULL;
	}
	return s;
}

static void
tune_socket(struct ssh_conns *all, int fd)
{
	const struct config_ssh *conf = &all->conf->ssh;
	int64_t ms = conf->keepalive_ms * (conf->keepalive_count + 1);
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)os_tcp_user_timeout(fd,
	    ms < TCP_TIMEOUT_MAX ? (unsigned)ms : TCP_TIMEOUT_MAX);
}

static void
start(struct ssh_conn *c)
{
	struct ssh_conns *all = c->all;

	c->callbacks = callbacks;
	c->callbacks.userdata = c;
	ssh_callbacks_init(&c->callbacks);
	ssh_set_server_callbacks(c->session, &c->callbacks);
	ssh_set_message_callback(c->session, on_message, c);
	ssh_set_counters(c->session, &c->socket, &c->packets);
	ssh_set_auth_methods(c->session, SSH_AUTH_METHOD_PUBLICKEY |
	    (ssh_auth_takes_passwords(all->auth) ?
	    SSH_AUTH_METHOD_INTERACTIVE : 0));
	c->watch = watch_new(all->loop, c->fd, POLLIN, on_socket, c);
	c->limit = timer_new(all->loop, on_limit, c);
	timer_set(c->limit, all->conf->ssh.login_grace_ms);
	/*
	 * Only the first call, which sends our banner: from then on the key
	 * exchange runs by itself from ssh_execute_message_callbacks.  libssh
	 * 0.10 never reports its end when the login came in the same packet.
	 */
	if (ssh_handle_key_exchange(c->session) == SSH_ERROR)
		ssh_conn_end(c, "connection closed", false);
	os_tcp_quickack(c->fd);
	ssh_conn_wake(c);
}

bool
ssh_conn_new(struct ssh_conns *all, int fd, const struct ssh_conns_peer *peer)
{
	ssh_session session;
	struct ssh_conn *c;

	if (peer->via == NULL)
		tune_socket(all, fd);
	session = new_session(all, fd);
	if (session == NULL)
		return false;
	c = xcalloc(1, sizeof(*c));
	c->all = all;
	c->session = session;
	c->fd = fd;
	c->counted = true;
	c->outcome = THROTTLE_EARLY;
	c->since = mono_now();
	c->relayed = peer->via != NULL;
	snprintf(c->from, sizeof(c->from), "%s", peer->from);
	snprintf(c->via, sizeof(c->via), "%s", c->relayed ? peer->via : "ssh");
	snprintf(c->where, sizeof(c->where), "%s port %u%s%s", c->from,
	    peer->port, c->relayed ? " via " : "", c->relayed ? c->via : "");
	/* A relay's word is nothing that a key's from= could rest on. */
	c->login = ssh_login_new(c->relayed ? "" : c->from);
	ssh_login_clock(c->login, os_clock_synced());
	c->next = all->first;
	all->first = c;
	all->n++;
	start(c);
	return true;
}

/* It is dead, and nobody knows it any more. */
void
ssh_conn_free(struct ssh_conn *c)
{
	ssh_login_free(c->login);
	free(c->chans);
	free(c);
}
