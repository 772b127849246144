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
#include "tests/supervised.h"
#include "server/gate.h"
#include "server/sink.h"

#define ACTS 256
#define PART_MAX 8192

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMkaXVq9K9oFjH41AuxpV6wP" \
	"+vGszysrza51/3oy6jee"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Bits of the roles that may, from UP_PONG on. */
static const unsigned may[] = {
	0, 1, 1, 1, 15, 4, 4, 4, 4, 4, 4, 2, 1, 2, 8, 2, 2, 1,
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

static struct supervised w;
static unsigned long long seal;	/* signed last */

/* A turn; what the roles are told is read away. */
static void
turn(void)
{
	static uint8_t in[65536];

	loop_for(w.loop, 0);
	for (int i = 0; i < ROLES; i++)
		(void)world_receive(w.there[i], in, sizeof(in), NULL);
}

/* Once: the configuration. */
static void
begin(void)
{
	char text[1024];

	world_begin();
	snprintf(text, sizeof(text), "name = box\nservice_user = nobody\n"
	    "state_dir = \"%s\"\nlog_dir = \"/l\"\nrun_dir = \"%s\"\n"
	    "console gw { device = \"/dev/null\" ring = 65536 }\n"
	    "ssh { host_key = \"/etc/passwd\" }\n"
	    "relay r { host = h user = u identity = \"/nonexistent\" "
	    "host_key = {\"" KEY "\"} listen = \"localhost:1\" }\n"
	    "modem { data = \"/dev/m0\" control = \"/dev/m1\" "
	    "power_hook = \"/usr/bin/hook\" }\n"
	    "notify e { type = exec command = \"/usr/bin/tell\" }\n",
	    world_dir, world_dir);
	w.conf = config_parse(text, "f", world_error, NULL);
	if (w.conf == NULL)
		abort();
	w.loop = loop_new();
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
	unsigned long long now;
	char want[256];

	for (size_t k = 0; k < sizeof(jobs) / sizeof(jobs[0]); k++)
		check_job(k);
	if (fake_last == NULL || strcmp(fake_last->role, "signer") != 0)
		return;
	snprintf(want, sizeof(want), "%s|/l|box|", world_dir);
	if (strncmp(fake_last->words, want, strlen(want)) != 0)
		abort();
	now = strtoull(fake_last->words + strlen(want), NULL, 10);
	if (now < seal)
		abort();
	seal = now;
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
	uint8_t *block = world_frame(&f, type, p, n);
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
		seal = 0;
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

	if (j != NULL)
		world_say(j->fd, type, p, n);
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
			seal = 0;
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

	if (w.loop == NULL)
		begin();
	seal = 0;
	if (supervised_open(&w, world_dir) == -1)
		abort();
	turn();
	for (int i = 0; i < ACTS && n > 0; i++) {
		used = act(p, n);
		p += used;
		n -= used;
	}
	supervised_close(&w);
	loop_for(w.loop, 0);
	fake_last = NULL;
	return 0;
}
