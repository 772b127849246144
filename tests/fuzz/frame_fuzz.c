/*
 * Frames: the first byte says how many of the next are a list of fields to
 * read, the rest is what came.  No read goes beyond its frame, reading is
 * sticky after the first missing field, and what was read, written anew,
 * gives the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "server/base/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct frame_out out;

/* Read one field and write it to out. */
static void
copy_field(struct frame *f, unsigned kind)
{
	char text[300];
	const uint8_t *rest;
	size_t n;

	switch (kind % 6) {
	case 0:
		frame_put_u8(&out, frame_u8(f));
		break;
	case 1:
		frame_put_u16(&out, frame_u16(f));
		break;
	case 2:
		frame_put_u32(&out, frame_u32(f));
		break;
	case 3:
		frame_put_u64(&out, frame_u64(f));
		break;
	case 4:
		/* Sizes from nothing but the NUL to more than fits. */
		n = kind / 6 * 7 + 1;
		memset(text, 'Z', sizeof(text));
		frame_str(f, text, n);
		if (memchr(text, '\0', n) == NULL || text[n] != 'Z')
			abort();
		frame_put_str(&out, text);
		break;
	case 5:
		rest = frame_rest(f, &n);
		frame_put_bytes(&out, rest, n);
		break;
	}
}

static void
one_frame(struct frame f, const uint8_t *fields, size_t nfields,
    const uint8_t *bytes, size_t used)
{
	bool was_bad = false;

	frame_start(&out, f.type);
	for (size_t i = 0; i < nfields; i++) {
		copy_field(&f, fields[i]);
		if (was_bad && (!f.bad || frame_ok(&f)))
			abort();
		was_bad = f.bad;
		if (f.p > f.end)
			abort();
	}
	if (!frame_ok(&f))
		return;
	if (frame_finish(&out, f.flags) == -1 || out.len != used ||
	    memcmp(out.block, bytes, used) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *fields;
	size_t nfields, used;
	struct frame f;

	if (n == 0)
		return 0;
	nfields = p[0] % 32;
	if (nfields > n - 1)
		nfields = n - 1;
	fields = p + 1;
	p += 1 + nfields;
	n -= 1 + nfields;
	while (frame_parse(p, n, &f, &used) == 1) {
		if (used > n || used < FRAME_HEAD)
			abort();
		one_frame(f, fields, nfields, p, used);
		p += used;
		n -= used;
	}
	return 0;
}
