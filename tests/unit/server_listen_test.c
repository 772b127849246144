#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>

#include <netinet/in.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/listen.h"

static void
parses_addresses(void **state)
{
	struct sockaddr_storage sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	char text[LISTEN_TEXT];
	socklen_t len;

	(void)state;
	assert_int_equal(listen_parse("127.0.0.1:2222", &sa, &len), 0);
	assert_int_equal(len, sizeof(in));
	memcpy(&in, &sa, sizeof(in));
	assert_int_equal(in.sin_family, AF_INET);
	assert_int_equal(ntohs(in.sin_port), 2222);
	assert_string_equal(listen_address_text(text,
	    (struct sockaddr *)&sa), "127.0.0.1");
	assert_int_equal(listen_parse("[2001:db8::7]:22", &sa, &len), 0);
	assert_int_equal(len, sizeof(in6));
	memcpy(&in6, &sa, sizeof(in6));
	assert_int_equal(in6.sin6_family, AF_INET6);
	assert_int_equal(ntohs(in6.sin6_port), 22);
	assert_string_equal(listen_address_text(text,
	    (struct sockaddr *)&sa), "2001:db8::7");
	assert_int_equal(listen_parse("0.0.0.0:65535", &sa, &len), 0);
}

static void
refuses_what_is_none(void **state)
{
	static const char *const bad[] = {
		"", ":", "2222", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
		"127.0.0.1:65536", "127.0.0.1:22x", "127.0.0.1:-1",
		"127.0.0.1: 22", "localhost:22", "::1:22", "[::1]", "[::1]22",
		"[::1:22", "::1]:22", "[127.0.0.1]:22", "1.2.3:22", "[]:22",
		"]:22", "[::1]:22:22", "127.0.0.1:22 ",
		"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:2",
		"000000000000000000000000000000000000000000000000000000:22",
	};
	struct sockaddr_storage sa;
	socklen_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (listen_parse(bad[i], &sa, &len) != -1)
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

static void
names_what_is_no_network_address(void **state)
{
	struct sockaddr sa;
	char text[LISTEN_TEXT];

	(void)state;
	memset(&sa, 0, sizeof(sa));
	sa.sa_family = AF_UNIX;
	assert_string_equal(listen_address_text(text, &sa), "local");
}

/* A port that is free just now. */
static unsigned
free_port(void)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(&in, 0, sizeof(in));
	in.sin_family = AF_INET;
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	return ntohs(in.sin_port);
}

static void
listens(void **state)
{
	struct sockaddr_storage sa;
	socklen_t len;
	char address[64], why[256];
	int fd, client;

	(void)state;
	snprintf(address, sizeof(address), "127.0.0.1:%u", free_port());
	fd = listen_open(address, why, sizeof(why));
	assert_int_not_equal(fd, -1);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	/* A second one there fails, and says which address. */
	assert_int_equal(listen_open(address, why, sizeof(why)), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_non_null(strstr(why, address));
	assert_non_null(strstr(why, "another program"));
	assert_int_equal(listen_parse(address, &sa, &len), 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&sa, len), 0);
	close(client);
	close(fd);
}

static void
tells_why_not(void **state)
{
	char why[256];

	(void)state;
	assert_int_equal(listen_open("gw:22", why, sizeof(why)), -1);
	assert_non_null(strstr(why, "\"gw:22\""));
	/* Documentation addresses are nobody's. */
	assert_int_equal(listen_open("192.0.2.1:2222", why, sizeof(why)), -1);
	assert_non_null(strstr(why, "192.0.2.1:2222"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_addresses),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(names_what_is_no_network_address),
		cmocka_unit_test(listens),
		cmocka_unit_test(tells_why_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
