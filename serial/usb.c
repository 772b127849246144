#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usb.h"

bool
usb_is_spec(const char *device)
{
	return strncmp(device, "usb:", 4) == 0;
}

/* Exactly the n bytes at s as a hexadecimal number of at most 4 digits. */
static int
hex(const char *s, size_t n, unsigned max, unsigned *out)
{
	char digits[5];

	if (n == 0 || n >= sizeof(digits))
		return -1;
	memcpy(digits, s, n);
	digits[n] = '\0';
	if (strspn(digits, "0123456789abcdefABCDEF") != n)
		return -1;
	*out = (unsigned)strtoul(digits, NULL, 16);
	return *out > max ? -1 : 0;
}

/* "SERIAL" or "SERIAL:IF"; both may be empty. */
static int
parse_rest(struct usb_id *id, const char *s)
{
	const char *colon = strrchr(s, ':');
	size_t n = colon == NULL ? strlen(s) : (size_t)(colon - s);
	unsigned iface;

	if (n >= sizeof(id->serial))
		return -1;
	memcpy(id->serial, s, n);
	id->serial[n] = '\0';
	if (colon == NULL || colon[1] == '\0')
		return 0;
	if (hex(colon + 1, strlen(colon + 1), 0xff, &iface) == -1)
		return -1;
	id->iface = (int)iface;
	return 0;
}

int
usb_parse(struct usb_id *id, const char *text)
{
	unsigned vid, pid;
	size_t n;

	memset(id, 0, sizeof(*id));
	id->iface = -1;
	if (!usb_is_spec(text))
		return -1;
	text += 4;
	n = strcspn(text, ":");
	if (text[n] == '\0' || hex(text, n, 0xffff, &vid) == -1)
		return -1;
	text += n + 1;
	n = strcspn(text, ":");
	if (hex(text, n, 0xffff, &pid) == -1)
		return -1;
	id->vid = (uint16_t)vid;
	id->pid = (uint16_t)pid;
	return text[n] == '\0' ? 0 : parse_rest(id, text + n + 1);
}

char *
usb_text(char dst[USB_TEXT], const struct usb_id *id)
{
	int n = snprintf(dst, USB_TEXT, "%04x:%04x", id->vid, id->pid);

	if (id->serial[0] != '\0' || id->iface != -1)
		n += snprintf(dst + n, USB_TEXT - (size_t)n, ":%s",
		    id->serial);
	if (id->iface != -1)
		snprintf(dst + n, USB_TEXT - (size_t)n, ":%x",
		    (unsigned)id->iface);
	return dst;
}

bool
usb_match(const struct usb_id *want, const struct usb_id *found)
{
	return want->vid == found->vid && want->pid == found->pid &&
	    (want->serial[0] == '\0' ||
	    strcmp(want->serial, found->serial) == 0) &&
	    (want->iface == -1 || want->iface == found->iface);
}

int
usb_word(const char *list, const char *key, char *dst, size_t size)
{
	size_t keylen = strlen(key), n;
	const char *p = list;

	/* A key begins a word; what is between quotes is no key. */
	for (;;) {
		p += strspn(p, " ");
		if (*p == '\0')
			return -1;
		if (strncmp(p, key, keylen) == 0 && p[keylen] == '=')
			break;
		while (*p != '\0' && *p != ' ')
			if (*p++ == '"') {
				p += strcspn(p, "\"");
				p += *p == '"';
			}
	}
	p += keylen + 1;
	if (*p == '"')
		n = strcspn(++p, "\"");
	else
		n = strcspn(p, " ");
	if (n >= size)
		return -1;
	memcpy(dst, p, n);
	dst[n] = '\0';
	return 0;
}

void
usb_found(struct usb_search *s, const char *path, const struct usb_id *found)
{
	if (!usb_match(s->want, found))
		return;
	if (s->count < 2)
		snprintf(s->path[s->count], sizeof(s->path[0]), "%s", path);
	s->count++;
}

int
usb_result(const struct usb_search *s, char *path, size_t size, char *err,
    size_t errsize)
{
	char text[USB_TEXT];

	usb_text(text, s->want);
	if (s->count == 0) {
		snprintf(err, errsize, "usb:%s: no such device is plugged in",
		    text);
		errno = ENODEV;
		return -1;
	}
	if (s->count > 1) {
		snprintf(err, errsize, "usb:%s: fits both %s and %s; add the "
		    "serial number or the interface", text, s->path[0],
		    s->path[1]);
		errno = EEXIST;
		return -1;
	}
	if ((size_t)snprintf(path, size, "%s", s->path[0]) >= size) {
		snprintf(err, errsize, "usb:%s: its path is too long", text);
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}
