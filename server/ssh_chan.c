#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libssh/callbacks.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "session.h"
#include "ssh_chan.h"
#include "ssh_echo.h"
#include "ssh_hook.h"

#define WRITE_MAX 16384u	/* bytes per packet, and per write */
#define TURN_MAX (4 * WRITE_MAX) /* bytes per turn, so that all get theirs */
#define DRAIN_MS 5000		/* for the last output of a session */

/*
 *	NEW -> RUNNING or ECHOING -> ENDING -> CLOSING -> CLOSED
 * ECHOING: our own drill, which gets no session.  ENDING: the session is done,
 * its last output goes out.  CLOSING: our close is on its way.  The client's
 * close is a flag: it can come at any time.
 */
enum chan_state {
	CHAN_NEW,
	CHAN_ECHOING,
	CHAN_RUNNING,
	CHAN_ENDING,
	CHAN_CLOSING,
	CHAN_CLOSED,
};

enum start {
	START_NOT,
	START_SHELL,
	START_STREAM,
	START_EXEC,
};

enum blocked {
	BLOCKED_NOT,
	BLOCKED_SOCKET,		/* go on when it is writable */
	BLOCKED_PEER,		/* go on when the peer has sent something */
};

struct ssh_chan {
	struct ssh_conn *conn;
	ssh_channel channel;
	struct ssh_channel_callbacks_struct callbacks;
	enum chan_state state;
	struct session *session;
	struct ssh_echo *echo;
	/* Noted by callbacks. */
	enum start start;
	char *what;		/* command, or console of the subsystem */
	bool has_pty, resized;
	unsigned columns, rows;
	bool eof, remote_closed, break_asked;
	char signal[16];
	/* Input that the session did not take. */
	size_t left;		/* in libssh's buffer */
	struct buf *in;
	bool eof_told;
	/* Output. */
	bool pumping;
	enum blocked blocked;
	size_t budget;
	uint32_t fits;		/* see ssh_hook_write */
	/* The end. */
	int status;
	bool started;		/* there is an exit status to send */
	char farewell[128];
	struct timer *drain;
	bool drained;		/* time is up */
};

static void
change_state(struct ssh_chan *c, enum chan_state state)
{
	c->state = state;
	ssh_conn_wake(c->conn);
}

/* What the session calls. */

static size_t
on_room(void *arg)
{
	struct ssh_chan *c = arg;
	size_t n;

	if (!c->pumping || c->blocked != BLOCKED_NOT)
		return 0;
	n = ssh_channel_window_size(c->channel);
	if (n > WRITE_MAX)
		n = WRITE_MAX;
	return n < c->budget ? n : c->budget;
}

static size_t
on_write(void *arg, int stream, const void *p, size_t n)
{
	struct ssh_chan *c = arg;
	size_t room = on_room(c);
	int r;

	if (n > room)
		n = room;
	if (n == 0)
		return 0;
	if (!ssh_conn_writable(c->conn)) {
		c->blocked = BLOCKED_SOCKET;
		return 0;
	}
	r = ssh_hook_write(c->channel, stream, p, (uint32_t)n, &c->fits);
	if (r == -2)
		ssh_conn_fail(c->conn, "wants packets under 64 bytes");
	if (r <= 0) {
		/* Closing, or in the middle of a key exchange. */
		c->blocked = BLOCKED_PEER;
		return 0;
	}
	c->budget -= (size_t)r;
	return (size_t)r;
}

static void
on_wants_pump(void *arg)
{
	struct ssh_chan *c = arg;

	if (!c->pumping)
		ssh_conn_wake(c->conn);
}

static void
on_done(void *arg, int status)
{
	struct ssh_chan *c = arg;

	if (c->state != CHAN_RUNNING)
		return;
	c->status = status;
	change_state(c, CHAN_ENDING);
}

static const struct session_ops session_ops = {
	.room = on_room,
	.write = on_write,
	.wants_pump = on_wants_pump,
	.done = on_done,
	.input_ready = on_wants_pump,
};

/* What libssh calls: notes only. */

static int
on_data(ssh_session s, ssh_channel channel, void *data, uint32_t n,
    int is_stderr, void *arg)
{
	struct ssh_chan *c = arg;
	size_t taken;

	(void)s;
	(void)channel;
	ssh_conn_typed(c->conn);
	if (n > SSH_CHAN_INPUT_MAX) {
		/* More than its window: it would fill our memory. */
		ssh_conn_fail(c->conn, "ignores its window");
		return (int)n;
	}
	if (is_stderr || c->eof || c->state > CHAN_RUNNING)
		return (int)n;
	c->left = n;
	ssh_conn_wake(c->conn);
	if (c->state != CHAN_RUNNING || ssh_conn_is_running(c->conn) ||
	    buf_len(c->in) > 0)
		return 0;
	taken = session_input(c->session, data, n);
	c->left = n - taken;
	return (int)taken;
}

