/* What PPP is told on both systems, what it says, what its end means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "modem/ppp.h"
#include "server/base/fileio.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

typedef int text_fn(char *, const struct ppp_conf *, char *);

static void
check_golden(text_fn *make, const struct ppp_conf *c, const char *path)
{
	char text[PPP_TEXT], why[PPP_WHY] = "", *golden;
	int n = make(text, c, why);

	assert_string_equal(why, "");
	golden = file_read(path, 65536, NULL);
	assert_non_null(golden);
	assert_string_equal(text, golden);
	assert_int_equal(n, strlen(golden));
	free(golden);
}

static void
test_golden(void **state)
{
	const struct ppp_conf plain = { .seconds = 14400 };
	const struct ppp_conf login = { .user = "web@example",
	    .password = "s3cret-._+/:=,", .seconds = 1 };

	(void)state;
	check_golden(ppp_pppd_text, &plain, "tests/data/ppp_pppd.txt");
	check_golden(ppp_pppd_text, &login, "tests/data/ppp_pppd_login.txt");
	check_golden(ppp_userland_text, &plain,
	    "tests/data/ppp_userland.txt");
	check_golden(ppp_userland_text, &login,
	    "tests/data/ppp_userland_login.txt");
}

/* pppd NULL: refused by it. */
static void
check_hostile(const char *option, const char *word, const char *pppd,
    bool userland)
{
	bool user = strcmp(option, "user") == 0;
	const struct ppp_conf c = { .user = user ? word : "u",
	    .password = user ? NULL : word, .seconds = 1 };
	char text[PPP_TEXT], why[PPP_WHY] = "", want[256];

	if (pppd == NULL) {
		assert_int_equal(ppp_pppd_text(text, &c, why), -1);
		assert_non_null(strstr(why, option));
		/* It tells what is wrong without telling it. */
		assert_null(strstr(why, word));
	} else {
		assert_true(ppp_pppd_text(text, &c, why) > 0);
		snprintf(want, sizeof(want), "\n%s %s\n", option, pppd);
		assert_non_null(strstr(text, want));
	}
	assert_int_equal(ppp_userland_text(text, &c, why) > 0, userland);
	if (!userland)
		return;
	snprintf(want, sizeof(want), "\n set %s \"%s\"\n", user ?
	    "authname" : "authkey", word);
	assert_non_null(strstr(text, want));
}

/* What every character of a user and of a password becomes. */
static void
test_hostile(void **state)
{
	static const struct {
		const char *word, *pppd;	/* NULL: refused */
		bool userland;
	} t[] = {
		{ "a b",		"\"a b\"",	false },
		{ "say \"hi\"",		"\"say \\\"hi\\\"\"", false },
		{ "back\\slash",	"\"back\\\\slash\"", false },
		{ "#1",			"\"#1\"",	false },
		{ "!reboot",		"\"!reboot\"",	false },
		{ "$HOME",		"\"$HOME\"",	false },
		{ "~root",		"\"~root\"",	false },
		{ "it's",		"\"it's\"",	false },
		{ "\xc3\xa5",		"\"\xc3\xa5\"",	false },
		{ "a\nip-up-script /bin/sh", NULL,	false },
		{ "a\rb",		NULL,		false },
		{ "a\tb",		NULL,		false },
		{ "\x7f",		NULL,		false },
		{ "\x1b[0m",		NULL,		false },
		{ "-._@+/:=,09azAZ",	"\"-._@+/:=,09azAZ\"", true },
		{ "a*b%c",		"\"a*b%c\"",	false },
		{ "`id`",		"\"`id`\"",	false },
		{ "x; y && z",		"\"x; y && z\"", false },
		{ "'\\'",		"\"'\\\\'\"",	false },
	};

	(void)state;
	for (size_t i = 0; i < N(t); i++) {
		check_hostile("user", t[i].word, t[i].pppd, t[i].userland);
		check_hostile("password", t[i].word, t[i].pppd,
		    t[i].userland);
	}
}

static void
test_long(void **state)
{
	char word[PPP_WORD + 1], text[PPP_TEXT], why[PPP_WHY];
	struct ppp_conf c = { .seconds = 1, .user = word };

	(void)state;
	memset(word, '"', sizeof(word));
	word[PPP_WORD - 1] = '\0';
	/* Each is two in the file. */
	assert_true(ppp_pppd_text(text, &c, why) > 0);
	assert_int_equal(strlen(strstr(text, "\nuser ") + 1),
	    strlen("user \"\"\n") + 2 * (PPP_WORD - 1));
	word[PPP_WORD - 1] = 'x';
	word[PPP_WORD] = '\0';
	assert_int_equal(ppp_pppd_text(text, &c, why), -1);
	memset(word, 'x', PPP_WORD);
	assert_int_equal(ppp_userland_text(text, &c, why), -1);
}

