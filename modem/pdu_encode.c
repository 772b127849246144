#include <string.h>

#include "pdu_internal.h"

/* Bits of the first octet that the caller may choose, by type. */
#define KEEP_DELIVER 0xac	/* reply path, report wanted, forwarded, more */
#define KEEP_SUBMIT 0xa4	/* reply path, report wanted, no duplicates */
#define KEEP_REPORT 0x2c

struct out {
	uint8_t *p;
	size_t len, size;
	const char *why;
};

static void
refuse(struct out *o, const char *why)
{
	if (o->why == NULL)
		o->why = why;
}

/* A place for n octets; NULL after a refusal. */
static uint8_t *
place(struct out *o, size_t n)
{
	if (n > o->size - o->len)
		refuse(o, "no room for it");
	if (o->why != NULL)
		return NULL;
	o->len += n;
	return o->p + o->len - n;
}

static void
put(struct out *o, unsigned v)
{
	uint8_t *p = place(o, 1);

	if (p != NULL)
		*p = (uint8_t)v;
}

/* Digits as semi-octets, filled up; how many digits. */
static size_t
digits_of(struct out *o, uint8_t dst[DIGITS_MAX / 2], const char *text)
{
	static const char set[] = SEMI_DIGITS;
	size_t n = strlen(text);

	if (n > DIGITS_MAX || strspn(text, set) != n) {
		refuse(o, "an address that is no number of up to 20 digits");
		return 0;
	}
	memset(dst, 0xff, DIGITS_MAX / 2);
	for (size_t i = 0; i < n; i++) {
		unsigned v = (unsigned)(strchr(set, text[i]) - set);

		dst[i / 2] = (uint8_t)(i % 2 == 0 ? 0xf0 | v :
		    (dst[i / 2] & 0x0f) | v << 4);
	}
	return n;
}

/* A name, packed; how many semi-octets. */
static size_t
name_of(struct out *o, uint8_t dst[DIGITS_MAX / 2], const char *text)
{
	uint8_t septets[11];
	int n = charset_to_gsm(septets, sizeof(septets), text, strlen(text));

	if (n == -1) {
		refuse(o, "a name of more than 11 characters, or others than "
		    "those of the default alphabet");
		return 0;
	}
	charset_pack(dst, DIGITS_MAX / 2, 0, septets, (size_t)n);
	return ((size_t)n * 7 + 3) / 4;
}

static size_t
semi_octets_of(struct out *o, uint8_t dst[DIGITS_MAX / 2],
    const struct pdu_addr *a)
{
	bool plus = PDU_TON(a->toa) == PDU_TON_INTERNATIONAL &&
	    a->text[0] == '+';

	if (PDU_TON(a->toa) == PDU_TON_ALPHANUMERIC)
		return name_of(o, dst, a->text);
	return digits_of(o, dst, a->text + plus);
}

static void
put_addr(struct out *o, const struct pdu_addr *a)
{
	uint8_t octets[DIGITS_MAX / 2];
	size_t n = semi_octets_of(o, octets, a);
	uint8_t *p = place(o, 2 + (n + 1) / 2);

	if (p == NULL)
		return;
	p[0] = (uint8_t)n;
	p[1] = a->toa;
	memcpy(p + 2, octets, (n + 1) / 2);
}

static void
put_smsc(struct out *o, const struct pdu *m)
{
	uint8_t octets[DIGITS_MAX / 2];
	size_t n;
	uint8_t *p;

	if (!m->has_smsc) {
		put(o, 0);
		return;
	}
	n = (semi_octets_of(o, octets, &m->smsc) + 1) / 2;
	p = place(o, 2 + n);
	if (p == NULL)
		return;
	p[0] = (uint8_t)(1 + n);
	p[1] = m->smsc.toa;
	memcpy(p + 2, octets, n);
}

static void
put_time(struct out *o, const struct pdu_time *t)
{
	uint8_t *p;

	if (!t->valid || t->quarters < -79 || t->quarters > 79) {
		refuse(o, "a time that does not exist");
		return;
	}
	p = place(o, 7);
	if (p != NULL)
		pdu_time_write(p, t);
}

/* An enhanced one is written in seconds, else relative. */
static void
put_vp(struct out *o, const struct pdu *m)
{
	bool short_one = m->vp_seconds > 0 && m->vp_seconds < 256;
	uint8_t *p;

	switch (m->vp) {
	case PDU_VP_NONE:
		break;
	case PDU_VP_RELATIVE:
		put(o, pdu_vp_octet(m->vp_seconds));
		break;
	case PDU_VP_ABSOLUTE:
		put_time(o, &m->vp_time);
		break;
	case PDU_VP_ENHANCED:
		p = place(o, VP_ENHANCED_OCTETS);
		if (p == NULL)
			break;
		memset(p, 0, VP_ENHANCED_OCTETS);
		p[0] = short_one ? VP_FORMAT_SECONDS : VP_FORMAT_RELATIVE;
		p[1] = short_one ? (uint8_t)m->vp_seconds :
		    pdu_vp_octet(m->vp_seconds);
		break;
	}
}

