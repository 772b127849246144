/*
 * Every allocation of configuration, keys, sessions and what they keep in
 * files fails once, in turn.
 */
#include "sweep.h"

#include <jansson.h>
#include <pwd.h>
#include <sodium.h>

#include "auth/cert.h"
#include "auth/codes.h"
#include "auth/keys.h"
#include "auth/sshsig.h"
#include "auth/throttle.h"
#include "fake_console.h"
#include "server/bookmarks.h"
#include "server/chronicle.h"
#include "server/config.h"
#include "server/notify_queue.h"
#include "server/roster.h"
#include "server/session.h"
#include "server/words.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMkaXVq9K9oFjH41AuxpV6wP" \
	"+vGszysrza51/3oy6jee"
#define OTHER "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzd" \
	"HAyNTYAAABBBEfPY61FjkosgI2OUaXxW6QmBOWy7YT1dKAi7RkDItC6h4SRD0fz1YJ" \
	"QJp4qpMH4S6YS5t7Nd/nCuNURyTUP/4A="
#define CERT "tests/fuzz/corpus/cert/user"	/* for alice, from 192.0.2.0/24 */

static const char *
in_folder(const struct sweep_place *p, const char *name)
{
	static char path[100];

	snprintf(path, sizeof(path), "%s/%s", p->s.dir, name);
	return path;
}

/* The configuration, and lines of keys in a file. */

static void
make_config(struct sweep_place *p)
{
	char text[2048];
	size_t n;

	/* The C library falls over where its first look has no memory; the
	   supervisor's is at the start. */
	assert_non_null(getpwnam("nobody"));
	n = (size_t)snprintf(text, sizeof(text), "from=\"192.0.2.0/24\" %s "
	    "bob\n", OTHER);
	assert_int_equal(file_replace(in_folder(p, "keys"), text, n, 0600), 0);
	n = (size_t)snprintf(text, sizeof(text), "name = box\n"
	    "service_user = nobody\nlog_dir = %s/log\n"
	    "console gw { device = /d\n alert a { match = \"p[a]n?ic\" } }\n"
	    "console sw { device = /e\n description = \"a switch\" }\n"
	    "user alice { keys = {\"%s\"}\n role = admin }\n"
	    "user bob { keys_file = %s/keys\n consoles = {gw, \"s*\"} }\n",
	    p->s.dir, KEY, p->s.dir);
	assert_int_equal(file_replace(in_folder(p, "conf"), text, n, 0600), 0);
}

static void
on_error(void *arg, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s\n", text);
}

/* Half a configuration would be worse than none. */
static int
load_config(struct sweep_place *p)
{
	struct config *c, *again;
	char *text;
	int r = -1;

	c = config_load(in_folder(p, "conf"), on_error, NULL);
	if (c == NULL)
		return -1;
	p->note->safe = c->nusers + c->nconsoles;
	text = config_print(c, true);
	p->note->more[0] = strlen(text);
	config_free(c);
	again = config_parse(text, "again", on_error, NULL);
	if (again != NULL)
		p->note->more[1] = again->nusers + again->nconsoles;
	r = again == NULL ? -1 : 0;
	config_free(again);
	free(text);
	return r;
}

static void
check_config(struct sweep_place *p)
{
	assert_true(p->note->safe == 0 || p->note->safe == p->whole.safe);
	assert_true(p->note->more[0] == 0 ||
	    p->note->more[0] == p->whole.more[0]);
	assert_true(p->note->more[1] == 0 ||
	    p->note->more[1] == p->whole.more[1]);
}

static void
test_config(void **state)
{
	const struct sweep w = { make_config, load_config, check_config };

	(void)state;
	sweep(&w);
}

/* Keys and codes: a failure lets nobody in, and loses nobody's. */

static void
make_secrets(struct sweep_place *p)
{
	struct codes *c = codes_open(p->s.dir);
	struct codes_record r;

	assert_int_equal(codes_new(c, "alice", false, false, &r), 0);
	codes_close(c);
}

