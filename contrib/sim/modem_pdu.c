#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../../server/base/str.h"
#include "modem_pdu.h"

#define OCTETS (PDU_HEX / 2 - 1)
#define TEXT_MAX 1280		/* characters of a text, at most */
#define ESC 0x1b
#define CENTRE "0791346604000000"	/* its SMS centre: +436640000000 */

/* GSM 7-bit default alphabet, as Unicode. */
static const uint16_t alphabet[128] = {
	'@', 0xa3, '$', 0xa5, 0xe8, 0xe9, 0xf9, 0xec, 0xf2, 0xc7, '\n', 0xd8,
	0xf8, '\r', 0xc5, 0xe5, 0x394, '_', 0x3a6, 0x393, 0x39b, 0x3a9, 0x3a0,
	0x3a8, 0x3a3, 0x398, 0x39e, 0xfffd, 0xc6, 0xe6, 0xdf, 0xc9, ' ', '!',
	'"', '#', 0xa4, '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.',
	'/', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<',
	'=', '>', '?', 0xa1, 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I',
	'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W',
	'X', 'Y', 'Z', 0xc4, 0xd6, 0xd1, 0xdc, 0xa7, 0xbf, 'a', 'b', 'c',
	'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q',
	'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 0xe4, 0xf6, 0xf1, 0xfc,
	0xe0,
};

static const struct {
	uint8_t septet;
	uint16_t character;
} extension[] = {
	{ 0x14, '^' }, { 0x28, '{' }, { 0x29, '}' }, { 0x2f, '\\' },
	{ 0x3c, '[' }, { 0x3d, '~' }, { 0x3e, ']' }, { 0x40, '|' },
	{ 0x65, 0x20ac },
};

#define NEXTENSION (sizeof(extension) / sizeof(extension[0]))

/* Octets in the making, or being read; overrun of either is remembered. */
struct octets {
	size_t n, at;
	bool bad;
	uint8_t p[OCTETS];
};

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789ABCDEFabcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	if (at == NULL)
		return -1;
	return (int)(at - digits < 16 ? at - digits : at - digits - 6);
}

