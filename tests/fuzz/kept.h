/*
 * kept: a child that the supervisor keeps running, whole, in the hands of a
 * supervisor gone bad.  It is told what docs/frames.md says, in any order, and
 * anything else, with descriptors, and cut off at any byte.  It says nothing
 * but whole frames of its own table, leaves when it has lost its supervisor,
 * and leaves no socket behind.
 *
 * The role's own file is included by the target, behind this one, and between
 *
 *	#define loop_run kept_loop_run
 *	#define loop_stop kept_loop_stop
 *
 * and their #undef: so its loop turns when an input says so.
 */
#ifndef FUZZ_KEPT_H
#define FUZZ_KEPT_H

#include <ftw.h>

#include "peer.h"
#include "server/base/fileio.h"
#include "server/base/os.h"
#include "server/config.h"
#include "server/proto.h"
#include "server/sandbox.h"
#include "tests/world.h"

#define KEPT_CONFS 4
#define KEPT_ENDS 8		/* of sockets that it was given */
#define KEPT_IN_MAX (1 << 20)
#define KEPT_TURNS 3		/* until all has come of one act */
#define KEPT_LEAVE 20		/* acts' time to leave in */

/* What a descriptor leads to. */
enum kept_kind {
	KEPT_SOCKET,
	KEPT_JUNK,		/* a file: no text that a role can use */
	KEPT_CONF,		/* the first configuration */
	KEPT_KINDS,
};

static struct kept {
	/* The target's. */
	world_act *const *acts;
	size_t nacts;
	bool (*hears)(struct frame *, unsigned fds);	/* false: never said */
	bool is_job;			/* so it may end by itself */
	void (*turned)(void);		/* others have a turn, too; or NULL */
	/* Of the running one. */
	const uint8_t *p;
	size_t n;
	struct loop *loop;
	int up;				/* the supervisor's end */
	int ends[KEPT_ENDS];		/* -1: none */
	size_t nends;
	uint32_t ping;			/* asked last */
	bool asked;			/* ... and not answered */
	bool wrong;			/* it was told what is not in order */
	bool stopped;			/* it was told to */
	bool alone;			/* the supervisor is gone */
	bool over;			/* it has left its loop */
	bool configured, is_ready;
	/* Of all inputs. */
	int confs[KEPT_CONFS], junk;
} kept;

/* Once. */

static inline int
kept_file(const void *text, size_t n)
{
	int fd = os_anon_fd("kept-fuzz");

	if (fd == -1 || fd_write_all(fd, text, n) == -1)
		abort();
	return fd;
}

static inline int
kept_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	return at->level < 2 ? 0 : remove(path);
}

/* What the one before has left in its folders. */
static inline void
kept_clear(void)
{
	if (nftw(world_dir, kept_remove, 8, FTW_DEPTH | FTW_PHYS) != 0)
		abort();
}

/* What a configuration has beside its name and folders; @ is the scratch one. */
static inline int
kept_conf(const char *more)
{
	struct config *conf;
	char text[8192];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "name = box\n"
	    "service_user = nobody\nstate_dir = \"%s/state\"\n"
	    "log_dir = \"%s/log\"\nrun_dir = \"%s/run\"\n",
	    world_dir, world_dir, world_dir);
	for (; *more != '\0'; more++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s",
		    *more == '@' ? WORLD_DIR : 1,
		    *more == '@' ? world_dir : more);
	conf = config_parse(text, "f", world_error, NULL);
	if (conf == NULL)
		abort();
	config_free(conf);
	return kept_file(text, n);
}

/* texts: KEPT_CONFS of them, or fewer that may be asked for. */
static inline void
kept_begin(const char *const *texts, size_t n)
{
	static const char *const folders[] = { "state", "log", "run" };
	char path[WORLD_DIR + 8];

	world_begin();
	sandbox_set_mode(SANDBOX_OFF);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", world_dir, folders[i]);
		if (mkdir(path, 0700) == -1)
			abort();
	}
	for (size_t i = 0; i < n; i++)
		kept.confs[i] = kept_conf(texts[i]);
	kept.junk = kept_file("= {", 3);
}

/* What it says. */

