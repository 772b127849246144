/* Names of USB devices: what parses prints as what parses to the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serial/usb.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_text(const struct usb_id *id)
{
	char text[USB_TEXT], again[USB_TEXT + 8];
	struct usb_id other;

	snprintf(again, sizeof(again), "usb:%s%s", usb_text(text, id),
	    id->iface == -1 && id->serial[0] != '\0' ? ":" : "");
	if (usb_parse(&other, again) == -1 || !usb_match(id, &other) ||
	    other.iface != id->iface || strcmp(other.serial, id->serial) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1), word[16];
	struct usb_id id;

	if (text == NULL)
		abort();
	memcpy(text, data, n);
	text[n] = '\0';
	if (usb_parse(&id, text) == 0)
		check_text(&id);
	usb_word(text, "sernum", word, sizeof(word));
	usb_word(text, "vendor", word, sizeof(word));
	free(text);
	return 0;
}
