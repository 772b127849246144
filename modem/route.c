#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>

#include "route.h"

/* Nets in which no host is that a modem leads to. */
static const struct {
	uint32_t net, mask;
} nowhere[] = {
	{ 0x00000000, 0xff000000 },	/* this network */
	{ 0x7f000000, 0xff000000 },	/* loopback */
	{ 0xa9fe0000, 0xffff0000 },	/* link-local */
	{ 0xe0000000, 0xe0000000 },	/* multicast, reserved, broadcast */
};

static bool
parse(const char *text, uint32_t *address)
{
	char again[INET_ADDRSTRLEN];
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1 ||
	    inet_ntop(AF_INET, &in, again, sizeof(again)) == NULL ||
	    strcmp(text, again) != 0)
		return false;
	*address = ntohl(in.s_addr);
	return true;
}

bool
route_is_host(const char *text)
{
	uint32_t address;

	if (!parse(text, &address))
		return false;
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		if ((address & nowhere[i].mask) == nowhere[i].net)
			return false;
	}
	return true;
}

bool
route_is_fake_dns(const char *address)
{
	return strcmp(address, "10.11.12.13") == 0 ||
	    strcmp(address, "10.11.12.14") == 0;
}

int
route_filter_dns(char *dst, size_t size, const char *list)
{
	char one[ROUTE_ADDRESS];
	size_t used = 0, n;
	int left_out = 0;

	if (size == 0)
		return -1;
	dst[0] = '\0';
	while (*list != '\0') {
		n = strcspn(list, ",");
		snprintf(one, sizeof(one), "%.*s", n < sizeof(one) ? (int)n : 0,
		    list);
		list += n + (list[n] == ',');
		if (!route_is_host(one) || route_is_fake_dns(one)) {
			left_out++;
			continue;
		}
		if (used + strlen(one) + 2 > size)
			return -1;
		used += (size_t)snprintf(dst + used, size - used, "%s%s",
		    used == 0 ? "" : ",", one);
	}
	return left_out;
}

static void
take_address(struct route_interface *i, const struct ifaddrs *a)
{
	struct sockaddr_in in;

	i->exists = true;
	i->up = (a->ifa_flags & IFF_UP) != 0;
	if (a->ifa_addr == NULL || a->ifa_addr->sa_family != AF_INET ||
	    i->local[0] != '\0')
		return;
	memcpy(&in, a->ifa_addr, sizeof(in));
	inet_ntop(AF_INET, &in.sin_addr, i->local, sizeof(i->local));
	if (!(a->ifa_flags & IFF_POINTOPOINT) || a->ifa_dstaddr == NULL)
		return;
	memcpy(&in, a->ifa_dstaddr, sizeof(in));
	inet_ntop(AF_INET, &in.sin_addr, i->peer, sizeof(i->peer));
}

int
route_interface(const char *name, struct route_interface *i)
{
	struct ifaddrs *all;

	memset(i, 0, sizeof(*i));
	if (getifaddrs(&all) == -1)
		return -1;
	for (struct ifaddrs *a = all; a != NULL; a = a->ifa_next) {
		if (strcmp(a->ifa_name, name) == 0)
			take_address(i, a);
	}
	freeifaddrs(all);
	/* It may be gone by now: then there is nothing to count. */
	if (i->exists)
		route_counters(name, &i->received, &i->sent);
	return 0;
}

/* "192.0.2.1" of a socket's end; false: it is no IPv4 one. */
static bool
end_text(char dst[ROUTE_ADDRESS], const struct sockaddr_storage *ss)
{
	struct sockaddr_in in;

	if (ss->ss_family != AF_INET)
		return false;
	memcpy(&in, ss, sizeof(in));
	return inet_ntop(AF_INET, &in.sin_addr, dst, ROUTE_ADDRESS) != NULL;
}

int
route_prove(const char *address, const char *interface, char why[ROUTE_WHY])
{
	char by[ROUTE_NAME];

	if (route_lookup(address, by) == -1)
		snprintf(why, ROUTE_WHY, "no route to %s: %s", address,
		    strerror(errno));
	else if (strcmp(by, interface) != 0)
		snprintf(why, ROUTE_WHY, "%s would be reached by %s, not by "
		    "%s", address, by, interface);
	else
		return 0;
	return -1;
}

int
route_prove_socket(int fd, const char *interface, const char *local,
    char why[ROUTE_WHY])
{
	struct sockaddr_storage here = { 0 }, there = { 0 };
	socklen_t nh = sizeof(here), nt = sizeof(there);
	char from[ROUTE_ADDRESS], to[ROUTE_ADDRESS];

	if (getsockname(fd, (struct sockaddr *)&here, &nh) == -1 ||
	    getpeername(fd, (struct sockaddr *)&there, &nt) == -1) {
		snprintf(why, ROUTE_WHY, "not connected: %s", strerror(errno));
		return -1;
	}
	if (!end_text(from, &here) || !end_text(to, &there)) {
		snprintf(why, ROUTE_WHY, "not IPv4: it does not go over the "
		    "modem");
		return -1;
	}
	if (strcmp(from, local) != 0) {
		snprintf(why, ROUTE_WHY, "it comes from %s, not from %s of %s",
		    from, local, interface);
		return -1;
	}
	return route_prove(to, interface, why);
}
