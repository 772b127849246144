#include <string.h>

#include "pdu_internal.h"

/* Octets not read yet.  After a refusal why is set, and all reads give 0. */
struct in {
	const uint8_t *p;
	size_t left;
	const char *why;
};

static const uint8_t none[PDU_MAX];

static void
refuse(struct in *in, const char *why)
{
	if (in->why == NULL)
		in->why = why;
	in->left = 0;
}

/* The next n (at most PDU_MAX) octets; zeros when they are not there. */
static const uint8_t *
take(struct in *in, size_t n, const char *why)
{
	const uint8_t *p = in->p;

	if (in->why != NULL || n > in->left) {
		refuse(in, why);
		return none;
	}
	in->p += n;
	in->left -= n;
	return p;
}

static uint8_t
octet(struct in *in, const char *why)
{
	return *take(in, 1, why);
}

/*
 * Addresses
 */

/* n semi-octets as digits; a fill ends them. */
static void
read_digits(struct pdu_addr *a, const uint8_t *p, size_t n)
{
	size_t len = 0;

	if (PDU_TON(a->toa) == PDU_TON_INTERNATIONAL)
		a->text[len++] = '+';
	for (size_t i = 0; i < n; i++) {
		unsigned v = i % 2 == 0 ? p[i / 2] & 15 : p[i / 2] >> 4;

		if (v == 15)
			break;
		a->text[len++] = SEMI_DIGITS[v];
	}
	a->text[len] = '\0';
	if (strcmp(a->text, "+") == 0)
		a->text[0] = '\0';
}

/* n semi-octets hold as many whole septets as fit. */
static void
read_name(struct pdu_addr *a, const uint8_t *p, size_t n)
{
	uint8_t septets[DIGITS_MAX];
	size_t count = n * 4 / 7;

	charset_unpack(septets, count, p, (n + 1) / 2, 0);
	charset_from_gsm(a->text, septets, count, NULL);
}

/* toa and p hold n semi-octets. */
static void
read_address(struct pdu_addr *a, uint8_t toa, const uint8_t *p, size_t n)
{
	a->toa = toa;
	if (PDU_TON(toa) == PDU_TON_ALPHANUMERIC)
		read_name(a, p, n);
	else
		read_digits(a, p, n);
}

static void
read_addr(struct in *in, struct pdu_addr *a)
{
	uint8_t n = octet(in, "cut off in the address");
	uint8_t toa = octet(in, "cut off in the address");
	const uint8_t *p;

	if (n > DIGITS_MAX) {
		refuse(in, "an address of more than 20 digits");
		return;
	}
	p = take(in, (n + 1u) / 2, "cut off in the address");
	read_address(a, toa, p, n);
}

/* Its length counts octets, the type of address included. */
static void
read_smsc(struct in *in, struct pdu *m)
{
	uint8_t n = octet(in, "nothing there");
	const uint8_t *p;

	if (n > SMSC_MAX) {
		refuse(in, "an SMS centre address of more than 20 digits");
		return;
	}
	p = take(in, n, "cut off in the SMS centre address");
	if (n == 0 || in->why != NULL)
		return;
	m->has_smsc = true;
	read_address(&m->smsc, p[0], p + 1, (n - 1u) * 2);
}

static void
read_time(struct in *in, struct pdu_time *t)
{
	pdu_time_read(t, take(in, 7, "cut off in a time stamp"));
}

/*
 * Validity periods
 */
static void
read_enhanced(struct pdu *m, const uint8_t *p)
{
	struct pdu_time hms;
	uint8_t padded[VP_ENHANCED_OCTETS + 3] = { 0 };
	size_t i = 0;

	memcpy(padded, p, VP_ENHANCED_OCTETS);
	while (i < VP_ENHANCED_OCTETS - 1 && (padded[i] & VP_MORE))
		i++;
	m->vp_known = true;
	switch (padded[0] & VP_FORMAT) {
	case VP_FORMAT_RELATIVE:
		m->vp_seconds = pdu_vp_seconds(padded[i + 1]);
		break;
	case VP_FORMAT_SECONDS:
		m->vp_seconds = padded[i + 1];
		break;
	case VP_FORMAT_HMS:
		/* As the hour, minute and second of a time stamp. */
		memset(&hms, 0, sizeof(hms));
		pdu_time_read(&hms, (const uint8_t[7]){ 0, 0, 0,
		    padded[i + 1], padded[i + 2], padded[i + 3], 0 });
		m->vp_seconds = (uint32_t)((hms.hour * 60 + hms.minute) * 60 +
		    hms.second);
		break;
	default:
		m->vp_known = false;
		break;
	}
}

static void
read_vp(struct in *in, struct pdu *m)
{
	static const enum pdu_vp formats[4] = {
		PDU_VP_NONE, PDU_VP_ENHANCED, PDU_VP_RELATIVE, PDU_VP_ABSOLUTE
	};

	m->vp = formats[(m->first & FO_VPF) >> 3];
	switch (m->vp) {
	case PDU_VP_NONE:
		break;
	case PDU_VP_ENHANCED:
		read_enhanced(m, take(in, VP_ENHANCED_OCTETS,
		    "cut off in the validity period"));
		break;
	case PDU_VP_RELATIVE:
		m->vp_seconds = pdu_vp_seconds(octet(in,
		    "cut off in the validity period"));
		break;
	case PDU_VP_ABSOLUTE:
		read_time(in, &m->vp_time);
		break;
	}
}

/*
 * User data
 */

