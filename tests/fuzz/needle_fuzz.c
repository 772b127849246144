/*
 * Literals of an expression: whatever regexec(3) finds has them.
 */
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serial/needle.h"

#define ERE_MAX 32		/* long ones take regcomp(3) too long */
#define TEXT_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
look(const char *ere, const char *text, bool fold)
{
	struct needle s;
	regex_t re;

	if (regcomp(&re, ere, REG_EXTENDED | REG_NOSUB |
	    (fold ? REG_ICASE : 0)) != 0)
		return;
	needle_make(&s, ere, fold);
	if (regexec(&re, text, 0, NULL, 0) == 0 && s.count > 0 &&
	    (needle_find(&s, text, strlen(text)) == NULL ||
	    !needle_has_all(&s, text, strlen(text))))
		abort();
	regfree(&re);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char ere[ERE_MAX + 1], text[TEXT_MAX + 1];
	const uint8_t *zero = memchr(p, 0, n);
	size_t len = zero == NULL ? n : (size_t)(zero - p);
	size_t rest = zero == NULL ? 0 : n - len - 1;

	if (len > ERE_MAX)
		return 0;
	rest = rest > TEXT_MAX ? TEXT_MAX : rest;
	memcpy(ere, p, len);
	ere[len] = '\0';
	memcpy(text, p + n - rest, rest);
	text[rest] = '\0';
	needle_make(&(struct needle){ .count = 0 }, ere, false);
	/* Big counts and references back are slow in the library itself. */
	if (needle_problem(ere) != NULL || strpbrk(ere, "{\\") != NULL)
		return 0;
	look(ere, text, false);
	look(ere, text, true);
	return 0;
}
