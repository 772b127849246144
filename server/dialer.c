#include <sys/types.h>
#include <sys/socket.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../modem/route.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pass.h"
#include "dialer.h"
#include "proto.h"
#include "sandbox.h"

struct dialer {
	struct loop *loop;
	int fd;
	struct relay_dial_to to;
	struct frame_out *out;
};

static void
end(struct dialer *d, bool said)
{
	loop_stop(d->loop, said ? 0 : 1);
}

/* Three small frames at most: the socket has room for them. */
static bool
say(struct dialer *d)
{
	if (pass_send(d->fd, d->out, -1) == 0)
		return true;
	log_errno("dialer: the answer cannot be given");
	return false;
}

static void
on_resolved(void *arg, const char *addresses)
{
	struct dialer *d = arg;

	frame_start(d->out, DL_RESOLVED);
	frame_put_str(d->out, addresses);
	if (!say(d))
		end(d, false);
}

static void
on_connected(void *arg, int fd, const char *address)
{
	struct dialer *d = arg;
	char why[ROUTE_WHY] = "";
	bool over_ppp = d->to.interface[0] == '\0' || route_prove_socket(fd,
	    d->to.interface, d->to.local, why) == 0;
	bool said;

	frame_start(d->out, DL_CONNECTED);
	frame_put_str(d->out, address);
	frame_put_str(d->out, over_ppp ? "" : why);
	said = over_ppp ? pass_send(d->fd, d->out, fd) == 0 : say(d);
	close(fd);
	end(d, said);
}

static void
on_failed(void *arg, const char *why)
{
	struct dialer *d = arg;

	frame_start(d->out, DL_FAILED);
	frame_put_str(d->out, why);
	end(d, say(d));
}

static const struct relay_dial_ops ops = {
	.resolved = on_resolved,
	.connected = on_connected,
	.failed = on_failed,
};

/* Nobody waits for it any more, or somebody says what he should not. */
static void
on_asker(void *arg, short revents)
{
	(void)revents;
	end(arg, false);
}

/* Digits, as the supervisor prints them. */
static bool
read_port(const char *word, bool may_be_none, unsigned *port)
{
	char *rest;
	unsigned long n = strtoul(word, &rest, 10);

	*port = (unsigned)n;
	return word[0] >= '0' && word[0] <= '9' && *rest == '\0' &&
	    n < 65536 && (n > 0 || may_be_none);
}

static bool
read_words(struct dialer *d, int argc, char *const argv[])
{
	if (argc != DIALER_WORDS || argv[DIALER_HOST][0] == '\0' ||
	    !read_port(argv[DIALER_PORT], false, &d->to.ports[0]) ||
	    !read_port(argv[DIALER_SECOND], true, &d->to.ports[1]))
		return false;
	d->to.host = argv[DIALER_HOST];
	d->to.servers = argv[DIALER_SERVERS];
	d->to.local = argv[DIALER_LOCAL];
	d->to.interface = argv[DIALER_INTERFACE];
	return true;
}

int
dialer_main(int fd, int argc, char *const argv[])
{
	struct dialer d = { .fd = fd };
	struct relay_dial *dial;
	struct watch *asker;
	int status;

	if (!read_words(&d, argc, argv)) {
		log_error("dialer: wrong words");
		return 2;
	}
	sandbox_enter("dialer", "", "", NULL);
	relay_dial_start();
	d.loop = loop_new();
	d.out = xmalloc(sizeof(*d.out));
	asker = watch_new(d.loop, fd, POLLIN, on_asker, &d);
	dial = relay_dial_new(d.loop, &d.to, &ops, &d);
	status = loop_run(d.loop);
	relay_dial_free(dial);
	watch_free(asker);
	loop_free(d.loop);
	free(d.out);
	relay_dial_stop();
	return status;
}
