/*
 * A relay that is connected to by somebody else: what is asked of the
 * supervisor, and what is made of a dialer's words, good and bad.  Then the
 * same with a real dialer.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <netinet/in.h>

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/base/frame.h"
#include "server/base/link.h"
#include "server/base/mem.h"
#include "server/base/os.h"
#include "server/base/pass.h"
#include "server/dialer.h"
#include "server/proto.h"
#include "server/relay_call.h"

#define PATIENCE_MS 20000

static struct {
	struct loop *loop;
	struct timer *limit, *soon;
	struct link *up;
	int supervisor;		/* the other end of that */
	struct relay_calls *calls;
	struct relay_call *call;
	int dialer;		/* our end of its socket, -1 */
	char addresses[1400], address[96], unproven[256], why[600];
	int fd;
	unsigned resolved, over;
} w;

static int
no_frame(void *arg, struct frame *f, int fd)
{
	(void)arg;
	(void)f;
	(void)fd;
	return -1;
}

static void
no_end(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static const struct link_ops up_ops = { .frame = no_frame, .down = no_end };

static void
on_limit(void *arg)
{
	(void)arg;
	loop_stop(w.loop, 1);
}

static void
on_soon(void *arg)
{
	(void)arg;
	loop_stop(w.loop, 0);
}

/* What has come is taken. */
static void
settle(void)
{
	for (int i = 0; i < 3; i++) {
		timer_set(w.soon, 0);
		loop_run(w.loop);
	}
}

static int
begin(void **state)
{
	int pair[2];

	(void)state;
	memset(&w, 0, sizeof(w));
	w.fd = w.dialer = -1;
	w.loop = loop_new();
	w.limit = timer_new(w.loop, on_limit, NULL);
	w.soon = timer_new(w.loop, on_soon, NULL);
	timer_set(w.limit, PATIENCE_MS);
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	w.up = link_new(w.loop, pair[0], 65536, &up_ops, NULL);
	w.supervisor = pair[1];
	w.calls = relay_calls_new(w.loop, w.up);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	relay_call_free(w.call);
	relay_calls_free(w.calls);
	link_free(w.up);
	timer_free(w.limit);
	timer_free(w.soon);
	close(w.supervisor);
	if (w.dialer != -1)
		close(w.dialer);
	if (w.fd != -1)
		close(w.fd);
	loop_free(w.loop);
	return 0;
}

static void
on_resolved(void *arg, const char *addresses)
{
	assert_ptr_equal(arg, &w);
	w.resolved++;
	snprintf(w.addresses, sizeof(w.addresses), "%s", addresses);
}

/* As a relay does: it is done with. */
static void
on_connected(void *arg, int fd, const char *address, const char *unproven)
{
	assert_ptr_equal(arg, &w);
	w.over++;
	w.fd = fd;
	snprintf(w.address, sizeof(w.address), "%s", address);
	snprintf(w.unproven, sizeof(w.unproven), "%s", unproven);
	relay_call_free(w.call);
	w.call = NULL;
	loop_stop(w.loop, 0);
}

static void
on_failed(void *arg, const char *why)
{
	assert_ptr_equal(arg, &w);
	w.over++;
	snprintf(w.why, sizeof(w.why), "%s", why);
	loop_stop(w.loop, 0);
}

static const struct relay_call_ops ops = { on_resolved, on_connected,
    on_failed };

/* The number that it was asked by. */
static uint32_t
asked(const char *relay, unsigned second, unsigned ppp)
{
	uint8_t in[256];
	char name[64];
	struct frame f;
	size_t used;
	uint32_t request;
	ssize_t n = recv(w.supervisor, in, sizeof(in), MSG_DONTWAIT);

	assert_true(n > 0);
	assert_int_equal(frame_parse(in, (size_t)n, &f, &used), 1);
	assert_int_equal(used, n);
	assert_int_equal(f.type, UP_DIAL);
	request = frame_u32(&f);
	frame_str(&f, name, sizeof(name));
	assert_string_equal(name, relay);
	assert_int_equal(frame_u8(&f), second);
	assert_int_equal(frame_u8(&f), ppp);
	assert_true(frame_ok(&f));
	return request;
}

static uint32_t
call(bool second, bool ppp)
{
	const struct relay_call_to to = { "r", second, ppp };

	w.call = relay_call_new(w.calls, &to, &ops, &w);
	assert_int_equal(w.over, 0);
	return asked("r", second, ppp);
}

/* A dialer that the test plays. */
static void
give_dialer(uint32_t request)
{
	int pair[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	relay_calls_take(w.calls, request, "", pair[0]);
	w.dialer = pair[1];
}

static void
say(uint16_t type, const char *one, const char *two, int fd)
{
	struct frame_out *o = xmalloc(sizeof(*o));

	frame_start(o, type);
	frame_put_str(o, one);
	if (two != NULL)
		frame_put_str(o, two);
	if (fd != -1) {
		assert_int_equal(pass_send(w.dialer, o, fd), 0);
	} else {
		assert_int_equal(frame_finish(o, 0), 0);
		assert_int_equal(send(w.dialer, o->block, o->len, 0),
		    o->len);
	}
	free(o);
	settle();
}

static bool
dialer_is_left(void)
{
	char c;

	return recv(w.dialer, &c, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static void
asked_and_connected(void **state)
{
	int pair[2];

	(void)state;
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	give_dialer(call(true, true));
	settle();
	assert_false(dialer_is_left());
	say(DL_RESOLVED, "192.0.2.1, 192.0.2.2", NULL, -1);
	assert_string_equal(w.addresses, "192.0.2.1, 192.0.2.2");
	say(DL_CONNECTED, "192.0.2.2:22", "", pair[0]);
	assert_int_equal(w.over, 1);
	assert_string_equal(w.address, "192.0.2.2:22");
	assert_int_not_equal(w.fd, -1);
	assert_true((fcntl(w.fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(w.fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(write(w.fd, "x", 1), 1);
	assert_int_equal(read(pair[1], (char[1]){ 0 }, 1), 1);
	assert_true(dialer_is_left());
	close(pair[0]);
	close(pair[1]);
}

static void
not_over_ppp(void **state)
{
	(void)state;
	give_dialer(call(false, true));
	say(DL_CONNECTED, "192.0.2.2:22", "it comes from 10.0.0.1", -1);
	assert_int_equal(w.over, 1);
	assert_int_equal(w.fd, -1);
	assert_string_equal(w.unproven, "it comes from 10.0.0.1");
}

static void
failed_for(const char *why)
{
	assert_int_equal(w.over, 1);
	assert_int_equal(w.fd, -1);
	assert_string_equal(w.why, why);
}

static void
nobody_answers(void **state)
{
	(void)state;
	give_dialer(call(false, false));
	say(DL_FAILED, "127.0.0.1:22: Connection refused", NULL, -1);
	failed_for("127.0.0.1:22: Connection refused");
	assert_true(dialer_is_left());
}

static void
refused_by_the_supervisor(void **state)
{
	(void)state;
	relay_calls_take(w.calls, call(false, true), "PPP is not up", -1);
	failed_for("PPP is not up");
}

/* Killed, or crashed. */
static void
it_dies(void **state)
{
	(void)state;
	give_dialer(call(false, false));
	say(DL_RESOLVED, "192.0.2.1", NULL, -1);
	assert_return_code(shutdown(w.dialer, SHUT_RDWR), 0);
	settle();
	failed_for("the process that connects to it has ended");
}

static void
spoil(uint16_t type, const char *one, const char *two, bool with_fd)
{
	int fd = with_fd ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;

	w.over = 0;
	give_dialer(call(false, false));
	say(type, one, two, fd);
	failed_for("the process that connects to it has ended");
	relay_call_free(w.call);
	w.call = NULL;
	settle();
	assert_true(dialer_is_left());
	close(w.dialer);
	w.dialer = -1;
	if (fd != -1)
		close(fd);
}

/* One gone bad harms nobody but its own call. */
static void
bad_words(void **state)
{
	char longer[2000];
	int lowest = dup(0);

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	spoil(SV_PING, "", NULL, false);
	spoil(DL_RESOLVED, "192.0.2.1", NULL, true);
	spoil(DL_RESOLVED, longer, NULL, false);
	spoil(DL_RESOLVED, "1", "2", false);
	spoil(DL_CONNECTED, "192.0.2.1:22", NULL, false);
	spoil(DL_CONNECTED, "192.0.2.1:22", NULL, true);
	spoil(DL_CONNECTED, longer, "", true);
	spoil(DL_CONNECTED, "192.0.2.1:22", "not over PPP", true);
	spoil(DL_FAILED, "why", NULL, true);
	spoil(DL_FAILED, longer, NULL, false);
	spoil(0, "", NULL, true);
	assert_int_equal(w.resolved, 0);
	/* No descriptor was kept. */
	close(lowest);
	assert_int_equal(dup(0), lowest);
	close(lowest);
}

/* A name server's, or a relay's, words in it do nothing to a terminal. */
static void
only_text(void **state)
{
	(void)state;
	give_dialer(call(false, true));
	say(DL_RESOLVED, "192.0.2.1\033[2J", NULL, -1);
	assert_string_equal(w.addresses, "192.0.2.1\\x1b[2J");
	say(DL_CONNECTED, "192.0.2.1\r", "from\n10.0.0.1", -1);
	assert_string_equal(w.address, "192.0.2.1\\x0d");
	assert_string_equal(w.unproven, "from\\x0a10.0.0.1");
	close(w.dialer);
	w.over = 0;
	give_dialer(call(false, false));
	say(DL_FAILED, "cannot find \177", NULL, -1);
	failed_for("cannot find \\x7f");
	relay_call_free(w.call);
	w.over = 0;
	relay_calls_take(w.calls, call(false, false), "no\b", -1);
	failed_for("no\\x08");
}

/* The socket could not be handed over. */
static void
no_descriptor(void **state)
{
	(void)state;
	give_dialer(call(false, false));
	say(DL_CONNECTED, "192.0.2.1:22", "", -1);
	failed_for("no descriptor is free for the connection");
}

/* Given up, before or after there was one. */
static void
given_up(void **state)
{
	uint32_t first = call(false, false), second;

	(void)state;
	relay_call_free(w.call);
	second = call(false, false);
	assert_true(second > first);
	give_dialer(first);
	assert_true(dialer_is_left());
	close(w.dialer);
	give_dialer(second);
	settle();
	assert_false(dialer_is_left());
	relay_call_free(w.call);
	w.call = NULL;
	settle();
	assert_true(dialer_is_left());
	assert_int_equal(w.over, 0);
	/* An answer that nobody waits for. */
	relay_calls_take(w.calls, 0, "why", -1);
	relay_calls_take(w.calls, 4711, "why", -1);
	assert_int_equal(w.over, 0);
}

/* With a real one: the process is ours, all else is as it will be. */

static pid_t
start(char *const words[DIALER_WORDS], int argc, uint32_t request, int *own)
{
	int pair[2];
	pid_t pid;

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		close(pair[0]);
		_exit(dialer_main(pair[1], argc, words));
	}
	close(pair[1]);
	if (own != NULL)
		*own = pair[0];
	else
		relay_calls_take(w.calls, request, "", pair[0]);
	return pid;
}

static int
status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
listener(char port[8], bool really)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	if (really)
		assert_int_equal(listen(fd, 8), 0);
	snprintf(port, 8, "%u", (unsigned)ntohs(in.sin_port));
	return fd;
}

static void
a_real_one(void **state)
{
	char port[8], want[32];
	char *words[] = { (char[]){ "127.0.0.1" }, port, (char[]){ "0" },
	    (char[]){ "" }, (char[]){ "" }, (char[]){ "" } };
	int there = listener(port, true);
	pid_t pid = start(words, DIALER_WORDS, call(false, false), NULL);

	(void)state;
	assert_int_equal(loop_run(w.loop), 0);
	assert_string_equal(w.addresses, "127.0.0.1");
	snprintf(want, sizeof(want), "127.0.0.1:%s", port);
	assert_string_equal(w.address, want);
	assert_int_not_equal(w.fd, -1);
	assert_int_equal(status_of(pid), 0);
	close(accept(there, NULL, NULL));
	close(there);
}

static void
a_real_one_is_refused(void **state)
{
	char port[8];
	char *words[] = { (char[]){ "127.0.0.1" }, port, (char[]){ "0" },
	    (char[]){ "" }, (char[]){ "" }, (char[]){ "" } };
	int there = listener(port, false);
	pid_t pid = start(words, DIALER_WORDS, call(false, false), NULL);

	(void)state;
	assert_int_equal(loop_run(w.loop), 0);
	assert_non_null(strstr(w.why, "efused"));
	assert_int_equal(status_of(pid), 0);
	close(there);
}

/* It comes from elsewhere than PPP's address: shown, but not handed over. */
static void
a_real_one_proves_its_way(void **state)
{
	char port[8];
	char *words[] = { (char[]){ "127.0.0.1" }, port, (char[]){ "0" },
	    (char[]){ "" }, (char[]){ "" }, (char[]){ "lo" } };
	int there = listener(port, true);
	pid_t pid;

	(void)state;
	if (os_bind_interface(there, "lo") == -1) {
		close(there);
		skip();		/* not here, or not as this user */
	}
	pid = start(words, DIALER_WORDS, call(false, true), NULL);
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.fd, -1);
	assert_non_null(strstr(w.unproven, "it comes from 127.0.0.1"));
	assert_int_equal(status_of(pid), 0);
	close(there);
}

/* Its asker goes, or says a word: either is its end, at once. */
static void
a_real_one_is_left(void **state)
{
	/* A name server that says nothing. */
	char port[8], servers[32];
	char *words[] = { (char[]){ "mute.test" }, (char[]){ "22" },
	    (char[]){ "0" }, servers, (char[]){ "" }, (char[]){ "" } };
	int there = listener(port, true), own;
	pid_t pid;

	(void)state;
	snprintf(servers, sizeof(servers), "127.0.0.1:%s", port);
	pid = start(words, DIALER_WORDS, 0, &own);
	close(own);
	assert_int_equal(status_of(pid), 1);
	pid = start(words, DIALER_WORDS, 0, &own);
	assert_int_equal(send(own, "x", 1, 0), 1);
	assert_int_equal(status_of(pid), 1);
	close(own);
	close(there);
}

static void
wrong_words(void **state)
{
	static const char *const bad[][DIALER_WORDS] = {
		{ "", "22", "0", "", "", "" },
		{ "h", "", "0", "", "", "" },
		{ "h", "0", "0", "", "", "" },
		{ "h", "-1", "0", "", "", "" },
		{ "h", "65536", "0", "", "", "" },
		{ "h", "22x", "0", "", "", "" },
		{ "h", "22", "", "", "", "" },
		{ "h", "22", "65536", "", "", "" },
	};
	char *words[DIALER_WORDS + 1];
	int own;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (size_t k = 0; k < DIALER_WORDS; k++)
			words[k] = (char *)(uintptr_t)bad[i][k];
		assert_int_equal(status_of(start(words, DIALER_WORDS, 0,
		    &own)), 2);
		close(own);
	}
	words[DIALER_HOST] = (char *)(uintptr_t)"127.0.0.1";
	words[DIALER_SECOND] = (char *)(uintptr_t)"0";
	words[DIALER_WORDS] = words[0];
	assert_int_equal(status_of(start(words, DIALER_WORDS - 1, 0, &own)),
	    2);
	close(own);
	assert_int_equal(status_of(start(words, DIALER_WORDS + 1, 0, &own)),
	    2);
	close(own);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
		T(asked_and_connected),
		T(not_over_ppp),
		T(nobody_answers),
		T(refused_by_the_supervisor),
		T(it_dies),
		T(bad_words),
		T(only_text),
		T(no_descriptor),
		T(given_up),
		T(a_real_one),
		T(a_real_one_is_refused),
		T(a_real_one_proves_its_way),
		T(a_real_one_is_left),
		T(wrong_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
