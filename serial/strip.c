#include <string.h>

#include "../server/base/str.h"
#include "strip.h"

#define COLUMNS 4096
#define BLANK 0			/* a cell that was moved over, not written */
#define BLANKS_MAX 16		/* wider gaps are shown as this many */
#define REPLACEMENT 0xfffd
#define TAB_STOP 8

/* Where we are in a sequence. */
enum {
	GROUND,
	ESCAPE,			/* ESC, and intermediates */
	CSI,
	STRING,			/* until ST */
	STRING_ESCAPE,		/* ESC seen in a string */
};

/* One line being drawn. */
struct canvas {
	uint32_t cell[COLUMNS];
	size_t len, col;
	char *dst;
	size_t size, n;
};

static const char separator[] = " ~ ";
static const char cleared[] = "\x1b[m\x1b[H\x1b[J";

/* Length of the character at p, 0 when invalid or a C1 control. */
static size_t
char_len(const uint8_t *p, size_t n)
{
	int len;

	if (p[0] < 0xc2 || (p[0] == 0xc2 && n > 1 && p[1] < 0xa0))
		return 0;
	len = str_utf8(p, n);
	return len > 0 ? (size_t)len : 0;
}

static uint32_t
code_point(const uint8_t *p, size_t len)
{
	uint32_t c = len == 2 ? p[0] & 0x1f : len == 3 ? p[0] & 0x0f :
	    p[0] & 0x07;

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

static void
emit(struct canvas *v, uint32_t c)
{
	char text[4];
	size_t len = str_utf8_put(text, c);

	if (v->n + len >= v->size)
		return;
	memcpy(v->dst + v->n, text, len);
	v->n += len;
}

/* Write the cells out and begin anew.  Gaps at the end are dropped. */
static void
commit(struct canvas *v)
{
	size_t gap = 0, start = v->n;

	while (v->len > 0 && v->cell[v->len - 1] == BLANK)
		v->len--;
	if (v->len > 0 && start > 0) {
		for (size_t i = 0; i < sizeof(separator) - 1; i++)
			emit(v, (uint32_t)separator[i]);
	}
	for (size_t i = 0; i < v->len; i++) {
		gap = v->cell[i] == BLANK ? gap + 1 : 0;
		if (gap == 0)
			emit(v, v->cell[i]);
		else if (gap <= BLANKS_MAX)
			emit(v, ' ');
	}
	v->len = 0;
	v->col = 0;
}

/* Move the cursor; cells passed for the first time are blank. */
static void
move_to(struct canvas *v, size_t col)
{
	if (col >= COLUMNS)
		col = COLUMNS - 1;
	while (v->len < col)
		v->cell[v->len++] = BLANK;
	v->col = col;
}

static void
draw(struct canvas *v, uint32_t c)
{
	if (v->col == COLUMNS)
		return;		/* cannot be: a line has no more bytes */
	move_to(v, v->col);
	v->cell[v->col++] = c;
	if (v->len < v->col)
		v->len = v->col;
}

static void
blank(struct canvas *v, size_t from, size_t to)
{
	for (size_t i = from; i < to && i < v->len; i++)
		v->cell[i] = BLANK;
}

static void
erase(struct canvas *v, unsigned mode)
{
	if (mode == 0 && v->len > v->col)
		v->len = v->col;
	if (mode == 1)
		blank(v, 0, v->col + 1);
	if (mode == 2)
		blank(v, 0, v->len);
}

static void
delete_cells(struct canvas *v, size_t k)
{
	if (v->col >= v->len)
		return;
	if (k > v->len - v->col)
		k = v->len - v->col;
	memmove(v->cell + v->col, v->cell + v->col + k,
	    (v->len - v->col - k) * sizeof(v->cell[0]));
	v->len -= k;
}

static void
insert_cells(struct canvas *v, size_t k)
{
	if (v->col >= v->len)
		return;
	if (k > COLUMNS - v->len)
		k = COLUMNS - v->len;
	memmove(v->cell + v->col + k, v->cell + v->col,
	    (v->len - v->col) * sizeof(v->cell[0]));
	v->len += k;
	blank(v, v->col, v->col + k);
}

/* A finished CSI sequence: p are its parameters, final its last byte. */
static void
line_csi(struct canvas *v, const uint8_t *p, size_t n, uint8_t final)
{
	unsigned arg = 0;
	size_t k;

	for (size_t i = 0; i < n && p[i] >= '0' && p[i] <= '9'; i++)
		arg = arg < COLUMNS ? arg * 10 + (p[i] - '0') : COLUMNS;
	k = arg == 0 ? 1 : arg;
	if (n > 0 && p[0] >= '<')
		return;		/* private */
	switch (final) {
	case 'C':
		move_to(v, v->col + k);
		break;
	case 'D':
		move_to(v, v->col > k ? v->col - k : 0);
		break;
	case 'G':
		move_to(v, k - 1);
		break;
	case 'K':
		erase(v, arg);
		break;
	case 'P':
		delete_cells(v, k);
		break;
	case '@':
		insert_cells(v, k);
		break;
	case 'X':
		blank(v, v->col, v->col + k);
		break;
	case 'H': case 'f': case 'A': case 'B': case 'd': case 'E': case 'F':
		commit(v);
		break;
	case 'J':
		if (arg != 0)
			commit(v);
		else
			erase(v, 0);
		break;
	}
}

static void
line_control(struct canvas *v, uint8_t c)
{
	if (c == '\r')
		v->col = 0;
	else if (c == '\b' && v->col > 0)
		v->col--;
	else if (c == '\t')
		move_to(v, (v->col / TAB_STOP + 1) * TAB_STOP);
	else if (c == '\v' || c == '\f')
		commit(v);
}

/* The escape at p[0].  Returns the bytes it takes, at least 1. */
static size_t
line_escape(struct canvas *v, const uint8_t *p, size_t n)
{
	size_t i = 1;

	if (n < 2)
		return 1;
	if (p[1] == '[') {
		for (i = 2; i < n && i < STRIP_CSI; i++) {
			if (p[i] >= 0x40 && p[i] <= 0x7e) {
				line_csi(v, p + 2, i - 2, p[i]);
				return i + 1;
			}
			if (p[i] < 0x20 || p[i] > 0x7e)
				return i;	/* noise: look at it anew */
		}
		return i;
	}
	if (p[1] != 0 && strchr("]PX^_", p[1]) != NULL) {
		for (i = 2; i < n && i < STRIP_STRING; i++) {
			if (p[i] == 0x07 || p[i] == 0x18 || p[i] == 0x1a)
				return i + 1;
			if (p[i] == 0x1b)
				return i + 1 < n && p[i + 1] == '\\' ?
				    i + 2 : i;
		}
		return i;
	}
	while (i < n && i < STRIP_CSI && p[i] >= 0x20 && p[i] <= 0x2f)
		i++;
	if (i < n && p[i] >= 0x30 && p[i] <= 0x7e)
		i++;
	return i;
}

/* Nothing in it needs drawing. */
static bool
is_simple(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((p[i] < 0x20 && p[i] != '\t') || p[i] >= 0x7f)
			return false;
	}
	return true;
}

