#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ssh_echo.h"

struct ssh_echo {
	struct feed *feed;
	char nonce[SSH_ECHO_NONCE];
	const char *refused;		/* why, or NULL */
	struct feed_request *request;
	struct timer *soon;		/* to say that it is refused */
	ssh_echo_fn *done;
	void *arg;
};

static bool
take_nonce(struct ssh_echo *e, const char *command)
{
	static const char verb[] = SSH_ECHO_COMMAND;

	if (strncmp(command, verb, sizeof(verb) - 1) != 0)
		return false;
	command += sizeof(verb) - 1;
	if (strlen(command) != SSH_ECHO_NONCE - 1 ||
	    strspn(command, "0123456789abcdef") != SSH_ECHO_NONCE - 1)
		return false;
	memcpy(e->nonce, command, SSH_ECHO_NONCE);
	return true;
}

static void
on_soon(void *arg)
{
	struct ssh_echo *e = arg;

	e->done(e->arg, ST_DENIED, e->refused);
}

/* It asks for no lines. */
static size_t
on_out(void *arg, int stream, const void *p, size_t n)
{
	(void)arg;
	(void)stream;
	(void)p;
	return n;
}

static void
on_end(void *arg, int status, uint64_t offset)
{
	struct ssh_echo *e = arg;
	size_t n = feed_nconsoles(e->feed), up = 0;
	char text[SSH_ECHO_TEXT];

	(void)offset;
	if (status != ST_OK) {
		e->done(e->arg, status, "the console process does not answer");
		return;
	}
	for (size_t i = 0; i < n; i++)
		up += feed_console_at(e->feed, i)->up ? 1 : 0;
	snprintf(text, sizeof(text), "%s %zu of %zu lines up", e->nonce, up,
	    n);
	e->done(e->arg, ST_OK, text);
}

static const struct feed_request_ops request_ops = { on_out, on_end, NULL };

struct ssh_echo *
ssh_echo_new(struct loop *loop, struct feed *feed, const char *command,
    ssh_echo_fn *done, void *arg)
{
	const struct feed_console *first = feed_console_at(feed, 0);
	struct ssh_echo *e = xcalloc(1, sizeof(*e));

	e->feed = feed;
	e->done = done;
	e->arg = arg;
	e->soon = timer_new(loop, on_soon, e);
	if (!take_nonce(e, command))
		e->refused = "this login is for the drill alone";
	else if (first == NULL || !feed_is_up(feed))
		e->refused = "the console process is away";
	if (e->refused != NULL)
		timer_set(e->soon, 0);
	else
		e->request = feed_tail(feed, first->name, 0, false,
		    &request_ops, e);
	return e;
}

void
ssh_echo_free(struct ssh_echo *e)
{
	if (e == NULL)
		return;
	feed_cancel(e->request);
	timer_free(e->soon);
	free(e);
}
