/*
 * What the console process may say to the others, gone bad: a feed with a
 * session and a request lives on, or says once that its link is down, and
 * what it shows stays within its rings.  Input: a byte for the type, two for
 * the length, that many bytes; and again.
 */
#include "server/feed.h"
#include "server/proto.h"
#include "tests/world.h"

#define PART_MAX 4096
#define TURNS 24

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct world {
	struct loop *loop;
	struct timer *timer;
	struct feed *feed;
	struct feed_session *session;
	struct feed_request *request;
	bool ended;
	int fd;			/* the console process's end */
	const uint8_t *p;
	size_t n;
	int turns, downs;
	uint64_t at;
	uint8_t sum;		/* so that all of it was read */
};

static void
nothing(void *arg)
{
	(void)arg;
}

static void
on_down(void *arg, const char *why)
{
	struct world *w = arg;

	(void)why;
	w->downs++;
}

static void
on_task(void *arg, const struct feed_task *t)
{
	struct world *w = arg;

	for (int i = 0; i < t->argc; i++) {
		if (t->argv[i] == NULL)
			abort();
	}
	if (t->argv[t->argc] != NULL)
		abort();
	feed_told(w->feed, t->id, 1, "x", 1);
	feed_done(w->feed, t->id, 0);
}

static void
on_gone(void *arg, uint32_t id)
{
	(void)arg;
	(void)id;
}

static void
on_presence(void *arg, unsigned attached, unsigned by_relay)
{
	(void)arg;
	(void)attached;
	(void)by_relay;
}

static void
on_notice(void *arg, const struct feed_notice *n)
{
	struct world *w = arg;

	if (strlen(n->text) > FRAME_MAX || strlen(n->event) > FRAME_MAX)
		abort();
	feed_notice_taken(w->feed, n->id);
}

static void
on_attached(void *arg, int status, bool writes, const char *text)
{
	struct world *w = arg;

	(void)status;
	(void)writes;
	(void)text;
	w->at = feed_head(w->session);
}

static void
on_text(void *arg, bool yes, const char *text)
{
	(void)arg;
	(void)yes;
	if (strlen(text) > FRAME_MAX)
		abort();
}

static void
on_credit(void *arg, size_t n, bool dropped)
{
	(void)arg;
	(void)dropped;
	if (n > FEED_INPUT_MAX)
		abort();
}

static void
on_word(void *arg, const char *text)
{
	on_text(arg, false, text);
}

static void
on_data(void *arg)
{
	struct world *w = arg;
	const uint8_t *p;
	size_t n;

	for (int i = 0; i < 8 && (n = feed_peek(w->session, &w->at, &p)) > 0;
	    i++) {
		for (size_t k = 0; k < n; k += 64)
			w->sum ^= p[k];
		w->at += n;
		feed_taken(w->session, w->at);
	}
}

static void
on_link(void *arg, bool up)
{
	(void)arg;
	(void)up;
}

static size_t
on_out(void *arg, int stream, const void *p, size_t n)
{
	(void)arg;
	(void)p;
	if (stream != 1 && stream != 2)
		abort();
	return n;
}

static void
on_end(void *arg, int status, uint64_t offset)
{
	struct world *w = arg;

	if (w->ended)
		abort();
	w->ended = true;
	(void)status;
	(void)offset;
}

static const struct feed_ops ops = {
	.up = nothing, .down = on_down, .consoles = nothing, .task = on_task,
	.task_gone = on_gone, .presence = on_presence, .notice = on_notice,
};
static const struct feed_session_ops session_ops = {
	.attached = on_attached, .pen = on_text, .credit = on_credit,
	.notice = on_word, .data = on_data, .ended = on_word, .link = on_link,
};
static const struct feed_request_ops request_ops = { on_out, on_end, NULL };

/* One more frame; false: there is none. */
static bool
say_one(struct world *w)
{
	size_t n;

	if (w->n < 3)
		return false;
	n = (size_t)(w->p[1] << 8 | w->p[2]) % PART_MAX;
	if (n > w->n - 3)
		n = w->n - 3;
	world_say(w->fd, (uint16_t)(0x0200 | w->p[0]), w->p + 3, n);
	w->p += 3 + n;
	w->n -= 3 + n;
	return true;
}

static void
on_timer(void *arg)
{
	struct world *w = arg;
	uint8_t heard[4096];

	while (recv(w->fd, heard, sizeof(heard), MSG_DONTWAIT) > 0)
		continue;
	/* Then the peer is gone, which it must bear, too. */
	if (!say_one(w) && w->turns++ == TURNS / 2)
		shutdown(w->fd, SHUT_RDWR);
	if (w->turns >= TURNS)
		loop_stop(w->loop, 0);
	else
		timer_set(w->timer, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct feed_user user = { "alice", "192.0.2.1", "ssh",
	    "", NULL };
	struct world w = { .p = p, .n = n };
	int pair[2];

	log_open(NULL, LOG_TO_SYSLOG, false);
	world_pair(pair);
	w.fd = pair[0];
	w.loop = loop_new();
	w.feed = feed_new(w.loop, "fuzz", &ops, &w);
	w.session = feed_open(w.feed, &user, &session_ops, &w);
	feed_link(w.feed, pair[1]);
	feed_attach(w.session, "gw", ATTACH_AUTO);
	w.request = feed_tail(w.feed, "gw", 10, false, &request_ops,
	    &w);
	w.timer = timer_new(w.loop, on_timer, &w);
	timer_set(w.timer, 0);
	loop_run(w.loop);
	if (w.downs > 1 || w.feed == NULL)
		abort();
	feed_cancel(w.request);
	feed_close(w.session);
	feed_free(w.feed);
	timer_free(w.timer);
	loop_free(w.loop);
	close(w.fd);
	return 0;
}
