/*
 * notify: the process that tells people.  It speaks HTTPS and runs programs;
 * a service that hangs delays only it.  It runs once there is a notify
 * section, and sleeps while there is nothing to tell.
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

/* fd: socket to the supervisor.  Returns the exit status of the process. */
int notify_main(int fd);

#endif
