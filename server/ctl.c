/*
 * oobctl: the verbs on the box itself, over the control socket.  It is a
 * transport for one session, like an SSH channel: the session does the rest.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../serial/jdir.h"
#include "../serial/keys.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "config_internal.h"
#include "ctl_terminal.h"
#include "ctl_tools.h"
#include "reader.h"
#include "session.h"
#include "verbs.h"
#include "words.h"

#define INPUT_MAX 16384
#define PIECE 4096		/* fits into any pipe that has room at all */
#define AGAIN_MS 200
#define GIVE_UP_MS 30000
#define LEAVE_MS 2000

struct ctl {
	struct loop *loop;
	struct feed *feed;
	struct session *session;
	const char *socket;
	bool was_up, wants_pump, broken;
	bool terminal;		/* raw, and the session's */
	bool attached;		/* the verb is attach */
	struct buf *input;	/* read, not yet taken by the session */
	struct watch *in;	/* standard input; NULL when it is not read */
	struct watch *out[2];	/* until there is room */
	struct timer *again;	/* connect */
	struct timer *turn;	/* go round once more */
	struct timer *leave;
	struct mono lost;	/* when the link was */
	bool eof, eof_told;
};

static const char usage_text[] =
    "usage: oobctl [-e LEAD] [-s SOCKET] VERB [ARGUMENT ...]\n"
    "       oobctl -D LOGDIR grep|log|replay|export [ARGUMENT ...]\n"
    "       oobctl help [VERB]\n"
    "       oobctl --version\n"
    "SOCKET is $OOBD_CONTROL, or ";

static int
usage(FILE *to)
{
	fprintf(to, "%s%s.\n", usage_text, config_paths.control);
	return to == stdout ? ST_OK : ST_USAGE;
}

/* A connected socket, or -1 with errno. */
static int
connect_to(const char *path)
{
	struct sockaddr_un sun;
	int fd, error;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void
complain_of_socket(const char *path)
{
	if (errno == ENOENT || errno == ECONNREFUSED)
		fprintf(stderr, "oobctl: %s: is oobd running? (%s)\n", path,
		    strerror(errno));
	else if (errno == EACCES || errno == EPERM)
		fprintf(stderr, "oobctl: %s: %s: only root and the socket's "
		    "group may use it\n", path, strerror(errno));
	else
		fprintf(stderr, "oobctl: %s: %s\n", path, strerror(errno));
}

/*
 * The link
 */
static void
on_up(void *arg)
{
	struct ctl *c = arg;

	c->was_up = true;
	timer_stop(c->again);
}

static void
on_down(void *arg, const char *why)
{
	struct ctl *c = arg;

	if (!c->was_up) {
		ctl_terminal_restore();
		fprintf(stderr, "oobctl: %s: oobd does not talk to us: %s\n",
		    c->socket, why);
		loop_stop(c->loop, ST_FAILED);
		return;
	}
	/* A new console process is on its way; the socket is kept for it. */
	if (!timer_is_set(c->again))
		c->lost = mono_now();
	timer_set(c->again, AGAIN_MS);
}

static void
on_consoles(void *arg)
{
	(void)arg;
}

static void
on_again(void *arg)
{
	struct ctl *c = arg;
	int fd = connect_to(c->socket);

	if (fd != -1) {
		feed_link(c->feed, fd);
		/* If it breaks at once this counts on from the first loss. */
		timer_set(c->again, GIVE_UP_MS);
		return;
	}
	if (mono_ms(c->lost, mono_now()) > GIVE_UP_MS) {
		ctl_terminal_restore();
		complain_of_socket(c->socket);
		loop_stop(c->loop, ST_FAILED);
		return;
	}
	timer_set(c->again, AGAIN_MS);
}

static const struct feed_ops feed_ops = {
	.up = on_up,
	.down = on_down,
	.consoles = on_consoles,
};

/*
 * Output
 */
static bool
is_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1;
}

static size_t
on_room(void *arg)
{
	struct ctl *c = arg;

	if (c->broken)
		return PIECE;
	return is_writable(STDOUT_FILENO) && is_writable(STDERR_FILENO) ?
	    PIECE : 0;
}

static size_t
on_write(void *arg, int stream, const void *p, size_t n)
{
	struct ctl *c = arg;
	ssize_t w;

	if (c->broken)
		return n;
	if (n > PIECE)
		n = PIECE;
	w = write(stream, p, n);
	if (w >= 0)
		return (size_t)w;
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	/* Nobody reads it any more: swallow the rest, and end. */
	c->broken = true;
	if (errno != EPIPE) {
		ctl_terminal_restore();
		fprintf(stderr, "oobctl: cannot write: %s\n", strerror(errno));
	}
	loop_stop(c->loop, ST_FAILED);
	return n;
}

static void
on_wants_pump(void *arg)
{
	((struct ctl *)arg)->wants_pump = true;
}

static void
on_done(void *arg, int status)
{
	struct ctl *c = arg;

	loop_stop(c->loop, status);
}

