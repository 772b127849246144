#include <sys/types.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ares.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "relay_dial.h"

#define SERVER_MS 2000		/* for a name server, the first time */
#define SERVER_TRIES 3
#define SOCKETS_MAX 16		/* of c-ares at a time */
#define WHY_MAX 256
#define ROUTE_MS 100		/* for its route to be there, over PPP */

/* One of c-ares's sockets. */
struct asker {
	struct relay_dial *dial;
	ares_socket_t fd;
	struct watch *watch;	/* NULL: not in use */
};

/* One address that is, or was, being tried. */
struct try {
	struct relay_dial *dial;
	struct sockaddr_storage to;
	socklen_t len;
	int fd;			/* -1: not yet, or failed */
	struct watch *watch;
	struct timer *limit;
};

struct relay_dial {
	struct loop *loop;
	const struct relay_dial_ops *ops;
	void *arg;
	char *host, *local, *interface;
	unsigned ports[2];
	/* The name. */
	ares_channel channel;
	bool has_channel, dying, answered;
	int status;		/* of the answer */
	struct asker askers[SOCKETS_MAX];
	struct timer *clock;	/* c-ares's own, then the next step */
	struct timer *limit;	/* for the name */
	struct timer *soon;	/* something is to be said from the loop */
	/* The addresses. */
	struct sockaddr_storage found[RELAY_DIAL_MAX];
	socklen_t lengths[RELAY_DIAL_MAX];
	size_t nfound;
	struct try tries[2 * RELAY_DIAL_MAX];
	size_t ntries, next, failed;
	bool refused;		/* one of them was */
	char why[WHY_MAX];	/* the last failure */
};

void
relay_dial_start(void)
{
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		fatalx("c-ares does not start");
}

void
relay_dial_stop(void)
{
	ares_library_cleanup();
}

/* "192.0.2.1:22" or "[2001:db8::1]:22". */
static const char *
address_text(char dst[RELAY_DIAL_TEXT], const struct sockaddr_storage *ss,
    bool with_port)
{
	char name[INET6_ADDRSTRLEN] = "?";
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	unsigned port;

	if (ss->ss_family == AF_INET6) {
		memcpy(&in6, ss, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, name, sizeof(name));
		port = ntohs(in6.sin6_port);
	} else {
		memcpy(&in, ss, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, name, sizeof(name));
		port = ntohs(in.sin_port);
	}
	if (!with_port)
		snprintf(dst, RELAY_DIAL_TEXT, "%s", name);
	else
		snprintf(dst, RELAY_DIAL_TEXT, ss->ss_family == AF_INET6 ?
		    "[%s]:%u" : "%s:%u", name, port);
	return dst;
}

static void
set_port(struct sockaddr_storage *ss, unsigned port)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	if (ss->ss_family == AF_INET6) {
		memcpy(&in6, ss, sizeof(in6));
		in6.sin6_port = htons((uint16_t)port);
		memcpy(ss, &in6, sizeof(in6));
	} else {
		memcpy(&in, ss, sizeof(in));
		in.sin_port = htons((uint16_t)port);
		memcpy(ss, &in, sizeof(in));
	}
}

/* Connecting. */

static void
close_try(struct try *t)
{
	watch_free(t->watch);
	t->watch = NULL;
	timer_free(t->limit);
	t->limit = NULL;
	if (t->fd != -1)
		close(t->fd);
	t->fd = -1;
}

static void
close_tries(struct relay_dial *d)
{
	for (size_t i = 0; i < d->next; i++)
		close_try(&d->tries[i]);
}

static void
try_failed(struct try *t, const char *what)
{
	struct relay_dial *d = t->dial;
	char text[RELAY_DIAL_TEXT];

	close_try(t);
	snprintf(d->why, sizeof(d->why), "%s: %s",
	    address_text(text, &t->to, true), what);
	log_debug("relay %s: %s", d->host, d->why);
	d->failed++;
	/* The next one at once; what is left to say is said from there. */
	timer_set_sooner(d->soon, 0);
}

