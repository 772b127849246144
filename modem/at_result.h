/*
 * at_result: final result codes, told from all other lines.  Pure.
 */
#ifndef MODEM_AT_RESULT_H
#define MODEM_AT_RESULT_H

#include <stdbool.h>

#include "at_queue.h"

/*
 * Is this line a final result?  dial: of ATD, where NO CARRIER, BUSY and
 * CONNECT are; they are no results of other commands.  bare: the command has
 * no information, so "0" and "4" (ATV0) can be nothing else.
 */
bool at_result_parse(const char *line, bool dial, bool bare,
    enum at_result *, int *code);

#endif
