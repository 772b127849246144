/*
 * console: the process that owns the lines.  It reads them, keeps their
 * histories, has them journalled, decides who types, and serves the ssh
 * process and oobctl over frames.  No network, no SSH.
 */
#ifndef SERVER_CONSOLE_H
#define SERVER_CONSOLE_H

/* fd: socket to the supervisor.  Returns the exit status of the process. */
int console_main(int fd);

#endif