static size_t
draw_char(struct canvas *v, const uint8_t *p, size_t n)
{
	size_t len = 1;

	if (p[0] < 0x80) {
		if (p[0] != 0x7f)
			draw(v, p[0]);
		return 1;
	}
	len = char_len(p, n);
	draw(v, len > 0 ? code_point(p, len) : REPLACEMENT);
	return len > 0 ? len : 1;
}

size_t
strip_line(const void *line, size_t n, char *dst, size_t size)
{
	struct canvas v;
	const uint8_t *p = line;

	if (is_simple(p, n)) {
		if (n >= size)
			n = size - 1;
		memcpy(dst, p, n);
		dst[n] = '\0';
		return n;
	}
	v.len = v.col = v.n = 0;
	v.dst = dst;
	v.size = size;
	for (size_t i = 0, used; i < n; i += used) {
		used = 1;
		if (p[i] == 0x1b)
			used = line_escape(&v, p + i, n - i);
		else if (p[i] < 0x20)
			line_control(&v, p[i]);
		else
			used = draw_char(&v, p + i, n - i);
		if (v.col >= COLUMNS)
			commit(&v);
	}
	commit(&v);
	dst[v.n] = '\0';
	return v.n;
}

/* The stream form. */

void
strip_screen_init(struct strip_screen *s, bool plain)
{
	memset(s, 0, sizeof(*s));
	s->plain = plain;
	s->state = GROUND;
}

