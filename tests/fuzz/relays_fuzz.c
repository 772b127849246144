/*
 * The relays of the ssh process.  The modem process says what the link is and
 * asks for drills, the console process gives verbs, the supervisor starts the
 * processes that connect, those say where that led, and the relay has its
 * first words: all of them gone bad, while the configuration changes.  Every
 * task is answered once, every drill at most once, what is said of relays is
 * within its bounds and plain text, and in the end they are gone.
 *
 * Input: acts: a byte which, one for its size, so many bytes.
 */
#include <libssh/libssh.h>

#include "peer.h"
#include "server/config.h"
#include "server/relay.h"
#include "server/relay_call.h"
#include "server/relays.h"
#include "server/ssh_gate.h"
#include "tests/skewed_time.h"

#define CONFS 4
#define DIALS 4
#define BOX_KEY "AAAAC3NzaC1lZDI1NTE5AAAAIMkaXVq9K9oFjH41AuxpV6wP" \
	"+vGszysrza51/3oy6jee"
#define RELAY(name, host, more) "relay " name " { host = \"" host "\" " \
	"port = 1 user = u host_key = {\"ssh-ed25519 " \
	BOX_KEY "\"} " more " }\n"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const texts[CONFS] = {
	RELAY("a", "127.0.0.1", "listen = \"localhost:1\" when = activated")
	RELAY("b", "localhost", "listen = \"*:0\" when = always"),
	RELAY("b", "::1", "listen = {\"[::1]:7\", \"localhost:8\"} "
	    "over = ppp when = activated"),
	"",
	RELAY("a", "127.0.0.1", "listen = \"localhost:2\" when = always"),
};

static struct config *confs[CONFS];

static struct {
	struct loop *loop;
	struct feed *feed;
	struct ssh_gate *gate;
	struct ssh_conns *conns;
	struct relay_calls *calls;
	struct relays *all;
	struct link *up;
	int modem, supervisor;		/* their ends */
	struct {
		uint32_t id;		/* asked for, 0: none */
		int fd, relay;		/* the dialer's end, the relay's; -1 */
	} dials[DIALS];
	size_t ndials;			/* asked for */
	uint32_t drill;
	bool drilled;			/* the last one: answered */
} w;

/* What else the console process hears. */
static bool
console_hears(struct frame *f)
{
	return f->type == RQ_AUTH;	/* there is a new ssh process */
}

/* What the modem process hears. */

static void
hear_relay(struct frame *f)
{
	char name[33];

	frame_str(f, name, sizeof(name));
	if (strcmp(name, "a") != 0 && strcmp(name, "b") != 0)
		abort();
	if (frame_u8(f) > 1 || frame_u8(f) > WAY_RELAY_FAILED)
		abort();
	peer_check_texts(f, 33, RELAY_TEXT);
}

static void
hear_drilled(struct frame *f)
{
	char text[RELAY_TEXT];

	if (frame_u32(f) != w.drill || w.drilled ||
	    frame_u8(f) > WAY_DRILL_FAILED)
		abort();
	w.drilled = true;
	(void)frame_u64(f);
	frame_str(f, text, sizeof(text));
	if (!frame_ok(f))
		abort();
}

static void
modem_hears(struct frame *f)
{
	char text[2048];

	switch (f->type) {
	case WY_RELAY:
		hear_relay(f);
		break;
	case WY_DRILLED:
		hear_drilled(f);
		break;
	case WY_ROUTE:
		frame_str(f, text, sizeof(text));
		if (!frame_ok(f))
			abort();
		break;
	default:
		abort();
	}
}

/* What the supervisor, and the relays, hear. */

