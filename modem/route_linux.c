#include <sys/types.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "route.h"

#define ANSWER_MAX 16384
#define WAIT_S 2		/* for the kernel */

/* A request as it is sent. */
struct ask {
	struct nlmsghdr head;
	union {
		struct rtmsg route;
		struct ifinfomsg link;
	} body;
	char attributes[128];
};

union answer {
	struct nlmsghdr head;
	char bytes[ANSWER_MAX];
};

static void
begin(struct ask *a, uint16_t type, uint16_t flags, size_t body)
{
	memset(a, 0, sizeof(*a));
	a->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
	a->head.nlmsg_type = type;
	a->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	a->head.nlmsg_seq = 1;
}

static void
add(struct ask *a, uint16_t type, const void *value, size_t n)
{
	struct rtattr *at = (struct rtattr *)(void *)((char *)a +
	    NLMSG_ALIGN(a->head.nlmsg_len));

	at->rta_type = type;
	at->rta_len = (uint16_t)RTA_LENGTH(n);
	memcpy(RTA_DATA(at), value, n);
	a->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(a->head.nlmsg_len) +
	    RTA_ALIGN(at->rta_len));
}

/* 0 and the answer (or its acknowledgement), or -1 with errno. */
static int
ask_kernel(const struct ask *a, union answer *out)
{
	const struct timeval limit = { .tv_sec = WAIT_S };
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsgerr *e;
	ssize_t n;
	int fd, saved;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	n = sendto(fd, a, a->head.nlmsg_len, 0,
	    (const struct sockaddr *)&kernel, sizeof(kernel));
	if (n != -1)
		n = recv(fd, out, sizeof(*out), 0);
	saved = errno;
	close(fd);
	errno = saved;
	if (n == -1)
		return -1;
	if (!NLMSG_OK(&out->head, (uint32_t)n)) {
		errno = EPROTO;
		return -1;
	}
	if (out->head.nlmsg_type != NLMSG_ERROR)
		return 0;
	e = NLMSG_DATA(&out->head);
	errno = -e->error;
	return e->error == 0 ? 0 : -1;
}

/* Attribute type among those at p, NULL when it is not there. */
static const struct rtattr *
find(const void *p, size_t n, uint16_t type)
{
	const struct rtattr *at = p;
	int left = (int)n;

	for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type == type)
			return at;
	}
	return NULL;
}

/* What a link is asked for is in its answer, behind its head. */
static const struct rtattr *
link_part(const union answer *answer, uint16_t type)
{
	if (answer->head.nlmsg_type != RTM_NEWLINK)
		return NULL;
	return find((const char *)NLMSG_DATA(&answer->head) +
	    NLMSG_ALIGN(sizeof(struct ifinfomsg)),
	    NLMSG_PAYLOAD(&answer->head, sizeof(struct ifinfomsg)), type);
}