/* Within what every terminal takes: some have been broken by more. */
static bool
csi_is_small(const uint8_t *p, size_t n)
{
	size_t parameters = 1, digits = 0;

	for (size_t i = 2; i + 1 < n; i++) {
		digits = p[i] >= '0' && p[i] <= '9' ? digits + 1 : 0;
		parameters += p[i] == ';' || p[i] == ':';
		if (digits > STRIP_DIGITS || parameters > STRIP_PARAMETERS)
			return false;
	}
	return true;
}

/* A CSI sequence a terminal may have: it draws, and nothing else. */
static bool
csi_is_safe(const uint8_t *p, size_t n)
{
	static const char *const modes[] = { "?7", "?25", "4" };
	uint8_t final = p[n - 1];
	size_t len = n - 3;		/* without ESC [ and final */

	for (size_t i = 2; i + 1 < n; i++) {
		if (p[i] >= 0x20 && p[i] <= 0x2f)
			return false;
	}
	if (final == 'h' || final == 'l') {
		for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
			if (strlen(modes[i]) == len &&
			    memcmp(modes[i], p + 2, len) == 0)
				return true;
		}
		return false;
	}
	if (len > 0 && p[2] >= '<')
		return false;
	return csi_is_small(p, n) &&
	    strchr("ABCDEFGHJKLMPSTXZ@`adefgmrsu", final) != NULL;
}

static bool
escape_is_safe(const uint8_t *p, size_t n)
{
	if (n == 2)
		return strchr("78DEMH", p[1]) != NULL;
	return n == 3 && (p[1] == '(' || p[1] == ')') &&
	    (p[2] == '0' || p[2] == 'A' || p[2] == 'B');
}

static size_t
release(struct strip_screen *s, uint8_t *dst, bool safe)
{
	size_t n = safe && !s->plain ? s->nheld : 0;

	memcpy(dst, s->held, n);
	s->nheld = 0;
	s->state = GROUND;
	return n;
}

static bool
control_is_safe(const struct strip_screen *s, uint8_t c)
{
	if (c == '\n' || c == '\t')
		return true;
	return !s->plain && (c == '\r' || c == '\b' || c == 0x07 ||
	    c == '\v' || c == '\f' || c == 0x0e || c == 0x0f);
}

/* A byte of a character of several; it may complete the held ones. */
static size_t
ground_high(struct strip_screen *s, uint8_t c, uint8_t *dst)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t n = 0, len;
	int whole;

	s->held[s->nheld++] = c;
	for (;;) {
		whole = s->nheld == 0 ? -1 : str_utf8(s->held, s->nheld);
		if (whole == -1)
			return n;	/* wait for the rest */
		len = whole > 0 ? (size_t)whole : 1;
		if (whole == 0 || (whole == 2 && s->held[0] == 0xc2 &&
		    s->held[1] < 0xa0)) {
			memcpy(dst + n, replacement, 3);
			n += 3;
		} else {
			memcpy(dst + n, s->held, len);
			n += len;
		}
		s->nheld -= len;
		memmove(s->held, s->held + len, s->nheld);
	}
}

/* A character that will never be completed. */
static size_t
ground_broken(struct strip_screen *s, uint8_t *dst)
{
	size_t n = s->nheld > 0 ? 3 : 0;

	memcpy(dst, "\xef\xbf\xbd", n);
	s->nheld = 0;
	return n;
}