static inline void
kept_hear(struct frame *f, unsigned fds)
{
	switch (f->type) {
	case UP_PONG:
		if (!kept.wrong && (!kept.asked || frame_u32(f) != kept.ping ||
		    !frame_ok(f)))
			abort();
		kept.asked = false;
		break;
	case UP_READY:
		if ((!kept.wrong && !kept.configured) || !frame_ok(f))
			abort();
		kept.is_ready = true;
		break;
	default:
		if (!kept.hears(f, fds))
			abort();
	}
}

/* Frames come whole: nobody writes meanwhile. */
static inline void
kept_listen(void)
{
	static uint8_t in[KEPT_IN_MAX];
	struct frame f;
	size_t at = 0, used, n;
	unsigned fds = 0;

	if (kept.up == -1)
		return;
	n = world_receive(kept.up, in, sizeof(in), &fds);
	while (frame_parse(in + at, n - at, &f, &used) == 1) {
		kept_hear(&f, fds);
		at += used;
	}
	if (at != n)
		abort();
}

/* What it says to others is heard by nobody. */
static inline void
kept_drain(void)
{
	static uint8_t drop[65536];

	for (size_t i = 0; i < KEPT_ENDS; i++) {
		if (kept.ends[i] != -1)
			(void)world_receive(kept.ends[i], drop, sizeof(drop),
			    NULL);
	}
}

/* Its loop. */

static inline void
kept_loop_stop(struct loop *loop, int status)
{
	kept.over = true;
	loop_stop(loop, status);
}

/* Nothing that is in order ends it, but a word to stop. */
static inline void
kept_turn(void)
{
	for (int i = 0; i < KEPT_TURNS && !kept.over; i++) {
		loop_for(kept.loop, 0);
		kept_listen();
		peer_hear(peer.fd, peer_hears);
		if (kept.turned != NULL)
			kept.turned();
		kept_drain();
	}
	if (kept.over && !kept.wrong && !kept.stopped && !kept.is_job)
		abort();
}

/* It is to leave by itself. */
static inline void
kept_leave(void)
{
	kept.alone = kept.stopped = true;
	shutdown(kept.up, SHUT_WR);
	for (int i = 0; i < KEPT_LEAVE && !kept.over; i++)
		kept_turn();
	if (!kept.over)
		abort();
}

static inline int
kept_loop_run(struct loop *loop)
{
	kept.loop = loop;
	kept_turn();
	world_acts(kept.acts, kept.nacts, kept_turn, kept.p, kept.n);
	kept_leave();
	return 0;
}

/* One input: role is what its *_main is. */
static inline void
kept_run(int (*role)(int), const uint8_t *p, size_t n)
{
	unsigned sockets = world_sockets();
	int pair[2];

	kept_clear();
	world_pair(pair);
	kept.up = pair[0];
	for (size_t i = 0; i < KEPT_ENDS; i++)
		kept.ends[i] = -1;
	kept.nends = 0;
	kept.p = p;
	kept.n = n;
	kept.asked = kept.wrong = kept.stopped = kept.over = false;
	kept.alone = false;
	kept.configured = kept.is_ready = false;
	peer.fd = -1;
	peer.ntasks = 0;
	memset(peer.tasks, 0, sizeof(peer.tasks));
	(void)role(pair[1]);
	if (!kept.over)
		abort();
	close(kept.up);
	if (peer.fd != -1)
		close(peer.fd);
	for (size_t i = 0; i < KEPT_ENDS; i++) {
		if (kept.ends[i] != -1)
			close(kept.ends[i]);
	}
	if (world_sockets() != sockets)
		abort();
}

/* What it is told. */

static inline int
kept_end(size_t i)
{
	return kept.nends == 0 ? -1 : kept.ends[i % KEPT_ENDS];
}

/* A socket whose other end we keep, in the place of the oldest. */
static inline int
kept_socket(void)
{
	int *at = &kept.ends[kept.nends++ % KEPT_ENDS], pair[2];

	if (*at != -1)
		close(*at);
	world_pair(pair);
	*at = pair[0];
	return pair[1];
}

/* fd: goes along, and is not ours any more. */
static inline void
kept_give(uint16_t type, const void *p, size_t n, int fd)
{
	world_say_fd(kept.up, type, p, n, fd);
	close(fd);
}

