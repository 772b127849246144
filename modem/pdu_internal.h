/*
 * pdu_internal: what the parts of the PDU codec share.
 */
#ifndef MODEM_PDU_INTERNAL_H
#define MODEM_PDU_INTERNAL_H

#include "pdu.h"

/* First octet: message type, then one bit each. */
#define FO_MTI 0x03
#define FO_MTI_DELIVER 0x00
#define FO_MTI_SUBMIT 0x01
#define FO_MTI_STATUS_REPORT 0x02
#define FO_VPF 0x18
#define FO_UDHI 0x40

#define DIGITS_MAX 20
#define SMSC_MAX 11		/* type of address and 10 octets */

/* TP-PI of a status report: what follows. */
#define PI_PID 0x01
#define PI_DCS 0x02
#define PI_UDL 0x04
#define PI_MORE 0x80

#define SEMI_DIGITS "0123456789*#abc"

/* Enhanced validity period: the format is in the low bits. */
#define VP_MORE 0x80
#define VP_FORMAT 0x07
#define VP_FORMAT_RELATIVE 1
#define VP_FORMAT_SECONDS 2
#define VP_FORMAT_HMS 3
#define VP_ENHANCED_OCTETS 7

/* How many septets, or octets, of user data the header takes. */
size_t pdu_header_septets(size_t udh_len);

/* Seven octets as a time stamp, and back from the other fields. */
void pdu_time_read(struct pdu_time *, const uint8_t *p);
void pdu_time_write(uint8_t *dst, const struct pdu_time *);

/* A relative validity period. */
uint32_t pdu_vp_seconds(uint8_t vp);
uint8_t pdu_vp_octet(uint32_t seconds);	/* rounded up; 255 at most */

#endif
