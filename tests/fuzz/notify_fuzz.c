/*
 * The notify process, with everybody it hears gone bad: the sinks that run a
 * program for it, the modem process, and a console process that asks for
 * tests and has news.  A task is answered once, news are taken by their id,
 * and what is said of it all is plain text.
 *
 * Input: acts: a byte which, one for its size, so many bytes.
 */
#include "peer.h"
#include "server/config.h"
#include "server/notify_exec.h"
#include "server/notify_pump.h"
#include "server/notify_test.h"
#include "tests/skewed_time.h"

#define SINKS 8
#define CONFS 3

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define EXEC(name, command) \
	"notify " name " { type = exec command = \"" command "\" }\n"

static const char *const texts[CONFS] = {
	EXEC("e", "/usr/bin/tell") "modem { data = /m }\n"
	    "notify s { type = sms to = {\"+46701234567\", \"+46701234568\"} }\n",
	(EXEC("e", "/usr/bin/other") EXEC("f", "/usr/bin/tell")),
	"",
};

static struct config *confs[CONFS];

static struct {
	struct loop *loop;
	struct feed *feed;
	struct link *up;
	struct notify_posts *posts;
	struct notify_pump *pump;
	struct notify_tests *tests;
	const struct config *conf;
	int modem, supervisor;		/* their ends; -1: none */
	struct {
		uint32_t id;		/* asked for, 0: none */
		int fd;			/* -1: not started */
	} sinks[SINKS];
	size_t nsinks;			/* asked for */
	uint32_t sms;			/* id given last */
	uint64_t news;
} w;

/* What else the console process hears. */
static bool
console_hears(struct frame *f)
{
	return f->type == NT_TAKEN && frame_u64(f) <= w.news && frame_ok(f);
}

/* What the others hear. */

static void
modem_hears(struct frame *f)
{
	uint32_t id = frame_u32(f);

	if (f->type != NT_SMS || id <= w.sms)
		abort();
	w.sms = id;
	peer_check_texts(f, 16, FRAME_MAX);
}

static void
supervisor_hears(struct frame *f)
{
	size_t i = w.nsinks % SINKS;
	uint32_t id = frame_u32(f);
	char section[2];		/* "e", "f" */

	if (f->type != UP_SINK || id == 0)
		abort();
	frame_str(f, section, sizeof(section));
	if (!frame_ok(f))
		abort();
	if (w.sinks[i].fd != -1)
		close(w.sinks[i].fd);
	w.sinks[i].id = id;
	w.sinks[i].fd = -1;
	w.nsinks++;
}

static void
sink_hears(struct frame *f)
{
	char text[NOTIFY_EXEC_TEXT + 1], word[2048];
	unsigned n;

	if (f->type != SK_RUN)
		abort();
	frame_str(f, text, sizeof(text));
	peer_check_plain(text);
	n = frame_u8(f);
	if (n > 16)
		abort();
	while (n-- > 0) {
		frame_str(f, word, sizeof(word));
		if (strncmp(word, "OOB_", 4) != 0)
			abort();
		peer_check_plain(word);
	}
	if (!frame_ok(f))
		abort();
}

static void
turn(void)
{
	for (int i = 0; i < 3; i++) {
		loop_for(w.loop, 0);
		peer_hear(peer.fd, peer_hears);
		peer_hear(w.modem, modem_hears);
		peer_hear(w.supervisor, supervisor_hears);
		for (size_t k = 0; k < SINKS; k++)
			peer_hear(w.sinks[k].fd, sink_hears);
	}
}

/* Acts: p, n is what stands behind each. */

/* News are words of the console process's own. */
static void
act_news(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(NT_EVENT);
	char plain[256];
	const char *text;

	frame_put_u64(o, n > 0 && (p[0] & 64) != 0 ? w.news : ++w.news);
	frame_put_u8(o, n > 0 ? p[0] & 3 : 0);
	if (n > 0)
		p++, n--;
	for (int i = 0; i < 3; i++) {
		text = peer_text(&p, &n);
		snprintf(plain, sizeof(plain), "%.40s", text);
		for (char *at = plain; *at != '\0'; at++) {
			if (*at < ' ' || *at > '~')
				*at = '.';
		}
		frame_put_str(o, plain);
	}
	world_send(peer.fd, o);
}

static void
act_task(const uint8_t *p, size_t n)
{
	if (feed_is_up(w.feed))
		peer_task(p, n, ARGS_MAX);
}

static void
act_console_goes(const uint8_t *p, size_t n)
{
	(void)p;
	peer_goes();
	if (n > 0)
		turn();
	peer_link(w.feed);
}

/* The supervisor's answer: a sink, or that there is none; also again. */
static void
act_start_sink(const uint8_t *p, size_t n)
{
	size_t i = n > 0 ? p[0] % SINKS : 0;
	int pair[2];

	if (n > 1) {
		notify_posts_sink(w.posts, w.sinks[i].id, -1);
		return;
	}
	if (w.sinks[i].fd != -1)
		close(w.sinks[i].fd);
	world_pair(pair);
	w.sinks[i].fd = pair[0];
	notify_posts_sink(w.posts, w.sinks[i].id, pair[1]);
}

static void
act_sink_says(const uint8_t *p, size_t n)
{
	if (n > 1 && w.sinks[p[0] % SINKS].fd != -1)
		world_say(w.sinks[p[0] % SINKS].fd, (uint16_t)(0x0900 | p[1]),
		    p + 2, n - 2);
}

static void
act_sink_gives(const uint8_t *p, size_t n)
{
	if (n > 0 && w.sinks[p[0] % SINKS].fd != -1)
		world_say_fd(w.sinks[p[0] % SINKS].fd, SK_ENDED, p, n,
		    w.supervisor);
}

