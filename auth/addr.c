#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "../server/base/str.h"
#include "addr.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

int
addr_parse(const char *s, struct addr *a)
{
	char host[ADDR_TEXT];
	size_t n = strcspn(s, "%");

	if (n >= sizeof(host))
		return -1;
	memcpy(host, s, n);
	host[n] = '\0';
	memset(a, 0, sizeof(*a));
	if (s[n] == '\0' && inet_pton(AF_INET, host, a->bytes) == 1)
		return 0;
	if (inet_pton(AF_INET6, host, a->bytes) != 1)
		return -1;
	a->v6 = true;
	if (memcmp(a->bytes, mapped, sizeof(mapped)) == 0) {
		memmove(a->bytes, a->bytes + 12, 4);
		memset(a->bytes + 4, 0, 12);
		a->v6 = false;
	}
	return 0;
}

char *
addr_text(char dst[ADDR_TEXT], const struct addr *a)
{
	if (inet_ntop(a->v6 ? AF_INET6 : AF_INET, a->bytes, dst,
	    ADDR_TEXT) == NULL)
		snprintf(dst, ADDR_TEXT, "?");
	return dst;
}

void
addr_mask(struct addr *a, unsigned bits)
{
	for (unsigned i = 0; i < sizeof(a->bytes); i++) {
		unsigned keep = bits > i * 8 ? bits - i * 8 : 0;

		if (keep < 8)
			a->bytes[i] &= (uint8_t)(0xff00u >> keep);
	}
}

int
addr_parse_network(const char *text, struct addr *net, unsigned *bits)
{
	char host[ADDR_TEXT];
	size_t n = strcspn(text, "/");
	struct addr masked;
	int64_t v;

	if (n >= sizeof(host))
		return -1;
	memcpy(host, text, n);
	host[n] = '\0';
	if (strchr(host, '%') != NULL || addr_parse(host, net) == -1)
		return -1;
	v = net->v6 ? 128 : 32;
	if (text[n] == '/' && str_int(text + n + 1, 0, v, &v) == -1)
		return -1;
	*bits = (unsigned)v;
	masked = *net;
	addr_mask(&masked, *bits);
	return addr_equal(&masked, net) ? 0 : -1;
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return a->v6 == b->v6 &&
	    memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool
addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (!a->v6)
		return a->bytes[0] == 127;
	return memcmp(a->bytes, one, sizeof(one)) == 0;
}
