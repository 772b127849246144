#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pwd.h>

#include "config_help.h"

static int
remove_dir(void **state)
{
	static const char *const names[] = { "c", "secret", "run", "tty",
	    "tty2" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_dir(names[i]));
	return rmdir(dir);
}

/* A file for the service user, as whom the daemon reads it. */
static void
put_secret(const char *text, mode_t mode)
{
	const struct passwd *pw = getpwnam("nobody");

	assert_non_null(pw);
	put("secret", text, mode);
	if (geteuid() == 0)
		assert_int_equal(chown(in_dir("secret"), pw->pw_uid,
		    (gid_t)-1), 0);
}

static void
refused(const char *text, const char *what)
{
	assert_null(load(text));
	assert_said(what);
}

static void
test_secret_files(void **state)
{
	static const char *const uses[] = {
		HEAD "modem { data = /m\npin_file = \"%D/secret\" }",
		HEAD "modem { data = /m user = u\n"
		    "password_file = \"%D/secret\" }",
		HEAD "notify n { type = ntfy url = \"https://h\"\n"
		    "token_file = \"%D/secret\" }",
		HEAD "notify n { type = webhook url = \"https://h\"\n"
		    "secret_file = \"%D/secret\" }",
		HEAD RELAY("identity = \"%D/secret\""),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		bool identity = strstr(uses[i], "identity") != NULL;
		struct config *c;

		unlink(in_dir("secret"));
		c = load(uses[i]);
		if (identity) {
			assert_non_null(c);	/* keygen comes later */
			config_free(c);
		} else {
			assert_null(c);
			assert_said("/c:5: ");
			assert_said("/secret\": No such file or directory: "
			    "make it, and chmod 600");
		}
		put_secret("1234\n", 0640);
		refused(uses[i], "others than its owner may read it: chmod "
		    "600 /tmp/oobd-config-");
		put_secret("1234\n", 0604);
		refused(uses[i], "chmod 600");
		put_secret("", 0600);
		refused(uses[i], "this file is empty");
		put_secret("1234\n", 0600);
		c = load(uses[i]);
		if (c == NULL)
			fail_msg("%s", messages);
		assert_stable(c, false);
		config_free(c);
	}
	refused(HEAD "modem { data = /m pin_file = \"%D\" }", "this is not a "
	    "file");
	refused(HEAD "notify n { type = ntfy url = \"https://h\"\n"
	    "ca_file = \"/nonexistent/ca\" }", "/c:5: ca_file "
	    "\"/nonexistent/ca\": No such file or directory");
	refused(HEAD RELAY("identity = \"/nonexistent/id\""),
	    "/c:9: identity: the folder /nonexistent: No such file");
	/* Elsewhere the files may not be there yet. */
	config_free(good(HEAD "modem { data = /m pin_file = /nonexistent }"));
}

static void
test_secret_of_root(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	put("secret", "1234\n", 0600);
	refused(HEAD "modem { data = /m pin_file = \"%D/secret\" }",
	    "the daemon runs as nobody and could not read it: chown nobody");
}

static void
test_programs(void **state)
{
	static const char *const uses[] = {
		HEAD "modem { data = /m\npower_hook = \"%D/run\" }",
		HEAD "notify n { type = exec\ncommand = \"%D/run\" }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		struct config *c;

		unlink(in_dir("run"));
		refused(uses[i], "/run\": No such file or directory");
		assert_said("/c:5: ");
		put("run", "#!/bin/sh\n", 0644);
		refused(uses[i], "this is no program: chmod 755");
		put("run", "#!/bin/sh\n", 0757);
		refused(uses[i], "may change it: chmod go-w");
		put("run", "#!/bin/sh\n", 0755);
		c = load(uses[i]);
		if (c == NULL)
			fail_msg("%s", messages);
		config_free(c);
	}
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(in_dir("run"), getpwnam("nobody")->pw_uid,
	    (gid_t)-1), 0);
	refused(uses[0], "it is run as root and belongs to somebody else: "
	    "chown root");
	config_free(load(uses[1]));
	assert_string_equal(messages, "");
}

static void
test_modem_tty_by_link(void **state)
{
	char other[PATH_MAX];

	(void)state;
	put("tty", "", 0600);
	snprintf(other, sizeof(other), "%s", in_dir("tty2"));
	assert_int_equal(symlink(in_dir("tty"), other), 0);
	refused("console a { device = \"%D/tty\" }\n"
	    "modem { data = \"%D/tty2\" }\n", "/c:2: modem data has the same "
	    "device as the console on line 1, under another name");
	refused(HEAD "modem { data = \"%D/tty\" control = \"%D/tty2\" }\n",
	    "/c:4: modem control has the same device as the modem data on "
	    "line 4, under another name");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secret_files),
		cmocka_unit_test(test_secret_of_root),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_modem_tty_by_link),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
