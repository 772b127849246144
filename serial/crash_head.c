#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/str.h"
#include "crash_head.h"

#define FIRST "oobd-crash 1\n"
#define TIME_BYTES 16		/* 20261122T094103Z */

size_t
crash_head_write(char *dst, const struct crash_head *h)
{
	char when[STAMP_TEXT];
	int n;

	n = snprintf(dst, CRASH_HEAD_MAX, FIRST "console=%s\nbox=%s\n"
	    "time=%s\nalert=%s\nline=%s\noffset=%" PRIu64 "\nfrom=%" PRIu64
	    "\n", h->console, h->box, stamp_text(when, h->info.utc_us),
	    h->alerts, h->line, h->offset, h->from);
	if (h->info.ended[0] != '\0')
		n += snprintf(dst + n, CRASH_HEAD_MAX - (size_t)n, "bytes=%"
		    PRIu64 "\nended=%s\n", h->info.bytes, h->info.ended);
	n += snprintf(dst + n, CRASH_HEAD_MAX - (size_t)n, "\n");
	return (size_t)n;
}

static void
set_text(char *dst, size_t size, const char *value, size_t n)
{
	snprintf(dst, size, "%.*s", (int)n, value);
}

static uint64_t
number(const char *value, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n && value[i] >= '0' && value[i] <= '9'; i++)
		v = v * 10 + (uint64_t)(value[i] - '0');
	return v;
}

static void
set_key(struct crash_head *h, const char *key, size_t nkey, const char *value,
    size_t n)
{
	const struct {
		const char *key;
		char *text;
		size_t size;
		uint64_t *number;
	} keys[] = {
		{ "console", h->console, sizeof(h->console), NULL },
		{ "box", h->box, sizeof(h->box), NULL },
		{ "alert", h->alerts, sizeof(h->alerts), NULL },
		{ "line", h->line, sizeof(h->line), NULL },
		{ "ended", h->info.ended, sizeof(h->info.ended), NULL },
		{ "offset", NULL, 0, &h->offset },
		{ "from", NULL, 0, &h->from },
		{ "bytes", NULL, 0, &h->info.bytes },
	};

	if (nkey == 4 && strncmp(key, "time", 4) == 0)
		(void)stamp_parse(value, n, &h->info.utc_us);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strlen(keys[i].key) != nkey ||
		    strncmp(keys[i].key, key, nkey) != 0)
			continue;
		if (keys[i].text != NULL)
			set_text(keys[i].text, keys[i].size, value, n);
		else
			*keys[i].number = number(value, n);
	}
}

size_t
crash_head_read(struct crash_head *h, const char *p, size_t n)
{
	size_t at = sizeof(FIRST) - 1, len;
	const char *nl, *eq;

	memset(h, 0, sizeof(*h));
	if (n < at || memcmp(p, FIRST, at) != 0)
		return 0;
	while (at < n && at < CRASH_HEAD_MAX) {
		nl = memchr(p + at, '\n', n - at);
		if (nl == NULL)
			return 0;
		len = (size_t)(nl - (p + at));
		if (len == 0)
			break;
		eq = memchr(p + at, '=', len);
		if (eq != NULL)
			set_key(h, p + at, (size_t)(eq - (p + at)), eq + 1,
			    (size_t)(nl - eq) - 1);
		at += len + 1;
	}
	if (at >= n || at >= CRASH_HEAD_MAX)
		return 0;
	set_text(h->info.alert, sizeof(h->info.alert), h->alerts,
	    strcspn(h->alerts, ","));
	return at + 1;
}

/* "2026-11-22T09:41:03.123456Z" without what is between the digits. */
static void
put_time(char dst[TIME_BYTES + 1], int64_t utc_us)
{
	char text[STAMP_TEXT];
	size_t o = 0;

	stamp_text(text, utc_us);
	for (const char *p = text; *p != '\0' && *p != '.' &&
	    o < TIME_BYTES - 1; p++) {
		if (*p != '-' && *p != ':')
			dst[o++] = *p;
	}
	dst[o++] = 'Z';
	dst[o] = '\0';
}

char *
crash_name(char dst[CRASH_FILE], const struct crash_info *i, bool part)
{
	char when[TIME_BYTES + 1];

	put_time(when, i->utc_us);
	snprintf(dst, CRASH_FILE, "%08u-%s-%s.%s", i->id, when, i->alert,
	    part ? "part" : "crash");
	return dst;
}

bool
crash_is_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL && strcmp(dot, ".part") == 0;
}

int
crash_name_read(struct crash_info *i, const char *name)
{
	static const char digits[] = "0123456789";
	size_t n = strspn(name, digits), len;
	const char *dot = strrchr(name, '.'), *whole = name;
	int64_t id;
	char text[16];

	memset(i, 0, sizeof(*i));
	if (n < 8 || n >= sizeof(text) || strlen(name) >= sizeof(i->file) ||
	    strlen(name) < n + TIME_BYTES + 3 || name[n] != '-' ||
	    name[n + 1 + TIME_BYTES] != '-' || dot == NULL ||
	    (strcmp(dot, ".crash") != 0 && strcmp(dot, ".part") != 0))
		return -1;
	set_text(text, sizeof(text), name, n);
	if (str_int(text, 0, 99999999, &id) == -1)
		return -1;
	name += n + 2 + TIME_BYTES;
	len = dot > name ? (size_t)(dot - name) : 0;
	set_text(i->alert, sizeof(i->alert), name, len);
	if (!str_is_name(i->alert))
		return -1;
	i->id = (unsigned)id;
	set_text(i->file, sizeof(i->file), whole, strlen(whole));
	return 0;
}
