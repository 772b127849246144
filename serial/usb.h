/*
 * usb: a tty by what it is instead of where it happens to be:
 * "usb:VID:PID[:SERIAL][:IF]", VID and PID hexadecimal, IF the number of the
 * interface (Linux: bInterfaceNumber, hexadecimal; FreeBSD: the number of the
 * port where a driver makes several of one device, else the interface).
 */
#ifndef SERIAL_USB_H
#define SERIAL_USB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USB_SERIAL 64
#define USB_TEXT 96

struct usb_id {
	uint16_t vid, pid;
	int iface;			/* -1: any */
	char serial[USB_SERIAL];	/* "": any */
};

/* Does this device name begin with "usb:"? */
bool usb_is_spec(const char *device);

/*
 * Parse the text.  0 or -1.  SERIAL may be empty ("usb:0403:6001::1"); one
 * that holds a ':' needs IF or a ':' at the end.  Pure.
 */
int usb_parse(struct usb_id *, const char *text);

/* "0403:6001:A50285BI:0", always terminated.  Returns dst. */
char *usb_text(char dst[USB_TEXT], const struct usb_id *);

/* Is found (all fields known) what want asks for?  Pure. */
bool usb_match(const struct usb_id *want, const struct usb_id *found);

/*
 * One word of FreeBSD's "vendor=0x0403 ... sernum=\"A5\"" lists: the value of
 * key without quotes.  0, or -1 when it is not there or too long.  Pure.
 */
int usb_word(const char *list, const char *key, char *dst, size_t size);

/*
 * Gathers what was found while looking for want (internal to usb_*.c).
 * A usb_search starts as { .want = w }.
 */
struct usb_search {
	const struct usb_id *want;
	unsigned count;
	char path[2][64];
};
void usb_found(struct usb_search *, const char *path, const struct usb_id *);

/* The end of a search: as usb_find. */
int usb_result(const struct usb_search *, char *path, size_t size, char *err,
    size_t errsize);

/*
 * Where is it now?  0 and path, or -1 with err and errno: ENODEV, not there;
 * EEXIST, several fit (err names two).  root: "" (tests: another /sys).
 */
int usb_find(const char *root, const struct usb_id *, char *path, size_t size,
    char *err, size_t errsize);

/* What is at this tty (links resolved)?  0, or -1: not a USB device. */
int usb_describe(const char *root, const char *path, struct usb_id *);

#endif
