#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "client_internal.h"
#include "console_seal.h"
#include "notices.h"

/*
 * From what happens to the notify process.  What is to be told is kept here
 * until that says that it has it on disk, the newest KEPT_MAX; said again when
 * it comes back.
 */
#define KEPT_MAX 64

struct kept_notice {
	uint64_t id;
	enum notify_severity severity;
	char source[NOTIFY_NAME], event[NOTIFY_NAME];
	char text[NOTIFY_TEXT];
};

static void
send_one(struct client *c, const struct kept_notice *k)
{
	struct frame_out *out = client_begin(c, NT_EVENT);

	frame_put_u64(out, k->id);
	frame_put_u8(out, (uint8_t)k->severity);
	frame_put_str(out, k->source);
	frame_put_str(out, k->event);
	frame_put_str(out, k->text);
	link_send(c->link);
}

static void
forget(struct console *con, size_t i)
{
	con->nkept--;
	for (; i < con->nkept; i++)
		con->kept[i] = con->kept[i + 1];
}

/*
 * With the newest seal of the box's journal: outside of the box it is what
 * nobody on it can change any more.
 */
static void
put_text(struct console *con, char dst[NOTIFY_TEXT], const char *text)
{
	char seal[SEAL_TEXT], tail[SEAL_TEXT + 16] = "";

	if (sealer_text(con, seal))
		snprintf(tail, sizeof(tail), " [seal %s]", seal);
	snprintf(dst, NOTIFY_TEXT, "%.*s%s",
	    (int)(NOTIFY_TEXT - 1 - strlen(tail)), text, tail);
}

static void
on_tell(void *arg, const struct notify_event *e)
{
	struct console *con = arg;
	struct kept_notice *k;

	if (con->nkept == KEPT_MAX) {
		log_warn("the notify process is away: lost: %s",
		    con->kept[0].text);
		forget(con, 0);
	}
	k = &con->kept[con->nkept++];
	/* Of another console process none is the same. */
	k->id = con->epoch + ++con->last_notice;
	k->severity = e->severity;
	snprintf(k->source, sizeof(k->source), "%s", e->source);
	snprintf(k->event, sizeof(k->event), "%s", e->event);
	put_text(con, k->text, e->text);
	for (struct client *c = con->clients; c != NULL; c = c->next) {
		if (c->peer != PEER_NOTIFY || !c->hello)
			continue;
		send_one(c, k);
		break;		/* the newest link */
	}
}

void
notify_peer_up(struct client *c)
{
	if (c->peer != PEER_NOTIFY)
		return;
	for (size_t i = 0; i < c->console->nkept; i++)
		send_one(c, &c->console->kept[i]);
}

int
notify_peer_taken(struct client *c, struct frame *f)
{
	struct console *con = c->console;
	uint64_t id = frame_u64(f);

	if (!frame_ok(f))
		return -1;
	for (size_t i = 0; i < con->nkept; i++) {
		if (con->kept[i].id == id) {
			forget(con, i);
			break;
		}
	}
	return 0;
}

void
clients_notify(struct console *con, const char *kind, const char *source,
    const char *text)
{
	if (con->notices != NULL)
		notices_event(con->notices, kind, source, text);
}

void
clients_notify_alert(struct console *con, unsigned severity,
    const char *name, const char *console, const char *text)
{
	if (con->notices != NULL)
		notices_alert(con->notices, (enum notify_severity)severity,
		    name, console, text);
}

void
clients_notify_free(struct console *con)
{
	notices_free(con->notices);
	con->notices = NULL;
	free(con->kept);
	con->kept = NULL;
	con->nkept = 0;
}

void
clients_notify_configure(struct console *con)
{
	if (con->conf->nnotifies == 0) {
		clients_notify_free(con);
	} else if (con->notices == NULL) {
		con->notices = notices_new(con->loop, on_tell, con);
		con->kept = xcalloc(KEPT_MAX, sizeof(*con->kept));
	}
}
