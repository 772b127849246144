/*
 * ssh_hook: what libssh tells nobody but its log.
 *
 * A server cannot see two things through the library's interface, only in its
 * log lines at packet level: the name of a channel request that it does not
 * know (we need "break", RFC 4335), and how long the packets are into which
 * it cuts what we write (a client that asks for packets of 10 bytes makes
 * libssh 0.10 loop for ever).  The text of those two lines is the same in
 * 0.10, 0.11 and 0.12.  All other log lines end here: they hold text that the
 * peer chose.
 */
#ifndef SERVER_SSH_HOOK_H
#define SERVER_SSH_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include <libssh/libssh.h>

/* Once, before any session exists. */
void ssh_hook_start(void);

/*
 * From the message callback, for a request of unknown type: was it "break"?
 * Forgets the answer.
 */
bool ssh_hook_was_break(void);

/* Packets shorter than this serve nobody but an attacker. */
#define SSH_HOOK_PACKET_MIN 64

/*
 * Write to the channel, stream 1 or 2.  Returns bytes taken (0: not now), -1
 * on an error, -2 when the channel's packets are absurdly short: the session
 * must then be ended without a further write.  *fits belongs to the channel
 * and begins as 0: what is known to fit into one of its packets.
 */
int ssh_hook_write(ssh_channel, int stream, const void *, uint32_t n,
    uint32_t *fits);

/*
 * Making log lines costs more than deciphering a key press.  Between quiet
 * and loud there are none; when what waits in the socket, read to the last
 * packet's end before, is shorter than SSH_HOOK_BREAK_MIN, no break request
 * can be in it: 19 bytes of payload padded to 24, 4 of length, 16 of tag.
 */
#define SSH_HOOK_BREAK_MIN 44
void ssh_hook_quiet(void);
void ssh_hook_loud(void);

#endif
