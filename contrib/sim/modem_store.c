#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../server/base/mem.h"
#include "../../server/base/str.h"
#include "modem_store.h"

struct kind {
	char name[3];
	unsigned size;
	struct slot *slots;
};

struct store {
	struct kind kinds[STORE_KINDS];
	int n;
};

/* One "SM=20".  0 or -1. */
static int
add_kind(struct store *s, const char *name, const char *size)
{
	struct kind *k = &s->kinds[s->n];
	int64_t n;

	if (s->n == STORE_KINDS || strlen(name) != 2 || size == NULL ||
	    strcmp(name, "MT") == 0 || store_find(s, name) != -1 ||
	    str_int(size, 1, STORE_SIZE_MAX, &n) == -1)
		return -1;
	memcpy(k->name, name, 3);
	k->size = (unsigned)n;
	k->slots = xcalloc(k->size, sizeof(*k->slots));
	s->n++;
	return 0;
}

struct store *
store_new(const char *conf)
{
	struct store *s = xcalloc(1, sizeof(*s));
	char *copy = xstrdup(conf), *rest = copy, *word;
	bool bad = *conf == '\0';

	while (!bad && (word = strsep(&rest, ",")) != NULL) {
		const char *name = strsep(&word, "=");

		bad = add_kind(s, name, word) == -1;
	}
	free(copy);
	if (bad) {
		store_free(s);
		return NULL;
	}
	return s;
}

void
store_free(struct store *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < s->n; i++)
		free(s->kinds[i].slots);
	free(s);
}

int
store_find(const struct store *s, const char *name)
{
	for (int i = 0; i < s->n; i++) {
		if (strcmp(s->kinds[i].name, name) == 0)
			return i;
	}
	return strcmp(name, "MT") == 0 ? s->n : -1;
}

const char *
store_name(const struct store *s, int which)
{
	if (which < 0 || which > s->n)
		return NULL;
	return which == s->n ? "MT" : s->kinds[which].name;
}

unsigned
store_size(const struct store *s, int which)
{
	unsigned n = 0;

	if (which < s->n)
		return s->kinds[which].size;
	for (int i = 0; i < s->n; i++)
		n += s->kinds[i].size;
	return n;
}

struct slot *
store_slot(struct store *s, int which, unsigned at)
{
	if (which < s->n)
		return at < s->kinds[which].size ?
		    &s->kinds[which].slots[at] : NULL;
	for (int i = 0; i < s->n; i++) {
		if (at < s->kinds[i].size)
			return &s->kinds[i].slots[at];
		at -= s->kinds[i].size;
	}
	return NULL;
}

static unsigned
kind_used(const struct kind *k)
{
	unsigned n = 0;

	for (unsigned i = 0; i < k->size; i++)
		n += k->slots[i].used;
	return n;
}

unsigned
store_used(const struct store *s, int which)
{
	unsigned n = 0;

	if (which < s->n)
		return kind_used(&s->kinds[which]);
	for (int i = 0; i < s->n; i++)
		n += kind_used(&s->kinds[i]);
	return n;
}

int
store_put(struct store *s, int which, const char *pdu, enum store_state state)
{
	unsigned size = store_size(s, which);

	if (strlen(pdu) >= STORE_PDU)
		return -1;
	for (unsigned i = 0; i < size; i++) {
		struct slot *slot = store_slot(s, which, i);

		if (slot->used)
			continue;
		slot->used = true;
		slot->state = state;
		snprintf(slot->pdu, sizeof(slot->pdu), "%s", pdu);
		return (int)i;
	}
	return -1;
}