static void
on_eof(ssh_session s, ssh_channel channel, void *arg)
{
	struct ssh_chan *c = arg;

	(void)s;
	(void)channel;
	c->eof = true;
	ssh_conn_wake(c->conn);
}

static void
on_close(ssh_session s, ssh_channel channel, void *arg)
{
	struct ssh_chan *c = arg;

	(void)s;
	(void)channel;
	c->eof = true;
	c->remote_closed = true;
	ssh_conn_wake(c->conn);
}

static void
on_signal(ssh_session s, ssh_channel channel, const char *name, void *arg)
{
	struct ssh_chan *c = arg;

	(void)s;
	(void)channel;
	snprintf(c->signal, sizeof(c->signal), "%s", name);
	ssh_conn_wake(c->conn);
}

static void
note_size(struct ssh_chan *c, int columns, int rows)
{
	/* A terminal of no size is taken for the usual one. */
	c->columns = columns > 0 && columns < 10000 ? (unsigned)columns : 80;
	c->rows = rows > 0 && rows < 10000 ? (unsigned)rows : 24;
	c->resized = true;
	ssh_conn_wake(c->conn);
}

static int
on_pty(ssh_session s, ssh_channel channel, const char *term, int columns,
    int rows, int px, int py, void *arg)
{
	struct ssh_chan *c = arg;

	(void)s;
	(void)channel;
	(void)term;
	(void)px;
	(void)py;
	if (c->state != CHAN_NEW || c->start != START_NOT || c->has_pty)
		return SSH_ERROR;
	c->has_pty = true;
	note_size(c, columns, rows);
	return SSH_OK;
}

static int
on_window(ssh_session s, ssh_channel channel, int columns, int rows, int px,
    int py, void *arg)
{
	struct ssh_chan *c = arg;

	(void)s;
	(void)channel;
	(void)px;
	(void)py;
	if (!c->has_pty)
		return SSH_ERROR;
	note_size(c, columns, rows);
	return SSH_OK;
}

static int
ask_start(struct ssh_chan *c, enum start start, const char *what)
{
	if (c->state != CHAN_NEW || c->start != START_NOT)
		return SSH_ERROR;
	c->start = start;
	c->what = what == NULL ? NULL : xstrdup(what);
	ssh_conn_wake(c->conn);
	return SSH_OK;
}

static int
on_shell(ssh_session s, ssh_channel channel, void *arg)
{
	(void)s;
	(void)channel;
	return ask_start(arg, START_SHELL, NULL);
}

static int
on_exec(ssh_session s, ssh_channel channel, const char *command, void *arg)
{
	struct ssh_chan *c = arg;

	(void)s;
	(void)channel;
	if (strlen(command) > SSH_CHAN_COMMAND_MAX) {
		ssh_conn_refused(c->conn, SSH_REFUSED_REQUEST,
		    "a command of more than 4096 bytes");
		return SSH_ERROR;
	}
	return ask_start(c, START_EXEC, command);
}

static int
on_subsystem(ssh_session s, ssh_channel channel, const char *name, void *arg)
{
	struct ssh_chan *c = arg;

	(void)s;
	(void)channel;
	if (strcmp(name, "console") == 0)
		return ask_start(c, START_STREAM, NULL);
	if (strncmp(name, "console:", 8) == 0 &&
	    strlen(name) < 8 + SSH_AUTH_NAME)
		return ask_start(c, START_STREAM, name + 8);
	ssh_conn_refused(c->conn, SSH_REFUSED_SUBSYSTEM, name);
	return SSH_ERROR;
}

static int
on_env(ssh_session s, ssh_channel channel, const char *name,
    const char *value, void *arg)
{
	struct ssh_chan *c = arg;

	(void)s;
	(void)channel;
	(void)value;
	ssh_conn_refused(c->conn, SSH_REFUSED_ENV, name);
	return SSH_ERROR;
}

static const struct ssh_channel_callbacks_struct callbacks = {
	.channel_data_function = on_data,
	.channel_eof_function = on_eof,
	.channel_close_function = on_close,
	.channel_signal_function = on_signal,
	.channel_pty_request_function = on_pty,
	.channel_shell_request_function = on_shell,
	.channel_pty_window_change_function = on_window,
	.channel_exec_request_function = on_exec,
	.channel_env_request_function = on_env,
	.channel_subsystem_request_function = on_subsystem,
};

