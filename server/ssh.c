#include <sys/types.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include "../auth/secret.h"
#include "base/fileio.h"
#include "base/link.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/os.h"
#include "config.h"
#include "feed.h"
#include "keyring.h"
#include "proto.h"
#include "relay_call.h"
#include "relays.h"
#include "role.h"
#include "sandbox.h"
#include "ssh.h"
#include "ssh_conn.h"
#include "ssh_gate.h"
#include "ssh_hook.h"
#include "ssh_proof.h"
#include "ssh_selftest.h"
#include "ssh_key.h"
#include "ssh_offer.h"

#define ACCEPTS_MAX 16		/* connections per listener and turn */
#define NO_FDS_WAIT_MS 1000
#define LINK_OUT_MAX 65536
#define STOP_MS 2500
#define FDS_MAX 16384

#define USER_KEYS "ssh-ed25519,sk-ssh-ed25519@openssh.com," \
	"ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521," \
	"sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256," \
	"ssh-ed25519-cert-v01@openssh.com," \
	"sk-ssh-ed25519-cert-v01@openssh.com," \
	"ecdsa-sha2-nistp256-cert-v01@openssh.com," \
	"ecdsa-sha2-nistp384-cert-v01@openssh.com," \
	"ecdsa-sha2-nistp521-cert-v01@openssh.com," \
	"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com," \
	"rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com"

struct listener {
	struct listener *next;
	struct front *front;
	char address[64];
	int fd;
	bool named;		/* by the set being given */
	struct watch *watch;
};

struct front {
	struct loop *loop;
	struct link *up;
	struct feed *feed;
	struct keyring *keys;
	struct relays *relays;
	struct relay_calls *calls;
	struct ssh_gate *gate;
	struct ssh_conns *conns;
	struct config *conf;
	struct config *next;	/* given, in force with SV_READY */
	ssh_bind bind;
	char host_key[SSH_KEY_FINGERPRINT];
	char *host_blob;		/* its public half, base64 */
	struct listener *listeners;
	struct timer *again;	/* accept again */
	int parked;		/* accepted, no room yet; -1 */
	struct sockaddr_storage parked_from;
	enum ssh_selftest works;	/* of logging in, before the sandbox */
	int64_t works_ms;		/* that it took */
	bool stopping;
	bool ready_due;		/* see role_ready */
	bool serving;		/* has been ready: clients are taken */
};

/* What is offered to clients. */

static const struct {
	enum ssh_bind_options_e option;
	const char *value;
} offers[] = {
	{ SSH_BIND_OPTIONS_BANNER,		"oobd" },
	{ SSH_BIND_OPTIONS_KEY_EXCHANGE,	SSH_OFFER_KEX },
	{ SSH_BIND_OPTIONS_CIPHERS_C_S,		SSH_OFFER_CIPHERS },
	{ SSH_BIND_OPTIONS_CIPHERS_S_C,		SSH_OFFER_CIPHERS },
	{ SSH_BIND_OPTIONS_HMAC_C_S,		SSH_OFFER_MACS },
	{ SSH_BIND_OPTIONS_HMAC_S_C,		SSH_OFFER_MACS },
	{ SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS,	"ssh-ed25519" },
	{ SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, USER_KEYS },
};

static ssh_bind
make_bind(ssh_key key)
{
	const bool no = false;
	const int rsa_min = 3072;
	ssh_bind b = ssh_bind_new();

	if (b == NULL ||
	    ssh_bind_options_set(b, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no) ||
	    ssh_bind_options_set(b, SSH_BIND_OPTIONS_RSA_MIN_SIZE, &rsa_min))
		fatalx("libssh refuses its options");
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		if (ssh_bind_options_set(b, offers[i].option,
		    offers[i].value) != SSH_OK)
			fatalx("libssh refuses %s: %s", offers[i].value,
			    ssh_get_error(b));
	}
	/* The bind owns the key from now on. */
	if (ssh_bind_options_set(b, SSH_BIND_OPTIONS_IMPORT_KEY, key) !=
	    SSH_OK)
		fatalx("libssh refuses the host key: %s", ssh_get_error(b));
	return b;
}

/* At start a missing key ends us; a reload keeps the old one. */
static void
load_host_key(struct front *f, const struct config *conf)
{
	char why[512], print[SSH_KEY_FINGERPRINT];
	ssh_key key = ssh_key_host(f->keys, conf->ssh.host_key, why, sizeof(why));

	if (key == NULL) {
		if (f->bind == NULL)
			fatalx("%s", why);
		log_error("%s: the old one stays", why);
		return;
	}
	ssh_key_fingerprint(print, key);
	if (strcmp(print, f->host_key) == 0) {
		ssh_key_free(key);
		return;
	}
	memcpy(f->host_key, print, sizeof(f->host_key));
	ssh_string_free_char(f->host_blob);
	if (ssh_pki_export_pubkey_base64(key, &f->host_blob) != SSH_OK)
		fatalx("libssh cannot export the host key");
	if (f->bind != NULL)
		ssh_bind_free(f->bind);
	f->bind = make_bind(key);
	log_info("host key %s (ED25519, %s)", f->host_key,
	    conf->ssh.host_key);
}

