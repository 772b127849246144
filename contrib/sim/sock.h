/*
 * sock: Unix stream sockets by path, for the simulators.
 */
#ifndef SIM_SOCK_H
#define SIM_SOCK_H

/*
 * Listen at path, mode 0600, in place of a dead socket there; the caller
 * closes and unlinks.  -1 with errno; EADDRINUSE when somebody listens.
 */
int sock_listen(const char *path);
/* Connected, blocking.  -1 with errno. */
int sock_connect(const char *path);

#endif
