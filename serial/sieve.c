#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "sieve.h"

static_assert(NEEDLE_MAX <= 32, "a bit for each literal");

/* A pair with the byte that is seldom; behind it, if it can be. */
static size_t
pair_of(const struct needle_text *t)
{
	return t->rare + 1 < t->n ? t->rare : t->rare - 1;
}

static void
set_byte(uint32_t table[256], char c, bool fold, uint32_t bit)
{
	table[(uint8_t)c] |= bit;
	if (fold)
		table[toupper((uint8_t)c)] |= bit;
}

void
sieve_make(struct sieve *s, const struct needle *needle)
{
	const struct needle_text *t;
	size_t at;

	memset(s, 0, sizeof(*s));
	s->needle = needle;
	for (size_t i = 0; i < needle->count; i++) {
		t = &needle->any[i];
		at = pair_of(t);
		s->at[i] = (uint8_t)at;
		set_byte(s->first, t->text[at], needle->fold,
		    UINT32_C(1) << i);
		set_byte(s->second, t->text[at + 1], needle->fold,
		    UINT32_C(1) << i);
	}
}

/* The pair of these literals is at p[i]: is all of one of them there? */
static const char *
check(const struct sieve *s, uint32_t bits, const char *p, size_t n,
    size_t i)
{
	const char *hit;

	for (size_t k = 0; bits != 0; k++, bits >>= 1) {
		if ((bits & 1) == 0 || i < s->at[k] ||
		    s->needle->any[k].n > n - (i - s->at[k]))
			continue;
		hit = p + i - s->at[k];
		if (needle_find_one(s->needle, k, hit,
		    s->needle->any[k].n) != NULL)
			return hit;
	}
	return NULL;
}

const char *
sieve_find(const struct sieve *s, const char *p, size_t n)
{
	const uint8_t *b = (const uint8_t *)p;
	const char *hit;
	uint32_t bits;

	for (size_t i = 0; i + 1 < n; i++) {
		bits = s->first[b[i]] & s->second[b[i + 1]];
		if (bits != 0 && (hit = check(s, bits, p, n, i)) != NULL)
			return hit;
	}
	return NULL;
}
