/*
 * The supervisor's table of requests: what is in it is done, all else is the
 * asker's end and nothing is done.  What a job would be started with is what
 * the configuration says.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "privileged_help.h"
#include "auth/voucher.h"
#include "server/dialer.h"
#include "server/gate.h"
#include "server/sink.h"

#define OTHER "f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONGEST 9000		/* of what is built here */

/* Each way to spoil a good one. */
static void
each(void (*fn)(int role, const struct request *, struct frame_out *, int fd))
{
	struct frame_out *o = xmalloc(sizeof(*o));

	for (int role = 0; role < ROLES; role++) {
		for (size_t i = 0; i < COUNT(requests); i++) {
			if ((requests[i].may & 1U << role) == 0)
				continue;
			frame_start(o, requests[i].type);
			requests[i].build(o);
			fn(role, &requests[i], o, requests[i].brings ?
			    any_fd() : -1);
		}
	}
	free(o);
}

/* The tests. */

static void
each_role_has_its_own(void **state)
{
	struct frame_out *o = xmalloc(sizeof(*o));

	(void)state;
	for (int role = 0; role < ROLES; role++) {
		for (size_t i = 0; i < COUNT(requests); i++) {
			const struct request *r = &requests[i];

			if ((r->may & 1U << role) != 0) {
				done(role, r);
				continue;
			}
			frame_start(o, r->type);
			r->build(o);
			refused(role, r->type, o->block + FRAME_HEAD,
			    o->len - FRAME_HEAD, -1);
			refused(role, r->type, o->block + FRAME_HEAD,
			    o->len - FRAME_HEAD, any_fd());
		}
	}
	free(o);
}

/* Frames of other links, and numbers that are none. */
static void
other_frames_are_in_no_table(void **state)
{
	(void)state;
	for (int role = 0; role < ROLES; role++) {
		for (unsigned type = UP_NAME + 1; type < UP_NAME + 32; type++)
			refused(role, (uint16_t)type, NULL, 0, -1);
		for (unsigned type = 0; type < 0x0c00; type += 0x100) {
			for (unsigned i = 0; type != 0x0500 && i < 0x28; i++)
				refused(role, (uint16_t)(type + i), NULL, 0,
				    -1);
		}
		refused(role, UINT16_MAX, NULL, 0, any_fd());
	}
}

static void
cut(int role, const struct request *r, struct frame_out *o, int fd)
{
	size_t n = o->len - FRAME_HEAD;

	for (size_t i = 0; i < n; i++) {
		/* It is cut, not out of turn. */
		memset(w.p.last, 0, sizeof(w.p.last));
		refused(role, r->type, o->block + FRAME_HEAD, i,
		    r->brings ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1);
	}
	if (fd != -1)
		close(fd);
}

static void
cut_at_every_byte(void **state)
{
	(void)state;
	each(cut);
}

static void
lengthen(int role, const struct request *r, struct frame_out *o, int fd)
{
	static const size_t more[] = { 1, 2, 4, 255, 4096 };
	static uint8_t block[LONGEST + FRAME_MAX];
	size_t n = o->len - FRAME_HEAD;

	memcpy(block, o->block + FRAME_HEAD, n);
	for (size_t i = 0; i <= COUNT(more); i++) {
		memset(w.p.last, 0, sizeof(w.p.last));
		ready(NULL);
		refused(role, r->type, block, i < COUNT(more) ? n + more[i] :
		    FRAME_MAX, r->brings ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1);
		memset(block + n, 'x', sizeof(block) - n);
	}
	if (fd != -1)
		close(fd);
}

static void
with_bytes_left_over(void **state)
{
	(void)state;
	each(lengthen);
}

static void
bring(int role, const struct request *r, struct frame_out *o, int fd)
{
	if (!r->brings)
		refused(role, r->type, o->block + FRAME_HEAD,
		    o->len - FRAME_HEAD, any_fd());
	else
		refused(role, r->type, o->block + FRAME_HEAD,
		    o->len - FRAME_HEAD, -1);
	if (fd != -1)
		close(fd);
}

