/* What our own drill's login gets, and that it gets no more. */
#include "fake_console.h"
#include "server/feed.h"
#include "server/ssh_echo.h"

#define NONCE "0123456789abcdef0123456789abcdef"

struct bench {
	struct fake *k;
	struct feed *feed;
	struct ssh_echo *echo;
	int overs, status;
	char text[SSH_ECHO_TEXT + 1];
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

static const struct feed_ops ops = {
	.up = on_up,
	.down = on_down,
	.consoles = on_up,
};

static void
on_echo(void *arg, int status, const char *text)
{
	struct bench *b = arg;

	b->overs++;
	b->status = status;
	snprintf(b->text, sizeof(b->text), "%s", text);
	ssh_echo_free(b->echo);
	b->echo = NULL;
}

static void
start(struct bench *b)
{
	static const char *const names[] = { "gw", "sw" };

	memset(b, 0, sizeof(*b));
	b->k = fake_new(names, 2);
	b->feed = feed_new(b->k->loop, "ssh", &ops, b);
	feed_link(b->feed, fake_connect(b->k));
	UNTIL(b->k, feed_is_up(b->feed));
	b->k->log[0] = '\0';
}

static void
end(struct bench *b)
{
	feed_free(b->feed);
	fake_free(b->k);
}

static void
ask(struct bench *b, const char *command)
{
	b->overs = 0;
	b->echo = ssh_echo_new(b->k->loop, b->feed, command, on_echo, b);
	assert_int_equal(b->overs, 0);
	UNTIL(b->k, b->overs == 1);
}

static void
echoes(void **state)
{
	struct bench b;

	(void)state;
	start(&b);
	ask(&b, "drill " NONCE);
	assert_int_equal(b.status, ST_OK);
	assert_string_equal(b.text, NONCE " 2 of 2 lines up");
	/* One request of no lines: nothing was opened, attached or typed. */
	assert_non_null(strstr(b.k->log, "tail"));
	assert_null(strstr(b.k->log, "open"));
	assert_null(strstr(b.k->log, "attach"));
	assert_int_equal(b.k->ntyped, 0);
	end(&b);
}

static void
nothing_else(void **state)
{
	static const char *const others[] = { "", "list", "drill", "drill ",
	    "drill " NONCE "0", "drill " NONCE " ; attach gw",
	    "drill 0123456789ABCDEF0123456789ABCDEF", " drill " NONCE,
	    "attach gw", "drill\t" NONCE };
	struct bench b;

	(void)state;
	start(&b);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ask(&b, others[i]);
		assert_int_equal(b.status, ST_DENIED);
		assert_string_equal(b.text,
		    "this login is for the drill alone");
	}
	assert_string_equal(b.k->log, "");
	/* Without a console process there is no proof. */
	link_free(b.k->link);
	b.k->link = NULL;
	UNTIL(b.k, !feed_is_up(b.feed));
	ask(&b, "drill " NONCE);
	assert_int_equal(b.status, ST_DENIED);
	assert_string_equal(b.text, "the console process is away");
	end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes),
		cmocka_unit_test(nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
