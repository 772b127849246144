#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "seal.h"

#define HASH_BYTES 32
#define FNV_BASE 2166136261U
#define FNV_PRIME 16777619U
#define LANES 4

const struct seal_mark seal_none = { .number = 0, .hash = "-" };

struct seal_hash {
	crypto_generichash_state state;
};

struct seal {
	struct seal_hash span;
	struct seal_mark prev;
	size_t records, bytes;
	uint32_t fnv;			/* of the line that is not ended */
	struct record_clock clock;
	char checks[SEAL_RECORDS * SEAL_CHECK];
};

static void
hash_start(struct seal_hash *h)
{
	crypto_generichash_init(&h->state, NULL, 0, HASH_BYTES);
}

static void
hash_add(struct seal_hash *h, const void *p, size_t n)
{
	crypto_generichash_update(&h->state, p, n);
}

static void
hash_end(struct seal_hash *h, char dst[SEAL_HASH])
{
	unsigned char hash[HASH_BYTES];

	crypto_generichash_final(&h->state, hash, sizeof(hash));
	sodium_bin2hex(dst, SEAL_HASH, hash, sizeof(hash));
}

struct seal_hash *
seal_hash_new(void)
{
	struct seal_hash *h = xmalloc(sizeof(*h));

	hash_start(h);
	return h;
}

struct seal_hash *
seal_hash_copy(const struct seal_hash *from)
{
	struct seal_hash *h = xmalloc(sizeof(*h));

	*h = *from;
	return h;
}

void
seal_hash_add(struct seal_hash *h, const void *p, size_t n)
{
	hash_add(h, p, n);
}

void
seal_hash_end(struct seal_hash *h, char dst[SEAL_HASH])
{
	hash_end(h, dst);
	free(h);
}

struct seal *
seal_new(void)
{
	struct seal *s = xcalloc(1, sizeof(*s));

	/* Picks the fastest code for this processor; may be called again. */
	if (sodium_init() == -1)
		fatalx("libsodium does not start");
	seal_start(s, &seal_none);
	return s;
}

void
seal_free(struct seal *s)
{
	free(s);
}

static void
next_span(struct seal *s)
{
	hash_start(&s->span);
	s->records = s->bytes = 0;
	s->fnv = FNV_BASE;
}

void
seal_start(struct seal *s, const struct seal_mark *prev)
{
	s->prev = *prev;
	next_span(s);
}

bool
seal_is_due(const struct seal *s)
{
	return s->records >= SEAL_RECORDS || s->bytes >= SEAL_BYTES;
}

bool
seal_is_empty(const struct seal *s)
{
	return s->bytes == 0;
}

size_t
seal_room(const struct seal *s, const char *p, size_t n)
{
	size_t records = s->records, at = 0;
	const char *lf;

	while (at < n) {
		lf = memchr(p + at, '\n', n - at);
		if (lf == NULL)
			return n;
		at = (size_t)(lf + 1 - p);
		if (++records >= SEAL_RECORDS || s->bytes + at >= SEAL_BYTES)
			return at;
	}
	return n;
}

static uint32_t
fnv_add(uint32_t fnv, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fnv = (fnv ^ (uint8_t)p[i]) * FNV_PRIME;
	return fnv;
}

/*
 * Of so many lines: a multiplication has to wait for the one before it, but
 * not for those of other lines.
 */
static void
fnv_add_lanes(uint32_t fnv[LANES], const char *const p[LANES],
    const size_t n[LANES])
{
	uint32_t a = fnv[0], b = fnv[1], c = fnv[2], d = fnv[3];
	size_t least = n[0];

	for (size_t i = 1; i < LANES; i++)
		least = n[i] < least ? n[i] : least;
	for (size_t i = 0; i < least; i++) {
		a = (a ^ (uint8_t)p[0][i]) * FNV_PRIME;
		b = (b ^ (uint8_t)p[1][i]) * FNV_PRIME;
		c = (c ^ (uint8_t)p[2][i]) * FNV_PRIME;
		d = (d ^ (uint8_t)p[3][i]) * FNV_PRIME;
	}
	fnv[0] = fnv_add(a, p[0] + least, n[0] - least);
	fnv[1] = fnv_add(b, p[1] + least, n[1] - least);
	fnv[2] = fnv_add(c, p[2] + least, n[2] - least);
	fnv[3] = fnv_add(d, p[3] + least, n[3] - least);
}

static unsigned
fnv_fold(uint32_t fnv)
{
	return (fnv ^ fnv >> 12 ^ fnv >> 24) & 0xfff;
}

unsigned
seal_check(const char *line, size_t n)
{
	return fnv_fold(fnv_add(FNV_BASE, line, n));
}

/* A line ended: note its check. */
static void
end_record(struct seal *s)
{
	static const char hex[] = "0123456789abcdef";
	unsigned check = fnv_fold(s->fnv);
	char *o = s->checks + s->records * SEAL_CHECK;

	s->fnv = FNV_BASE;
	if (s->records == SEAL_RECORDS)
		return;		/* whoever adds heeds seal_room */
	o[0] = hex[check >> 8];
	o[1] = hex[check >> 4 & 15];
	o[2] = hex[check & 15];
	s->records++;
}

