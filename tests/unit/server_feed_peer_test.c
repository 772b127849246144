/* What the ssh and the modem process do with their feed beyond a client. */
#include "fake_console.h"
#include "server/feed.h"
#include "tests/world.h"

struct peer {
	struct fake *k;
	struct feed *feed;
	unsigned attached, by_relay;
	int tasks, gone;
	uint32_t last, last_gone;
	char words[256];
	bool answer;			/* at once */
};

static void
on_up(void *arg)
{
	(void)arg;
}

static void
on_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static void
on_task(void *arg, const struct feed_task *t)
{
	struct peer *p = arg;

	p->tasks++;
	p->last = t->id;
	snprintf(p->words, sizeof(p->words), "%s/%s/%d/%u:", t->user, t->via,
	    t->tty, t->columns);
	for (int i = 0; i < t->argc; i++) {
		strcat(p->words, " ");
		strcat(p->words, t->argv[i]);
	}
	assert_null(t->argv[t->argc]);
	if (!p->answer)
		return;
	feed_toldf(p->feed, t->id, 1, "answer %d\n", 1);
	feed_done(p->feed, t->id, ST_OK);
}

static void
on_gone(void *arg, uint32_t id)
{
	struct peer *p = arg;

	p->gone++;
	p->last_gone = id;
}

static void
on_presence(void *arg, unsigned attached, unsigned by_relay)
{
	struct peer *p = arg;

	p->attached = attached;
	p->by_relay = by_relay;
}

static const struct feed_ops ops = {
	.up = on_up,
	.down = on_down,
	.consoles = on_up,
	.task = on_task,
	.task_gone = on_gone,
	.presence = on_presence,
};

static const struct feed_ops no_tasks = {
	.up = on_up,
	.down = on_down,
	.consoles = on_up,
};

static void
start(struct peer *p, const struct feed_ops *with)
{
	static const char *const names[] = { "gw" };

	memset(p, 0, sizeof(*p));
	p->k = fake_new(names, 1);
	p->feed = feed_new(p->k->loop, "modem", with, p);
	feed_link(p->feed, fake_connect(p->k));
	UNTIL(p->k, feed_is_up(p->feed));
}

static void
end(struct peer *p)
{
	feed_free(p->feed);
	fake_free(p->k);
}

static bool
saw(const struct peer *p, const char *what)
{
	return strstr(p->k->log, what) != NULL;
}

/* The console process is killed, and comes back. */
static void
lose(struct peer *p)
{
	link_free(p->k->link);
	p->k->link = NULL;
	UNTIL(p->k, !feed_is_up(p->feed));
	p->k->log[0] = '\0';
}

static void
find(struct peer *p)
{
	feed_link(p->feed, fake_connect(p->k));
	UNTIL(p->k, feed_is_up(p->feed));
}

static void
a_task(void **state)
{
	struct peer p;

	(void)state;
	start(&p, &ops);
	p.answer = true;
	fake_task(p.k, 7, "link", "status");
	UNTIL(p.k, saw(&p, "done 7 0\n"));
	assert_string_equal(p.words, "alice/ssh/1/80: link status");
	assert_true(saw(&p, "told 7 1 answer 1\n"));
	/* It is over: nothing more is said of it. */
	feed_told(p.feed, 7, 1, "late", 4);
	feed_done(p.feed, 7, ST_FAILED);
	p.answer = false;
	fake_task(p.k, 8, "link", NULL);
	UNTIL(p.k, p.tasks == 2);
	feed_done(p.feed, 8, ST_DOWN);
	UNTIL(p.k, saw(&p, "done 8 5\n"));
	assert_false(saw(&p, "late"));
	assert_false(saw(&p, "done 7 1"));
	assert_int_equal(p.gone, 0);
	end(&p);
}

static void
a_task_that_nobody_waits_for(void **state)
{
	struct peer p;

	(void)state;
	start(&p, &ops);
	fake_task(p.k, 1, "modem", "reset");
	fake_task(p.k, 2, "modem", "status");
	UNTIL(p.k, p.tasks == 2);
	fake_task_gone(p.k, 1);
	UNTIL(p.k, p.gone == 1);
	assert_int_equal(p.last_gone, 1);
	feed_toldf(p.feed, 1, 1, "nobody hears this");
	/* The link goes: so does the other. */
	lose(&p);
	assert_int_equal(p.gone, 2);
	assert_int_equal(p.last_gone, 2);
	find(&p);
	feed_toldf(p.feed, 2, 1, "nobody hears this");
	feed_done(p.feed, 2, ST_OK);
	p.answer = true;
	fake_task(p.k, 3, "modem", NULL);
	UNTIL(p.k, saw(&p, "done 3 0"));
	assert_false(saw(&p, "nobody"));
	assert_false(saw(&p, "done 2"));
	end(&p);
}

static void
who_runs_no_verbs_says_so(void **state)
{
	struct peer p;

	(void)state;
	start(&p, &no_tasks);
	fake_task(p.k, 9, "link", NULL);
	UNTIL(p.k, saw(&p, "done 9 1\n"));
	assert_true(saw(&p, "told 9 2 oobd: the modem process runs no verbs"));
	end(&p);
}

