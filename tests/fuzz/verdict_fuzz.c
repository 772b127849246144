/*
 * The ssh process's questions to gates gone bad, and to a supervisor that
 * starts them late, twice or not at all: each is answered once, unless nobody
 * waits for it any more, and by a yes only where a gate said so.
 *
 * Input: acts: a byte which, one for its size, so many bytes.
 */
#include "server/gate.h"
#include "server/proto.h"
#include "server/ssh_gate.h"
#include "tests/skewed_time.h"
#include "tests/world.h"

#define ASKS 64			/* in one run */
#define GATES 16

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct {
	struct loop *loop;
	struct link *up;
	struct ssh_gate *gate;
	int supervisor;			/* its end */
	struct ask {
		uint32_t id;
		bool over;		/* answered, or given up */
	} asks[ASKS];
	size_t nasks;
	struct {
		uint32_t request;	/* 0: none */
		int fd;			/* the gate's end, -1: none */
	} gates[GATES];
	size_t ngates;			/* asked for */
	uint32_t last;
	unsigned said_yes, told_yes;
} w;

static void
on_verdict(void *arg, const struct ssh_gate_verdict *v)
{
	struct ask *a = arg;

	if (a->over || strlen(v->why) >= GATE_WHY)
		abort();
	a->over = true;
	w.told_yes += v->yes;
	if (w.told_yes > w.said_yes)
		abort();
}

static void
drop(size_t i)
{
	if (w.gates[i].fd != -1)
		close(w.gates[i].fd);
	w.gates[i].fd = -1;
}

static void
hear(void)
{
	static uint8_t in[65536];
	size_t n = world_receive(w.supervisor, in, sizeof(in), NULL), at = 0;
	size_t used, i;
	struct frame f;

	while (frame_parse(in + at, n - at, &f, &used) == 1) {
		at += used;
		i = w.ngates++ % GATES;
		drop(i);
		w.gates[i].request = frame_u32(&f);
		if (f.type != UP_GATE || !frame_ok(&f) ||
		    w.gates[i].request <= w.last)
			abort();
		w.last = w.gates[i].request;
	}
	/* A question is one whole frame. */
	for (i = 0; i < GATES; i++) {
		if (w.gates[i].fd == -1 || (n = world_receive(w.gates[i].fd,
		    in, sizeof(in), NULL)) == 0)
			continue;
		if (frame_parse(in, n, &f, &used) != 1 || used != n ||
		    f.type != GT_ASK)
			abort();
	}
}

static void
turn(void)
{
	for (int i = 0; i < 3; i++) {
		loop_for(w.loop, 0);
		hear();
	}
}

/* Acts: p, n is what stands behind each. */

static void
act_ask(const uint8_t *p, size_t n)
{
	struct ssh_proof proof = { (char[]){ "data" }, (char[]){ "" },
	    (char[]){ "sig" } };
	struct ask *a = &w.asks[w.nasks];
	char name[64] = "";
	bool typed = n > 0 && (p[0] & 1) != 0;
	const struct ssh_gate_question q = { .user = name, .name = name,
	    .from = "192.0.2.1", .password = n > 0 && (p[0] & 2) != 0 ?
	    "secret" : NULL, .code = typed ? "12345678" : NULL,
	    .proof = typed ? NULL : &proof };

	if (w.nasks == ASKS)
		return;
	if (n > 1)
		snprintf(name, sizeof(name), "%.*s", (int)n - 1,
		    (const char *)p + 1);
	w.nasks++;
	a->id = ssh_gate_ask(w.gate, &q, on_verdict, a);
}

static void
act_cancel(const uint8_t *p, size_t n)
{
	struct ask *a = &w.asks[n > 0 ? p[0] % ASKS : 0];

	if (a < w.asks + w.nasks) {
		ssh_gate_cancel(w.gate, a->id);
		a->over = true;
	}
}

static void
act_start(const uint8_t *p, size_t n)
{
	size_t i = n > 0 ? p[0] % GATES : 0;
	int pair[2];

	drop(i);
	if (n > 1) {
		ssh_gate_take(w.gate, w.gates[i].request, -1);
		return;
	}
	world_pair(pair);
	w.gates[i].fd = pair[0];
	ssh_gate_take(w.gate, w.gates[i].request, pair[1]);
}

static void
act_says(const uint8_t *p, size_t n)
{
	size_t i = n > 0 ? p[0] % GATES : 0;

	if (n < 3 || w.gates[i].fd == -1)
		return;
	w.said_yes += p[2] != 0;
	world_say(w.gates[i].fd, (uint16_t)(0x0800 | p[1]), p + 2, n - 2);
}

static void
act_bytes(const uint8_t *p, size_t n)
{
	if (n > 1 && w.gates[p[0] % GATES].fd != -1) {
		w.said_yes++;		/* it may be */
		(void)!send(w.gates[p[0] % GATES].fd, p + 1, n - 1,
		    MSG_NOSIGNAL);
	}
}

static void
act_answer(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(GT_ANSWER);
	char why[256];

	if (n < 2 || w.gates[p[0] % GATES].fd == -1)
		return;
	w.said_yes += p[1] & 1;
	snprintf(why, sizeof(why), "%.*s", (int)n - 2, (const char *)p + 2);
	frame_put_u8(o, p[1] & 1);
	frame_put_str(o, why);
	frame_put_str(o, p[1] & 1 ? "a voucher" : "");
	world_send(w.gates[p[0] % GATES].fd, o);
}

static void
act_goes(const uint8_t *p, size_t n)
{
	drop(n > 0 ? p[0] % GATES : 0);
}

static void
act_wait(const uint8_t *p, size_t n)
{
	skew_us += n == 0 ? 1000 : (int64_t)p[0] * p[0] * 1000;
}

static world_act *const acts[] = {
	act_ask, act_cancel, act_start, act_says, act_bytes, act_answer,
	act_goes, act_wait,
};

static const struct link_ops up_ops = { .frame = world_refuse,
    .down = world_down };

static void
open_world(void)
{
	int pair[2];

	memset(&w, 0, sizeof(w));
	for (size_t i = 0; i < GATES; i++)
		w.gates[i].fd = -1;
	w.loop = loop_new();
	world_pair(pair);
	w.supervisor = pair[0];
	w.up = link_new(w.loop, pair[1], 65536, &up_ops, NULL);
	w.gate = ssh_gate_new(w.loop);
	ssh_gate_link(w.gate, w.up);
}

/* Whoever still waits is told. */
static void
close_world(void)
{
	for (int i = 0; i < 4; i++) {
		skew_us += (int64_t)(GATE_LIMIT_MS + SSH_GATE_SLOW_MS) * 1000;
		turn();
	}
	for (size_t i = 0; i < w.nasks; i++) {
		if (!w.asks[i].over)
			abort();
	}
	ssh_gate_free(w.gate);
	link_free(w.up);
	close(w.supervisor);
	for (size_t i = 0; i < GATES; i++)
		drop(i);
	loop_free(w.loop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	unsigned sockets = world_sockets();

	log_open(NULL, LOG_TO_SYSLOG, false);
	open_world();
	world_acts(acts, sizeof(acts) / sizeof(acts[0]), turn, p, n);
	close_world();
	if (world_sockets() != sockets)
		abort();
	return 0;
}