static int
use_secrets(struct sweep_place *p)
{
	struct throttle *t = throttle_new(&throttle_defaults);
	struct codes *c = codes_open(p->s.dir);
	const char *why = NULL;
	char err[KEY_ERROR];
	struct codes_record r;
	struct key *k = NULL;
	int bad = 0;

	throttle_admit(t, "192.0.2.1", ms(0).mono);
	throttle_done(t, "192.0.2.1", THROTTLE_FAILED, ms(1).mono);
	throttle_free(t);
	if (key_parse("from=\"192.0.2.0/24,!192.0.2.9\" " KEY " alice", &k,
	    err, sizeof(err)) == -1)
		bad = -1;
	else if (key_allows(k, "192.0.2.9", 0, &why) ||
	    key_allows(k, "198.51.100.1", 0, &why))
		p->note->more[0] = 1;
	else if (!key_allows(k, "192.0.2.8", 0, &why))
		bad = -1;
	key_free(k);
	if (codes_new(c, "alice", false, true, &r) == -1)
		bad = -1;
	codes_close(c);
	return bad;
}

static void
check_secrets(struct sweep_place *p)
{
	struct codes *c = codes_open(p->s.dir);
	struct codes_record r;

	assert_int_equal(p->note->more[0], 0);
	assert_int_equal(codes_get(c, "alice", &r), 0);
	codes_close(c);
}

static void
test_secrets(void **state)
{
	const struct sweep w = { make_secrets, use_secrets, check_secrets };

	(void)state;
	sweep(&w);
}

/* Certificates, and the signatures of seals. */

static char *cert_base64;

static int
judge(struct sweep_place *p)
{
	uint8_t seed[SSHSIG_SEED] = { 7 }, public[SSHSIG_PUBLIC],
	    by[SSHSIG_PUBLIC] = { 0 };
	char sig[SSHSIG_TEXT];
	const char *why = NULL;
	struct cert *c = cert_parse(cert_base64, &why);

	if (c != NULL && (!cert_names(c, "alice") || cert_names(c, "root") ||
	    cert_allows(c, "192.0.2.1") != NULL ||
	    cert_allows(c, "198.51.100.1") == NULL))
		p->note->more[0] = 1;
	cert_free(c);
	sshsig_public(seed, public);
	sshsig_sign(seed, "seal", "text", 4, sig);
	if (sshsig_verify(sig, "seal", "tuxt", 4, by) == 0)
		p->note->more[0] = 1;
	if (sshsig_verify(sig, "seal", "text", 4, by) == -1)
		return -1;
	if (memcmp(by, public, sizeof(by)) != 0)
		p->note->more[0] = 1;
	return c == NULL ? -1 : 0;
}

static void
check_judged(struct sweep_place *p)
{
	assert_int_equal(p->note->more[0], 0);
}

static void
test_judge(void **state)
{
	const struct sweep w = { NULL, judge, check_judged };

	(void)state;
	cert_base64 = file_read(CERT, 8192, NULL);
	assert_non_null(cert_base64);
	cert_base64[strcspn(cert_base64, "\n")] = '\0';
	sweep(&w);
	free(cert_base64);
}

/* What is kept in files as text: all of it, or it is not said to be saved. */

static int
keep(struct sweep_place *p)
{
	static const struct notify_queue_sink sinks[] = {
		{ "phone", false }, { "hook", false },
	};
	struct notify_queue *q = notify_queue_new();
	struct bookmarks *b = bookmarks_new();
	struct chronicle *ch = chronicle_new();
	struct bookmark mark = { "alice", "gw", 5, false, false, { 0 } };
	struct chronicle_row row = { .when = ms(0), .what = CHRONICLE_ALERT,
	    .name = "panic", .text = "panic: x" };
	struct tally looked = { .offset = 1 };
	char *texts[3];
	int r = 0;

	notify_queue_set_sinks(q, sinks, 2, ms(0).mono);
	for (int i = 0; i < 3; i++) {
		const struct notify_event e = { 0, NOTIFY_WARNING, "gw",
		    i == 0 ? "lost" : i == 1 ? "panic" : "reboot", "text" };

		notify_queue_add(q, &e, ms(i));
	}
	bookmarks_set(b, &mark);
	chronicle_add(ch, &row);
	texts[0] = notify_queue_save(q, ms(1000));
	texts[1] = bookmarks_save(b);
	texts[2] = chronicle_save(ch, &looked);
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "a", "b", "c" };

		if (file_replace(in_folder(p, names[i]), texts[i],
		    strlen(texts[i]), 0600) == -1)
			r = -1;
		else
			p->note->more[i] = 1;
		free(texts[i]);
	}
	notify_queue_free(q);
	bookmarks_free(b);
	chronicle_free(ch);
	return r;
}

