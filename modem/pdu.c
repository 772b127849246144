#include <stdio.h>
#include <string.h>

#include "pdu_internal.h"

#define CENTURY_PIVOT 90	/* there were no short messages before 1990 */

static int
hex_value(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *p = c == '\0' ? NULL : strchr(digits, c);

	return p == NULL ? -1 : (int)((p - digits) & 15);
}

int
pdu_from_hex(uint8_t *dst, size_t size, const char *hex, size_t n,
    const char **why)
{
	if (n == 0) {
		*why = "nothing there";
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		int v = hex_value(hex[i]);

		if (v == -1) {
			*why = "not a string of hexadecimal digits";
			return -1;
		}
		if (i / 2 >= size) {
			*why = "longer than any short message";
			return -1;
		}
		dst[i / 2] = (uint8_t)(i % 2 == 0 ? v << 4 : dst[i / 2] | v);
	}
	if (n % 2 != 0) {
		*why = "an odd number of hexadecimal digits";
		return -1;
	}
	return (int)(n / 2);
}

char *
pdu_to_hex(char *dst, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		dst[2 * i] = digits[p[i] >> 4];
		dst[2 * i + 1] = digits[p[i] & 15];
	}
	dst[2 * n] = '\0';
	return dst;
}

int
pdu_decode_hex(struct pdu *m, const char *hex, size_t n, const char **why)
{
	/* Modems pad up to a whole SIM record of 176 octets, some further. */
	uint8_t octets[PDU_MAX + 66];
	int len = pdu_from_hex(octets, sizeof(octets), hex, n, why);

	return len == -1 ? -1 : pdu_decode(m, octets, (size_t)len, why);
}

/* 3GPP TS 23.038, 4. */
void
pdu_apply_dcs(struct pdu *m)
{
	static const enum pdu_alphabet general[4] = {
		PDU_GSM7, PDU_8BIT, PDU_UCS2, PDU_GSM7
	};

	m->alphabet = PDU_GSM7;
	m->compressed = false;
	m->msg_class = -1;
	switch (m->dcs >> 4) {
	case 0: case 1: case 2: case 3: case 4: case 5: case 6: case 7:
		m->alphabet = general[m->dcs >> 2 & 3];
		m->compressed = (m->dcs & 0x20) != 0;
		if (m->dcs & 0x10)
			m->msg_class = m->dcs & 3;
		break;
	case 14:	/* message waiting, in UCS-2 */
		m->alphabet = PDU_UCS2;
		break;
	case 15:
		if (m->dcs & 0x04)
			m->alphabet = PDU_8BIT;
		m->msg_class = m->dcs & 3;
		break;
	default:	/* reserved, or message waiting */
		break;
	}
}

int
pdu_number(struct pdu_addr *a, const char *text)
{
	bool plus = text[0] == '+';
	size_t n = strlen(text + plus);

	if (n == 0 || n > DIGITS_MAX ||
	    strspn(text + plus, SEMI_DIGITS) != n)
		return -1;
	a->toa = plus ? 0x91 : 0x81;
	memcpy(a->text, text, plus + n + 1);
	return 0;
}

size_t
pdu_header_septets(size_t udh_len)
{
	return ((udh_len + 1) * 8 + 6) / 7;
}

/*
 * Times
 */

/* Swapped semi-octets; what is no digit counts as 0 (23.040, 9.2.3.11). */
static int
swapped(uint8_t octet)
{
	int tens = octet & 15, units = octet >> 4;

	return (tens > 9 ? 0 : tens * 10) + (units > 9 ? 0 : units);
}

static int
days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
	    30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool
is_time(const struct pdu_time *t)
{
	return t->month >= 1 && t->month <= 12 && t->day >= 1 &&
	    t->day <= days_in(t->year, t->month) && t->hour < 24 &&
	    t->minute < 60 && t->second < 60;
}

