#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "chain.h"
#include "segment.h"

#define HEADER_MAX 2048

static int64_t
number(const struct record *r, const char *key)
{
	char text[24];
	int64_t v;

	return seal_word(r->data, r->n, key, text, sizeof(text)) &&
	    str_int(text, 0, INT64_MAX, &v) == 0 ? v : -1;
}

/* tail=BYTES:HASH; tail=0 is none. */
static int
parse_tail(const struct record *r, struct chain_header *h)
{
	char text[24 + SEAL_HASH], *colon;
	int64_t v;

	if (!seal_word(r->data, r->n, "tail=", text, sizeof(text)))
		return 0;
	colon = strchr(text, ':');
	if (colon != NULL)
		*colon = '\0';
	if (str_int(text, 0, INT64_MAX, &v) == -1 ||
	    (v > 0 && (colon == NULL || strlen(colon + 1) != SEAL_HASH - 1)))
		return -1;
	h->tail = (uint64_t)v;
	if (v > 0)
		memcpy(h->tail_hash, colon + 1, SEAL_HASH);
	return 0;
}

int
chain_header_parse(const struct record *r, struct chain_header *h)
{
	int64_t seq = number(r, "seq="), sealed = number(r, "sealed=");

	memset(h, 0, sizeof(*h));
	if (r->type != RECORD_HEADER || seq < 1 || seq > UINT32_MAX ||
	    parse_tail(r, h) == -1)
		return -1;
	h->seq = (uint32_t)seq;
	h->prev = seal_none;
	h->chained = seal_word(r->data, r->n, "prev=", h->prev.hash,
	    sizeof(h->prev.hash));
	if (sealed > 0)
		h->prev.number = (uint64_t)sealed;
	return 0;
}

/* The first record, into space.  0 or -1. */
static int
read_first(int dirfd, const char *name, struct record *r,
    struct record_space *space)
{
	struct segment *in = segment_open(dirfd, name);
	char line[HEADER_MAX], *lf;
	ssize_t got;

	if (in == NULL)
		return -1;
	got = segment_read(in, line, sizeof(line), 0);
	segment_close(in);
	lf = got > 0 ? memchr(line, '\n', (size_t)got) : NULL;
	return lf == NULL ? -1 : record_decode(line, (size_t)(lf - line), r,
	    space);
}

int
chain_header_read(int dirfd, const char *name, struct chain_header *h)
{
	struct record_space *space = xmalloc(sizeof(*space));
	struct record r;
	int ret = read_first(dirfd, name, &r, space);

	if (ret == 0)
		ret = chain_header_parse(&r, h);
	free(space);
	return ret;
}

void
chain_header_box(int dirfd, const char *name, char *dst, size_t size)
{
	struct record_space *space = xmalloc(sizeof(*space));
	struct record r;

	if (read_first(dirfd, name, &r, space) == 0 &&
	    r.type == RECORD_HEADER)
		seal_word(r.data, r.n, "box=", dst, size);
	free(space);
}
