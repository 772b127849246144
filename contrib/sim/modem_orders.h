/*
 * modem_orders: what a running stick can be told through its control socket.
 */
#ifndef SIM_MODEM_ORDERS_H
#define SIM_MODEM_ORDERS_H

#include <stdio.h>

#include "modem_stick.h"

/* A control_fn; arg is a struct stick. */
void orders_run(void *arg, char *line, char *reply, size_t size);
/* One line each. */
void orders_usage(FILE *);

#endif
