/*
 * The file of grants: whatever stands in it, what is loaded are grants with
 * an end, and what is saved of them loads again to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/str.h"
#include "server/grants.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct grants *g, struct stamp now)
{
	if (grants_count(g) > GRANTS_MAX)
		abort();
	for (size_t i = 0; i < grants_count(g); i++) {
		const struct grant *x = grants_at(g, i);

		if (grants_left_ms(x, now) > GRANTS_MOST_MS ||
		    x->role > ROLE_OPERATOR || !str_is_name(x->user) ||
		    grants_find(g, x->user, x->console) != x)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct stamp now = { INT64_C(1795340463000000), { 1000000 } };
	char *text = malloc(n + 1), *saved;
	struct grants *g = grants_new(), *again = grants_new();

	memcpy(text, p, n);
	text[n] = '\0';
	if (grants_load(g, text, "boot", now) != -1) {
		check(g, now);
		saved = grants_save(g, "boot", now);
		if (grants_load(again, saved, "boot", now) != 0 ||
		    grants_count(again) != grants_count(g))
			abort();
		check(again, now);
		free(saved);
	}
	grants_free(g);
	grants_free(again);
	free(text);
	return 0;
}
