/*
 * ssh_gate: the ssh process's questions to the gate (gate.h), the others wait
 * while GATES_MAX of what was typed are at work, and as many of what only a
 * key has signed: somebody who guesses does not keep them waiting.
 *
 * Of what was typed a "no" comes a second after the question at the earliest,
 * whatever was wrong.  Once SSH_GATE_WRONG wrong ones came for a
 * name within an hour each further answer for it takes SSH_GATE_SLOW_MS,
 * which keeps guessing slow and locks nobody out.  Names that are nobody's
 * are treated alike: the pace does not tell who is there.
 *
 * Memory: per question, which the caller bounds, one entry, the signature with
 * what was signed, 60 kB at most, and what was typed in four pages (secret.h);
 * names are counted in 1024 places by a keyed hash, which two may share.
 */
#ifndef SERVER_SSH_GATE_H
#define SERVER_SSH_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/link.h"
#include "base/loop.h"
#include "ssh_proof.h"

#define SSH_GATE_WRONG 5
#define SSH_GATE_SLOW_MS 10000
#define SSH_GATE_LEAST_MS 1000

struct ssh_gate;

struct ssh_gate_question {
	const char *user;	/* "": nobody; it is asked all the same */
	const char *name;	/* whom it is for, as it was typed */
	const char *from;	/* address as text, or "" */
	const char *password;	/* NULL: only the code */
	const char *code;	/* NULL: nothing was typed, a key alone */
	const struct ssh_proof *proof;	/* of the key; NULL: there is none */
};

/* All of it valid during the call. */
struct ssh_gate_verdict {
	bool yes;
	const char *why;	/* for the log only: why not, or which code */
	const char *voucher;	/* auth/voucher.h; "": there are none */
};

typedef void ssh_gate_fn(void *arg, const struct ssh_gate_verdict *);

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
void ssh_gate_take(struct ssh_gate *, uint32_t request, int fd);

#endif
