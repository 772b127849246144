/*
 * Escape keys: whatever is typed, in whatever pieces, every byte either
 * reaches the line in order, or was part of an escape.
 */
#include <stdlib.h>
#include <string.h>

#include "serial/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The bytes that a finished escape is made of, those given back aside. */
static size_t
eaten_by(enum keys_does does, uint8_t last, size_t fed, size_t nout)
{
	switch (does) {
	case KEYS_NOTHING:
		return 0;
	case KEYS_LITERAL:
		return 2;
	case KEYS_BREAK:
		return last == '0' ? 4 : 3;
	case KEYS_UNKNOWN:
		return fed - nout == 4 ? 4 : 3;
	default:
		return 3;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t out[KEYS_HELD_MAX];
	size_t nout, fed = 0;		/* since nothing was held back */
	struct keys k;

	if (n == 0)
		return 0;
	/* The first byte chooses the lead-in: none, ^E, or any control. */
	keys_init(&k, p[0] == 0xff ? KEYS_OFF : p[0] & 0x1f);
	for (size_t at = 1; at < n;) {
		size_t plain = keys_plain(&k, p + at, n - at);
		enum keys_does does;

		if (plain > n - at || (plain > 0 && keys_pending(&k)))
			abort();
		if (plain > 0) {
			at += plain;
			continue;
		}
		/* 0xfe stands for three seconds of silence. */
		if (p[at] == 0xfe && keys_pending(&k)) {
			at++;
			if (keys_flush(&k, out) != fed || out[0] != k.lead)
				abort();
			fed = 0;
			continue;
		}
		fed++;
		does = keys_byte(&k, p[at++], out, &nout);
		if (nout > fed || does > KEYS_UNKNOWN)
			abort();
		if (!keys_pending(&k)) {
			if (nout + eaten_by(does, p[at - 1], fed, nout) != fed)
				abort();
			fed = 0;
		} else {
			if (does != KEYS_NOTHING)
				abort();
			fed -= nout;
		}
	}
	return keys_flush(&k, out) == fed ? 0 : (abort(), 0);
}
