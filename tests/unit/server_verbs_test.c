#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "serial/keys.h"
#include "server/base/fileio.h"
#include "server/base/mem.h"
#include "server/verbs.h"

struct text {
	char *p;
	size_t n;
};

static void
collect(void *arg, const char *s)
{
	struct text *t = arg;
	size_t n = strlen(s);

	t->p = xreallocarray(t->p, t->n + n + 1, 1);
	memcpy(t->p + t->n, s, n + 1);
	t->n += n;
}

static int
help(struct text *t, const char *about)
{
	char *argv[] = { "help", (char *)(uintptr_t)about, NULL };

	free(t->p);
	t->p = NULL;
	t->n = 0;
	return verbs_help(about == NULL ? 1 : 2, argv, collect, t);
}

static void
table_is_whole(void **state)
{
	static const char *const wanted[] = {
		"attach", "list", "status", "who", "last", "log", "replay", "break",
		"note", "say", "kick", "grant", "revoke", "set", "link",
		"relay", "ssh-config", "help",
	};
	const struct verb *v;

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_non_null(verb_find(wanted[i]));
	assert_null(verb_find(""));
	assert_null(verb_find("lis"));
	for (size_t i = 0; (v = verb_at(i)) != NULL; i++) {
		assert_ptr_equal(verb_find(v->name), v);
		assert_true(strlen(v->help) > 3 && strlen(v->help) < 60);
		assert_true(strlen(v->more) > 3);
		if (v->target != VERB_BOX)
			assert_non_null(strstr(v->args, "CONSOLE"));
	}
	assert_int_equal(verb_find("list")->role, ROLE_VIEWER);
	assert_int_equal(verb_find("break")->role, ROLE_OPERATOR);
	assert_int_equal(verb_find("set")->role, ROLE_OPERATOR);
	assert_int_equal(verb_find("revoke")->role, ROLE_ADMIN);
}

static void
second_words_decide(void **state)
{
	static const struct {
		const char *words[4];
		bool usage;
		enum role role;
		enum verb_where where;
		const char *name;
	} cases[] = {
		{ { "list" }, false, ROLE_VIEWER, VERB_CONSOLE, "list" },
		{ { "break", "gw" }, false, ROLE_OPERATOR, VERB_CONSOLE,
		    "break" },
		{ { "link" }, true, ROLE_VIEWER, VERB_MODEM, "link" },
		{ { "link", "u" }, true, ROLE_VIEWER, VERB_MODEM, "link" },
		{ { "link", "status" }, false, ROLE_VIEWER, VERB_MODEM,
		    "link status" },
		{ { "link", "up", "3h" }, false, ROLE_OPERATOR, VERB_MODEM,
		    "link up" },
		{ { "relay", "test" }, false, ROLE_OPERATOR, VERB_SSH,
		    "relay test" },
		{ { "ssh-config" }, false, ROLE_VIEWER, VERB_SSH,
		    "ssh-config" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[5] = { NULL };
		struct verb_call c;
		int argc = 0;

		for (; cases[i].words[argc] != NULL; argc++)
			argv[argc] = (char *)(uintptr_t)cases[i].words[argc];
		c = verb_call(argc, argv);
		assert_ptr_equal(c.verb, verb_find(argv[0]));
		assert_int_equal(c.usage, cases[i].usage);
		assert_int_equal(c.role, cases[i].role);
		assert_int_equal(c.where, cases[i].where);
		assert_string_equal(c.name, cases[i].name);
	}
	assert_null(verb_call(1, (char *[]){ (char *)(uintptr_t)"no",
	    NULL }).verb);
}

static void
help_names_all(void **state)
{
	struct text t = { NULL, 0 };
	struct keys_help k;
	const struct verb *v;

	(void)state;
	assert_int_equal(help(&t, NULL), ST_OK);
	for (size_t i = 0; (v = verb_at(i)) != NULL; i++) {
		assert_non_null(strstr(t.p, v->name));
		assert_non_null(strstr(t.p, v->help));
	}
	for (size_t i = 0; keys_help_at(i, &k); i++)
		assert_non_null(strstr(t.p, k.help));
	for (char *line = strtok(t.p, "\n"); line != NULL;
	    line = strtok(NULL, "\n"))
		assert_true(strlen(line) < 80);
	assert_int_equal(help(&t, "log"), ST_OK);
	assert_non_null(strstr(t.p, "usage: log [CONSOLE] [--since T]"));
	assert_int_equal(help(&t, "set"), ST_OK);
	assert_non_null(strstr(t.p, "role operator"));
	assert_int_equal(help(&t, "nonsense"), ST_USAGE);
	assert_non_null(strstr(t.p, "no such verb: nonsense"));
	/* What was asked for comes back without what a terminal obeys. */
	assert_int_equal(help(&t, "\033[2J\a"), ST_USAGE);
	assert_non_null(strstr(t.p, "no such verb: \\x1b[2J\\x07; help"));
	free(t.p);
}

static bool
is_gw_or_sw(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "gw") == 0 || strcmp(name, "sw") == 0;
}