/* Listening. */

static void
hold_listeners(struct front *f, int64_t ms)
{
	for (struct listener *l = f->listeners; l != NULL; l = l->next)
		watch_pause(l->watch);
	timer_set(f->again, ms);
}

static void
free_listener(struct listener *l)
{
	watch_free(l->watch);
	close(l->fd);
	free(l);
}

/* False: no more for now. */
static bool
accept_one(struct front *f, int listener)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int fd;

	memset(&sa, 0, sizeof(sa));
	fd = accept4(listener, (struct sockaddr *)&sa, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1 || !fd_leaves_room(fd)) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			log_errno("cannot accept a connection");
			hold_listeners(f, NO_FDS_WAIT_MS);
		}
		/* Anything else is that connection's own trouble. */
		return errno == ECONNABORTED;
	}
	if (!ssh_conns_add(f->conns, fd, (struct sockaddr *)&sa)) {
		f->parked = fd;
		f->parked_from = sa;
		hold_listeners(f, SSH_CONNS_WAIT_MS);
		return false;
	}
	return true;
}

static void
on_listener(void *arg, short revents)
{
	struct listener *l = arg;

	(void)revents;
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		if (!accept_one(l->front, l->fd))
			return;
	}
}

static void
on_again(void *arg)
{
	struct front *f = arg;

	if (f->parked != -1 && !ssh_conns_add(f->conns, f->parked,
	    (struct sockaddr *)&f->parked_from)) {
		timer_set(f->again, SSH_CONNS_WAIT_MS);
		return;
	}
	f->parked = -1;
	for (struct listener *l = f->listeners; l != NULL; l = l->next)
		watch_set(l->watch, POLLIN);
}

/* What the supervisor says. */

static int
take_config(struct front *f, struct frame *frame, int fd)
{
	if (!frame_ok(frame) || fd == -1)
		return -1;
	config_free(f->next);
	f->next = role_config(fd);
	if (f->next == NULL)
		return -1;
	for (struct listener *l = f->listeners; l != NULL; l = l->next)
		l->named = false;
	return 0;
}

static void
drop_listener(struct front *f, const char *address)
{
	struct listener **at = &f->listeners, *l;

	while ((l = *at) != NULL) {
		if (strcmp(l->address, address) == 0) {
			*at = l->next;
			free_listener(l);
		} else {
			at = &l->next;
		}
	}
}

static void
drop_listeners(struct front *f)
{
	struct listener *l;

	while ((l = f->listeners) != NULL) {
		f->listeners = l->next;
		free_listener(l);
	}
}

/* Returns 0 with fd taken over. */
static int
take_listener(struct front *f, struct frame *frame, int fd)
{
	struct listener *l;
	char address[sizeof(l->address)];

	frame_str(frame, address, sizeof(address));
	if (!frame_ok(frame) || fd == -1)
		return -1;
	drop_listener(f, address);
	l = xcalloc(1, sizeof(*l));
	memcpy(l->address, address, sizeof(l->address));
	l->front = f;
	l->fd = fd;
	l->named = true;
	fd_prepare(fd);
	l->watch = watch_new(f->loop, fd, POLLIN, on_listener, l);
	if (!f->serving || timer_is_set(f->again))
		watch_pause(l->watch);
	l->next = f->listeners;
	f->listeners = l;
	return 0;
}

static int
take_peer(struct front *f, struct frame *frame, int fd)
{
	char role[32];

	frame_str(frame, role, sizeof(role));
	if (!frame_ok(frame) || fd == -1)
		return -1;
	if (strcmp(role, "console") == 0)
		feed_link(f->feed, fd);
	else if (strcmp(role, "modem") == 0)
		relays_link(f->relays, fd);
	else
		close(fd);
	return 0;
}

/*
 * Ready, or once the console process is there.  Nobody is heard before: what
 * goes wrong until then is nobody's doing (children.h).
 */
static void
get_ready(struct front *f)
{
	role_ready(f->up, f->feed, &f->ready_due);
	if (f->ready_due || f->serving)
		return;
	f->serving = true;
	for (struct listener *l = f->listeners; l != NULL; l = l->next)
		watch_set(l->watch, POLLIN);
}

