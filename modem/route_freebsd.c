#include <sys/types.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <net/if_dl.h>
#include <net/route.h>
#include <netinet/in.h>

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "route.h"

#define WAIT_S 2		/* for the kernel */

struct ask {
	struct rt_msghdr head;
	char addresses[512];
};

static void
begin(struct ask *a, u_char type, int flags)
{
	memset(a, 0, sizeof(*a));
	a->head.rtm_msglen = sizeof(a->head);
	a->head.rtm_version = RTM_VERSION;
	a->head.rtm_type = type;
	a->head.rtm_flags = flags;
	a->head.rtm_seq = 1;
}

static void
add(struct ask *a, int which, const void *sa, size_t n)
{
	memcpy((char *)a + a->head.rtm_msglen, sa, n);
	a->head.rtm_msglen += (u_short)SA_SIZE((const struct sockaddr *)sa);
	a->head.rtm_addrs |= which;
}

static void
add_ipv4(struct ask *a, int which, struct in_addr address)
{
	struct sockaddr_in in = { .sin_len = sizeof(in),
	    .sin_family = AF_INET, .sin_addr = address };

	add(a, which, &in, sizeof(in));
}

static void
add_interface(struct ask *a, int which, unsigned index)
{
	struct sockaddr_dl dl = { .sdl_len = sizeof(dl),
	    .sdl_family = AF_LINK, .sdl_index = (u_short)index };

	add(a, which, &dl, sizeof(dl));
}

/* 0 and the kernel's answer in a, or -1 with errno. */
static int
ask_kernel(struct ask *a)
{
	const struct timeval limit = { .tv_sec = WAIT_S };
	pid_t self = getpid();
	ssize_t n;
	int fd, saved;

	fd = socket(PF_ROUTE, SOCK_RAW | SOCK_CLOEXEC, AF_INET);
	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	n = write(fd, a, a->head.rtm_msglen);
	while (n != -1) {
		n = read(fd, a, sizeof(*a));
		if (n == -1 || (a->head.rtm_pid == self &&
		    a->head.rtm_seq == 1))
			break;
	}
	saved = errno;
	close(fd);
	errno = saved;
	if (n != -1 && a->head.rtm_errno != 0) {
		errno = a->head.rtm_errno;
		return -1;
	}
	return n == -1 ? -1 : 0;
}

static int
change(const char *interface, struct in_addr to, struct in_addr mask,
    bool on)
{
	unsigned index = if_nametoindex(interface);
	bool host = mask.s_addr == INADDR_NONE;
	struct ask a;

	if (index == 0)
		return -1;
	begin(&a, on ? RTM_ADD : RTM_DELETE, RTF_UP | RTF_STATIC |
	    (host ? RTF_HOST : 0));
	add_ipv4(&a, RTA_DST, to);
	add_interface(&a, RTA_GATEWAY, index);
	if (!host)
		add_ipv4(&a, RTA_NETMASK, mask);
	if (ask_kernel(&a) == 0)
		return 0;
	return on && errno == EEXIST ? 0 : -1;
}

static int
change_host(const char *interface, const char *address, bool on)
{
	const struct in_addr all = { INADDR_NONE };
	struct in_addr to;

	if (!route_is_host(address) ||
	    inet_pton(AF_INET, address, &to) != 1) {
		errno = EINVAL;
		return -1;
	}
	return change(interface, to, all, on);
}

int
route_add(const char *interface, const char *address)
{
	char by[ROUTE_NAME];

	if (change_host(interface, address, true) == -1)
		return -1;
	/* One that was there may lead elsewhere. */
	if (route_lookup(address, by) == -1)
		return -1;
	if (strcmp(by, interface) != 0) {
		errno = EEXIST;
		return -1;
	}
	return 0;
}

int
route_remove(const char *interface, const char *address)
{
	char by[ROUTE_NAME];

	/* The interface stays when PPP ends: the route must lead there. */
	if (route_lookup(address, by) == -1 || strcmp(by, interface) != 0)
		return 0;
	if (change_host(interface, address, false) == 0)
		return 0;
	return errno == ESRCH || errno == ENXIO ? 0 : -1;
}

int
route_all(const char *interface, bool on)
{
	const struct in_addr halves[] = { { htonl(0) }, { htonl(0x80000000) } };
	const struct in_addr mask = { htonl(0x80000000) };

	for (size_t i = 0; i < 2; i++) {
		if (change(interface, halves[i], mask, on) == -1 && on)
			return -1;
	}
	return 0;
}

int
route_lookup(const char *address, char interface[ROUTE_NAME])
{
	char name[IF_NAMESIZE];
	struct in_addr to;
	struct ask a;

	if (inet_pton(AF_INET, address, &to) != 1) {
		errno = EINVAL;
		return -1;
	}
	begin(&a, RTM_GET, RTF_UP | RTF_HOST);
	add_ipv4(&a, RTA_DST, to);
	add_interface(&a, RTA_IFP, 0);	/* or it does not tell which */
	if (ask_kernel(&a) == -1) {
		if (errno == ESRCH)
			errno = ENETUNREACH;
		return -1;
	}
	if (if_indextoname(a.head.rtm_index, name) == NULL)
		return -1;
	snprintf(interface, ROUTE_NAME, "%s", name);
	return 0;
}

int
route_counters(const char *name, uint64_t *received, uint64_t *sent)
{
	struct ifaddrs *all;
	struct if_data data;
	int r = -1;

	*received = *sent = 0;
	if (getifaddrs(&all) == -1)
		return -1;
	for (struct ifaddrs *i = all; i != NULL && r == -1; i = i->ifa_next) {
		if (strcmp(i->ifa_name, name) != 0 || i->ifa_addr == NULL ||
		    i->ifa_addr->sa_family != AF_LINK || i->ifa_data == NULL)
			continue;
		memcpy(&data, i->ifa_data, sizeof(data));
		*received = data.ifi_ibytes;
		*sent = data.ifi_obytes;
		r = 0;
	}
	freeifaddrs(all);
	if (r == -1)
		errno = ENXIO;
	return r;
}