void
pdu_time_read(struct pdu_time *t, const uint8_t *p)
{
	int year = swapped(p[0]);

	memcpy(t->octets, p, sizeof(t->octets));
	t->year = year + (year >= CENTURY_PIVOT ? 1900 : 2000);
	t->month = swapped(p[1]);
	t->day = swapped(p[2]);
	t->hour = swapped(p[3]);
	t->minute = swapped(p[4]);
	t->second = swapped(p[5]);
	/* Bit 3, the highest of the tens, is the sign. */
	t->quarters = swapped(p[6] & 0xf7);
	if (p[6] & 0x08)
		t->quarters = -t->quarters;
	t->valid = is_time(t);
}

void
pdu_time_write(uint8_t *dst, const struct pdu_time *t)
{
	int zone = t->quarters < 0 ? -t->quarters : t->quarters;
	int fields[7] = { t->year % 100, t->month, t->day, t->hour, t->minute,
	    t->second, zone };

	for (int i = 0; i < 7; i++)
		dst[i] = (uint8_t)(fields[i] / 10 | fields[i] % 10 << 4);
	if (t->quarters < 0)
		dst[6] |= 0x08;
}

char *
pdu_time_text(char dst[PDU_TIME], const struct pdu_time *t)
{
	int zone = t->quarters < 0 ? -t->quarters : t->quarters;

	snprintf(dst, PDU_TIME, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d",
	    t->year % 10000, t->month % 100, t->day % 100, t->hour % 100,
	    t->minute % 100, t->second % 100, t->quarters < 0 ? '-' : '+',
	    zone / 4 % 100, zone % 4 * 15);
	return dst;
}

int64_t
pdu_time_utc(const struct pdu_time *t)
{
	int64_t days = 0;

	for (int y = 1970; y < t->year; y++)
		days += 337 + days_in(y, 2);
	for (int m = 1; m < t->month; m++)
		days += days_in(t->year, m);
	days += t->day - 1;
	return ((days * 24 + t->hour) * 60 + t->minute) * 60 + t->second -
	    (int64_t)t->quarters * 15 * 60;
}

/*
 * Validity periods, 23.040, 9.2.3.12
 */
#define MINUTE 60u
#define HOUR (60u * MINUTE)
#define DAY (24u * HOUR)

static const struct vp_range {
	uint8_t from, to;
	int shift;		/* (vp + shift) * step + start seconds */
	uint32_t step, start;
} vp_ranges[] = {
	{ 0, 143, 1, 5 * MINUTE, 0 },
	{ 144, 167, -143, 30 * MINUTE, 12 * HOUR },
	{ 168, 196, -166, DAY, 0 },
	{ 197, 255, -192, 7 * DAY, 0 },
};

#define VP_RANGES (sizeof(vp_ranges) / sizeof(vp_ranges[0]))

uint32_t
pdu_vp_seconds(uint8_t vp)
{
	const struct vp_range *r = vp_ranges;

	while (vp > r->to)
		r++;
	return r->start + (uint32_t)(vp + r->shift) * r->step;
}

uint8_t
pdu_vp_octet(uint32_t seconds)
{
	unsigned vp = 0;

	while (vp < 255 && pdu_vp_seconds((uint8_t)vp) < seconds)
		vp++;
	return (uint8_t)vp;
}

/*
 * Names
 */
const char *
pdu_type_text(enum pdu_type t)
{
	switch (t) {
	case PDU_DELIVER:
		return "DELIVER";
	case PDU_SUBMIT:
		return "SUBMIT";
	case PDU_STATUS_REPORT:
		return "STATUS-REPORT";
	}
	return "?";
}

const char *
pdu_alphabet_text(enum pdu_alphabet a)
{
	switch (a) {
	case PDU_GSM7:
		return "gsm7";
	case PDU_8BIT:
		return "8bit";
	case PDU_UCS2:
		return "ucs2";
	}
	return "?";
}
