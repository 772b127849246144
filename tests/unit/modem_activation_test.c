#include <sys/syscall.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "modem/activation.h"

#define OWNER "+46701234567"
#define OTHER "+46709999999"

static int crash_at;		/* this fsync is the last thing that happens */

/* Stands before libc's. */
int
fsync(int fd)
{
	if (crash_at > 0 && --crash_at == 0)
		_exit(77);
	return (int)syscall(SYS_fsync, fd);
}

struct place {
	char dir[64];
	struct codes *codes;
	struct activation *a;
	struct activation_now now;
	bool old;
	int64_t smsc;
	bool totp;
	uint8_t toa;
};

static const char *const list[] = { OWNER, OTHER };

static void
start(struct place *p)
{
	struct activation_conf conf = { list, 2, p->totp };

	p->codes = codes_open(p->dir);
	p->a = activation_new(&conf, p->codes);
}

static void
stop(struct place *p)
{
	activation_free(p->a);
	codes_close(p->codes);
}

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct codes_record r;

	strcpy(p->dir, "/tmp/oobd-activation-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->now = (struct activation_now){ true, 1700000000, { 5000000 } };
	p->toa = 0x91;
	start(p);
	assert_int_equal(codes_new(p->codes, "alice", false, false, &r), 0);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;
	char command[128];

	stop(p);
	snprintf(command, sizeof(command), "rm -rf '%s'", p->dir);
	free(p);
	return system(command);
}

/* "VERB [ARG]" with this admin's code at counter, from this number. */
static struct activation_verdict
send_text(struct place *p, const char *from, const char *text)
{
	struct activation_message m = {
		.sender = from, .toa = p->toa, .text = text,
		.len = strlen(text), .smsc = p->smsc, .old = p->old,
	};
	struct activation_verdict v;
	const char *rest;

	activation_decide(p->a, &m, &p->now, &v);
	assert_int_equal(v.act, v.why == ACTIVATION_ACCEPTED);
	assert_non_null(v.kind);
	/* No code is told, nor anything that looks like one. */
	rest = strstr(v.text, from);
	rest = rest == NULL ? v.text : rest + strlen(from);
	for (; *rest != '\0'; rest++)
		assert_true(strspn(rest, "0123456789") < 8);
	return v;
}

static struct activation_verdict
send_code(struct place *p, const char *from, const char *words,
    uint64_t counter)
{
	struct codes_record r;
	char code[OTP_CODE], text[64];

	assert_int_equal(codes_get(p->codes, "alice", &r), 0);
	assert_int_equal(otp_code(&r.secret, counter, code), 0);
	snprintf(text, sizeof(text), "%s %s", words, code);
	return send_text(p, from, text);
}

static enum activation_why
guess(struct place *p, const char *from)
{
	static unsigned n = 31;
	char text[64];

	n = (n * 48271 + 11) % 99999989;
	snprintf(text, sizeof(text), "up %08u", n);
	return send_text(p, from, text).why;
}

static void
owner_is_heard(void **state)
{
	struct place *p = *state;
	struct activation_verdict v = send_code(p, OWNER, "oob UP 60", 0);

	assert_true(v.act && v.tell);
	assert_string_equal(v.who, "alice");
	assert_int_equal(v.verb, COMMAND_UP);
	assert_int_equal(v.arg, 60);
	assert_string_equal(v.kind, "sms-command");
	assert_string_equal(v.text, "from=" OWNER " user=alice up 60");
	v = send_code(p, OTHER, "status", 1);
	assert_true(v.act);
	assert_string_equal(v.text, "from=" OTHER " user=alice status");
	assert_int_equal(activation_count(p->a, ACTIVATION_ACCEPTED), 2);
}

static void
sender_and_code_must_both_match(void **state)
{
	struct place *p = *state;
	struct activation_verdict v = send_code(p, "+46700000000", "up", 0);

	assert_int_equal(v.why, ACTIVATION_STRANGER);
	assert_string_equal(v.kind, "sms-refused");
	assert_string_equal(v.who, "");
	p->toa = 0xd0;
	assert_int_equal(send_code(p, OWNER, "up", 0).why, ACTIVATION_STRANGER);
	p->toa = 0x81;
	assert_int_equal(send_code(p, &OWNER[1], "up", 0).why,
	    ACTIVATION_STRANGER);
	p->toa = 0x91;
	assert_int_equal(guess(p, OWNER), ACTIVATION_WRONG);
	/* None of them spent the code. */
	assert_int_equal(send_code(p, OWNER, "up", 0).why, ACTIVATION_ACCEPTED);
}

