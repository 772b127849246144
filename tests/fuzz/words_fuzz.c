/*
 * Words: splitting never reads or writes beyond its bounds, and what was
 * split and joined splits again to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *text = malloc(n + 1), *joined;
	struct words a, b;
	const char *why = NULL;

	memcpy(text, p, n);
	text[n] = '\0';
	if (words_split(&a, text, &why) == -1) {
		if (why == NULL || a.store != NULL)
			abort();
		free(text);
		return 0;
	}
	if (a.argc > ARGS_MAX || a.argv[a.argc] != NULL)
		abort();
	joined = words_join(a.argc, a.argv);
	if (joined != NULL) {
		if (words_split(&b, joined, &why) == -1 || b.argc != a.argc)
			abort();
		for (int i = 0; i < a.argc; i++) {
			if (strcmp(a.argv[i], b.argv[i]) != 0)
				abort();
		}
		words_free(&b);
		free(joined);
	}
	words_free(&a);
	free(text);
	return 0;
}
