#include <netinet/in.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../auth/blob.h"
#include "../auth/codes.h"
#include "../auth/passwd.h"
#include "../auth/proof.h"
#include "../auth/secret.h"
#include "../auth/voucher.h"
#include "base/clock.h"
#include "base/fileio.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/pass.h"
#include "config.h"
#include "gate.h"
#include "proto.h"
#include "role.h"
#include "sandbox.h"
#include "ssh_auth.h"

#define HOUSE_MAX (FRAME_HEAD + VOUCHER_KEY)
#define QUESTION_MAX (HOUSE_MAX + FRAME_HEAD + FRAME_MAX)
#define QUESTION_MS 5000
#define PART_MAX (PROOF_MAX / 3 * 4 + 8)	/* in base64 */

struct question {
	char user[CODES_NAME];		/* "": nobody, but it must not show */
	char from[INET6_ADDRSTRLEN];
	bool with_password;
	char data[PART_MAX], made[PART_MAX], sig[PART_MAX];
};

struct secrets {
	char password[GATE_TEXT], code[GATE_TEXT];
	uint8_t key[VOUCHER_KEY];
};

struct gate {
	struct config *conf;
	struct codes *codes;
	int passwords;			/* their folder, or -1 */
	bool clock;			/* it is right */
	bool vouches;
	struct secrets *secrets;
	struct question q;
	char user[SSH_AUTH_NAME];	/* who it is, so far as was found */
	char which[GATE_WHY];		/* code it was */
};

/* Bytes of the socket, and the descriptor that came with them. */
struct inbox {
	uint8_t bytes[QUESTION_MAX];
	size_t n, used;
	int fd;
	struct mono end;
};

static const char *const verdicts[] = {
	[CODES_WRONG] = "wrong code",
	[CODES_USED] = "a code that was used before, or passed over",
	[CODES_FAR] = "a code too far ahead",
	[CODES_NONE] = "has no codes: oobctl code new",
	[CODES_FAILED] = "the codes cannot be read",
};

/* The next frame, whole, in *f.  0, or -1. */
static int
next_frame(int sock, struct inbox *in, struct frame *f)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	size_t used;
	ssize_t got;
	int64_t ms;
	int r;

	for (;;) {
		r = frame_parse(in->bytes + in->used, in->n - in->used, f,
		    &used);
		if (r == 1)
			in->used += used;
		if (r != 0)
			return r == 1 ? 0 : -1;
		ms = mono_ms(mono_now(), in->end);
		if (ms <= 0 || in->n == sizeof(in->bytes) ||
		    (got = poll(&p, 1, (int)ms)) == 0)
			return -1;
		if (got == 1)
			got = pass_receive(sock, in->bytes + in->n,
			    sizeof(in->bytes) - in->n, &in->fd);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		in->n += (size_t)got;
	}
}

/* From the supervisor: nobody else has had the other end yet. */
static int
take_house(struct gate *g, struct frame *f, int fd)
{
	const uint8_t *key;
	size_t n;

	if (f->type != GT_HOUSE || fd == -1)
		return -1;
	key = frame_rest(f, &n);
	if (n != 0 && n != sizeof(g->secrets->key))
		return -1;
	g->vouches = n > 0;
	memcpy(g->secrets->key, key, n);
	g->conf = role_config(fd);
	return g->conf == NULL ? -1 : 0;
}

static int
take_question(struct gate *g, struct frame *f)
{
	struct question *q = &g->q;
	struct secrets *s = g->secrets;

	if (f->type != GT_ASK)
		return -1;
	frame_str(f, q->user, sizeof(q->user));
	frame_str(f, q->from, sizeof(q->from));
	q->with_password = frame_u8(f) != 0;
	frame_str(f, s->password, sizeof(s->password));
	frame_str(f, s->code, sizeof(s->code));
	frame_str(f, q->data, sizeof(q->data));
	frame_str(f, q->made, sizeof(q->made));
	frame_str(f, q->sig, sizeof(q->sig));
	return frame_ok(f) ? 0 : -1;
}

/* Before a word of somebody else's is read: what is needed is open then. */
static void
seal(struct gate *g)
{
	g->codes = codes_open(g->conf->state_dir);
	(void)codes_hold(g->codes);
	g->passwords = passwd_folder(g->conf->state_dir);
	g->clock = os_clock_synced();
	proof_prepare();
	sandbox_seal();
}

static int
receive(int sock, struct gate *g)
{
	struct inbox *in = xcalloc(1, sizeof(*in));
	struct frame f;
	int r;

	in->fd = -1;
	in->end = mono_after(mono_now(), QUESTION_MS);
	r = next_frame(sock, in, &f);
	if (r == 0)
		r = take_house(g, &f, in->fd);
	if (r == 0) {
		seal(g);
		r = next_frame(sock, in, &f);
	}
	if (r == 0)
		r = take_question(g, &f);
	if (in->fd != -1)
		close(in->fd);
	freezero(in, sizeof(*in));
	return r;
}

