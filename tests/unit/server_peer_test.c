/* Events that a peer has written into the journals. */
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_help.h"
#include "server/authlog.h"
#include "server/base/log.h"
#include "server/client_internal.h"

static struct console con;
static struct client peer;
static char written[2048];

static void
on_write(void *arg, const char *text)
{
	(void)arg;
	snprintf(written, sizeof(written), "%s", text);
}

static int
begin(void **state)
{
	static const struct wires_ops ops;

	(void)state;
	memset(&con, 0, sizeof(con));
	con.loop = loop_new();
	con.conf = good(HEAD);
	con.wires = wires_new(con.loop, NULL, &ops, NULL);
	con.authlog = authlog_new(on_write, NULL, mono_now());
	peer = (struct client){ .console = &con, .peer = PEER_MODEM,
	    .local_user = "modem" };
	return 0;
}

static int
end(void **state)
{
	(void)state;
	authlog_free(con.authlog);
	wires_free(con.wires);
	config_free(con.conf);
	loop_free(con.loop);
	return 0;
}

/* What the box's journal got of it. */
static const char *
event(const char *kind, const char *words)
{
	struct frame_out *o = xmalloc(sizeof(*o));
	struct frame f;
	size_t used;

	written[0] = '\0';
	frame_start(o, RQ_EVENT);
	frame_put_str(o, kind);
	frame_put_str(o, words);
	assert_int_equal(frame_finish(o, 0), 0);
	assert_int_equal(frame_parse(o->block, o->len, &f, &used), 1);
	assert_int_equal(peer_event(&peer, &f), 0);
	free(o);
	return written;
}

static void
its_own_are_written(void **state)
{
	(void)state;
	assert_string_equal(event("link-up", "way=ppp"), "link-up way=ppp");
	assert_string_equal(event("link-down", "a\n\x1b[1m"),
	    "link-down a\\x0a\\x1b[1m");
}

/* Nothing that could be taken for the console process's. */
static void
ours_are_not(void **state)
{
	static const char *const kinds[] = { "login", "attach", "refused",
	    "code-used", "grant-over", "grant-used", "-link", "link-", "",
	    "link up", "Link-up", "link-up\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (event(kinds[i], "user=alice")[0] != '\0')
			fail_msg("%s", kinds[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(its_own_are_written, begin,
		    end),
		cmocka_unit_test_setup_teardown(ours_are_not, begin, end),
	};

	log_open(NULL, LOG_TO_SYSLOG, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
