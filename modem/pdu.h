/*
 * pdu: the codec of short messages, 3GPP TS 23.040: SMS-DELIVER, SMS-SUBMIT
 * and SMS-STATUS-REPORT as a modem gives and takes them in PDU mode, that is
 * with the address of the SMS centre in front.  Pure: bytes in, struct out.
 *
 * What is not understood is told apart from what is broken.  Broken is what
 * does not fit its own lengths, an address or user data longer than the
 * standard allows, odd UCS-2, the reserved message type: pdu_decode refuses.
 * Everything else is accepted as the standard says it shall be: reserved
 * coding schemes are the default alphabet, digits of a time stamp that are
 * none count as 0, a user data header whose elements do not fit it is
 * ignored as a whole, unknown elements are skipped, octets after the end of
 * the message as well (modems pad).
 */
#ifndef MODEM_PDU_H
#define MODEM_PDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "charset.h"

#define PDU_MAX 190		/* octets, SMS centre included */
#define PDU_HEX (2 * PDU_MAX + 1)
#define PDU_DATA 140		/* octets of user data */
#define PDU_SEPTETS 160
#define PDU_TEXT CHARSET_GSM_TEXT(PDU_SEPTETS)
#define PDU_ADDR 40		/* text of an address and NUL */
#define PDU_TIME 32

enum pdu_type {
	PDU_DELIVER,
	PDU_SUBMIT,
	PDU_STATUS_REPORT,
};

enum pdu_alphabet {
	PDU_GSM7,
	PDU_8BIT,
	PDU_UCS2,
};

/* Type of number: bits 6 to 4 of the type of address. */
#define PDU_TON(toa) ((toa) >> 4 & 7)
#define PDU_TON_INTERNATIONAL 1
#define PDU_TON_ALPHANUMERIC 5

/*
 * Text: "+436601234567" for an international number, the digits (0-9 * # a b
 * c) for any other, the name for an alphanumeric one; "" for none.  Compare
 * toa, too: a name may consist of digits.
 */
struct pdu_addr {
	uint8_t toa;
	char text[PDU_ADDR];
};

struct pdu_time {
	bool valid;		/* a day and time that exist */
	int year, month, day, hour, minute, second;
	int quarters;		/* zone: quarters of an hour east of UTC */
	uint8_t octets[7];	/* as received */
};

enum pdu_vp {
	PDU_VP_NONE,
	PDU_VP_ENHANCED,
	PDU_VP_RELATIVE,
	PDU_VP_ABSOLUTE,
};

/* Part seq of total; ok: what the elements said makes sense (1..total). */
struct pdu_concat {
	bool present, ok;
	unsigned ref, total, seq;
	unsigned ref_bits;	/* 8 or 16 */
};

struct pdu_ports {
	bool present;
	unsigned dst, src;
};

struct pdu {
	enum pdu_type type;
	bool has_smsc;
	struct pdu_addr smsc;
	struct pdu_addr addr;	/* sender of a DELIVER, else recipient */
	uint8_t first;		/* first octet; pdu_encode takes only the
				 * bits that no other field tells */
	size_t tpdu_len;	/* octets without the SMS centre: +CMGS=n */

	/* SUBMIT and STATUS-REPORT. */
	uint8_t mr;
	/* DELIVER and STATUS-REPORT; discharge and status only in the latter. */
	struct pdu_time scts, discharge;
	uint8_t status;
	/* SUBMIT.  Relative and enhanced in seconds, absolute as a time. */
	enum pdu_vp vp;
	bool vp_known;		/* false: an enhanced one not understood */
	uint32_t vp_seconds;
	struct pdu_time vp_time;

	/* A STATUS-REPORT may have none of these. */
	bool has_pid, has_dcs, has_data;
	uint8_t pid, dcs;
	enum pdu_alphabet alphabet;
	bool compressed;	/* then there is no text */
	int msg_class;		/* 0..3, -1: none */

	/* User data header: its elements, without the length octet. */
	size_t udh_len;		/* 0: none */
	uint8_t udh[PDU_DATA];
	bool udh_broken;	/* ignored: its elements did not fit */
	struct pdu_concat concat;
	struct pdu_ports ports;
	uint8_t national_single, national_locking;	/* 0: default tables */

	/* The rest: septets one to a byte (not when compressed), or octets. */
	size_t data_len;
	uint8_t data[PDU_SEPTETS];
	/* UTF-8, for GSM7 and UCS2; may hold NUL.  Nothing for others. */
	bool has_text, dangling_escape;
	size_t text_len;
	char text[PDU_TEXT];
};

/* One information element. */
struct pdu_ie {
	uint8_t id, len;
	const uint8_t *data;
};

/*
 * Hexadecimal digits, nothing else, as octets.  Returns how many, or -1 with
 * *why: a phrase, static.
 */
int pdu_from_hex(uint8_t *dst, size_t size, const char *hex, size_t n,
    const char **why);

/* n octets as upper case digits and NUL: 2 * n + 1 bytes of dst.  Returns dst. */
char *pdu_to_hex(char *dst, const uint8_t *p, size_t n);

/* 0, or -1 with *why (static) and *m undefined. */
int pdu_decode(struct pdu *m, const uint8_t *p, size_t n, const char **why);
int pdu_decode_hex(struct pdu *m, const char *hex, size_t n,
    const char **why);

/*
 * The octets of a message: type, addresses, first (reject duplicates, status
 * report, reply path, more messages), times, vp, pid, dcs, udh and data
 * (septets when dcs says so) count; text, alphabet, concat and the like do
 * not.  tpdu_len is set.  Returns how many octets, or -1 with *why.
 */
int pdu_encode(struct pdu *m, uint8_t *dst, size_t size, const char **why);

/* Sets alphabet, compressed and msg_class from dcs. */
void pdu_apply_dcs(struct pdu *m);

/*
 * "+436601234567", "0660", "*100#" as an address.  0, or -1 when it has no
 * digits, more than 20, or other characters.
 */
int pdu_number(struct pdu_addr *, const char *text);

/* Of udh, beginning with *at = 0.  False at the end. */
bool pdu_ie_next(const struct pdu *m, size_t *at, struct pdu_ie *ie);

/*
 * Read udh into concat, ports and national_*; when its elements do not fit
 * it, udh_broken is set and udh_len becomes 0.
 */
void pdu_read_udh(struct pdu *m);

/* "2026-08-24T03:17:42+02:00"; dst of PDU_TIME bytes.  Returns dst. */
char *pdu_time_text(char dst[PDU_TIME], const struct pdu_time *);

/* Seconds since the epoch; only of a valid one. */
int64_t pdu_time_utc(const struct pdu_time *);

/* "DELIVER", "gsm7". */
const char *pdu_type_text(enum pdu_type);
const char *pdu_alphabet_text(enum pdu_alphabet);

#endif
