/*
 * A sink asked by a notify process gone bad: it starts the one program that
 * it was started for, with an environment of names that nobody else heeds,
 * once at a time; what it answers is one whole frame, or nothing.
 *
 * Input: a byte, whose bit 0 says that a descriptor comes first; then what
 * comes.
 */
#include "server/notify_exec.h"
#include "server/proto.h"
#include "server/sink.h"
#include "tests/world.h"

#define PROGRAM "/usr/bin/tell"
#define BYTES_MAX 16384		/* a socket takes as much at once */
#define ENV_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Stands in for notify_exec.c: nothing is run. */
struct notify_exec {
	struct timer *timer;
	int status;
	notify_exec_fn *done;
	void *arg;
};

static struct notify_exec *running;
static unsigned ended;

static void
on_end(void *arg)
{
	struct notify_exec *x = arg;
	notify_exec_fn *done = x->done;
	void *to = x->arg;
	int status = x->status;

	running = NULL;
	ended++;
	timer_free(x->timer);
	free(x);
	done(to, status, "exit status");
}

struct notify_exec *
notify_exec(struct loop *loop, const struct notify_exec_conf *conf,
    notify_exec_fn *done, void *arg)
{
	size_t n = 0;

	if (running != NULL || strcmp(conf->program, PROGRAM) != 0 ||
	    conf->limit_ms != NOTIFY_EXEC_MS ||
	    strlen(conf->text) > NOTIFY_EXEC_TEXT)
		abort();
	while (conf->env[n] != NULL) {
		if (strncmp(conf->env[n], "OOB_", 4) != 0 || n == ENV_MAX)
			abort();
		n++;
	}
	running = xcalloc(1, sizeof(*running));
	running->status = (int)strlen(conf->text) - 1;
	running->done = done;
	running->arg = arg;
	running->timer = timer_new(loop, on_end, running);
	timer_set(running->timer, 0);
	return running;
}

void
notify_exec_free(struct notify_exec *x)
{
	if (x == NULL)
		return;
	if (x != running)
		abort();
	timer_free(x->timer);
	free(x);
	running = NULL;
}

/* One request, as it should be, and nothing else. */
static bool
is_good(const uint8_t *p, size_t n)
{
	char text[NOTIFY_EXEC_TEXT + 1], word[2048];
	struct frame f;
	size_t used;
	unsigned k;
	bool good;

	if (frame_parse(p, n, &f, &used) != 1 || used != n ||
	    f.type != SK_RUN || (f.flags & FRAME_HAS_FD) != 0)
		return false;
	frame_str(&f, text, sizeof(text));
	k = frame_u8(&f);
	good = k <= ENV_MAX;
	for (; k > 0 && !f.bad; k--) {
		frame_str(&f, word, sizeof(word));
		good = good && strncmp(word, "OOB_", 4) == 0;
	}
	return good && frame_ok(&f);
}

static void
check_answer(int sock)
{
	static uint8_t in[2 * FRAME_MAX];
	size_t n = world_receive(sock, in, sizeof(in), NULL), used;
	struct frame f;
	char why[128];

	if (frame_parse(in, n, &f, &used) != 1 || used != n ||
	    f.type != SK_ENDED || ended != 1)
		abort();
	(void)frame_u32(&f);
	frame_str(&f, why, sizeof(why));
	if (!frame_ok(&f))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char program[] = PROGRAM, *words[] = { program };
	unsigned fds = world_sockets();
	bool good;
	int pair[2];

	if (n == 0)
		return 0;
	log_open(NULL, LOG_TO_SYSLOG, false);
	world_pair(pair);
	ended = 0;
	if (n > BYTES_MAX)
		n = BYTES_MAX;
	good = (p[0] & 1) == 0 && is_good(p + 1, n - 1);
	if ((p[0] & 1) != 0)
		world_say_fd(pair[0], SK_RUN, "\0\0\0", 3, pair[0]);
	if (n > 1 && write(pair[0], p + 1, n - 1) != (ssize_t)n - 1)
		abort();
	/* All else it must find the end of by itself. */
	if (!good)
		shutdown(pair[0], SHUT_WR);
	if (sink_main(pair[1], 1, words) != 0 && good)
		abort();
	if (running != NULL || (ended > 0 && (p[0] & 1) != 0))
		abort();
	if (good)
		check_answer(pair[0]);
	close(pair[0]);
	if (world_sockets() != fds)
		abort();
	return 0;
}
