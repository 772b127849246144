/* Addresses, and the kernel's answers about the loopback interface. */
#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "modem/route.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void
test_host(void **state)
{
	static const char *const good[] = { "192.0.2.1", "10.0.2.2",
	    "100.64.0.1", "1.1.1.1", "223.255.255.255" };
	static const char *const bad[] = { "", "0.0.0.0", "127.0.0.1",
	    "127.255.255.255", "169.254.1.1", "224.0.0.1", "255.255.255.255",
	    "240.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", " 1.2.3.4",
	    "1.2.3.4 ", "1.2.3.4/8", "::1", "a.b.c.d", "0x1.2.3.4",
	    "0.1.2.3", "1.2.3.256" };

	(void)state;
	for (size_t i = 0; i < N(good); i++)
		assert_true(route_is_host(good[i]));
	for (size_t i = 0; i < N(bad); i++)
		assert_false(route_is_host(bad[i]));
}

static void
test_dns(void **state)
{
	char dst[48], small[9];

	(void)state;
	assert_int_equal(route_filter_dns(dst, sizeof(dst),
	    "192.0.2.1,192.0.2.2"), 0);
	assert_string_equal(dst, "192.0.2.1,192.0.2.2");
	assert_int_equal(route_filter_dns(dst, sizeof(dst),
	    "10.11.12.13,10.11.12.14"), 2);
	assert_string_equal(dst, "");
	assert_int_equal(route_filter_dns(dst, sizeof(dst),
	    "10.11.12.13,192.0.2.9"), 1);
	assert_string_equal(dst, "192.0.2.9");
	assert_int_equal(route_filter_dns(dst, sizeof(dst),
	    "0.0.0.0,,x,111111111111111111111111,192.0.2.9"), 4);
	assert_string_equal(dst, "192.0.2.9");
	assert_int_equal(route_filter_dns(dst, sizeof(dst), ""), 0);
	assert_int_equal(route_filter_dns(small, sizeof(small), "192.0.2.1"),
	    -1);
}

/* The one interface that every system has, by either of its names. */
static const char *
loopback(void)
{
	static struct route_interface i;

	return route_interface("lo", &i) == 0 && i.exists ? "lo" : "lo0";
}

static void
test_interface(void **state)
{
	struct route_interface i;

	(void)state;
	assert_int_equal(route_interface(loopback(), &i), 0);
	assert_true(i.exists);
	assert_true(i.up);
	assert_string_equal(i.local, "127.0.0.1");
	assert_string_equal(i.peer, "");
	assert_int_equal(route_interface("no-such-if", &i), 0);
	assert_false(i.exists);
	assert_string_equal(i.local, "");
}

static int
connected(int *listener)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t n = sizeof(in);
	int fd;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_return_code(bind(*listener, (struct sockaddr *)&in, n), 0);
	assert_return_code(listen(*listener, 1), 0);
	assert_return_code(getsockname(*listener, (struct sockaddr *)&in, &n),
	    0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_return_code(connect(fd, (struct sockaddr *)&in, n), 0);
	return fd;
}

static void
test_proof(void **state)
{
	char why[ROUTE_WHY], name[ROUTE_NAME];
	int listener, fd = connected(&listener);

	(void)state;
	assert_int_equal(route_lookup("127.0.0.1", name), 0);
	assert_string_equal(name, loopback());
	assert_int_equal(route_prove_socket(fd, loopback(), "127.0.0.1", why),
	    0);
	assert_int_equal(route_prove_socket(fd, loopback(), "10.0.0.1", why),
	    -1);
	assert_non_null(strstr(why, "it comes from 127.0.0.1, not from "
	    "10.0.0.1 of lo"));
	assert_int_equal(route_prove_socket(fd, "ppp0", "127.0.0.1", why),
	    -1);
	assert_non_null(strstr(why, "not by ppp0"));
	assert_int_equal(route_prove_socket(listener, "ppp0", "127.0.0.1",
	    why), -1);
	assert_non_null(strstr(why, "not connected"));
	close(fd);
	close(listener);
}

static void
test_counters(void **state)
{
	uint64_t received, sent, later;
	char bytes[1000] = { 0 };
	int listener, fd, end;

	(void)state;
	fd = connected(&listener);
	end = accept(listener, NULL, NULL);
	assert_int_equal(route_counters(loopback(), &received, &sent), 0);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(recv(end, bytes, sizeof(bytes), MSG_WAITALL),
	    sizeof(bytes));
	assert_int_equal(route_counters(loopback(), &later, &sent), 0);
	assert_true(later >= received + sizeof(bytes));
	assert_int_equal(route_counters("no-such-if", &later, &sent), -1);
	close(end);
	close(fd);
	close(listener);
}

/* What must be refused before the kernel is asked. */
static void
test_refused(void **state)
{
	(void)state;
	assert_int_equal(route_add(loopback(), "127.0.0.1"), -1);
	assert_int_equal(route_add(loopback(), "0.0.0.0"), -1);
	assert_int_equal(route_add(loopback(), "1.2.3.4/0"), -1);
	assert_int_equal(route_add("no-such-if", "192.0.2.1"), -1);
	assert_int_equal(route_remove("no-such-if", "192.0.2.1"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_interface),
		cmocka_unit_test(test_proof),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
