#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "join.h"

struct part {
	bool there;
	enum pdu_alphabet alphabet;
	size_t len;
	uint8_t data[PDU_SEPTETS];
};

struct pending {
	bool used, old;
	struct mono since;
	struct pdu_addr sender;
	unsigned ref, ref_bits, total, have;
	struct part parts[JOIN_PARTS];
};

struct join {
	struct pending table[JOIN_PENDING];
};

struct join *
join_new(void)
{
	return xcalloc(1, sizeof(struct join));
}

void
join_free(struct join *j)
{
	free(j);
}

static void
expire(struct join *j, struct mono now)
{
	for (size_t i = 0; i < JOIN_PENDING; i++) {
		if (mono_ms(j->table[i].since, now) >= JOIN_MS)
			j->table[i].used = false;
	}
}

static bool
belongs(const struct pending *w, const struct pdu *m)
{
	return w->used && w->ref == m->concat.ref &&
	    w->ref_bits == m->concat.ref_bits &&
	    w->total == m->concat.total && w->sender.toa == m->addr.toa &&
	    strcmp(w->sender.text, m->addr.text) == 0;
}

/* A place for a new one: free, or taken from the oldest. */
static struct pending *
make_room(struct join *j)
{
	struct pending *oldest = &j->table[0];

	for (size_t i = 0; i < JOIN_PENDING; i++) {
		struct pending *w = &j->table[i];

		if (!w->used)
			return w;
		if (mono_us(w->since, oldest->since) > 0)
			oldest = w;
	}
	return oldest;
}

static struct pending *
find(struct join *j, const struct pdu *m, struct mono now)
{
	struct pending *w;

	for (size_t i = 0; i < JOIN_PENDING; i++) {
		if (belongs(&j->table[i], m))
			return &j->table[i];
	}
	w = make_room(j);
	memset(w, 0, sizeof(*w));
	w->used = true;
	w->since = now;
	w->sender = m->addr;
	w->ref = m->concat.ref;
	w->ref_bits = m->concat.ref_bits;
	w->total = m->concat.total;
	return w;
}

static bool
all_are(const struct pending *w, enum pdu_alphabet a)
{
	for (unsigned i = 0; i < w->total; i++) {
		if (w->parts[i].alphabet != a)
			return false;
	}
	return true;
}

/* Parts [from, to), of one alphabet, as text; its length. */
static size_t
text_of(const struct pending *w, unsigned from, unsigned to, char *dst)
{
	uint8_t data[JOIN_PARTS * PDU_SEPTETS];
	size_t n = 0, len = 0;

	for (unsigned i = from; i < to; i++) {
		memcpy(data + n, w->parts[i].data, w->parts[i].len);
		n += w->parts[i].len;
	}
	if (w->parts[from].alphabet == PDU_GSM7)
		return charset_from_gsm(dst, data, n, NULL);
	return charset_from_ucs2(dst, data, n, &len) == 0 ? len : 0;
}

/*
 * In one go where that can be done: senders cut between the halves of a
 * surrogate pair, or behind an escape.
 */
static void
put_together(const struct pending *w, struct join_message *whole)
{
	whole->old = w->old;
	whole->parts = w->total;
	if (all_are(w, PDU_GSM7) || all_are(w, PDU_UCS2)) {
		whole->text_len = text_of(w, 0, w->total, whole->text);
		return;
	}
	whole->text_len = 0;
	for (unsigned i = 0; i < w->total; i++)
		whole->text_len += text_of(w, i, i + 1,
		    whole->text + whole->text_len);
}

enum join_result
join_add(struct join *j, const struct pdu *m, bool old, struct mono now,
    struct join_message *whole)
{
	struct pending *w;
	struct part *part;

	expire(j, now);
	if (m->concat.total > JOIN_PARTS)
		return JOIN_REFUSED;
	w = find(j, m, now);
	w->old = w->old || old;
	part = &w->parts[m->concat.seq - 1];
	if (!part->there) {
		part->there = true;
		part->alphabet = m->alphabet;
		part->len = m->data_len;
		memcpy(part->data, m->data, m->data_len);
		w->have++;
	}
	if (w->have < w->total)
		return JOIN_WAITS;
	put_together(w, whole);
	w->used = false;
	return JOIN_WHOLE;
}

size_t
join_pending(struct join *j, struct mono now)
{
	size_t n = 0;

	expire(j, now);
	for (size_t i = 0; i < JOIN_PENDING; i++)
		n += j->table[i].used;
	return n;
}
