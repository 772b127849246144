#include <stdlib.h>
#include <string.h>

#include "../server/base/mem.h"
#include "strip.h"
#include "tail.h"

#define LINE_BYTES 4096		/* a longer line counts as several */

/* The last `want` bytes of the history; *n of them, ending at *end. */
static uint8_t *
newest(const struct history *h, size_t want, size_t *n, uint64_t *end)
{
	uint8_t *p = xmalloc(want + 1);
	uint64_t from;
	ssize_t got;

	do {
		*end = history_head(h);
		from = history_tail(h);
		if (*end - from > want)
			from = *end - want;
		got = history_read(h, from, p, (size_t)(*end - from));
	} while (got == -1);	/* only while it is being overwritten */
	*n = (size_t)got;
	return p;
}

/* Where the last `lines` lines begin. */
static size_t
find_start(const uint8_t *p, size_t n, unsigned lines)
{
	size_t at = n;

	/* The end of the last line does not begin another one. */
	if (at > 0 && p[at - 1] == '\n')
		at--;
	while (at > 0) {
		if (p[at - 1] == '\n' && --lines == 0)
			break;
		at--;
	}
	return at;
}

static char *
as_text(const uint8_t *p, size_t n)
{
	size_t room = n * 8 + 4 * (n / 2 + 2) + 16, used = 0, len;
	char *out = xmalloc(room);

	while (n > 0) {
		const uint8_t *lf = memchr(p, '\n', n);
		size_t line = lf == NULL ? n : (size_t)(lf - p);

		if (line > LINE_BYTES) {
			line = LINE_BYTES;
			lf = NULL;
		}
		len = line;
		if (lf != NULL && len > 0 && p[len - 1] == '\r')
			len--;
		used += strip_line(p, len, out + used, room - used);
		if (lf != NULL || line < n) {
			out[used++] = '\r';
			out[used++] = '\n';
		}
		line += lf != NULL;
		p += line;
		n -= line;
	}
	out[used] = '\0';
	return out;
}

char *
tail_text(const struct history *h, unsigned lines, bool raw, uint64_t *end)
{
	size_t n, start;
	uint8_t *p;
	char *text;

	if (lines > TAIL_LINES_MAX)
		lines = TAIL_LINES_MAX;
	p = newest(h, history_size(h) / 2, &n, end);
	start = lines == 0 ? n : find_start(p, n, lines);
	if (raw) {
		p[n] = '\0';
		memmove(p, p + start, n - start + 1);
		return (char *)p;
	}
	text = as_text(p + start, n - start);
	free(p);
	return text;
}