/* One that nobody wants, or none where one belongs. */
static void
with_the_wrong_descriptor(void **state)
{
	(void)state;
	each(bring);
}

static void
replay(int role, const struct request *r, struct frame_out *o, int fd)
{
	const uint8_t *p = o->block + FRAME_HEAD;
	size_t n = o->len - FRAME_HEAD;

	if (r->type != UP_READER && r->type != UP_GATE &&
	    r->type != UP_SINK && r->type != UP_DIAL &&
	    r->type != UP_NAME) {
		if (fd != -1)
			close(fd);
		return;
	}
	assert_int_equal(ask(role, o, r->type), 0);
	refused(role, r->type, p, n, -1);	/* the same */
	for (int i = 0; i < 3; i++)
		o->block[FRAME_HEAD + i] = 0;
	o->block[FRAME_HEAD + 3] = 0;
	refused(role, r->type, p, n, -1);	/* none has this number */
	o->block[FRAME_HEAD] = 0xff;
	assert_int_equal(ask(role, o, r->type), 0);
	number(o);
	o->block[FRAME_HEAD] = 0;
	refused(role, r->type, p, n, -1);	/* an older one */

	/* A new process of another role changes nothing. */
	for (int i = 0; i < ROLES; i++) {
		if (i != role)
			privileged_forget(&w.p, &w.child[i]);
	}
	refused(role, r->type, p, n, -1);
	privileged_forget(&w.p, &w.child[role]);
	o->block[FRAME_HEAD + 3] = 1;
	o->len = FRAME_HEAD + n;
	assert_int_equal(ask(role, o, r->type), 0);
}

static void
a_number_counts_up(void **state)
{
	(void)state;
	each(replay);
}

/* Once for each that it was given. */
static void
ready_is_an_answer(void **state)
{
	(void)state;
	for (int role = CONSOLE; role < READER; role++) {
		unsigned before = w.ready;

		refused(role, UP_READY, NULL, 0, -1);
		privileged_owes_ready(&w.p, &w.child[role]);
		privileged_owes_ready(&w.p, &w.child[role]);
		for (int other = CONSOLE; other < READER; other++) {
			if (other != role)
				refused(other, UP_READY, NULL, 0, -1);
		}
		assert_int_equal(ask_bytes(role, UP_READY, NULL, 0, -1), 0);
		assert_int_equal(ask_bytes(role, UP_READY, NULL, 0, -1), 0);
		assert_int_equal(w.ready, before + 2);
		refused(role, UP_READY, NULL, 0, -1);
		privileged_owes_ready(&w.p, &w.child[role]);
		privileged_forget(&w.p, &w.child[role]);
		refused(role, UP_READY, NULL, 0, -1);
	}
}

static int
ask_sign(uint64_t seal, const char *hash)
{
	struct frame_out *o = xmalloc(sizeof(*o));
	unsigned before = effects();
	int r;

	end_jobs();
	frame_start(o, UP_SIGN);
	frame_put_u64(o, seal);
	frame_put_str(o, hash);
	r = ask(CONSOLE, o, UP_SIGN);
	assert_int_equal(r == 0, effects() > before);
	free(o);
	return r;
}

static void
no_older_seal_is_signed(void **state)
{
	char words[PATH_MAX];

	(void)state;
	assert_int_equal(ask_sign(7, HASH), 0);
	snprintf(words, sizeof(words), "%s|/l|box|7|" HASH, dir);
	assert_string_equal(fake_last->role, "signer");
	assert_string_equal(fake_last->words, words);
	assert_int_equal(fake_last->limit_ms, 10000);
	assert_int_equal(ask_sign(6, HASH), -1);
	assert_int_equal(ask_sign(0, HASH), -1);
	/* Again, when the signer failed: yes.  But nothing else by its number. */
	assert_int_equal(ask_sign(7, HASH), 0);
	assert_int_equal(ask_sign(7, OTHER), -1);
	assert_int_equal(ask_sign(7, HASH), 0);
	assert_int_equal(ask_sign(8, OTHER), 0);
	assert_int_equal(ask_sign(7, HASH), -1);
	assert_int_equal(ask_sign(UINT64_MAX, HASH), 0);
	assert_int_equal(ask_sign(0, HASH), -1);
	/* A new console process begins with what is in the files. */
	privileged_forget(&w.p, &w.child[SSH]);
	assert_int_equal(ask_sign(7, HASH), -1);
	privileged_forget(&w.p, &w.child[CONSOLE]);
	assert_int_equal(ask_sign(7, OTHER), 0);
	assert_int_equal(ask_sign(6, HASH), -1);
}

