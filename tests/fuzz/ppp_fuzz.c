/*
 * The process that runs PPP as root (server/pppjob.c), told anything by the
 * supervisor, while PPP says, does and becomes what it likes.  Nothing is run,
 * no process is signalled and no route of this system touched: those are the
 * test's.  What it says is plain text and whole frames; one PPP at a time is
 * begun, and each is seen to its end, also when nobody is there any more; every
 * route is over its interface, and taken back.
 *
 * Input: acts: a byte which, one for its size, so many bytes.
 */
#include "kept.h"
#include "tests/skewed_time.h"

#define loop_run kept_loop_run
#define loop_stop kept_loop_stop
#include "tests/unit/fake_ppp.h"
#undef loop_run
#undef loop_stop

#define PPP_TEXTS 6		/* of an SV_PPP, and which are name servers */
#define PPP_DNS_AT 3

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What the supervisor hears. */
static bool
hears(struct frame *f, unsigned fds)
{
	char word[FRAME_MAX + 1];
	bool route = f->type == SV_ROUTE;
	int texts = route ? 2 : PPP_TEXTS;

	if ((!route && f->type != SV_PPP) || fds > 0)
		return false;
	if (!route && frame_u8(f) > PPP_ENDED)
		return false;
	for (int i = 0; i < texts; i++) {
		frame_str(f, word, sizeof(word));
		/* Name servers, and addresses, may be the supervisor's own. */
		if (!route && i != PPP_DNS_AT)
			peer_check_plain(word);
	}
	return frame_ok(f);
}

static void
send_signal(int signo)
{
	if (!kept.over)
		fake_signal_now(signo);
}

/* The end of PPP is noticed; and, where nobody is there, time passes. */
static void
turned(void)
{
	if (fake.ended)
		send_signal(SIGCHLD);
	if (kept.alone)
		skew_us += 1000000;
}

/* Acts: p, n is what stands behind each. */

static uint16_t
any_type(uint8_t byte)
{
	return (uint16_t)((byte & 128) != 0 ? 0x0700 | (byte & 127) :
	    0x0500 | byte);
}

static void
act_any(const uint8_t *p, size_t n)
{
	if (n > 0)
		world_say(kept.up, any_type(p[0]), p + 1, n - 1);
}

static void
act_any_fd(const uint8_t *p, size_t n)
{
	if (n > 1)
		kept_give(any_type(p[1]), p + 2, n - 2,
		    kept_open((enum kept_kind)(p[0] % KEPT_KINDS)));
}

/* As ppprun.c does. */
static void
act_run(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(PJ_RUN);
	uint8_t bits = n > 0 ? p[0] : 0;

	if (n > 0)
		p++, n--;
	frame_put_u32(o, bits & 1 ? 1 : 600);
	frame_put_u32(o, bits & 2 ? 0 : 900);
	frame_put_u32(o, 60);
	frame_put_u8(o, (bits & 4) != 0);
	frame_put_str(o, peer_text(&p, &n));
	frame_put_str(o, bits & 8 ? "/password" : "");
	frame_put_u32(o, bits & 16 ? 4711 : (uint32_t)getuid());
	frame_put_str(o, peer_text(&p, &n));
	kept_give_frame(o, kept_socket());
}

static void
act_life(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(UP_PPP_LIFE);

	frame_put_u32(o, n > 0 ? p[0] : UINT32_MAX);
	world_send(kept.up, o);
}

static void
act_stop(const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	world_say(kept.up, UP_PPP_STOP, NULL, 0);
}

static void
act_route(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(UP_ROUTE);

	if (n == 0)
		return;
	frame_put_u8(o, p[0] & 1);
	p++, n--;
	frame_put_str(o, peer_text(&p, &n));
	world_send(kept.up, o);
}

/* A host of 192.0.2.0/24, without a text to be found. */
static void
act_host(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(UP_ROUTE);
	char address[ROUTE_ADDRESS];

	if (n < 2)
		return;
	snprintf(address, sizeof(address), "192.0.2.%u", p[1]);
	frame_put_u8(o, p[0] & 1);
	frame_put_str(o, address);
	world_send(kept.up, o);
}

/* What PPP says, does, and is. */

static void
act_says(const uint8_t *p, size_t n)
{
	if (fake.says != -1)
		(void)!write(fake.says, p, n);
}

static void
act_silent(const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	if (fake.says != -1)
		close(fake.says);
	fake.says = -1;
}

static void
act_exits(const uint8_t *p, size_t n)
{
	fake_end(n > 1 ? SIGSEGV : n > 0 ? p[0] << 8 : 0);
}

static void
act_interface(const uint8_t *p, size_t n)
{
	memset(&fake.interface, 0, sizeof(fake.interface));
	if (n == 0)
		return;
	fake.interface.exists = true;
	fake.interface.up = (p[0] & 1) != 0;
	if ((p[0] & 2) != 0)
		strcpy(fake.interface.local, "192.0.2.1");
	strcpy(fake.interface.peer, "192.0.2.2");
}

static void
act_carrier(const uint8_t *p, size_t n)
{
	fake.bits = n == 0 ? -1 : p[0] & 1 ? TIOCM_CD : 0;
}

static void
act_mood(const uint8_t *p, size_t n)
{
	fake.stubborn = n > 0 && (p[0] & 1) != 0;
	fake.hangs = n > 0 && (p[0] & 2) != 0;
	fake.possible = n == 0 || (p[0] & 4) == 0;
}

static void
act_signal(const uint8_t *p, size_t n)
{
	static const int all[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };

	send_signal(all[n > 0 ? p[0] % 4 : 0]);
}

static void
act_wait(const uint8_t *p, size_t n)
{
	skew_us += n == 0 ? 100000 : (int64_t)p[0] * p[0] * 10000;
}

static world_act *const acts[] = {
	act_any, act_any_fd, kept_act_cut, kept_act_ends, act_run, act_life,
	act_stop, act_route, act_host, act_says, act_silent, act_exits,
	act_interface, act_carrier, act_mood, act_signal, act_wait,
};

static int
be_job(int fd)
{
	static char run_dir[WORLD_DIR + 8];
	char *argv[] = { (char[]){ "run" }, run_dir };
	int r;

	snprintf(run_dir, sizeof(run_dir), "%s/run", world_dir);
	r = pppjob_main(fd, 2, argv);
	/* The kernel holds it, until this process has ended. */
	if (fake.held && fake.tty != -1)
		close(fake.tty);
	return r;
}

static void
begin(void)
{
	static const char *const text = "console gw { device = /d }\n";
	char path[WORLD_DIR + 16];
	FILE *f;

	kept_begin(&text, 1);
	snprintf(path, sizeof(path), "%s/password", world_dir);
	f = fopen(path, "w");
	if (f == NULL || fputs("secret\n", f) < 0 || fclose(f) != 0)
		abort();
	kept.acts = acts;
	kept.nacts = sizeof(acts) / sizeof(acts[0]);
	kept.hears = hears;
	kept.is_job = true;
	kept.turned = turned;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (kept.nacts == 0)
		begin();
	fake_begin();
	kept_run(be_job, p, n);
	if (!fake_is_clean())
		abort();
	return 0;
}
