/*
 * A session with a user who types anything, at a window of any size that
 * changes, while a console process answers in time, late, with a no, or goes
 * away.  What is said to that are whole frames within their bounds; what is
 * shown is within the room there is, holds nothing that a terminal obeys, and
 * ends once.
 *
 * Input: a byte how it starts (bits 0-1: shell, shell of a console, stream, a
 * verb, which stands next with a NUL behind it; 2: a terminal; 3: its lead-in
 * is none; 4-6: what the console process does not do by itself: attach, answer
 * verbs, take input).  Then acts: a byte which, one for its size, so many
 * bytes.
 */
#include "box.h"
#include "server/base/buf.h"
#include "server/session.h"
#include "tests/skewed_time.h"

#define ACTS 300
#define HELD_MAX 65536
#define ANY ((size_t)1 << 30)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Whoever looks and types. */
static struct term {
	struct loop *loop;
	struct feed *feed;
	struct session *s;
	struct buf *held;		/* typed, not taken yet */
	size_t room;
	bool wanted, pumping, done, draws, eof, told_eof;
} t;

/* What is shown. */

static size_t
on_room(void *arg)
{
	(void)arg;
	return t.pumping ? t.room : 0;
}

static size_t
on_write(void *arg, int stream, const void *data, size_t n)
{
	const uint8_t *p = data;

	(void)arg;
	if (!t.pumping || t.done || n > t.room || n == 0 ||
	    (stream != 1 && stream != 2))
		abort();
	/* A verb that draws gives the terminal back when it is cut off. */
	for (size_t i = 0; i < n && !t.draws; i++) {
		if ((p[i] < 0x20 && strchr("\a\b\r\n", p[i]) == NULL) ||
		    p[i] == '\0' || p[i] == 0x7f)
			abort();
	}
	if (t.room < ANY)
		t.room -= n;
	return n;
}

static void
on_wants_pump(void *arg)
{
	(void)arg;
	t.wanted = true;
}

static void
on_done(void *arg, int status)
{
	(void)arg;
	if (t.done || status < 0 || status > 255)
		abort();
	t.done = true;
}

static const struct session_ops session_ops = {
	on_room, on_write, on_wants_pump, on_done, NULL
};

/* As the ssh process drives it. */
static void
on_turn(void *arg)
{
	int again = 0;
	size_t n;

	(void)arg;
	while (t.s != NULL && t.wanted && !t.done) {
		if (again++ > 1000)
			abort();		/* it must not spin */
		t.wanted = false;
		n = buf_len(t.held);
		if (n > 0)
			buf_drop(t.held, session_input(t.s,
			    buf_data(t.held), n));
		if (t.eof && !t.told_eof && buf_len(t.held) == 0) {
			t.told_eof = true;
			session_eof(t.s);
		}
		t.pumping = true;
		session_pump(t.s);
		t.pumping = false;
	}
}

static void
turn(void)
{
	/* What it says, an answer to it, and what comes of that. */
	for (int i = 0; i < 3; i++) {
		loop_for(t.loop, 0);
		hear();
	}
}

/* Acts: p, n is what stands behind each. */

static void
act_type(const uint8_t *p, size_t n)
{
	(void)!buf_add(t.held, p, n);
	t.wanted = true;
}

static void
act_resize(const uint8_t *p, size_t n)
{
	session_terminal(t.s, n > 0 ? p[0] * p[0] : 0, n > 1 ? p[1] : 0);
	/* From now on it has one: what it is shown is for that. */
}

static void
act_room(const uint8_t *p, size_t n)
{
	t.room = n == 0 ? ANY : n > 1 ? p[0] * p[1] : p[0];
	t.wanted = true;
}

static void
act_print(const uint8_t *p, size_t n)
{
	unsigned i = n > 0 ? p[0] % LINES : 0, times = n > 1 ? p[1] : 1;
	struct frame_out *o;

	for (unsigned k = 0; k <= times && box.fd != -1; k++) {
		o = world_start(AN_DATA);
		frame_put_u16(o, (uint16_t)(FIRST_ID + i));
		frame_put_u64(o, box.heads[i]);
		put_safe(o, p, n);
		world_send(box.fd, o);
		box.heads[i] += n;
	}
}