static void
drop(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void
supervisor_hears(struct frame *f)
{
	size_t i = w.ndials++ % DIALS;
	uint32_t id = frame_u32(f);
	char name[33];

	frame_str(f, name, sizeof(name));
	if (f->type != UP_DIAL || id == 0 || (strcmp(name, "a") != 0 &&
	    strcmp(name, "b") != 0) || frame_u8(f) > 1 || frame_u8(f) > 1 ||
	    !frame_ok(f))
		abort();
	drop(&w.dials[i].fd);
	drop(&w.dials[i].relay);
	w.dials[i].id = id;
}

static void
turn(void)
{
	uint8_t bytes[4096];

	for (int i = 0; i < 3; i++) {
		loop_for(w.loop, 0);
		peer_hear(peer.fd, peer_hears);
		peer_hear(w.modem, modem_hears);
		peer_hear(w.supervisor, supervisor_hears);
		for (size_t k = 0; k < DIALS; k++) {
			if (w.dials[k].relay != -1)
				(void)world_receive(w.dials[k].relay, bytes,
				    sizeof(bytes), NULL);
		}
	}
}

/* Acts: p, n is what stands behind each. */

static void
link_modem(void)
{
	int pair[2];

	world_pair(pair);
	w.modem = pair[0];
	relays_link(w.all, pair[1]);
}

static void
act_modem_says(const uint8_t *p, size_t n)
{
	if (n == 0)
		return;
	/* If it is one. */
	if ((0x0600 | p[0]) == WY_DRILL && n > 4) {
		w.drill = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 |
		    (uint32_t)p[3] << 8 | p[4];
		w.drilled = false;
	}
	world_say(w.modem, (uint16_t)(0x0600 | p[0]), p + 1, n - 1);
}

static void
act_modem_gives(const uint8_t *p, size_t n)
{
	world_say_fd(w.modem, WY_LINK, p, n, w.modem);
}

static void
act_way(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(WY_LINK);

	frame_put_u8(o, n > 0 ? p[0] & 3 : WAY_DOWN);
	if (n > 0)
		p++, n--;
	for (int i = 0; i < 3; i++)
		frame_put_str(o, peer_text(&p, &n));
	world_send(w.modem, o);
}

static void
act_drill(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(WY_DRILL);

	w.drilled = false;
	frame_put_u32(o, ++w.drill);
	frame_put_str(o, peer_text(&p, &n));
	world_send(w.modem, o);
}

static void
act_modem_goes(const uint8_t *p, size_t n)
{
	(void)p;
	close(w.modem);
	w.modem = -1;
	/* Before, or without, a word of the other one's end. */
	if (n > 0)
		turn();
	w.drilled = true;
	link_modem();
}

static void
act_console_goes(const uint8_t *p, size_t n)
{
	(void)p;
	peer_goes();
	if (n > 0)
		turn();
	peer_link(w.feed);
	turn();
}

static void
act_task(const uint8_t *p, size_t n)
{
	if (feed_is_up(w.feed))
		peer_task(p, n, ARGS_MAX);
}

static void
act_configure(const uint8_t *p, size_t n)
{
	relays_configure(w.all, confs[n > 0 ? p[0] % CONFS : 0], BOX_KEY);
}

static void
act_wait(const uint8_t *p, size_t n)
{
	skew_us += n == 0 ? 1000 : (int64_t)p[0] * p[0] * 2000;
}

/* The supervisor's answer: a dialer, or why there is none. */
static void
act_start_dialer(const uint8_t *p, size_t n)
{
	size_t i = n > 0 ? p[0] % DIALS : 0;
	int pair[2];

	if (n > 1) {
		relay_calls_take(w.calls, w.dials[i].id, peer_text(&p, &n), -1);
		return;
	}
	drop(&w.dials[i].fd);
	world_pair(pair);
	w.dials[i].fd = pair[0];
	relay_calls_take(w.calls, w.dials[i].id, "", pair[1]);
}

static void
act_dialer_says(const uint8_t *p, size_t n)
{
	if (n > 1 && w.dials[p[0] % DIALS].fd != -1)
		world_say(w.dials[p[0] % DIALS].fd, (uint16_t)(0x0a00 | p[1]),
		    p + 2, n - 2);
}

/* It found a name, or nothing, or a way that is not what it should be. */
static void
act_dialer_tells(const uint8_t *p, size_t n)
{
	struct frame_out *o;
	int fd;

	if (n < 2 || (fd = w.dials[p[0] % DIALS].fd) == -1)
		return;
	o = world_start((uint16_t)(DL_RESOLVED + p[1] % 3));
	p += 2;
	n -= 2;
	frame_put_str(o, peer_text(&p, &n));
	if (n > 0)
		frame_put_str(o, peer_text(&p, &n));
	world_send(fd, o);
}

static void
act_dialer_connects(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(DL_CONNECTED);
	size_t i = n > 0 ? p[0] % DIALS : 0;
	int pair[2];

	if (w.dials[i].fd == -1)
		return;
	frame_put_str(o, "192.0.2.1:22");
	frame_put_str(o, n > 1 ? "it is not" : "");
	drop(&w.dials[i].relay);
	world_pair(pair);
	w.dials[i].relay = pair[0];
	world_say_fd(w.dials[i].fd, DL_CONNECTED, o->block + FRAME_HEAD,
	    o->len - FRAME_HEAD, pair[1]);
	close(pair[1]);
}

static void
act_dialer_goes(const uint8_t *p, size_t n)
{
	drop(&w.dials[n > 0 ? p[0] % DIALS : 0].fd);
}

static void
act_relay_says(const uint8_t *p, size_t n)
{
	int fd = n > 0 ? w.dials[p[0] % DIALS].relay : -1;

	if (fd != -1)
		(void)!send(fd, p + 1, n - 1, MSG_NOSIGNAL);
}

static void
act_relay_goes(const uint8_t *p, size_t n)
{
	drop(&w.dials[n > 0 ? p[0] % DIALS : 0].relay);
}

static void
act_key(const uint8_t *p, size_t n)
{
	char path[128];

	(void)p;
	snprintf(path, sizeof(path), "%s/%s", world_dir,
	    n > 0 ? "relay_ed25519" : "no");
	relays_key_came(w.all, path);
}

static world_act *const acts[] = {
	act_modem_says, act_modem_gives, act_way, act_drill, act_modem_goes,
	act_console_goes, act_task, peer_task_gone, act_configure, act_wait,
	act_key, act_start_dialer, act_dialer_says, act_dialer_tells,
	act_dialer_connects, act_dialer_goes, act_relay_says, act_relay_goes,
};

static void
on_task(void *arg, const struct feed_task *task)
{
	(void)arg;
	relays_task(w.all, task);
}

static void
on_task_gone(void *arg, uint32_t id)
{
	(void)arg;
	relays_task_gone(w.all, id);
}

static const struct link_ops up_ops = { .frame = world_refuse,
    .down = world_down };
static const struct feed_ops feed_ops = { .up = world_nothing,
    .down = world_down, .consoles = world_nothing, .task = on_task,
    .task_gone = on_task_gone };

/* Once: the key, and what may be configured. */
static void
begin(void)
{
	char text[4096], path[128];
	ssh_key key;

	world_begin();
	snprintf(path, sizeof(path), "%s/relay_ed25519", world_dir);
	if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK ||
	    ssh_pki_export_privkey_file(key, NULL, NULL, NULL, path) != SSH_OK)
		abort();
	ssh_key_free(key);
	for (size_t i = 0; i < CONFS; i++) {
		snprintf(text, sizeof(text), "name = box\n"
		    "service_user = nobody\nstate_dir = \"%s\"\n"
		    "console gw { device = /d }\n"
		    "modem { data = /m }\n%s", world_dir, texts[i]);
		confs[i] = config_parse(text, "f", world_error, NULL);
		if (confs[i] == NULL)
			abort();
	}
}

