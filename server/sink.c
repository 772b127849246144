#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/link.h"
#include "base/log.h"
#include "base/mem.h"
#include "notify_exec.h"
#include "proto.h"
#include "sink.h"

#define ENV_MAX 16
#define WORD_MAX 2048
#define OWN "OOB_"		/* nothing that a loader or shell heeds */

struct sink {
	struct loop *loop;
	struct link *link;
	const char *program;
	struct notify_exec *exec;
};

static void
on_ended(void *arg, int status, const char *why)
{
	struct sink *s = arg;
	struct frame_out *o = link_start(s->link, SK_ENDED);

	s->exec = NULL;
	frame_put_u32(o, (uint32_t)status);
	frame_put_str(o, why);
	link_send(s->link);
	link_flush(s->link);
	loop_stop(s->loop, 0);
}

static int
on_run(struct sink *s, struct frame *f)
{
	char text[NOTIFY_EXEC_TEXT + 1], word[WORD_MAX], *env[ENV_MAX + 1];
	struct notify_exec_conf conf = { s->program,
	    (const char *const *)env, text, NOTIFY_EXEC_MS };
	int n, i = 0, r = -1;

	frame_str(f, text, sizeof(text));
	n = frame_u8(f);
	for (; i < n && i < ENV_MAX && !f->bad; i++) {
		frame_str(f, word, sizeof(word));
		env[i] = xstrdup(word);
		f->bad = f->bad || strncmp(word, OWN, strlen(OWN)) != 0;
	}
	env[i] = NULL;
	if (frame_ok(f) && i == n && s->exec == NULL) {
		s->exec = notify_exec(s->loop, &conf, on_ended, s);
		r = 0;
	}
	while (i > 0)
		free(env[--i]);
	return r;
}

static int
on_frame(void *arg, struct frame *f, int fd)
{
	if (fd != -1) {
		close(fd);
		return -1;
	}
	return f->type == SK_RUN ? on_run(arg, f) : -1;
}

/* Nobody waits any more. */
static void
on_down(void *arg, const char *why)
{
	struct sink *s = arg;

	(void)why;
	loop_stop(s->loop, 1);
}

static const struct link_ops ops = {
	.frame = on_frame,
	.down = on_down,
};

int
sink_main(int fd, int argc, char *const argv[])
{
	struct sink s = { .exec = NULL };
	int status;

	if (argc != 1) {
		log_error("sink: wrong words");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	s.program = argv[0];
	s.loop = loop_new();
	s.link = link_new(s.loop, fd, 65536, &ops, &s);
	status = loop_run(s.loop);
	notify_exec_free(s.exec);
	link_free(s.link);
	loop_free(s.loop);
	return status;
}
