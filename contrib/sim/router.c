#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../server/base/log.h"
#include "../../server/base/str.h"
#include "control.h"
#include "escape.h"
#include "router.h"
#include "router_box.h"

#define SAY_BYTES 4096

struct router {
	struct loop *loop;
	struct wire *wire;
	struct box *box;
	struct control *control;
	bool on;		/* the box is */
};

struct options {
	struct wire_conf wire;
	struct box_conf box;
	const char *control;
	bool wait;		/* for the first reader, with switching on */
};

struct order {
	const char *word;
	const char *help;
	/* Write the answer unless it is "ok". */
	void (*run)(struct router *, const char *rest, char *reply,
	    size_t size);
};

enum {
	OPT_LINK = 256,
	OPT_SPEED,
	OPT_NO_PACE,
	OPT_HOSTNAME,
	OPT_USER,
	OPT_PASSWORD,
	OPT_SEED,
	OPT_RECORD,
	OPT_TYPED,
	OPT_CONTROL,
	OPT_NO_BOOT,
	OPT_WAIT,
	OPT_FAST,
	OPT_CALM,
	OPT_AUTOLOGOUT,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "link", required_argument, NULL, OPT_LINK },
	{ "speed", required_argument, NULL, OPT_SPEED },
	{ "no-pace", no_argument, NULL, OPT_NO_PACE },
	{ "hostname", required_argument, NULL, OPT_HOSTNAME },
	{ "user", required_argument, NULL, OPT_USER },
	{ "password", required_argument, NULL, OPT_PASSWORD },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "record", required_argument, NULL, OPT_RECORD },
	{ "typed", required_argument, NULL, OPT_TYPED },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "no-boot", no_argument, NULL, OPT_NO_BOOT },
	{ "wait", no_argument, NULL, OPT_WAIT },
	{ "fast", no_argument, NULL, OPT_FAST },
	{ "calm", no_argument, NULL, OPT_CALM },
	{ "autologout", required_argument, NULL, OPT_AUTOLOGOUT },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char usage_text[] =
    "usage: oobsim router [OPTION ...]\n\n"
    "A FreeBSD-like box whose serial console is a pty.  Prints the pty's\n"
    "name, runs until SIGTERM or ^C.\n\n"
    "  --link PATH        keep a symbolic link to the pty there\n"
    "  --speed BPS        pace of the line, 57600\n"
    "  --no-pace          as fast as the reader reads, nothing lost\n"
    "  --hostname NAME    gw\n"
    "  --user NAME        who can log in, root\n"
    "  --password PW      router\n"
    "  --seed N           of what looks random, 1\n"
    "  --no-boot          begin at the login prompt\n"
    "  --wait             switch the box on when its line is first opened\n"
    "  --fast             boot without pauses\n"
    "  --calm             no kernel messages out of the blue\n"
    "  --autologout TIME  of silence in a shell, 10min; 0: never\n"
    "  --record FILE      append every byte sent to a listener\n"
    "  --typed FILE       append every byte received\n"
    "  --control PATH     Unix socket that takes these lines:\n";

static void
order_unplug(struct router *r, const char *rest, char *reply, size_t size)
{
	(void)rest;
	(void)reply;
	(void)size;
	wire_unplug(r->wire);
}

static void
order_plug(struct router *r, const char *rest, char *reply, size_t size)
{
	(void)rest;
	if (wire_plug(r->wire) == -1)
		snprintf(reply, size, "error: no new pty, see stderr");
}

static void
order_hangup(struct router *r, const char *rest, char *reply, size_t size)
{
	wire_unplug(r->wire);
	order_plug(r, rest, reply, size);
	box_hangup(r->box);
}

static void
order_reset(struct router *r, const char *rest, char *reply, size_t size)
{
	(void)rest;
	(void)reply;
	(void)size;
	box_reset(r->box);
}

static void
order_say(struct router *r, const char *rest, char *reply, size_t size)
{
	char text[SAY_BYTES];

	(void)reply;
	(void)size;
	snprintf(text, sizeof(text), "\n%s\n", rest);
	box_say(r->box, text);
}

static void
order_send(struct router *r, const char *rest, char *reply, size_t size)
{
	char bytes[SAY_BYTES];
	ssize_t n = escape_bytes(bytes, sizeof(bytes), rest);

	if (n == -1)
		snprintf(reply, size, "error: " ESCAPE_HELP);
	else
		wire_put(r->wire, bytes, (size_t)n);
}

static void
order_stat(struct router *r, const char *rest, char *reply, size_t size)
{
	struct wire_stat st;

	(void)rest;
	wire_stat(r->wire, &st);
	snprintf(reply, size, "sent=%llu dropped=%llu received=%llu queued=%zu "
	    "plugged=%d heard=%d state=%s", (unsigned long long)st.sent,
	    (unsigned long long)st.dropped, (unsigned long long)st.received,
	    WIRE_QUEUE - wire_room(r->wire), st.plugged, st.heard,
	    box_state_text(r->box));
}

static const struct order orders[] = {
	{ "unplug", "the cable out: readers see an error", order_unplug },
	{ "plug", "and in again: a new pty", order_plug },
	{ "hangup", "both at once, and the box logs out", order_hangup },
	{ "reset", "the box's reset button", order_reset },
	{ "say", "TEXT: as a line from the kernel", order_say },
	{ "send", "TEXT: just these bytes; \\n \\e \\xNN", order_send },
	{ "stat", "counters and states", order_stat },
};

#define NORDERS (sizeof(orders) / sizeof(orders[0]))