struct ssh_chan *
ssh_chan_new(struct ssh_conn *conn, ssh_session session)
{
	struct ssh_chan *c = xcalloc(1, sizeof(*c));

	c->conn = conn;
	c->in = buf_new(SSH_CHAN_INPUT_MAX);
	c->channel = ssh_channel_new(session);
	if (c->channel == NULL) {
		buf_free(c->in);
		free(c);
		return NULL;
	}
	c->callbacks = callbacks;
	c->callbacks.userdata = c;
	ssh_callbacks_init(&c->callbacks);
	ssh_set_channel_callbacks(c->channel, &c->callbacks);
	return c;
}

ssh_channel
ssh_chan_channel(const struct ssh_chan *c)
{
	return c->channel;
}

void
ssh_chan_free(struct ssh_chan *c, bool release)
{
	ssh_echo_free(c->echo);
	session_free(c->session);
	/* libssh calls them on late data even after ssh_channel_free. */
	ssh_remove_channel_callbacks(c->channel, &c->callbacks);
	if (release)
		ssh_channel_free(c->channel);
	timer_free(c->drain);
	buf_free(c->in);
	free(c->what);
	free(c);
}

void
ssh_chan_heard(struct ssh_chan *c)
{
	if (c->state == CHAN_RUNNING)
		session_heard(c->session);
}

void
ssh_chan_lost(struct ssh_chan *c, bool silent)
{
	if (c->state == CHAN_RUNNING)
		session_lost(c->session, silent);
}

/* Input. */

void
ssh_chan_fetch(ssh_channel channel, size_t *left, struct buf *in)
{
	size_t want = *left, n;
	uint8_t *p;
	int r;

	if (want == 0 || buf_len(in) > 0)
		return;
	p = buf_reserve(in, want, &n);
	if (p == NULL)
		return;
	/* More may come while libssh reads: the callback says how much. */
	*left = 0;
	r = ssh_channel_read_nonblocking(channel, p,
	    (uint32_t)(n < want ? n : want), 0);
	if (r > 0)
		buf_commit(in, (size_t)r);
}

static void
deliver_input(struct ssh_chan *c)
{
	size_t n;

	do {
		ssh_chan_fetch(c->channel, &c->left, c->in);
		n = buf_len(c->in);
		if (n > 0) {
			n = session_input(c->session, buf_data(c->in), n);
			buf_drop(c->in, n);
		}
	} while (n > 0 && c->left > 0 && buf_len(c->in) == 0 &&
	    c->state == CHAN_RUNNING);
	if (c->eof && !c->eof_told && c->left == 0 && buf_len(c->in) == 0 &&
	    c->state == CHAN_RUNNING) {
		c->eof_told = true;
		session_eof(c->session);
	}
}

static void
deliver_notes(struct ssh_chan *c)
{
	if (c->resized) {
		c->resized = false;
		session_terminal(c->session, c->columns, c->rows);
	}
	deliver_input(c);
	if (c->break_asked) {
		c->break_asked = false;
		session_break(c->session);
	}
	if (c->signal[0] != '\0') {
		session_signal(c->session, c->signal);
		c->signal[0] = '\0';
	}
}

/* Output. */

static void
pump(struct ssh_chan *c)
{
	if (c->session == NULL)
		return;
	c->pumping = true;
	session_pump(c->session);
	c->pumping = false;
}

/* Begin. */

static void
on_echo(void *arg, int status, const char *text)
{
	struct ssh_chan *c = arg;

	ssh_echo_free(c->echo);
	c->echo = NULL;
	snprintf(c->farewell, sizeof(c->farewell), "%s\n", text);
	c->status = status;
	change_state(c, CHAN_ENDING);
}

static void
start_echo(struct ssh_chan *c)
{
	c->started = true;
	if (ssh_conn_full(c->conn) != NULL) {
		ssh_chan_end(c, ssh_conn_full(c->conn), ST_FAILED);
		return;
	}
	if (c->start != START_EXEC || c->has_pty) {
		ssh_chan_end(c, "this login is for the drill alone",
		    ST_DENIED);
		return;
	}
	c->echo = ssh_echo_new(ssh_conn_loop(c->conn), ssh_conn_feed(c->conn),
	    c->what, on_echo, c);
	change_state(c, CHAN_ECHOING);
}

static const char *
wanted_console(const struct ssh_chan *c)
{
	const char *console = ssh_conn_who(c->conn)->console;

	if (c->start == START_STREAM && c->what != NULL)
		return c->what;
	return console[0] != '\0' ? console : NULL;
}

