#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <libssh/callbacks.h>

#include "ssh_hook.h"

#define BREAK_LINE "Received a break channel_request for channel ("
#define WROTE_LINE "ssh_channel_write wrote "

/* libssh's log callback is one per thread, and so is this. */
static struct {
	bool was_break;
	bool guarding;		/* jump is good: a write is under way */
	uint32_t expect;	/* bytes that fit into one sane packet */
	uint32_t longest;	/* packet of this write */
	sigjmp_buf jump;
} hook;

static bool
starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/*
 * The packet has left libssh's hands when this line is logged, and nothing is
 * locked: leaving the write from here loses only the rest of the write.
 */
static void
check_packet(const char *length)
{
	long n = strtol(length, NULL, 10);

	if (!hook.guarding)
		return;
	if (n > (long)hook.longest)
		hook.longest = (uint32_t)n;
	if (n >= SSH_HOOK_PACKET_MIN || n >= (long)hook.expect) {
		hook.expect -= n < (long)hook.expect ? (uint32_t)n :
		    hook.expect;
		return;
	}
	hook.guarding = false;
	siglongjmp(hook.jump, 1);
}

static void
on_log(int priority, const char *function, const char *line, void *arg)
{
	size_t n = strlen(function);

	(void)priority;
	(void)arg;
	/* libssh passes "function: text". */
	if (strncmp(line, function, n) != 0 || line[n] != ':' ||
	    line[n + 1] != ' ')
		return;
	line += n + 2;
	if (starts_with(line, WROTE_LINE))
		check_packet(line + strlen(WROTE_LINE));
	else if (starts_with(line, "Received a "))
		hook.was_break = starts_with(line, BREAK_LINE);
}

void
ssh_hook_start(void)
{
	ssh_set_log_callback(on_log);
	ssh_set_log_level(SSH_LOG_PACKET);
}

bool
ssh_hook_was_break(void)
{
	bool was = hook.was_break;

	hook.was_break = false;
	return was;
}

void
ssh_hook_quiet(void)
{
	ssh_set_log_level(SSH_LOG_NOLOG);
}

void
ssh_hook_loud(void)
{
	ssh_set_log_level(SSH_LOG_PACKET);
}

static int
plain_write(ssh_channel channel, int stream, const void *p, uint32_t n)
{
	return stream == 2 ? ssh_channel_write_stderr(channel, p, n) :
	    ssh_channel_write(channel, p, n);
}

/* In one packet, or not at all. */
static int
quiet_write(ssh_channel channel, int stream, const void *p, uint32_t n)
{
	int r;

	ssh_hook_quiet();
	r = plain_write(channel, stream, p, n);
	ssh_hook_loud();
	return r < 0 ? -1 : r;
}

int
ssh_hook_write(ssh_channel channel, int stream, const void *p, uint32_t n,
    uint32_t *fits)
{
	uint32_t window = ssh_channel_window_size(channel);
	int r;

	if (n <= *fits)
		return quiet_write(channel, stream, p, n);
	hook.expect = n < window ? n : window;
	hook.longest = 0;
	if (sigsetjmp(hook.jump, 0) != 0)
		return -2;
	hook.guarding = true;
	r = plain_write(channel, stream, p, n);
	hook.guarding = false;
	if (hook.longest > *fits)
		*fits = hook.longest;
	return r < 0 ? -1 : r;
}
