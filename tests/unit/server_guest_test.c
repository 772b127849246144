/* Sessions as the ssh process opens them: whatever it says of them. */
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_help.h"
#include "server/client_internal.h"

static struct console con;
static struct client ssh;

static int
begin(void **state)
{
	(void)state;
	memset(&con, 0, sizeof(con));
	con.conf = good(HEAD "user alice { keys = {} role = operator }\n");
	ssh = (struct client){ .console = &con, .peer = PEER_SSH };
	return 0;
}

static int
end(void **state)
{
	(void)state;
	while (ssh.guests != NULL)
		guest_free(ssh.guests, "");
	assert_int_equal(ssh.nguests, 0);
	config_free(con.conf);
	return 0;
}

static int
open_guest(const char *const words[4])
{
	struct frame_out *o = xmalloc(sizeof(*o));
	struct frame f;
	size_t used;
	int r;

	frame_start(o, RQ_OPEN);
	frame_put_u32(o, 1);
	for (int i = 0; i < 4; i++)
		frame_put_str(o, words[i]);
	assert_int_equal(frame_finish(o, 0), 0);
	assert_int_equal(frame_parse(o->block, o->len, &f, &used), 1);
	r = guest_open(&ssh, &f);
	free(o);
	return r;
}

/* Others are shown it by who, status and notices. */
static void
words_about_it_are_safe(void **state)
{
	static const char *const words[] = { "alice", "\x1b]0;x\x07\n",
	    "ssh\r\xff", "\xc2\x9b[31m" };

	(void)state;
	assert_int_equal(open_guest(words), 0);
	assert_non_null(ssh.guests);
	assert_string_equal(ssh.guests->user, "alice");
	assert_int_equal(ssh.guests->role, ROLE_OPERATOR);
	assert_string_equal(ssh.guests->from, "\\x1b]0;x\\x07\\x0a");
	assert_string_equal(ssh.guests->via, "ssh\\x0d\\xff");
	assert_string_equal(ssh.guests->key, "\\xc2\\x9b[31m");
}

/* Neither too long, nor twice by one number. */
static void
bad_ones_are_none(void **state)
{
	char longest[FROM_BYTES + 1];
	const char *words[] = { "alice", longest, "ssh", "" };

	(void)state;
	memset(longest, '\\', sizeof(longest));
	longest[FROM_BYTES] = '\0';
	assert_int_equal(open_guest(words), -1);
	longest[FROM_BYTES - 1] = '\0';
	assert_int_equal(open_guest(words), 0);
	assert_true(strlen(ssh.guests->from) < FROM_BYTES);
	assert_int_equal(open_guest(words), -1);
	assert_int_equal(ssh.nguests, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(words_about_it_are_safe,
		    begin, end),
		cmocka_unit_test_setup_teardown(bad_ones_are_none, begin,
		    end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
