/*
 * modem_session: a dialled connection, from ATD to NO CARRIER: the carrier
 * behind it, the escape to command mode, DTR, and the byte counters.
 */
#ifndef SIM_MODEM_SESSION_H
#define SIM_MODEM_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "modem_carrier.h"
#include "modem_stick.h"

struct session;

struct session_stat {
	const char *state;	/* "none", "dialling", "data", "escaped" */
	uint64_t dials, connects;
	uint64_t up, down;	/* bytes of this connection or the last */
	uint64_t all_up, all_down;	/* ever */
	int64_t seconds;	/* of this connection or the last */
};

/* Never NULL. */
struct session *session_new(struct stick *);
void session_free(struct session *);		/* NULL is fine */

/* Commands, with their results. */
int session_dial(struct session *, struct at *, unsigned context);
int session_resume(struct session *, struct at *);
int session_hangup(struct session *);

/* The connection, or the attempt, ends: with NO CARRIER. */
void session_drop(struct session *);
/* The stick is gone; nothing is said. */
void session_gone(struct session *);
bool session_dialling(const struct session *);
bool session_is_up(const struct session *);

/* Bytes from the caller. */
void session_input(struct session *, const uint8_t *, size_t n);
/* Its port has room. */
void session_more(struct session *);
/* DTR is low, as far as this can be seen. */
void session_dtr_low(struct session *);

/* What the next call finds. */
void session_set_kind(struct session *, enum carrier_kind);
/* Bytes vanish both ways, the connection stays. */
void session_stall(struct session *, bool);
void session_stat(const struct session *, struct session_stat *);
void session_clear_stat(struct session *);

#endif
