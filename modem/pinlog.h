/*
 * pinlog: which PIN was tried on which SIM, kept on disk so that no restart
 * and no power cut ever costs a second attempt.  An attempt is written (and
 * synced) before the PIN goes out and struck off when the SIM took it.
 *
 * The file (mode 0600) is text: "oobd-pin 1", then per SIM "SIM SALT SUM".
 * SUM tells whether the PIN has been changed since; it keeps no secret that
 * the file's mode does not keep.  At most PINLOG_MAX SIMs; then the oldest
 * entry makes room.
 */
#ifndef MODEM_PINLOG_H
#define MODEM_PINLOG_H

#define PINLOG_MAX 16

enum pinlog_answer {
	PINLOG_FRESH,		/* this PIN was not tried on this SIM */
	PINLOG_TRIED,		/* it was, without known success */
	PINLOG_BROKEN,		/* the file cannot be read: do not try */
};

/* sim: its ICCID, or another word without blanks; NULL: any there is. */
enum pinlog_answer pinlog_look(const char *path, const char *sim,
    const char *pin);

/* About to try.  0, or -1 with errno: then it must not be tried. */
int pinlog_begin(const char *path, const char *sim, const char *pin);

/* It was taken, or a human says to forget; NULL: all.  0 or -1 with errno. */
int pinlog_clear(const char *path, const char *sim);

#endif
