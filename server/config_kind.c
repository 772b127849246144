#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../serial/pattern.h"
#include "base/mem.h"
#include "base/str.h"
#include "config_kind.h"

static_assert(sizeof(enum role) == sizeof(unsigned) &&
    sizeof(enum sharing) == sizeof(unsigned) &&
    sizeof(enum severity) == sizeof(unsigned) &&
    sizeof(enum notify_type) == sizeof(unsigned),
    "kind_choice stores every enum as an unsigned");

int
config_why(char why[CONFIG_WHY], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, CONFIG_WHY, fmt, ap);
	va_end(ap);
	return -1;
}

/*
 * Texts.
 */
int
config_store(void *field, const char *text)
{
	char **s = field;

	free(*s);
	*s = xstrdup(text);
	return 0;
}

const char *
config_stored(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *o)
{
	(void)dst;
	(void)o;
	return *(char *const *)field;
}

/* Text for people: valid UTF-8 without control characters. */
int
config_set_text(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	size_t n = strlen(text);

	if (n > (size_t)o->max)
		return config_why(why, "shorten it to %d bytes", (int)o->max);
	for (const char *p = text; *p != '\0';) {
		int len = str_utf8((const uint8_t *)p,
		    n - (size_t)(p - text));

		if (len <= 0 || (unsigned char)*p < 0x20 || *p == 0x7f)
			return config_why(why, "take out the control "
			    "characters and what is not UTF-8");
		p += len;
	}
	return config_store(field, text);
}

static int
set_word(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	if (text[0] == '\0')
		return config_why(why, "it must not be empty");
	return config_set_text(field, o, text, why);
}

static int
set_path(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	if (text[0] != '/')
		return config_why(why, "give the whole path, from /");
	return config_set_text(field, o, text, why);
}

static int
set_name(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	(void)o;
	if (!str_is_name(text))
		return config_why(why, "a name has 1 to 32 letters, digits, "
		    "'.', '_' and '-', and begins with a letter or digit");
	return config_store(field, text);
}

static int
set_way(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	(void)o;
	if (config_way(text) == 0)
		return config_why(why, "write key, key+code or password+code");
	return config_store(field, text);
}

static int
set_regex(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	char reason[PATTERN_WHY];

	if (strlen(text) <= (size_t)o->max &&
	    pattern_check(text, reason) == -1)
		return config_why(why, "%s", reason);
	return config_set_text(field, o, text, why);
}

static int
set_drill(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	int day, minute;

	(void)o;
	if (config_drill(text, &day, &minute) == -1)
		return config_why(why, "give \"daily HH:MM\", \"weekly "
		    "HH:MM\" (on Sundays) or \"weekly DAY HH:MM\", DAY being "
		    "one of sun, mon, tue, wed, thu, fri, sat");
	return config_store(field, text);
}

/*
 * Numbers.
 */
static int
set_duration(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	char lo[STR_NUM], hi[STR_NUM];
	int64_t ms;

	if (str_duration(text, &ms) == -1 || ms < o->min || ms > o->max)
		return config_why(why, "give a duration from %s to %s, such "
		    "as 250ms, 90s, 30min or 4h", str_duration_text(lo,
		    o->min), str_duration_text(hi, o->max));
	*(int64_t *)field = ms;
	return 0;
}

static const char *
duration_text(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *o)
{
	int64_t ms = *(const int64_t *)field;

	(void)o;
	return ms == 0 ? "0" : str_duration_text(dst, ms);
}

static int
set_number(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	int64_t v;

	if (str_int(text, o->min, o->max, &v) == -1)
		return config_why(why, "give a number from %d to %d",
		    (int)o->min, (int)o->max);
	*(unsigned *)field = (unsigned)v;
	return 0;
}

static const char *
number_text(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *o)
{
	(void)o;
	snprintf(dst, CONFIG_VALUE, "%u", *(const unsigned *)field);
	return dst;
}

static int
set_size(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	char lo[STR_NUM], hi[STR_NUM];
	int64_t v;

	if (str_size(text, &v) == -1)
		v = -1;
	if (o->min > 0 && (v < o->min || v > o->max))
		return config_why(why, "give a size from %s to %s",
		    str_size_text(lo, o->min), str_size_text(hi, o->max));
	if (v < 0 || v > o->max)
		return config_why(why, "give a size of up to %s, such as "
		    "500kb, 20mb or 2gb; 0 sets no limit", str_size_text(hi,
		    o->max));
	*(uint64_t *)field = (uint64_t)v;
	return 0;
}