static void
no_other_hash_is_signed(void **state)
{
	char hash[80] = HASH;

	(void)state;
	for (size_t i = 0; i < sizeof(HASH) - 1; i++) {
		static const char bad[] = "gAF/ -\n|";
		char was = hash[i];

		hash[i] = bad[i % (sizeof(bad) - 1)];
		assert_int_equal(ask_sign(9, hash), -1);
		hash[i] = '\0';
		assert_int_equal(ask_sign(9, hash), -1);
		hash[i] = was;
	}
	assert_int_equal(ask_sign(9, HASH "0"), -1);
	assert_int_equal(ask_sign(9, ""), -1);
	assert_int_equal(ask_sign(9, HASH), 0);
}

/* More than is bearable is answered by a no; and again yes, after an end. */
static void
at_a_time(int role, const struct request *r, unsigned most)
{
	struct frame_out *o = xmalloc(sizeof(*o));

	for (unsigned i = 0; i < most + 3; i++) {
		frame_start(o, r->type);
		r->build(o);
		assert_int_equal(ask(role, o, r->type), 0);
		assert_int_equal(hear(role), 1);
		assert_int_equal(asked.told_fd, i < most);
	}
	end_job(fake_last);
	for (int i = 0; i < 2; i++) {
		frame_start(o, r->type);
		r->build(o);
		assert_int_equal(ask(role, o, r->type), 0);
		assert_int_equal(hear(role), 1);
		assert_int_equal(asked.told_fd, i == 0);
	}
	end_jobs();
	/* One that cannot be started holds no place. */
	fake_refuse = true;
	for (unsigned i = 0; i < most + 1; i++) {
		frame_start(o, r->type);
		r->build(o);
		assert_int_equal(ask(role, o, r->type), 0);
		assert_int_equal(hear(role), 1);
		assert_false(asked.told_fd);
	}
	fake_refuse = false;
	frame_start(o, r->type);
	r->build(o);
	assert_int_equal(ask(role, o, r->type), 0);
	assert_int_equal(hear(role), 1);
	assert_true(asked.told_fd);
	end_jobs();
	free(o);
}

static void
jobs_are_bounded(void **state)
{
	static const struct {
		int role;
		uint16_t type;
		unsigned most;
	} bounds[] = {
		{ CONSOLE, UP_READER, READERS_MAX },
		{ CONSOLE, UP_SIGN, 4 },
		{ SSH, UP_GATE, 4 * GATES_MAX },
		{ SSH, UP_DIAL, DIALERS_MAX },
		{ NOTIFY, UP_SINK, SINKS_MAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bounds); i++) {
		for (size_t k = 0; k < COUNT(requests); k++) {
			if (requests[k].type == bounds[i].type)
				at_a_time(bounds[i].role, &requests[k],
				    bounds[i].most);
		}
	}
}

static const struct request *
request_of(uint16_t type)
{
	size_t i = 0;

	while (requests[i].type != type)
		i++;
	return &requests[i];
}

static void
ran(int role, uint16_t type, const char *job, const char *words,
    bool privileged)
{
	done(role, request_of(type));
	assert_string_equal(fake_last->role, job);
	assert_string_equal(fake_last->words, words);
	assert_int_equal(fake_last->privileged, privileged);
}