static const struct session_ops session_ops = {
	on_room, on_write, on_wants_pump, on_done, NULL
};

static void
on_writable(void *arg, short revents)
{
	struct ctl *c = arg;

	(void)revents;
	c->wants_pump = true;
}

/*
 * One look at each: it may become writable between two, and whoever then
 * neither waits for it nor goes on stands still.
 */
static void
watch_output(struct ctl *c)
{
	bool any = session_has_output(c->session), waits = false;

	for (int i = 0; i < 2; i++) {
		bool full = any && !is_writable(STDOUT_FILENO + i);

		watch_want(c->out[i], full ? POLLOUT : 0);
		waits = waits || full;
	}
	if (any && !waits)
		c->wants_pump = true;
}

/*
 * Input
 */
static void
offer_input(struct ctl *c)
{
	size_t n = buf_len(c->input);

	if (n > 0)
		buf_drop(c->input, session_input(c->session,
		    buf_data(c->input), n));
	if (c->in == NULL)
		return;
	watch_want(c->in, buf_len(c->input) > 0 ? 0 : POLLIN);
}

static void
on_input(void *arg, short revents)
{
	struct ctl *c = arg;
	size_t got;
	uint8_t *p = buf_reserve(c->input, INPUT_MAX, &got);
	ssize_t n;

	(void)revents;
	if (p == NULL)
		return;
	n = read(STDIN_FILENO, p, got);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		buf_commit(c->input, (size_t)n);
	} else {
		c->eof = true;
		watch_free(c->in);
		c->in = NULL;
	}
	offer_input(c);
	c->wants_pump = true;
}

static void
each_turn(void *arg)
{
	struct ctl *c = arg;

	if (!c->wants_pump)
		return;
	c->wants_pump = false;
	offer_input(c);
	if (c->eof && !c->eof_told && buf_len(c->input) == 0) {
		c->eof_told = true;
		session_eof(c->session);
	}
	session_pump(c->session);
	watch_output(c);
	/* More at once, but not before a look at the rest of the world. */
	if (c->wants_pump)
		timer_set(c->turn, 0);
}

static void
on_turn(void *arg)
{
	(void)arg;
}

/*
 * Signals
 */
static void
on_signal(void *arg, int signo)
{
	struct ctl *c = arg;
	unsigned columns, rows;

	switch (signo) {
	case SIGWINCH:
		if (c->terminal) {
			ctl_terminal_size(&columns, &rows);
			session_terminal(c->session, columns, rows);
		}
		break;
	case SIGTSTP:
		ctl_terminal_suspend();
		break;
	case SIGINT:
		/* Raw, ^C comes as a byte; else it ends what runs here. */
		session_signal(c->session, c->attached ? "TERM" : "INT");
		break;
	default:
		session_signal(c->session, "TERM");
		timer_set(c->leave, LEAVE_MS);
		break;
	}
}

static void
take_signals(struct ctl *c)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM,
	    SIGTSTP, SIGWINCH };

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		loop_signal(c->loop, signals[i], on_signal, c);
}

static void
on_leave(void *arg)
{
	struct ctl *c = arg;

	loop_stop(c->loop, ST_FAILED);
}

/*
 * Running a verb
 */
static int
run(struct ctl *c, const char *command, const struct verb *v, int escape)
{
	const struct session_user user = { "local", "local", "local", "",
	    NULL, escape };
	unsigned columns, rows;
	int status;

	c->session = session_new(c->loop, c->feed, &user, &session_ops, c);
	c->attached = v->where == VERB_CLIENT;
	c->terminal = v->keys && ctl_terminal_is_one() &&
	    ctl_terminal_raw() == 0;
	if (c->terminal) {
		ctl_terminal_size(&columns, &rows);
		session_terminal(c->session, columns, rows);
	}
	/* What no verb reads is left to whoever runs us. */
	if (v->where == VERB_CLIENT || c->terminal)
		c->in = watch_new(c->loop, STDIN_FILENO, POLLIN, on_input, c);
	take_signals(c);
	loop_each_turn(c->loop, each_turn, c);
	session_start_exec(c->session, command, NULL);
	status = loop_run(c->loop);
	ctl_terminal_restore();
	return status;
}

static int
connect_and_run(const char *path, const char *command, const struct verb *v,
    int escape)
{
	struct ctl c = { .socket = path };
	int fd = connect_to(path), status;

	if (fd == -1) {
		complain_of_socket(path);
		return ST_FAILED;
	}
	c.loop = loop_new();
	c.input = buf_new(INPUT_MAX);
	c.again = timer_new(c.loop, on_again, &c);
	c.turn = timer_new(c.loop, on_turn, &c);
	c.leave = timer_new(c.loop, on_leave, &c);
	for (int i = 0; i < 2; i++) {
		c.out[i] = watch_new(c.loop, STDOUT_FILENO + i, POLLOUT,
		    on_writable, &c);
		watch_pause(c.out[i]);
	}
	c.feed = feed_new(c.loop, "oobctl", &feed_ops, &c);
	feed_link(c.feed, fd);
	status = run(&c, command, v, escape);
	session_free(c.session);
	feed_free(c.feed);
	timer_free(c.again);
	timer_free(c.turn);
	timer_free(c.leave);
	watch_free(c.in);
	watch_free(c.out[0]);
	watch_free(c.out[1]);
	buf_free(c.input);
	loop_free(c.loop);
	return status;
}

