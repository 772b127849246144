/*
 * The supervisor's table of requests, asked by processes gone bad: only what
 * is in it is done, a descriptor is always closed, jobs stay within their
 * bounds, and what root is to run or open is the configuration's.  The
 * supervisor hears its own jobs gone bad, too.
 *
 * Input: acts.  A byte: 0-4 a role asks (a byte for its type, bit 7 of the act:
 * with a descriptor; two bytes of length, that many), 5 a job answers (a byte
 * which, type and bytes as before), 6 a job ends, 7 a process begins anew, 8
 * it is given SV_READY.
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/config.h"
#include "server/gate.h"
#include "server/privileged.h"
#include "server/proto.h"
#include "server/sink.h"
#include "tests/unit/fake_children.h"

#define ROLES 5
#define ACTS 256
#define PART_MAX 8192

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMkaXVq9K9oFjH41AuxpV6wP" \
	"+vGszysrza51/3oy6jee"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const roles[ROLES] = {
	"console", "ssh", "modem", "notify", "reader",
};

/* Bits of the roles that may, from UP_PONG on. */
static const unsigned may[] = {
	0, 1, 1, 1, 15, 4, 4, 4, 4, 4, 4, 2, 1, 2, 8, 2, 2,
};

/* What may run at a time, and what its words begin with. */
static const struct {
	const char *role, *words;
	unsigned most;
} jobs[] = {
	{ "reader",	"/l|",			READERS_MAX },
	{ "signer",	"",			4 },
	{ "gate",	"",			4 * GATES_MAX },
	{ "sink",	"/usr/bin/tell",	SINKS_MAX },
	{ "opener",	"/dev/",		LENDER_MAX + 1 },
	{ "power",	"/usr/bin/hook|/dev/m0", 1 },
	{ "usb",	"/dev/m0",		1 },
	{ "ppp",	"",			2 },
	{ "dialer",	"h|",			DIALERS_MAX },
};

static struct world {
	struct loop *loop;
	struct timer *stop;
	struct config *conf;
	struct child child[ROLES];
	int there[ROLES];
	struct privileged p;
	unsigned long long seal;	/* signed last */
} w;
static char dir[64];

static struct link *
console(void *arg)
{
	(void)arg;
	return w.child[0].link;
}

static struct link *
modem(void *arg)
{
	(void)arg;
	return w.child[2].link;
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
on_ready(void *arg, struct child *c)
{
	(void)arg;
	if (c == &w.child[ROLES - 1])
		abort();
}

static void
on_power(void *arg, bool ok, const char *text)
{
	(void)arg;
	(void)ok;
	(void)text;
}

static int
on_frame(void *arg, struct frame *f, int fd)
{
	(void)arg;
	(void)f;
	(void)fd;
	return -1;
}

static void
on_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static void
on_stop(void *arg)
{
	(void)arg;
	loop_stop(w.loop, 0);
}

static const struct keeper_ops keeper_ops = { console, nothing };
static const struct ppprun_ops ppp_ops = { modem, nothing };
static const struct link_ops link_ops = { .frame = on_frame,
    .down = on_down };

/* A turn; what the roles are told is read away. */
static void
turn(void)
{
	union {
		char room[CMSG_SPACE(sizeof(int) * 64)];
		struct cmsghdr align;
	} control;
	static uint8_t in[65536];

	timer_set(w.stop, 0);
	loop_run(w.loop);
	for (int i = 0; i < ROLES; i++) {
		struct iovec iov = { in, sizeof(in) };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		    .msg_control = control.room,
		    .msg_controllen = sizeof(control.room) };
		struct cmsghdr *c;

		if (recvmsg(w.there[i], &m, MSG_CMSG_CLOEXEC) <= 0)
			continue;
		for (c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
			close(*(int *)(void *)CMSG_DATA(c));
	}
}

static void
on_error(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

static void
leave(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command) != 0)
		perror(command);
}