/* The header at p, length octet included: its octets are udh_len + 1. */
static void
write_header(uint8_t *p, const struct pdu *m)
{
	p[0] = (uint8_t)m->udh_len;
	memcpy(p + 1, m->udh, m->udh_len);
}

static void
put_septets(struct out *o, const struct pdu *m)
{
	size_t skip = m->udh_len == 0 ? 0 : pdu_header_septets(m->udh_len);
	size_t udl = skip + m->data_len, octets = (udl * 7 + 7) / 8;
	uint8_t *p;

	if (udl > PDU_SEPTETS) {
		refuse(o, "user data of more than 160 septets");
		return;
	}
	put(o, (unsigned)udl);
	p = place(o, octets);
	if (p == NULL)
		return;
	memset(p, 0, octets);
	if (m->udh_len > 0)
		write_header(p, m);
	charset_pack(p, octets, skip * 7, m->data, m->data_len);
}

static void
put_octets(struct out *o, const struct pdu *m)
{
	size_t skip = m->udh_len == 0 ? 0 : m->udh_len + 1;
	size_t udl = skip + m->data_len;
	uint8_t *p;

	if (udl > PDU_DATA) {
		refuse(o, "user data of more than 140 octets");
		return;
	}
	if (m->alphabet == PDU_UCS2 && !m->compressed && m->data_len % 2 != 0) {
		refuse(o, "UCS-2 text of an odd number of octets");
		return;
	}
	put(o, (unsigned)udl);
	p = place(o, udl);
	if (p == NULL)
		return;
	if (skip > 0)
		write_header(p, m);
	memcpy(p + skip, m->data, m->data_len);
}

static void
put_data(struct out *o, struct pdu *m)
{
	pdu_apply_dcs(m);
	if (m->udh_len > PDU_DATA - 1)
		refuse(o, "a user data header of more than 139 octets");
	else if (m->alphabet == PDU_GSM7 && !m->compressed)
		put_septets(o, m);
	else
		put_octets(o, m);
}

static void
put_first(struct out *o, const struct pdu *m, unsigned mti, unsigned keep)
{
	put(o, mti | (m->first & keep) | (m->udh_len > 0 ? FO_UDHI : 0));
}

static void
put_deliver(struct out *o, struct pdu *m)
{
	put_first(o, m, FO_MTI_DELIVER, KEEP_DELIVER);
	put_addr(o, &m->addr);
	put(o, m->pid);
	put(o, m->dcs);
	put_time(o, &m->scts);
	put_data(o, m);
}

static void
put_submit(struct out *o, struct pdu *m)
{
	static const unsigned formats[] = {
		[PDU_VP_NONE] = 0x00, [PDU_VP_ENHANCED] = 0x08,
		[PDU_VP_RELATIVE] = 0x10, [PDU_VP_ABSOLUTE] = 0x18,
	};

	put_first(o, m, FO_MTI_SUBMIT | formats[m->vp], KEEP_SUBMIT);
	put(o, m->mr);
	put_addr(o, &m->addr);
	put(o, m->pid);
	put(o, m->dcs);
	put_vp(o, m);
	put_data(o, m);
}

static void
put_status_report(struct out *o, struct pdu *m)
{
	unsigned pi = (m->has_pid ? PI_PID : 0) | (m->has_dcs ? PI_DCS : 0) |
	    (m->has_data ? PI_UDL : 0);

	put_first(o, m, FO_MTI_STATUS_REPORT, KEEP_REPORT);
	put(o, m->mr);
	put_addr(o, &m->addr);
	put_time(o, &m->scts);
	put_time(o, &m->discharge);
	put(o, m->status);
	if (pi != 0)
		put(o, pi);
	if (m->has_pid)
		put(o, m->pid);
	if (m->has_dcs)
		put(o, m->dcs);
	if (m->has_data)
		put_data(o, m);
}

int
pdu_encode(struct pdu *m, uint8_t *dst, size_t size, const char **why)
{
	struct out o = { dst, 0, size, NULL };
	size_t before;

	put_smsc(&o, m);
	before = o.len;
	switch (m->type) {
	case PDU_DELIVER:
		put_deliver(&o, m);
		break;
	case PDU_SUBMIT:
		put_submit(&o, m);
		break;
	case PDU_STATUS_REPORT:
		put_status_report(&o, m);
		break;
	}
	m->tpdu_len = o.len - before;
	*why = o.why;
	return o.why == NULL ? (int)o.len : -1;
}