static void
test_ends(void **state)
{
	static const struct {
		int status;
		const char *before, *after;
		enum ppp_after act;
	} t[] = {
		{ 0,  "E-PDP",	"E-DEAD",  PPP_AFTER_REDIAL },
		{ 2,  "E-PPP",	"E-PPP",   PPP_AFTER_HUMAN },
		{ 3,  "E-PPP",	"E-PPP",   PPP_AFTER_HUMAN },
		{ 4,  "E-PPP",	"E-PPP",   PPP_AFTER_HUMAN },
		{ 5,  "",	"",	   PPP_AFTER_NOTHING },
		{ 6,  "E-PORT",	"E-PORT",  PPP_AFTER_REPAIR },
		{ 7,  "E-PORT",	"E-PORT",  PPP_AFTER_REPAIR },
		{ 10, "E-PDP",	"E-PDP",   PPP_AFTER_REDIAL },
		{ 13, "",	"",	   PPP_AFTER_NOTHING },
		{ 15, "E-PDP",	"E-DEAD",  PPP_AFTER_REDIAL },
		{ 16, "E-APN",	"E-DEAD",  PPP_AFTER_REDIAL },
		{ 19, "E-AUTH",	"E-AUTH",  PPP_AFTER_FEW },
		{ 20, "E-QUOTA", "E-QUOTA", PPP_AFTER_HUMAN },
		{ -1, "E-PDP",	"E-DEAD",  PPP_AFTER_REDIAL },
		{ 99, "E-PDP",	"E-PDP",   PPP_AFTER_REDIAL },
	};

	(void)state;
	for (size_t i = 0; i < N(t); i++) {
		assert_string_equal(ppp_end(t[i].status, false)->failure,
		    t[i].before);
		assert_string_equal(ppp_end(t[i].status, true)->failure,
		    t[i].after);
		assert_int_equal(ppp_end(t[i].status, false)->after,
		    t[i].act);
	}
	/* None of 0 to 21 is unknown, each has words, and the name suffices. */
	for (int i = 0; i <= 21; i++) {
		for (int up = 0; up < 2; up++) {
			const struct ppp_end *e = ppp_end(i, up);

			assert_ptr_not_equal(e, ppp_end(99, up));
			assert_true(strlen(e->text) > 0);
			if (e->after != PPP_AFTER_NOTHING)
				assert_int_equal(e->after,
				    ppp_after(e->failure));
		}
	}
	assert_int_equal(ppp_after("E-WHATEVER"), PPP_AFTER_REDIAL);
}

static void
hear_all(struct ppp_heard *h, const char *const lines[], size_t n)
{
	memset(h, 0, sizeof(*h));
	for (size_t i = 0; i < n; i++)
		ppp_hear(h, lines[i]);
}

static void
test_hear_up(void **state)
{
	static const char *const lines[] = {
		"using channel 1", "Using interface ppp0",
		"Connect: ppp0 <--> /dev/ttyUSB1",
		"local  IP address 10.64.1.2", "remote IP address 10.64.64.64",
		"primary   DNS address 192.0.2.53",
		"secondary DNS address 192.0.2.54",
	};
	struct ppp_heard h;

	(void)state;
	hear_all(&h, lines, N(lines));
	assert_string_equal(h.interface, "ppp0");
	assert_string_equal(h.local, "10.64.1.2");
	assert_string_equal(h.peer, "10.64.64.64");
	assert_string_equal(h.dns, "192.0.2.53,192.0.2.54");
	assert_false(h.fake_dns);
	assert_string_equal(h.failure, "");
	assert_string_equal(h.last, "");
}

static void
test_hear_bad(void **state)
{
	static const char *const fake[] = {
		"primary   DNS address 10.11.12.13",
		"secondary DNS address 10.11.12.14",
	};
	static const char *const auth[] = {
		"PAP authentication failed", "LCP terminated by peer",
	};
	static const char *const stuck[] = {
		"IPCP: timeout sending Config-Requests",
	};
	static const char *const hostile[] = {
		"Using interface ../../etc", "local  IP address 127.0.0.1",
		"remote IP address 1.2.3.4.5.6.7.8.9.10.11.12",
		"primary   DNS address 0.0.0.0",
		"Using interface pppppppppppppppppppppppppppppppppppppppp",
	};
	/* Of the peer's, too. */
	static const char *const words[] = {
		"PAP authentication failed: \033[2Jno\r",
	};
	struct ppp_heard h;

	(void)state;
	hear_all(&h, words, N(words));
	assert_string_equal(h.last,
	    "PAP authentication failed: \\x1b[2Jno\\x0d");
	hear_all(&h, fake, N(fake));
	assert_string_equal(h.dns, "");
	assert_true(h.fake_dns);
	hear_all(&h, auth, N(auth));
	assert_string_equal(h.failure, "E-AUTH");
	hear_all(&h, stuck, N(stuck));
	assert_string_equal(h.failure, "E-PDP");
	hear_all(&h, hostile, N(hostile));
	assert_string_equal(h.interface, "..");
	assert_string_equal(h.local, "");
	assert_string_equal(h.peer, "");
	assert_string_equal(h.dns, "");
}

/* We are no PPP, nor is init. */
static void
test_ours(void **state)
{
	(void)state;
	assert_false(ppp_is_ours(getpid()));
	assert_false(ppp_is_ours(1));
	assert_false(ppp_is_ours(0));
	assert_false(ppp_is_ours(-1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_hear_up),
		cmocka_unit_test(test_hear_bad),
		cmocka_unit_test(test_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