/* if_indextoname(3) takes a socket that a confined process may not have. */
static int
link_name(uint32_t index, char name[ROUTE_NAME])
{
	const struct rtattr *at;
	struct ask a;
	union answer answer;

	begin(&a, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	a.body.link.ifi_index = (int)index;
	if (ask_kernel(&a, &answer) == -1)
		return -1;
	at = link_part(&answer, IFLA_IFNAME);
	if (at == NULL) {
		errno = ENODEV;
		return -1;
	}
	snprintf(name, ROUTE_NAME, "%.*s", (int)RTA_PAYLOAD(at),
	    (const char *)RTA_DATA(at));
	return 0;
}

int
route_lookup(const char *address, char interface[ROUTE_NAME])
{
	const struct rtattr *at;
	struct in_addr to;
	struct ask a;
	union answer answer;
	uint32_t index;

	if (inet_pton(AF_INET, address, &to) != 1) {
		errno = EINVAL;
		return -1;
	}
	begin(&a, RTM_GETROUTE, 0, sizeof(struct rtmsg));
	a.body.route.rtm_family = AF_INET;
	a.body.route.rtm_dst_len = 32;
	add(&a, RTA_DST, &to, sizeof(to));
	if (ask_kernel(&a, &answer) == -1)
		return -1;
	errno = ENETUNREACH;
	if (answer.head.nlmsg_type != RTM_NEWROUTE)
		return -1;
	at = find(RTM_RTA(NLMSG_DATA(&answer.head)),
	    RTM_PAYLOAD(&answer.head), RTA_OIF);
	if (at == NULL || RTA_PAYLOAD(at) < sizeof(index))
		return -1;
	memcpy(&index, RTA_DATA(at), sizeof(index));
	return link_name(index, interface);
}

/* One that leads there some other way is not ours to change: EEXIST. */
static int
change(const char *interface, const struct in_addr *to, uint8_t bits, bool on)
{
	struct rtmsg *r;
	struct ask a;
	union answer answer;
	uint32_t index = if_nametoindex(interface);

	if (index == 0)
		return -1;
	begin(&a, on ? RTM_NEWROUTE : RTM_DELROUTE, (uint16_t)(NLM_F_ACK |
	    (on ? NLM_F_CREATE | NLM_F_EXCL : 0)), sizeof(*r));
	r = &a.body.route;
	r->rtm_family = AF_INET;
	r->rtm_dst_len = bits;
	r->rtm_table = RT_TABLE_MAIN;
	r->rtm_protocol = RTPROT_STATIC;
	r->rtm_scope = RT_SCOPE_LINK;
	r->rtm_type = RTN_UNICAST;
	a.head.nlmsg_len = (uint32_t)NLMSG_LENGTH(sizeof(*r));
	add(&a, RTA_DST, to, sizeof(*to));
	add(&a, RTA_OIF, &index, sizeof(index));
	return ask_kernel(&a, &answer);
}

static int
change_host(const char *interface, const char *address, bool on)
{
	struct in_addr to;

	if (!route_is_host(address) ||
	    inet_pton(AF_INET, address, &to) != 1) {
		errno = EINVAL;
		return -1;
	}
	return change(interface, &to, 32, on);
}

int
route_add(const char *interface, const char *address)
{
	char by[ROUTE_NAME];

	if (change_host(interface, address, true) == 0)
		return 0;
	if (errno != EEXIST || route_lookup(address, by) == -1)
		return -1;
	errno = EEXIST;
	return strcmp(by, interface) == 0 ? 0 : -1;
}

int
route_remove(const char *interface, const char *address)
{
	if (change_host(interface, address, false) == 0)
		return 0;
	/* With its interface every route is gone, too. */
	return errno == ESRCH || errno == ENODEV || errno == ENXIO ? 0 : -1;
}

int
route_all(const char *interface, bool on)
{
	const struct in_addr halves[] = { { htonl(0) }, { htonl(0x80000000) } };

	for (size_t i = 0; i < 2; i++) {
		if (change(interface, &halves[i], 1, on) == -1 && on &&
		    errno != EEXIST)
			return -1;
	}
	return 0;
}

int
route_counters(const char *name, uint64_t *received, uint64_t *sent)
{
	struct rtnl_link_stats64 stats;
	const struct rtattr *at;
	struct ask a;
	union answer answer;

	*received = *sent = 0;
	begin(&a, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	add(&a, IFLA_IFNAME, name, strnlen(name, ROUTE_NAME - 1) + 1);
	if (ask_kernel(&a, &answer) == -1)
		return -1;
	at = link_part(&answer, IFLA_STATS64);
	/* An older kernel's is shorter at its end. */
	if (at == NULL || RTA_PAYLOAD(at) < 32) {
		errno = ENOTSUP;
		return -1;
	}
	memset(&stats, 0, sizeof(stats));
	memcpy(&stats, RTA_DATA(at), RTA_PAYLOAD(at) < sizeof(stats) ?
	    RTA_PAYLOAD(at) : sizeof(stats));
	*received = stats.rx_bytes;
	*sent = stats.tx_bytes;
	return 0;
}
