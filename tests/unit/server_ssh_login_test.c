#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "auth/keys.h"
#include "server/config.h"
#include "server/ssh_auth.h"
#include "server/ssh_login.h"

#define ALICE "AAAAC3NzaC1lZDI1NTE5AAAAICZRzi4ZiBrLImTSNwfqypdjWEFsk2ZYL8OB56eu64W8"
#define BOB "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define NOBODY "AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA"

#define HEAD "name = \"t\"\n" \
	"state_dir = \"/tmp\"\nlog_dir = \"/tmp\"\ncontrol = \"/tmp/ctl\"\n" \
	"console \"gw\" { device = \"/dev/null\" }\n" \
	"console \"sw\" { device = \"/dev/zero\" }\n" \
	"ssh { listen = {\"127.0.0.1:2222\"} }\n"

#define USER(name, options, key, consoles) "user \"" name "\" {\n" \
	" keys = {\"" options "ssh-ed25519 " key "\"}\n" \
	" role = \"operator\"\n consoles = {" consoles "}\n}\n"

struct setup {
	struct config *conf;
	struct ssh_auth *auth;
	struct ssh_login *login;
};

static void
on_error(void *arg, const char *message)
{
	(void)arg;
	print_message("%s\n", message);
}

static struct setup
set_up(const char *text, const char *from)
{
	struct setup s;

	s.conf = config_parse(text, "test", on_error, NULL);
	assert_non_null(s.conf);
	s.auth = ssh_auth_new(s.conf);
	s.login = ssh_login_new(from);
	return s;
}

static void
tear_down(struct setup *s)
{
	ssh_login_free(s->login);
	ssh_auth_free(s->auth);
	config_free(s->conf);
}

static bool
ask(struct setup *s, enum ssh_login_method method, const char *name,
    const char *blob)
{
	const struct ssh_login_request r = {
		.method = method,
		.name = name,
		.blob = blob,
		.fingerprint = "SHA256:x",
	};

	return ssh_login_request(s->login, s->auth, &r, 1000000);
}

static const char two_users[] = HEAD
    USER("alice", "", ALICE, "\"*\"")
    USER("bob", "", BOB, "\"sw\"");

static const char ways_in[] = HEAD
    "user \"alice\" {\n keys = {\"ssh-ed25519 " ALICE "\"}\n"
    " require = {\"key+code\"}\n}\n"
    "user \"bob\" {\n keys = {\"ssh-ed25519 " BOB "\"}\n"
    " require = {\"key\", \"password+code\"}\n consoles = {\"sw\"}\n}\n"
    "user \"carol\" {\n require = \"password+code\"\n}\n";

static const char *
find(struct setup *s, const char *login, const char *blob,
    struct ssh_auth_who *who)
{
	const struct ssh_auth_offer offer = {
		.login = login, .blob = blob, .from = "192.0.2.1",
		.utc_us = 1000000,
	};

	return ssh_auth_find(s->auth, &offer, who);
}

static void
reads_login_names(void **state)
{
	struct setup s = set_up(two_users, "192.0.2.1");
	struct ssh_auth_who who;

	(void)state;
	assert_null(find(&s, "alice", ALICE, &who));
	assert_string_equal(who.user, "alice");
	assert_string_equal(who.console, "");
	assert_int_equal(who.escape, 5);
	assert_null(find(&s, "gw", ALICE, &who));
	assert_string_equal(who.user, "alice");
	assert_string_equal(who.console, "gw");
	assert_null(find(&s, "alice:sw", ALICE, &who));
	assert_string_equal(who.console, "sw");
	assert_null(find(&s, "sw", BOB, &who));
	assert_string_equal(who.user, "bob");
	assert_non_null(find(&s, "bob", ALICE, &who));
	tear_down(&s);
}

static void
refuses(void **state)
{
	static const struct {
		const char *login, *blob;
	} bad[] = {
		{ "alice", NOBODY }, { "alice", BOB }, { "bob", ALICE },
		{ "gw", BOB }, { "bob:gw", BOB }, { "alice:none", ALICE },
		{ "none", ALICE }, { "", ALICE }, { ":", ALICE },
		{ ":gw", ALICE }, { "alice:", ALICE }, { "alice:gw:", ALICE },
		{ "alice:gw ", ALICE }, { "Alice", ALICE }, { "root", ALICE },
		{ "alice\n", ALICE }, { "gw", NOBODY }, { "gw", "" },
		{ "gw", "AAAA" }, { "*", ALICE },
		{ "alice:sssssssssssssssssssssssssssssssss", ALICE },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ALICE },
	};
	struct setup s = set_up(two_users, "192.0.2.1");
	struct ssh_auth_who who;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (find(&s, bad[i].login, bad[i].blob, &who) == NULL)
			fail_msg("\"%s\" got in", bad[i].login);
		assert_string_equal(who.user, "");
	}
	tear_down(&s);
}

