/*
 * ssh: the ssh process.  It holds the host key and speaks SSH with the world;
 * to the console process it is just another client.
 */
#ifndef SERVER_SSH_H
#define SERVER_SSH_H

#include <stdbool.h>

/*
 * Run as the ssh process until the supervisor says SV_STOP or goes away.
 * fd: the Unix socket to it.  Returns the exit status.
 */
int ssh_main(int fd, bool debug);

#endif
