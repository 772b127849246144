/*
 * The console process asked by its clients, gone bad: the ssh, the modem and
 * the notify process, and somebody's oobctl, at once.  Whatever they say, they
 * get whole frames back, nobody's words can do anything to another's terminal,
 * and whoever is attached may be.
 *
 * Input: a byte: who says no hello (bits 0-3).  Then acts, a byte each: bits
 * 0-1 who; bits 2-3: 0 says a frame (a byte for its type, 255 is NT_TAKEN; two
 * of length; that many), 1 goes and comes again, 2 a device prints (as much),
 * 3 a reader was started, or not (a byte which).
 */
#include <sys/stat.h>

#include <fcntl.h>

#include "auth/voucher.h"
#include "serial/port.h"
#include "server/base/os.h"
#include "server/client_auth.h"
#include "server/client_internal.h"
#include "server/console_seal.h"
#include "server/granter.h"
#include "server/proto.h"
#include "server/witness.h"
#include "tests/world.h"

#define WHO 4
#define ACTS 200
#define PART_MAX 4096
#define RING 65536
#define IN_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char text[] = "name = box\nservice_user = nobody\n"
    "state_dir = \"%s/state\"\nlog_dir = \"%s/log\"\n"
    "console gw { device = \"/dev/null\" ring = 65536 }\n"
    "console sw { device = \"/dev/zero\" ring = 65536 }\n"
    "user alice { keys = {} role = admin consoles = {\"*\"} }\n"
    "user bob { keys = {} role = operator consoles = {gw} }\n"
    "user dan { keys = {} role = viewer consoles = {gw} }\n"
    "user eve { keys = {} role = admin consoles = {\"*\"} }\n"
    "notify e { type = exec command = \"/usr/bin/tell\" }\n";

static const struct {
	enum peer peer;
	const char *name;
} who[WHO] = {
	{ PEER_SSH, "ssh" }, { PEER_LOCAL, "root" }, { PEER_MODEM, "modem" },
	{ PEER_NOTIFY, "notify" },
};

static struct console c;
static uint8_t vouchers[VOUCHER_KEY];	/* all 'k' */
static int there[WHO], up, masters[2];

/* The console process around it, as console.c makes it. */

static void
on_data(void *arg, struct wire *wire)
{
	clients_data(arg, wire);
	witness_data(wire);
}

static bool
on_behind(void *arg, struct wire *wire, uint64_t at)
{
	return clients_behind(arg, wire, at);
}

static void
on_changed(void *arg, struct wire *wire)
{
	clients_changed(arg, wire);
	witness_changed(c.witness, wire);
}

static void
on_notice(void *arg, struct wire *wire, const char *words)
{
	clients_notice(arg, wire, words);
}

static void
ask(void *arg, struct wire *wire)
{
	(void)arg;
	(void)wire;
}

static const struct wires_ops wires_ops = {
	.data = on_data, .behind = on_behind, .changed = on_changed,
	.notice = on_notice, .tell = guest_tell, .pen = guest_pen,
	.open = ask, .close = ask,
};

static int
on_frame(void *arg, struct frame *f, int fd)
{
	(void)arg;
	(void)f;
	(void)fd;
	return -1;
}

static void
on_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	abort();
}

static const struct link_ops up_ops = { .frame = on_frame,
    .down = on_down };

static void
on_health(void *arg, struct scribe_log *log)
{
	(void)arg;
	(void)log;
}

static void
on_turn(void *arg)
{
	clients_flush(arg);
}

static void
open_console(size_t i, const struct config_console *conf)
{
	int ring = os_anon_fd("client-fuzz"), slave;
	struct history *h;
	struct wire *w;

	if (ring == -1 || history_prepare(ring, RING) == -1 ||
	    (h = history_map(ring, RING)) == NULL)
		abort();
	close(ring);
	w = wire_new(c.wires, conf, h);
	witness_open(c.witness, w);
	masters[i] = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (masters[i] == -1 || grantpt(masters[i]) == -1 ||
	    unlockpt(masters[i]) == -1)
		abort();
	slave = open(ptsname(masters[i]), O_RDWR | O_NOCTTY | O_NONBLOCK |
	    O_CLOEXEC);
	if (slave == -1)
		abort();
	wire_set_tty(w, slave, PORT_TTY, true, "/dev/pts/x", "");
}

