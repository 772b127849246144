#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>

#include "config_help.h"

#define GOLDEN "tests/golden/config"

static char *
golden(const char *stem, const char *suffix)
{
	char name[64];

	snprintf(name, sizeof(name), "%.50s.%s", stem, suffix);
	return file_read(name, 1 << 20, NULL);
}

static void
one_golden(const char *stem)
{
	char name[64];
	char *ok = golden(stem, "ok"), *err = golden(stem, "err"), *text;
	struct config *c;

	snprintf(name, sizeof(name), "%.50s.conf", stem);
	messages[0] = '\0';
	c = config_load(name, collect, NULL);
	assert_true((ok == NULL) != (err == NULL));
	if (ok == NULL) {
		assert_null(c);
		assert_string_equal(messages, err);
	} else {
		assert_string_equal(messages, "");
		assert_non_null(c);
		text = config_print(c, false);
		assert_string_equal(text, ok);
		assert_stable(c, false);
		assert_stable(c, true);
		free(text);
	}
	config_free(c);
	free(ok);
	free(err);
}

/* NN.conf prints as NN.ok, or is refused with the messages of NN.err. */
static void
test_golden(void **state)
{
	int home = open(".", O_RDONLY), n = 0;
	struct dirent *e;
	DIR *d;

	(void)state;
	assert_int_equal(chdir(GOLDEN), 0);
	d = opendir(".");
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		char *dot = strstr(e->d_name, ".conf");

		if (dot == NULL)
			continue;
		*dot = '\0';
		print_message("%s\n", e->d_name);
		one_golden(e->d_name);
		n++;
	}
	closedir(d);
	assert_int_equal(fchdir(home), 0);
	close(home);
	assert_true(n >= 20);
}

static void
test_fields(void **state)
{
	struct config *c = good("name = box\nstate_dir = /s\n"
	    "console a { device = /d speed = 9600 mode = 7E1 "
	    "flow = xonxoff break = 1s ring = 2mb sharing = all "
	    "record_input = true alert x { match = y } }\n"
	    "user u { keys = {\"" KEY "\"} role = admin escape = \"^]\" }\n"
	    "user v { keys = {} escape = off }\n"
	    "user w { keys = {} escape = \"^xc\" role = viewer }\n");
	const struct config_console *a = config_console(c, "a");
	const struct config_user *u = config_user(c, "u");

	(void)state;
	assert_int_equal(a->line.speed, 9600);
	assert_int_equal(a->line.data_bits, 7);
	assert_int_equal(a->line.parity, LINE_PARITY_EVEN);
	assert_int_equal(a->line.flow, LINE_FLOW_XONXOFF);
	assert_int_equal(a->break_ms, 1000);
	assert_int_equal(a->ring, 2 << 20);
	assert_int_equal(a->sharing, SHARING_ALL);
	assert_true(a->record_input);
	assert_int_equal(a->nalerts, 1);
	assert_string_equal(a->alerts[0].match, "y");
	assert_int_equal(a->file_line, 3);
	assert_string_equal(a->description, "");
	assert_int_equal(u->role, ROLE_ADMIN);
	assert_string_equal(role_text(u->role), "admin");
	assert_int_equal(u->escape, 0x1d);
	assert_int_equal(u->nkeys, 1);
	assert_int_equal(u->ninline, 1);
	assert_int_equal(u->file_line, 4);
	assert_int_equal(config_user(c, "v")->escape, -1);
	assert_int_equal(config_user(c, "w")->escape, 0x18);
	assert_null(config_user(c, "a"));
	assert_null(config_console(c, "u"));
	assert_string_equal(c->ssh.host_key, "/s/ssh_host_ed25519_key");
	assert_int_equal(c->ssh.login_grace_ms, 20000);
	assert_int_equal(c->ssh.max_unauth, 16);
	assert_int_equal(c->ssh.max_unauth_source, 4);
	assert_int_equal(c->ssh.max_auth_tries, 6);
	assert_int_equal(c->ssh.max_sessions, 64);
	assert_int_equal(c->ssh.max_channels, 8);
	assert_int_equal(c->ssh.keepalive_ms, 15000);
	assert_int_equal(c->ssh.keepalive_count, 4);
	assert_int_equal(c->deadline_ms, 5000);
	assert_int_equal(c->sync_idle_ms, 30000);
	assert_int_equal(c->sync_typing_ms, 1000);
	assert_null(c->control_group);
	config_free(c);
}

static void
test_sees(void **state)
{
	struct config *c = good("console gw { device = /a }\n"
	    "console sw-1 { device = /b }\nconsole sw-2 { device = /c }\n"
	    "user u { keys = {} consoles = {gw, \"sw-[2-9]\"} }\n"
	    "user v { keys = {} }\nuser w { keys = {} consoles = {} }\n");
	const struct config_user *u = config_user(c, "u");

	(void)state;
	assert_true(config_user_sees(u, "gw"));
	assert_false(config_user_sees(u, "gw2"));
	assert_false(config_user_sees(u, "sw-1"));
	assert_true(config_user_sees(u, "sw-2"));
	assert_true(config_user_sees(config_user(c, "v"), "sw-1"));
	assert_false(config_user_sees(config_user(c, "w"), "gw"));
	config_free(c);
}