/* More tasks than there may be end the link, not us. */
static void
too_many_tasks(void **state)
{
	struct peer p;

	(void)state;
	start(&p, &ops);
	for (uint32_t i = 1; i <= TASKS_MAX; i++)
		fake_task(p.k, i, "link", NULL);
	UNTIL(p.k, p.tasks == TASKS_MAX);
	assert_true(feed_is_up(p.feed));
	fake_task(p.k, TASKS_MAX + 1, "link", NULL);
	UNTIL(p.k, !feed_is_up(p.feed));
	assert_int_equal(p.gone, TASKS_MAX);
	end(&p);
}

/* A long answer goes in pieces; one that never ends is cut. */
static void
long_answers(void **state)
{
	static char big[4 * 1024 * 1024];
	struct peer p;

	(void)state;
	memset(big, 'x', sizeof(big));
	start(&p, &ops);
	fake_task(p.k, 1, "link", NULL);
	UNTIL(p.k, p.tasks == 1);
	feed_told(p.feed, 1, 1, big, 300000);
	feed_done(p.feed, 1, ST_OK);
	UNTIL(p.k, saw(&p, "done 1 0\n"));
	assert_int_equal(p.k->told, 300000);
	fake_task(p.k, 2, "link", NULL);
	UNTIL(p.k, p.tasks == 2);
	p.k->log[0] = '\0';
	feed_told(p.feed, 2, 1, big, sizeof(big));
	feed_done(p.feed, 2, ST_OK);
	UNTIL(p.k, saw(&p, "done 2 1\n"));
	assert_true(feed_is_up(p.feed));
	assert_true(p.k->told < 300000 + sizeof(big));
	end(&p);
}

static void
presence(void **state)
{
	struct frame_out *o;
	struct peer p;

	(void)state;
	start(&p, &ops);
	o = link_start(p.k->link, AN_PRESENCE);
	frame_put_u32(o, 3);
	frame_put_u32(o, 1);
	link_send(p.k->link);
	UNTIL(p.k, p.attached == 3);
	assert_int_equal(p.by_relay, 1);
	end(&p);
}

/* What status shows is said again to a new console process. */
static void
infos_are_kept(void **state)
{
	struct peer p;

	(void)state;
	start(&p, &ops);
	feed_info(p.feed, "link", "idle");
	feed_info(p.feed, "relay.cloud", "trying");
	feed_info(p.feed, "signal", "-71 dBm");
	feed_info(p.feed, "link", "up");
	feed_info(p.feed, "signal", "");
	UNTIL(p.k, saw(&p, "info signal=\n"));
	assert_true(saw(&p, "info link=idle\n"));
	lose(&p);
	feed_info(p.feed, "relay.cloud", "proven");
	find(&p);
	UNTIL(p.k, saw(&p, "relay.cloud"));
	assert_true(saw(&p, "info link=up\n"));
	assert_true(saw(&p, "info relay.cloud=proven\n"));
	assert_false(saw(&p, "signal"));
	assert_false(saw(&p, "idle"));
	end(&p);
}

/* Events wait for the next console process, notices do not. */
static void
events_wait(void **state)
{
	char text[32];
	struct peer p;

	(void)state;
	start(&p, &ops);
	feed_event(p.feed, "link-up", "who=alice");
	feed_tell(p.feed, "hear, hear");
	UNTIL(p.k, saw(&p, "tell hear, hear\n"));
	assert_true(saw(&p, "event link-up who=alice\n"));
	lose(&p);
	for (int i = 0; i < FEED_EVENTS_MAX + 2; i++) {
		snprintf(text, sizeof(text), "n=%d.", i);
		feed_event(p.feed, "link-state", text);
	}
	feed_tell(p.feed, "nobody is there");
	find(&p);
	snprintf(text, sizeof(text), "n=%d.\n", FEED_EVENTS_MAX + 1);
	UNTIL(p.k, saw(&p, text));
	/* The oldest had to go. */
	assert_false(saw(&p, "n=1.\n"));
	assert_true(saw(&p, "n=2.\nevent link-state n=3.\n"));
	assert_false(saw(&p, "nobody"));
	lose(&p);
	find(&p);
	feed_tell(p.feed, "end");
	UNTIL(p.k, saw(&p, "tell end"));
	assert_false(saw(&p, "event"));		/* each of them once */
	end(&p);
}

/* One that comes with what needs none is closed: it ends the link. */
static void
no_descriptor_is_left(void **state)
{
	struct peer p;
	unsigned before;

	(void)state;
	start(&p, &ops);
	before = world_sockets();
	frame_put_u32(link_start(p.k->link, AN_TASK_GONE), 7);
	link_send_fd(p.k->link, link_fd(p.k->link));
	UNTIL(p.k, p.k->link == NULL);
	assert_false(feed_is_up(p.feed));
	/* Both ends of the link are gone, and nothing came. */
	assert_int_equal(world_sockets(), before - 2);
	end(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task),
		cmocka_unit_test(a_task_that_nobody_waits_for),
		cmocka_unit_test(who_runs_no_verbs_says_so),
		cmocka_unit_test(too_many_tasks),
		cmocka_unit_test(long_answers),
		cmocka_unit_test(presence),
		cmocka_unit_test(infos_are_kept),
		cmocka_unit_test(events_wait),
		cmocka_unit_test(no_descriptor_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
