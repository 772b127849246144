#include <string.h>

#include "parmrk.h"

#define MARK 0xff

/* One byte that follows an unfinished mark. */
static size_t
finish_mark(struct parmrk *m, uint8_t c, uint8_t *out)
{
	if (m->seen == 1 && c == 0) {
		m->seen = 2;
		return 0;
	}
	if (m->seen == 2) {
		m->seen = 0;
		if (c == 0) {
			m->breaks++;
			return 0;
		}
		m->errors++;
		out[0] = c;
		return 1;
	}
	m->seen = 0;
	out[0] = MARK;
	if (c == MARK)
		return 1;
	/* The line was not marking when this came: lose nothing. */
	out[1] = c;
	return 2;
}

size_t
parmrk_decode(struct parmrk *m, const uint8_t *in, size_t n, uint8_t *out)
{
	const uint8_t *end = in + n, *mark;
	size_t got = 0, run;

	while (in < end) {
		if (m->seen != 0) {
			got += finish_mark(m, *in++, out + got);
			continue;
		}
		mark = memchr(in, MARK, (size_t)(end - in));
		run = (size_t)((mark == NULL ? end : mark) - in);
		memcpy(out + got, in, run);
		got += run;
		in += run;
		if (mark != NULL) {
			m->seen = 1;
			in++;
		}
	}
	return got;
}
