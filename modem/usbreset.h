/*
 * usbreset: reset the USB device that a tty belongs to, as if it had been
 * pulled out and plugged in.  One whole file per system; the Makefile picks.
 */
#ifndef MODEM_USBRESET_H
#define MODEM_USBRESET_H

/*
 * tty: "/dev/ttyUSB0", "/dev/cuaU0.0".  May block for seconds and may replace
 * the process by another program: for a process of its own, with the right to.
 * 0 (it comes back, as whatever it likes), or an exit status:
 * 1 no USB device, 2 not allowed, 3 the system refused.
 */
int usbreset(const char *tty);

/* What such a status means and what would help. */
const char *usbreset_text(int status);

#endif
