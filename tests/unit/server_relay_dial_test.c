#include <sys/types.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/loop.h"
#include "server/base/os.h"
#include "server/relay_dial.h"

#define PATIENCE_MS 10000

/*
 * A name server that knows "two.test" (127.0.0.9, where nobody listens, then
 * 127.0.0.1) and "v4.test"; of "mute.test" it says nothing, of the rest that
 * there is no such name.
 */
struct names {
	int fd;
	struct watch *watch;
	char address[64];
	unsigned asked;
	unsigned from;		/* last byte of who asked last */
};

struct call {
	struct loop *loop;
	struct timer *limit;
	struct names names;
	struct relay_dial *dial;
	int listener;
	unsigned port;
	char addresses[256], address[RELAY_DIAL_TEXT], why[256];
	int fd, over;
};

static void
answer(const struct names *n, const struct sockaddr_in *to, uint8_t *q,
    size_t len)
{
	static const uint8_t two[] = { 127, 0, 0, 9, 127, 0, 0, 1 };
	uint8_t a[512];
	size_t at = 12, records = 0;
	bool is_two = memcmp(q + 12, "\3two\4test", 10) == 0;
	bool is_v4 = memcmp(q + 12, "\2v4\4test", 9) == 0;
	bool is_a;

	while (q[at] != 0)
		at += q[at] + 1u;
	is_a = q[at + 2] == 1;
	at += 5;
	assert_true(at <= len && at < 200);
	memcpy(a, q, at);
	a[2] = 0x81;
	a[3] = is_two || is_v4 ? 0x80 : 0x83;
	if (is_a)
		records = is_two ? 2 : is_v4 ? 1 : 0;
	memset(a + 6, 0, 6);
	a[7] = (uint8_t)records;
	for (size_t i = 0; i < records; i++) {
		static const uint8_t head[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0,
		    0, 60, 0, 4 };

		memcpy(a + at, head, sizeof(head));
		memcpy(a + at + sizeof(head), two + (is_two ? 4 * i : 4), 4);
		at += sizeof(head) + 4;
	}
	(void)sendto(n->fd, a, at, 0, (const struct sockaddr *)to,
	    sizeof(*to));
}

static void
on_question(void *arg, short revents)
{
	struct names *n = arg;
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	uint8_t q[512];
	ssize_t len;

	(void)revents;
	memset(q, 0, sizeof(q));
	len = recvfrom(n->fd, q, sizeof(q) - 1, 0, (struct sockaddr *)&from,
	    &size);
	assert_true(len > 17);
	n->asked++;
	n->from = ntohl(from.sin_addr.s_addr) & 0xff;
	if (memcmp(q + 12, "\4mute", 5) != 0)
		answer(n, &from, q, (size_t)len);
}