static void
start(void)
{
	struct tidy_conf tidy = { .keep_size = 4 << 20 };
	struct scribe_conf conf = { .box = "box", .sync_typing_ms = 60000,
	    .sync_idle_ms = 60000, .rotate_size = 256 << 10, .tidy = &tidy,
	    .box_chain = true };

	conf.log_dir = c.conf->log_dir;
	c.scribe = scribe_start(c.loop, &conf, on_health, &c);
	c.wires = wires_new(c.loop, c.scribe, &wires_ops, &c);
	c.witness = witness_new(&c);
	if (c.scribe == NULL || c.witness == NULL)
		abort();
	c.sealer = sealer_new(&c);
	auth_start(&c);
	c.granter = granter_new(&c);
	for (size_t i = 0; i < c.conf->nconsoles; i++)
		open_console(i, &c.conf->consoles[i]);
	clients_notify_configure(&c);
}

/* Once: it goes on from input to input, with nobody there. */
static void
begin(void)
{
	char conf[2048];
	int pair[2];

	world_begin();
	snprintf(conf, sizeof(conf), text, world_dir, world_dir);
	c.conf = config_parse(conf, "f", world_error, NULL);
	if (c.conf == NULL || mkdir(c.conf->state_dir, 0700) == -1 ||
	    mkdir(c.conf->log_dir, 0700) == -1)
		abort();
	world_pair(pair);
	c.loop = loop_new();
	c.started = mono_now();
	memset(vouchers, 'k', sizeof(vouchers));
	c.vouchers = vouchers;
	c.up = link_new(c.loop, pair[0], 256 * 1024, &up_ops, &c);
	up = pair[1];
	loop_each_turn(c.loop, on_turn, &c);
	start();
}

/* What they hear. */

/* Nothing that a terminal obeys. */
static void
check_safe(const void *words, size_t n)
{
	const uint8_t *p = words;

	for (size_t i = 0; i < n; i++) {
		if ((p[i] < 0x20 && strchr("\t\r\n", p[i]) == NULL) ||
		    p[i] == '\0' || p[i] == 0x7f)
			abort();
	}
}

static void
check_str(struct frame *f)
{
	static char word[FRAME_MAX + 1];

	frame_str(f, word, sizeof(word));
	check_safe(word, strlen(word));
}

/* What stands before the texts, in bytes, and how many there are. */
static const struct {
	uint16_t type;
	uint8_t before, texts, behind;
} answers[] = {
	{ AN_WELCOME, 2, 1, 8 }, { AN_CONSOLE, 7, 3, 16 },
	{ AN_CONSOLE_GONE, 2, 0, 0 }, { AN_ATTACHED, 8, 1, 0 },
	{ AN_PEN, 5, 1, 0 }, { AN_CREDIT, 9, 0, 0 }, { AN_GAP, 18, 0, 0 },
	{ AN_NOTICE, 6, 1, 0 }, { AN_END, 13, 0, 0 }, { AN_READER, 4, 1, 0 },
	{ AN_ENDED, 4, 1, 0 }, { AN_TASK_GONE, 4, 0, 0 },
	{ AN_PRESENCE, 8, 0, 0 }, { NT_EVENT, 9, 3, 0 },
};

static void
check_out(struct frame *f)
{
	const uint8_t *p;
	uint8_t stream;
	size_t n;

	frame_u32(f);
	stream = frame_u8(f);
	p = frame_rest(f, &n);
	if (f->bad || (stream != 1 && stream != 2))
		abort();
	if (n > 0)
		check_safe(p, n);
}

static void
check_answer(struct frame *f)
{
	size_t k = sizeof(answers) / sizeof(answers[0]);

	if (f->type == AN_OUT) {
		check_out(f);
		return;
	}
	if (f->type == AN_DATA || f->type == AN_TASK || f->type == AN_GRANTS)
		return;
	for (size_t i = 0; i < k; i++) {
		if (answers[i].type != f->type)
			continue;
		for (unsigned n = 0; n < answers[i].before; n++)
			frame_u8(f);
		for (unsigned n = 0; n < answers[i].texts; n++)
			check_str(f);
		for (unsigned n = 0; n < answers[i].behind; n++)
			frame_u8(f);
		if (!frame_ok(f))
			abort();
		return;
	}
	abort();
}

/* A frame may have come in part: then the rest is waited for. */
static void
hear(int i)
{
	static uint8_t in[WHO][IN_MAX];
	static size_t have[WHO];
	size_t n, at = 0, used;
	struct frame f;

	if (there[i] == -1) {
		have[i] = 0;
		return;
	}
	n = have[i] + world_receive(there[i], in[i] + have[i],
	    IN_MAX - have[i], NULL);
	while (frame_parse(in[i] + at, n - at, &f, &used) == 1) {
		check_answer(&f);
		at += used;
	}
	memmove(in[i], in[i] + at, n - at);
	have[i] = n - at;
}