/* As many whole lines at once as there are lanes.  The bytes used, or 0. */
static size_t
add_lanes(struct seal *s, const char *p, size_t n)
{
	uint32_t fnv[LANES];
	const char *line[LANES], *lf;
	size_t len[LANES], used = 0;

	for (size_t i = 0; i < LANES; i++) {
		lf = memchr(p + used, '\n', n - used);
		if (lf == NULL)
			return 0;
		fnv[i] = i == 0 ? s->fnv : FNV_BASE;
		line[i] = p + used;
		len[i] = (size_t)(lf + 1 - line[i]);
		used += len[i];
	}
	fnv_add_lanes(fnv, line, len);
	for (size_t i = 0; i < LANES; i++) {
		s->fnv = fnv[i];
		end_record(s);
	}
	return used;
}

void
seal_add(struct seal *s, const char *p, size_t n)
{
	const char *lf;
	size_t part;

	hash_add(&s->span, p, n);
	s->bytes += n;
	for (; (part = add_lanes(s, p, n)) > 0; p += part)
		n -= part;
	for (; n > 0; p += part, n -= part) {
		lf = memchr(p, '\n', n);
		part = lf == NULL ? n : (size_t)(lf + 1 - p);
		s->fnv = fnv_add(s->fnv, p, part);
		if (lf != NULL)
			end_record(s);
	}
}

size_t
seal_line(struct seal *s, char *dst, struct record *r, bool last,
    struct seal_mark *mark)
{
	char text[RECORD_BYTES + 1];
	size_t n;

	r->type = RECORD_SEAL;
	r->data = (const uint8_t *)text;
	r->n = (size_t)snprintf(text, sizeof(text), "seal=%" PRIu64
	    " records=%zu %schecks=%.*s prev=%s hash=", s->prev.number + 1,
	    s->records, last ? "last=yes " : "",
	    (int)(s->records * SEAL_CHECK), s->checks, s->prev.hash);
	n = record_encode(dst, r, &s->clock) - 1;	/* its LF comes later */
	hash_add(&s->span, dst, n);
	mark->number = s->prev.number + 1;
	hash_end(&s->span, mark->hash);
	memcpy(dst + n, mark->hash, SEAL_HASH - 1);
	n += SEAL_HASH - 1;
	dst[n++] = '\n';
	seal_start(s, mark);
	return n;
}

/* Where the value of key begins, and its length. */
static const char *
find_word(const char *text, size_t n, const char *key, size_t *len)
{
	size_t k = strlen(key);
	const char *p = text, *e = text + n, *end;

	for (; p < e; p = end + 1) {
		end = memchr(p, ' ', (size_t)(e - p));
		if (end == NULL)
			end = e;
		if ((size_t)(end - p) >= k && memcmp(p, key, k) == 0) {
			*len = (size_t)(end - p) - k;
			return p + k;
		}
	}
	return NULL;
}

bool
seal_word(const void *text, size_t n, const char *key, char *dst, size_t size)
{
	size_t len = 0;
	const char *p = find_word(text, n, key, &len);

	if (p == NULL || len >= size)
		return false;
	memcpy(dst, p, len);
	dst[len] = '\0';
	return true;
}

static bool
is_hash(const char *s)
{
	return strlen(s) == SEAL_HASH - 1 &&
	    strspn(s, "0123456789abcdef") == SEAL_HASH - 1;
}

int
seal_parse(const struct record *r, struct seal_fields *f)
{
	char number[24], records[8], word[8];
	int64_t v, count;
	size_t len = 0;

	memset(f, 0, sizeof(*f));
	if (r->type != RECORD_SEAL ||
	    !seal_word(r->data, r->n, "seal=", number, sizeof(number)) ||
	    str_int(number, 1, INT64_MAX, &v) == -1 ||
	    !seal_word(r->data, r->n, "records=", records, sizeof(records)) ||
	    str_int(records, 0, SEAL_RECORDS, &count) == -1 ||
	    !seal_word(r->data, r->n, "prev=", f->prev, sizeof(f->prev)) ||
	    !seal_word(r->data, r->n, "hash=", f->hash, sizeof(f->hash)) ||
	    !is_hash(f->hash) ||
	    (!is_hash(f->prev) && strcmp(f->prev, seal_none.hash) != 0))
		return -1;
	f->number = (uint64_t)v;
	f->records = (size_t)count;
	f->checks = find_word((const char *)r->data, r->n, "checks=", &len);
	if (f->checks != NULL && len != f->records * SEAL_CHECK)
		f->checks = NULL;
	f->last = seal_word(r->data, r->n, "last=", word, sizeof(word)) &&
	    strcmp(word, "yes") == 0;
	return 0;
}
