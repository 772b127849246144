#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../serial/jdir.h"
#include "base/mem.h"
#include "client_internal.h"

/*
 * Somebody's reader: first one that is waited for, then one that runs.  It is
 * known of until its request is cancelled or its guest gone, so that it can be
 * ended with the right to read; its client closes its socket then, at which it
 * leaves.
 */
struct client_reader {
	struct client_reader *next;
	uint32_t reader;	/* our number to the supervisor; 0: it runs */
	uint32_t request;	/* the client's */
	uint32_t sid;		/* of the guest, 0: nobody's */
	char *what;		/* consoles with commas between, or .box */
	bool tty;
	uint16_t columns, rows;
	int argc;
	char **argv;		/* ours; NULL once it runs */
};

static void
free_words(struct client_reader *r)
{
	for (int i = 0; i < r->argc; i++)
		free(r->argv[i]);
	free(r->argv);
	r->argv = NULL;
	r->argc = 0;
}

static void
remove_reader(struct client *c, struct client_reader *r)
{
	struct client_reader **at;

	for (at = &c->readers; *at != r; at = &(*at)->next)
		continue;
	*at = r->next;
	free_words(r);
	free(r->what);
	free(r);
}

static struct client_reader *
add_reader(struct client *c, uint32_t request, uint32_t sid, const char *what)
{
	struct client_reader *r = xcalloc(1, sizeof(*r));

	r->request = request;
	r->sid = sid;
	r->what = xstrdup(what);
	r->next = c->readers;
	c->readers = r;
	return r;
}

static size_t
count_readers(const struct client *c, uint32_t sid)
{
	size_t n = 0;

	for (const struct client_reader *r = c->readers; r != NULL;
	    r = r->next)
		n += r->sid == sid;
	return n;
}

/* Starting one. */

static void
ask_for_reader(struct console *con, const struct client_reader *r)
{
	struct frame_out *out = link_start(con->up, UP_READER);

	frame_put_u32(out, r->reader);
	frame_put_u8(out, r->tty);
	frame_put_u16(out, r->columns);
	frame_put_u16(out, r->rows);
	frame_put_u8(out, (uint8_t)r->argc);
	for (int i = 0; i < r->argc; i++)
		frame_put_str(out, r->argv[i]);
	link_send(con->up);
	link_flush(con->up);
}

static struct client_reader *
find_waiting(struct console *con, uint32_t reader, struct client **owner)
{
	struct client_reader *r;

	for (struct client *c = con->clients; c != NULL; c = c->next) {
		for (r = c->readers; r != NULL; r = r->next) {
			*owner = c;
			if (r->reader == reader)
				return r;
		}
	}
	return NULL;
}

/* Everything up to the next request is in the files now: one call for each. */
static void
on_flushed(void *arg)
{
	struct console *con = arg;
	struct client *owner;
	struct client_reader *r = find_waiting(con, ++con->flushed_reader,
	    &owner);

	if (r != NULL)
		ask_for_reader(con, r);
}

void
answer_reader(const struct answer *a, int argc, char *const argv[])
{
	uint32_t sid = a->guest->sid;
	struct client_reader *r;

	if (count_readers(a->client, sid) >= SESSION_READERS_MAX) {
		answer_out(a, 2, "oobd: too many verbs of this session read "
		    "the record already\n");
		answer_end(a, ST_FAILED);
		return;
	}
	r = add_reader(a->client, a->request, sid, argv[1]);
	r->reader = ++a->console->next_reader;
	r->tty = a->tty;
	r->columns = a->columns;
	r->rows = a->rows;
	r->argc = argc;
	r->argv = xcalloc((size_t)argc, sizeof(*r->argv));
	for (int i = 0; i < argc; i++)
		r->argv[i] = xstrdup(argv[i]);
	scribe_flush(a->console->scribe, on_flushed, a->console);
}

static void
refuse_reader(struct client *c, struct client_reader *r)
{
	struct answer a = { .client = c, .request = r->request };

	answer_out(&a, 2, "oobd: cannot start a reader, see the log\n");
	answer_end(&a, ST_FAILED);
	remove_reader(c, r);
}