static size_t
screen_ground(struct strip_screen *s, uint8_t c, uint8_t *dst)
{
	size_t n = 0;

	if (c >= 0x80)
		return ground_high(s, c, dst);
	n = ground_broken(s, dst);
	if (s->cr && c != '\n' && c != '\r')
		dst[n++] = '\r';
	s->cr = s->plain && c == '\r';
	if (c == 0x1b) {
		s->held[0] = c;
		s->nheld = s->seen = 1;
		s->state = ESCAPE;
	} else if ((c >= 0x20 && c != 0x7f) || control_is_safe(s, c)) {
		dst[n++] = c;
	}
	return n;
}

static size_t
screen_escape(struct strip_screen *s, uint8_t c, uint8_t *dst)
{
	s->held[s->nheld++] = c;
	if (s->nheld == 2 && c == '[') {
		s->state = CSI;
		return 0;
	}
	if (s->nheld == 2 && strchr("]PX^_", c) != NULL) {
		s->nheld = 0;
		s->seen = 2;
		s->state = STRING;
		return 0;
	}
	if (c >= 0x20 && c <= 0x2f && s->nheld < STRIP_CSI)
		return 0;
	if (s->nheld == 2 && c == 'c' && !s->plain) {
		release(s, dst, false);
		memcpy(dst, cleared, sizeof(cleared) - 1);
		return sizeof(cleared) - 1;
	}
	return release(s, dst, escape_is_safe(s->held, s->nheld));
}

static size_t
screen_csi(struct strip_screen *s, uint8_t c, uint8_t *dst)
{
	s->held[s->nheld++] = c;
	if (c >= 0x40 && c <= 0x7e)
		return release(s, dst, csi_is_safe(s->held, s->nheld));
	if (s->nheld == STRIP_CSI)
		return release(s, dst, false);
	return 0;
}

/* A control or a stray byte ends any sequence, and is then looked at anew. */
static bool
breaks_sequence(const struct strip_screen *s, uint8_t c)
{
	switch (s->state) {
	case ESCAPE: case CSI:
		return c < 0x20 || c > 0x7e;
	case STRING:
		return c == '\n' || s->seen >= STRIP_STRING;
	case STRING_ESCAPE:
		return c != '\\';
	}
	return false;
}

static void
screen_string(struct strip_screen *s, uint8_t c)
{
	s->seen++;
	if (c == 0x07 || c == 0x18 || c == 0x1a)
		s->state = GROUND;
	else if (c == 0x1b)
		s->state = STRING_ESCAPE;
}

static size_t
screen_byte(struct strip_screen *s, uint8_t c, uint8_t *dst)
{
	size_t n = 0;

	if (s->state == STRING_ESCAPE && breaks_sequence(s, c)) {
		/* ESC ended the string and begins a sequence of its own. */
		s->held[0] = 0x1b;
		s->nheld = 1;
		s->state = ESCAPE;
	}
	if (breaks_sequence(s, c))
		release(s, dst, false);
	switch (s->state) {
	case GROUND:
		n = screen_ground(s, c, dst);
		break;
	case ESCAPE:
		n = screen_escape(s, c, dst);
		break;
	case CSI:
		n = screen_csi(s, c, dst);
		break;
	case STRING:
		screen_string(s, c);
		break;
	case STRING_ESCAPE:
		s->state = GROUND;	/* ST */
		break;
	}
	return n;
}

size_t
strip_screen(struct strip_screen *s, const void *src, size_t n, void *dst)
{
	const uint8_t *p = src;
	uint8_t *o = dst;

	for (size_t i = 0; i < n; i++)
		o += screen_byte(s, p[i], o);
	return (size_t)(o - (uint8_t *)dst);
}

const char *
strip_screen_reset(void)
{
	return "\x0f\x1b(B\x1b)B\x1b[m\x1b[4l\x1b[?7h\x1b[?25h\x1b" "7\x1b[r"
	    "\x1b" "8";
}
