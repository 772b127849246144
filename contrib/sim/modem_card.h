/*
 * modem_card: the SIM card: is it there, is it unlocked, how many tries are
 * left.  Pure.
 */
#ifndef SIM_MODEM_CARD_H
#define SIM_MODEM_CARD_H

#include <stdbool.h>

#define CARD_ICCID "8943011234567890123"
#define CARD_IMSI "232011234567890"
#define CARD_TRIES 3
#define CARD_PUK_TRIES 10

enum card_state {
	CARD_READY,
	CARD_PIN,		/* wants its PIN */
	CARD_PUK,		/* three wrong ones: wants its PUK */
	CARD_BLOCKED,		/* ten wrong ones: no use any more */
	CARD_BUSY,		/* not read yet */
	CARD_OUT,
};

struct card;

/* pin NULL: it does not ask for one.  Never NULL. */
struct card *card_new(const char *pin, const char *puk);
void card_free(struct card *);			/* NULL is fine */

enum card_state card_state(const struct card *);
/* As +CPIN? says it; NULL when that is an error. */
const char *card_state_text(const struct card *);
/* The CME error that keeps a command from running; 0: none does. */
int card_error(const struct card *);

unsigned card_tries(const struct card *);
unsigned card_puk_tries(const struct card *);
void card_set_tries(struct card *, unsigned pin, unsigned puk);

/* 0, or -1 and a try less.  A right one gives all tries back. */
int card_unlock(struct card *, const char *pin);
int card_unblock(struct card *, const char *puk, const char *new_pin);
/* The same, and from now on another PIN, or (not) asked for. */
int card_change(struct card *, const char *pin, const char *new_pin);
int card_ask(struct card *, const char *pin, bool ask);
bool card_asks(const struct card *);

/* Its owner set it up anew: this PIN, or NULL for none; all tries. */
void card_set(struct card *, const char *pin);
void card_insert(struct card *, bool in);
void card_busy(struct card *, bool busy);
/* The power went and came: it is locked again. */
void card_power(struct card *);

#endif