/* Programs and paths are the configuration's. */
static void
what_is_started(void **state)
{
	char words[PATH_MAX];

	(void)state;
	snprintf(words, sizeof(words), "/l|%s|--tty|80|24|log|gw", dir);
	ran(CONSOLE, UP_READER, "reader", words, false);
	assert_int_equal(fake_last->limit_ms, 0);
	ran(CONSOLE, UP_OPEN_TTY, "opener", "/dev/null|57600|8N1|none", true);
	ran(SSH, UP_GATE, "gate", dir, false);
	assert_int_equal(fake_last->limit_ms, GATE_LIMIT_MS);
	ran(SSH, UP_DIAL, "dialer", "h|22|443|||", false);
	assert_int_equal(fake_last->limit_ms, DIALER_LIMIT_MS);
	ran(NOTIFY, UP_SINK, "sink", "/usr/bin/tell", false);
	assert_int_equal(fake_last->limit_ms, SINK_LIMIT_MS);
	ran(MODEM, UP_OPEN_PORT, "opener", "/dev/m1|115200|8N1|none|modem",
	    true);
	ran(MODEM, UP_POWER, "power", "/usr/bin/hook|/dev/m0", true);
	if (geteuid() == 0) {
		snprintf(words, sizeof(words), "run|%s", dir);
		ran(MODEM, UP_PPP, "ppp", words, true);
	}
}

/* What SV_VOUCHERS said last; -1: nothing. */
static ssize_t
vouchers_told(uint8_t key[VOUCHER_KEY])
{
	uint8_t b[4096];
	size_t used, len, at = 0;
	ssize_t n, told = -1;
	const uint8_t *p;
	struct frame f;

	settle();
	n = recv(w.there[CONSOLE], b, sizeof(b), MSG_DONTWAIT);
	while (n > 0 && frame_parse(b + at, (size_t)n - at, &f, &used) == 1) {
		at += used;
		if (f.type != SV_VOUCHERS)
			continue;
		p = frame_rest(&f, &len);
		assert_true(len <= VOUCHER_KEY);
		memcpy(key, p, len);
		told = (ssize_t)len;
	}
	return told;
}

/* Each ssh process has others; and none is without once it was ready. */
static void
vouchers_are_of_one_process(void **state)
{
	uint8_t first[VOUCHER_KEY], second[VOUCHER_KEY];
	struct frame_out *o = xmalloc(sizeof(*o));

	(void)state;
	privileged_new_vouchers(&w.p);
	assert_int_equal(vouchers_told(first), VOUCHER_KEY);
	privileged_new_vouchers(&w.p);
	assert_int_equal(vouchers_told(second), VOUCHER_KEY);
	assert_memory_not_equal(first, second, VOUCHER_KEY);
	assert_memory_equal(w.p.vouchers, second, VOUCHER_KEY);
	privileged_give_vouchers(&w.p);
	assert_int_equal(vouchers_told(first), VOUCHER_KEY);
	assert_memory_equal(first, second, VOUCHER_KEY);
	frame_start(o, UP_PROOFLESS);
	frame_put_str(o, "another library");
	assert_int_equal(ask(SSH, o, UP_PROOFLESS), 0);
	assert_int_equal(vouchers_told(first), 0);
	assert_null(w.p.vouchers);
	privileged_new_vouchers(&w.p);
	privileged_owes_ready(&w.p, &w.child[SSH]);
	assert_int_equal(ask_bytes(SSH, UP_READY, NULL, 0, -1), 0);
	(void)vouchers_told(first);
	frame_start(o, UP_PROOFLESS);
	frame_put_str(o, "let me");
	assert_int_equal(ask(SSH, o, UP_PROOFLESS), -1);
	assert_int_equal(vouchers_told(first), -1);
	assert_non_null(w.p.vouchers);
	free(o);
}

static int
ask_str(int role, uint16_t type, bool numbered, const char *text)
{
	struct frame_out *o = xmalloc(sizeof(*o));
	int r;

	frame_start(o, type);
	if (numbered)
		frame_put_u32(o, ++asked.number);
	frame_put_str(o, text);
	r = ask(role, o, type);
	free(o);
	settle();
	return r;
}

/* Only lines that are configured: the console process knows them, too. */
static void
no_other_line(void **state)
{
	static const char *const names[] = { "", "g", "gww", "GW", "../gw",
	    "gw\n", "/dev/null" };
	unsigned before = effects();

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(ask_str(CONSOLE, UP_OPEN_TTY, false,
		    names[i]), -1);
		assert_int_equal(ask_str(CONSOLE, UP_CLOSE_TTY, false,
		    names[i]), -1);
	}
	assert_int_equal(effects(), before);
}

