/*
 * Journal records: a line that decodes says the same when it is written and
 * read again, and any bytes at all survive being a record.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serial/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char line[RECORD_MAX];
static struct record_space one, two;

static void
same(const struct record *a, const struct record *b)
{
	if (a->type != b->type || a->offset != b->offset || a->n != b->n ||
	    a->stamp.mono.us != b->stamp.mono.us ||
	    a->nnotes != b->nnotes || memcmp(a->data, b->data, a->n) != 0)
		abort();
	for (size_t i = 0; i < a->nnotes; i++) {
		if (a->notes[i].at != b->notes[i].at ||
		    a->notes[i].ms != b->notes[i].ms)
			abort();
	}
}

static void
again(const struct record *r)
{
	struct record_clock clock = { .known = false };
	struct record back;
	size_t n = record_encode(line, r, &clock);

	if (n > RECORD_MAX || memchr(line, '\n', n) != line + n - 1 ||
	    record_decode(line, n - 1, &back, &two) == -1)
		abort();
	same(r, &back);
	if (r->stamp.utc_us != back.stamp.utc_us)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct record r;

	/* A leap second is read, but not written. */
	if (record_decode((const char *)p, n, &r, &one) == 0 &&
	    record_is_data(&r))
		again(&r);
	if (n > 0 && n <= RECORD_BYTES) {
		memset(&r, 0, sizeof(r));
		r.type = p[0] % 2 ? RECORD_CRLF : RECORD_PREVIEW;
		r.data = p;
		r.n = n;
		again(&r);
	}
	return 0;
}
