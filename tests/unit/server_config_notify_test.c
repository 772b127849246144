#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_help.h"

static void
test_notify_fields(void **state)
{
	struct config *c = good(HEAD MODEM_MIN
	    "notify p { type = pushover token_file = /t user_file = /u }\n"
	    "notify n { type = ntfy url = \"https://ntfy.example.net/topic\" "
	    "token_file = /t }\n"
	    "notify w { type = webhook url = \"http://192.0.2.1:8080/x?y=1\" "
	    "secret_file = /s ca_file = /ca }\n"
	    "notify e { type = exec command = /bin/true }\n"
	    "notify s { type = sms to = {\"+46701234567\"} }\n"
	    "notify q { type = pushover token_file = /t user_file = /u "
	    "url = \"https://[::1]:8443\" }\n");
	const struct config_notify *n = c->notifies;
	char *text;

	(void)state;
	assert_int_equal(c->nnotifies, 6);
	assert_int_equal(n[0].type, NOTIFY_PUSHOVER);
	assert_string_equal(n[0].name, "p");
	assert_string_equal(n[0].token_file, "/t");
	assert_string_equal(n[0].user_file, "/u");
	assert_null(n[0].url);
	assert_int_equal(n[0].file_line, 5);
	assert_int_equal(n[1].type, NOTIFY_NTFY);
	assert_string_equal(n[1].url, "https://ntfy.example.net/topic");
	assert_int_equal(n[2].type, NOTIFY_WEBHOOK);
	assert_string_equal(n[2].secret_file, "/s");
	assert_string_equal(n[2].ca_file, "/ca");
	assert_null(n[1].ca_file);
	assert_int_equal(n[3].type, NOTIFY_EXEC);
	assert_string_equal(n[3].command, "/bin/true");
	assert_int_equal(n[4].type, NOTIFY_SMS);
	assert_int_equal(n[4].nnumbers, 1);
	assert_string_equal(n[4].numbers[0], "+46701234567");
	assert_stable(c, false);
	assert_stable(c, true);
	/* For eyes: who knows the topic reads along. */
	text = config_print(c, false);
	assert_non_null(strstr(text, "\"https://ntfy.example.net/*****\""));
	assert_non_null(strstr(text, "\"http://192.0.2.1:8080/*****\""));
	assert_non_null(strstr(text, "\"https://[::1]:8443\""));
	assert_null(strstr(text, "topic"));
	free(text);
	text = config_print(c, true);
	assert_non_null(strstr(text, "\"https://ntfy.example.net/topic\""));
	assert_non_null(strstr(text, ":8080/x?y=1\""));
	free(text);
	config_free(c);
}

static void
test_notify_refused(void **state)
{
	static const struct {
		const char *in, *what;
	} cases[] = {
		{ "", "f:4: notify \"n\" has no type: add type = "
		    "\"pushover\", or one of ntfy, webhook, exec, sms" },
		{ "type = pigeon", "f:5: type \"pigeon\": give one of "
		    "pushover, ntfy, webhook, exec, sms" },
		{ "type = pushover", "f:4: notify \"n\" has no token_file, "
		    "which type \"pushover\" needs: add token_file = "
		    "\"PATH\"" },
		{ "type = pushover token_file = /t", "has no user_file" },
		{ "type = ntfy", "has no url, which type \"ntfy\" needs: add "
		    "url = \"https://...\"" },
		{ "type = webhook url = \"https://h/\"", "has no "
		    "secret_file" },
		{ "type = webhook secret_file = /s", "has no url" },
		{ "type = exec", "has no command" },
		{ "type = sms", "has no to, which type \"sms\" needs" },
		{ "type = sms to = {}", "has no to" },
		{ "type = exec command = mail", "command \"mail\": give the "
		    "whole path" },
		{ "type = exec command = /c url = \"https://h\"", "f:4: notify "
		    "\"n\": type \"exec\" has no use for url: remove it" },
		{ "type = ntfy url = \"https://h/t\" user_file = /u", "has no "
		    "use for user_file" },
		{ "type = exec command = /c ca_file = /ca", "has no use for "
		    "ca_file" },
		{ "type = ntfy url = \"https://h/t\" ca_file = ca", "ca_file "
		    "\"ca\": give the whole path" },
		{ "type = sms to = {\"12\"}", "to \"12\": give the whole "
		    "number" },
		{ "type = sms to = {\"+46701234567\"}", "f:4: notify \"n\" "
		    "sends SMS, and there is no modem section: add one" },
		{ "type = ntfy url = \"ftp://h/t\"", "f:5: url: give "
		    "a whole address" },
		{ "type = ntfy url = \"https:///t\"", "give a whole" },
		{ "type = ntfy url = \"https://h/a b\"", "write what is not "
		    "allowed in a URL as %XX" },
		{ "type = ntfy url = \"https://h/\\n\"", "as %XX" },
		{ "type = ntfy url = \"https://u:p@h/\"", "take out the user "
		    "and password" },
		{ "type = ntfy token_file = /t url = \"http://h/t\"", "f:5: "
		    "url: http would send the token in clear, write https" },
	};
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text = xasprintf(HEAD "notify n {\n%s }\n", cases[i].in);
		bad(text, cases[i].what);
		free(text);
	}
	bad(HEAD "notify n { type = exec command = /a }\n"
	    "notify n { type = exec command = /b }\n", "f:5: notify \"n\" is "
	    "there twice");
	/* The password is not told to whoever sees the error. */
	assert_null(parse(HEAD "notify n { type = ntfy "
	    "url = \"https://u:hunter2@h/\" }"));
	assert_null(strstr(messages, "hunter2"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notify_fields),
		cmocka_unit_test(test_notify_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
