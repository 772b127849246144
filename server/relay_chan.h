/*
 * relay_chan: one channel of a relay's connection, joined to a socket of ours:
 * what comes from the relay goes to the socket and the other way round, with
 * back-pressure and end of file both ways.
 *
 * libssh's callbacks only take notes and move bytes to the socket; everything
 * else is done in relay_chan_run, once per turn of the loop.
 *
 * Memory per channel: while it waits for room in our server, 16 KiB, beyond
 * which it ends; then what the socket has not taken yet, at most
 * SSH_CHAN_INPUT_MAX here and as much in libssh (its window is 1.28 MB); what
 * the relay has not taken yet, at most RELAY_CHAN_OUT_MAX.
 */
#ifndef SERVER_RELAY_CHAN_H
#define SERVER_RELAY_CHAN_H

#include <stdbool.h>

#include <libssh/libssh.h>

#include "relay_internal.h"

#define RELAY_CHAN_OUT_MAX 16384

/*
 * Never NULL.  The channel is taken over.  peer: who is at the other end,
 * copied; it is joined to our own SSH server as soon as there is room.
 * peer NULL: relay_chan_join gives it a socket.
 */
struct relay_chan *relay_chan_new(struct relay *, ssh_channel,
    const char *peer, unsigned port);
/* release: give the channel back to libssh, too. */
void relay_chan_free(struct relay_chan *, bool release);

void relay_chan_join(struct relay_chan *, int fd);	/* fd is taken over */
void relay_chan_run(struct relay_chan *);
bool relay_chan_wants_out(const struct relay_chan *);
/* Both sides have closed it. */
bool relay_chan_is_over(const struct relay_chan *);
/* The relay has closed it, or our side is done with it. */
bool relay_chan_is_ending(const struct relay_chan *);

#endif
