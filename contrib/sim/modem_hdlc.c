#include "modem_hdlc.h"

#define FLAG 0x7e
#define ESCAPE 0x7d
#define FCS_INIT 0xffff
#define FCS_GOOD 0xf0b8

static uint16_t
fcs_add(uint16_t fcs, uint8_t c)
{
	fcs ^= c;
	for (int i = 0; i < 8; i++)
		fcs = (uint16_t)(fcs & 1 ? fcs >> 1 ^ 0x8408 : fcs >> 1);
	return fcs;
}

static bool
is_sound(const struct hdlc *h)
{
	uint16_t fcs = FCS_INIT;

	if (h->overrun || h->escaped || h->n < 4)
		return false;
	for (size_t i = 0; i < h->n; i++)
		fcs = fcs_add(fcs, h->frame[i]);
	return fcs == FCS_GOOD;
}

bool
hdlc_take(struct hdlc *h, uint8_t c, const uint8_t **frame, size_t *n)
{
	bool sound;

	if (c == FLAG) {
		sound = is_sound(h);
		*frame = h->frame;
		*n = sound ? h->n - 2 : 0;
		h->n = 0;
		h->escaped = h->overrun = false;
		return sound;
	}
	if (c == ESCAPE) {
		h->escaped = true;
		return false;
	}
	if (h->escaped)
		c ^= 0x20;
	h->escaped = false;
	if (h->n == sizeof(h->frame))
		h->overrun = true;
	else
		h->frame[h->n++] = c;
	return false;
}

static size_t
put(uint8_t *out, size_t at, uint8_t c)
{
	if (c >= 0x20 && c != FLAG && c != ESCAPE) {
		out[at] = c;
		return at + 1;
	}
	out[at] = ESCAPE;
	out[at + 1] = c ^ 0x20;
	return at + 2;
}

size_t
hdlc_make(uint8_t out[HDLC_WIRE], uint16_t protocol, const uint8_t *payload,
    size_t n)
{
	const uint8_t head[4] = { 0xff, 0x03, (uint8_t)(protocol >> 8),
	    (uint8_t)protocol };
	uint16_t fcs = FCS_INIT;
	size_t at = 0;

	if (n > HDLC_MAX - 8)
		n = HDLC_MAX - 8;
	out[at++] = FLAG;
	for (size_t i = 0; i < sizeof(head) + n; i++) {
		uint8_t c = i < sizeof(head) ? head[i] :
		    payload[i - sizeof(head)];

		fcs = fcs_add(fcs, c);
		at = put(out, at, c);
	}
	fcs ^= 0xffff;
	at = put(out, at, (uint8_t)fcs);
	at = put(out, at, (uint8_t)(fcs >> 8));
	out[at++] = FLAG;
	return at;
}
