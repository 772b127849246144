/*
 * usbjob: the job that has the bus reset the modem's USB device.
 */
#ifndef SERVER_USBJOB_H
#define SERVER_USBJOB_H

/*
 * The role "usb"; words: where its tty may be, paths or "usb:" texts.  Of the
 * first that is there; its exit status is that of usbreset.
 */
int usbjob_main(int fd, int argc, char *const argv[]);

#endif
