/*
 * router_shell: the simulated box's shell: line editing with echo, and one
 * command at a time.
 */
#ifndef SIM_ROUTER_SHELL_H
#define SIM_ROUTER_SHELL_H

#include "router_job.h"

struct shell;

/* Why a shell ended. */
enum shell_end {
	SHELL_EXIT,
	SHELL_REBOOT,
	SHELL_PANIC,
};

/* facts must outlive it.  ended: called once per shell_start. */
struct shell *shell_new(struct loop *, struct wire *,
    const struct box_facts *facts, void (*ended)(void *arg, enum shell_end),
    void *arg);
void shell_free(struct shell *);		/* NULL is fine */

/* Message of the day and a prompt. */
void shell_start(struct shell *);
/* Stop at once, as when the box goes down; ended is not called. */
void shell_kill(struct shell *);

void shell_input(struct shell *, uint8_t);
/* The wire has room. */
void shell_more(struct shell *);
/* Something else was printed: show the prompt and what is typed again. */
void shell_redraw(struct shell *);

#endif