static int
octets_read(struct octets *o, const char *hex)
{
	size_t n = strlen(hex);

	memset(o, 0, sizeof(*o));
	if (n % 2 != 0 || n >= PDU_HEX)
		return -1;
	for (; o->n < n / 2; o->n++) {
		int high = hex_digit(hex[2 * o->n]);
		int low = hex_digit(hex[2 * o->n + 1]);

		if (high == -1 || low == -1)
			return -1;
		o->p[o->n] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static unsigned
take(struct octets *o)
{
	if (o->at >= o->n) {
		o->bad = true;
		return 0;
	}
	return o->p[o->at++];
}

static void
skip(struct octets *o, size_t n)
{
	if (n > o->n - o->at)
		o->bad = true;
	else
		o->at += n;
}

static void
put(struct octets *o, unsigned c)
{
	if (o->n == sizeof(o->p))
		o->bad = true;
	else
		o->p[o->n++] = (uint8_t)c;
}

int
pdu_check(const char *hex, size_t *tpdu)
{
	struct octets o;
	size_t centre;

	if (octets_read(&o, hex) == -1 || o.n == 0)
		return -1;
	centre = 1u + o.p[0];
	if (centre >= o.n)
		return -1;
	if (tpdu != NULL)
		*tpdu = o.n - centre;
	return 0;
}

enum pdu_kind
pdu_kind(const char *hex)
{
	static const enum pdu_kind kinds[] = { PDU_DELIVER, PDU_OTHER,
	    PDU_REPORT, PDU_OTHER };
	struct octets o;

	if (octets_read(&o, hex) == -1 || o.n == 0 || 1u + o.p[0] >= o.n)
		return PDU_OTHER;
	return kinds[o.p[1 + o.p[0]] & 3];
}

/* UTF-8 to characters; their number, -1 when it is not, or too long. */
static int
characters(uint32_t *dst, const char *text)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t left = strlen(text);
	int n = 0, length;

	while (left > 0) {
		uint32_t c = *p;

		length = str_utf8(p, left);
		if (length <= 0 || n == TEXT_MAX)
			return -1;
		if (length > 1)
			c &= 0x7fu >> length;
		for (int i = 1; i < length; i++)
			c = c << 6 | (p[i] & 0x3f);
		dst[n++] = c;
		p += length;
		left -= (size_t)length;
	}
	return n;
}

/* Septets for one character, at most two; 0: it has none. */
static int
septets_of(uint32_t c, uint8_t dst[2])
{
	for (uint8_t i = 0; i < 128; i++) {
		if (alphabet[i] == c && i != ESC) {
			dst[0] = i;
			return 1;
		}
	}
	for (size_t i = 0; i < NEXTENSION; i++) {
		if (extension[i].character == c) {
			dst[0] = ESC;
			dst[1] = extension[i].septet;
			return 2;
		}
	}
	return 0;
}

/*
 * Text as units: septets, or UTF-16 in *ucs2.  Their number, -1 when there
 * are too many.
 */
static int
units_of(const char *text, uint16_t *dst, bool *ucs2)
{
	uint32_t c[TEXT_MAX];
	uint8_t s[2];
	int count = characters(c, text), n = 0, k;

	*ucs2 = false;
	for (int i = 0; i < count; i++) {
		if (septets_of(c[i], s) == 0)
			*ucs2 = true;
	}
	for (int i = 0; i < count; i++) {
		if (!*ucs2) {
			k = septets_of(c[i], s);
			for (int j = 0; j < k; j++)
				dst[n++] = s[j];
		} else if (c[i] >= 0x10000) {
			dst[n++] = (uint16_t)(0xd7c0 + (c[i] >> 10));
			dst[n++] = (uint16_t)(0xdc00 | (c[i] & 0x3ff));
		} else {
			dst[n++] = (uint16_t)c[i];
		}
	}
	return count == -1 ? -1 : n;
}

/* Pack septets behind fill bits. */
static void
put_septets(struct octets *o, const uint16_t *s, size_t n, unsigned fill)
{
	uint32_t bits = 0;
	unsigned have = fill;

	for (size_t i = 0; i < n; i++) {
		bits |= (uint32_t)s[i] << have;
		have += 7;
		if (have >= 8) {
			put(o, bits & 0xff);
			bits >>= 8;
			have -= 8;
		}
	}
	if (have > 0)
		put(o, bits & 0xff);
}

static void
put_digits(struct octets *o, const char *digits)
{
	size_t n = strlen(digits);

	for (size_t i = 0; i < n; i += 2)
		put(o, (unsigned)(digits[i] - '0') |
		    (i + 1 < n ? (unsigned)(digits[i + 1] - '0') : 15u) << 4);
}

/* A number or a name.  -1 when it is neither. */
static int
put_sender(struct octets *o, const char *sender)
{
	const char *digits = sender + (*sender == '+');
	uint16_t name[TEXT_MAX * 2];
	bool ucs2;
	int n;

	if (*digits == '\0')
		return -1;
	if (digits[strspn(digits, "0123456789")] == '\0') {
		if (strlen(digits) > 20)
			return -1;
		put(o, (unsigned)strlen(digits));
		put(o, *sender == '+' ? 0x91 : 0x81);
		put_digits(o, digits);
		return 0;
	}
	n = units_of(sender, name, &ucs2);
	if (n < 1 || n > 11 || ucs2)
		return -1;
	put(o, (unsigned)(n * 7 + 3) / 4);
	put(o, 0xd0);
	put_septets(o, name, (size_t)n, 0);
	return 0;
}

static void
put_time(struct octets *o, int64_t utc)
{
	time_t t = (time_t)utc;
	struct tm tm;
	int fields[6];

	gmtime_r(&t, &tm);
	fields[0] = tm.tm_year % 100;
	fields[1] = tm.tm_mon + 1;
	fields[2] = tm.tm_mday;
	fields[3] = tm.tm_hour;
	fields[4] = tm.tm_min;
	fields[5] = tm.tm_sec;
	for (int i = 0; i < 6; i++)
		put(o, (unsigned)(fields[i] / 10 | fields[i] % 10 << 4));
	put(o, 0);
}

static void
octets_write(const struct octets *o, char out[PDU_HEX])
{
	for (size_t i = 0; i < o->n; i++)
		snprintf(out + 2 * i, 3, "%02X", o->p[i]);
}

/* What all parts of one text have in common. */
struct message {
	const char *sender;
	int64_t utc;
	unsigned ref;
	bool ucs2;
	size_t parts;
};

/* One part with n of the text's units.  -1: the sender is impossible. */
static int
make_part(char out[PDU_HEX], const struct message *m, size_t part,
    const uint16_t *units, size_t n)
{
	struct octets o = { .n = 0 };
	size_t head = m->parts > 1 ? 6 : 0;	/* octets of the user header */

	octets_read(&o, CENTRE);
	o.at = 0;
	put(&o, m->parts > 1 ? 0x44 : 0x04);
	if (put_sender(&o, m->sender) == -1)
		return -1;
	put(&o, 0);
	put(&o, m->ucs2 ? 8 : 0);
	put_time(&o, m->utc);
	put(&o, (unsigned)(m->ucs2 ? head + 2 * n : (head * 8 + 6) / 7 + n));
	if (head > 0) {
		const unsigned udh[6] = { 5, 0, 3, m->ref & 0xff,
		    (unsigned)m->parts, (unsigned)part + 1 };

		for (size_t i = 0; i < head; i++)
			put(&o, udh[i]);
	}
	if (!m->ucs2)
		put_septets(&o, units, n, head > 0 ? 1 : 0);
	for (size_t i = 0; m->ucs2 && i < n; i++) {
		put(&o, units[i] >> 8);
		put(&o, units[i] & 0xff);
	}
	octets_write(&o, out);
	return o.bad ? -1 : 0;
}

/* How many units go into the next part: pairs are not torn apart. */
static size_t
part_units(const struct message *m, const uint16_t *u, size_t left,
    size_t room)
{
	size_t n = left < room ? left : room;

	if (n == left)
		return n;
	if (m->ucs2 ? (u[n] & 0xfc00) == 0xdc00 : u[n - 1] == ESC)
		n--;
	return n;
}

size_t
pdu_deliver(char out[PDU_PARTS][PDU_HEX], const char *sender,
    const char *text, int64_t utc, unsigned ref)
{
	struct message m = { .sender = sender, .utc = utc, .ref = ref };
	uint16_t units[TEXT_MAX * 2];
	int count = units_of(text, units, &m.ucs2);
	size_t left, at = 0, room, n;

	if (count == -1)
		return 0;
	left = (size_t)count;
	room = m.ucs2 ? 70 : 160;
	m.parts = 1;
	if (left > room) {
		room = m.ucs2 ? 67 : 153;
		m.parts = 0;
		for (size_t i = 0; i < left; m.parts++)
			i += part_units(&m, units + i, left - i, room);
	}
	if (m.parts > PDU_PARTS)
		return 0;
	for (size_t i = 0; i < m.parts; i++) {
		n = part_units(&m, units + at, left, room);
		if (make_part(out[i], &m, i, units + at, n) == -1)
			return 0;
		at += n;
		left -= n;
	}
	return m.parts;
}

/* UTF-8 of a character behind *n bytes, if it fits. */
static void
show_character(char dst[PDU_SHOWN], size_t *n, uint32_t c)
{
	if (*n + 5 > PDU_SHOWN)
		return;
	if (c < 0x80) {
		dst[(*n)++] = (char)c;
	} else if (c < 0x800) {
		dst[(*n)++] = (char)(0xc0 | c >> 6);
		dst[(*n)++] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		dst[(*n)++] = (char)(0xe0 | c >> 12);
		dst[(*n)++] = (char)(0x80 | (c >> 6 & 0x3f));
		dst[(*n)++] = (char)(0x80 | (c & 0x3f));
	} else {
		dst[(*n)++] = (char)(0xf0 | c >> 18);
		dst[(*n)++] = (char)(0x80 | (c >> 12 & 0x3f));
		dst[(*n)++] = (char)(0x80 | (c >> 6 & 0x3f));
		dst[(*n)++] = (char)(0x80 | (c & 0x3f));
	}
	dst[*n] = '\0';
}

static uint32_t
extended(unsigned septet)
{
	for (size_t i = 0; i < NEXTENSION; i++) {
		if (extension[i].septet == septet)
			return extension[i].character;
	}
	return alphabet[septet];
}

/* length septets from o->at, the first skip of them being a header. */
static void
show_septets(char dst[PDU_SHOWN], size_t *n, const struct octets *o,
    size_t length, size_t from)
{
	bool escaped = false;

	for (size_t i = from; i < length; i++) {
		size_t bit = i * 7, at = o->at + bit / 8;
		unsigned both, s;

		if (at >= o->n)
			return;
		both = o->p[at] | (at + 1 < o->n ? o->p[at + 1] : 0u) << 8;
		s = both >> bit % 8 & 0x7f;
		if (s == ESC && !escaped) {
			escaped = true;
			continue;
		}
		show_character(dst, n, escaped ? extended(s) : alphabet[s]);
		escaped = false;
	}
}

static void
show_utf16(char dst[PDU_SHOWN], size_t *n, const struct octets *o, size_t from,
    size_t to)
{
	uint32_t high = 0;

	for (size_t i = o->at + from; i + 1 < o->at + to && i + 1 < o->n;
	    i += 2) {
		uint32_t u = (uint32_t)o->p[i] << 8 | o->p[i + 1];

		if ((u & 0xfc00) == 0xd800) {
			high = u;
			continue;
		}
		if (high != 0 && (u & 0xfc00) == 0xdc00)
			u = 0x10000 + ((high & 0x3ff) << 10 | (u & 0x3ff));
		high = 0;
		show_character(dst, n, u);
	}
}

static void
show_address(char dst[PDU_SHOWN], size_t *n, struct octets *o)
{
	unsigned digits = take(o), type = take(o), c = 0;

	if ((type & 0x70) == 0x10)
		show_character(dst, n, '+');
	for (unsigned i = 0; i < digits; i++) {
		c = i % 2 == 0 ? take(o) : c >> 4;
		show_character(dst, n, (uint32_t)"0123456789*#abc?"[c & 15]);
	}
	show_character(dst, n, ':');
	show_character(dst, n, ' ');
}

char *
pdu_show(char dst[PDU_SHOWN], const char *hex)
{
	static const size_t validity[] = { 0, 7, 1, 7 };
	struct octets o;
	unsigned first, dcs, length, head = 0;
	size_t n = 0;

	dst[0] = '\0';
	if (octets_read(&o, hex) == -1)
		o.bad = true;
	skip(&o, take(&o));
	first = take(&o);
	if (o.bad || (first & 3) != 1) {
		snprintf(dst, PDU_SHOWN, "(not a SUBMIT)");
		return dst;
	}
	take(&o);
	show_address(dst, &n, &o);
	take(&o);
	dcs = take(&o);
	skip(&o, validity[first >> 3 & 3]);
	length = take(&o);
	if ((first & 0x40) && o.at < o.n)
		head = 1u + o.p[o.at];
	if (o.bad)
		snprintf(dst, PDU_SHOWN, "(a broken SUBMIT)");
	else if ((dcs & 0x0c) == 0x08)
		show_utf16(dst, &n, &o, head, length);
	else
		show_septets(dst, &n, &o, length, (head * 8 + 6) / 7);
	return dst;
}
