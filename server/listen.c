#include <sys/types.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "listen.h"

static int
parse_port(const char *s, uint16_t *port)
{
	int64_t n;

	if (str_int(s, 1, 65535, &n) == -1)
		return -1;
	*port = htons((uint16_t)n);
	return 0;
}

static int
parse_v6(const char *host, const char *port, struct sockaddr_storage *sa,
    socklen_t *len)
{
	struct sockaddr_in6 in6;

	memset(&in6, 0, sizeof(in6));
	in6.sin6_family = AF_INET6;
	if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1 ||
	    parse_port(port, &in6.sin6_port) == -1)
		return -1;
	memcpy(sa, &in6, sizeof(in6));
	*len = sizeof(in6);
	return 0;
}

static int
parse_v4(const char *host, const char *port, struct sockaddr_storage *sa,
    socklen_t *len)
{
	struct sockaddr_in in;

	memset(&in, 0, sizeof(in));
	in.sin_family = AF_INET;
	if (inet_pton(AF_INET, host, &in.sin_addr) != 1 ||
	    parse_port(port, &in.sin_port) == -1)
		return -1;
	memcpy(sa, &in, sizeof(in));
	*len = sizeof(in);
	return 0;
}

int
listen_parse(const char *text, struct sockaddr_storage *sa, socklen_t *len)
{
	char copy[INET6_ADDRSTRLEN + 16];
	char *colon;
	size_t n = strlen(text);

	if (n >= sizeof(copy))
		return -1;
	memcpy(copy, text, n + 1);
	memset(sa, 0, sizeof(*sa));
	if ((colon = strrchr(copy, ':')) == NULL)
		return -1;
	*colon = '\0';
	if (copy[0] != '[')
		return parse_v4(copy, colon + 1, sa, len);
	if (colon == copy || colon[-1] != ']')
		return -1;
	colon[-1] = '\0';
	return parse_v6(copy + 1, colon + 1, sa, len);
}

static const char *
remedy(int error)
{
	switch (error) {
	case EADDRINUSE:
		return " (does another program listen there?)";
	case EACCES:
	case EPERM:
		return " (ports below 1024 need root)";
	case EADDRNOTAVAIL:
		return " (this machine has no such address)";
	case EAFNOSUPPORT:
		return " (this machine has no IPv6)";
	}
	return "";
}

static int
bind_and_listen(int fd, const struct sockaddr_storage *sa, socklen_t len)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		return -1;
	if (sa->ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1)
		return -1;
	if (bind(fd, (const struct sockaddr *)sa, len) == -1)
		return -1;
	return listen(fd, LISTEN_BACKLOG);
}

int
listen_open(const char *text, char *why, size_t size)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd, error;

	if (listen_parse(text, &sa, &len) == -1) {
		snprintf(why, size, "listen \"%s\": not an address and port, "
		    "as in \"127.0.0.1:2222\" or \"[::1]:2222\"", text);
		return -1;
	}
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd != -1 && bind_and_listen(fd, &sa, len) == 0)
		return fd;
	error = errno;
	if (fd != -1)
		close(fd);
	snprintf(why, size, "cannot listen on %s: %s%s", text,
	    strerror(error), remedy(error));
	errno = error;
	return -1;
}

char *
listen_address_text(char dst[LISTEN_TEXT], const struct sockaddr *sa)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	const char *text = NULL;

	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		text = inet_ntop(AF_INET, &in.sin_addr, dst, LISTEN_TEXT);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		text = inet_ntop(AF_INET6, &in6.sin6_addr, dst, LISTEN_TEXT);
	}
	if (text == NULL)
		snprintf(dst, LISTEN_TEXT, "local");
	return dst;
}