static void
act_sink_ends(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SK_ENDED);
	int fd;

	if (n < 2 || (fd = w.sinks[p[0] % SINKS].fd) == -1)
		return;
	frame_put_u32(o, p[1] == 255 ? UINT32_MAX : p[1]);
	p += 2;
	n -= 2;
	frame_put_str(o, peer_text(&p, &n));
	world_send(fd, o);
}

static void
act_sink_goes(const uint8_t *p, size_t n)
{
	size_t i = n > 0 ? p[0] % SINKS : 0;

	if (w.sinks[i].fd != -1)
		close(w.sinks[i].fd);
	w.sinks[i].fd = -1;
}

static void
act_modem_comes(const uint8_t *p, size_t n)
{
	int pair[2];

	(void)p;
	if (w.modem != -1)
		close(w.modem);
	w.modem = -1;
	if (n > 0)
		return;		/* it stays away */
	world_pair(pair);
	w.modem = pair[0];
	notify_posts_modem(w.posts, pair[1]);
}

static void
act_modem_says(const uint8_t *p, size_t n)
{
	if (n > 0 && w.modem != -1)
		world_say(w.modem, p[0] & 1 ? WY_LINK : NT_SMS_DONE, p + 1,
		    n - 1);
}

static void
act_sms_done(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(NT_SMS_DONE);

	if (n < 2 || w.modem == -1)
		return;
	frame_put_u32(o, w.sms - p[0] % 4);
	frame_put_u8(o, p[1] % 4);
	p += 2;
	n -= 2;
	frame_put_str(o, peer_text(&p, &n));
	world_send(w.modem, o);
}

/* As the supervisor's SV_CONFIG and SV_READY. */
static void
act_configure(const uint8_t *p, size_t n)
{
	notify_tests_stop(w.tests);
	w.conf = confs[n > 0 ? p[0] % CONFS : 0];
	notify_pump_configure(w.pump, w.conf);
}

static void
act_wait(const uint8_t *p, size_t n)
{
	skew_us += n == 0 ? 1000 : (int64_t)p[0] * p[0] * 2000;
}

static world_act *const acts[] = {
	act_news, act_task, peer_task_gone, act_console_goes, act_start_sink,
	act_sink_says, act_sink_gives, act_sink_ends, act_sink_goes,
	act_modem_comes, act_modem_says, act_sms_done, act_configure, act_wait,
};

/* As notify.c does. */

static void
on_task(void *arg, const struct feed_task *task)
{
	(void)arg;
	notify_tests_run(w.tests, w.conf, task);
}

static void
on_task_gone(void *arg, uint32_t id)
{
	(void)arg;
	notify_tests_gone(w.tests, id);
}

static void
on_notice(void *arg, const struct feed_notice *f)
{
	struct notify_event e = { f->id, f->severity > NOTIFY_CRITICAL ?
	    NOTIFY_CRITICAL : (enum notify_severity)f->severity, f->source,
	    f->event, f->text };

	(void)arg;
	notify_pump_add(w.pump, &e);
	feed_notice_taken(w.feed, f->id);
}

static void
on_way(void *arg)
{
	(void)arg;
	notify_pump_kick(w.pump);
}

static const struct feed_ops feed_ops = { .up = world_nothing,
    .down = world_down, .consoles = world_nothing, .task = on_task,
    .task_gone = on_task_gone, .notice = on_notice };
static const struct link_ops up_ops = { .frame = world_refuse,
    .down = world_down };

/* Once: what may be configured. */
static void
begin(void)
{
	char text[2048];

	world_begin();
	for (size_t i = 0; i < CONFS; i++) {
		snprintf(text, sizeof(text), "name = box\n"
		    "service_user = nobody\nstate_dir = \"%s\"\n"
		    "console gw { device = /d }\n%s", world_dir, texts[i]);
		confs[i] = config_parse(text, "f", world_error, NULL);
		if (confs[i] == NULL)
			abort();
	}
}

static void
open_world(void)
{
	char path[WORLD_DIR + 32];
	int pair[2];

	snprintf(path, sizeof(path), "%s/notify/queue", world_dir);
	unlink(path);
	memset(&w, 0, sizeof(w));
	peer = (struct peer_state){ .fd = -1, .other = console_hears };
	w.modem = -1;
	for (size_t i = 0; i < SINKS; i++)
		w.sinks[i].fd = -1;
	w.loop = loop_new();
	w.posts = notify_posts_new(w.loop, on_way, NULL);
	w.feed = feed_new(w.loop, "notify", &feed_ops, NULL);
	w.pump = notify_pump_new(w.loop, w.posts, w.feed);
	w.tests = notify_tests_new(w.posts, w.feed);
	world_pair(pair);
	w.supervisor = pair[0];
	w.up = link_new(w.loop, pair[1], 65536, &up_ops, NULL);
	notify_posts_up(w.posts, w.up);
	w.conf = confs[0];
	notify_pump_configure(w.pump, w.conf);
	peer_link(w.feed);
	turn();
}

/* Whoever still waits is told. */
static void
close_world(void)
{
	for (int i = 0; i < 4; i++) {
		skew_us += 20000000;
		turn();
	}
	peer_check_answered();
	notify_tests_free(w.tests);
	notify_pump_free(w.pump);
	notify_posts_free(w.posts);
	feed_free(w.feed);
	link_free(w.up);
	close(w.supervisor);
	close(peer.fd);
	if (w.modem != -1)
		close(w.modem);
	for (size_t i = 0; i < SINKS; i++) {
		if (w.sinks[i].fd != -1)
			close(w.sinks[i].fd);
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
