/*
 * sender: who a message says it is from, against the list of those who may
 * ask.  A number matches only as a whole, and only when the network says that
 * it is an international one: a name, a short code or a national number that
 * looks alike is a stranger.  A match proves nothing (anybody can send under
 * any number): it only spares strangers' messages further thought.  Pure.
 */
#ifndef MODEM_SENDER_H
#define MODEM_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "+" and 7 to 15 digits, the first of them not 0. */
bool sender_is_e164(const char *);

/*
 * Index of the number in the list of E.164 numbers, -1: not there.  toa: type
 * of address; text as in pdu.h, with its "+".
 */
int sender_find(const char *const *list, size_t n, uint8_t toa,
    const char *text);

#endif