static inline void
kept_give_frame(const struct frame_out *o, int fd)
{
	if (o->bad)
		abort();
	kept_give((uint16_t)(o->block[4] << 8 | o->block[5]),
	    o->block + FRAME_HEAD, o->len - FRAME_HEAD, fd);
}

static inline int
kept_open(enum kept_kind kind)
{
	return kind == KEPT_SOCKET ? kept_socket() :
	    fcntl(kind == KEPT_CONF ? kept.confs[0] : kept.junk,
	    F_DUPFD_CLOEXEC, 0);
}

/* Acts that all have: p, n is what stands behind each. */

static inline void
kept_act_config(const uint8_t *p, size_t n)
{
	int fd = kept.confs[n > 0 ? p[0] % KEPT_CONFS : 0];

	world_say_fd(kept.up, SV_CONFIG, NULL, 0, fd);
	kept.configured = true;
}

static inline void
kept_act_ready(const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	kept.wrong |= !kept.configured;
	world_say(kept.up, SV_READY, NULL, 0);
}

static inline void
kept_act_ping(const uint8_t *p, size_t n)
{
	struct frame_out *o = world_start(SV_PING);

	kept.ping = n > 0 ? kept.ping + p[0] : kept.ping + 1;
	kept.asked = true;
	frame_put_u32(o, kept.ping);
	world_send(kept.up, o);
}

static inline void
kept_act_stop(const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	kept.stopped = true;
	world_say(kept.up, SV_STOP, NULL, 0);
}

/* Any frame: its type, what it has. */
static inline void
kept_act_any(const uint8_t *p, size_t n)
{
	if (n == 0)
		return;
	kept.wrong = true;
	world_say(kept.up, (uint16_t)(0x0400 | p[0]), p + 1, n - 1);
}

/* The same with a descriptor of some kind. */
static inline void
kept_act_any_fd(const uint8_t *p, size_t n)
{
	if (n < 2)
		return;
	kept.wrong = true;
	kept_give((uint16_t)(0x0400 | p[1]), p + 2, n - 2,
	    kept_open((enum kept_kind)(p[0] % KEPT_KINDS)));
}

/* So many bytes, a part of a frame or more of them; then it is gone. */
static inline void
kept_act_cut(const uint8_t *p, size_t n)
{
	kept.wrong = true;
	(void)!send(kept.up, p, n, MSG_NOSIGNAL);
	kept_leave();
}

/* One of the sockets that it was given: what is said there, and its end. */

static inline void
kept_act_says(const uint8_t *p, size_t n)
{
	int fd = n > 0 ? kept_end(p[0]) : -1;

	if (fd != -1)
		(void)!send(fd, p + 1, n - 1, MSG_NOSIGNAL);
}

static inline void
kept_act_ends(const uint8_t *p, size_t n)
{
	size_t i = n > 0 ? p[0] % KEPT_ENDS : 0;

	if (kept.ends[i] != -1)
		close(kept.ends[i]);
	kept.ends[i] = -1;
}

/* The console process of one that has it for a peer: it comes, and goes. */

static inline void
kept_act_console(const uint8_t *p, size_t n)
{
	struct frame_out *o;
	int pair[2];

	(void)p;
	if (peer.fd != -1)
		peer_goes();
	if (n == 0)
		return;		/* and none comes */
	world_pair(pair);
	peer.fd = pair[0];
	o = world_start(SV_PEER);
	frame_put_str(o, "console");
	kept_give_frame(o, pair[1]);
}

static inline void
kept_act_task(const uint8_t *p, size_t n)
{
	if (peer.fd != -1)
		peer_task(p, n, ARGS_MAX);
}

static inline void
kept_act_task_gone(const uint8_t *p, size_t n)
{
	if (peer.fd != -1)
		peer_task_gone(p, n);
}

#define KEPT_PEER_ACTS kept_act_console, kept_act_task, kept_act_task_gone
#define KEPT_ACTS kept_act_config, kept_act_ready, kept_act_ping, \
	kept_act_stop, kept_act_any, kept_act_any_fd, kept_act_cut, \
	kept_act_says, kept_act_ends

#endif