static void
what_is_no_command(void **state)
{
	struct place *p = *state;

	assert_int_equal(send_code(p, OWNER, "open", 0).why,
	    ACTIVATION_NO_COMMAND);
	assert_int_equal(send_code(p, OWNER, "up 5000", 0).why,
	    ACTIVATION_NO_COMMAND);
	assert_int_equal(send_text(p, OWNER, "hello").why,
	    ACTIVATION_NO_COMMAND);
	assert_int_equal(send_text(p, OWNER, "").why, ACTIVATION_NO_COMMAND);
	assert_int_equal(send_code(p, OWNER, "up", 0).why, ACTIVATION_ACCEPTED);
}

static void
replay_never_acts(void **state)
{
	struct place *p = *state;

	assert_true(send_code(p, OWNER, "up", 0).act);
	for (int i = 0; i < 8; i++)
		assert_int_equal(send_code(p, OWNER, "up", 0).why,
		    ACTIVATION_USED);
	/* Nor with other words, nor under the other number. */
	assert_int_equal(send_code(p, OTHER, "down", 0).why, ACTIVATION_USED);
	for (int i = 0; i < 8; i++) {
		stop(p);
		start(p);
		assert_int_equal(send_code(p, OWNER, "up", 0).why,
		    ACTIVATION_USED);
	}
	/* Copies are no guesses. */
	for (int i = 0; i < 50; i++)
		send_code(p, OWNER, "up", 0);
	assert_false(activation_guessing(p->a, p->now.mono));
	assert_true(send_code(p, OWNER, "up", 20).act);
}

static void
old_messages_never_act(void **state)
{
	struct place *p = *state;

	p->old = true;
	assert_int_equal(send_code(p, OWNER, "up", 0).why, ACTIVATION_OLD);
	p->old = false;
	/* Spent all the same: who saw it cannot send it again. */
	assert_int_equal(send_code(p, OWNER, "up", 0).why, ACTIVATION_USED);
	p->smsc = p->now.utc - 2 * 86400;
	assert_int_equal(send_code(p, OWNER, "up", 1).why, ACTIVATION_STALE);
	p->smsc = 0;
	assert_int_equal(send_code(p, OWNER, "up", 1).why, ACTIVATION_USED);
	/* A centre in another zone, and a clock that knows nothing. */
	p->smsc = p->now.utc - 14 * 3600;
	assert_true(send_code(p, OWNER, "up", 2).act);
	p->smsc = p->now.utc + 14 * 3600;
	assert_true(send_code(p, OWNER, "up", 3).act);
	p->now.trusted = false;
	p->smsc = 1600000000;
	assert_true(send_code(p, OWNER, "up", 4).act);
}

static void
without_codes(void **state)
{
	struct place *p = *state;
	struct activation_verdict v;

	assert_int_equal(codes_remove(p->codes, "alice"), 0);
	v = send_text(p, OWNER, "up 12345678");
	assert_int_equal(v.why, ACTIVATION_NO_CODES);
	assert_non_null(strstr(v.text, "oobctl code new"));
}

static void
time_based(void **state)
{
	struct place *p = *state;
	struct codes_record r;
	struct activation_verdict v;
	uint64_t step = (uint64_t)p->now.utc / OTP_STEP;

	assert_int_equal(codes_new(p->codes, "alice", true, true, &r), 0);
	assert_int_equal(send_code(p, OWNER, "up", step).why, ACTIVATION_WRONG);
	p->totp = true;
	stop(p);
	start(p);
	p->now.trusted = false;
	v = send_code(p, OWNER, "up", step);
	assert_int_equal(v.why, ACTIVATION_WRONG);
	assert_non_null(strstr(v.text, "no clock can be trusted"));
	p->smsc = p->now.utc - 30;
	assert_true(send_code(p, OWNER, "up", step).act);
	assert_int_equal(send_code(p, OWNER, "up", step).why, ACTIVATION_USED);
}