static void
act_gap(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(AN_GAP);
	unsigned i = n > 0 ? p[0] % LINES : 0;
	uint64_t to = n > 1 && p[1] < 8 ? 0 : box.heads[i] + n * 100;

	frame_put_u16(o, (uint16_t)(FIRST_ID + i));
	frame_put_u64(o, box.heads[i]);
	frame_put_u64(o, box.heads[i] = to);
	world_send(box.fd, o);
}

static void
act_notice(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(AN_NOTICE);

	frame_put_u16(o, n > 0 && (p[0] & 1) != 0 ? FIRST_ID :
	    FEED_NO_CONSOLE);
	frame_put_u32(o, n > 0 && (p[0] & 1) != 0 ? 0 : box.sid);
	put_text(o, p, n);
	world_send(box.fd, o);
}

static void
act_pen(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(AN_PEN);

	frame_put_u32(o, box.sid);
	frame_put_u8(o, n & 1);
	put_text(o, p, n);
	world_send(box.fd, o);
}

static void
act_attached(const uint8_t *p, size_t n)
{
	if (box.attach != 0)
		say_attached(n > 0 ? p[0] % 7 : ST_OK, n & 1, p, n);
}

/* Whether it comes whole, and to which of the two that may be asked. */
static void
act_answer(const uint8_t *p, size_t n)
{
	uint32_t request = n > 0 && (p[0] & 1) != 0 ? box.tail : box.request;
	bool cleaned = request == box.request &&
	    strcmp(box.verb, "digest") == 0;

	if (n > 1)
		say_out(request, p[0] & 2 ? 2 : 1, p + 1, n - 1, !cleaned);
	if (n == 0 || (p[0] & 4) != 0)
		say_end(request, n > 1 ? p[1] % 7 : ST_OK);
}

static void
act_canned(const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	answer_verb();
}

static void
act_credit(const uint8_t *p, size_t n)
{
	say_credit(n > 1 ? (size_t)p[0] * p[1] : box.flying, n & 1);
}

static void
act_ended(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(AN_ENDED);

	frame_put_u32(o, box.sid);
	put_text(o, p, n);
	world_send(box.fd, o);
}

static void
act_console(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(AN_CONSOLE_GONE);
	unsigned i = n > 0 ? p[0] % LINES : 0;

	if (n > 1) {
		say_console(i, p[1] & 1);
		return;
	}
	frame_put_u16(o, (uint16_t)(FIRST_ID + i));
	world_send(box.fd, o);
}

static void
drop_reader(void)
{
	if (box.reader != -1)
		close(box.reader);
	box.reader = -1;
}

static void
act_reader(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(AN_READER);
	int pair[2];

	drop_reader();
	if (n == 0)
		return;
	world_pair(pair);
	frame_put_u32(o, box.request);
	put_text(o, p, n);
	world_say_fd(box.fd, AN_READER, o->block + FRAME_HEAD,
	    o->len - FRAME_HEAD, pair[1]);
	close(pair[1]);
	box.reader = pair[0];
}

/* Through the reader's own socket. */
static void
act_read(const uint8_t *p, size_t n)
{
	int fd = box.fd;

	if (box.reader == -1)
		return;
	box.fd = box.reader;
	if (n > 1)
		say_out(0, n & 1 ? 1 : 2, p, n, !t.draws);
	else
		say_end(0, n > 0 ? p[0] % 7 : ST_OK);
	box.fd = fd;
}

static void
act_break_link(const uint8_t *p, size_t n)
{
	int pair[2];

	if (box.fd != -1)
		close(box.fd);
	box.fd = -1;
	box.n = box.flying = 0;
	box.attach = 0;
	turn();
	if (n == 0)
		return;
	world_pair(pair);
	box.fd = pair[0];
	box.late_attach = (p[0] & 1) != 0;
	box.late_verbs = (p[0] & 2) != 0;
	box.late_input = (p[0] & 4) != 0;
	feed_link(t.feed, pair[1]);
}

static void
act_wait(const uint8_t *p, size_t n)
{
	skew_us += n == 0 ? 1000 : (int64_t)p[0] * p[0] * 1000;
}

static void
act_signal(const uint8_t *p, size_t n)
{
	static const char *const signals[] = { "INT", "TERM", "HUP", "QUIT",
	    "WINCH", "" };

	session_signal(t.s, signals[n > 0 ? p[0] % 6 : 0]);
}

