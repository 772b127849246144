/* What sinks and the modem process answer to the notify process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/notify_post.h"
#include "server/proto.h"
#include "tests/world.h"

static struct {
	struct loop *loop;
	struct notify_posts *posts;
	struct link *up;
	int supervisor, there;		/* their ends */
	unsigned done;
	struct notify_result result;
} w;

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

static int
on_frame(void *arg, struct frame *f, int fd)
{
	(void)arg;
	(void)f;
	(void)fd;
	return -1;
}

static void
on_done(void *arg, const struct notify_result *r)
{
	(void)arg;
	w.done++;
	w.result = *r;
}

static const struct link_ops up_ops = { .frame = on_frame, .down = on_down };

static int
set_up(void **state)
{
	int pair[2];

	(void)state;
	memset(&w, 0, sizeof(w));
	w.loop = loop_new();
	w.posts = notify_posts_new(w.loop, nothing, NULL);
	assert_non_null(w.posts);
	world_pair(pair);
	w.supervisor = pair[0];
	w.up = link_new(w.loop, pair[1], 65536, &up_ops, NULL);
	notify_posts_up(w.posts, w.up);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	notify_posts_free(w.posts);
	link_free(w.up);
	close(w.supervisor);
	close(w.there);
	loop_free(w.loop);
	return 0;
}

static void
post(const struct config_notify *conf)
{
	static const struct notify_message m = { .event = "line-lost",
	    .text = "the line is lost" };

	notify_post(w.posts, conf, "box", &m, on_done, NULL);
	world_turn(w.loop);
}

/* The first frame that came to this end, and its number. */
static uint32_t
first(int fd, uint16_t type)
{
	static uint8_t in[FRAME_HEAD + FRAME_MAX];
	size_t n = world_receive(fd, in, sizeof(in), NULL), used;
	struct frame f;

	assert_int_equal(frame_parse(in, n, &f, &used), 1);
	assert_int_equal(f.type, type);
	return frame_u32(&f);
}

/* What a program's end is called is shown without what a terminal obeys. */
static void
a_sinks_words_are_safe(void **state)
{
	char name[] = "e", command[] = "/usr/bin/tell";
	const struct config_notify conf = { .name = name,
	    .type = NOTIFY_EXEC, .command = command };
	struct frame_out *o;
	uint32_t id;
	int pair[2];

	(void)state;
	post(&conf);
	id = first(w.supervisor, UP_SINK);
	world_pair(pair);
	w.there = pair[0];
	notify_posts_sink(w.posts, id, pair[1]);
	world_turn(w.loop);
	(void)first(w.there, SK_RUN);
	o = world_start(SK_ENDED);
	frame_put_u32(o, 1);
	frame_put_str(o, "\033[2J");
	world_send(w.there, o);
	world_turn(w.loop);
	assert_int_equal(w.done, 1);
	assert_null(strchr(w.result.why, '\033'));
	assert_non_null(strstr(w.result.why, "\\x1b[2J"));
}

static void
the_modems_words_are_safe(void **state)
{
	char name[] = "s", number[] = "+46701234567", *numbers[] = { number };
	const struct config_notify conf = { .name = name,
	    .type = NOTIFY_SMS, .numbers = numbers, .nnumbers = 1 };
	struct frame_out *o;
	uint32_t id;
	int pair[2];

	(void)state;
	world_pair(pair);
	w.there = pair[0];
	notify_posts_modem(w.posts, pair[1]);
	post(&conf);
	id = first(w.there, NT_SMS);
	o = world_start(NT_SMS_DONE);
	frame_put_u32(o, id);
	frame_put_u8(o, NT_SMS_REFUSED);
	frame_put_str(o, "\033[2J");
	world_send(w.there, o);
	world_turn(w.loop);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.result.outcome, NOTIFY_REFUSED);
	assert_string_equal(w.result.why, "\\x1b[2J");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_sinks_words_are_safe),
		T(the_modems_words_are_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
