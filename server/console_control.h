/*
 * console_control: the control socket, where oobctl comes.  Its mode decides
 * who may; whose uid it is the kernel says, and what he is called the
 * supervisor (UP_NAME), as this process opens no file of the system's.  Until
 * it answered, which is at once, nothing is read from him.
 */
#ifndef SERVER_CONSOLE_CONTROL_H
#define SERVER_CONSOLE_CONTROL_H

#include <stdint.h>

struct console;
struct control;

#define CONTROL_WAITING 16	/* that have no name yet; others wait outside */

/* fd: the listening socket, which it takes over.  The caller frees. */
struct control *control_new(struct console *, int fd);
void control_free(struct control *);	/* NULL: nothing */

/* SV_NAME.  0, or -1: it was not asked for. */
int control_named(struct control *, uint32_t request, const char *name);

#endif
