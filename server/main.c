#include <sys/stat.h>

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "children.h"
#include "config.h"
#include "console.h"
#include "dialer.h"
#include "gate.h"
#include "modem.h"
#include "notify.h"
#include "opener.h"
#include "power.h"
#include "pppjob.h"
#include "reader.h"
#include "sandbox.h"
#include "signer.h"
#include "sink.h"
#include "ssh.h"
#include "supervisor.h"
#include "usbjob.h"

struct options {
	const char *file;
	const char *role;
	enum sandbox_mode sandbox;
	bool debug, check, print, syslog;
};

static int
run_console(int fd, int argc, char *argv[], bool debug)
{
	(void)argc;
	(void)argv;
	(void)debug;
	return console_main(fd);
}

static int
run_ssh(int fd, int argc, char *argv[], bool debug)
{
	(void)argc;
	(void)argv;
	return ssh_main(fd, debug);
}

static int
run_modem(int fd, int argc, char *argv[], bool debug)
{
	(void)argc;
	(void)argv;
	(void)debug;
	return modem_main(fd);
}

static int
run_notify(int fd, int argc, char *argv[], bool debug)
{
	(void)argc;
	(void)argv;
	(void)debug;
	return notify_main(fd);
}

static int
run_dialer(int fd, int argc, char *argv[], bool debug)
{
	(void)debug;
	return dialer_main(fd, argc, argv);
}

static int
run_gate(int fd, int argc, char *argv[], bool debug)
{
	(void)debug;
	return gate_main(fd, argc, argv);
}

static int
run_opener(int fd, int argc, char *argv[], bool debug)
{
	(void)debug;
	return opener_main(fd, argc, argv);
}

static int
run_power(int fd, int argc, char *argv[], bool debug)
{
	(void)debug;
	return power_main(fd, argc, argv);
}

static int
run_sink(int fd, int argc, char *argv[], bool debug)
{
	(void)debug;
	return sink_main(fd, argc, argv);
}

static int
run_ppp(int fd, int argc, char *argv[], bool debug)
{
	(void)debug;
	return pppjob_main(fd, argc, argv);
}

static int
run_reader(int fd, int argc, char *argv[], bool debug)
{
	(void)debug;
	return reader_main(fd, argc, argv);
}

static int
run_signer(int fd, int argc, char *argv[], bool debug)
{
	(void)debug;
	return signer_main(fd, argc, argv);
}

static int
run_usb(int fd, int argc, char *argv[], bool debug)
{
	(void)debug;
	return usbjob_main(fd, argc, argv);
}

static const struct {
	const char *name;
	int (*run)(int fd, int argc, char *argv[], bool debug);
} roles[] = {
	{ "console",	run_console },
	{ "dialer",	run_dialer },
	{ "gate",	run_gate },
	{ "modem",	run_modem },
	{ "notify",	run_notify },
	{ "opener",	run_opener },
	{ "power",	run_power },
	{ "ppp",	run_ppp },
	{ "reader",	run_reader },
	{ "signer",	run_signer },
	{ "sink",	run_sink },
	{ "ssh",	run_ssh },
	{ "usb",	run_usb },
};

static void
usage(FILE *to)
{
	fprintf(to, "usage: oobd [-f FILE] [-d]      run in the foreground\n"
	    "       oobd -n [-v] [-f FILE]  check the configuration (-v: "
	    "print it)\n"
	    "       oobd --help | --version\n"
	    "FILE is %s unless given.  See oobd(8), oobd.conf(5).\n",
	    config_default_path());
}

static struct options
parse_options(int argc, char *argv[])
{
	struct options o = { .file = config_default_path() };
	int c;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		exit(0);
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("oobd %s\n", OOBD_VERSION);
		exit(0);
	}
	while ((c = getopt(argc, argv, "B:df:nvR:S")) != -1) {
		switch (c) {
		case 'd':
			o.debug = true;
			break;
		case 'f':
			o.file = optarg;
			break;
		case 'n':
			o.check = true;
			break;
		case 'v':
			o.print = true;
			break;
		case 'R':	/* a child: only the supervisor says so, */
			o.role = optarg;
			break;
		case 'B':	/* ... and how it is confined */
			if (sandbox_mode_of(optarg, &o.sandbox))
				break;
			usage(stderr);
			exit(2);
		case 'S':
			o.syslog = true;
			break;
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (o.role == NULL && optind != argc) {
		usage(stderr);
		exit(2);
	}
	return o;
}

/* stderr leads somewhere: a terminal, a pipe, a file, the system's journal. */
static bool
stderr_is_read(void)
{
	struct stat st, null;

	if (fstat(STDERR_FILENO, &st) == -1)
		return false;
	if (stat("/dev/null", &null) == 0 && st.st_rdev == null.st_rdev &&
	    S_ISCHR(st.st_mode) && st.st_ino == null.st_ino)
		return false;
	return true;
}

static int
run_role(const struct options *o, int argc, char *argv[])
{
	/* No program that we start has anything to say there. */
	if (o->syslog)
		fcntl(LOG_FD, F_SETFD, FD_CLOEXEC);
	log_open(o->role, o->syslog ? LOG_TO_SUPERVISOR : LOG_TO_STDERR,
	    o->debug);
	os_no_dump();
	sandbox_set_mode(o->sandbox);
	/* From a file, which a confined process would not be given. */
	json_object_seed(0);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcmp(roles[i].name, o->role) == 0)
			return roles[i].run(CHILD_FD, argc, argv, o->debug);
	}
	fatalx("no such role: %s", o->role);
}

static void
print_error(void *arg, const char *message)
{
	(void)arg;
	fprintf(stderr, "%s\n", message);
}

static int
check_config(const struct options *o, struct config *conf)
{
	char *text;

	if (o->print) {
		text = config_print(conf, false);
		fputs(text, stdout);
		free(text);
	} else {
		printf("%s: configuration OK\n", o->file);
	}
	config_free(conf);
	return 0;
}

int
main(int argc, char *argv[])
{
	struct options o = parse_options(argc, argv);
	struct supervisor_conf sup = { .debug = o.debug };
	char program[PATH_MAX];
	struct config *conf;

	/* Else what has no room for a value leaves it out and says nothing. */
	json_set_alloc_funcs(xmalloc, free);
	if (o.role != NULL)
		return run_role(&o, argc - optind, argv + optind);
	conf = config_load(o.file, print_error, NULL);
	if (conf == NULL)
		return 1;
	if (o.check)
		return check_config(&o, conf);
	if (os_self_path(program, sizeof(program)) == -1)
		fatal("cannot find my own program");
	sup.program = program;
	sup.file = o.file;
	sup.syslog = !stderr_is_read();
	log_open(NULL, sup.syslog ? LOG_TO_SYSLOG : LOG_TO_STDERR, o.debug);
	os_no_dump();
	umask(077);
	return supervisor_main(&sup, conf);
}
