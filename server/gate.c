#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../auth/codes.h"
#include "../auth/passwd.h"
#include "../auth/secret.h"
#include "base/clock.h"
#include "base/fileio.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "gate.h"
#include "proto.h"
#include "sandbox.h"

#define QUESTION_MAX 2048
#define QUESTION_MS 5000

struct question {
	char user[CODES_NAME];		/* "": nobody, but it must not show */
	bool with_password;
	char password[GATE_TEXT], code[GATE_TEXT];
};

static const char *const verdicts[] = {
	[CODES_WRONG] = "wrong code",
	[CODES_USED] = "a code that was used before, or passed over",
	[CODES_FAR] = "a code too far ahead",
	[CODES_NONE] = "has no codes: oobctl code new",
	[CODES_FAILED] = "the codes cannot be read",
};

/* The whole frame; 0, or -1. */
static int
receive(int fd, struct question *q)
{
	uint8_t in[QUESTION_MAX];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct mono end = mono_after(mono_now(), QUESTION_MS);
	struct frame f;
	size_t n = 0, used;
	ssize_t got;
	int r = 0;
	int64_t ms;

	while (r == 0 && n < sizeof(in)) {
		ms = mono_ms(mono_now(), end);
		if (ms <= 0 || (got = poll(&p, 1, (int)ms)) == 0)
			break;
		if (got == 1)
			got = read(fd, in + n, sizeof(in) - n);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
		r = frame_parse(in, n, &f, &used);
	}
	if (r == 1 && f.type == GT_ASK) {
		frame_str(&f, q->user, sizeof(q->user));
		q->with_password = frame_u8(&f) != 0;
		frame_str(&f, q->password, sizeof(q->password));
		frame_str(&f, q->code, sizeof(q->code));
		r = frame_ok(&f) ? 1 : -1;
	}
	explicit_bzero(in, sizeof(in));
	return r == 1 ? 0 : -1;
}

/* Spent only when it is this user's, and good. */
static enum codes_verdict
take_code(const char *state_dir, const struct question *q, bool totp,
    char which[GATE_WHY])
{
	const struct codes_query query = {
		.code = q->code,
		.time = { .trusted = os_clock_synced(),
		    .now = (int64_t)time(NULL) },
		.totp = totp,
	};
	struct codes *codes = codes_open(state_dir);
	struct codes_match m;
	enum codes_verdict v = codes_look(codes, q->user, &query, &m);

	if (v == CODES_GOOD)
		v = codes_take(codes, &query, &m);
	if (v == CODES_GOOD && strcmp(m.who, q->user) != 0)
		v = CODES_WRONG;
	snprintf(which, GATE_WHY, "counter %llu", (unsigned long long)
	    m.counter);
	codes_close(codes);
	return v;
}

/* NULL and which code it was, or why not. */
static const char *
judge(const char *state_dir, const struct question *q, bool totp,
    char which[GATE_WHY])
{
	enum codes_verdict v;

	if (q->with_password && !passwd_check(state_dir, q->user, q->password))
		return passwd_exists(state_dir, q->user) ? "wrong password" :
		    "has no password: oobctl user passwd";
	v = take_code(state_dir, q, totp, which);
	return v == CODES_GOOD ? NULL : verdicts[v];
}

int
gate_main(int fd, int argc, char *const argv[])
{
	struct frame_out *out = xmalloc(sizeof(*out));
	struct question *q = secret_new(sizeof(*q));
	char which[GATE_WHY] = "";
	const char *why;
	int status = 1;

	if (argc > 0)
		sandbox_enter("gate", argv[0], argv[0], NULL);
	if (argc < 1 || argc > 2 || receive(fd, q) == -1) {
		log_error("gate: no question");
	} else {
		why = judge(argv[0], q, argc == 2 &&
		    strcmp(argv[1], "totp") == 0, which);
		frame_start(out, GT_ANSWER);
		frame_put_u8(out, why == NULL);
		frame_put_str(out, why == NULL ? which : why);
		status = frame_finish(out, 0) == 0 &&
		    fd_write_all(fd, out->block, out->len) == 0 ? 0 : 1;
	}
	secret_free(q);
	free(out);
	return status;
}
