/*
 * intruder_net: deeds of intruder.c with sockets; part of that.
 */
#ifndef SHIM_INTRUDER_NET_H
#define SHIM_INTRUDER_NET_H

static struct sockaddr_in
local(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)atoi(target("PORT"))),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int
inet(int really)
{
	struct sockaddr_in in = local();
	int fd = socket(AF_INET, SOCK_STREAM, 0), r;

	if (fd == -1)
		return errno;
	if (really) {
		r = connect(fd, (struct sockaddr *)&in, sizeof(in));
	} else {
		in.sin_port = 0;
		r = bind(fd, (struct sockaddr *)&in, sizeof(in));
		r = r == 0 ? listen(fd, 1) : r;
	}
	r = r == -1 ? errno : 0;
	close(fd);
	return r;
}

static int
out(void)
{
	return inet(1);
}

static int
serve(void)
{
	return inet(0);
}

static int
control(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), r;

	if (fd == -1)
		return errno;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", target("CONTROL"));
	r = connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1 ? errno : 0;
	close(fd);
	return r;
}

static int
datagram(void)
{
	struct sockaddr_in in = local();
	int fd = socket(AF_INET, SOCK_DGRAM, 0), r;

	if (fd == -1)
		return errno;
	r = sendto(fd, "x", 1, 0, (struct sockaddr *)&in, sizeof(in)) == -1 ?
	    errno : 0;
	close(fd);
	return r;
}

/* A name goes with the letter: its socket needs not be connected. */
static int
letter(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int pair[2];

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", target("LETTERS"));
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == -1 &&
	    socketpair(AF_UNIX, SOCK_RAW, 0, pair) == -1)
		return errno;
	return sendto(pair[0], "x", 1, 0, (struct sockaddr *)&un,
	    sizeof(un)) == -1 ? errno : 0;
}

/* Of the kernel: routes, addresses, who talks to whom. */
static int
netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, 0);

	if (fd == -1)
		return errno;
	close(fd);
	return 0;
}

/* What it may bind or connect is what it holds: its listening socket. */
static int
at_held(int (*act)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in in = local();

	return act(SUPERVISOR, (struct sockaddr *)&in, sizeof(in)) == -1 ?
	    errno : 0;
}

static int
connect_held(void)
{
	return at_held(connect);
}

static int
bind_held(void)
{
	return at_held(bind);
}

#endif
