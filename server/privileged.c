#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../modem/route.h"
#include "../serial/seal.h"
#include "base/log.h"
#include "gate.h"
#include "privileged.h"
#include "proto.h"

#define SIGN_LIMIT_MS 10000


static int
do_ready(struct privileged *p, struct child *from, struct frame *f)
{
	if (!frame_ok(f))
		return -1;
	p->ready(p->arg, from);
	return 0;
}

static int
do_open_tty(struct privileged *p, struct child *from, struct frame *f)
{
	char name[64];

	(void)from;
	frame_str(f, name, sizeof(name));
	if (!frame_ok(f) || !keeper_has(p->keeper, name))
		return -1;
	keeper_open(p->keeper, name);
	return 0;
}

static int
do_close_tty(struct privileged *p, struct child *from, struct frame *f)
{
	char name[64];

	(void)from;
	frame_str(f, name, sizeof(name));
	if (!frame_ok(f) || !keeper_has(p->keeper, name))
		return -1;
	keeper_close(p->keeper, name);
	return 0;
}

/* fd -1: it cannot be. */
static void
answer_fd(struct child *to, uint16_t type, uint32_t request, int fd)
{
	struct link *link = child_link(to);

	frame_put_u32(link_start(link, type), request);
	if (fd == -1)
		link_send(link);
	else
		link_send_fd(link, fd);
	link_flush(link);
}

/* A reader process gets the log folder and words the console process chose. */
static int
do_reader(struct privileged *p, struct child *from, struct frame *f)
{
	char space[WORD_BYTES * 4];
	char columns[8], rows[8], word[WORD_BYTES];
	char *words[ARGS_MAX];
	size_t used = 0;
	uint32_t request = frame_u32(f);
	bool tty = frame_u8(f) != 0;
	int n = 0, pair[2], argc;
	struct job_conf conf;
	struct job *job;

	words[n++] = p->conf->log_dir;
	words[n++] = p->conf->state_dir;
	snprintf(columns, sizeof(columns), "%u", (unsigned)frame_u16(f));
	snprintf(rows, sizeof(rows), "%u", (unsigned)frame_u16(f));
	if (tty) {
		words[n++] = (char *)(uintptr_t)"--tty";
		words[n++] = columns;
		words[n++] = rows;
	}
	argc = frame_u8(f);
	if (argc + n > ARGS_MAX)
		return -1;
	for (int i = 0; i < argc; i++) {
		frame_str(f, word, sizeof(word));
		if (f->bad || strlen(word) >= sizeof(space) - used)
			return -1;
		words[n++] = strcpy(space + used, word);
		used += strlen(word) + 1;
	}
	if (!frame_ok(f))
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		log_errno("reader: socketpair");
		answer_fd(from, SV_READER, request, -1);
		return 0;
	}
	conf = (struct job_conf){ .role = "reader", .argc = n, .argv = words,
	    .fd = pair[1] };	/* no limit: it may follow for days */
	job = job_run(p->children, &conf, NULL, NULL);
	if (job == NULL)
		log_errno("reader: cannot start");
	answer_fd(from, SV_READER, request, job == NULL ? -1 : pair[0]);
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static void
on_gate_ended(void *arg, int status)
{
	struct privileged *p = arg;

	(void)status;
	p->gates--;
}

/* A gate learns who is asked about from its asker, all else from us. */
static int
do_gate(struct privileged *p, struct child *from, struct frame *f)
{
	char *words[] = { p->conf->state_dir, (char *)(uintptr_t)"totp" };
	struct job_conf job = { .role = "gate", .argv = words,
	    .argc = p->conf->activation.totp ? 2 : 1,
	    .limit_ms = GATE_LIMIT_MS };
	uint32_t request = frame_u32(f);
	int pair[2];

	if (!frame_ok(f))
		return -1;
	/* One that was cancelled may still be at work. */
	if (p->gates >= 2 * GATES_MAX || socketpair(AF_UNIX, SOCK_STREAM |
	    SOCK_CLOEXEC, 0, pair) == -1) {
		answer_fd(from, SV_GATE, request, -1);
		return 0;
	}
	job.fd = pair[1];
	if (job_run(p->children, &job, on_gate_ended, p) != NULL) {
		p->gates++;
		answer_fd(from, SV_GATE, request, pair[0]);
	} else {
		log_errno("gate: cannot start");
		answer_fd(from, SV_GATE, request, -1);
	}
	close(pair[0]);
	close(pair[1]);
	return 0;
}

