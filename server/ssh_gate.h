/*
 * ssh_gate: the ssh process's questions to the gate (gate.h), GATES_MAX at a
 * time, the others wait.  A "no" comes a second after the question at the
 * earliest, whatever was wrong.  Once SSH_GATE_WRONG wrong ones came for a
 * name within an hour each further answer for it takes SSH_GATE_SLOW_MS,
 * which keeps guessing slow and locks nobody out.  Names that are nobody's
 * are treated alike: the pace does not tell who is there.
 *
 * Memory: per question, which the caller bounds, one entry, and what was typed
 * in four pages (secret.h); names are counted in 1024 places by a keyed hash,
 * which two may share.
 */
#ifndef SERVER_SSH_GATE_H
#define SERVER_SSH_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/link.h"
#include "base/loop.h"

#define SSH_GATE_WRONG 5
#define SSH_GATE_SLOW_MS 10000
#define SSH_GATE_LEAST_MS 1000

struct ssh_gate;

struct ssh_gate_question {
	const char *user;	/* "": nobody; it is asked all the same */
	const char *name;	/* whom it is for, as it was typed */
	const char *password;	/* NULL: only the code */
	const char *code;
};

/* why: for the log only, valid during the call. */
typedef void ssh_gate_fn(void *arg, bool yes, const char *why);

/* Never NULL. */
struct ssh_gate *ssh_gate_new(struct loop *);
void ssh_gate_free(struct ssh_gate *);		/* forgets all; NULL is fine */
/* To the supervisor; it outlives the gate. */
void ssh_gate_link(struct ssh_gate *, struct link *up);

/*
 * Ask; everything is copied, and wiped when it was said.  fn is called once,
 * from the loop, unless ssh_gate_cancel was.  Returns an id, not 0.
 */
uint32_t ssh_gate_ask(struct ssh_gate *, const struct ssh_gate_question *,
    ssh_gate_fn *fn, void *arg);
void ssh_gate_cancel(struct ssh_gate *, uint32_t id);

/* The supervisor's answer: fd, taken over, leads to the gate; -1: none. */
void ssh_gate_take(struct ssh_gate *, uint32_t id, int fd);

#endif
