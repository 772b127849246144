#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "addr.h"
#include "blob.h"
#include "keys.h"
#include "keys_blob.h"

#define COMMENT_MAX 128
#define OPTION_MAX 1024		/* longest value of an option */
#define NEVER INT64_MAX
#define SPACE " \t"

struct key {
	char *type, *base64;
	char comment[COMMENT_MAX];
	uint8_t *blob;
	size_t blob_len;
	char *from;		/* pattern list, or NULL */
	int64_t expires_s;	/* UTC, NEVER */
	bool authority;		/* of certificates; no key to log in with */
	char *principals;	/* "alice,ops", or NULL */
};

struct parser {
	struct key *key;
	const char *p;		/* next unread character */
	char *err;
	size_t err_size;
};

typedef int option_fn(struct parser *, const char *value);

struct option {
	const char *name;
	option_fn *fn;		/* NULL: nothing to be done */
	const char *refused;	/* or why it is an error */
};

static int complain(struct parser *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static int
complain(struct parser *ps, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ps->err, ps->err_size, fmt, ap);
	va_end(ap);
	return -1;
}

/* The same, naming n bytes of foreign text. */
static int
complain_of(struct parser *ps, const char *before, const char *s, size_t n,
    const char *after)
{
	char safe[80];

	str_safe(safe, sizeof(safe), s, n);
	return complain(ps, "%s\"%s\": %s", before, safe, after);
}

/*
 * from="...": addresses with * and ?, networks as address/bits, "!" before
 * one that must not be.  Nobody looks up names here.
 */
static bool
pattern_is_valid(const char *p)
{
	static const char plain[] = "0123456789.*?";
	static const char v6[] = "0123456789abcdefABCDEF:.*?";
	struct addr net;
	unsigned bits;

	if (*p == '\0')
		return false;
	if (strchr(p, '/') != NULL)
		return addr_parse_network(p, &net, &bits) == 0;
	if (strpbrk(p, "*?") == NULL)
		return strchr(p, '%') == NULL && addr_parse(p, &net) == 0;
	return strspn(p, strchr(p, ':') != NULL ? v6 : plain) == strlen(p);
}

/* Copy the next pattern of the list at *list; false at its end. */
static bool
next_pattern(const char **list, char *dst, size_t size)
{
	size_t n;

	if (*list == NULL)
		return false;
	n = strcspn(*list, ",");
	snprintf(dst, size, "%.*s", (int)n, *list);
	*list = (*list)[n] == ',' ? *list + n + 1 : NULL;
	return true;
}

static int
on_from(struct parser *ps, const char *value)
{
	char one[OPTION_MAX];
	const char *list = value;

	if (ps->key->from != NULL)
		return complain(ps, "from= is given twice: "
		    "put all addresses into one");
	while (next_pattern(&list, one, sizeof(one))) {
		if (!pattern_is_valid(one[0] == '!' ? one + 1 : one))
			return complain_of(ps, "from=: ", one, strlen(one),
			    "not an address, address pattern or network "
			    "(host names are not looked up)");
	}
	ps->key->from = xstrdup(value);
	return 0;
}

/* Two digits at s. */
static int
two(const char *s)
{
	return (s[0] - '0') * 10 + (s[1] - '0');
}

/* YYYYMMDD[HHMM[SS]][Z] as seconds since the epoch. */
static int
parse_when(const char *s, int64_t *out)
{
	size_t n = strspn(s, "0123456789");
	bool utc = s[n] == 'Z';
	struct tm tm, want;
	time_t t;

	if ((n != 8 && n != 12 && n != 14) || s[n + (utc ? 1 : 0)] != '\0')
		return -1;
	memset(&tm, 0, sizeof(tm));
	tm.tm_year = two(s) * 100 + two(s + 2) - 1900;
	tm.tm_mon = two(s + 4) - 1;
	tm.tm_mday = two(s + 6);
	if (n >= 12) {
		tm.tm_hour = two(s + 8);
		tm.tm_min = two(s + 10);
	}
	if (n == 14)
		tm.tm_sec = two(s + 12);
	tm.tm_isdst = -1;
	want = tm;
	if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59)
		return -1;
	t = utc ? timegm(&tm) : mktime(&tm);
	/* 30 February was moved into March: it was no date. */
	if (t == (time_t)-1 || tm.tm_mon != want.tm_mon ||
	    tm.tm_mday != want.tm_mday || tm.tm_year != want.tm_year)
		return -1;
	*out = (int64_t)t;
	return 0;
}