/* Who is attached may be, and types if he may.  For eve nobody vouches. */
static void
check_guests(void)
{
	size_t n;

	for (struct client *x = c.clients; x != NULL; x = x->next) {
		n = 0;
		for (struct guest *g = x->guests; g != NULL; g = g->next) {
			n++;
			if (x->peer == PEER_SSH &&
			    (config_user(c.conf, g->user) == NULL ||
			    strcmp(g->user, "eve") == 0))
				abort();
			if (g->wire == NULL)
				continue;
			if (!guest_sees(g, g->wire) || (seat_writes(g->seat) &&
			    guest_role_on(g, g->wire) == ROLE_VIEWER))
				abort();
		}
		if (n != x->nguests || n > GUESTS_MAX || (n > 0 &&
		    x->peer != PEER_SSH && x->peer != PEER_LOCAL))
			abort();
	}
}

static void
turn(void)
{
	static uint8_t drop[IN_MAX];

	world_turn(c.loop);
	check_guests();
	for (int i = 0; i < WHO; i++)
		hear(i);
	(void)world_receive(up, drop, sizeof(drop), NULL);
	for (int i = 0; i < 2; i++)
		(void)!read(masters[i], drop, sizeof(drop));
}

/* What they do. */

static void
say(int i, uint16_t type, const uint8_t *p, size_t n)
{
	uint8_t *words = xmalloc(n + 1);

	if (n > 0)
		memcpy(words, p, n);
	/* Of a task what comes is the peer's, and whoever asked is told so. */
	for (size_t k = 5; type == RQ_TOLD && k < n; k++) {
		if (words[k] < 0x20 || words[k] == 0x7f)
			words[k] = '.';
	}
	world_say(there[i], type, words, n);
	free(words);
}

static void
come(int i, bool hello)
{
	static const uint8_t words[] = { 0, PROTO_VERSION, 0, 1, 'x' };
	int pair[2];

	world_pair(pair);
	there[i] = pair[1];
	client_add(&c, pair[0], who[i].peer, who[i].name);
	if (hello)
		say(i, RQ_HELLO, words, sizeof(words));
}

static void
go(int i)
{
	close(there[i]);
	there[i] = -1;
}

/* Text only: what comes back of it is that. */
static void
print(int i, const uint8_t *p, size_t n)
{
	uint8_t *line = xmalloc(n + 1);

	for (size_t k = 0; k < n; k++)
		line[k] = p[k] >= ' ' && p[k] <= '~' ? p[k] : '\n';
	(void)!write(masters[i & 1], line, n);
	free(line);
}

static void
hand_reader(unsigned n)
{
	clients_reader(&c, c.next_reader - n / 2 % 4, (n & 1) == 0 ? -1 :
	    open("/dev/null", O_RDWR | O_CLOEXEC));
}

/* The next act; how many bytes it was. */
static size_t
act(const uint8_t *p, size_t n)
{
	int i = p[0] & 3;
	size_t len;

	if (n < 4)
		return n;
	if ((p[0] & 12) == 4) {
		go(i);
		turn();
		come(i, true);
		return 1;
	}
	if ((p[0] & 12) == 12) {
		hand_reader(p[1]);
		return 2;
	}
	len = (size_t)(p[2] << 8 | p[3]) % PART_MAX;
	if (len > n - 4)
		len = n - 4;
	if ((p[0] & 12) == 8)
		print(i, p + 4, len);
	else
		say(i, p[1] == 255 ? NT_TAKEN : (uint16_t)(0x0100 | p[1]),
		    p + 4, len);
	return 4 + len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t used;

	if (world_dir[0] == '\0')
		begin();
	if (n == 0)
		return 0;
	for (int i = 0; i < WHO; i++)
		come(i, (p[0] & 1 << i) == 0);
	p++;
	n--;
	turn();
	for (int i = 0; i < ACTS && n > 0; i++) {
		used = act(p, n);
		turn();
		p += used;
		n -= used;
	}
	for (int i = 0; i < WHO; i++)
		go(i);
	for (int i = 0; i < 50 && c.clients != NULL; i++)
		turn();
	if (c.clients != NULL || c.ntasks > 0)
		abort();
	while (granter_count(c.granter) > 0)
		granter_take(c.granter, granter_at(c.granter, 0), "root");
	return 0;
}
