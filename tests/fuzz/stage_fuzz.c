/*
 * The terminal of a replay: what reaches it is only what strip_screen lets
 * through, margins never reach the last line, and going through and showing
 * is within bounds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serial/stage.h"

#define ROWS 24

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
take(void *arg, int stream, const void *data, size_t n)
{
	const char *p = data, *e = p + n;
	unsigned top, bottom;
	char end;

	(void)arg;
	(void)stream;
	for (const char *c = p; c < e; c++) {
		char copy[32] = "";

		if (*c == 0x05)
			abort();
		if (*c != 0x1b)
			continue;
		memcpy(copy, c, (size_t)(e - c) < sizeof(copy) - 1 ?
		    (size_t)(e - c) : sizeof(copy) - 1);
		if (strchr("]P^_X", copy[1]) != NULL && copy[1] != '\0')
			abort();
		if (sscanf(copy, "\x1b[%u;%u%c", &top, &bottom, &end) == 3 &&
		    end == 'r' && bottom >= ROWS)
			abort();
	}
	return 0;
}

static int
no_key(void *arg, int64_t ms)
{
	(void)arg;
	(void)ms;
	return VIEW_TIMEOUT;
}

static void
size(void *arg, unsigned *columns, unsigned *rows)
{
	(void)arg;
	*columns = 80;
	*rows = ROWS;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct view_ops ops = { take, no_key, size };
	struct view v = { .ops = &ops, .tty = true };
	struct stage *s = stage_new(&v, false);

	stage_open(s);
	stage_write(s, p, n);
	stage_status(s, "status");
	stage_rewind(s);
	for (size_t i = 0; i < 4; i++)
		stage_feed(s, p, n);
	stage_show(s);
	stage_close(s);
	stage_free(s);
	return 0;
}