/* What a reload may have made wrong is answered, without a descriptor. */
static void
no_other_port_nor_program(void **state)
{
	static const char *const ports[] = { "", "/dev/m", "/dev/m00",
	    "/dev/null", "/dev/m0/../null", "usb:1:2" };
	static const char *const sinks[] = { "", "s", "ee", "/bin/sh" };
	unsigned begun = fake_begun;

	(void)state;
	for (size_t i = 0; i < COUNT(ports); i++) {
		assert_int_equal(ask_str(MODEM, UP_OPEN_PORT, true, ports[i]),
		    0);
		assert_int_equal(hear(MODEM), 1);
		assert_int_equal(asked.told, SV_PORT_FAILED);
		assert_false(asked.told_fd);
	}
	for (size_t i = 0; i < COUNT(sinks); i++) {
		assert_int_equal(ask_str(NOTIFY, UP_SINK, true, sinks[i]), 0);
		assert_int_equal(hear(NOTIFY), 1);
		assert_int_equal(asked.told, SV_SINK);
		assert_false(asked.told_fd);
	}
	assert_int_equal(fake_begun, begun);
}

static int
ask_dial(const char *relay, uint8_t second, uint8_t ppp)
{
	struct frame_out *o = xmalloc(sizeof(*o));
	int r;

	frame_start(o, UP_DIAL);
	frame_put_u32(o, ++asked.number);
	frame_put_str(o, relay);
	frame_put_u8(o, second);
	frame_put_u8(o, ppp);
	r = ask(SSH, o, UP_DIAL);
	free(o);
	settle();
	return r;
}

/* One that is configured, by its name; no address is ever the asker's. */
static void
no_other_relay(void **state)
{
	static const char *const names[] = { "", "rr", "R", "h", "127.0.0.1",
	    "r\n" };
	unsigned begun = fake_begun;

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(ask_dial(names[i], 0, 0), 0);
		assert_int_equal(hear(SSH), 1);
		assert_int_equal(asked.told, SV_DIAL);
		assert_false(asked.told_fd);
		assert_string_equal(asked.text + 6, "it is not in the "
		    "configuration");
	}
	/* PPP is up when PPP says so, not when the asker does. */
	assert_int_equal(ask_dial("r", 0, 1), 0);
	assert_int_equal(hear(SSH), 1);
	assert_false(asked.told_fd);
	assert_string_equal(asked.text + 6, "PPP is not up");
	for (unsigned i = 2; i < 256; i++) {
		assert_int_equal(ask_dial("r", (uint8_t)i, 0), -1);
		assert_int_equal(ask_dial("r", 0, (uint8_t)i), -1);
	}
	assert_int_equal(fake_begun, begun);
	assert_int_equal(ask_dial("r", 1, 0), 0);
	assert_int_equal(hear(SSH), 1);
	assert_true(asked.told_fd);
	assert_string_equal(fake_last->words, "h|443|22|||");
}

static void
key_is(const char *path, bool given, uint32_t error)
{
	const uint8_t *p;
	uint32_t said = 0;

	assert_int_equal(ask_str(SSH, UP_KEY, false, path), 0);
	assert_int_equal(hear(SSH), 1);
	assert_int_equal(asked.told, SV_KEY);
	assert_int_equal(asked.told_fd, given);
	p = (const uint8_t *)asked.text + 2 + strlen(path);
	for (int i = 0; i < 4; i++)
		said = said << 8 | p[i];
	assert_int_equal(said, error);
}

static void
no_other_key(void **state)
{
	char path[PATH_MAX];

	(void)state;
	key_is(in_dir("host"), true, 0);
	key_is(in_dir("relay"), false, ENOENT);
	put("other", "a secret\n", 0600);
	key_is(in_dir("other"), false, ENOENT);
	key_is("/etc/passwd", false, ENOENT);
	key_is("", false, ENOENT);
	snprintf(path, sizeof(path), "%s/./host", dir);
	key_is(path, false, ENOENT);
	/* None of the service user's. */
	w.p.drop = true;
	key_is(in_dir("host"), true, 0);
	w.p.uid = getuid() + 1;
	key_is(in_dir("host"), false, EACCES);
	w.p.drop = false;
	/* No file. */
	assert_return_code(unlink(in_dir("host")), 0);
	assert_return_code(mkfifo(in_dir("host"), 0600), 0);
	key_is(in_dir("host"), false, EACCES);
	assert_return_code(unlink(in_dir("host")), 0);
}

