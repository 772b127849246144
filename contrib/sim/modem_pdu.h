/*
 * modem_pdu: just as much of 3GPP TS 23.040 as the simulator needs: to make
 * a DELIVER of a text, and to show what a SUBMIT says.  It is no relative of
 * the daemon's codec, so that neither can hide the other's mistakes.  Pure.
 */
#ifndef SIM_MODEM_PDU_H
#define SIM_MODEM_PDU_H

#include <stddef.h>
#include <stdint.h>

#define PDU_HEX 384		/* hex digits of a PDU and NUL */
#define PDU_PARTS 8		/* most parts of a long text */
#define PDU_SHOWN 1024

enum pdu_kind {
	PDU_DELIVER,
	PDU_SUBMIT,
	PDU_REPORT,
	PDU_OTHER,
};

/*
 * Whole octets in hex with an SMS centre's address in front, at most
 * PDU_HEX - 1 digits.  *tpdu, may be NULL, gets the octets without that
 * address.  0 or -1.
 */
int pdu_check(const char *hex, size_t *tpdu);

/*
 * What it is, of the network's: *tpdu must have been found by pdu_check.
 */
enum pdu_kind pdu_kind(const char *hex);

/*
 * DELIVERs from sender ("+43...", digits, or a name) with UTF-8 text, as
 * many as it takes: their number, 0 when it is too long or no UTF-8, or the
 * sender is empty or longer than 20 digits or 11 letters.  ref tells long
 * texts apart.
 */
size_t pdu_deliver(char out[PDU_PARTS][PDU_HEX], const char *sender,
    const char *text, int64_t utc, unsigned ref);

/*
 * "+4366...: text" of a SUBMIT, in UTF-8, or why that cannot be shown.
 * Returns dst.
 */
char *pdu_show(char dst[PDU_SHOWN], const char *hex);

#endif