static void
heeds_from_and_expiry(void **state)
{
	struct setup s = set_up(HEAD
	    USER("alice", "from=\\\"192.0.2.0/24\\\" ", ALICE, "\"*\"")
	    USER("bob", "expiry-time=\\\"19700102\\\" ", BOB, "\"*\""),
	    "192.0.2.1");
	struct ssh_auth_offer offer = {
		.login = "alice", .blob = ALICE, .from = "192.0.2.9",
	};
	struct ssh_auth_who who;

	(void)state;
	assert_null(ssh_auth_find(s.auth, &offer, &who));
	offer.from = "198.51.100.1";
	assert_non_null(ssh_auth_find(s.auth, &offer, &who));
	offer.from = "local";
	assert_non_null(ssh_auth_find(s.auth, &offer, &who));
	offer.login = "bob";
	offer.blob = BOB;
	assert_null(ssh_auth_find(s.auth, &offer, &who));
	offer.utc_us = (int64_t)3 * 86400 * 1000000;
	assert_non_null(ssh_auth_find(s.auth, &offer, &who));
	tear_down(&s);
}

static void
only_a_signature_lets_in(void **state)
{
	struct setup s = set_up(two_users, "192.0.2.1");

	(void)state;
	assert_false(ask(&s, SSH_LOGIN_NONE, "sw", NULL));
	assert_false(ssh_login_has_tried(s.login));
	assert_true(ask(&s, SSH_LOGIN_OFFER, "sw", ALICE));
	assert_true(ssh_login_is_near(s.login));
	assert_false(ssh_login_is_in(s.login));
	/* Offered alice's key, signed with bob's: bob. */
	assert_true(ask(&s, SSH_LOGIN_SIGNED, "sw", BOB));
	assert_true(ssh_login_is_in(s.login));
	assert_string_equal(ssh_login_who(s.login)->user, "bob");
	/* In is in. */
	assert_false(ask(&s, SSH_LOGIN_SIGNED, "sw", ALICE));
	assert_string_equal(ssh_login_who(s.login)->user, "bob");
	assert_null(ssh_login_over(s.login, 6));
	tear_down(&s);
}

static void
a_blob_with_the_wrong_method_is_nothing(void **state)
{
	struct setup s = set_up(two_users, "192.0.2.1");

	(void)state;
	assert_false(ask(&s, SSH_LOGIN_NONE, "alice", ALICE));
	assert_false(ask(&s, SSH_LOGIN_OTHER, "alice", ALICE));
	assert_false(ssh_login_is_in(s.login));
	tear_down(&s);
}

static void
the_name_is_fixed(void **state)
{
	struct setup s = set_up(two_users, "192.0.2.1");

	(void)state;
	assert_false(ask(&s, SSH_LOGIN_NONE, "bob", NULL));
	assert_false(ask(&s, SSH_LOGIN_SIGNED, "alice", ALICE));
	assert_non_null(ssh_login_over(s.login, 6));
	assert_string_equal(ssh_login_name(s.login), "bob");
	tear_down(&s);
	s = set_up(two_users, "192.0.2.1");
	assert_false(ask(&s, SSH_LOGIN_NONE, "", NULL));
	assert_false(ask(&s, SSH_LOGIN_OFFER, "", ALICE));
	assert_null(ssh_login_over(s.login, 6));
	assert_false(ask(&s, SSH_LOGIN_OFFER, "alice", ALICE));
	assert_non_null(ssh_login_over(s.login, 6));
	tear_down(&s);
}

static void
a_name_of_any_length_is_bounded(void **state)
{
	struct setup s = set_up(two_users, "192.0.2.1");
	char name[1000];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memcpy(name, "alice\033[2J%s%n", 14);
	assert_false(ask(&s, SSH_LOGIN_OFFER, name, ALICE));
	assert_false(ask(&s, SSH_LOGIN_OFFER, name, ALICE));
	assert_null(ssh_login_over(s.login, 6));
	assert_null(strchr(ssh_login_name(s.login), '\033'));
	assert_false(ask(&s, SSH_LOGIN_OFFER, "alice", ALICE));
	assert_non_null(ssh_login_over(s.login, 6));
	tear_down(&s);
}