static void
hand_reader(struct client *c, struct client_reader *r, int fd)
{
	struct frame_out *out = client_begin(c, AN_READER);

	frame_put_u32(out, r->request);
	frame_put_str(out, r->what);
	link_send_fd(c->link, fd);
	r->reader = 0;
	free_words(r);
}

void
clients_reader(struct console *con, uint32_t reader, int fd)
{
	struct client *c;
	struct client_reader *r = reader == 0 ? NULL :
	    find_waiting(con, reader, &c);

	if (r != NULL && fd != -1)
		hand_reader(c, r, fd);
	else if (r != NULL)
		refuse_reader(c, r);
	if (fd != -1)
		close(fd);
}

/* Ending one. */

/* May the guest read all of it?  Else says what not, and why it ends. */
static bool
may_read(const struct guest *g, const char *what, char why[], size_t size,
    enum status *status)
{
	char *list = xstrdup(what), *rest = list, *name = NULL;
	bool may = true;
	struct wire *w;

	*status = ST_DENIED;
	while (may && (name = strsep(&rest, ",")) != NULL) {
		w = wires_named(guest_console(g)->wires, name);
		if (strcmp(name, JDIR_BOX) == 0) {
			may = guest_role(g) == ROLE_ADMIN;
		} else if (w == NULL) {
			may = false;
			*status = ST_NO_CONSOLE;
		} else {
			may = guest_sees(g, w);
		}
	}
	if (!may && *status == ST_NO_CONSOLE)
		snprintf(why, size, "oobd: %s was removed\n", name);
	else if (!may)
		snprintf(why, size, "oobd: you no longer have rights on %s\n",
		    name);
	free(list);
	return may;
}

static void
check_reader(const struct guest *g, struct client *c, struct client_reader *r)
{
	struct answer a = { .client = c, .request = r->request };
	enum status status;
	char why[128];

	if (may_read(g, r->what, why, sizeof(why), &status))
		return;
	answer_out(&a, 2, why);
	answer_end(&a, (int)status);
	remove_reader(c, r);
}

void
guest_check_readers(struct guest *g)
{
	struct client *c = g->client;
	struct client_reader *next;

	for (struct client_reader *r = c->readers; r != NULL; r = next) {
		next = r->next;
		if (r->sid == g->sid)
			check_reader(g, c, r);
	}
}

bool
guest_reads_of(const struct guest *g, const char *console)
{
	size_t n = strlen(console), len;

	for (const struct client_reader *r = g->client->readers;
	    r != NULL; r = r->next) {
		if (r->sid != g->sid)
			continue;
		for (const char *p = r->what; *p != '\0'; p += len) {
			p += *p == ',';
			len = strcspn(p, ",");
			if (len == n && strncmp(p, console, n) == 0)
				return true;
		}
	}
	return false;
}

int
reader_goes_on(struct client *c, struct frame *f)
{
	uint32_t request = frame_u32(f), sid = frame_u32(f);
	struct guest *g = guest_find(c, sid);
	char what[WORD_BYTES];

	frame_str(f, what, sizeof(what));
	if (!frame_ok(f))
		return -1;
	/* A user who was removed meanwhile was told so. */
	if (g == NULL || count_readers(c, sid) >= SESSION_READERS_MAX)
		client_send_end(c, request, ST_DENIED, 0);
	else
		check_reader(g, c, add_reader(c, request, sid, what));
	return 0;
}

void
client_cancel_reader(struct client *c, uint32_t request)
{
	struct client_reader *next;

	for (struct client_reader *r = c->readers; r != NULL; r = next) {
		next = r->next;
		if (r->request == request)
			remove_reader(c, r);
	}
}

void
guest_forget_readers(const struct guest *g)
{
	struct client *c = g->client;
	struct client_reader *next;

	for (struct client_reader *r = c->readers; r != NULL; r = next) {
		next = r->next;
		if (r->sid == g->sid)
			remove_reader(c, r);
	}
}

void
client_forget_readers(struct client *c)
{
	while (c->readers != NULL)
		remove_reader(c, c->readers);
}