static const char *
size_text(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *o)
{
	uint64_t n = *(const uint64_t *)field;

	(void)o;
	return n == 0 ? "0" : str_size_text(dst, (int64_t)n);
}

static int
set_ring(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	char lo[STR_NUM], hi[STR_NUM];
	int64_t v;

	if (str_size(text, &v) == -1 || v < o->min || v > o->max ||
	    (v & (v - 1)) != 0)
		return config_why(why, "give a power of two from %s to %s, "
		    "such as 256kb or 1mb", str_size_text(lo, o->min),
		    str_size_text(hi, o->max));
	*(size_t *)field = (size_t)v;
	return 0;
}

static const char *
ring_text(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *o)
{
	(void)o;
	return str_size_text(dst, (int64_t)*(const size_t *)field);
}

/*
 * Words.
 */
static int
set_bool(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	(void)o;
	if (str_bool(text, field) == -1)
		return config_why(why, "give true or false");
	return 0;
}

static const char *
bool_text(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *o)
{
	(void)dst;
	(void)o;
	return *(const bool *)field ? "true" : "false";
}

/* Place of text in words, -1 with the words in why. */
static int
choose(const char *const *words, const char *text, char why[CONFIG_WHY])
{
	int n = snprintf(why, CONFIG_WHY, "give one of");

	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0)
			return i;
		n += snprintf(why + n, CONFIG_WHY - (size_t)n, "%s %s",
		    i == 0 ? "" : ",", words[i]);
	}
	return -1;
}

static int
set_choice(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	int i = choose(o->words, text, why);
	unsigned u = (unsigned)i;

	if (i == -1)
		return -1;
	memcpy(field, &u, sizeof(u));
	return 0;
}

static const char *
choice_text(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *o)
{
	unsigned u;

	(void)dst;
	memcpy(&u, field, sizeof(u));
	return o->words[u];
}

static int
set_flag(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	int i = choose(o->words, text, why);

	if (i == -1)
		return -1;
	*(bool *)field = i == 1;
	return 0;
}

static const char *
flag_text(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *o)
{
	(void)dst;
	return o->words[*(const bool *)field ? 1 : 0];
}

/* "^E" or, as it is typed, "^Ec"; "off". */
static int
set_escape(void *field, const struct config_option *o, const char *text,
    char why[CONFIG_WHY])
{
	size_t n = strlen(text);
	int c;

	(void)o;
	if (strcmp(text, "off") == 0) {
		*(int *)field = -1;
		return 0;
	}
	c = n >= 2 ? (unsigned char)text[1] : 0;
	if (c >= 'a' && c <= 'z')
		c -= 'a' - 'A';
	if (text[0] != '^' || c < '?' || c > '_' || n > 3 ||
	    (n == 3 && text[2] != 'c'))
		return config_why(why, "give a control key such as \"^E\" or "
		    "\"^]\", or off");
	if (c == 'M' || c == 'J')
		return config_why(why, "that is the Return key: take another "
		    "one, such as \"^E\"");
	*(int *)field = c ^ 0x40;
	return 0;
}

static const char *
escape_text(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *o)
{
	int escape = *(const int *)field;

	(void)o;
	if (escape == -1)
		return "off";
	snprintf(dst, CONFIG_VALUE, "^%c", (char)(escape ^ 0x40));
	return dst;
}

#define TEXT(set) { set, config_stored, false, true, false }
#define VALUE(set, text, bare) { set, text, bare, false, false }
const struct config_kind
    kind_text = TEXT(config_set_text),
    kind_word = TEXT(set_word),
    kind_path = TEXT(set_path),
    kind_name = TEXT(set_name),
    kind_way = TEXT(set_way),
    kind_regex = TEXT(set_regex),
    kind_number = VALUE(set_number, number_text, true),
    kind_duration = VALUE(set_duration, duration_text, false),
    kind_size = VALUE(set_size, size_text, false),
    kind_ring = VALUE(set_ring, ring_text, false),
    kind_boolean = VALUE(set_bool, bool_text, true),
    kind_choice = VALUE(set_choice, choice_text, false),
    kind_flag = VALUE(set_flag, flag_text, false),
    kind_escape = VALUE(set_escape, escape_text, false),
    kind_drill = TEXT(set_drill);
