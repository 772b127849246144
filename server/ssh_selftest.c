#include <sys/types.h>
#include <sys/socket.h>

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include "base/clock.h"
#include "base/fileio.h"
#include "ssh_offer.h"
#include "ssh_proof.h"
#include "ssh_selftest.h"

#define TURN_MS 5

/* Both ends of it. */
struct selftest {
	ssh_key host, user;
	ssh_bind bind;
	ssh_session server, client;
	struct ssh_server_callbacks_struct callbacks;
	bool connected, in;
	bool heard;
};

static int
on_key(ssh_session s, const char *user, struct ssh_key_struct *key,
    char state, void *arg)
{
	struct selftest *t = arg;
	struct ssh_proof proof = { .data = NULL };

	(void)s;
	(void)user;
	(void)key;
	if (state == SSH_PUBLICKEY_STATE_VALID)
		t->heard = ssh_proof_take(&proof);
	ssh_proof_free(&proof);
	return SSH_AUTH_SUCCESS;
}

static const struct ssh_server_callbacks_struct callbacks = {
	.auth_pubkey_function = on_key,
};

/* Takes fd over. */
static bool
start_server(struct selftest *t, int fd)
{
	const bool no = false;

	t->bind = ssh_bind_new();
	t->server = ssh_new();
	if (t->bind == NULL || t->server == NULL || ssh_bind_options_set(
	    t->bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no) != SSH_OK ||
	    ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &t->host) != SSH_OK ||
	    ssh_bind_options_set(t->bind, SSH_BIND_OPTIONS_IMPORT_KEY,
	    t->host) != SSH_OK) {
		close(fd);
		return false;
	}
	ssh_set_blocking(t->server, 0);
	if (ssh_bind_accept_fd(t->bind, t->server, fd) != SSH_OK) {
		if (ssh_get_fd(t->server) != fd)
			close(fd);
		return false;
	}
	t->callbacks = callbacks;
	t->callbacks.userdata = t;
	ssh_callbacks_init(&t->callbacks);
	ssh_set_server_callbacks(t->server, &t->callbacks);
	ssh_set_auth_methods(t->server, SSH_AUTH_METHOD_PUBLICKEY);
	return ssh_handle_key_exchange(t->server) != SSH_ERROR;
}

/* Takes fd over. */
static bool
start_client(struct selftest *t, int fd)
{
	t->client = ssh_new();
	if (t->client == NULL || !ssh_offer_client(t->client) ||
	    ssh_options_set(t->client, SSH_OPTIONS_HOST, "self") != SSH_OK ||
	    ssh_options_set(t->client, SSH_OPTIONS_USER, "self") != SSH_OK ||
	    ssh_options_set(t->client, SSH_OPTIONS_FD, &fd) != SSH_OK ||
	    ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &t->user) != SSH_OK) {
		close(fd);
		return false;
	}
	ssh_set_blocking(t->client, 0);
	return true;
}

/* A step of both.  False: it cannot go on. */
static bool
step(struct selftest *t)
{
	int rc;

	if (!t->connected) {
		rc = ssh_connect(t->client);
		t->connected = rc == SSH_OK;
	} else {
		rc = ssh_userauth_publickey(t->client, NULL, t->user);
		t->in = rc == SSH_AUTH_SUCCESS;
		rc = rc == SSH_AUTH_AGAIN || t->in ? SSH_OK : SSH_ERROR;
	}
	ssh_execute_message_callbacks(t->server);
	return rc != SSH_ERROR;
}

/* NULL, or why there was no login. */
static const char *
run(struct selftest *t, int pair[2], int64_t ms)
{
	struct mono end = mono_after(mono_now(), ms);
	bool served = start_server(t, pair[0]);
	struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };

	if (!start_client(t, pair[1]) || !served)
		return "libssh has no memory for it";
	while (!t->in && mono_ms(mono_now(), end) > 0) {
		if (!step(t))
			return "libssh cannot log in to itself";
		p[0].fd = ssh_get_fd(t->server);
		p[1].fd = ssh_get_fd(t->client);
		if (!t->in)
			poll(p, 2, TURN_MS);
	}
	return t->in ? NULL : "libssh is slow in logging in to itself";
}

static void
end(struct selftest *t)
{
	if (t->client != NULL) {
		ssh_silent_disconnect(t->client);
		ssh_free(t->client);
	}
	if (t->server != NULL) {
		ssh_silent_disconnect(t->server);
		ssh_free(t->server);
	}
	if (t->bind != NULL)
		ssh_bind_free(t->bind);
	ssh_key_free(t->user);
}

enum ssh_selftest
ssh_selftest(int64_t ms, const char **why)
{
	struct selftest t = { .client = NULL };
	int pair[2];

	*why = "no socket for it";
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return SSH_SELFTEST_NOTHING;
	*why = run(&t, pair, ms);
	end(&t);
	if (*why != NULL)
		return SSH_SELFTEST_NOTHING;
	if (t.heard)
		return SSH_SELFTEST_PROOF;
	*why = ssh_proof_is_possible() ?
	    "libssh checks signatures in a way of its own" :
	    "libssh is not built with OpenSSL";
	return SSH_SELFTEST_LOGIN;
}
