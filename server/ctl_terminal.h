/*
 * ctl_terminal: the terminal oobctl runs in: raw while a session has it, and
 * as it was before on every way out, signals included.
 */
#ifndef SERVER_CTL_TERMINAL_H
#define SERVER_CTL_TERMINAL_H

#include <stdbool.h>

/* Standard input and output are one terminal that can be made raw. */
bool terminal_is_there(void);

/* Raw from now on; restored at exit, and by signals that end us.  0 or -1. */
int terminal_raw(void);
void terminal_restore(void);

/* 0, 0 when unknown. */
void terminal_size(unsigned *columns, unsigned *rows);

#endif
