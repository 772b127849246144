#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../auth/secret.h"
#include "../auth/voucher.h"
#include "../modem/route.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/pass.h"
#include "gate.h"
#include "names.h"
#include "privileged.h"
#include "proto.h"
#include "sink.h"

#define USERS_FILE "/etc/passwd"
#define SIGN_LIMIT_MS 10000
#define SIGNERS_MAX 4	/* at a time; the console process waits for one */

static int
do_ready(struct privileged *p, struct child *from, struct frame *f)
{
	if (!frame_ok(f))
		return -1;
	if (strcmp(child_role(from), "ssh") == 0)
		p->met = true;
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

static void
on_reader_ended(void *arg, int status)
{
	struct privileged *p = arg;

	(void)status;
	p->readers--;
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
	if (p->readers >= READERS_MAX || socketpair(AF_UNIX, SOCK_STREAM |
	    SOCK_CLOEXEC, 0, pair) == -1) {
		log_error("reader: %s", p->readers >= READERS_MAX ?
		    "too many run" : strerror(errno));
		answer_fd(from, SV_READER, request, -1);
		return 0;
	}
	conf = (struct job_conf){ .role = "reader", .argc = n, .argv = words,
	    .fd = pair[1] };	/* no limit: it may follow for days */
	job = job_run(p->children, &conf, on_reader_ended, p);
	if (job == NULL)
		log_errno("reader: cannot start");
	else
		p->readers++;
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

/* What the gate is not to take from its asker. */
static int
furnish_gate(const struct privileged *p, int sock)
{
	struct frame_out *out = xmalloc(sizeof(*out));
	char *text = config_print(p->conf, true);
	int fd = os_anon_fd("oobd-config");
	int r = -1;

	frame_start(out, GT_HOUSE);
	if (p->vouchers != NULL)
		frame_put_bytes(out, p->vouchers, VOUCHER_KEY);
	if (fd != -1 && fd_write_all(fd, text, strlen(text)) == 0)
		r = pass_send(sock, out, fd);
	if (fd != -1)
		close(fd);
	freezero(text, strlen(text));
	freezero(out, sizeof(*out));
	return r;
}

/* A gate learns who is asked about from its asker, all else from us. */
static int
do_gate(struct privileged *p, struct child *from, struct frame *f)
{
	char *words[] = { p->conf->state_dir };
	struct job_conf job = { .role = "gate", .argv = words, .argc = 1,
	    .limit_ms = GATE_LIMIT_MS };
	uint32_t request = frame_u32(f);
	int pair[2];

	if (!frame_ok(f))
		return -1;
	/* One that was cancelled may still be at work. */
	if (p->gates >= 4 * GATES_MAX || socketpair(AF_UNIX, SOCK_STREAM |
	    SOCK_CLOEXEC, 0, pair) == -1) {
		answer_fd(from, SV_GATE, request, -1);
		return 0;
	}
	job.fd = pair[1];
	if (furnish_gate(p, pair[0]) == 0 &&
	    job_run(p->children, &job, on_gate_ended, p) != NULL) {
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

static void
on_signer_ended(void *arg, int status)
{
	struct privileged *p = arg;

	(void)status;
	p->signers--;
}

/* Not older than the last, and never another of the same number. */
static bool
is_seal(const struct privileged *p, uint64_t seal, const char *hash)
{
	return strlen(hash) == SEAL_HASH - 1 &&
	    strspn(hash, "0123456789abcdef") == SEAL_HASH - 1 &&
	    (seal > p->seal || (seal == p->seal &&
	    (p->seal_hash[0] == '\0' || strcmp(hash, p->seal_hash) == 0)));
}

void
privileged_give_vouchers(const struct privileged *p)
{
	struct link *to = p->console(p->arg);

	if (to == NULL)
		return;
	frame_put_bytes(link_start(to, SV_VOUCHERS), p->vouchers,
	    p->vouchers == NULL ? 0 : VOUCHER_KEY);
	link_send(to);
	link_flush(to);
}

void
privileged_new_vouchers(struct privileged *p)
{
	p->met = false;
	if (p->vouchers == NULL)
		p->vouchers = secret_new(VOUCHER_KEY);
	os_random(p->vouchers, VOUCHER_KEY);
	privileged_give_vouchers(p);
}

/*
 * Without vouchers nobody would get in.  Before it is ready it has heard from
 * nobody outside, who could have made it say so.
 */
static int
do_proofless(struct privileged *p, struct child *from, struct frame *f)
{
	char why[128];

	(void)from;
	frame_str(f, why, sizeof(why));
	if (!frame_ok(f) || p->met)
		return -1;
	log_warn("%s: what clients sign cannot be listened to, so who is "
	    "logged in is the ssh process's word (privsep.md)", why);
	secret_free(p->vouchers);
	p->vouchers = NULL;
	privileged_give_vouchers(p);
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
	if (!frame_ok(f) || !is_seal(p, seal, hash))
		return -1;
	p->seal = seal;
	memcpy(p->seal_hash, hash, sizeof(p->seal_hash));
	snprintf(number, sizeof(number), "%llu", (unsigned long long)seal);
	errno = EAGAIN;
	if (p->signers < SIGNERS_MAX && socketpair(AF_UNIX, SOCK_STREAM |
	    SOCK_CLOEXEC, 0, pair) == 0) {
		conf = (struct job_conf){ .role = "signer", .argc = 5,
		    .argv = words, .fd = pair[1], .limit_ms = SIGN_LIMIT_MS };
		job = job_run(p->children, &conf, on_signer_ended, p);
	}
	if (job == NULL)
		log_errno("signer: cannot start");
	else
		p->signers++;
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

static bool
is_key(const struct config *c, const char *path)
{
	if (strcmp(path, c->ssh.host_key) == 0)
		return true;
	for (size_t i = 0; i < c->nrelays; i++) {
		if (strcmp(path, c->relays[i].identity) == 0)
			return true;
	}
	return false;
}

/* Root opens it, but only what the service user could open itself. */
static int
open_key(const struct privileged *p, const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd != -1 && (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    (p->drop && st.st_uid != p->uid))) {
		close(fd);
		fd = -1;
		errno = EACCES;
	}
	return fd;
}

void
privileged_give_key(const struct privileged *p, struct link *to,
    const char *path)
{
	struct frame_out *o;
	int fd = is_key(p->conf, path) ? open_key(p, path) : -1;

	o = link_start(to, SV_KEY);
	frame_put_str(o, path);
	frame_put_u32(o, fd != -1 ? 0 : is_key(p->conf, path) ?
	    (uint32_t)errno : ENOENT);
	if (fd == -1) {
		link_send(to);
		return;
	}
	link_send_fd(to, fd);
	close(fd);
}

static int
do_key(struct privileged *p, struct child *from, struct frame *f)
{
	char path[PATH_MAX];

	frame_str(f, path, sizeof(path));
	if (!frame_ok(f))
		return -1;
	privileged_give_key(p, child_link(from), path);
	link_flush(child_link(from));
	return 0;
}

static const struct config_relay *
find_relay(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nrelays; i++) {
		if (strcmp(c->relays[i].name, name) == 0)
			return &c->relays[i];
	}
	return NULL;
}

static void
answer_dial(struct child *to, uint32_t request, const char *why, int fd)
{
	struct link *link = child_link(to);
	struct frame_out *o = link_start(link, SV_DIAL);

	frame_put_u32(o, request);
	frame_put_str(o, fd == -1 ? why : "");
	if (fd == -1)
		link_send(link);
	else
		link_send_fd(link, fd);
	link_flush(link);
}

/* Where it leads is the configuration's. */
static int
do_dial(struct privileged *p, struct child *from, struct frame *f)
{
	const char *why = "it is not in the configuration";
	const struct config_relay *relay;
	struct dialers_ask ask;
	uint32_t request = frame_u32(f);
	uint8_t second, ppp;
	char name[64];
	int fd = -1;

	frame_str(f, name, sizeof(name));
	second = frame_u8(f);
	ppp = frame_u8(f);
	if (!frame_ok(f) || second > 1 || ppp > 1)
		return -1;
	ask = (struct dialers_ask){ second != 0, ppp != 0 };
	relay = find_relay(p->conf, name);
	if (relay != NULL)
		fd = dialers_start(p->dialers, relay, &ask, &why);
	answer_dial(from, request, why, fd);
	if (fd != -1)
		close(fd);
	return 0;
}

static void
on_sink_ended(void *arg, int status)
{
	struct privileged *p = arg;

	(void)status;
	p->sinks--;
}

static const struct config_notify *
find_sink(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nnotifies; i++) {
		if (strcmp(c->notifies[i].name, name) == 0 &&
		    c->notifies[i].type == NOTIFY_EXEC)
			return &c->notifies[i];
	}
	return NULL;
}

/* The program is the configuration's; what it is told is the asker's. */
static int
do_sink(struct privileged *p, struct child *from, struct frame *f)
{
	const struct config_notify *sink;
	struct job_conf job = { .role = "sink", .argc = 1,
	    .limit_ms = SINK_LIMIT_MS };
	uint32_t request = frame_u32(f);
	char name[64], *words[1];
	int pair[2];

	frame_str(f, name, sizeof(name));
	if (!frame_ok(f))
		return -1;
	sink = find_sink(p->conf, name);
	if (sink == NULL || p->sinks >= SINKS_MAX || socketpair(AF_UNIX,
	    SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		answer_fd(from, SV_SINK, request, -1);
		return 0;
	}
	words[0] = sink->command;
	job.argv = words;
	job.fd = pair[1];
	if (job_run(p->children, &job, on_sink_ended, p) != NULL) {
		p->sinks++;
		answer_fd(from, SV_SINK, request, pair[0]);
	} else {
		log_errno("sink: cannot start");
		answer_fd(from, SV_SINK, request, -1);
	}
	close(pair[0]);
	close(pair[1]);
	return 0;
}

/* Of who came to the control socket: its process opens no such file. */
static int
do_name(struct privileged *p, struct child *from, struct frame *f)
{
	struct link *link = child_link(from);
	uint32_t request = frame_u32(f), uid = frame_u32(f);
	struct frame_out *out;
	char name[NAMES_NAME];

	(void)p;
	if (!frame_ok(f))
		return -1;
	out = link_start(link, SV_NAME);
	frame_put_u32(out, request);
	frame_put_str(out, names_user(name, USERS_FILE, (uid_t)uid));
	link_send(link);
	link_flush(link);
	return 0;
}

static const struct {
	const char *role;
	uint16_t type;
	bool numbered;		/* begins with one above the last */
	int (*handle)(struct privileged *, struct child *, struct frame *);
} requests[] = {
	{ "console",	UP_READY,	false,	do_ready },
	{ "console",	UP_OPEN_TTY,	false,	do_open_tty },
	{ "console",	UP_CLOSE_TTY,	false,	do_close_tty },
	{ "console",	UP_READER,	true,	do_reader },
	{ "console",	UP_SIGN,	false,	do_sign },
	{ "console",	UP_NAME,	true,	do_name },
	{ "ssh",	UP_READY,	false,	do_ready },
	{ "ssh",	UP_GATE,	true,	do_gate },
	{ "ssh",	UP_KEY,		false,	do_key },
	{ "ssh",	UP_DIAL,	true,	do_dial },
	{ "ssh",	UP_PROOFLESS,	false,	do_proofless },
	{ "modem",	UP_READY,	false,	do_ready },
	{ "modem",	UP_OPEN_PORT,	false,	do_open_port },
	{ "modem",	UP_PPP_LIFE,	false,	do_ppp_life },
	{ "modem",	UP_PPP_STOP,	false,	do_ppp_stop },
	{ "modem",	UP_ROUTE,	false,	do_route },
	{ "modem",	UP_POWER,	false,	do_power },
	{ "notify",	UP_READY,	false,	do_ready },
	{ "notify",	UP_SINK,	true,	do_sink },
};

#define REQUESTS (sizeof(requests) / sizeof(requests[0]))
static_assert(REQUESTS <= PRIVILEGED_REQUESTS, "a place for each row");

/* Its row, or REQUESTS. */
static size_t
find_request(const char *role, uint16_t type)
{
	size_t i = 0;

	while (i < REQUESTS && (requests[i].type != type ||
	    strcmp(requests[i].role, role) != 0))
		i++;
	return i;
}

void
privileged_forget(struct privileged *p, const struct child *c)
{
	for (size_t i = 0; i < REQUESTS; i++) {
		if (strcmp(requests[i].role, child_role(c)) == 0)
			p->last[i] = p->owed[i] = 0;
	}
	if (strcmp(child_role(c), "console") == 0) {
		p->seal = 0;
		p->seal_hash[0] = '\0';
	}
}

void
privileged_owes_ready(struct privileged *p, const struct child *c)
{
	size_t i = find_request(child_role(c), UP_READY);

	if (i < REQUESTS)
		p->owed[i]++;
}

/* Is it this request's turn? */
static bool
is_due(struct privileged *p, size_t i, const struct frame *f)
{
	struct frame ahead = *f;
	uint32_t number;

	if (f->type == UP_READY) {
		if (p->owed[i] == 0)
			return false;
		p->owed[i]--;
		return true;
	}
	if (!requests[i].numbered)
		return true;
	number = frame_u32(&ahead);
	if (ahead.bad || number <= p->last[i])
		return false;
	p->last[i] = number;
	return true;
}

int
privileged_request(struct privileged *p, struct child *from, struct frame *f,
    int fd)
{
	size_t i = find_request(child_role(from), f->type);
	const char *why = NULL;
	int r = -1;

	/* The only one that brings a descriptor along. */
	if (fd != -1) {
		if (f->type == UP_PPP && strcmp(child_role(from), "modem") == 0)
			r = do_ppp(p, from, f, fd);
		else
			why = "a descriptor that it may not send";
		close(fd);
	} else if (i == REQUESTS) {
		why = "what it may not have";
	} else if (!is_due(p, i, f)) {
		why = "out of turn, or once more";
	} else {
		r = requests[i].handle(p, from, f);
	}
	if (r == -1)
		log_error("%s process asked (%#x): %s", child_role(from),
		    f->type, why != NULL ? why : "malformed");
	return r;
}