static void
open_world(void)
{
	int pair[2];

	memset(&w, 0, sizeof(w));
	peer = (struct peer_state){ .fd = -1, .other = console_hears };
	for (size_t i = 0; i < DIALS; i++)
		w.dials[i].fd = w.dials[i].relay = -1;
	w.drilled = true;
	w.loop = loop_new();
	w.feed = feed_new(w.loop, "ssh", &feed_ops, NULL);
	w.all = relays_new(w.loop, w.feed);
	w.gate = ssh_gate_new(w.loop);
	w.conns = ssh_conns_new(w.loop, w.feed, w.gate);
	relays_serve(w.all, w.conns);
	world_pair(pair);
	w.supervisor = pair[0];
	w.up = link_new(w.loop, pair[1], 65536, &up_ops, NULL);
	w.calls = relay_calls_new(w.loop, w.up);
	relays_calls(w.all, w.calls);
	peer_link(w.feed);
	turn();
	link_modem();
	relays_configure(w.all, confs[0], BOX_KEY);
}

/* All relays take leave, and whoever still waits is told. */
static void
close_world(void)
{
	for (int i = 0; i < 8; i++) {
		skew_us += 20000000;
		turn();
	}
	peer_check_answered();
	relays_stop(w.all);
	for (int i = 0; i < 4; i++) {
		skew_us += 2000000;
		turn();
	}
	if (!relays_are_gone(w.all))
		abort();
	relays_free(w.all);
	relay_calls_free(w.calls);
	ssh_conns_free(w.conns);
	ssh_gate_free(w.gate);
	feed_free(w.feed);
	close(peer.fd);
	close(w.modem);
	link_free(w.up);
	close(w.supervisor);
	for (size_t i = 0; i < DIALS; i++) {
		drop(&w.dials[i].fd);
		drop(&w.dials[i].relay);
	}
	loop_free(w.loop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	unsigned fds;

	if (confs[0] == NULL)
		begin();
	fds = world_sockets();
	open_world();
	world_acts(acts, sizeof(acts) / sizeof(acts[0]), turn, p, n);
	close_world();
	if (world_sockets() != fds)
		abort();
	return 0;
}