static int
on_expiry(struct parser *ps, const char *value)
{
	if (ps->key->expires_s != NEVER)
		return complain(ps, "expiry-time= is given twice");
	if (parse_when(value, &ps->key->expires_s) == -1)
		return complain_of(ps, "expiry-time=: ", value, strlen(value),
		    "not a time, write YYYYMMDD[HHMM[SS]][Z]");
	return 0;
}

/* Names separated by commas, each as plain as a user's may be. */
static int
on_principals(struct parser *ps, const char *value)
{
	if (ps->key->principals != NULL)
		return complain(ps, "principals= is given twice");
	if (value[0] == '\0' || strpbrk(value, SPACE) != NULL ||
	    value[0] == ',' || value[strlen(value) - 1] == ',' ||
	    strstr(value, ",,") != NULL)
		return complain_of(ps, "principals=: ", value, strlen(value),
		    "write names, with commas and no blanks between them");
	ps->key->principals = xstrdup(value);
	return 0;
}

static int
on_authority(struct parser *ps, const char *value)
{
	(void)value;
	ps->key->authority = true;
	return 0;
}

#define FORWARDS "nothing is ever forwarded here; remove it"

/* The last one stands for all that are not known. */
static const struct option options[] = {
	{ "from", on_from, NULL },
	{ "expiry-time", on_expiry, NULL },
	{ "restrict", NULL, NULL },
	{ "pty", NULL, NULL },
	{ "no-port-forwarding", NULL, NULL },
	{ "no-agent-forwarding", NULL, NULL },
	{ "no-X11-forwarding", NULL, NULL },
	{ "no-user-rc", NULL, NULL },
	{ "no-pty", NULL, "a console needs a terminal; remove it and limit "
	    "the user by role and consoles" },
	{ "port-forwarding", NULL, FORWARDS },
	{ "agent-forwarding", NULL, FORWARDS },
	{ "X11-forwarding", NULL, FORWARDS },
	{ "cert-authority", on_authority, NULL },
	{ "principals", on_principals, NULL },
	{ "verify-required", NULL, "the SSH library does not tell whether the "
	    "token verified its user, so it cannot be honoured; remove the "
	    "line, or let require = {\"key+code\"} ask for a code, too" },
	{ NULL, NULL, "not supported; remove the option or the line" },
};

static const struct option *
find_option(const char *name, size_t n)
{
	const struct option *o = options;

	while (o->name != NULL &&
	    (strlen(o->name) != n || strncasecmp(o->name, name, n) != 0))
		o++;
	return o;
}

/* "...", in which \" is a quote. */
static int
quoted(struct parser *ps, const char *name, size_t n, char *dst)
{
	size_t o = 0;

	if (*ps->p != '"')
		return complain_of(ps, "option ", name, n,
		    "its value must stand in double quotes");
	for (ps->p++; *ps->p != '"'; ps->p++) {
		if (ps->p[0] == '\\' && ps->p[1] == '"')
			ps->p++;
		if (*ps->p == '\0')
			return complain_of(ps, "option ", name, n,
			    "the closing quote is missing");
		if (o == OPTION_MAX - 1)
			return complain_of(ps, "option ", name, n,
			    "the value is too long");
		dst[o++] = *ps->p;
	}
	ps->p++;
	dst[o] = '\0';
	return 0;
}