static void
counts_tries_and_queries(void **state)
{
	struct setup s = set_up(two_users, "192.0.2.1");

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_false(ask(&s, SSH_LOGIN_OTHER, "alice", NULL));
	assert_null(ssh_login_over(s.login, 6));
	assert_false(ask(&s, SSH_LOGIN_SIGNED, "alice", NOBODY));
	assert_non_null(ssh_login_over(s.login, 6));
	tear_down(&s);
	s = set_up(two_users, "192.0.2.1");
	assert_false(ask(&s, SSH_LOGIN_NONE, "alice", NULL));
	for (int i = 0; i < SSH_LOGIN_QUERIES_MAX - 1; i++)
		assert_false(ask(&s, SSH_LOGIN_OFFER, "alice", NOBODY));
	assert_null(ssh_login_over(s.login, 6));
	assert_false(ask(&s, SSH_LOGIN_NONE, "alice", NULL));
	assert_non_null(ssh_login_over(s.login, 6));
	tear_down(&s);
}

static void
a_reload_is_heeded(void **state)
{
	struct setup s = set_up(two_users, "192.0.2.1");
	struct setup less = set_up(HEAD USER("alice", "", ALICE, "\"sw\"")
	    USER("bob", "", BOB, "\"*\""), "192.0.2.1");
	struct setup other = set_up(HEAD USER("bob", "", ALICE, "\"*\""),
	    "192.0.2.1");

	(void)state;
	assert_true(ask(&s, SSH_LOGIN_SIGNED, "gw", ALICE));
	assert_true(ssh_login_again(s.login, s.auth, 0));
	assert_false(ssh_login_again(s.login, less.auth, 0));
	assert_false(ssh_login_again(s.login, other.auth, 0));
	assert_string_equal(ssh_login_who(s.login)->user, "alice");
	tear_down(&s);
	tear_down(&less);
	tear_down(&other);
}

static enum ssh_login_answer
told(struct setup *s, bool right)
{
	return ssh_login_told(s->login, s->auth, right, "wrong code", 1000000);
}

static void
a_key_may_be_half_of_it(void **state)
{
	struct setup s = set_up(ways_in, "192.0.2.1");
	struct ssh_login_ask a;

	(void)state;
	assert_int_equal(ssh_login_request(s.login, s.auth,
	    &(struct ssh_login_request){ .method = SSH_LOGIN_SIGNED,
	    .name = "gw", .blob = ALICE, .fingerprint = "SHA256:x" }, 1),
	    SSH_LOGIN_HALF);
	assert_false(ssh_login_is_in(s.login));
	/* The name is bound, and the code is hers. */
	assert_true(ssh_login_ask(s.login, s.auth, "gw", &a));
	assert_false(a.password);
	assert_string_equal(a.user, "alice");
	assert_int_equal(told(&s, false), SSH_LOGIN_NO);
	assert_string_equal(ssh_login_why(s.login), "wrong code");
	assert_false(ssh_login_is_in(s.login));
	assert_int_equal(told(&s, true), SSH_LOGIN_IN);
	assert_string_equal(ssh_login_who(s.login)->console, "gw");
	assert_true(ssh_login_again(s.login, s.auth, 1));
	assert_false(ssh_login_ask(s.login, s.auth, "gw", &a));
	tear_down(&s);
}

static void
a_name_and_a_password(void **state)
{
	static const char *const nobody[] = { "alice", "gw", "bob:gw", "eve",
	    "bob:none", "" };
	struct setup s = set_up(ways_in, "192.0.2.1");
	struct ssh_login_ask a;

	(void)state;
	assert_true(ssh_login_ask(s.login, s.auth, "bob:sw", &a));
	assert_true(a.password);
	assert_string_equal(a.user, "bob");
	assert_int_equal(told(&s, true), SSH_LOGIN_IN);
	assert_string_equal(ssh_login_who(s.login)->user, "bob");
	assert_string_equal(ssh_login_key(s.login), "password and code");
	tear_down(&s);
	/* Asked all the same, and not let in whatever the gate says. */
	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
		s = set_up(ways_in, "192.0.2.1");
		assert_true(ssh_login_ask(s.login, s.auth, nobody[i], &a));
		assert_true(a.password);
		assert_string_equal(a.user, "");
		assert_int_equal(told(&s, true), SSH_LOGIN_NO);
		assert_false(ssh_login_is_in(s.login));
		tear_down(&s);
	}
	s = set_up(ways_in, "192.0.2.1");
	assert_true(ssh_login_ask(s.login, s.auth, "bob", &a));
	assert_false(ssh_login_ask(s.login, s.auth, "carol", &a));
	assert_string_equal(ssh_login_over(s.login, 6),
	    "changed its login name");
	tear_down(&s);
	/* Where nobody has a password there is nothing to ask. */
	s = set_up(two_users, "192.0.2.1");
	assert_false(ssh_login_ask(s.login, s.auth, "bob", &a));
	tear_down(&s);
}

