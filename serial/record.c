#include <assert.h>
#include <string.h>

#include "../server/base/str.h"
#include "record.h"

#define ONES UINT64_C(0x0101010101010101)
#define TOPS UINT64_C(0x8080808080808080)
#define UTC_LEN 27
#define UTC_MAX INT64_C(253402300799999999)	/* end of the year 9999 */

/* Escapes that have a letter of their own. */
static const struct {
	uint8_t byte;
	char letter;
} letters[] = {
	{ '\\', '\\' }, { '\r', 'r' }, { 0x1b, 'e' },
};

#define NLETTERS (sizeof(letters) / sizeof(letters[0]))

static_assert(72 + 4 * RECORD_BYTES + 16 * RECORD_NOTES + 3 <= RECORD_MAX,
    "the worst record fits");

/* ASCII that stands for itself. */
static bool
is_plain(uint8_t c)
{
	return (c >= 0x20 && c < 0x7f && c != '\\') || c == '\t';
}

/* Nonzero when one of the eight bytes is not plain (or is a tab). */
static uint64_t
odd_bytes(uint64_t w)
{
	uint64_t slash = w ^ (ONES * '\\'), del = w ^ (ONES * 0x7f);

	return (w | (w - ONES * 0x20) | ((slash - ONES) & ~slash) |
	    ((del - ONES) & ~del)) & TOPS;
}

/* Number of leading bytes that stand for themselves. */
static size_t
plain_run(const uint8_t *p, size_t n)
{
	size_t i = 0;
	uint64_t w;

	for (;;) {
		while (i + 8 <= n) {
			memcpy(&w, p + i, 8);
			if (odd_bytes(w) != 0)
				break;
			i += 8;
		}
		for (size_t end = i + 8; i < end; i++) {
			if (i == n || !is_plain(p[i]))
				return i;
		}
	}
}

static char *
put_num(char *o, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	memcpy(o, digits + n, sizeof(digits) - n);
	return o + sizeof(digits) - n;
}

/* "." and six digits. */
static char *
put_micros(char *o, uint32_t us)
{
	*o = '.';
	for (int i = 6; i > 0; i--) {
		o[i] = (char)('0' + us % 10);
		us /= 10;
	}
	return o + 7;
}

/* Years from 1970 to 9999 have a form; a clock that shows others is wrong. */
static int64_t
in_form(int64_t utc_us)
{
	return utc_us < 0 ? 0 : utc_us > UTC_MAX ? UTC_MAX : utc_us;
}

static char *
put_times(char *o, struct stamp when, struct record_clock *clock)
{
	int64_t utc = in_form(when.utc_us), sec = utc / 1000000;
	uint64_t mono = when.mono.us < 0 ? 0 : (uint64_t)when.mono.us;
	char text[STAMP_TEXT];

	if (!clock->known || clock->sec != sec) {
		stamp_text(text, sec * 1000000);
		memcpy(clock->text, text, 19);
		clock->sec = sec;
		clock->known = true;
	}
	memcpy(o, clock->text, 19);
	o = put_micros(o + 19, (uint32_t)(utc % 1000000));
	*o++ = 'Z';
	*o++ = ' ';
	o = put_num(o, mono / 1000000);
	o = put_micros(o, (uint32_t)(mono % 1000000));
	*o++ = ' ';
	return o;
}

