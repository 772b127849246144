/*
 * The ssh process, told anything by the supervisor (kept.h): listening sockets
 * that are none, keys, gates and dialers that it did not ask for, while its
 * relays and whoever connects go on.  Of its host key alone nothing wrong is
 * said before it was ready: then it is to end.
 *
 * Input: acts: a byte which, one for its size, so many bytes.
 */
#include <netinet/in.h>

#include <libssh/libssh.h>

#include "kept.h"
#include "server/ssh_selftest.h"
#include "tests/skewed_time.h"

static enum ssh_selftest test_selftest(int64_t, const char **);

#define loop_run kept_loop_run
#define loop_stop kept_loop_stop
#define ssh_selftest(ms, why) test_selftest(ms, why)
#define os_no_dump() 0		/* a sanitizer reads us */
#include "server/ssh.c"
#undef loop_run
#undef loop_stop
#undef ssh_selftest
#undef os_no_dump

#define BOX_KEY "AAAAC3NzaC1lZDI1NTE5AAAAIMkaXVq9K9oFjH41AuxpV6wP" \
	"+vGszysrza51/3oy6jee"
#define HEAD(key) "console gw { device = /d }\nssh { host_key = \"@/" key \
	"\" }\n"
#define RELAY(name, more) "relay " name " { host = \"192.0.2.1\" port = 1 " \
	"user = u host_key = {\"ssh-ed25519 " BOX_KEY "\"} " more " }\n"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const texts[KEPT_CONFS] = {
	HEAD("host_key") RELAY("a", "listen = \"localhost:1\" when = always "
	    "identity = \"@/relay_key\""),
	HEAD("host_key")
	    "user alice { keys = {\"ssh-ed25519 " BOX_KEY "\"} }\n"
	    RELAY("b", "listen = \"localhost:2\" when = activated "
	    "identity = \"@/relay_key\""),
	HEAD("other_key"),
	HEAD("no_key") RELAY("a", "listen = \"localhost:1\" when = always "
	    "identity = \"@/no_key\""),
};
static const char *const keys[] = { "host_key", "other_key", "relay_key",
	"no_key" };

static struct {
	bool begun;			/* it has a host key */
	uint32_t dial;			/* asked for last */
	int port;			/* it listens at, 0: none */
	bool proofs;
} w;

static enum ssh_selftest
test_selftest(int64_t ms, const char **why)
{
	(void)ms;
	*why = "it is not to";
	return w.proofs ? SSH_SELFTEST_PROOF : SSH_SELFTEST_LOGIN;
}

static bool
console_hears(struct frame *f)
{
	return f->type == RQ_AUTH || f->type == RQ_OPEN ||
	    f->type == RQ_CLOSE;
}

static bool
hears(struct frame *f, unsigned fds)
{
	char text[256];
	bool ok = fds == 0;

	switch (f->type) {
	case UP_GATE:
		(void)frame_u32(f);
		break;
	case UP_KEY:
		frame_str(f, text, sizeof(text));
		ok &= strncmp(text, world_dir, strlen(world_dir)) == 0;
		break;
	case UP_DIAL:
		w.dial = frame_u32(f);
		frame_str(f, text, sizeof(text));
		ok &= strlen(text) == 1 && frame_u8(f) <= 1 &&
		    frame_u8(f) <= 1;
		break;
	case UP_PROOFLESS:
		frame_str(f, text, sizeof(text));
		ok &= !w.proofs;
		break;
	default:
		return false;
	}
	return ok && frame_ok(f);
}

/* Acts: p, n is what stands behind each. */

/* The last one has no key. */
static void
act_config(const uint8_t *p, size_t n)
{
	if (w.begun || n == 0 || p[0] % KEPT_CONFS != KEPT_CONFS - 1)
		kept_act_config(p, n);
}

static void
act_ready(const uint8_t *p, size_t n)
{
	w.begun |= kept.configured;
	kept_act_ready(p, n);
}

