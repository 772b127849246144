#include <string.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "proto.h"
#include "role.h"

#define CONFIG_BYTES_MAX (4 * 1024 * 1024)
#define VERB_TEXT 64

static void
complain(void *arg, const char *message)
{
	(void)arg;
	log_error("%s", message);
}

struct config *
role_config(int fd)
{
	struct config *conf;
	char *text;

	text = fd_read(fd, CONFIG_BYTES_MAX, NULL);
	if (text == NULL)
		return NULL;
	conf = config_parse(text, "configuration", complain, NULL);
	freezero(text, strlen(text));
	return conf;
}

int
role_pong(struct link *up, struct frame *f)
{
	uint32_t number = frame_u32(f);

	if (!frame_ok(f))
		return -1;
	frame_put_u32(link_start(up, UP_PONG), number);
	link_send(up);
	link_flush(up);
	return 0;
}

void
role_ready(struct link *up, const struct feed *feed, bool *due)
{
	*due = !feed_is_up(feed);
	if (*due)
		return;
	link_start(up, UP_READY);
	link_send(up);
	link_flush(up);
}

void
role_cannot(struct feed *feed, const struct feed_task *t, const char *process)
{
	char verb[VERB_TEXT];

	str_safe(verb, sizeof(verb), t->argv[0], strlen(t->argv[0]));
	feed_toldf(feed, t->id, 2, "oobd: %s: the %s process cannot do that "
	    "now\n", verb, process);
	feed_done(feed, t->id, ST_FAILED);
}
