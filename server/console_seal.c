#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "console_internal.h"
#include "console_seal.h"
#include "signer.h"

#define RETRY_MIN_MS 5000
#define RETRY_MAX_MS (15 * 60 * 1000)

struct sealer {
	struct console *console;
	struct watch *watch;		/* NULL: nothing is being signed */
	struct timer *retry;
	struct backoff backoff;
	int fd;
	size_t n;
	char answer[SIGNER_ANSWER];
};

static void
end_answer(struct sealer *s)
{
	watch_free(s->watch);
	s->watch = NULL;
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
}

/* Have the newest signed. */
static void
request(void *arg)
{
	struct sealer *s = arg;
	struct link *up = s->console->up;
	struct frame_out *out;
	struct seal_mark m;

	if (!scribe_anchor(s->console->scribe, &m))
		return;
	out = link_start(up, UP_SIGN);
	frame_put_u64(out, m.number);
	frame_put_str(out, m.hash);
	link_send(up);
	link_flush(up);
}

static void
failed(struct sealer *s)
{
	int64_t wait = backoff_next(&s->backoff);

	log_warn("the journal's newest seal could not be signed, again in "
	    "%lld s", (long long)wait / 1000);
	timer_set(s->retry, wait);
}

static void
on_answer(void *arg, short revents)
{
	struct sealer *s = arg;
	ssize_t got;

	(void)revents;
	got = read(s->fd, s->answer + s->n, sizeof(s->answer) - 1 - s->n);
	if (got == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got > 0) {
		s->n += (size_t)got;
		return;
	}
	end_answer(s);
	s->answer[s->n] = '\0';
	if (strncmp(s->answer, "signed ", 7) != 0) {
		failed(s);
		return;
	}
	scribe_signed(s->console->scribe, s->answer);
	backoff_reset(&s->backoff);
	timer_stop(s->retry);
}

void
sealer_answer(struct sealer *s, int fd)
{
	end_answer(s);
	if (fd == -1 || fd_prepare(fd) == -1) {
		if (fd != -1)
			close(fd);
		failed(s);
		return;
	}
	s->fd = fd;
	s->n = 0;
	s->watch = watch_new(s->console->loop, fd, POLLIN, on_answer, s);
}

static void
on_anchor(void *arg, bool sign)
{
	if (sign)
		request(arg);
}

struct sealer *
sealer_new(struct console *c)
{
	struct sealer *s = xcalloc(1, sizeof(*s));

	s->console = c;
	s->fd = -1;
	s->retry = timer_new(c->loop, request, s);
	s->backoff = (struct backoff){ .min_ms = RETRY_MIN_MS,
	    .max_ms = RETRY_MAX_MS };
	scribe_on_anchor(c->scribe, on_anchor, s);
	return s;
}

void
sealer_free(struct sealer *s)
{
	if (s == NULL)
		return;
	end_answer(s);
	timer_free(s->retry);
	free(s);
}

bool
sealer_text(struct console *c, char dst[SEAL_TEXT])
{
	struct seal_mark m;

	dst[0] = '\0';
	if (c->scribe == NULL || !scribe_anchor(c->scribe, &m))
		return false;
	snprintf(dst, SEAL_TEXT, "%" PRIu64 ":%.16s", m.number, m.hash);
	return true;
}
