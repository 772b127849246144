#include <string.h>

#include "../auth/digest.h"
#include "../server/base/log.h"
#include "inbox_internal.h"

#define PID_SILENT 0x40		/* short message type 0 */

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * What makes two deliveries one message: everything but the way it came.  The
 * parts of a long one differ in their header.
 */
static void
fingerprint(uint8_t key[SEEN_KEY], const struct pdu *m)
{
	const uint8_t fixed[] = { (uint8_t)m->type, m->addr.toa, m->pid,
	    m->dcs, m->mr, m->status };
	const struct digest_piece pieces[] = {
		{ fixed, sizeof(fixed) },
		{ m->addr.text, strlen(m->addr.text) },
		{ m->scts.octets, sizeof(m->scts.octets) },
		{ m->discharge.octets, sizeof(m->discharge.octets) },
		{ m->udh, m->udh_len },
		{ m->data, m->data_len },
	};
	uint8_t whole[DIGEST_LEN];

	digest(whole, pieces, LEN(pieces));
	memcpy(key, whole, SEEN_KEY);
}

/* Why a message is none that a person sent us; NULL: it may be. */
static const char *
unfit(const struct pdu *m)
{
	const struct {
		bool applies;
		const char *why;
	} reasons[] = {
		{ m->type != PDU_DELIVER, "was not sent to us" },
		{ m->pid == PID_SILENT, "is a silent one" },
		{ m->ports.present, "is for an application" },
		{ m->compressed, "is compressed" },
		{ !m->has_text, "is no text" },
		{ m->national_single != 0 || m->national_locking != 0,
		    "needs national shift tables" },
		{ m->udh_broken, "has a broken header" },
	};

	for (size_t i = 0; i < LEN(reasons); i++) {
		if (reasons[i].applies)
			return reasons[i].why;
	}
	return NULL;
}

static void
give_out(struct inbox *b, const struct pdu *m, const struct join_message *w)
{
	const struct inbox_message out = {
		.sender = &m->addr,
		.smsc = m->has_smsc ? &m->smsc : NULL,
		.scts = &m->scts,
		.text = w->text,
		.text_len = w->text_len,
		.parts = w->parts,
		.stored_before_start = w->old,
	};

	b->counts.given_out++;
	b->counts.old += w->old;
	b->ops->message(b->arg, &out);
}

static void
take_text(struct inbox *b, const struct pdu *m, bool old, struct mono now)
{
	struct join_message *w = &b->whole;

	/* A header that makes no sense is as none. */
	if (!m->concat.ok || m->concat.total == 1) {
		w->old = old;
		w->parts = 1;
		w->text_len = m->text_len;
		memcpy(w->text, m->text, m->text_len + 1);
		give_out(b, m, w);
		return;
	}
	switch (join_add(b->join, m, old, now, w)) {
	case JOIN_WAITS:
		break;
	case JOIN_WHOLE:
		give_out(b, m, w);
		break;
	case JOIN_REFUSED:
		b->counts.ignored++;
		log_info("message from %s is ignored: it has %u parts",
		    m->addr.text, m->concat.total);
		break;
	}
}

static void
take_one(struct inbox *b, const struct pdu *m, bool old, struct mono now)
{
	const char *why = unfit(m);

	if (m->type == PDU_STATUS_REPORT) {
		if (b->ops->report != NULL)
			b->ops->report(b->arg, m);
		return;
	}
	if (why == NULL) {
		take_text(b, m, old, now);
		return;
	}
	b->counts.ignored++;
	log_info("message from %s is ignored: it %s", m->addr.text, why);
}

/* Decode and look up; sets fresh. */
static void
meet(struct inbox *b, struct slot *s)
{
	uint8_t key[SEEN_KEY];
	const char *why = "not hexadecimal, or too long";
	struct pdu m;

	b->counts.found++;
	s->fresh = false;
	s->broken = true;
	if (s->len == 0 || pdu_decode(&m, s->octets, s->len, &why) == -1) {
		b->counts.broken++;
		log_debug("message %u is deleted unread: %s", s->index, why);
		return;
	}
	s->broken = false;
	fingerprint(key, &m);
	s->fresh = !seen_meet(b->seen, key);
	b->counts.repeated += !s->fresh;
}

/*
 * A disk that is full must not make the box deaf: within this process
 * nothing acts twice all the same, and one-time codes are kept elsewhere.
 */
static void
save(struct inbox *b)
{
	if (seen_save(b->seen) == 0) {
		b->save_failed = false;
		return;
	}
	if (!b->save_failed)
		log_errno("cannot keep which messages were dealt with");
	b->save_failed = true;
}

void
inbox_take(struct inbox *b, bool old, struct mono now)
{
	const char *why;
	struct pdu m;

	for (size_t i = 0; i < b->nslots; i++)
		meet(b, &b->slots[i]);
	save(b);
	for (size_t i = 0; i < b->nslots; i++) {
		struct slot *s = &b->slots[i];

		if (s->fresh &&
		    pdu_decode(&m, s->octets, s->len, &why) == 0)
			take_one(b, &m, old, now);
	}
}
