/*
 * The notify process, told anything by the supervisor (kept.h): also sinks
 * that it did not ask for, or gets twice, while news come in.
 *
 * Input: acts: a byte which, one for its size, so many bytes.
 */
#include "kept.h"
#include "tests/skewed_time.h"

#define loop_run kept_loop_run
#define loop_stop kept_loop_stop
#include "server/notify.c"
#undef loop_run
#undef loop_stop

#define ASKED 8

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define EXEC(name, command) \
	"notify " name " { type = exec command = \"" command "\" }\n"

static const char *const texts[KEPT_CONFS] = {
	"console gw { device = /d }\n" EXEC("e", "/usr/bin/tell")
	    "modem { data = /m }\n"
	    "notify s { type = sms to = {\"+46701234567\"} }\n",
	("console gw { device = /d }\n" EXEC("e", "/usr/bin/other")
	    EXEC("f", "/usr/bin/tell")),
	"console gw { device = /d }\n",
	"console sw { device = /d }\n" EXEC("f", "/usr/bin/tell"),
};

static struct {
	uint32_t asked[ASKED];		/* sinks, 0: none */
	size_t nasked;
	uint64_t news;
} w;

static bool
console_hears(struct frame *f)
{
	return f->type == NT_TAKEN && frame_u64(f) <= w.news && frame_ok(f);
}

static bool
hears(struct frame *f, unsigned fds)
{
	uint32_t id = frame_u32(f);
	char section[2];

	frame_str(f, section, sizeof(section));
	if (f->type != UP_SINK || id == 0 || !frame_ok(f) || fds > 0)
		return false;
	w.asked[w.nasked++ % ASKED] = id;
	return true;
}

/* Acts: p, n is what stands behind each. */

static void
act_modem(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_PEER);

	(void)p;
	(void)n;
	frame_put_str(o, "modem");
	kept_give_frame(o, kept_socket());
}

static void
act_news(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(NT_EVENT);

	if (peer.fd == -1)
		return;
	frame_put_u64(o, ++w.news);
	frame_put_u8(o, n > 0 ? p[0] & 3 : 0);
	frame_put_str(o, "gw");
	frame_put_str(o, "line-lost");
	frame_put_str(o, "no carrier");
	world_send(peer.fd, o);
}

/* What it asked for, or not; a second byte: there is none. */
static void
act_sink(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_SINK);

	frame_put_u32(o, n > 0 ? w.asked[p[0] % ASKED] : 77);
	if (n > 1)
		world_send(kept.up, o);
	else
		kept_give_frame(o, kept_socket());
}

static void
act_wait(const uint8_t *p, size_t n)
{
	skew_us += n == 0 ? 1000 : (int64_t)p[0] * p[0] * 2000;
}

static world_act *const acts[] = {
	KEPT_ACTS, KEPT_PEER_ACTS, act_modem, act_news, act_sink, act_wait,
};

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (kept.nacts == 0) {
		kept_begin(texts, KEPT_CONFS);
		kept.acts = acts;
		kept.nacts = sizeof(acts) / sizeof(acts[0]);
		kept.hears = hears;
		peer.other = console_hears;
	}
	memset(&w, 0, sizeof(w));
	kept_run(notify_main, p, n);
	return 0;
}
