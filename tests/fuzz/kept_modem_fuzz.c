/*
 * The modem process, told anything by the supervisor (kept.h): ports that it
 * did not ask for, PPP that comes and goes by itself, routes, ends of the power
 * hook, while verbs run and a modem answers what it likes.
 *
 * Input: acts: a byte which, one for its size, so many bytes.
 */
#include "kept.h"
#include "tests/skewed_time.h"

#define loop_run kept_loop_run
#define loop_stop kept_loop_stop
#include "server/modem.c"
#undef loop_run
#undef loop_stop

#define PPP_TEXTS 6		/* of an SV_PPP */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const texts[KEPT_CONFS] = {
	"console gw { device = /d }\nmodem { data = /m0 control = /m1 "
	    "power_hook = \"/usr/bin/hook\" }\n",
	"console gw { device = /d }\nmodem { data = /m0 }\n",
	"console gw { device = /d }\n",
	"console gw { device = /d }\nmodem { data = /m2 control = /m1 }\n"
	    "notify s { type = sms to = {\"+46701234567\"} }\n",
};

static uint32_t port;		/* asked for last */
static bool answers;		/* the modem says OK by itself */

static bool
console_hears(struct frame *f)
{
	return f->type == RQ_TELL;
}

/* What the supervisor is asked. */

static bool
hears_port(struct frame *f)
{
	char spec[8];

	port = frame_u32(f);
	frame_str(f, spec, sizeof(spec));
	return strncmp(spec, "/m", 2) == 0;
}

static bool
hears_route(struct frame *f)
{
	char address[16];

	if (frame_u8(f) > 1)
		return false;
	frame_str(f, address, sizeof(address));
	return true;
}

static bool
hears(struct frame *f, unsigned fds)
{
	bool ok = f->type == UP_PPP ? fds == 1 : fds == 0;

	switch (f->type) {
	case UP_OPEN_PORT:
		ok &= hears_port(f);
		break;
	case UP_ROUTE:
		ok &= hears_route(f);
		break;
	case UP_PPP:
	case UP_PPP_LIFE:
		(void)frame_u32(f);
		break;
	case UP_POWER:
		ok &= frame_u8(f) <= 1;
		break;
	default:
		ok &= f->type == UP_PPP_STOP;
	}
	return ok && frame_ok(f);
}

/* The modem, at all its ports. */
static void
turned(void)
{
	uint8_t in[4096];

	for (size_t i = 0; answers && i < KEPT_ENDS; i++) {
		if (kept.ends[i] != -1 && world_receive(kept.ends[i], in,
		    sizeof(in), NULL) > 0)
			(void)!send(kept.ends[i], "\r\nOK\r\n", 6,
			    MSG_NOSIGNAL);
	}
}

/* Acts: p, n is what stands behind each. */

static void
act_peer(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_PEER);

	frame_put_str(o, n > 0 && (p[0] & 1) != 0 ? "ssh" : "notify");
	kept_give_frame(o, kept_socket());
}

/* The port that was asked for, or another. */
static void
act_port(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_PORT);

	frame_put_u32(o, n > 0 ? port + p[0] : port);
	frame_put_str(o, "/dev/m");
	frame_put_str(o, "usb 1-1");
	kept_give_frame(o, kept_socket());
}

static void
act_port_failed(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_PORT_FAILED);

	frame_put_u32(o, port);
	frame_put_str(o, peer_text(&p, &n));
	world_send(kept.up, o);
}

static void
act_ppp(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_PPP);

	kept.wrong = true;	/* a text may be too long */
	frame_put_u8(o, n > 0 ? p[0] % (PPP_ENDED + 1) : PPP_ENDED);
	if (n > 0)
		p++, n--;
	for (int i = 0; i < PPP_TEXTS; i++)
		frame_put_str(o, peer_text(&p, &n));
	world_send(kept.up, o);
}

static void
act_route(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_ROUTE);

	kept.wrong = true;
	frame_put_str(o, peer_text(&p, &n));
	frame_put_str(o, peer_text(&p, &n));
	world_send(kept.up, o);
}

static void
act_power(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_POWER);

	frame_put_u8(o, n > 0 ? p[0] & 1 : 0);
	frame_put_str(o, peer_text(&p, &n));
	world_send(kept.up, o);
}

static void
act_answers(const uint8_t *p, size_t n)
{
	(void)p;
	answers = n > 0;
}

static void
act_wait(const uint8_t *p, size_t n)
{
	skew_us += n == 0 ? 1000 : (int64_t)p[0] * p[0] * 2000;
}

static world_act *const acts[] = {
	KEPT_ACTS, KEPT_PEER_ACTS, act_peer, act_port, act_port_failed,
	act_ppp, act_route, act_power, act_answers, act_wait,
};

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (kept.nacts == 0) {
		kept_begin(texts, KEPT_CONFS);
		kept.acts = acts;
		kept.nacts = sizeof(acts) / sizeof(acts[0]);
		kept.hears = hears;
		kept.turned = turned;
		peer.other = console_hears;
	}
	port = 0;
	answers = true;
	kept_run(modem_main, p, n);
	return 0;
}