static int
parse_option(struct parser *ps)
{
	const char *name = ps->p;
	size_t n = strcspn(name, "=, \t\"");
	const struct option *o = find_option(name, n);
	char value[OPTION_MAX];

	if (n == 0)
		return complain(ps, "an option is missing at a comma or quote");
	ps->p += n;
	if (o->refused != NULL)
		return complain_of(ps, "option ", name, n, o->refused);
	if (o->fn == NULL)
		return 0;
	if (o->fn == on_authority)
		return o->fn(ps, "");
	if (*ps->p != '=')
		return complain_of(ps, "option ", name, n,
		    "a value is missing");
	ps->p++;
	if (quoted(ps, name, n, value) == -1)
		return -1;
	return o->fn(ps, value);
}

/* Everything up to the blank before the key type. */
static int
parse_options(struct parser *ps)
{
	size_t n = strcspn(ps->p, SPACE);
	const char *next = ps->p + n + strspn(ps->p + n, SPACE);

	if (keys_blob_is_type(ps->p, n))
		return 0;
	/* Every SSH blob begins with a small length: AAAA. */
	if (strncmp(next, "AAAA", 4) == 0 && strpbrk(ps->p, "=,") == NULL &&
	    find_option(ps->p, n)->name == NULL)
		return complain_of(ps, "key type ", ps->p, n,
		    "this type is not known");
	for (;;) {
		if (parse_option(ps) == -1)
			return -1;
		if (*ps->p != ',')
			break;
		ps->p++;
	}
	if (*ps->p != '\0' && strchr(SPACE, *ps->p) == NULL)
		return complain_of(ps, "after an option: ", ps->p,
		    strcspn(ps->p, SPACE),
		    "there should be a comma or a blank");
	ps->p += strspn(ps->p, SPACE);
	return 0;
}

static char *
word(struct parser *ps)
{
	size_t n = strcspn(ps->p, SPACE);
	char *w = xstrndup(ps->p, n);

	ps->p += n;
	ps->p += strspn(ps->p, SPACE);
	return w;
}

static int
parse_key(struct parser *ps)
{
	struct key *k = ps->key;
	const char *why;

	k->type = word(ps);
	if (k->type[0] == '\0')
		return complain(ps, "there are options, but no key");
	why = keys_blob_refused(k->type);
	if (why != NULL)
		return complain_of(ps, "key type ", k->type, strlen(k->type),
		    why);
	k->base64 = word(ps);
	if (k->base64[0] == '\0')
		return complain(ps, "the key itself is missing after %s",
		    k->type);
	k->blob = blob_decode(k->base64, &k->blob_len);
	if (k->blob == NULL)
		return complain(ps, "the key is not valid base64: "
		    "copy the whole line of the .pub file again");
	why = keys_blob_check(k->type, k->blob, k->blob_len);
	if (why != NULL)
		return complain(ps, "the %s key is not valid: %s", k->type,
		    why);
	str_safe(k->comment, sizeof(k->comment), ps->p, strlen(ps->p));
	if (k->authority && strcmp(k->type, "ssh-ed25519") != 0)
		return complain(ps, "an authority must be an ssh-ed25519 key, "
		    "this is %s", k->type);
	if (k->principals != NULL && !k->authority)
		return complain(ps, "principals= is for an authority: add "
		    "cert-authority, or remove it");
	return 0;
}

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++) {
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			return true;
	}
	return false;
}

