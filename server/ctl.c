#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "config_internal.h"
#include "ctl_terminal.h"
#include "reader.h"
#include "session.h"
#include "verbs.h"
#include "words.h"

#define WRITE_BYTES 65536
#define READ_BYTES 16384
#define AGAIN_MS 200		/* between tries to reach a restarted daemon */
#define AGAIN_TRIES 150

struct ctl {
	const char *socket;
	struct loop *loop;
	struct feed *feed;
	struct session *session;
	struct watch *in;
	struct timer *pump, *again;
	char *command;
	bool started, raw, keep, eof;
	int tries;
	uint8_t held[READ_BYTES];	/* typed, not yet taken */
	size_t nheld;
};

static void
usage(FILE *to)
{
	fprintf(to, "usage: oobctl [-s SOCKET] VERB ...\n"
	    "       oobctl -D LOGDIR log|replay ...  read journals without a "
	    "daemon\n"
	    "       oobctl help [VERB]\n"
	    "       oobctl --version\n"
	    "SOCKET is $OOBD_CONTROL or %s.\n", config_paths.control);
}

static int
connect_to(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, saved;

	if (strlen(path) >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static void
complain_socket(const char *path)
{
	if (errno == EACCES)
		fprintf(stderr, "oobctl: %s: you may not use it: be root, or "
		    "in its group (%s)\n", path, strerror(errno));
	else
		fprintf(stderr, "oobctl: %s: is oobd running? (%s)\n", path,
		    strerror(errno));
}

/* The transport of the session: our own standard streams. */

static size_t
on_room(void *arg)
{
	(void)arg;
	return WRITE_BYTES;
}

/* Whoever reads our output may be slow: only we wait for him. */
static size_t
on_write(void *arg, int stream, const void *p, size_t n)
{
	struct ctl *c = arg;

	if (fd_write_all(stream == 2 ? STDERR_FILENO : STDOUT_FILENO, p,
	    n) == -1)
		loop_stop(c->loop, ST_FAILED);	/* nobody is left to read */
	return n;
}

static void
on_wants_pump(void *arg)
{
	struct ctl *c = arg;

	timer_set(c->pump, 0);
}

static void
on_done(void *arg, int status)
{
	struct ctl *c = arg;

	loop_stop(c->loop, status);
}

static const struct session_ops session_ops = {
	.room = on_room,
	.write = on_write,
	.wants_pump = on_wants_pump,
	.done = on_done,
};

static void
offer_input(struct ctl *c)
{
	size_t n = session_input(c->session, c->held, c->nheld);

	c->nheld -= n;
	memmove(c->held, c->held + n, c->nheld);
	if (c->nheld > 0)
		return;
	if (c->eof)
		session_eof(c->session);
	else if (c->in != NULL)
		watch_set(c->in, POLLIN);
}

static void
on_pump(void *arg)
{
	struct ctl *c = arg;

	session_pump(c->session);
	if (c->nheld > 0)
		offer_input(c);
}

static void
on_stdin(void *arg, short revents)
{
	struct ctl *c = arg;
	ssize_t n;

	(void)revents;
	n = read(STDIN_FILENO, c->held, sizeof(c->held));
	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	watch_pause(c->in);
	c->eof = n <= 0;
	c->nheld = n > 0 ? (size_t)n : 0;
	offer_input(c);
}

static void
on_signal(void *arg, int signo)
{
	struct ctl *c = arg;
	unsigned columns, rows;

	if (signo == SIGWINCH) {
		terminal_size(&columns, &rows);
		session_terminal(c->session, columns, rows);
		return;
	}
	if (c->started)
		session_signal(c->session, "INT");
	else
		loop_stop(c->loop, 130);
}

/* The link to the console process. */

static void
on_consoles(void *arg)
{
	(void)arg;
}

static void
on_up(void *arg)
{
	struct ctl *c = arg;

	c->tries = 0;
	if (c->started)
		return;
	c->started = true;
	session_start_exec(c->session, c->command, NULL);
}

static void
on_down(void *arg, const char *why)
{
	struct ctl *c = arg;

	if (c->keep && c->started) {
		timer_set(c->again, AGAIN_MS);
		return;
	}
	fprintf(stderr, "oobctl: the daemon went away (%s)\n", why);
	loop_stop(c->loop, ST_FAILED);
}

static void
on_again(void *arg)
{
	struct ctl *c = arg;
	int fd = connect_to(c->socket);

	if (fd != -1) {
		feed_link(c->feed, fd);
	} else if (++c->tries == AGAIN_TRIES) {
		complain_socket(c->socket);
		loop_stop(c->loop, ST_FAILED);
	} else {
		timer_set(c->again, AGAIN_MS);
	}
}

static const struct feed_ops feed_ops = {
	.up = on_up,
	.down = on_down,
	.consoles = on_consoles,
};

static void
prepare_terminal(struct ctl *c, bool keys)
{
	unsigned columns, rows;

	if (!keys)
		return;
	c->in = watch_new(c->loop, STDIN_FILENO, POLLIN, on_stdin, c);
	if (!terminal_is_there() || terminal_raw() == -1)
		return;
	c->raw = true;
	terminal_size(&columns, &rows);
	session_terminal(c->session, columns == 0 ? 80 : columns,
	    rows == 0 ? 24 : rows);
	loop_signal(c->loop, SIGWINCH, on_signal, c);
}

static int
run(const char *path, int argc, char *argv[])
{
	static struct ctl c;
	const struct verb *verb = verb_find(argv[0]);
	const struct session_user user = { "", "local", "oobctl", "", 5 };
	int fd, status;

	c.socket = path;
	c.command = words_join(argc, argv);
	if (c.command == NULL) {
		fprintf(stderr, "oobctl: too many words\n");
		return ST_USAGE;
	}
	fd = connect_to(path);
	if (fd == -1) {
		complain_socket(path);
		return ST_FAILED;
	}
	c.keep = verb != NULL && strcmp(verb->name, "attach") == 0;
	c.loop = loop_new();
	c.pump = timer_new(c.loop, on_pump, &c);
	c.again = timer_new(c.loop, on_again, &c);
	c.feed = feed_new(c.loop, "oobctl", &feed_ops, &c);
	c.session = session_new(c.loop, c.feed, &user, &session_ops, &c);
	prepare_terminal(&c, verb != NULL && verb->keys);
	signal(SIGPIPE, SIG_IGN);
	loop_signal(c.loop, SIGINT, on_signal, &c);
	feed_link(c.feed, fd);
	status = loop_run(c.loop);
	terminal_restore();
	session_free(c.session);
	feed_free(c.feed);
	free(c.command);
	return status;
}

/* Journals without a daemon. */

/* The only journal in the folder, or NULL (and told). */
static char *
only_journal(const char *log_dir)
{
	DIR *d = opendir(log_dir);
	char *only = NULL;
	struct dirent *e;
	bool many = false;

	if (d == NULL) {
		fprintf(stderr, "oobctl: %s: %s\n", log_dir, strerror(errno));
		return NULL;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		many = only != NULL;
		if (many)
			break;
		only = strdup(e->d_name);
	}
	closedir(d);
	if (only != NULL && !many)
		return only;
	fprintf(stderr, "oobctl: %s: %s\n", log_dir, many ?
	    "which console?  Name one of its folders" : "no journal there");
	free(only);
	return NULL;
}

static int
offline(const char *log_dir, int argc, char *argv[])
{
	char *words[ARGS_MAX], *only;
	int status;

	if (argc > 1 && argv[1][0] != '-')
		return reader_offline(log_dir, argc, argv);
	if (argc + 1 > ARGS_MAX)
		return ST_USAGE;
	only = only_journal(log_dir);
	if (only == NULL)
		return ST_NO_CONSOLE;
	words[0] = argv[0];
	words[1] = only;
	for (int i = 1; i < argc; i++)
		words[i + 1] = argv[i];
	status = reader_offline(log_dir, argc + 1, words);
	free(only);
	return status;
}

static void
print_help(void *arg, const char *text)
{
	(void)arg;
	fputs(text, stdout);
}

int
main(int argc, char *argv[])
{
	const char *path = getenv("OOBD_CONTROL"), *log_dir = NULL;
	int c;

	if (path == NULL)
		path = config_paths.control;
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("oobctl %s\n", OOBD_VERSION);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	/* "+": a verb's own options are the verb's. */
	while ((c = getopt(argc, argv, "+D:s:")) != -1) {
		switch (c) {
		case 'D':
			log_dir = optarg;
			break;
		case 's':
			path = optarg;
			break;
		default:
			usage(stderr);
			return ST_USAGE;
		}
	}
	argc -= optind;
	argv += optind;
	if (argc == 0) {
		usage(stderr);
		return ST_USAGE;
	}
	if (strcmp(argv[0], "help") == 0)
		return verbs_help(argc, argv, print_help, NULL);
	if (log_dir != NULL)
		return offline(log_dir, argc, argv);
	return run(path, argc, argv);
}
