/*
 * modem: the process that holds the link to the outside: when it is up, for
 * whom and until when.  It may block in the kernel when a device misbehaves;
 * nobody waits for it.
 */
#ifndef SERVER_MODEM_H
#define SERVER_MODEM_H

/* fd: socket to the supervisor.  Returns the exit status of the process. */
int modem_main(int fd);

#endif