int
key_parse(const char *line, struct key **key, char *err, size_t size)
{
	struct parser ps = { NULL, NULL, err, size };
	size_t n;
	char *copy;
	int r = -1;

	line += strspn(line, SPACE);
	n = strlen(line);
	while (n > 0 && strchr(" \t\r", line[n - 1]) != NULL)
		n--;
	if (n == 0 || line[0] == '#')
		return 0;
	if (n > KEY_LINE_MAX)
		return complain(&ps, "the line is longer than %d bytes",
		    KEY_LINE_MAX);
	copy = xstrndup(line, n);
	ps.p = copy;
	ps.key = xcalloc(1, sizeof(*ps.key));
	ps.key->expires_s = NEVER;
	if (has_control(copy))
		complain(&ps, "there is a control character in the line");
	else if (parse_options(&ps) == 0 && parse_key(&ps) == 0)
		r = 1;
	if (r == 1)
		*key = ps.key;
	else
		key_free(ps.key);
	free(copy);
	return r;
}

void
key_free(struct key *k)
{
	if (k == NULL)
		return;
	free(k->type);
	free(k->base64);
	free(k->blob);
	free(k->principals);
	free(k->from);
	free(k);
}

const char *
key_type(const struct key *k)
{
	return k->type;
}

const char *
key_base64(const struct key *k)
{
	return k->base64;
}

const char *
key_comment(const struct key *k)
{
	return k->comment;
}

char *
key_fingerprint(char dst[KEY_FINGERPRINT], const struct key *k)
{
	static const char head[] = "SHA256:";
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, k->blob, k->blob_len);
	memcpy(dst, head, sizeof(head));
	sodium_bin2base64(dst + sizeof(head) - 1,
	    KEY_FINGERPRINT - (sizeof(head) - 1), hash, sizeof(hash),
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	return dst;
}

bool
key_is_authority(const struct key *k)
{
	return k->authority;
}

const char *
key_principals(const struct key *k)
{
	return k->principals;
}

bool
key_equal(const struct key *a, const struct key *b)
{
	return key_matches(a, b->base64);
}

bool
key_matches(const struct key *k, const char *base64)
{
	size_t n = strlen(k->base64);

	return strlen(base64) == n && sodium_memcmp(base64, k->base64, n) == 0;
}

/* * and ? as in a shell; letters in any case. */
static bool
wildcard(const char *pattern, const char *s)
{
	const char *star = NULL, *back = NULL;

	while (*s != '\0') {
		if (*pattern == '*') {
			star = ++pattern;
			back = s;
		} else if (*pattern == '?' || (*pattern != '\0' &&
		    strncasecmp(pattern, s, 1) == 0)) {
			pattern++;
			s++;
		} else if (star != NULL) {
			pattern = star;
			s = ++back;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static bool
pattern_matches(const char *pattern, const struct addr *a, const char *text)
{
	struct addr net, masked = *a;
	unsigned bits;

	if (strchr(pattern, '/') != NULL) {
		if (addr_parse_network(pattern, &net, &bits) == -1)
			return false;
		addr_mask(&masked, bits);
		return addr_equal(&net, &masked);
	}
	if (strpbrk(pattern, "*?") == NULL)
		return addr_parse(pattern, &net) == 0 && addr_equal(&net, a);
	return wildcard(pattern, text);
}

/* One pattern must match, and no negated one. */
static bool
from_allows(const char *list, const char *address)
{
	char one[OPTION_MAX], text[ADDR_TEXT];
	struct addr a;
	bool found = false;

	if (address == NULL || addr_parse(address, &a) == -1)
		return false;
	addr_text(text, &a);
	while (next_pattern(&list, one, sizeof(one))) {
		bool negated = one[0] == '!';

		if (!pattern_matches(one + (negated ? 1 : 0), &a, text))
			continue;
		if (negated)
			return false;
		found = true;
	}
	return found;
}

bool
key_allows(const struct key *k, const char *address, int64_t utc_us,
    const char **why)
{
	const char *text = NULL;

	if (k->expires_s != NEVER && utc_us / 1000000 >= k->expires_s)
		text = "the key has expired";
	else if (k->from != NULL && !from_allows(k->from, address))
		text = "the key may not be used from this address";
	if (why != NULL)
		*why = text;
	return text == NULL;
}