/* Spent only when it is this user's, and good. */
static enum codes_verdict
take_code(struct gate *g)
{
	const struct codes_query query = {
		.code = g->secrets->code,
		.time = { .trusted = g->clock,
		    .now = (int64_t)time(NULL) },
		.totp = g->conf->activation.totp,
	};
	struct codes_match m;
	enum codes_verdict v = codes_look(g->codes, g->user, &query, &m);

	if (v == CODES_GOOD)
		v = codes_take(g->codes, &query, &m);
	if (v == CODES_GOOD && strcmp(m.who, g->user) != 0)
		v = CODES_WRONG;
	snprintf(g->which, sizeof(g->which), "counter %llu",
	    (unsigned long long)m.counter);
	return v;
}

/* NULL, or why the code is not good. */
static const char *
judge_code(struct gate *g)
{
	enum codes_verdict v = take_code(g);

	return v == CODES_GOOD ? NULL : verdicts[v];
}

/* Whose key or certificate it is; his rights are for others to decide. */
static const char *
find_user(struct gate *g, const struct proof_claim *claim, unsigned way)
{
	struct ssh_auth *auth = ssh_auth_new(g->conf);
	const struct ssh_auth_offer offer = {
		.login = claim->name, .blob = claim->key, .from = g->q.from,
		.utc_us = stamp_now().utc_us, .clock = g->clock,
	};
	struct ssh_auth_who who;
	const char *why;

	ssh_auth_any_console(auth);
	why = ssh_auth_find(auth, &offer, &who);
	if (why == NULL && (who.ways & way) == 0)
		why = "not enough to let this user in";
	if (why == NULL)
		memcpy(g->user, who.user, sizeof(g->user));
	ssh_auth_free(auth);
	return why;
}

static const char *
judge_proof(struct gate *g, unsigned way)
{
	struct proof_claim claim = { .key = NULL };
	struct proof p = { .data = NULL };
	uint8_t *data = blob_decode(g->q.data, &p.ndata);
	uint8_t *made = blob_decode(g->q.made, &p.nmade);
	uint8_t *sig = blob_decode(g->q.sig, &p.nsig);
	const char *why = "a proof that is none";

	p.data = data;
	p.made = made;
	p.sig = sig;
	if (made == NULL)
		p.nmade = 0;
	if (data != NULL && sig != NULL)
		why = proof_check(&p, &claim);
	if (why == NULL)
		why = find_user(g, &claim, way);
	free(claim.key);
	free(data);
	free(made);
	free(sig);
	return why;
}

/* A key alone, or the one that a code was asked for. */
static const char *
judge_key(struct gate *g)
{
	bool alone = g->q.user[0] == '\0';
	const char *why = judge_proof(g, alone ? CONFIG_WAY_KEY :
	    CONFIG_WAY_KEY_CODE);

	return why != NULL || alone ? why : judge_code(g);
}

/* One who is nobody takes as long. */
static const char *
judge_password(struct gate *g)
{
	const struct config_user *user = config_user(g->conf, g->q.user);
	const char *why;

	snprintf(g->user, sizeof(g->user), "%s", g->q.user);
	if (!passwd_check_in(g->passwords, g->user, g->secrets->password))
		return passwd_exists_in(g->passwords, g->user) ?
		    "wrong password" :
		    "has no password: oobctl user passwd";
	why = judge_code(g);
	if (why == NULL && (user == NULL ||
	    (config_user_ways(user) & CONFIG_WAY_PASSWORD_CODE) == 0))
		why = "a password does not get this user in";
	return why;
}

/* key+code, where nobody can hear what the key signed (ssh_proof.h). */
static const char *
judge_code_alone(struct gate *g)
{
	if (g->vouches)
		return "a code without a key";
	snprintf(g->user, sizeof(g->user), "%s", g->q.user);
	return judge_code(g);
}

static int
answer(int fd, const struct gate *g, const char *why)
{
	struct frame_out *out = xmalloc(sizeof(*out));
	char voucher[VOUCHER_TEXT] = "";
	int r;

	if (why == NULL && g->vouches)
		voucher_make(voucher, g->secrets->key, g->user);
	frame_start(out, GT_ANSWER);
	frame_put_u8(out, why == NULL);
	frame_put_str(out, why == NULL ? g->which : why);
	frame_put_str(out, voucher);
	r = frame_finish(out, 0) == 0 &&
	    fd_write_all(fd, out->block, out->len) == 0 ? 0 : 1;
	freezero(out, sizeof(*out));
	explicit_bzero(voucher, sizeof(voucher));
	return r;
}

int
gate_main(int fd, int argc, char *const argv[])
{
	struct gate *g = xcalloc(1, sizeof(*g));
	const char *why;
	int status = 1;

	g->secrets = secret_new(sizeof(*g->secrets));
	g->passwords = -1;
	if (argc > 0)
		sandbox_enter("gate", argv[0], argv[0], NULL);
	if (argc != 1 || receive(fd, g) == -1) {
		log_error("gate: no question");
	} else {
		why = g->q.data[0] != '\0' ? judge_key(g) :
		    g->q.with_password ? judge_password(g) :
		    judge_code_alone(g);
		status = answer(fd, g, why);
	}
	if (g->passwords != -1)
		close(g->passwords);
	codes_close(g->codes);
	config_free(g->conf);
	secret_free(g->secrets);
	freezero(g, sizeof(*g));
	return status;
}
