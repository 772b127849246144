/*
 * ctl_terminal: oobctl's own terminal.  Raw while a session needs it, and
 * restored whatever happens: normal end, exit, a signal, a crash.
 */
#ifndef SERVER_CTL_TERMINAL_H
#define SERVER_CTL_TERMINAL_H

#include <stdbool.h>

/* Are standard input and output both terminals? */
bool ctl_terminal_is_one(void);

/* Its size; 0 and 0 when it is not known. */
void ctl_terminal_size(unsigned *columns, unsigned *rows);

/* Raw mode, 8-bit clean.  0, or -1 with errno.  Once per process. */
int ctl_terminal_raw(void);

/* As it was; safe in a signal handler, harmless when it is not raw. */
void ctl_terminal_restore(void);

/* Stop like any job that gets SIGTSTP, and be raw again afterwards. */
void ctl_terminal_suspend(void);

#endif
