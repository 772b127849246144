/*
 * ssh_chan: one SSH session channel and the struct session behind it.
 *
 * libssh's callbacks only take notes; everything is done in ssh_chan_run,
 * which the connection calls once per turn of the loop, outside of libssh.
 *
 * Memory that a client can make us hold per channel: input that the line has
 * not taken yet, at most SSH_CHAN_INPUT_MAX here and as much in libssh (its
 * window is 1.28 MB).  Output is never queued: it is taken from the console's
 * ring when the socket takes it.
 */
#ifndef SERVER_SSH_CHAN_H
#define SERVER_SSH_CHAN_H

#include <stdbool.h>

#include <libssh/libssh.h>

#include "base/buf.h"
#include "ssh_conn.h"

struct ssh_chan;

#define SSH_CHAN_INPUT_MAX (1400 * 1024)
#define SSH_CHAN_COMMAND_MAX 4096	/* bytes of an exec request */

/* A channel of the session, NULL when libssh has no memory. */
struct ssh_chan *ssh_chan_new(struct ssh_conn *, ssh_session);
ssh_channel ssh_chan_channel(const struct ssh_chan *);

/*
 * Detach the session behind it and forget the channel.  release: give the
 * channel back to libssh, too; only when both sides have closed it.
 */
void ssh_chan_free(struct ssh_chan *, bool release);

/* Do what is to be done. */
void ssh_chan_run(struct ssh_chan *);

/* It could have written more had the socket taken it, or its share not been
   used up. */
bool ssh_chan_wants_out(const struct ssh_chan *);

/* End it: show text ("[oobd: text]"), then exit with status. */
void ssh_chan_end(struct ssh_chan *, const char *text, int status);

/* Our side has closed it; both sides have. */
bool ssh_chan_is_closed(const struct ssh_chan *);
bool ssh_chan_is_over(const struct ssh_chan *);

/* Something came from the client. */
void ssh_chan_heard(struct ssh_chan *);
/* The connection ended under it; silent: it was dead before. */
void ssh_chan_lost(struct ssh_chan *, bool silent);

/* A BREAK request came. */
void ssh_chan_break(struct ssh_chan *);

/*
 * Fetch what libssh still holds of a channel (*left bytes, at least those)
 * into in, all at once and only when that is empty: each time something is
 * read the window is opened again by up to its full size, whatever is left in
 * the buffer, which must therefore be nothing.
 */
void ssh_chan_fetch(ssh_channel, size_t *left, struct buf *in);

#endif