/* One seal of the box's journal: the words can be nothing else. */
static int
do_sign(struct privileged *p, struct child *from, struct frame *f)
{
	uint64_t seal = frame_u64(f);
	char hash[SEAL_HASH], number[24];
	char *words[] = { p->conf->state_dir, p->conf->log_dir, p->conf->name,
	    number, hash };
	struct link *link = child_link(from);
	struct job_conf conf;
	struct job *job = NULL;
	int pair[2] = { -1, -1 };

	frame_str(f, hash, sizeof(hash));
	if (!frame_ok(f) || strlen(hash) != SEAL_HASH - 1 ||
	    strspn(hash, "0123456789abcdef") != SEAL_HASH - 1)
		return -1;
	snprintf(number, sizeof(number), "%llu", (unsigned long long)seal);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
		conf = (struct job_conf){ .role = "signer", .argc = 5,
		    .argv = words, .fd = pair[1], .limit_ms = SIGN_LIMIT_MS };
		job = job_run(p->children, &conf, NULL, NULL);
	}
	if (job == NULL)
		log_errno("signer: cannot start");
	link_start(link, SV_SIGNED);
	if (job == NULL)
		link_send(link);
	else
		link_send_fd(link, pair[0]);
	link_flush(link);
	for (int i = 0; i < 2; i++) {
		if (pair[i] != -1)
			close(pair[i]);
	}
	return 0;
}

static int
do_open_port(struct privileged *p, struct child *from, struct frame *f)
{
	char device[WORD_BYTES];
	uint32_t request = frame_u32(f);

	(void)from;
	frame_str(f, device, sizeof(device));
	if (!frame_ok(f))
		return -1;
	lender_open(p->lender, p->conf->modem, request, device);
	return 0;
}

static int
do_ppp(struct privileged *p, struct child *from, struct frame *f, int fd)
{
	uint32_t seconds = frame_u32(f);

	(void)from;
	if (!frame_ok(f) || fd == -1)
		return -1;
	ppprun_start(p->ppp, p->conf, seconds, fd);
	return 0;
}

static int
do_ppp_life(struct privileged *p, struct child *from, struct frame *f)
{
	uint32_t seconds = frame_u32(f);

	(void)from;
	if (!frame_ok(f))
		return -1;
	ppprun_life(p->ppp, seconds);
	return 0;
}

static int
do_ppp_stop(struct privileged *p, struct child *from, struct frame *f)
{
	(void)from;
	if (!frame_ok(f))
		return -1;
	ppprun_stop(p->ppp);
	return 0;
}

static int
do_route(struct privileged *p, struct child *from, struct frame *f)
{
	bool add = frame_u8(f) != 0;
	char address[ROUTE_ADDRESS];

	(void)from;
	frame_str(f, address, sizeof(address));
	if (!frame_ok(f))
		return -1;
	ppprun_route(p->ppp, add, address);
	return 0;
}

static int
do_power(struct privileged *p, struct child *from, struct frame *f)
{
	uint8_t act = frame_u8(f);

	(void)from;
	if (!frame_ok(f) || act >= POWER_ACTS)
		return -1;
	power_run(p->power, p->conf->modem, (enum power_act)act);
	return 0;
}

static const struct {
	const char *role;
	uint16_t type;
	int (*handle)(struct privileged *, struct child *, struct frame *);
} requests[] = {
	{ "console",	UP_READY,	do_ready },
	{ "console",	UP_OPEN_TTY,	do_open_tty },
	{ "console",	UP_CLOSE_TTY,	do_close_tty },
	{ "console",	UP_READER,	do_reader },
	{ "console",	UP_SIGN,	do_sign },
	{ "ssh",	UP_READY,	do_ready },
	{ "ssh",	UP_GATE,	do_gate },
	{ "modem",	UP_READY,	do_ready },
	{ "notify",	UP_READY,	do_ready },
	{ "modem",	UP_OPEN_PORT,	do_open_port },
	{ "modem",	UP_PPP_LIFE,	do_ppp_life },
	{ "modem",	UP_PPP_STOP,	do_ppp_stop },
	{ "modem",	UP_ROUTE,	do_route },
	{ "modem",	UP_POWER,	do_power },
};

int
privileged_request(struct privileged *p, struct child *from, struct frame *f,
    int fd)
{
	int r;

	/* The only one that brings a descriptor along. */
	if (fd != -1) {
		r = f->type == UP_PPP && strcmp(child_role(from),
		    "modem") == 0 ? do_ppp(p, from, f, fd) : -1;
		close(fd);
		return r;
	}
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].type == f->type &&
		    strcmp(requests[i].role, child_role(from)) == 0)
			return requests[i].handle(p, from, f);
	}
	log_error("%s process asked for what it may not have (%#x)",
	    child_role(from), f->type);
	return -1;
}
