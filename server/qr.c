#include <stdlib.h>
#include <string.h>

#include <qrencode.h>

#include "base/mem.h"
#include "qr.h"

#define QUIET 4			/* modules, as the standard asks */
#define CELL_MAX 4		/* bytes of a character */
#define COLOUR_ON "\033[38;5;231;48;5;16m"
#define COLOUR_OFF "\033[0m"

static bool
is_light(const QRcode *q, int x, int y)
{
	if (x < 0 || y < 0 || x >= q->width || y >= q->width)
		return true;
	return (q->data[y * q->width + x] & 1) == 0;
}

static char *
put(char *p, const char *s)
{
	size_t n = strlen(s);

	memcpy(p, s, n);
	return p + n;
}

static char *
put_row(char *p, const QRcode *q, int y, bool colour)
{
	static const char *const cells[] = {
		" ", "\xe2\x96\x84", "\xe2\x96\x80", "\xe2\x96\x88",
	};

	if (colour)
		p = put(p, COLOUR_ON);
	for (int x = -QUIET; x < q->width + QUIET; x++)
		p = put(p, cells[is_light(q, x, y) * 2 +
		    is_light(q, x, y + 1)]);
	if (colour)
		p = put(p, COLOUR_OFF);
	return put(p, "\n");
}

char *
qr_text(const char *text, bool colour)
{
	QRcode *q = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
	size_t side, row;
	char *out, *p;

	if (q == NULL)
		return NULL;
	side = (size_t)q->width + 2 * QUIET;
	row = side * CELL_MAX + sizeof(COLOUR_ON) + sizeof(COLOUR_OFF) + 1;
	p = out = xmalloc((side / 2 + 1) * row + 1);
	for (int y = -QUIET; y < q->width + QUIET; y += 2)
		p = put_row(p, q, y, colour);
	*p = '\0';
	explicit_bzero(q->data, (size_t)q->width * (size_t)q->width);
	QRcode_free(q);
	return out;
}