static int
open_socket(int type, unsigned *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static void
on_resolved(void *arg, const char *addresses)
{
	struct call *c = arg;

	assert_int_equal(c->over, 0);
	snprintf(c->addresses, sizeof(c->addresses), "%s", addresses);
}

static void
finish(struct call *c)
{
	c->over++;
	relay_dial_free(c->dial);
	c->dial = NULL;
	loop_stop(c->loop, 0);
}

static void
on_connected(void *arg, int fd, const char *address)
{
	struct call *c = arg;

	c->fd = fd;
	snprintf(c->address, sizeof(c->address), "%s", address);
	finish(c);
}

static void
on_failed(void *arg, const char *why)
{
	struct call *c = arg;

	snprintf(c->why, sizeof(c->why), "%s", why);
	finish(c);
}

static const struct relay_dial_ops ops = {
	on_resolved, on_connected, on_failed
};

static void
on_limit(void *arg)
{
	struct call *c = arg;

	loop_stop(c->loop, 1);
}

static int
set_up(void **state)
{
	struct call *c = calloc(1, sizeof(*c));
	unsigned port;

	relay_dial_start();
	c->loop = loop_new();
	c->fd = -1;
	c->names.fd = open_socket(SOCK_DGRAM, &port);
	snprintf(c->names.address, sizeof(c->names.address), "127.0.0.1:%u",
	    port);
	c->names.watch = watch_new(c->loop, c->names.fd, POLLIN, on_question,
	    &c->names);
	c->listener = open_socket(SOCK_STREAM, &c->port);
	assert_int_equal(listen(c->listener, 8), 0);
	c->limit = timer_new(c->loop, on_limit, c);
	timer_set(c->limit, PATIENCE_MS);
	*state = c;
	return 0;
}

static int
tear_down(void **state)
{
	struct call *c = *state;

	relay_dial_free(c->dial);
	watch_free(c->names.watch);
	timer_free(c->limit);
	close(c->names.fd);
	close(c->listener);
	if (c->fd != -1)
		close(c->fd);
	loop_free(c->loop);
	free(c);
	relay_dial_stop();
	return 0;
}

static void
begin(struct call *c, const char *host, unsigned first, unsigned second,
    const char *local)
{
	const struct relay_dial_to to = { host, { first, second },
	    c->names.address, local, "" };

	c->dial = relay_dial_new(c->loop, &to, &ops, c);
	/* Not from inside it. */
	assert_int_equal(c->over, 0);
}

static void
dial(struct call *c, const char *host, unsigned first, unsigned second)
{
	begin(c, host, first, second, "");
	assert_int_equal(loop_run(c->loop), 0);
	assert_int_equal(c->over, 1);
}

/* A port where nobody listens. */
static unsigned
dead_port(void)
{
	unsigned port;

	close(open_socket(SOCK_STREAM, &port));
	return port;
}

static void
test_number(void **state)
{
	struct call *c = *state;
	char want[64];

	dial(c, "127.0.0.1", c->port, 0);
	snprintf(want, sizeof(want), "127.0.0.1:%u", c->port);
	assert_string_equal(c->address, want);
	assert_string_equal(c->addresses, "127.0.0.1");
	assert_int_not_equal(c->fd, -1);
	/* No server was asked. */
	assert_int_equal(c->names.asked, 0);
}

static void
test_name(void **state)
{
	struct call *c = *state;

	dial(c, "v4.test", c->port, 0);
	assert_string_equal(c->addresses, "127.0.0.1");
	assert_int_not_equal(c->fd, -1);
	assert_true(c->names.asked > 0);
}

/* The first refuses, or is silent: the second is there. */
static void
test_dead_and_live(void **state)
{
	struct call *c = *state;
	char want[64];

	dial(c, "two.test", c->port, 0);
	snprintf(want, sizeof(want), "127.0.0.1:%u", c->port);
	assert_string_equal(c->address, want);
	assert_non_null(strstr(c->addresses, "127.0.0.9"));
}

static void
test_second_port(void **state)
{
	struct call *c = *state;
	char want[64];

	dial(c, "two.test", dead_port(), c->port);
	snprintf(want, sizeof(want), "127.0.0.1:%u", c->port);
	assert_string_equal(c->address, want);
}

static void
test_nobody_listens(void **state)
{
	struct call *c = *state;

	dial(c, "two.test", dead_port(), dead_port());
	assert_int_equal(c->fd, -1);
	assert_non_null(strstr(c->why, "127.0.0."));
	assert_non_null(strstr(c->why, "refused"));
}

static void
test_no_such_name(void **state)
{
	struct call *c = *state;

	dial(c, "none.test", c->port, 0);
	assert_int_equal(c->fd, -1);
	assert_string_equal(c->addresses, "");
	assert_non_null(strstr(c->why, "cannot find none.test: "));
}

/* Nobody waits for a name server; giving up leaves nothing behind. */
static void
test_mute_server(void **state)
{
	struct call *c = *state;

	timer_set(c->limit, 500);
	begin(c, "mute.test", c->port, 0, "");
	assert_int_equal(loop_run(c->loop), 1);
	assert_int_equal(c->over, 0);
	assert_true(c->names.asked > 0);
}

/* Name servers and relay see the address that it is to come from. */
static void
test_local_address(void **state)
{
	struct call *c = *state;
	struct sockaddr_in from = { .sin_family = AF_INET };
	socklen_t len = sizeof(from);
	int probe = socket(AF_INET, SOCK_DGRAM, 0);
	bool has;

	from.sin_addr.s_addr = htonl(0x7f000005);
	has = bind(probe, (struct sockaddr *)&from, sizeof(from)) == 0;
	close(probe);
	if (!has)
		skip();		/* a system with one loopback address */
	begin(c, "v4.test", c->port, 0, "127.0.0.5");
	assert_int_equal(loop_run(c->loop), 0);
	assert_int_not_equal(c->fd, -1);
	assert_int_equal(c->names.from, 5);
	assert_int_equal(getsockname(c->fd, (struct sockaddr *)&from, &len),
	    0);
	assert_int_equal(ntohl(from.sin_addr.s_addr), 0x7f000005);
}

/* Both go through one interface only, where the system can do that. */
static void
test_interface(void **state)
{
	struct call *c = *state;
	const struct relay_dial_to to = { "v4.test", { c->port, 0 },
	    c->names.address, "", "lo" };
	int probe = socket(AF_INET, SOCK_STREAM, 0);
	int r = os_bind_interface(probe, "lo");

	close(probe);
	if (r == -1)
		skip();		/* not here, or not as this user */
	c->dial = relay_dial_new(c->loop, &to, &ops, c);
	assert_int_equal(loop_run(c->loop), 0);
	assert_int_not_equal(c->fd, -1);
}

static void
test_no_such_interface(void **state)
{
	struct call *c = *state;
	const struct relay_dial_to to = { "127.0.0.1", { c->port, 0 },
	    "", "", "none7" };
	int probe = socket(AF_INET, SOCK_STREAM, 0);
	bool has = os_bind_interface(probe, "lo") == 0;

	close(probe);
	if (!has)
		skip();
	c->dial = relay_dial_new(c->loop, &to, &ops, c);
	assert_int_equal(loop_run(c->loop), 0);
	/* Rather not at all than another way. */
	assert_int_equal(c->fd, -1);
}

/* An address of the other family is of no use from there. */
static void
test_local_of_other_family(void **state)
{
	struct call *c = *state;

	begin(c, "v4.test", c->port, 0, "::1");
	assert_int_equal(loop_run(c->loop), 0);
	assert_int_equal(c->fd, -1);
	assert_non_null(strstr(c->why, "v4.test"));
}

int
main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_number),
		TEST(test_name),
		TEST(test_dead_and_live),
		TEST(test_second_port),
		TEST(test_nobody_listens),
		TEST(test_no_such_name),
		TEST(test_mute_server),
		TEST(test_local_address),
		TEST(test_interface),
		TEST(test_no_such_interface),
		TEST(test_local_of_other_family),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