static void
on_try_limit(void *arg)
{
	try_failed(arg, "no answer");
}

static void
on_try(void *arg, short revents)
{
	struct try *t = arg;
	struct relay_dial *d = t->dial;
	char text[RELAY_DIAL_TEXT];
	socklen_t len = sizeof(int);
	int error = 0, fd;

	(void)revents;
	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		d->refused = d->refused || error == ECONNREFUSED;
		try_failed(t, strerror(error));
		return;
	}
	fd = t->fd;
	t->fd = -1;
	close_tries(d);
	timer_stop(d->clock);
	timer_stop(d->soon);
	d->ops->connected(d->arg, fd, address_text(text, &t->to, true));
}

/* 0, or -1 with errno. */
static int
bind_socket(const struct relay_dial *d, int fd, int family)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (d->interface[0] != '\0' &&
	    os_bind_interface(fd, d->interface) == -1 && errno != ENOTSUP)
		return -1;
	if (d->local[0] == '\0')
		return 0;
	if (family == AF_INET) {
		if (inet_pton(AF_INET, d->local, &in.sin_addr) == 1)
			return bind(fd, (struct sockaddr *)&in, sizeof(in));
	} else if (inet_pton(AF_INET6, d->local, &in6.sin6_addr) == 1) {
		return bind(fd, (struct sockaddr *)&in6, sizeof(in6));
	}
	errno = EAFNOSUPPORT;
	return -1;
}

/* False: errno says why. */
static bool
begin_connect(struct try *t)
{
	struct relay_dial *d = t->dial;

	t->fd = socket(t->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (t->fd == -1 || bind_socket(d, t->fd, t->to.ss_family) == -1)
		return false;
	if (connect(t->fd, (struct sockaddr *)&t->to, t->len) == -1 &&
	    errno != EINPROGRESS)
		return false;
	t->watch = watch_new(d->loop, t->fd, POLLOUT, on_try, t);
	t->limit = timer_new(d->loop, on_try_limit, t);
	timer_set(t->limit, RELAY_DIAL_ADDRESS_MS);
	return true;
}

/* The first port's tries come before the second port's. */
static bool
may_go_on(const struct relay_dial *d)
{
	if (d->next == d->ntries)
		return false;
	return d->next != d->nfound || d->failed == d->next;
}

static void
next_try(struct relay_dial *d)
{
	struct try *t;

	if (may_go_on(d)) {
		t = &d->tries[d->next++];
		if (!begin_connect(t)) {
			d->refused = d->refused || errno == ECONNREFUSED;
			try_failed(t, strerror(errno));
		}
		timer_set(d->clock, RELAY_DIAL_STEP_MS);
	} else if (d->failed == d->ntries) {
		d->ops->failed(d->arg, d->why);
	}
}

static void
add_tries(struct relay_dial *d, unsigned port)
{
	for (size_t i = 0; port != 0 && i < d->nfound; i++) {
		struct try *t = &d->tries[d->ntries++];

		t->dial = d;
		t->to = d->found[i];
		t->len = d->lengths[i];
		t->fd = -1;
		set_port(&t->to, port);
	}
}

/* The name. */

static bool
fits_local(const struct relay_dial *d, int family)
{
	if (d->local[0] == '\0')
		return true;
	return (strchr(d->local, ':') != NULL) == (family == AF_INET6);
}

static void
take_address(struct relay_dial *d, const struct sockaddr *sa, socklen_t len)
{
	if (d->nfound == RELAY_DIAL_MAX || !fits_local(d, sa->sa_family) ||
	    (sa->sa_family != AF_INET && sa->sa_family != AF_INET6) ||
	    len > sizeof(d->found[0]))
		return;
	memcpy(&d->found[d->nfound], sa, len);
	d->lengths[d->nfound++] = len;
}

/*
 * The order is the system's choice (RFC 6724), but families take turns: when
 * one of them leads nowhere it is not tried to its end first.
 */
static void
take_addresses(struct relay_dial *d, const struct ares_addrinfo *info)
{
	const struct ares_addrinfo_node *a = info->nodes, *b;
	int first;

	if (a == NULL)
		return;
	first = a->ai_family;
	for (b = info->nodes; a != NULL || b != NULL;) {
		while (a != NULL && a->ai_family != first)
			a = a->ai_next;
		while (b != NULL && b->ai_family == first)
			b = b->ai_next;
		if (a != NULL) {
			take_address(d, a->ai_addr, a->ai_addrlen);
			a = a->ai_next;
		}
		if (b != NULL) {
			take_address(d, b->ai_addr, b->ai_addrlen);
			b = b->ai_next;
		}
	}
}

/*
 * An address needs no name server.  c-ares 1.18 asks one for IPv4 addresses
 * when any family will do, and there may be none that answers.
 */
static bool
is_address(struct relay_dial *d)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, d->host, &in.sin_addr) == 1)
		take_address(d, (struct sockaddr *)&in, sizeof(in));
	else if (inet_pton(AF_INET6, d->host, &in6.sin6_addr) == 1)
		take_address(d, (struct sockaddr *)&in6, sizeof(in6));
	else
		return false;
	d->status = ARES_SUCCESS;
	d->answered = true;
	return true;
}

