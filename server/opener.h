/*
 * opener: the role that opens, locks and configures one device, passes it to
 * the supervisor and exits.  Opening a device may hang in the kernel; then
 * only this process hangs, and the supervisor kills it.
 */
#ifndef SERVER_OPENER_H
#define SERVER_OPENER_H

/*
 * fd: socket to the supervisor.  Words: DEVICE SPEED MODE FLOW [modem].  One
 * frame goes back: SV_TTY with the descriptor, or SV_TTY_FAILED.  Returns the
 * exit status of the process.
 */
int opener_main(int fd, int argc, char *const argv[]);

#endif
