/*
 * Short messages: any octets are refused with a reason or decoded within
 * bounds, and what was decoded says the same when it is written and read
 * again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modem/pdu.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct pdu *m)
{
	struct pdu_ie ie;
	size_t at = 0;

	if (m->udh_len > PDU_DATA || m->data_len > PDU_SEPTETS ||
	    m->text_len >= PDU_TEXT || m->text[m->text_len] != '\0' ||
	    memchr(m->addr.text, '\0', PDU_ADDR) == NULL ||
	    memchr(m->smsc.text, '\0', PDU_ADDR) == NULL)
		abort();
	if (m->concat.ok && (m->concat.seq == 0 ||
	    m->concat.seq > m->concat.total))
		abort();
	while (pdu_ie_next(m, &at, &ie)) {
		if (ie.data + ie.len > m->udh + m->udh_len)
			abort();
	}
	if (m->scts.valid && pdu_time_utc(&m->scts) == 0)
		abort();
}

static void
same(const struct pdu *a, const struct pdu *b)
{
	if (a->type != b->type || a->has_text != b->has_text ||
	    a->text_len != b->text_len || a->dcs != b->dcs ||
	    a->pid != b->pid || a->mr != b->mr || a->status != b->status ||
	    a->data_len != b->data_len || a->udh_len != b->udh_len ||
	    memcmp(a->text, b->text, a->text_len) != 0 ||
	    memcmp(a->data, b->data, a->data_len) != 0 ||
	    memcmp(a->udh, b->udh, a->udh_len) != 0 ||
	    memcmp(&a->concat, &b->concat, sizeof(a->concat)) != 0 ||
	    memcmp(&a->ports, &b->ports, sizeof(a->ports)) != 0 ||
	    strcmp(a->addr.text, b->addr.text) != 0)
		abort();
	/* Its length counts octets, which can hold one septet too many. */
	if (PDU_TON(a->smsc.toa) != PDU_TON_ALPHANUMERIC &&
	    strcmp(a->smsc.text, b->smsc.text) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t octets[PDU_MAX];
	struct pdu m, again;
	const char *why = NULL;
	char text[PDU_TIME];
	int len;

	if (pdu_decode(&m, p, n, &why) == -1) {
		if (why == NULL)
			abort();
		return 0;
	}
	check(&m);
	pdu_time_text(text, &m.scts);
	len = pdu_encode(&m, octets, sizeof(octets), &why);
	if (len == -1)
		return 0;	/* a time that does not exist */
	if (pdu_decode(&again, octets, (size_t)len, &why) == -1)
		abort();
	same(&m, &again);
	return 0;
}
