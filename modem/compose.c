#include <string.h>

#include "../server/base/str.h"
#include "compose.h"

#define ESCAPE 0x1b
#define UDH_CONCAT 5		/* element 0: 8 bit reference, total, number */
#define GSM_PART 153		/* what is left beside that header */
#define UCS2_PART 134
#define DCS_GSM 0x00
#define DCS_UCS2 0x08

static bool
is_utf8(const char *text, size_t n)
{
	for (size_t i = 0; i < n;) {
		int len = str_utf8((const uint8_t *)text + i, n - i);

		if (len <= 0)
			return false;
		i += (size_t)len;
	}
	return true;
}

/* Must at and what stands before it be in one part? */
static bool
is_inside(const struct compose *c, size_t at)
{
	if (c->alphabet == PDU_GSM7)
		return c->units[at - 1] == ESCAPE;
	return (c->units[at] & 0xfc) == 0xdc;
}

static int
cut(struct compose *c, size_t len, size_t alone, size_t each)
{
	size_t at = 0;

	c->parts = 0;
	if (len <= alone)
		each = alone;
	do {
		size_t end = len - at > each ? at + each : len;

		if (c->parts == COMPOSE_PARTS)
			return -1;
		if (end < len && is_inside(c, end))
			end -= c->alphabet == PDU_GSM7 ? 1 : 2;
		c->start[c->parts++] = at;
		at = end;
	} while (at < len);
	c->start[c->parts] = len;
	return 0;
}

int
compose(struct compose *c, const char *text, size_t n, const char **why)
{
	int len, r;

	memset(c, 0, sizeof(*c));
	*why = "the text is not valid UTF-8";
	if (!is_utf8(text, n))
		return -1;
	*why = "the text is longer than three messages";
	len = charset_to_gsm(c->units, sizeof(c->units), text, n);
	if (len != -1) {
		c->alphabet = PDU_GSM7;
		r = cut(c, (size_t)len, PDU_SEPTETS, GSM_PART);
	} else {
		c->alphabet = PDU_UCS2;
		len = charset_to_ucs2(c->units, sizeof(c->units), text, n);
		r = len == -1 ? -1 :
		    cut(c, (size_t)len, PDU_DATA, UCS2_PART);
	}
	return r;
}

void
compose_part(const struct compose *c, unsigned seq, uint8_t ref,
    struct pdu *m)
{
	const uint8_t udh[UDH_CONCAT] = { 0, 3, ref, (uint8_t)c->parts,
	    (uint8_t)seq };
	size_t from = c->start[seq - 1];

	memset(m, 0, sizeof(*m));
	m->type = PDU_SUBMIT;
	m->has_pid = m->has_dcs = m->has_data = true;
	m->dcs = c->alphabet == PDU_GSM7 ? DCS_GSM : DCS_UCS2;
	pdu_apply_dcs(m);
	if (c->parts > 1) {
		m->udh_len = sizeof(udh);
		memcpy(m->udh, udh, sizeof(udh));
		pdu_read_udh(m);
	}
	m->data_len = c->start[seq] - from;
	memcpy(m->data, c->units + from, m->data_len);
}
