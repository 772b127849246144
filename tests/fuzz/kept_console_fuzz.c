/*
 * The console process, told anything by the supervisor (kept.h): histories and
 * devices that are none, readers and names that it did not ask for, answers of
 * a signer; and what its peers and somebody's oobctl say meanwhile.
 *
 * Input: acts: a byte which, one for its size, so many bytes.
 */
#include <sys/un.h>

#include "kept.h"
#include "serial/port.h"

#define loop_run kept_loop_run
#define loop_stop kept_loop_stop
#include "server/console.c"
#undef loop_run
#undef loop_stop

#define RING 65536

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define CONSOLE(name) \
	"console " name " { device = \"/dev/" name "\" ring = 65536 }\n"

static const char *const texts[KEPT_CONFS] = {
	CONSOLE("gw") CONSOLE("sw")
	    "user alice { keys = {} role = admin consoles = {\"*\"} }\n",
	(CONSOLE("gw") "journal { rotate_size = 64kb }\n"
	    "notify e { type = exec command = \"/usr/bin/tell\" }\n"),
	CONSOLE("ap") "user bob { keys = {} role = viewer consoles = {ap} }\n",
	CONSOLE("gw") CONSOLE("ap"),
};

static const char *const names[] = { "gw", "sw", "ap", "no" };

static struct {
	uint32_t reader, name;		/* asked for last */
} w;

/* Texts are too long, or rings, names and sockets come twice: it may end. */
static const char *
any_name(const uint8_t *p, size_t n)
{
	kept.wrong = true;
	return names[n > 0 ? p[0] % 4 : 0];
}

/* What the supervisor is asked. */

static bool
hears_reader(struct frame *f)
{
	static char word[WORD_BYTES];
	unsigned argc;

	w.reader = frame_u32(f);
	(void)frame_u8(f);
	(void)frame_u32(f);
	argc = frame_u8(f);
	if (argc == 0 || argc > ARGS_MAX)
		return false;
	while (argc-- > 0)
		frame_str(f, word, sizeof(word));
	return true;
}

static bool
hears(struct frame *f, unsigned fds)
{
	char text[80];
	bool ok = fds == 0;

	switch (f->type) {
	case UP_OPEN_TTY:
	case UP_CLOSE_TTY:
		frame_str(f, text, sizeof(text));
		break;
	case UP_READER:
		ok &= hears_reader(f);
		break;
	case UP_SIGN:
		(void)frame_u64(f);
		frame_str(f, text, sizeof(text));
		ok &= strlen(text) == 64;
		break;
	case UP_NAME:
		w.name = frame_u32(f);
		ok &= frame_u32(f) == (uint32_t)getuid();
		break;
	default:
		return false;
	}
	return ok && frame_ok(f);
}

/* Acts: p, n is what stands behind each. */

static struct sockaddr_un
control(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/run/control",
	    world_dir);
	return at;
}

static void
act_control(const uint8_t *p, size_t n)
{
	struct sockaddr_un at = control();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);

	(void)p;
	(void)n;
	kept.wrong = true;
	unlink(at.sun_path);
	if (fd == -1 || bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    listen(fd, 4) == -1)
		abort();
	kept_give(SV_CONTROL, NULL, 0, fd);
}

/* Somebody's oobctl; then it is one of the ends. */
static void
act_connect(const uint8_t *p, size_t n)
{
	struct sockaddr_un at = control();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);

	(void)p;
	(void)n;
	if (fd == -1)
		abort();
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == -1) {
		close(fd);
		return;
	}
	close(kept_socket());
	close(kept.ends[(kept.nends - 1) % KEPT_ENDS]);
	kept.ends[(kept.nends - 1) % KEPT_ENDS] = fd;
}

static void
act_name(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_NAME);

	kept.wrong = true;
	frame_put_u32(o, w.name);
	frame_put_str(o, peer_text(&p, &n));
	world_send(kept.up, o);
}

static void
act_peer(const uint8_t *p, size_t n)
{
	static const char *const roles[] = { "ssh", "modem", "notify", "" };
	struct frame_out *o = world_start(SV_PEER);

	kept.wrong |= !kept.configured;
	frame_put_str(o, roles[n > 0 ? p[0] % 3 : 3]);
	kept.wrong |= n == 0;
	kept_give_frame(o, kept_socket());
}

/* One of its size, or a file that is none. */
static void
act_ring(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_RING);
	int fd = os_anon_fd("kept-fuzz");

	if (fd == -1 || (n < 2 && history_prepare(fd, RING) == -1) ||
	    (n > 1 && ftruncate(fd, p[1] * 4096) == -1))
		abort();
	frame_put_str(o, any_name(p, n));
	frame_put_u64(o, RING);
	kept_give_frame(o, fd);
}

/* A pty, or a socket; its other end says what else it has to. */
static void
act_tty(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_TTY);

	frame_put_str(o, any_name(p, n));
	frame_put_u8(o, n > 1 ? p[1] : 0);
	frame_put_u8(o, n > 2 ? p[2] : 0);
	frame_put_str(o, "/dev/x");
	frame_put_str(o, "usb 1-1");
	kept_give_frame(o, n > 3 ? posix_openpt(O_RDWR | O_NOCTTY |
	    O_NONBLOCK | O_CLOEXEC) : kept_socket());
}

static void
act_tty_failed(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_TTY_FAILED);

	frame_put_str(o, any_name(p, n));
	if (n > 0)
		p++, n--;
	frame_put_str(o, peer_text(&p, &n));
	world_send(kept.up, o);
}

static void
act_reader(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_READER);

	kept.wrong |= !kept.configured;
	frame_put_u32(o, n > 0 ? w.reader - p[0] : w.reader);
	if (n > 1)
		world_send(kept.up, o);
	else
		kept_give_frame(o, kept_socket());
}

/* The signer's answer, to its end; or one that is still to come. */
static void
act_signed(const uint8_t *p, size_t n)
{
	int fd = kept_socket();

	kept.wrong |= !kept.configured;
	kept_give(SV_SIGNED, NULL, 0, fd);
	if (n == 0)
		return;
	kept_turn();
	(void)!send(kept.ends[(kept.nends - 1) % KEPT_ENDS], p, n,
	    MSG_NOSIGNAL);
	kept_turn();
	shutdown(kept.ends[(kept.nends - 1) % KEPT_ENDS], SHUT_WR);
}

static void
act_vouchers(const uint8_t *p, size_t n)
{
	uint8_t key[VOUCHER_KEY];

	(void)p;
	memset(key, 'k', sizeof(key));
	world_say(kept.up, SV_VOUCHERS, key, n > 0 ? 0 : sizeof(key));
}

static void
act_child(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_CHILD);

	kept.wrong = true;
	frame_put_str(o, peer_text(&p, &n));
	frame_put_u8(o, n & 1);
	frame_put_u32(o, (uint32_t)n);
	frame_put_str(o, peer_text(&p, &n));
	world_send(kept.up, o);
}

static world_act *const acts[] = {
	KEPT_ACTS, act_control, act_connect, act_name, act_peer, act_ring,
	act_tty, act_tty_failed, act_reader, act_signed, act_vouchers,
	act_child,
};

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (kept.nacts == 0) {
		kept_begin(texts, KEPT_CONFS);
		kept.acts = acts;
		kept.nacts = sizeof(acts) / sizeof(acts[0]);
		kept.hears = hears;
	}
	memset(&w, 0, sizeof(w));
	kept_run(console_main, p, n);
	return 0;
}
