/*
 * Stands where the supervisor and the modem process do, for tests of PPP in a
 * guest: what comes on stdin is asked for, what is answered goes to stdout.
 *
 *	ppp_driver OOBD RUN_DIR [USER PASSWORD_FILE]
 *
 *	start SECONDS TTY	life SECONDS	stop	forget
 *	add ADDRESS		remove ADDRESS
 *	prove ADDRESS PORT	connect over PPP, prove that it does
 *	counters
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "modem/at_port.h"
#include "modem/route.h"
#include "server/base/link.h"
#include "server/base/log.h"
#include "server/ppprun.h"
#include "server/proto.h"

struct driver {
	struct loop *loop;
	struct children *children;
	struct ppprun *ppp;
	struct link *there, *here;	/* "modem process" and its end */
	struct config_modem modem;
	struct config conf;
	char line[512];
	size_t n;
	char interface[512], local[512];
};

static int
on_frame(void *arg, struct frame *f, int fd)
{
	static const char *const states[] = { "starting", "negotiating", "up",
	    "ended" };
	struct driver *d = arg;
	char w[6][512];
	uint8_t state;

	(void)fd;
	if (f->type == SV_ROUTE) {
		frame_str(f, w[0], 512);
		frame_str(f, w[1], 512);
		printf("route %s: %s\n", w[0], w[1][0] == '\0' ? "ok" : w[1]);
		return frame_ok(f) ? 0 : -1;
	}
	state = frame_u8(f);
	for (int i = 0; i < 6; i++)
		frame_str(f, w[i], 512);
	if (f->type != SV_PPP || !frame_ok(f) || state > 3)
		return -1;
	printf("%s if=%s local=%s peer=%s dns=%s failure=%s text=%s\n",
	    states[state], w[0], w[1], w[2], w[3], w[4], w[5]);
	snprintf(d->interface, sizeof(d->interface), "%s", w[0]);
	snprintf(d->local, sizeof(d->local), "%s", w[1]);
	return 0;
}

static void
on_down(void *arg, const char *why)
{
	(void)arg;
	printf("link down: %s\n", why);
}

static const struct link_ops ops = { .frame = on_frame, .down = on_down };

static struct link *
modem(void *arg)
{
	struct driver *d = arg;

	return d->there;
}

static void
on_ended(void *arg)
{
	(void)arg;
	printf("job over\n");
}

static const struct ppprun_ops run_ops = { .modem = modem,
    .ended = on_ended };

static void
start(struct driver *d, char *words)
{
	char *tty = strchr(words, ' ');
	int fd = tty == NULL ? -1 : open(tty + 1, O_RDWR | O_NOCTTY |
	    O_NONBLOCK | O_CLOEXEC);

	if (fd == -1 || at_port_raw(fd) == -1) {
		printf("cannot open: %s\n", strerror(errno));
		return;
	}
	ppprun_start(d->ppp, &d->conf, (uint32_t)atoi(words), fd);
	close(fd);
}

static void
life(struct driver *d, char *words)
{
	ppprun_life(d->ppp, (uint32_t)atoi(words));
}

static void
stop(struct driver *d, char *words)
{
	(void)words;
	ppprun_stop(d->ppp);
}

static void
forget(struct driver *d, char *words)
{
	(void)words;
	ppprun_forget(d->ppp);
}

static void
add(struct driver *d, char *words)
{
	ppprun_route(d->ppp, true, words);
}

static void
take(struct driver *d, char *words)
{
	ppprun_route(d->ppp, false, words);
}

static void
prove(struct driver *d, char *words)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	char *port = strchr(words, ' '), why[ROUTE_WHY], banner[8] = "";
	struct timeval limit = { .tv_sec = 10 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*port++ = '\0';
	in.sin_port = htons((uint16_t)atoi(port));
	inet_pton(AF_INET, words, &in.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == -1)
		printf("not connected: %s\n", strerror(errno));
	else if (route_prove_socket(fd, d->interface, d->local, why) == -1)
		printf("not proven: %s\n", why);
	else if (recv(fd, banner, 7, MSG_WAITALL) != 7)
		printf("silent: %s\n", strerror(errno));
	else
		printf("proven: %s\n", banner);
	close(fd);
}

static void
counters(struct driver *d, char *words)
{
	uint64_t received = 0, sent = 0;

	(void)words;
	printf("counters %d", route_counters(d->interface, &received, &sent));
	printf(" %llu %llu\n", (unsigned long long)received,
	    (unsigned long long)sent);
}

static const struct {
	const char *word;
	void (*run)(struct driver *, char *words);
} orders[] = {
	{ "start ", start }, { "life ", life }, { "stop", stop },
	{ "forget", forget }, { "add ", add }, { "remove ", take },
	{ "prove ", prove }, { "counters", counters },
};

static void
obey(struct driver *d)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		size_t n = strlen(orders[i].word);

		if (strncmp(d->line, orders[i].word, n) == 0) {
			orders[i].run(d, d->line + n);
			return;
		}
	}
	printf("what? %s\n", d->line);
}

static void
on_stdin(void *arg, short revents)
{
	struct driver *d = arg;
	char c;

	(void)revents;
	if (read(0, &c, 1) != 1) {
		loop_stop(d->loop, 0);
		return;
	}
	if (c != '\n') {
		if (d->n < sizeof(d->line) - 1)
			d->line[d->n++] = c;
		return;
	}
	d->line[d->n] = '\0';
	d->n = 0;
	obey(d);
}

int
main(int argc, char *argv[])
{
	struct children_conf children = { .deadline_ms = 5000 };
	struct driver d = { .n = 0 };
	int pair[2];

	if (argc != 3 && argc != 5)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	log_open("driver", LOG_TO_STDERR, true);
	children.program = argv[1];
	children.debug = true;
	d.modem.data = d.modem.dns = (char *)(uintptr_t)"peer";
	d.modem.dial_ms = 30000;
	d.modem.prove_ms = 60000;
	if (argc == 5) {
		d.modem.user = argv[3];
		d.modem.password_file = argv[4];
	}
	d.conf.modem = &d.modem;
	d.conf.activation.max_hold_ms = 600000;
	d.loop = loop_new();
	d.children = children_new(d.loop, &children);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return 1;
	d.there = link_new(d.loop, pair[0], 65536, &ops, &d);
	d.here = link_new(d.loop, pair[1], 65536, &ops, &d);
	d.ppp = ppprun_new(d.loop, d.children, argv[2], 0, &run_ops, &d);
	watch_new(d.loop, 0, POLLIN, on_stdin, &d);
	printf("ready\n");
	return loop_run(d.loop);
}