/* Texts that do not fit are no requests. */
static void
texts_too_long(void **state)
{
	static const struct {
		int role;
		uint16_t type;
		bool numbered;
		size_t room;
	} texts[] = {
		{ CONSOLE, UP_OPEN_TTY, false, 64 },
		{ CONSOLE, UP_CLOSE_TTY, false, 64 },
		{ SSH, UP_KEY, false, PATH_MAX },
		{ MODEM, UP_OPEN_PORT, true, WORD_BYTES },
		{ NOTIFY, UP_SINK, true, 64 },
		{ SSH, UP_DIAL, true, 64 },
	};
	char text[LONGEST];
	unsigned before = effects();

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		memset(text, 'a', sizeof(text));
		text[texts[i].room] = '\0';
		assert_int_equal(ask_str(texts[i].role, texts[i].type,
		    texts[i].numbered, text), -1);
		text[sizeof(text) - 1] = '\0';
		text[texts[i].room] = 'a';
		assert_int_equal(ask_str(texts[i].role, texts[i].type,
		    texts[i].numbered, text), -1);
	}
	assert_int_equal(effects(), before);
}

static int
ask_reader(unsigned argc, size_t each_word)
{
	struct frame_out *o = xmalloc(sizeof(*o));
	char word[LONGEST];
	int r;

	memset(word, 'a', sizeof(word));
	word[each_word] = '\0';
	frame_start(o, UP_READER);
	frame_put_u32(o, ++asked.number);
	frame_put_u8(o, 0);
	frame_put_u16(o, 0);
	frame_put_u16(o, 0);
	frame_put_u8(o, (uint8_t)argc);
	for (unsigned i = 0; i < argc; i++)
		frame_put_str(o, word);
	r = ask(CONSOLE, o, UP_READER);
	free(o);
	return r;
}

static void
a_readers_words_are_bounded(void **state)
{
	unsigned begun = fake_begun;

	(void)state;
	assert_int_equal(ask_reader(ARGS_MAX - 1, 1), -1);
	assert_int_equal(ask_reader(255, 1), -1);
	assert_int_equal(ask_reader(1, WORD_BYTES), -1);
	assert_int_equal(ask_reader(5, WORD_BYTES - 1), -1);
	assert_int_equal(fake_begun, begun);
	assert_int_equal(ask_reader(ARGS_MAX - 2, 1), 0);
	assert_int_equal(ask_reader(4, WORD_BYTES - 1), 0);
	assert_int_equal(ask_reader(0, 0), 0);
	assert_int_equal(fake_begun, begun + 3);
}

static void
no_other_power(void **state)
{
	(void)state;
	for (unsigned act = POWER_ACTS; act < 256; act++) {
		uint8_t byte = (uint8_t)act;

		refused(MODEM, UP_POWER, &byte, 1, -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
		T(each_role_has_its_own),
		T(other_frames_are_in_no_table),
		T(cut_at_every_byte),
		T(with_bytes_left_over),
		T(with_the_wrong_descriptor),
		T(a_number_counts_up),
		T(ready_is_an_answer),
		T(vouchers_are_of_one_process),
		T(no_older_seal_is_signed),
		T(no_other_hash_is_signed),
		T(jobs_are_bounded),
		T(what_is_started),
		T(no_other_line),
		T(no_other_port_nor_program),
		T(no_other_relay),
		T(no_other_key),
		T(texts_too_long),
		T(a_readers_words_are_bounded),
		T(no_other_power),
	};

	w.loop = loop_new();
	log_open(NULL, LOG_TO_SYSLOG, false);
	return cmocka_run_group_tests(tests, make_dir, NULL);
}
