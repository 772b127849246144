/*
 * The stripper: what comes out is text within its bound, nothing is swallowed
 * beyond the end of a line, and a stream is the same however it is cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serial/strip.h"
#include "server/base/str.h"

#define MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char out[STRIP_ROOM(MAX)];
static char whole[STRIP_SCREEN_ROOM(MAX)], pieces[STRIP_SCREEN_ROOM(MAX) + 16];

/* Valid UTF-8 without C1; escape: ESC and friends may be there. */
static void
check(const char *text, size_t n, int escape)
{
	const uint8_t *p = (const uint8_t *)text;

	for (size_t i = 0; i < n;) {
		int len = str_utf8(p + i, n - i);

		if (len <= 0 || (len == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0))
			abort();
		if (!escape && p[i] != '\t' && (p[i] < 0x20 || p[i] == 0x7f))
			abort();
		i += (size_t)len;
	}
}

static void
stream(const uint8_t *p, size_t n, bool plain)
{
	struct strip_screen s;
	size_t len, at = 0;

	strip_screen_init(&s, plain);
	len = strip_screen(&s, p, n, whole);
	if (len > sizeof(whole))
		abort();
	check(whole, len, 1);
	strip_screen_init(&s, plain);
	for (size_t i = 0; i < n; i++)
		at += strip_screen(&s, p + i, 1, pieces + at);
	if (at != len || memcmp(whole, pieces, len) != 0)
		abort();
	at = strip_screen(&s, "\nMARK\n", 6, pieces);
	if (at < 6 || memcmp(pieces + at - 6, "\nMARK\n", 6) != 0)
		abort();
	if (plain && memchr(whole, 0x1b, len) != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t len;

	if (n > MAX)
		n = MAX;
	len = strip_line(p, n, out, sizeof(out));
	if (len > 8 * n || out[len] != '\0')
		abort();
	check(out, len, 0);
	stream(p, n, false);
	stream(p, n, true);
	return 0;
}
