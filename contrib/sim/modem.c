#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../server/base/log.h"
#include "../../server/base/str.h"
#include "control.h"
#include "modem.h"
#include "modem_orders.h"
#include "modem_stick.h"
#include "tell.h"

struct options {
	struct stick_conf stick;
	const char *control;
	const char *personality;
	bool unplugged;
	bool connect;
};

enum {
	OPT_LINK_DATA = 256,
	OPT_LINK_CONTROL,
	OPT_DATA_SOCKET,
	OPT_CONTROL_SOCKET,
	OPT_CONNECT,
	OPT_ONE_PORT,
	OPT_PERSONALITY,
	OPT_PIN,
	OPT_PUK,
	OPT_STORES,
	OPT_APN,
	OPT_CARRIER,
	OPT_LOG,
	OPT_BOOT,
	OPT_RESET,
	OPT_DIAL,
	OPT_SMS,
	OPT_GUARD,
	OPT_CHATTER,
	OPT_PORTSEL,
	OPT_UNPLUGGED,
	OPT_CONTROL,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "link-data", required_argument, NULL, OPT_LINK_DATA },
	{ "link-control", required_argument, NULL, OPT_LINK_CONTROL },
	{ "data-socket", required_argument, NULL, OPT_DATA_SOCKET },
	{ "control-socket", required_argument, NULL, OPT_CONTROL_SOCKET },
	{ "connect", no_argument, NULL, OPT_CONNECT },
	{ "one-port", no_argument, NULL, OPT_ONE_PORT },
	{ "personality", required_argument, NULL, OPT_PERSONALITY },
	{ "pin", required_argument, NULL, OPT_PIN },
	{ "puk", required_argument, NULL, OPT_PUK },
	{ "stores", required_argument, NULL, OPT_STORES },
	{ "apn", required_argument, NULL, OPT_APN },
	{ "carrier", required_argument, NULL, OPT_CARRIER },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "boot", required_argument, NULL, OPT_BOOT },
	{ "reset", required_argument, NULL, OPT_RESET },
	{ "dial", required_argument, NULL, OPT_DIAL },
	{ "sms", required_argument, NULL, OPT_SMS },
	{ "guard", required_argument, NULL, OPT_GUARD },
	{ "chatter", required_argument, NULL, OPT_CHATTER },
	{ "portsel", required_argument, NULL, OPT_PORTSEL },
	{ "unplugged", no_argument, NULL, OPT_UNPLUGGED },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char usage_text[] =
    "usage: oobsim modem [OPTION ...]\n"
    "       oobsim modem tell SOCKET ORDER [WORD ...]\n\n"
    "A USB stick with a SIM card: AT commands on a data port, which dials,\n"
    "and a control port.  Both are ptys.  Prints \"data NAME\" and \"control\n"
    "NAME\", runs until SIGTERM or ^C.\n\n"
    "  --link-data PATH       keep a symbolic link to the pty there\n"
    "  --link-control PATH    the same for the control port\n"
    "  --data-socket PATH     listen at a Unix socket in place of a pty\n"
    "  --control-socket PATH  the same for the control port\n"
    "  --connect              connect to these sockets (QEMU listens there)\n"
    "  --one-port             there is no control port\n"
    "  --personality NAME     huawei (an E1752, default) or generic\n"
    "  --pin CODE             the card asks for this PIN; default: none\n"
    "  --puk CODE             12345678\n"
    "  --stores LIST          places for messages, SM=20,ME=50\n"
    "  --apn NAME             refuse every other one; default: take any\n"
    "  --carrier COMMAND      for sh -c: what is behind ATD, on a raw pty, as\n"
    "                         \"slirp-fullbolt ppp\"; default: silence\n"
    "  --boot TIME            until the card is read, 200ms\n"
    "  --reset TIME           gone after AT+CFUN=1,1, 2s\n"
    "  --dial TIME            from ATD to its result, 300ms\n"
    "  --sms TIME             to send one, 300ms\n"
    "  --guard TIME           of silence around +++, 1s\n"
    "  --chatter TIME         between unasked ^RSSI, 5s; 0: none\n"
    "  --portsel N            ^PORTSEL after power up, 0; 1: unasked lines\n"
    "                         go to the data port\n"
    "  --unplugged            wait for the order plug\n"
    "  --log FILE             append every line typed at it\n"
    "  --control PATH         Unix socket that takes these lines:\n";

static void
usage(FILE *to)
{
	fputs(usage_text, to);
	orders_usage(to);
}

static _Noreturn void
bad_value(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, "oobsim modem: --%s %s: must be %s\n", option, value,
	    wanted);
	exit(2);
}

static const char **
text_option(struct options *o, int c)
{
	switch (c) {
	case OPT_LINK_DATA:
		return &o->stick.ports[STICK_DATA].link;
	case OPT_LINK_CONTROL:
		return &o->stick.ports[STICK_CONTROL].link;
	case OPT_DATA_SOCKET:
		return &o->stick.ports[STICK_DATA].socket;
	case OPT_CONTROL_SOCKET:
		return &o->stick.ports[STICK_CONTROL].socket;
	case OPT_PERSONALITY:
		return &o->personality;
	case OPT_PIN:
		return &o->stick.pin;
	case OPT_PUK:
		return &o->stick.puk;
	case OPT_STORES:
		return &o->stick.stores;
	case OPT_APN:
		return &o->stick.apn;
	case OPT_CARRIER:
		return &o->stick.carrier;
	case OPT_LOG:
		return &o->stick.log;
	case OPT_CONTROL:
		return &o->control;
	}
	return NULL;
}

