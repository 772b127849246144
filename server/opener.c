#include <string.h>

#include "../modem/at_port.h"
#include "../serial/port.h"
#include "base/link.h"
#include "base/log.h"
#include "opener.h"
#include "proto.h"
#include "sandbox.h"

struct opener {
	struct loop *loop;
	struct link *link;
};

static int
on_frame(void *arg, struct frame *f, int fd)
{
	(void)arg;
	(void)f;
	(void)fd;
	return -1;		/* the supervisor has nothing to say */
}

static void
on_down(void *arg, const char *why)
{
	struct opener *o = arg;

	(void)why;
	loop_stop(o->loop, 1);
}

static const struct link_ops ops = {
	.frame = on_frame,
	.down = on_down,
};

/* Everything left: done. */
static void
check_sent(void *arg)
{
	struct opener *o = arg;

	link_flush(o->link);
	if (link_queued(o->link) == 0)
		loop_stop(o->loop, 0);
}

static void
answer(struct opener *o, const char *device, const struct line *line,
    bool modem)
{
	struct port_opened port;
	struct frame_out *out;
	char why[PORT_ERROR];

	if (port_open(device, line, &port, why, sizeof(why)) == -1) {
		out = link_start(o->link, SV_TTY_FAILED);
		frame_put_str(out, why);
		link_send(o->link);
		return;
	}
	if (port.warning[0] != '\0')
		log_warn("%s", port.warning);
	/* Consoles mark what the line did wrong; AT and PPP want bytes. */
	if (modem && at_port_raw(port.fd) == -1)
		log_errno("%s: not raw", port.path);
	out = link_start(o->link, SV_TTY);
	frame_put_u8(out, (uint8_t)port.kind);
	frame_put_str(out, port.path);
	frame_put_str(out, port.usb);
	link_send_fd(o->link, port.fd);
}

int
opener_main(int fd, int argc, char *const argv[])
{
	struct opener o;
	struct line line;
	int status;

	line_default(&line);
	if ((argc != 4 && (argc != 5 || strcmp(argv[4], "modem") != 0)) ||
	    line_parse_speed(&line, argv[1]) == -1 ||
	    line_parse_mode(&line, argv[2]) == -1 ||
	    line_parse_flow(&line, argv[3]) == -1) {
		log_error("opener: wrong words");
		return 2;
	}
	sandbox_enter("opener", "", "", NULL);
	o.loop = loop_new();
	o.link = link_new(o.loop, fd, 65536, &ops, &o);
	answer(&o, argv[0], &line, argc == 5);
	loop_each_turn(o.loop, check_sent, &o);
	status = loop_run(o.loop);
	link_free(o.link);
	loop_free(o.loop);
	return status;
}