static char *
put_escape(char *o, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";

	*o++ = '\\';
	for (size_t i = 0; i < NLETTERS; i++) {
		if (letters[i].byte == c) {
			*o++ = letters[i].letter;
			return o;
		}
	}
	*o++ = 'x';
	*o++ = hex[c >> 4];
	*o++ = hex[c & 15];
	return o;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool
is_hex_escape(const uint8_t *p, size_t n)
{
	return n >= 4 && p[0] == '\\' && p[1] == 'x' &&
	    hex_value((char)p[2]) != -1 && hex_value((char)p[3]) != -1;
}

/* Length of a character that may stand as it is, 0 when it may not. */
static size_t
utf8_len(const uint8_t *p, size_t n)
{
	int len;

	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	/* C1 controls are valid UTF-8, but terminals obey them. */
	if (p[0] == 0xc2 && n > 1 && p[1] < 0xa0)
		return 0;
	len = str_utf8(p, n);
	return len > 1 ? (size_t)len : 0;
}

static char *
put_payload(char *o, const uint8_t *p, size_t n, bool text)
{
	size_t i = 0, run;

	for (;;) {
		run = plain_run(p + i, n - i);
		memcpy(o, p + i, run);
		o += run;
		i += run;
		if (i == n)
			return o;
		run = p[i] < 0x80 ? 0 : utf8_len(p + i, n - i);
		if (run == 0 && text && is_hex_escape(p + i, n - i))
			run = 4;
		if (run == 0) {
			o = put_escape(o, p[i++]);
			continue;
		}
		memcpy(o, p + i, run);
		o += run;
		i += run;
	}
}

static char *
put_notes(char *o, const struct record *r)
{
	*o++ = '\\';
	*o++ = '@';
	for (size_t i = 0; i < r->nnotes; i++) {
		if (i > 0)
			*o++ = ',';
		o = put_num(o, r->notes[i].at);
		*o++ = ':';
		o = put_num(o, r->notes[i].ms);
	}
	return o;
}

size_t
record_encode(char *dst, const struct record *r, struct record_clock *clock)
{
	char *o = put_times(dst, r->stamp, clock);

	assert(r->n <= RECORD_BYTES && r->nnotes <= RECORD_NOTES);
	*o++ = (char)r->type;
	*o++ = ' ';
	o = put_num(o, r->offset);
	*o++ = ' ';
	if (r->n > 0)
		o = put_payload(o, r->data, r->n, !record_is_data(r));
	if (r->nnotes > 0)
		o = put_notes(o, r);
	*o++ = '\n';
	return (size_t)(o - dst);
}

/* A decimal number without superfluous zeros, ended by `end`.  NULL: none. */
static const char *
take_num(const char *p, const char *e, char end, uint64_t *v)
{
	const char *start = p;

	*v = 0;
	for (; p < e && *p >= '0' && *p <= '9'; p++) {
		if (*v > (UINT64_MAX - 9) / 10)
			return NULL;
		*v = *v * 10 + (uint64_t)(*p - '0');
	}
	if (p == start || p == e || *p != end || (p - start > 1 && *start == '0'))
		return NULL;
	return p + 1;
}

/* Where the payload begins, NULL when the fields before it are wrong. */
static const char *
take_fields(const char *p, size_t n, struct record *r)
{
	static const char types[] = "honcpimk";
	const char *e = p + n;
	uint64_t sec, us = 0;

	if (stamp_parse(p, n, &r->stamp.utc_us) == -1 || n < UTC_LEN + 1 ||
	    p[UTC_LEN] != ' ' || r->stamp.utc_us < 0)
		return NULL;
	p = take_num(p + UTC_LEN + 1, e, '.', &sec);
	if (p == NULL || sec > INT64_MAX / 2000000 || e - p < 9 || p[6] != ' ')
		return NULL;
	for (int i = 0; i < 6; i++) {
		if (p[i] < '0' || p[i] > '9')
			return NULL;
		us = us * 10 + (uint64_t)(p[i] - '0');
	}
	r->stamp.mono.us = (int64_t)(sec * 1000000 + us);
	p += 7;
	if (*p == '\0' || strchr(types, *p) == NULL || p[1] != ' ')
		return NULL;
	r->type = (enum record_type)*p;
	return take_num(p + 2, e, ' ', &r->offset);
}

int
record_peek(const char *line, size_t n, struct record *r)
{
	memset(r, 0, sizeof(*r));
	return take_fields(line, n, r) == NULL ? -1 : 0;
}

/* One escape at p, which is a backslash.  Its length, 0 when it is wrong. */
static size_t
take_escape(const char *p, size_t n, uint8_t *c)
{
	if (n >= 4 && p[1] == 'x') {
		int hi = hex_value(p[2]), lo = hex_value(p[3]);

		if (hi == -1 || lo == -1)
			return 0;
		*c = (uint8_t)(hi << 4 | lo);
		return 4;
	}
	for (size_t i = 0; n >= 2 && i < NLETTERS; i++) {
		if (letters[i].letter == p[1]) {
			*c = letters[i].byte;
			return 2;
		}
	}
	return 0;
}

/* Everything after "\@".  0 or -1. */
static int
take_notes(const char *p, const char *e, struct record *r,
    struct record_note *notes)
{
	size_t size = r->n + record_term(r);
	uint64_t at, ms, last_at = 0, last_ms = 0;
	const char *comma;

	while (p < e) {
		comma = memchr(p, ',', (size_t)(e - p));
		if (comma == NULL)
			comma = e;
		p = take_num(p, comma, ':', &at);
		if (p == NULL || p == comma || r->nnotes == RECORD_NOTES)
			return -1;
		for (ms = 0; p < comma; p++) {
			if (*p < '0' || *p > '9' || ms > UINT32_MAX)
				return -1;
			ms = ms * 10 + (uint64_t)(*p - '0');
		}
		if (at >= size || ms > UINT32_MAX || at <= last_at ||
		    ms < last_ms)
			return -1;
		notes[r->nnotes].at = (uint32_t)at;
		notes[r->nnotes++].ms = (uint32_t)ms;
		last_at = at;
		last_ms = ms;
		p = comma < e ? comma + 1 : e;
		if (comma < e && p == e)
			return -1;
	}
	return r->nnotes > 0 ? 0 : -1;
}

int
record_decode(const char *line, size_t n, struct record *r,
    struct record_space *s)
{
	const char *p, *e = line + n;

	memset(r, 0, sizeof(*r));
	r->data = s->data;
	r->notes = s->notes;
	p = take_fields(line, n, r);
	if (p == NULL)
		return -1;
	while (p < e) {
		size_t run = plain_run((const uint8_t *)p, (size_t)(e - p));
		uint8_t c = 0;

		if (run == 0 && (uint8_t)*p >= 0x80) {
			run = utf8_len((const uint8_t *)p, (size_t)(e - p));
			if (run == 0)
				return -1;
		}
		if (run > RECORD_BYTES - r->n)
			return -1;
		memcpy(s->data + r->n, p, run);
		r->n += run;
		p += run;
		if (run > 0)
			continue;
		if (*p == '\\' && e - p >= 2 && p[1] == '@')
			break;
		run = *p == '\\' ? take_escape(p, (size_t)(e - p), &c) : 0;
		if (run == 0 || r->n == RECORD_BYTES)
			return -1;
		s->data[r->n++] = c;
		p += run;
	}
	memcpy(s->data + r->n, r->type == RECORD_CRLF ? "\r\n" : "\n",
	    record_term(r));
	return p < e ? take_notes(p + 2, e, r, s->notes) : 0;
}

bool
record_is_final(const struct record *r)
{
	return r->type == RECORD_CRLF || r->type == RECORD_LF ||
	    r->type == RECORD_CUT;
}

bool
record_is_data(const struct record *r)
{
	return record_is_final(r) || r->type == RECORD_PREVIEW;
}

size_t
record_term(const struct record *r)
{
	return r->type == RECORD_CRLF ? 2 : r->type == RECORD_LF ? 1 : 0;
}

uint64_t
record_end(const struct record *r)
{
	return record_is_data(r) ? r->offset + r->n + record_term(r) :
	    r->offset;
}

int64_t
record_end_us(const struct record *r)
{
	uint32_t ms = r->nnotes > 0 ? r->notes[r->nnotes - 1].ms : 0;

	return r->stamp.utc_us + (int64_t)ms * 1000;
}

size_t
record_find(const struct record *r, int64_t utc_us)
{
	if (r->stamp.utc_us >= utc_us)
		return 0;
	for (size_t i = 0; i < r->nnotes; i++) {
		if (r->stamp.utc_us + (int64_t)r->notes[i].ms * 1000 >= utc_us)
			return r->notes[i].at;
	}
	return r->n + record_term(r);
}