/* May come from inside ares_getaddrinfo: only notes it. */
static void
on_info(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct relay_dial *d = arg;

	(void)timeouts;
	if (!d->dying) {
		d->status = status;
		if (status == ARES_SUCCESS)
			take_addresses(d, info);
		d->answered = true;
		timer_set(d->soon, 0);
	}
	if (info != NULL)
		ares_freeaddrinfo(info);
}

static void
set_clock(struct relay_dial *d)
{
	struct timeval tv;

	if (ares_timeout(d->channel, NULL, &tv) == NULL)
		timer_stop(d->clock);
	else
		timer_set(d->clock, (int64_t)tv.tv_sec * 1000 +
		    tv.tv_usec / 1000 + 1);
}

static void
on_asker(void *arg, short revents)
{
	struct asker *a = arg;
	struct relay_dial *d = a->dial;
	bool in = (revents & (POLLIN | POLLERR | POLLHUP)) != 0;

	ares_process_fd(d->channel, in ? a->fd : ARES_SOCKET_BAD,
	    (revents & POLLOUT) != 0 ? a->fd : ARES_SOCKET_BAD);
	set_clock(d);
}

static struct asker *
find_asker(struct relay_dial *d, ares_socket_t fd)
{
	struct asker *empty = NULL;

	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		if (d->askers[i].watch == NULL)
			empty = &d->askers[i];
		else if (d->askers[i].fd == fd)
			return &d->askers[i];
	}
	return empty;
}

/* c-ares begins, changes or ends what it waits for. */
static void
on_socket_state(void *arg, ares_socket_t fd, int in, int out)
{
	struct relay_dial *d = arg;
	struct asker *a = find_asker(d, fd);
	short events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0));

	if (a == NULL)
		return;		/* its answer is lost: another try follows */
	if (events == 0) {
		watch_free(a->watch);
		a->watch = NULL;
	} else if (a->watch == NULL) {
		a->dial = d;
		a->fd = fd;
		a->watch = watch_new(d->loop, fd, events, on_asker, a);
	} else {
		watch_set(a->watch, events);
	}
}

static void
forget_channel(struct relay_dial *d)
{
	d->dying = true;
	if (d->has_channel)
		ares_destroy(d->channel);
	d->has_channel = false;
	d->dying = false;
	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		watch_free(d->askers[i].watch);
		d->askers[i].watch = NULL;
	}
}

static void
fail_name(struct relay_dial *d, const char *what)
{
	forget_channel(d);
	timer_stop(d->clock);
	timer_stop(d->limit);
	snprintf(d->why, sizeof(d->why), "cannot find %s: %s", d->host, what);
	d->ops->failed(d->arg, d->why);
}

