#include <string.h>

#include "sender.h"

#define DIGITS_MIN 7
#define DIGITS_MAX 15

/* Type of address: international; numbering plan ISDN, or left unsaid. */
#define TOA_INTERNATIONAL 0x90
#define TOA_INTERNATIONAL_ISDN 0x91

bool
sender_is_e164(const char *s)
{
	size_t n = strlen(s);

	return n >= 1 + DIGITS_MIN && n <= 1 + DIGITS_MAX && s[0] == '+' &&
	    s[1] != '0' && strspn(s + 1, "0123456789") == n - 1;
}

int
sender_find(const char *const *list, size_t n, uint8_t toa, const char *text)
{
	if ((toa != TOA_INTERNATIONAL && toa != TOA_INTERNATIONAL_ISDN) ||
	    !sender_is_e164(text))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i], text) == 0)
			return (int)i;
	}
	return -1;
}