static void
start_session(struct ssh_chan *c)
{
	const struct ssh_auth_who *who = ssh_conn_who(c->conn);
	const struct session_user user = {
		.name = who->user,
		.from = ssh_conn_from(c->conn),
		.via = ssh_conn_via(c->conn),
		.key = ssh_conn_key(c->conn),
		.voucher = ssh_conn_voucher(c->conn),
		.escape = who->escape,
	};
	const char *console = wanted_console(c);

	c->started = true;
	if (ssh_conn_full(c->conn) != NULL) {
		ssh_chan_end(c, ssh_conn_full(c->conn), ST_FAILED);
		return;
	}
	c->session = session_new(ssh_conn_loop(c->conn),
	    ssh_conn_feed(c->conn), &user, &session_ops, c);
	change_state(c, CHAN_RUNNING);
	if (c->has_pty)
		session_terminal(c->session, c->columns, c->rows);
	c->resized = false;
	switch (c->start) {
	case START_SHELL:
		session_start_shell(c->session, console);
		break;
	case START_STREAM:
		session_start_stream(c->session, console);
		break;
	case START_EXEC:
		session_start_exec(c->session, c->what, console);
		break;
	case START_NOT:
		break;
	}
}

/* End. */

static void
on_drain_over(void *arg)
{
	struct ssh_chan *c = arg;

	c->drained = true;
	ssh_conn_wake(c->conn);
}

/* The last words.  True when nothing is left to be written. */
static bool
say_farewell(struct ssh_chan *c)
{
	size_t n = strlen(c->farewell), w;

	if (n == 0)
		return true;
	c->pumping = true;
	w = on_write(c, 2, c->farewell, n);
	c->pumping = false;
	memmove(c->farewell, c->farewell + w, n - w + 1);
	return w == n;
}

static void
drain(struct ssh_chan *c)
{
	pump(c);
	if (!c->drained && !c->remote_closed &&
	    ((c->session != NULL && session_has_output(c->session)) ||
	    !say_farewell(c))) {
		if (c->drain == NULL) {
			c->drain = timer_new(ssh_conn_loop(c->conn),
			    on_drain_over, c);
			timer_set(c->drain, DRAIN_MS);
		}
		return;
	}
	session_free(c->session);
	c->session = NULL;
	if (c->started && !c->remote_closed)
		ssh_channel_request_send_exit_status(c->channel, c->status);
	change_state(c, CHAN_CLOSING);
}

/* Sends EOF first; with SSH_AGAIN the close itself has not been sent. */
static void
send_close(struct ssh_chan *c)
{
	if (ssh_channel_close(c->channel) == SSH_AGAIN) {
		c->blocked = BLOCKED_SOCKET;
		return;
	}
	change_state(c, CHAN_CLOSED);
}

void
ssh_chan_end(struct ssh_chan *c, const char *text, int status)
{
	if (c->state > CHAN_RUNNING)
		return;
	ssh_chan_lost(c, false);
	session_free(c->session);
	c->session = NULL;
	ssh_echo_free(c->echo);
	c->echo = NULL;
	if (c->started)
		snprintf(c->farewell, sizeof(c->farewell),
		    "%s[oobd: %s]\r\n", c->has_pty ? "\r\n" : "", text);
	c->status = status;
	change_state(c, CHAN_ENDING);
}

static bool
step(struct ssh_chan *c)
{
	enum chan_state before = c->state;

	switch (c->state) {
	case CHAN_NEW:
		if (c->remote_closed)
			change_state(c, CHAN_CLOSING);
		else if (c->start != START_NOT && ssh_conn_is_drill(c->conn))
			start_echo(c);
		else if (c->start != START_NOT)
			start_session(c);
		break;
	case CHAN_ECHOING:
		if (c->remote_closed)
			ssh_chan_end(c, "", ST_FAILED);
		break;
	case CHAN_RUNNING:
		if (c->remote_closed) {
			change_state(c, CHAN_ENDING);
			break;
		}
		deliver_notes(c);
		if (c->state == CHAN_RUNNING)
			pump(c);
		break;
	case CHAN_ENDING:
		drain(c);
		break;
	case CHAN_CLOSING:
		send_close(c);
		break;
	case CHAN_CLOSED:
		break;
	}
	return c->state != before;
}

void
ssh_chan_run(struct ssh_chan *c)
{
	c->blocked = BLOCKED_NOT;
	c->budget = TURN_MAX;
	while (step(c))
		continue;
}

bool
ssh_chan_wants_out(const struct ssh_chan *c)
{
	return c->blocked == BLOCKED_SOCKET || c->budget == 0;
}

bool
ssh_chan_is_over(const struct ssh_chan *c)
{
	return c->state == CHAN_CLOSED && c->remote_closed;
}

bool
ssh_chan_is_closed(const struct ssh_chan *c)
{
	return c->state == CHAN_CLOSED;
}

void
ssh_chan_break(struct ssh_chan *c)
{
	c->break_asked = true;
	ssh_conn_wake(c->conn);
}
