#include <string.h>

#include "pdu_internal.h"

#define IE_CONCAT_8 0x00
#define IE_PORTS_8 0x04
#define IE_PORTS_16 0x05
#define IE_CONCAT_16 0x08
#define IE_NATIONAL_SINGLE 0x24
#define IE_NATIONAL_LOCKING 0x25

static unsigned
u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

bool
pdu_ie_next(const struct pdu *m, size_t *at, struct pdu_ie *ie)
{
	size_t left = m->udh_len - *at;
	const uint8_t *p = m->udh + *at;

	if (left < 2 || p[1] > left - 2)
		return false;
	ie->id = p[0];
	ie->len = p[1];
	ie->data = p + 2;
	*at += 2u + ie->len;
	return true;
}

static void
read_concat(struct pdu *m, const struct pdu_ie *ie)
{
	bool wide = ie->id == IE_CONCAT_16;
	const uint8_t *p = ie->data + (wide ? 2 : 1);
	struct pdu_concat *c = &m->concat;

	c->present = true;
	c->ref = wide ? u16(ie->data) : ie->data[0];
	c->ref_bits = wide ? 16 : 8;
	c->total = p[0];
	c->seq = p[1];
	c->ok = c->seq >= 1 && c->seq <= c->total;
}

static void
read_ports(struct pdu *m, const struct pdu_ie *ie)
{
	bool wide = ie->id == IE_PORTS_16;
	const uint8_t *p = ie->data;

	m->ports.present = true;
	m->ports.dst = wide ? u16(p) : p[0];
	m->ports.src = wide ? u16(p + 2) : p[1];
}

static void
read_single(struct pdu *m, const struct pdu_ie *ie)
{
	m->national_single = ie->data[0];
}

static void
read_locking(struct pdu *m, const struct pdu_ie *ie)
{
	m->national_locking = ie->data[0];
}

/* An element of another length than it must have is skipped. */
static const struct ie_kind {
	uint8_t id, len;
	void (*read)(struct pdu *, const struct pdu_ie *);
} kinds[] = {
	{ IE_CONCAT_8, 3, read_concat },
	{ IE_CONCAT_16, 4, read_concat },
	{ IE_PORTS_8, 2, read_ports },
	{ IE_PORTS_16, 4, read_ports },
	{ IE_NATIONAL_SINGLE, 1, read_single },
	{ IE_NATIONAL_LOCKING, 1, read_locking },
};

static void
read_element(struct pdu *m, const struct pdu_ie *ie)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].id == ie->id && kinds[i].len == ie->len)
			kinds[i].read(m, ie);
	}
}

void
pdu_read_udh(struct pdu *m)
{
	struct pdu_ie ie;
	size_t at = 0;

	memset(&m->concat, 0, sizeof(m->concat));
	memset(&m->ports, 0, sizeof(m->ports));
	m->national_single = m->national_locking = 0;
	while (pdu_ie_next(m, &at, &ie))
		;
	if (at != m->udh_len) {
		m->udh_broken = true;
		m->udh_len = 0;
	}
	/* Of elements that exclude each other the last one counts. */
	for (at = 0; pdu_ie_next(m, &at, &ie);)
		read_element(m, &ie);
}