/* Somebody sends wrong codes under the owner's number, without end. */
static void
flood_does_not_lock_out(void **state)
{
	struct place *p = *state;
	unsigned told = 0;

	for (int i = 0; i < 3000; i++) {
		p->now.mono.us += 3000000;
		assert_int_equal(guess(p, OWNER), ACTIVATION_WRONG);
	}
	assert_true(activation_guessing(p->a, p->now.mono));
	assert_true(send_code(p, OWNER, "up", 0).act);
	for (int i = 0; i < 1000; i++)
		guess(p, OWNER);
	/* Also with a few codes lost on the way. */
	assert_true(send_code(p, OWNER, "up", 3).act);
	/* Also with many, in two messages. */
	assert_int_equal(send_code(p, OWNER, "up", 20).why, ACTIVATION_FAR);
	guess(p, OWNER);
	assert_true(send_code(p, OWNER, "up", 21).act);
	/* The other number does not notice, in no way. */
	assert_true(send_code(p, OTHER, "up", 42).act);
	/* And nobody, when it is over. */
	assert_int_equal(send_code(p, OWNER, "up", 63).why, ACTIVATION_FAR);
	p->now.mono.us += INT64_C(1000) * ACTIVATION_GUESS_MS;
	assert_false(activation_guessing(p->a, p->now.mono));
	assert_true(send_code(p, OWNER, "up", 63).act);
	/* Guesses fill neither the journal ... */
	for (int i = 0; i < 1000; i++) {
		struct activation_verdict v = send_text(p, OWNER,
		    "up 00000000");

		told += v.tell;
	}
	assert_true(told <= ACTIVATION_TELLS);
	/* ... nor hide how many there were. */
	p->now.mono.us += INT64_C(1000) * ACTIVATION_TELL_MS;
	assert_non_null(strstr(send_text(p, "x", "hello").text,
	    "before it)"));
}

static void
names_are_told_safely(void **state)
{
	struct place *p = *state;
	struct activation_verdict v;

	p->toa = 0xd0;
	v = send_text(p, "a\n\x1b[31m", "up 12345678");
	assert_int_equal(v.why, ACTIVATION_STRANGER);
	assert_null(strchr(v.text, '\n'));
	assert_null(strchr(v.text, '\x1b'));
}

/*
 * The process dies at every point between reading the message and acting on
 * it.  Whatever happened: the code acts once at most, the next one does.
 */
static void
crash_between_counter_and_action(void **state)
{
	static const struct {
		int at;		/* fsync; 0: after the decision */
		bool spent;
	} points[] = {
		{ 1, false },	/* the new file is not on the disk */
		{ 2, true },	/* renamed, its folder is not */
		{ 0, true },
	};
	struct place *p = *state;
	uint64_t counter = 0;
	int status;
	pid_t pid;

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		pid = fork();
		if (pid == 0) {
			crash_at = points[i].at;
			if (!send_code(p, OWNER, "up", counter).act)
				_exit(1);
			_exit(points[i].at == 0 ? 77 : 2);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 77);
		stop(p);
		start(p);
		/* The modem still has the message: it was not deleted. */
		assert_int_equal(send_code(p, OWNER, "up", counter).act,
		    !points[i].spent);
		for (int j = 0; j < 8; j++)
			assert_int_equal(send_code(p, OWNER, "up", counter).why,
			    ACTIVATION_USED);
		assert_true(send_code(p, OWNER, "up", counter + 1).act);
		counter += 2;
	}
}

static void
reload(void **state)
{
	struct place *p = *state;
	struct activation_conf conf = { list, 1, false };

	activation_configure(p->a, &conf);
	assert_int_equal(send_code(p, OTHER, "up", 0).why, ACTIVATION_STRANGER);
	assert_true(send_code(p, OWNER, "up", 0).act);
	conf.nfrom = 0;
	activation_configure(p->a, &conf);
	assert_int_equal(send_code(p, OWNER, "up", 1).why, ACTIVATION_STRANGER);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(owner_is_heard),
		T(sender_and_code_must_both_match),
		T(what_is_no_command),
		T(replay_never_acts),
		T(old_messages_never_act),
		T(without_codes),
		T(time_based),
		T(flood_does_not_lock_out),
		T(names_are_told_safely),
		T(crash_between_counter_and_action),
		T(reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