/* The header in front of octets of user data; how many of them it takes. */
static size_t
read_header(struct in *in, struct pdu *m, const uint8_t *p, size_t octets)
{
	if (octets == 0 || p[0] + 1u > octets) {
		refuse(in, "a user data header longer than the user data");
		return 0;
	}
	m->udh_len = p[0];
	memcpy(m->udh, p + 1, m->udh_len);
	pdu_read_udh(m);
	return p[0] + 1u;
}

static void
read_septets(struct in *in, struct pdu *m, unsigned udl)
{
	size_t octets = (udl * 7 + 7) / 8, skip = 0;
	const uint8_t *p;

	if (udl > PDU_SEPTETS) {
		refuse(in, "user data of more than 160 septets");
		return;
	}
	p = take(in, octets, "shorter than its user data length");
	if (in->why != NULL)
		return;
	if (m->first & FO_UDHI) {
		skip = read_header(in, m, p, octets);
		skip = skip == 0 ? 0 : pdu_header_septets(skip - 1);
	}
	if (skip > udl) {
		refuse(in, "a user data header longer than the user data");
		return;
	}
	if (in->why != NULL)
		return;
	m->data_len = udl - skip;
	charset_unpack(m->data, m->data_len, p, octets, skip * 7);
	m->has_text = true;
	m->text_len = charset_from_gsm(m->text, m->data, m->data_len,
	    &m->dangling_escape);
}

static void
read_octets(struct in *in, struct pdu *m, unsigned udl)
{
	size_t skip = 0;
	const uint8_t *p;

	if (udl > PDU_DATA) {
		refuse(in, "user data of more than 140 octets");
		return;
	}
	p = take(in, udl, "shorter than its user data length");
	if (in->why == NULL && (m->first & FO_UDHI))
		skip = read_header(in, m, p, udl);
	if (in->why != NULL)
		return;
	m->data_len = udl - skip;
	memcpy(m->data, p + skip, m->data_len);
	if (m->compressed || m->alphabet != PDU_UCS2)
		return;
	m->has_text = true;
	if (charset_from_ucs2(m->text, m->data, m->data_len,
	    &m->text_len) == -1)
		refuse(in, "UCS-2 text of an odd number of octets");
}

static void
read_data(struct in *in, struct pdu *m)
{
	unsigned udl = octet(in, "cut off before the user data");

	if (in->why != NULL)
		return;
	m->has_data = true;
	if (m->alphabet == PDU_GSM7 && !m->compressed)
		read_septets(in, m, udl);
	else
		read_octets(in, m, udl);
}

static void
read_pid(struct in *in, struct pdu *m)
{
	m->pid = octet(in, "cut off before the protocol identifier");
	m->has_pid = true;
}

static void
read_dcs(struct in *in, struct pdu *m)
{
	m->dcs = octet(in, "cut off before the data coding scheme");
	m->has_dcs = true;
	pdu_apply_dcs(m);
}

/*
 * The three types
 */
static void
read_deliver(struct in *in, struct pdu *m)
{
	read_addr(in, &m->addr);
	read_pid(in, m);
	read_dcs(in, m);
	read_time(in, &m->scts);
	read_data(in, m);
}

static void
read_submit(struct in *in, struct pdu *m)
{
	m->mr = octet(in, "cut off before the message reference");
	read_addr(in, &m->addr);
	read_pid(in, m);
	read_dcs(in, m);
	read_vp(in, m);
	read_data(in, m);
}

/* What may follow; 0xff is the padding of a SIM record. */
static void
read_report_more(struct in *in, struct pdu *m)
{
	static const char cut[] = "cut off in the parameter indicator";
	uint8_t pi, more;

	if (in->left == 0 || in->p[0] == 0xff)
		return;
	pi = more = octet(in, cut);
	while (more & PI_MORE && in->why == NULL)
		more = octet(in, cut);
	if (pi & PI_PID)
		read_pid(in, m);
	if (pi & PI_DCS)
		read_dcs(in, m);
	if (pi & PI_UDL)
		read_data(in, m);
}

static void
read_status_report(struct in *in, struct pdu *m)
{
	m->mr = octet(in, "cut off before the message reference");
	read_addr(in, &m->addr);
	read_time(in, &m->scts);
	read_time(in, &m->discharge);
	m->status = octet(in, "cut off before the status");
	read_report_more(in, m);
}

int
pdu_decode(struct pdu *m, const uint8_t *p, size_t n, const char **why)
{
	static void (*const readers[])(struct in *, struct pdu *) = {
		[FO_MTI_DELIVER] = read_deliver,
		[FO_MTI_SUBMIT] = read_submit,
		[FO_MTI_STATUS_REPORT] = read_status_report,
	};
	static const enum pdu_type types[] = {
		[FO_MTI_DELIVER] = PDU_DELIVER,
		[FO_MTI_SUBMIT] = PDU_SUBMIT,
		[FO_MTI_STATUS_REPORT] = PDU_STATUS_REPORT,
	};
	struct in in = { p, n, NULL };
	size_t before;

	memset(m, 0, sizeof(*m));
	m->msg_class = -1;
	read_smsc(&in, m);
	before = in.left;
	m->first = octet(&in, "ends after the SMS centre address");
	if (in.why == NULL && (m->first & FO_MTI) > FO_MTI_STATUS_REPORT)
		refuse(&in, "of the reserved message type, as in an empty "
		    "store of a SIM");
	if (in.why == NULL) {
		m->type = types[m->first & FO_MTI];
		readers[m->first & FO_MTI](&in, m);
	}
	m->tpdu_len = before - in.left;
	*why = in.why;
	return in.why == NULL ? 0 : -1;
}
