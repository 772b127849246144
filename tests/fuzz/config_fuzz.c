/*
 * Configuration: any text is either refused with at least one message, each
 * of them one line that begins with the name and is safe on a terminal; or
 * what is printed of it is read back as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "server/base/mem.h"
#include "server/base/str.h"
#include "server/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
on_message(void *arg, const char *message)
{
	unsigned *n = arg;

	++*n;
	if (strncmp(message, "f:", 2) != 0)
		abort();
	for (const char *p = message; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			abort();
	}
}

static struct config *
read_it(const char *text)
{
	unsigned n = 0;
	struct config *c = config_parse(text, "f", on_message, &n);

	if ((c == NULL) != (n > 0))
		abort();
	return c;
}

static void
check_print(const struct config *c, bool merged)
{
	char *text = config_print(c, merged), *again;
	struct config *d = read_it(text);

	if (d == NULL)
		abort();
	again = config_print(d, merged);
	if (strcmp(text, again) != 0)
		abort();
	free(text);
	free(again);
	config_free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *text = xstrndup((const char *)p, n);
	struct config *c = read_it(text);

	if (c != NULL) {
		check_print(c, false);
		check_print(c, true);
	}
	config_free(c);
	free(text);
	return 0;
}