static void
name_answered(struct relay_dial *d)
{
	char all[RELAY_DIAL_MAX * RELAY_DIAL_TEXT], one[RELAY_DIAL_TEXT];
	size_t n = 0;

	d->answered = false;
	if (d->status != ARES_SUCCESS) {
		fail_name(d, ares_strerror(d->status));
		return;
	}
	if (d->nfound == 0) {
		fail_name(d, "no address that can be used from here");
		return;
	}
	forget_channel(d);
	timer_stop(d->limit);
	for (size_t i = 0; i < d->nfound; i++)
		n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s",
		    i == 0 ? "" : ", ", address_text(one, &d->found[i],
		    false));
	add_tries(d, d->ports[0]);
	add_tries(d, d->ports[1]);
	timer_set(d->soon, d->interface[0] == '\0' ? 0 : ROUTE_MS);
	d->ops->resolved(d->arg, all);
}

static void
on_soon(void *arg)
{
	struct relay_dial *d = arg;

	if (d->answered)
		name_answered(d);
	else
		next_try(d);
}

static void
on_clock(void *arg)
{
	struct relay_dial *d = arg;

	if (d->has_channel) {
		ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
		set_clock(d);
	} else {
		next_try(d);
	}
}

static void
on_limit(void *arg)
{
	fail_name(arg, "no name server answers");
}

/* An ARES_ status. */
static int
open_channel(struct relay_dial *d, const char *servers)
{
	struct ares_options o = {
		.timeout = SERVER_MS,
		.tries = SERVER_TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = d,
	};
	struct in6_addr in6;
	struct in_addr in;
	int r;

	r = ares_init_options(&d->channel, &o, ARES_OPT_TIMEOUTMS |
	    ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (r != ARES_SUCCESS)
		return r;
	d->has_channel = true;
	if (d->interface[0] != '\0')
		ares_set_local_dev(d->channel, d->interface);
	if (inet_pton(AF_INET, d->local, &in) == 1)
		ares_set_local_ip4(d->channel, ntohl(in.s_addr));
	else if (inet_pton(AF_INET6, d->local, &in6) == 1)
		ares_set_local_ip6(d->channel, in6.s6_addr);
	if (servers[0] == '\0')
		return ARES_SUCCESS;
	return ares_set_servers_ports_csv(d->channel, servers);
}

struct relay_dial *
relay_dial_new(struct loop *loop, const struct relay_dial_to *to,
    const struct relay_dial_ops *ops, void *arg)
{
	/* ENVHOSTS: CARES_HOSTS may name another hosts file. */
	const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_ENVHOSTS,
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	struct relay_dial *d = xcalloc(1, sizeof(*d));

	d->loop = loop;
	d->ops = ops;
	d->arg = arg;
	d->host = xstrdup(to->host);
	d->local = xstrdup(to->local);
	d->interface = xstrdup(to->interface);
	memcpy(d->ports, to->ports, sizeof(d->ports));
	d->clock = timer_new(loop, on_clock, d);
	d->limit = timer_new(loop, on_limit, d);
	d->soon = timer_new(loop, on_soon, d);
	timer_set(d->limit, RELAY_DIAL_NAME_MS);
	if (is_address(d)) {
		timer_set(d->soon, 0);
		return d;
	}
	d->status = open_channel(d, to->servers);
	if (d->status != ARES_SUCCESS) {
		d->answered = true;
		timer_set(d->soon, 0);
		return d;
	}
	ares_getaddrinfo(d->channel, to->host, NULL, &hints, on_info, d);
	if (!d->answered)
		set_clock(d);
	return d;
}

bool
relay_dial_refused(const struct relay_dial *d)
{
	return d->refused;
}

void
relay_dial_free(struct relay_dial *d)
{
	if (d == NULL)
		return;
	forget_channel(d);
	close_tries(d);
	timer_free(d->clock);
	timer_free(d->limit);
	timer_free(d->soon);
	free(d->host);
	free(d->local);
	free(d->interface);
	free(d);
}