/* The n-th of them, or that there is none; or junk in its place. */
static void
act_key(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_KEY);
	char path[WORLD_DIR + 16];
	unsigned which = n > 0 ? p[0] % 4 : 0, how = n > 1 ? p[1] % 4 : 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", world_dir, keys[which]);
	if (!w.begun && which != 2)
		how = 0;
	fd = how == 1 ? -1 : how == 2 ? kept_open(KEPT_JUNK) : how == 3 ?
	    kept_socket() : open(path, O_RDONLY | O_CLOEXEC);
	frame_put_str(o, path);
	frame_put_u32(o, fd == -1 ? ENOENT : 0);
	if (fd == -1)
		world_send(kept.up, o);
	else
		kept_give_frame(o, fd);
}

static void
act_modem(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_PEER);

	(void)p;
	frame_put_str(o, n > 0 ? "notify" : "modem");
	kept_give_frame(o, kept_socket());
}

static struct sockaddr_in
here(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port) };

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return at;
}

static void
act_listen(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_LISTEN);
	struct sockaddr_in at = here(0);
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    listen(fd, 8) == -1 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) == -1)
		abort();
	w.port = ntohs(at.sin_port);
	frame_put_str(o, n > 0 && (p[0] & 1) != 0 ? "[::]:22" : "*:22");
	kept_give_frame(o, fd);
}

/* Somebody; then he is one of the ends. */
static void
act_connect(const uint8_t *p, size_t n)
{
	struct sockaddr_in at = here(w.port);
	int fd;

	(void)p;
	(void)n;
	if (w.port == 0)
		return;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		abort();
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == -1) {
		close(fd);
		return;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	close(kept_socket());
	close(kept.ends[(kept.nends - 1) % KEPT_ENDS]);
	kept.ends[(kept.nends - 1) % KEPT_ENDS] = fd;
}

static void
act_gate(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_GATE);

	frame_put_u32(o, n > 0 ? p[0] : 1);
	if (n > 1)
		world_send(kept.up, o);
	else
		kept_give_frame(o, kept_socket());
}

static void
act_dial(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_DIAL);

	frame_put_u32(o, w.dial);
	if (n > 0) {
		kept.wrong = true;	/* its text may be too long */
		frame_put_str(o, peer_text(&p, &n));
		world_send(kept.up, o);
	} else {
		frame_put_str(o, "");
		kept_give_frame(o, kept_socket());
	}
}

static void
act_wait(const uint8_t *p, size_t n)
{
	skew_us += n == 0 ? 1000 : (int64_t)p[0] * p[0] * 2000;
}

static world_act *const acts[] = {
	act_config, act_ready, kept_act_ping, kept_act_stop, kept_act_any,
	kept_act_any_fd, kept_act_cut, kept_act_says, kept_act_ends,
	KEPT_PEER_ACTS, act_key, act_modem, act_listen, act_connect, act_gate,
	act_dial, act_wait,
};

static int
be_ssh(int fd)
{
	return ssh_main(fd, false);
}

static void
make_key(const char *name)
{
	char path[WORLD_DIR + 16];
	ssh_key key;

	snprintf(path, sizeof(path), "%s/%s", world_dir, name);
	if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK ||
	    ssh_pki_export_privkey_file(key, NULL, NULL, NULL, path) !=
	    SSH_OK || chmod(path, 0600) == -1)
		abort();
	ssh_key_free(key);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (kept.nacts == 0) {
		kept_begin(texts, KEPT_CONFS);
		for (int i = 0; i < 3; i++)
			make_key(keys[i]);
		kept.acts = acts;
		kept.nacts = sizeof(acts) / sizeof(acts[0]);
		kept.hears = hears;
		peer.other = console_hears;
	}
	memset(&w, 0, sizeof(w));
	w.proofs = n == 0 || (p[0] & 128) == 0;
	kept_run(be_ssh, p, n);
	return 0;
}
