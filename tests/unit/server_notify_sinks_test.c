#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/fileio.h"
#include "server/notify_sinks.h"

static char dir[] = "/tmp/oobd-sinks-XXXXXX";
static char token[64], user[64];

static struct notify_message
message(enum notify_severity severity, const char *text)
{
	struct notify_message m = { .seq = 7, .utc_us = 1787572800123456,
	    .severity = severity };

	snprintf(m.source, sizeof(m.source), "gw");
	snprintf(m.event, sizeof(m.event), "line-lost");
	snprintf(m.text, sizeof(m.text), "%s", text);
	return m;
}

static int
fill(const struct config_notify *c, const char *text,
    struct notify_request *r, struct notify_result *result)
{
	struct notify_message m = message(NOTIFY_WARNING, text);

	memset(r, 0, sizeof(*r));
	return notify_sink_request(c, "home-oob", &m, 1787572900000000, r,
	    result);
}

static const char *
header(const struct notify_request *r, const char *name)
{
	for (size_t i = 0; i < r->nheaders; i++) {
		if (strncmp(r->headers[i], name, strlen(name)) == 0)
			return r->headers[i] + strlen(name);
	}
	return NULL;
}

static void
test_pushover(void **state)
{
	struct config_notify c = { .type = NOTIFY_PUSHOVER,
	    .token_file = token, .user_file = user };
	struct notify_result result;
	struct notify_request r;
	char big[NOTIFY_TEXT];

	(void)state;
	assert_int_equal(fill(&c, "a b&c=d \303\251%", &r, &result), 0);
	assert_string_equal(r.url, "https://api.pushover.net/1/messages.json");
	assert_string_equal(r.body, "token=sEcReT-1&user=u.s_e~r&"
	    "title=home-oob%3A%20warning&message=a%20b%26c%3Dd%20%C3%A9%25&"
	    "priority=0&timestamp=1787572800");
	assert_int_equal(r.body_len, strlen(r.body));
	notify_request_wipe(&r);
	assert_null(r.body);
	/* The longest text, each byte as three, still has its end. */
	memset(big, '%', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(fill(&c, big, &r, &result), 0);
	assert_non_null(strstr(r.body, "%25&priority=0&timestamp="
	    "1787572800"));
	notify_request_wipe(&r);
}

static void
test_ntfy(void **state)
{
	struct config_notify c = { .type = NOTIFY_NTFY,
	    .url = (char *)(uintptr_t)"https://ntfy.example/t" };
	struct notify_result result;
	struct notify_request r;

	(void)state;
	assert_int_equal(fill(&c, "text", &r, &result), 0);
	assert_null(header(&r, "Authorization: "));
	assert_string_equal(header(&r, "Priority: "), "4");
	assert_string_equal(header(&r, "Title: "), "home-oob: warning");
	assert_string_equal(r.body, "text");
	notify_request_wipe(&r);
	c.token_file = token;
	assert_int_equal(fill(&c, "text", &r, &result), 0);
	assert_string_equal(header(&r, "Authorization: Bearer "), "sEcReT-1");
	notify_request_wipe(&r);
}

static void
test_webhook(void **state)
{
	struct config_notify c = { .type = NOTIFY_WEBHOOK,
	    .url = (char *)(uintptr_t)"https://example/h",
	    .secret_file = token };
	struct notify_result result;
	struct notify_request r;

	(void)state;
	assert_int_equal(fill(&c, "say \"x\"", &r, &result), 0);
	assert_string_equal(r.body, "{\"box\":\"home-oob\",\"port\":\"gw\","
	    "\"event\":\"line-lost\",\"severity\":\"warning\","
	    "\"time\":\"2026-08-24T12:00:00.123456Z\",\"seq\":7,"
	    "\"text\":\"say \\\"x\\\"\"}");
	assert_string_equal(header(&r, "X-Oob-Timestamp: "), "1787572900");
	assert_int_equal(r.limit_ms, 5000);
	/* Checked against Python's hmac in tests/e2e/test_notify.py. */
	assert_int_equal(strlen(header(&r, "X-Oob-Signature: sha256=")), 64);
	notify_request_wipe(&r);
}

/* A file that cannot be a secret: said by its path, never by what it holds. */
static void
test_bad_secrets(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} bad[] = {
		{ "", 0 }, { "\n", 1 }, { " x\n", 3 }, { "a\0b\n", 4 },
		{ "evil\x01\n", 6 }, { "caf\303\251\n", 6 },
	};
	struct config_notify c = { .type = NOTIFY_NTFY,
	    .url = (char *)(uintptr_t)"https://ntfy.example/t" };
	struct notify_result result;
	struct notify_request r;
	char path[64], big[600];

	(void)state;
	snprintf(path, sizeof(path), "%s/bad", dir);
	c.token_file = path;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(file_replace(path, bad[i].text, bad[i].n,
		    0600), 0);
		assert_int_equal(fill(&c, "x", &r, &result), -1);
		assert_int_equal(result.outcome, NOTIFY_FAILED);
		assert_non_null(strstr(result.why, "/bad: its first line"));
		assert_null(strstr(result.why, "evil"));
		notify_request_wipe(&r);
	}
	memset(big, 'x', sizeof(big));
	assert_int_equal(file_replace(path, big, NOTIFY_SECRET_MAX + 1, 0600),
	    0);
	assert_int_equal(fill(&c, "x", &r, &result), -1);
	assert_int_equal(file_replace(path, big, NOTIFY_SECRET_MAX, 0600), 0);
	assert_int_equal(fill(&c, "x", &r, &result), 0);
	notify_request_wipe(&r);
	unlink(path);
	assert_int_equal(fill(&c, "x", &r, &result), -1);
	assert_non_null(strstr(result.why, "No such file"));
}