static void
wrong_answers_are_counted(void **state)
{
	struct setup s = set_up(ways_in, "192.0.2.1");
	struct ssh_login_ask a;

	(void)state;
	assert_true(ssh_login_ask(s.login, s.auth, "carol", &a));
	for (int i = 0; i < 3; i++) {
		assert_null(ssh_login_over(s.login, 3));
		assert_int_equal(told(&s, false), SSH_LOGIN_NO);
	}
	assert_string_equal(ssh_login_over(s.login, 3),
	    "too many authentication failures");
	tear_down(&s);
}

static void
a_reload_takes_a_way_away(void **state)
{
	struct setup s = set_up(ways_in, "192.0.2.1");
	struct setup other = set_up(two_users, "192.0.2.1");
	struct ssh_login_ask a;

	(void)state;
	assert_true(ssh_login_ask(s.login, s.auth, "bob", &a));
	assert_int_equal(told(&s, true), SSH_LOGIN_IN);
	assert_true(ssh_login_again(s.login, s.auth, 1));
	assert_false(ssh_login_again(s.login, other.auth, 1));
	/* A key alone that is no longer enough. */
	assert_true(ask(&other, SSH_LOGIN_SIGNED, "alice", ALICE));
	assert_true(ssh_login_is_in(other.login));
	assert_false(ssh_login_again(other.login, s.auth, 1));
	tear_down(&other);
	tear_down(&s);
}

/* The drill's key is good by one name, where there is a pass, and signed. */
static void
a_pass_lets_the_drill_in(void **state)
{
	struct setup s = set_up(two_users, "");
	struct ssh_login_request r = { .method = SSH_LOGIN_SIGNED,
	    .name = SSH_LOGIN_DRILL, .blob = NOBODY, .fingerprint = "x" };
	char err[KEY_ERROR];
	struct key *pass;

	(void)state;
	assert_int_equal(key_parse("ssh-ed25519 " NOBODY, &pass, err,
	    sizeof(err)), 1);
	assert_int_equal(ssh_login_request(s.login, s.auth, &r, 0),
	    SSH_LOGIN_NO);
	r.pass = pass;
	r.blob = BOB;
	assert_int_equal(ssh_login_request(s.login, s.auth, &r, 0),
	    SSH_LOGIN_NO);
	r.blob = NOBODY;
	r.method = SSH_LOGIN_OTHER;
	assert_int_equal(ssh_login_request(s.login, s.auth, &r, 0),
	    SSH_LOGIN_NO);
	r.method = SSH_LOGIN_OFFER;
	assert_int_equal(ssh_login_request(s.login, s.auth, &r, 0),
	    SSH_LOGIN_OFFERED);
	assert_false(ssh_login_is_in(s.login));
	r.method = SSH_LOGIN_SIGNED;
	assert_int_equal(ssh_login_request(s.login, s.auth, &r, 0),
	    SSH_LOGIN_IN);
	assert_true(ssh_login_is_in(s.login));
	assert_true(ssh_login_is_drill(s.login));
	/* Who that is has no rights anywhere. */
	assert_string_equal(ssh_login_who(s.login)->user, SSH_LOGIN_DRILLER);
	assert_null(config_user(s.conf, SSH_LOGIN_DRILLER));
	assert_string_equal(ssh_login_who(s.login)->console, "");
	assert_true(ssh_login_again(s.login, s.auth, 0));
	tear_down(&s);
	/* By another name it is a stranger's key, a user's is the user's. */
	s = set_up(two_users, "");
	r.name = "alice";
	assert_int_equal(ssh_login_request(s.login, s.auth, &r, 0),
	    SSH_LOGIN_NO);
	assert_false(ssh_login_is_drill(s.login));
	tear_down(&s);
	s = set_up(two_users, "");
	r.blob = ALICE;
	assert_int_equal(ssh_login_request(s.login, s.auth, &r, 0),
	    SSH_LOGIN_IN);
	assert_false(ssh_login_is_drill(s.login));
	tear_down(&s);
	key_free(pass);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_login_names),
		cmocka_unit_test(refuses),
		cmocka_unit_test(heeds_from_and_expiry),
		cmocka_unit_test(only_a_signature_lets_in),
		cmocka_unit_test(a_blob_with_the_wrong_method_is_nothing),
		cmocka_unit_test(the_name_is_fixed),
		cmocka_unit_test(a_name_of_any_length_is_bounded),
		cmocka_unit_test(counts_tries_and_queries),
		cmocka_unit_test(a_reload_is_heeded),
		cmocka_unit_test(a_key_may_be_half_of_it),
		cmocka_unit_test(a_name_and_a_password),
		cmocka_unit_test(wrong_answers_are_counted),
		cmocka_unit_test(a_reload_takes_a_way_away),
		cmocka_unit_test(a_pass_lets_the_drill_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