static int
take_key(struct front *f, struct frame *frame, int fd)
{
	char path[PATH_MAX];
	int error;

	frame_str(frame, path, sizeof(path));
	error = (int)frame_u32(frame);
	if (!frame_ok(frame) || (fd == -1) != (error != 0))
		return -1;
	keyring_put(f->keys, path, fd, error);
	/* The host key's is for the configuration that is being given. */
	if (f->next == NULL || strcmp(path, f->next->ssh.host_key) != 0) {
		relays_key_came(f->relays, path);
		keyring_drop(f->keys, path);
	}
	return 0;
}

static void
want_key(void *arg, const char *path)
{
	struct front *f = arg;

	frame_put_str(link_start(f->up, UP_KEY), path);
	link_send(f->up);
	link_flush(f->up);
}

/* What libraries would read a file for later: nothing of it is ours. */
static void
prepare_libraries(void)
{
	tzset();
	json_object_seed(0);
}

/*
 * Should a library not bear the sandbox, nobody would get in: so it is tried,
 * and a process that fails is one that never got ready (children.h).  Not where
 * it took so long before that the supervisor would lose patience.
 */
static void
try_sandbox(const struct front *f)
{
	const int64_t left = SSH_SELFTEST_MS - f->works_ms;
	const char *why;

	if (!sandbox_is_off() && left > SSH_SELFTEST_MS / 2 &&
	    ssh_selftest(left, &why) < f->works)
		fatalx("nobody could log in from within the sandbox: %s",
		    why);
}

/* From here on no file and no address, before anybody is heard. */
static void
confine(const struct front *f, const struct config *conf)
{
	prepare_libraries();
	sandbox_enter("ssh", conf->state_dir, conf->log_dir, NULL);
	sandbox_seal();
	try_sandbox(f);
}

/* The set is complete: put it in force. */
static int
take_ready(struct front *f, struct frame *frame)
{
	struct listener **at = &f->listeners, *l;
	struct config *old = f->conf;

	if (!frame_ok(frame))
		return -1;
	if (f->next != NULL) {
		load_host_key(f, f->next);
		keyring_drop(f->keys, f->next->ssh.host_key);
		if (f->conf == NULL)
			confine(f, f->next);
		f->conf = f->next;
		f->next = NULL;
		ssh_conns_configure(f->conns, f->conf, f->bind);
		relays_configure(f->relays, f->conf, f->host_blob);
		config_free(old);
	}
	if (f->conf == NULL)
		return -1;
	while ((l = *at) != NULL) {
		if (l->named) {
			if (f->serving && !timer_is_set(f->again))
				watch_set(l->watch, POLLIN);
			at = &l->next;
		} else {
			*at = l->next;
			free_listener(l);
		}
	}
	get_ready(f);
	return 0;
}

/* Returns 0 with fd taken over. */
static int
take_gate(struct front *f, struct frame *frame, int fd)
{
	uint32_t request = frame_u32(frame);

	if (!frame_ok(frame))
		return -1;
	ssh_gate_take(f->gate, request, fd);
	return 0;
}

/* Returns 0 with fd taken over. */
static int
take_dial(struct front *f, struct frame *frame, int fd)
{
	uint32_t request = frame_u32(frame);
	char why[128];

	frame_str(frame, why, sizeof(why));
	if (!frame_ok(frame))
		return -1;
	relay_calls_take(f->calls, request, why, fd);
	return 0;
}

static int
take_ping(struct front *f, struct frame *frame)
{
	return role_pong(f->up, frame);
}

static void
on_stop_over(void *arg)
{
	struct front *f = arg;

	loop_stop(f->loop, 0);
}

static int
take_stop(struct front *f)
{
	struct timer *t;

	if (f->stopping)
		return 0;
	f->stopping = true;
	drop_listeners(f);
	ssh_conns_stop(f->conns, "shutting down");
	relays_stop(f->relays);
	t = timer_new(f->loop, on_stop_over, f);
	timer_set(t, STOP_MS);
	return 0;
}

static int
on_frame(void *arg, struct frame *frame, int fd)
{
	struct front *f = arg;
	int r = -1;

	switch (frame->type) {
	case SV_CONFIG:
		r = take_config(f, frame, fd);
		break;
	case SV_LISTEN:
		if ((r = take_listener(f, frame, fd)) == 0)
			return 0;
		break;
	case SV_PEER:
		if ((r = take_peer(f, frame, fd)) == 0)
			return 0;
		break;
	case SV_KEY:
		if ((r = take_key(f, frame, fd)) == 0)
			return 0;
		break;
	case SV_GATE:
		if ((r = take_gate(f, frame, fd)) == 0)
			return 0;
		break;
	case SV_DIAL:
		if ((r = take_dial(f, frame, fd)) == 0)
			return 0;
		break;
	case SV_READY:
		r = take_ready(f, frame);
		break;
	case SV_PING:
		r = take_ping(f, frame);
		break;
	case SV_STOP:
		r = take_stop(f);
		break;
	}
	if (fd != -1)
		close(fd);
	return r;
}