static void
judge(enum notify_type type, int status, int64_t retry, const char *body,
    enum notify_outcome want)
{
	struct notify_answer a = { status, status != 0, retry, -1, body,
	    "why" };
	struct notify_result r;

	notify_sink_judge(type, &a, &r);
	assert_int_equal(r.outcome, want);
	assert_true(r.why[0] != '\0');
	assert_int_equal(r.retry_ms, want == NOTIFY_LATER ? retry : -1);
}

static void
test_judge(void **state)
{
	(void)state;
	judge(NOTIFY_WEBHOOK, 0, -1, "", NOTIFY_FAILED);
	judge(NOTIFY_WEBHOOK, 100, -1, "", NOTIFY_FAILED);
	judge(NOTIFY_WEBHOOK, 200, -1, "", NOTIFY_SENT);
	judge(NOTIFY_WEBHOOK, 204, -1, "", NOTIFY_SENT);
	judge(NOTIFY_WEBHOOK, 301, -1, "", NOTIFY_REFUSED);
	judge(NOTIFY_WEBHOOK, 400, 5000, "", NOTIFY_REFUSED);
	judge(NOTIFY_WEBHOOK, 408, -1, "", NOTIFY_REFUSED);
	judge(NOTIFY_WEBHOOK, 429, 7000, "", NOTIFY_LATER);
	judge(NOTIFY_WEBHOOK, 429, -1, "", NOTIFY_LATER);
	judge(NOTIFY_WEBHOOK, 500, -1, "", NOTIFY_FAILED);
	judge(NOTIFY_WEBHOOK, 503, 7000, "", NOTIFY_LATER);
	judge(NOTIFY_WEBHOOK, 999, -1, "", NOTIFY_FAILED);
	judge(NOTIFY_PUSHOVER, 200, -1, "{\"status\":1}", NOTIFY_SENT);
	judge(NOTIFY_PUSHOVER, 200, -1, "{\"status\":0}", NOTIFY_REFUSED);
	judge(NOTIFY_PUSHOVER, 200, -1, "<html>log in", NOTIFY_FAILED);
	judge(NOTIFY_PUSHOVER, 400, -1, "{\"status\":0}", NOTIFY_REFUSED);
}

/* Pushover's month is used up: it says until when, in a header of its own. */
static void
test_month_is_used_up(void **state)
{
	struct config_notify c = { .type = NOTIFY_PUSHOVER,
	    .token_file = token, .user_file = user };
	struct notify_answer a = { 429, true, -1, 3600000, "{}", "" };
	struct notify_result result;
	struct notify_request r;

	(void)state;
	assert_int_equal(fill(&c, "x", &r, &result), 0);
	assert_string_equal(r.reset_header, "X-Limit-App-Reset");
	assert_int_equal(r.limit_ms, 10000);
	notify_request_wipe(&r);
	notify_sink_judge(NOTIFY_PUSHOVER, &a, &result);
	assert_int_equal(result.outcome, NOTIFY_LATER);
	assert_int_equal(result.retry_ms, 3600000);
	a.retry_ms = 5000;		/* the nearer word counts */
	notify_sink_judge(NOTIFY_PUSHOVER, &a, &result);
	assert_int_equal(result.retry_ms, 5000);
	/* It stands there always: of other answers it says nothing. */
	a = (struct notify_answer){ 500, true, -1, 3600000, "", "" };
	notify_sink_judge(NOTIFY_PUSHOVER, &a, &result);
	assert_int_equal(result.outcome, NOTIFY_FAILED);
}

static void
judge_exit(int status, enum notify_outcome want)
{
	struct notify_result r;

	notify_sink_judge_exit(status, "exit status N", &r);
	assert_int_equal(r.outcome, want);
	assert_non_null(strstr(r.why, "exit status N"));
}

static void
test_judge_exit(void **state)
{
	(void)state;
	judge_exit(0, NOTIFY_SENT);
	judge_exit(1, NOTIFY_FAILED);
	judge_exit(65, NOTIFY_REFUSED);
	judge_exit(75, NOTIFY_FAILED);
	judge_exit(-1, NOTIFY_FAILED);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(token, sizeof(token), "%s/token", dir);
	snprintf(user, sizeof(user), "%s/user", dir);
	return file_replace(token, "sEcReT-1\r\nmore\n", 15, 0600) |
	    file_replace(user, "u.s_e~r", 7, 0600);
}

static int
teardown(void **state)
{
	(void)state;
	unlink(token);
	unlink(user);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pushover),
		cmocka_unit_test(test_ntfy),
		cmocka_unit_test(test_webhook),
		cmocka_unit_test(test_bad_secrets),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_month_is_used_up),
		cmocka_unit_test(test_judge_exit),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