static void
act_other(const uint8_t *p, size_t n)
{
	switch (n > 0 ? p[0] % 5 : 0) {
	case 0:
		session_break(t.s);
		break;
	case 1:
		t.eof = t.wanted = true;
		break;
	case 2:
		session_heard(t.s);
		break;
	case 3:
		session_lost(t.s, n & 1);
		break;
	case 4:
		(void)session_has_output(t.s);
		(void)session_input_room(t.s);
		break;
	}
}

static const struct {
	void (*run)(const uint8_t *, size_t);
	bool box;		/* the console process does it: it is there */
} acts[] = {
	{ act_type,		false },
	{ act_resize,		false },
	{ act_room,		false },
	{ act_print,		true },
	{ act_gap,		true },
	{ act_notice,		true },
	{ act_pen,		true },
	{ act_attached,		true },
	{ act_answer,		true },
	{ act_canned,		true },
	{ act_credit,		true },
	{ act_ended,		true },
	{ act_console,		true },
	{ act_reader,		true },
	{ act_read,		true },
	{ act_break_link,	false },
	{ act_wait,		false },
	{ act_signal,		false },
	{ act_other,		false },
};

static size_t
act(const uint8_t *p, size_t n)
{
	size_t which = p[0] % (sizeof(acts) / sizeof(acts[0])), len;

	if (n < 2)
		return n;
	len = p[1] < n - 2 ? p[1] : n - 2;
	/* He who types is not heard any more when it is over. */
	if (!t.done && (!acts[which].box || box.fd != -1))
		acts[which].run(p + 2, len);
	turn();
	return 2 + len;
}

/* How many bytes said how it starts. */
static size_t
start(const uint8_t *p, size_t n)
{
	char command[512] = "";
	size_t len = 0;

	if ((p[0] & 4) != 0)
		session_terminal(t.s, 80, 24);
	switch (p[0] & 3) {
	case 0:
		session_start_shell(t.s, NULL);
		break;
	case 1:
		session_start_shell(t.s, names[0]);
		break;
	case 2:
		session_start_stream(t.s, names[0]);
		break;
	case 3:
		while (len + 1 < n && len < sizeof(command) - 1 &&
		    p[1 + len] != '\0')
			len++;
		memcpy(command, p + 1, len);
		command[len] = '\0';
		t.draws = strstr(command, "replay") != NULL;
		session_start_exec(t.s, command, names[0]);
		break;
	}
	return 1 + len < n && (p[0] & 3) == 3 ? 2 + len : 1;
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
on_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static const struct feed_ops feed_ops = { .up = nothing, .down = on_down,
    .consoles = nothing };

static void
open_world(uint8_t how)
{
	const struct session_user user = { "alice", "192.0.2.1", "ssh", "",
	    NULL, (how & 8) != 0 ? -1 : 5 };
	int pair[2];

	box = (struct box){ .reader = -1, .late_attach = (how & 16) != 0,
	    .late_verbs = (how & 32) != 0, .late_input = (how & 64) != 0 };
	for (unsigned i = 0; i < LINES; i++)
		box.heads[i] = 1000;
	world_pair(pair);
	box.fd = pair[0];
	t.feed = feed_new(t.loop, "fuzz", &feed_ops, NULL);
	feed_link(t.feed, pair[1]);
	t.held = buf_new(HELD_MAX);
	t.room = ANY;
	t.wanted = t.done = t.draws = t.eof = t.told_eof = false;
	t.s = session_new(t.loop, t.feed, &user, &session_ops, NULL);
}

static void
close_world(void)
{
	session_free(t.s);
	t.s = NULL;
	turn();
	feed_free(t.feed);
	buf_free(t.held);
	drop_reader();
	if (box.fd != -1)
		close(box.fd);
	loop_for(t.loop, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	unsigned fds;
	size_t used;

	if (t.loop == NULL) {
		log_open(NULL, LOG_TO_SYSLOG, false);
		t.loop = loop_new();
		loop_each_turn(t.loop, on_turn, NULL);
	}
	if (n == 0)
		return 0;
	fds = world_sockets();
	open_world(p[0]);
	used = start(p, n);
	turn();
	for (int i = 0; i < ACTS; i++) {
		p += used;
		n -= used;
		if (n == 0)
			break;
		used = act(p, n);
	}
	close_world();
	if (world_sockets() != fds)
		abort();
	return 0;
}