static void
on_up_down(void *arg, const char *why)
{
	struct front *f = arg;

	/* Without a supervisor nobody restarts or stops us: end. */
	log_debug("supervisor: %s", why);
	loop_stop(f->loop, f->stopping ? 0 : 1);
}

static const struct link_ops up_ops = {
	.frame = on_frame,
	.down = on_up_down,
};

/* What the console process says. */

static void
on_feed_up(void *arg)
{
	struct front *f = arg;

	log_debug("console process: linked");
	feed_info(f->feed, "host_key", f->host_key);
	if (f->ready_due)
		get_ready(f);
}

static void
on_feed_down(void *arg, const char *why)
{
	(void)arg;
	log_debug("console process: %s", why);
}

static void
on_feed_consoles(void *arg)
{
	(void)arg;
}

static void
on_feed_task(void *arg, const struct feed_task *task)
{
	struct front *f = arg;

	relays_task(f->relays, task);
}

static void
on_feed_task_gone(void *arg, uint32_t id)
{
	struct front *f = arg;

	relays_task_gone(f->relays, id);
}

static void
on_feed_grants(void *arg, const struct feed_granted *list, size_t n)
{
	struct front *f = arg;

	ssh_conns_granted(f->conns, list, n);
}

static const struct feed_ops feed_ops = {
	.grants = on_feed_grants,
	.up = on_feed_up,
	.down = on_feed_down,
	.consoles = on_feed_consoles,
	.task = on_feed_task,
	.task_gone = on_feed_task_gone,
};

/* When all have taken their leave there is nothing to wait for. */
static void
on_turn(void *arg)
{
	struct front *f = arg;

	if (f->stopping && ssh_conns_count(f->conns) == 0 &&
	    relays_are_gone(f->relays))
		loop_stop(f->loop, 0);
}

/* A descriptor per connection, whatever shell started us. */
static void
allow_descriptors(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	if (rl.rlim_max > FDS_MAX)
		rl.rlim_max = FDS_MAX;
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
}

/* Where that cannot be, everybody is to know before anybody comes. */
static void
listen_to_proofs(struct front *f)
{
	const struct mono since = mono_now();
	const char *why;

	ssh_proof_listen(true);
	f->works = ssh_selftest(SSH_SELFTEST_MS, &why);
	f->works_ms = mono_ms(since, mono_now());
	if (f->works == SSH_SELFTEST_PROOF)
		return;
	ssh_proof_listen(false);
	frame_put_str(link_start(f->up, UP_PROOFLESS), why);
	link_send(f->up);
	link_flush(f->up);
}

int
ssh_main(int fd, bool debug)
{
	struct front f = { .parked = -1 };
	int status;

	(void)debug;
	signal(SIGPIPE, SIG_IGN);
	allow_descriptors();
	if (os_no_dump() == -1)
		log_debug("cannot forbid core dumps");
	secret_check();
	if (ssh_init() != SSH_OK)
		fatalx("libssh does not start");
	ssh_hook_start();
	f.loop = loop_new();
	f.feed = feed_new(f.loop, "ssh", &feed_ops, &f);
	f.keys = keyring_new();
	f.relays = relays_new(f.loop, f.feed);
	relays_keys(f.relays, f.keys, want_key, &f);
	f.gate = ssh_gate_new(f.loop);
	f.conns = ssh_conns_new(f.loop, f.feed, f.gate);
	relays_serve(f.relays, f.conns);
	f.again = timer_new(f.loop, on_again, &f);
	loop_each_turn(f.loop, on_turn, &f);
	f.up = link_new(f.loop, fd, LINK_OUT_MAX, &up_ops, &f);
	ssh_gate_link(f.gate, f.up);
	f.calls = relay_calls_new(f.loop, f.up);
	relays_calls(f.relays, f.calls);
	listen_to_proofs(&f);
	status = loop_run(f.loop);
	feed_flush(f.feed);
	drop_listeners(&f);
	if (f.parked != -1)
		close(f.parked);
	relays_free(f.relays);
	relay_calls_free(f.calls);
	keyring_free(f.keys);
	ssh_conns_free(f.conns);
	ssh_gate_free(f.gate);
	feed_free(f.feed);
	link_free(f.up);
	if (f.bind != NULL)
		ssh_bind_free(f.bind);
	ssh_string_free_char(f.host_blob);
	config_free(f.conf);
	config_free(f.next);
	loop_free(f.loop);
	ssh_finalize();
	return status;
}