static void
print(void *arg, const char *text)
{
	fputs(text, arg);
}

/*
 * The journals in the folder, with commas between, the caller's to free; or
 * NULL, and told.
 */
static char *
all_journals(const char *log_dir, size_t *count)
{
	char *all = xstrdup(""), *more;
	struct dirent **list;
	int n = scandir(log_dir, &list, NULL, alphasort);

	*count = 0;
	if (n == -1)
		fprintf(stderr, "oobctl: %s: %s\n", log_dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (str_is_name(list[i]->d_name)) {
			more = xasprintf("%s%s%s", all, *count == 0 ? "" : ",",
			    list[i]->d_name);
			free(all);
			all = more;
			++*count;
		}
		free(list[i]);
	}
	if (n != -1)
		free(list);
	if (n != -1 && *count == 0)
		fprintf(stderr, "oobctl: %s: no journal there\n", log_dir);
	if (*count > 0)
		return all;
	free(all);
	return NULL;
}

/* Those named behind the first `skip` words, or all there are. */
static char *
named_journals(const char *log_dir, const struct verb_words *w, int skip)
{
	char *list, *more;
	size_t count;

	if (w->nplain > skip) {
		list = xstrdup(w->plain[skip]);
		for (int i = skip + 1; i < w->nplain; i++) {
			more = xasprintf("%s,%s", list, w->plain[i]);
			free(list);
			list = more;
		}
		return list;
	}
	list = all_journals(log_dir, &count);
	if (list == NULL || skip > 0 || count == 1)
		return list;
	fprintf(stderr, "oobctl: %s: which console?  Name one of its "
	    "folders\n", log_dir);
	free(list);
	return NULL;
}

static int
offline(const char *log_dir, const struct verb *v, int argc, char **argv)
{
	int skip = v->target == VERB_LAST ? 1 : 0, n = 0, status;
	char *words[ARGS_MAX + 3], *consoles;
	struct verb_words w;

	if (v->where != VERB_READER || argc >= ARGS_MAX) {
		fprintf(stderr, "oobctl: -D works with grep, log, last, "
		    "replay, verify and export only\n");
		return ST_USAGE;
	}
	verb_split(v, argc, argv, &w);
	if (w.nplain < skip || (v->target == VERB_BOX && w.nplain > 0) ||
	    (skip == 0 && w.nplain > 1)) {
		verbs_usage(v, print, stderr);
		return ST_USAGE;
	}
	consoles = v->target == VERB_BOX ? xstrdup(JDIR_BOX) :
	    named_journals(log_dir, &w, skip);
	if (consoles == NULL)
		return ST_NO_CONSOLE;
	words[n++] = argv[0];
	words[n++] = consoles;
	if (skip > 0)
		words[n++] = w.plain[0];
	for (int i = 0; i < w.noptions; i++)
		words[n++] = w.options[i];
	words[n] = NULL;
	status = reader_offline(log_dir, n, words);
	free(consoles);
	return status;
}

static int
run_words(const char *path, int escape, const struct verb *v, int argc,
    char **argv)
{
	char *command = words_join(argc, argv);
	int status;

	if (command == NULL) {
		fprintf(stderr, "oobctl: the command is too long\n");
		return ST_USAGE;
	}
	status = connect_and_run(path, command, v, escape);
	free(command);
	return status;
}

int
main(int argc, char **argv)
{
	const char *log_dir = NULL, *path = getenv("OOBD_CONTROL");
	const struct verb *v;
	int c, escape = KEYS_LEAD;

	json_set_alloc_funcs(xmalloc, free);	/* as the daemon does */
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("oobctl %s\n", OOBD_VERSION);
		return ST_OK;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	/* "+": a verb's own options are the verb's. */
	while ((c = getopt(argc, argv, "+D:e:s:")) != -1) {
		if (c == 'D')
			log_dir = optarg;
		else if (c == 's')
			path = optarg;
		else if (c != 'e' || keys_parse_lead(optarg, &escape) == -1)
			return usage(stderr);
	}
	if (path == NULL || *path == '\0')
		path = config_paths.control;
	argc -= optind;
	argv += optind;
	if (argc == 0)
		return usage(stderr);
	v = verb_find(argv[0]);
	if (v == NULL) {
		fprintf(stderr, "oobctl: no such verb: %s (oobctl help lists "
		    "them)\n", argv[0]);
		return ST_USAGE;
	}
	if (strcmp(v->name, "help") == 0)
		return verbs_help(argc, argv, print, stdout);
	if (ctl_tool(argc, argv) != NULL)
		return ctl_tool(argc, argv)(argc, argv);
	if (log_dir != NULL)
		return offline(log_dir, v, argc, argv);
	return run_words(path, escape, v, argc, argv);
}