static void
console_of_the_login(void **state)
{
	static const struct {
		const char *in[5];
		const char *out[5];
	} cases[] = {
		{ { "log" }, { "log", "gw" } },
		{ { "log", "--tail", "5" }, { "log", "gw", "--tail", "5" } },
		{ { "log", "--raw", "sw" }, { "log", "--raw", "sw" } },
		{ { "note", "to", "sw" }, { "note", "gw", "to", "sw" } },
		{ { "note", "sw", "x" }, { "note", "sw", "x" } },
		{ { "set", "speed", "9600" }, { "set", "gw", "speed",
		    "9600" } },
		{ { "list" }, { "list" } },
		{ { "kick", "3" }, { "kick", "3" } },
	};
	char *out[ARGS_MAX + 1];
	struct words w;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int n;

		memset(&w, 0, sizeof(w));
		while (w.argc < 5 && cases[i].in[w.argc] != NULL) {
			w.argv[w.argc] =
			    (char *)(uintptr_t)cases[i].in[w.argc];
			w.argc++;
		}
		n = verbs_with_console(&w, "gw", is_gw_or_sw, NULL, out);
		for (int o = 0; o < n; o++)
			assert_string_equal(out[o], cases[i].out[o]);
		assert_true(n == 5 || cases[i].out[n] == NULL);
		assert_null(out[n]);
		assert_int_equal(verbs_with_console(&w, NULL, is_gw_or_sw,
		    NULL, out), w.argc);
	}
	w.argc = ARGS_MAX;
	w.argv[0] = "log";
	for (int i = 1; i < ARGS_MAX; i++)
		w.argv[i] = "x";
	assert_int_equal(verbs_with_console(&w, "gw", is_gw_or_sw, NULL, out),
	    -1);
	assert_int_equal(verbs_with_console(&w, NULL, is_gw_or_sw, NULL, out),
	    ARGS_MAX);
}

/* The man page's sections are exactly what the table says. */
static void
man_page_agrees(void **state)
{
	static const char begin[] = ".\\\" begin: oobctl help --mdoc\n";
	static const char end[] = ".\\\" end: oobctl help --mdoc\n";
	struct text t = { NULL, 0 };
	char *page = file_read("docs/oobctl.1", 1 << 20, NULL), *a, *b;

	(void)state;
	assert_non_null(page);
	a = strstr(page, begin);
	assert_non_null(a);
	a += strlen(begin);
	b = strstr(a, end);
	assert_non_null(b);
	*b = '\0';
	assert_int_equal(help(&t, "--mdoc"), ST_OK);
	assert_string_equal(a, t.p);
	free(t.p);
	free(page);
}

/* Every frame that has a name has its line in docs/frames.md. */
static void
frames_are_described(void **state)
{
	static const char *const prefixes[] = { "RQ_", "AN_", "RD_", "SV_",
	    "UP_", "WY_" };
	char *proto = file_read("server/proto.h", 1 << 20, NULL);
	char *page = file_read("docs/frames.md", 1 << 20, NULL);
	char name[64];
	int n = 0;

	(void)state;
	assert_non_null(proto);
	assert_non_null(page);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		const char *p = proto;

		while ((p = strstr(p, prefixes[i])) != NULL) {
			size_t len = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

			assert_true(len + 3 < sizeof(name));
			name[0] = '`';
			memcpy(name + 1, p, len);
			name[len + 1] = '\0';
			if (p == proto || p[-1] == '\t') {
				if (strstr(page, name) == NULL)
					fail_msg("%s is not described", name);
				n++;
			}
			p += len;
		}
	}
	assert_true(n > 40);
	free(proto);
	free(page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_whole),
		cmocka_unit_test(second_words_decide),
		cmocka_unit_test(help_names_all),
		cmocka_unit_test(console_of_the_login),
		cmocka_unit_test(man_page_agrees),
		cmocka_unit_test(frames_are_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