static void
check_kept(struct sweep_place *p)
{
	static const struct notify_queue_sink sinks[] = {
		{ "phone", false }, { "hook", false },
	};
	struct notify_queue *q = notify_queue_new();
	struct bookmarks *b = bookmarks_new();
	struct chronicle *ch = chronicle_new();
	uint64_t offset, lines;
	char *text;
	size_t n;

	notify_queue_set_sinks(q, sinks, 2, ms(0).mono);
	text = file_read(in_folder(p, "a"), 1 << 20, &n);
	assert_true((text != NULL) >= (p->note->more[0] != 0));
	if (text != NULL) {
		assert_int_equal(notify_queue_load(q, text, n, ms(2000)), 0);
		assert_int_equal(notify_queue_owed(q, 0), 3);
		assert_int_equal(notify_queue_owed(q, 1), 3);
	}
	free(text);
	text = file_read(in_folder(p, "b"), 1 << 20, &n);
	assert_true((text != NULL) >= (p->note->more[1] != 0));
	if (text != NULL) {
		assert_int_equal(bookmarks_load(b, text), 0);
		assert_non_null(bookmarks_find(b, "alice", "gw"));
	}
	free(text);
	text = file_read(in_folder(p, "c"), 1 << 20, &n);
	assert_true((text != NULL) >= (p->note->more[2] != 0));
	if (text != NULL) {
		assert_int_equal(chronicle_load(ch, text, &offset, &lines), 0);
		assert_int_equal(chronicle_count(ch), 1);
	}
	free(text);
	notify_queue_free(q);
	bookmarks_free(b);
	chronicle_free(ch);
}

static void
test_keep(void **state)
{
	const struct sweep w = { NULL, keep, check_kept };

	(void)state;
	sweep(&w);
}

/* A session, from the menu to typing, with frames both ways. */

static size_t
on_room(void *arg)
{
	(void)arg;
	return SIZE_MAX;
}

static size_t
on_write(void *arg, int stream, const void *p, size_t n)
{
	(void)stream;
	(void)p;
	*(size_t *)arg += n;
	return n;
}

static void
on_wants_pump(void *arg)
{
	(void)arg;
}

static void
on_session_done(void *arg, int status)
{
	(void)arg;
	(void)status;
}

static void
on_nothing(void *arg)
{
	(void)arg;
}

static void
on_feed_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static int
attend(struct sweep_place *p)
{
	static const struct session_ops ops = { on_room, on_write,
	    on_wants_pump, on_session_done, NULL };
	static const struct feed_ops feed_ops = { .up = on_nothing,
	    .down = on_feed_down, .consoles = on_nothing };
	static const char *const names[] = { "gw", "sw" };
	const struct session_user user = { "alice", "192.0.2.1", "ssh", "",
	    NULL, 5 };
	struct words words = { .argc = 0 };
	size_t shown = 0, typed;
	const char *why;
	struct session *s;
	struct feed *feed;
	struct fake *k;

	sweep_arm(-1);
	k = fake_new(names, 2);		/* the test's own */
	sweep_arm(p->at);
	feed = feed_new(k->loop, "test", &feed_ops, NULL);
	feed_link(feed, fake_connect(k));
	s = session_new(k->loop, feed, &user, &ops, &shown);
	session_terminal(s, 80, 24);
	if (words_split(&words, "attach gw --tail '2'", &why) == 0)
		words_free(&words);
	session_start_shell(s, "gw");
	for (int i = 0; i < 4; i++) {
		fake_turn(k, 1);
		session_pump(s);
	}
	fake_says(k, 0, "hello\r\n", 7);
	session_input(s, (const uint8_t *)"typed", 5);
	for (int i = 0; i < 4; i++) {
		fake_turn(k, 1);
		session_pump(s);
	}
	typed = k->ntyped;
	session_free(s);
	feed_free(feed);
	fake_free(k);
	return typed == 5 && shown > 7 ? 0 : -1;
}

static void
test_attend(void **state)
{
	const struct sweep w = { NULL, attend, NULL };

	(void)state;
	sweep(&w);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_attend),
	};

	(void)argc;
	sweep_load(argv);
	json_set_alloc_funcs(xmalloc, free);	/* as the programs do */
	if (sodium_init() == -1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