static int64_t *
time_option(struct options *o, int c)
{
	switch (c) {
	case OPT_BOOT:
		return &o->stick.boot_ms;
	case OPT_RESET:
		return &o->stick.reset_ms;
	case OPT_DIAL:
		return &o->stick.dial_ms;
	case OPT_SMS:
		return &o->stick.sms_ms;
	case OPT_GUARD:
		return &o->stick.guard_ms;
	case OPT_CHATTER:
		return &o->stick.chatter_ms;
	}
	return NULL;
}

static void
other_option(struct options *o, int c, const char *value)
{
	int64_t n;

	switch (c) {
	case OPT_CONNECT:
		o->connect = true;
		break;
	case OPT_ONE_PORT:
		o->stick.nports = 1;
		break;
	case OPT_UNPLUGGED:
		o->unplugged = true;
		break;
	case OPT_PORTSEL:
		if (str_int(value, 0, 1, &n) == -1)
			bad_value("portsel", value, "0 or 1");
		o->stick.portsel = (int)n;
		break;
	}
}

static void
check_code(const char *option, const char *code)
{
	size_t n = code == NULL ? 4 : strlen(code);

	if (n < 4 || n > 8 || (code != NULL &&
	    code[strspn(code, "0123456789")] != '\0'))
		bad_value(option, code, "4 to 8 digits");
}

/* What only shows once all options are known. */
static void
check_options(struct options *o)
{
	static const struct personality *const known[] = {
		&personality_huawei, &personality_generic,
	};

	check_code("pin", o->stick.pin);
	check_code("puk", o->stick.puk);
	for (size_t i = 0; i < 2; i++) {
		if (strcmp(known[i]->name, o->personality) == 0)
			o->stick.who = known[i];
	}
	if (o->stick.who == NULL)
		bad_value("personality", o->personality, "huawei or generic");
	for (int i = 0; i < STICK_PORTS; i++) {
		struct port_conf *p = &o->stick.ports[i];

		p->connect = o->connect;
		if (p->link != NULL && p->socket != NULL)
			bad_value(i == STICK_DATA ? "link-data" :
			    "link-control", p->link,
			    "left out with a socket");
		if (o->connect && p->socket == NULL &&
		    i < (int)o->stick.nports) {
			fprintf(stderr, "oobsim modem: --connect: wants "
			    "--%s-socket\n", stick_port_text(i));
			exit(2);
		}
	}
}

static void
parse_options(struct options *o, int argc, char **argv)
{
	const char **text;
	int64_t *ms;
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (c == OPT_HELP || c == 'h') {
			usage(stdout);
			exit(0);
		}
		if (c == '?')
			exit(2);
		text = text_option(o, c);
		ms = time_option(o, c);
		if (text != NULL)
			*text = optarg;
		else if (ms == NULL)
			other_option(o, c, optarg);
		else if (str_duration(optarg, ms) == -1)
			bad_value("boot, --reset, --dial, --sms, --guard or "
			    "--chatter", optarg, "a time as 200ms, 2s");
	}
	if (optind < argc) {
		fprintf(stderr, "oobsim modem: \"%s\": no argument expected; "
		    "see oobsim modem --help\n", argv[optind]);
		exit(2);
	}
	check_options(o);
}

static void
on_signal(void *arg, int signo)
{
	(void)signo;
	loop_stop(arg, 0);
}

static int
run(struct loop *loop, const struct options *o)
{
	struct stick *s = stick_new(loop, &o->stick);
	struct control *control = NULL;
	int status = 1;

	if (s == NULL)
		return 1;
	if (o->control != NULL)
		control = control_new(loop, o->control, orders_run, s);
	if ((o->control == NULL || control != NULL) &&
	    (o->unplugged || stick_plug(s, false) == 0))
		status = loop_run(loop);
	control_free(control);
	stick_free(s);
	return status;
}

int
modem_main(int argc, char **argv)
{
	struct options o = {
		.stick = { .nports = STICK_PORTS, .puk = "12345678",
		    .stores = "SM=20,ME=50", .boot_ms = 200,
		    .reset_ms = 2000, .dial_ms = 300, .sms_ms = 300,
		    .guard_ms = 1000, .chatter_ms = 5000 },
		.personality = "huawei",
	};
	struct loop *loop;
	int status;

	if (argc > 1 && strcmp(argv[1], "tell") == 0)
		return tell_main(argc - 1, argv + 1);
	parse_options(&o, argc, argv);
	log_open("sim", LOG_TO_STDERR, false);
	signal(SIGPIPE, SIG_IGN);
	loop = loop_new();
	loop_signal(loop, SIGTERM, on_signal, loop);
	loop_signal(loop, SIGINT, on_signal, loop);
	loop_signal(loop, SIGHUP, on_signal, loop);
	status = run(loop, &o);
	loop_free(loop);
	return status;
}