/* Once: the configuration. */
static void
begin(void)
{
	char text[1024];

	strcpy(dir, access("/dev/shm", W_OK) == 0 ?
	    "/dev/shm/oobd-fuzz-XXXXXX" : "/tmp/oobd-fuzz-XXXXXX");
	if (mkdtemp(dir) == NULL)
		abort();
	atexit(leave);
	log_open(NULL, LOG_TO_SYSLOG, false);
	snprintf(text, sizeof(text), "name = box\nservice_user = nobody\n"
	    "state_dir = \"%s\"\nlog_dir = \"/l\"\nrun_dir = \"%s\"\n"
	    "console gw { device = \"/dev/null\" ring = 65536 }\n"
	    "ssh { host_key = \"/etc/passwd\" }\n"
	    "relay r { host = h user = u identity = \"/nonexistent\" "
	    "host_key = {\"" KEY "\"} listen = \"localhost:1\" }\n"
	    "modem { data = \"/dev/m0\" control = \"/dev/m1\" "
	    "power_hook = \"/usr/bin/hook\" }\n"
	    "notify e { type = exec command = \"/usr/bin/tell\" }\n",
	    dir, dir);
	w.conf = config_parse(text, "f", on_error, NULL);
	if (w.conf == NULL)
		abort();
	w.loop = loop_new();
	w.stop = timer_new(w.loop, on_stop, NULL);
}

static void
open_world(void)
{
	int pair[2];

	for (int i = 0; i < ROLES; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
		    SOCK_NONBLOCK, 0, pair) == -1)
			abort();
		w.child[i].role = roles[i];
		w.child[i].link = link_new(w.loop, pair[0], 1 << 20,
		    &link_ops, NULL);
		w.there[i] = pair[1];
	}
	w.p = (struct privileged){
		.keeper = keeper_new(w.loop, NULL, &keeper_ops, NULL),
		.lender = lender_new(w.loop, NULL, modem, NULL),
		.ppp = ppprun_new(w.loop, NULL, dir, getuid(), &ppp_ops, NULL),
		.power = power_new(NULL, on_power, NULL),
		.conf = w.conf, .uid = getuid(), .ready = on_ready,
		.console = console,
	};
	w.p.dialers = dialers_new(NULL, w.p.ppp);
	w.seal = 0;
	if (keeper_set(w.p.keeper, w.conf, getuid(), getgid()) == -1)
		abort();
}

static void
close_world(void)
{
	keeper_free(w.p.keeper);
	lender_free(w.p.lender);
	dialers_free(w.p.dialers);
	ppprun_free(w.p.ppp);
	power_free(w.p.power);
	drop_jobs();
	for (int i = 0; i < ROLES; i++) {
		link_free(w.child[i].link);
		close(w.there[i]);
	}
	turn();
}

/* How many of this job run; what they were given is in order. */
static void
check_job(size_t k)
{
	unsigned n = 0;

	for (size_t i = 0; i < FAKE_JOBS; i++) {
		if (!fake_jobs[i].runs ||
		    strcmp(fake_jobs[i].role, jobs[k].role) != 0)
			continue;
		n++;
		if (strncmp(fake_jobs[i].words, jobs[k].words,
		    strlen(jobs[k].words)) != 0)
			abort();
	}
	if (n > jobs[k].most)
		abort();
}

static void
check_jobs(void)
{
	unsigned long long seal;
	char want[256];

	for (size_t k = 0; k < sizeof(jobs) / sizeof(jobs[0]); k++)
		check_job(k);
	if (fake_last == NULL || strcmp(fake_last->role, "signer") != 0)
		return;
	snprintf(want, sizeof(want), "%s|/l|box|", dir);
	if (strncmp(fake_last->words, want, strlen(want)) != 0)
		abort();
	seal = strtoull(fake_last->words + strlen(want), NULL, 10);
	if (seal < w.seal)
		abort();
	w.seal = seal;
}