/* Every byte that a string can hold survives being printed. */
static void
test_hostile_values(void **state)
{
	struct config *c = good(HEAD "user u { keys = {} }\n");
	char all[256], *text;
	struct config *d;

	(void)state;
	for (int i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	all[255] = '\0';
	/* A path goes through as it is, up to the check of its bytes. */
	free(c->users[0].keys_file);
	c->users[0].keys_file = xstrdup(all);
	text = config_print(c, false);
	assert_non_null(strstr(text, "\\x07\\x08\\x09\\x0a\\x0b"));
	assert_non_null(strstr(text, "!\\\"#\\$%"));
	assert_non_null(strstr(text, "~\\x7f"));
	d = parse(text);
	assert_null(d);
	assert_non_null(strstr(messages, "keys_file"));
	assert_null(strstr(messages, "unknown"));
	assert_null(strstr(messages, "unexpected"));
	free(text);
	free(c->users[0].keys_file);
	c->users[0].keys_file = xstrdup("/${HOME}/\"';{}#/*//\\n${");
	assert_stable(c, false);
	text = config_print(c, false);
	d = good(text);
	assert_string_equal(d->users[0].keys_file, c->users[0].keys_file);
	config_free(d);
	config_free(c);
	free(text);
}

/* A comment of a key may hold tabs and quotes. */
static void
test_hostile_key(void **state)
{
	static const char line[] = "from=\"*\" " KEY
	    "\t\"a\\\" $HOME ${X} \xe9";
	struct config *c = good(HEAD "user u { keys = {'" KEY
	    "\t\"a\" ${X}'} }\n");

	(void)state;
	assert_stable(c, true);
	free(c->users[0].keys[0]);
	c->users[0].keys[0] = xstrdup(line);
	assert_stable(c, true);
	config_free(c);
}

static void
test_environment_is_not_read(void **state)
{
	struct config *c;

	(void)state;
	setenv("EVIL", "\" } user x { } #", 1);
	c = good(HEAD "log_dir = \"/${EVIL}\"\n");
	assert_string_equal(c->log_dir, "/${EVIL}");
	config_free(c);
	unsetenv("EVIL");
}

static void
test_regex(void **state)
{
	(void)state;
	bad(HEAD "console b { device = /b\nalert x { match = \"(\" } }\n",
	    "f:5: match \"(\": not an extended regular expression");
	bad(HEAD "console b { device = /b\nalert x { match = \"\" } }\n",
	    "f:5: match \"\": an empty");
}

/* After a syntax error the next text is read as if nothing had been. */
static void
test_after_errors(void **state)
{
	static const char *const texts[] = {
		HEAD "name = \"", HEAD "name = '", HEAD "/*", HEAD "}",
		HEAD "name = {", HEAD "console x { alert y {", HEAD "= =",
		HEAD "\"", HEAD "name = \"\\", HEAD "name", HEAD "name =",
		HEAD "x x x", HEAD "{{{{", HEAD "ssh { listen = {a,,b} }",
		HEAD "a { b { c { d { e = } } } }", HEAD ",", HEAD "((", "\\",
		HEAD "listen(1", HEAD "user a b { }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_null(parse(texts[i]));
		assert_memory_equal(messages, "f:", 2);
		config_free(good(HEAD));
	}
}

/* No message carries what could move a terminal's cursor. */
static void
test_messages_are_safe(void **state)
{
	(void)state;
	bad(HEAD "user u { keys = {\"a\" \"\x1b[31m\"} }", "token '\\x1b[31m'");
	assert_null(strchr(messages, '\x1b'));
	bad(HEAD "\"\x1b[31m\" = x", "\\x1b[31m");
	assert_null(strchr(messages, '\x1b'));
	bad("console \"\x1b\" { device = \"\x1b\" }\x1b", "unexpected");
	assert_null(strchr(messages, '\x1b'));
	bad("console \"\x1b\" { device = \"\x1b\" }", "\\x1b");
	assert_null(strchr(messages, '\x1b'));
}

/* libconfuse alone would forget the first of them without a word. */
static void
test_same_title_same_line(void **state)
{
	(void)state;
	bad("console a { device = /a } console a { device = /b }",
	    "f:1: console \"a\" is there twice (first on line 1)");
}

static void
test_limits(void **state)
{
	char *text = NULL, *next;

	(void)state;
	text = xstrdup("");
	for (int i = 0; i < CONFIG_CONSOLES_MAX + 1; i++) {
		next = xasprintf("%sconsole c%d { device = /d%d }\n", text, i,
		    i);
		free(text);
		text = next;
		if (i == CONFIG_CONSOLES_MAX - 1)
			config_free(good(text));
	}
	bad(text, "more than 256 console");
	free(text);
}

/*
 * What config_load looks up on the system.
 */
static int
remove_dir(void **state)
{
	static const char *const names[] = { "c", "keys", "tty", "tty2" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_dir(names[i]));
	return rmdir(dir);
}

#define WITH_FILE HEAD "user u {\n\tkeys = {\"" KEY "\"}\n" \
	"\tkeys_file = \"%D/keys\"\n}\n"

static void
test_keys_file(void **state)
{
	struct config *c, *d;
	char *text;

	(void)state;
	put("keys", "# comment\r\n\r\nrestrict " KEY " one\r\n" KEY
	    "\ttwo\n" KEY, 0644);
	c = load(WITH_FILE);
	if (c == NULL)
		fail_msg("%s", messages);
	assert_int_equal(c->users[0].ninline, 1);
	assert_int_equal(c->users[0].nkeys, 4);
	assert_stable(c, false);
	assert_stable(c, true);
	text = config_print(c, true);
	d = good(text);
	assert_int_equal(d->users[0].nkeys, 4);
	assert_null(d->users[0].keys_file);
	free(text);
	config_free(d);
	text = config_print(c, false);
	assert_non_null(strstr(text, "/keys\"\n"));
	assert_null(strstr(text, "restrict"));
	free(text);
	config_free(c);
	put("keys", "", 0644);
	c = load(WITH_FILE);
	assert_non_null(c);
	assert_int_equal(c->users[0].nkeys, 1);
	config_free(c);
}

static void
refused_keys(const char *text, mode_t mode, const char *what)
{
	put("keys", text, mode);
	assert_null(load(WITH_FILE));
	if (strstr(messages, what) == NULL)
		fail_msg("\"%s\" is not in: %s", what, messages);
}

static void
test_keys_file_refused(void **state)
{
	char path[PATH_MAX], big[300 * 1024];

	(void)state;
	refused_keys("\n\nssh-dss AAAA\nfoo=\"1\" " KEY "\n", 0644,
	    "/keys:3: key type \"ssh-dss\"");
	assert_non_null(strstr(messages, "/keys:4: option \"foo\""));
	refused_keys(KEY, 0666, "/c:6: keys_file");
	assert_non_null(strstr(messages, "chmod o-w"));
	memset(big, '#', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	refused_keys(big, 0644, "/c:6: keys_file");
	snprintf(path, sizeof(path), "%s/keys", dir);
	unlink(path);
	assert_null(load(WITH_FILE));
	assert_non_null(strstr(messages, "/c:6: keys_file"));
	/* Nobody writes to it: opening it would wait for ever. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(load(WITH_FILE));
	assert_non_null(strstr(messages, "not a file"));
	unlink(path);
}

static void
test_key_of_two_users(void **state)
{
	(void)state;
	put("keys", "# x\n" KEY " again\n", 0600);
	assert_null(load(HEAD "user a { keys = {\"" KEY "\"} }\n"
	    "user b { keys_file = \"%D/keys\" }\n"));
	assert_non_null(strstr(messages, "/keys:2: this key of user \"b\" is "
	    "also one of user \"a\""));
	assert_non_null(strstr(messages, "/c:4)"));
}

static void
test_same_tty_by_link(void **state)
{
	char path[PATH_MAX], other[PATH_MAX];

	(void)state;
	put("tty", "", 0600);
	snprintf(path, sizeof(path), "%s/tty", dir);
	snprintf(other, sizeof(other), "%s/tty2", dir);
	assert_int_equal(symlink(path, other), 0);
	assert_null(load("console a { device = \"%D/tty\" }\n"
	    "console b { device = \"%D/tty2\" }\n"));
	assert_non_null(strstr(messages, "/c:2: console \"b\" has the same"));
}

static void
test_file_itself(void **state)
{
	(void)state;
	messages[0] = '\0';
	assert_null(config_load("/nonexistent/c", collect, NULL));
	assert_string_equal(messages, "/nonexistent/c: the configuration "
	    "cannot be read: No such file or directory\n");
	assert_null(config_load("/tmp", collect, NULL));
	assert_int_equal(config_default_path()[0], '/');
	config_free(NULL);
}

static void
test_nul(void **state)
{
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/c", dir);
	assert_int_equal(file_replace(path, "a\n\nname = \"x\0y\"\n", 16,
	    0600), 0);
	messages[0] = '\0';
	assert_null(config_load(path, collect, NULL));
	assert_non_null(strstr(messages, "/c:3: there is a NUL byte"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_sees),
		cmocka_unit_test(test_hostile_values),
		cmocka_unit_test(test_hostile_key),
		cmocka_unit_test(test_environment_is_not_read),
		cmocka_unit_test(test_regex),
		cmocka_unit_test(test_after_errors),
		cmocka_unit_test(test_messages_are_safe),
		cmocka_unit_test(test_same_title_same_line),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_keys_file),
		cmocka_unit_test(test_keys_file_refused),
		cmocka_unit_test(test_key_of_two_users),
		cmocka_unit_test(test_same_tty_by_link),
		cmocka_unit_test(test_file_itself),
		cmocka_unit_test(test_nul),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
