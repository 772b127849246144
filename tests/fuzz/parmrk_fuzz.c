/* Any bytes, cut anywhere, decode to the same as in one piece. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serial/parmrk.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct parmrk whole = { 0 }, cut = { 0 };
	size_t at = 0, len, whole_n, cut_n = 0, got, kept;
	uint8_t *a, *b, *chunk, step;

	if (n == 0)
		return 0;
	step = (uint8_t)(*data++ % 7 + 1);
	n--;
	a = malloc(n + 1);
	b = malloc(n + 1);
	must(a != NULL && b != NULL);
	whole_n = parmrk_decode(&whole, data, n, a);
	must(whole_n <= n);
	while (at < n) {
		len = n - at < step ? n - at : step;
		/* Exactly the room that the header asks for. */
		chunk = malloc(len + 1);
		must(chunk != NULL);
		got = parmrk_decode(&cut, data + at, len, chunk);
		must(got <= len + 1 && cut_n + got <= n);
		memcpy(b + cut_n, chunk, got);
		cut_n += got;
		at += len;
		free(chunk);
	}
	must(whole_n == cut_n && memcmp(a, b, whole_n) == 0);
	must(whole.seen == cut.seen && whole.breaks == cut.breaks &&
	    whole.errors == cut.errors);
	/* Nothing is lost: each byte in is data, part of a mark, or waiting. */
	kept = whole_n + 3 * whole.breaks + 2 * whole.errors + whole.seen;
	must(kept <= n && n - kept <= whole_n);
	free(a);
	free(b);
	return 0;
}
