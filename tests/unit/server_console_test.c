/*
 * The console process told things out of order: who would be answered by a
 * configuration that is not there yet is not let in, and it leaves.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/log.h"
#include "server/base/pass.h"
#include "server/console.h"
#include "server/proto.h"
#include "server/sandbox.h"

#define PATIENCE_MS 20000

static struct {
	pid_t pid;
	int up, peer;		/* our ends */
} w;

static int
begin(void **state)
{
	int pair[2];

	(void)state;
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	w.pid = fork();
	assert_true(w.pid != -1);
	if (w.pid == 0) {
		close(pair[0]);
		sandbox_set_mode(SANDBOX_OFF);
		log_open(NULL, LOG_TO_SYSLOG, false);
		_exit(console_main(pair[1]));
	}
	close(pair[1]);
	w.up = pair[0];
	w.peer = -1;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	close(w.up);
	if (w.peer != -1)
		close(w.peer);
	return 0;
}

/* A frame that hands over one end of a socket; the other has said hello. */
static void
give(uint16_t type, const char *text)
{
	static struct frame_out o;
	int pair[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	frame_start(&o, RQ_HELLO);
	frame_put_u16(&o, PROTO_VERSION);
	frame_put_str(&o, "ssh");
	assert_return_code(pass_send(pair[0], &o, -1), 0);
	frame_start(&o, type);
	if (text != NULL)
		frame_put_str(&o, text);
	assert_return_code(pass_send(w.up, &o, pair[1]), 0);
	close(pair[1]);
	w.peer = pair[0];
}

/* In order: with status 1, not by a signal. */
static void
it_leaves(void)
{
	struct pollfd p = { .fd = w.up, .events = POLLIN };
	int status;
	char c;

	if (poll(&p, 1, PATIENCE_MS) != 1)
		kill(w.pid, SIGKILL);
	assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	/* What was said there is unread. */
	assert_true(read(w.peer, &c, 1) <= 0);
}

static void
peer_before_the_configuration(void **state)
{
	(void)state;
	give(SV_PEER, "ssh");
	it_leaves();
}

static void
control_socket_before_the_configuration(void **state)
{
	(void)state;
	give(SV_CONTROL, NULL);
	it_leaves();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(peer_before_the_configuration,
		    begin, end),
		cmocka_unit_test_setup_teardown(
		    control_socket_before_the_configuration, begin, end),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