/* A frame in a block of its own size; NULL: it is none. */
static uint8_t *
frame_of(struct frame *f, uint16_t type, const uint8_t *p, size_t n)
{
	uint8_t *block = xmalloc(FRAME_HEAD + n);
	size_t used;

	memset(block, 0, FRAME_HEAD);
	block[2] = (uint8_t)(n >> 8);
	block[3] = (uint8_t)n;
	block[4] = (uint8_t)(type >> 8);
	block[5] = (uint8_t)type;
	if (n > 0)
		memcpy(block + FRAME_HEAD, p, n);
	if (frame_parse(block, FRAME_HEAD + n, f, &used) != 1)
		abort();
	return block;
}

static bool
is_allowed(unsigned role, uint16_t type)
{
	size_t i = (size_t)(type - UP_PONG);

	return type >= UP_PONG && i < sizeof(may) / sizeof(may[0]) &&
	    (may[i] & 1U << role) != 0;
}

static void
ask(unsigned role, bool bring, uint16_t type, const uint8_t *p, size_t n)
{
	int fd = bring ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
	struct frame f;
	uint8_t *block = frame_of(&f, type, p, n);
	int r = privileged_request(&w.p, &w.child[role], &f, fd);

	if (r == 0 && (!is_allowed(role, type) ||
	    bring != (type == UP_PPP)))
		abort();
	if (fd != -1 && fcntl(fd, F_GETFD) != -1)
		abort();
	free(block);
	/* Its end, as the supervisor makes it. */
	if (r == -1 && role == 2) {
		lender_forget(w.p.lender);
		ppprun_forget(w.p.ppp);
	}
	if (r == -1 && role == 1)
		dialers_forget(w.p.dialers);
	if (r == -1)
		privileged_forget(&w.p, &w.child[role]);
	if (r == -1 && role == 0)
		w.seal = 0;
	check_jobs();
	turn();
}

/* The n-th that runs, or NULL. */
static struct job *
job_at(unsigned n)
{
	for (size_t i = 0; i < FAKE_JOBS; i++) {
		if (fake_jobs[i].runs && n-- == 0)
			return &fake_jobs[i];
	}
	return NULL;
}

static void
answer(unsigned which, uint16_t type, const uint8_t *p, size_t n)
{
	struct job *j = job_at(which);
	struct frame f;
	uint8_t *block = frame_of(&f, type, p, n);

	if (j != NULL)
		(void)!send(j->fd, block, FRAME_HEAD + n, MSG_DONTWAIT |
		    MSG_NOSIGNAL);
	free(block);
	turn();
}

/* The next act; how many bytes it was. */
static size_t
act(const uint8_t *p, size_t n)
{
	unsigned what = p[0] & 15U;
	struct job *j;
	size_t len;

	if (n < 5)
		return n;
	if (what == 6) {
		j = job_at(p[1]);
		if (j != NULL)
			end_job(j);
		/* Whether its link ended as well is not yet known. */
		return 2;
	}
	if (what > 5) {
		if (what == 7)
			privileged_forget(&w.p, &w.child[p[1] % 4]);
		else
			privileged_owes_ready(&w.p, &w.child[p[1] % 4]);
		if (what == 7 && p[1] % 4 == 0)
			w.seal = 0;
		turn();
		return 2;
	}
	len = (size_t)(p[3] << 8 | p[4]) % PART_MAX;
	if (len > n - 5)
		len = n - 5;
	if (what < ROLES)
		ask(what, (p[0] & 128) != 0, (uint16_t)(0x0500 | p[2]), p + 5,
		    len);
	else
		answer(p[1], (uint16_t)(0x0400 | p[2]), p + 5, len);
	return 5 + len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t used;

	if (dir[0] == '\0')
		begin();
	open_world();
	turn();
	for (int i = 0; i < ACTS && n > 0; i++) {
		used = act(p, n);
		p += used;
		n -= used;
	}
	close_world();
	fake_last = NULL;
	return 0;
}