static void
on_order(void *arg, char *line, char *reply, size_t size)
{
	struct router *r = arg;
	char *rest = line;
	const char *word = strsep(&rest, " ");

	for (size_t i = 0; i < NORDERS; i++) {
		if (strcmp(orders[i].word, word) != 0)
			continue;
		orders[i].run(r, rest == NULL ? "" : rest, reply, size);
		if (reply[0] == '\0')
			snprintf(reply, size, "ok");
		return;
	}
	snprintf(reply, size, "error: no such order; there are: unplug plug "
	    "hangup reset say send stat");
}

static void
usage(FILE *to)
{
	fputs(usage_text, to);
	for (size_t i = 0; i < NORDERS; i++)
		fprintf(to, "      %-8s %s\n", orders[i].word, orders[i].help);
}

static _Noreturn void
bad_value(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, "oobsim router: --%s %s: must be %s\n", option, value,
	    wanted);
	exit(2);
}

/* Options whose value is a number or a time. */
static void
number_option(struct options *o, int c, const char *value)
{
	int64_t n;

	switch (c) {
	case OPT_SPEED:
		if (str_int(value, 50, 10000000, &n) == -1)
			bad_value("speed", value, "50 to 10000000 bit/s");
		o->wire.speed = (uint32_t)n;
		break;
	case OPT_SEED:
		if (str_int(value, 0, INT64_MAX, &n) == -1)
			bad_value("seed", value, "a whole number");
		o->box.seed = (uint64_t)n;
		break;
	case OPT_AUTOLOGOUT:
		if (str_duration(value, &o->box.autologout_ms) == -1)
			bad_value("autologout", value, "a time as 90s, 10min");
		break;
	}
}

static const char **
text_option(struct options *o, int c)
{
	switch (c) {
	case OPT_LINK:
		return &o->wire.link;
	case OPT_RECORD:
		return &o->wire.record;
	case OPT_TYPED:
		return &o->wire.typed;
	case OPT_HOSTNAME:
		return &o->box.hostname;
	case OPT_USER:
		return &o->box.user;
	case OPT_PASSWORD:
		return &o->box.password;
	case OPT_CONTROL:
		return &o->control;
	}
	return NULL;
}

/* Options without a value.  False: c is none of them. */
static bool
flag_option(struct options *o, int c)
{
	switch (c) {
	case OPT_NO_PACE:
		o->wire.speed = 0;
		return true;
	case OPT_NO_BOOT:
		o->box.boot = false;
		return true;
	case OPT_WAIT:
		o->wait = true;
		return true;
	case OPT_FAST:
		o->box.pauses = false;
		return true;
	case OPT_CALM:
		o->box.calm = true;
		return true;
	}
	return false;
}

static void
parse_options(struct options *o, int argc, char **argv)
{
	const char **text;
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (c == OPT_HELP || c == 'h') {
			usage(stdout);
			exit(0);
		}
		if (c == '?')
			exit(2);
		text = text_option(o, c);
		if (text != NULL)
			*text = optarg;
		else if (!flag_option(o, c))
			number_option(o, c, optarg);
	}
	if (optind < argc) {
		fprintf(stderr, "oobsim router: \"%s\": no argument expected; "
		    "see oobsim router --help\n", argv[optind]);
		exit(2);
	}
}

static void
on_input(void *arg, const uint8_t *p, size_t n)
{
	struct router *r = arg;

	box_input(r->box, p, n);
}

static void
on_drained(void *arg)
{
	struct router *r = arg;

	box_more(r->box);
}

static void
on_plugged(void *arg, const char *name)
{
	(void)arg;
	printf("%s\n", name);
	fflush(stdout);
}

static void
switch_on(struct router *r)
{
	if (r->on)
		return;
	r->on = true;
	box_start(r->box);
}

static void
on_opened(void *arg)
{
	switch_on(arg);
}

static const struct wire_ops wire_ops = {
	on_input,
	on_drained,
	on_plugged,
	on_opened,
	NULL,
};

static void
on_signal(void *arg, int signo)
{
	struct router *r = arg;

	(void)signo;
	loop_stop(r->loop, 0);
}

static int
router_run(struct router *r, const struct options *o)
{
	r->wire = wire_new(r->loop, &o->wire, &wire_ops, r);
	if (r->wire == NULL)
		return 1;
	r->box = box_new(r->loop, r->wire, &o->box);
	if (o->control != NULL) {
		r->control = control_new(r->loop, o->control, on_order, r);
		if (r->control == NULL)
			return 1;
	}
	if (wire_plug(r->wire) == -1)
		return 1;
	if (!o->wait)
		switch_on(r);
	return loop_run(r->loop);
}

int
router_main(int argc, char **argv)
{
	struct options o = {
		.wire = { .speed = 57600 },
		.box = { .hostname = "gw", .user = "root",
		    .password = "router", .seed = 1, .boot = true,
		    .pauses = true, .autologout_ms = 600 * 1000 },
	};
	struct router r = { .loop = NULL };
	int status;

	parse_options(&o, argc, argv);
	log_open("sim", LOG_TO_STDERR, false);
	signal(SIGPIPE, SIG_IGN);
	r.loop = loop_new();
	loop_signal(r.loop, SIGTERM, on_signal, &r);
	loop_signal(r.loop, SIGINT, on_signal, &r);
	loop_signal(r.loop, SIGHUP, on_signal, &r);
	status = router_run(&r, &o);
	control_free(r.control);
	box_free(r.box);
	wire_free(r.wire);
	loop_free(r.loop);
	return status;
}
