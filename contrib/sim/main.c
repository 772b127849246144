/*
 * oobsim: simulators to rehearse with, and for the demo and the tests.
 */
#include <stdio.h>
#include <string.h>

#include "modem.h"
#include "router.h"
#include "tell.h"

struct simulator {
	const char *name;
	const char *help;
	int (*run)(int argc, char **argv);
};

static const struct simulator simulators[] = {
	{ "router", "a FreeBSD-like box with a serial console, on a pty",
	    router_main },
	{ "modem", "a USB stick with AT ports, a SIM card and a carrier",
	    modem_main },
	{ "tell", "an order to a running one, through its control socket",
	    tell_main },
};

#define NSIMULATORS (sizeof(simulators) / sizeof(simulators[0]))

static void
usage(FILE *to)
{
	fprintf(to, "usage: oobsim SIMULATOR [OPTION ...]\n"
	    "       oobsim SIMULATOR --help | --version\n\n");
	for (size_t i = 0; i < NSIMULATORS; i++)
		fprintf(to, "  %-8s %s\n", simulators[i].name,
		    simulators[i].help);
}

int
main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("oobsim %s\n", OOBD_VERSION);
		return 0;
	}
	for (size_t i = 0; i < NSIMULATORS; i++) {
		if (strcmp(argv[1], simulators[i].name) == 0)
			return simulators[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "oobsim: no simulator \"%s\"\n", argv[1]);
	usage(stderr);
	return 2;
}
