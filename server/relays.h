/*
 * relays: all ways in through relays, as the configuration names them.  They
 * follow what the modem process says about the link, tell it and the console
 * process what became of them, and answer the verbs relay and ssh-config.
 */
#ifndef SERVER_RELAYS_H
#define SERVER_RELAYS_H

#include <stdbool.h>

#include "base/loop.h"
#include "config.h"
#include "feed.h"
#include "keyring.h"
#include "ssh_conn.h"

struct relay_calls;
struct relays;

/*
 * Never NULL; loop and feed outlive it.  relays_serve says who serves the
 * connections, before the first relays_configure: it runs after the relays in
 * each turn of the loop, so it is made after them.
 */
struct relays *relays_new(struct loop *, struct feed *);
void relays_serve(struct relays *, struct ssh_conns *);
/* How they are connected to; before the first relays_configure, too. */
void relays_calls(struct relays *, struct relay_calls *);
/*
 * Identities are in keys; want has the one of a path put there, which
 * relays_key_came says.  Without this they are read.
 */
void relays_keys(struct relays *, const struct keyring *keys,
    void (*want)(void *arg, const char *path), void *arg);
void relays_key_came(struct relays *, const char *path);
void relays_free(struct relays *);

/*
 * The configuration from now on, which need not live longer than this call,
 * and our own host key (base64 of the blob).  Whoever waits to try again tries
 * at once.
 */
void relays_configure(struct relays *, const struct config *,
    const char *host_key);

/* The socket to the modem process; taken over. */
void relays_link(struct relays *, int fd);

/* A verb for us; one that is given up. */
void relays_task(struct relays *, const struct feed_task *);
void relays_task_gone(struct relays *, uint32_t id);

/* Take leave of everybody who came through one; then they are gone. */
void relays_stop(struct relays *);
bool relays_are_gone(const struct relays *);

#endif
