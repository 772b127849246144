#include <stdlib.h>
#include <string.h>

#include "../server/base/clock.h"
#include "../server/base/mem.h"
#include "../server/base/str.h"
#include "strip.h"
#include "viewout.h"

#define TIME_LEN 23		/* "2026-11-22T09:41:03.123", Z follows */

void
viewout_flush(struct viewout *o)
{
	if (!o->gone && o->n > 0 &&
	    o->view->ops->write(o->view->arg, 1, o->bytes, o->n) == -1)
		o->gone = true;
	o->n = 0;
}

void
viewout_put(struct viewout *o, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0 && !o->gone) {
		size_t left = VIEWOUT_BYTES - o->n;
		size_t part = n < left ? n : left;

		memcpy(o->bytes + o->n, p, part);
		o->n += part;
		p += part;
		n -= part;
		if (o->n == VIEWOUT_BYTES)
			viewout_flush(o);
	}
}

void
viewout_string(struct viewout *o, const char *s)
{
	viewout_put(o, s, strlen(s));
}

void
viewout_newline(struct viewout *o)
{
	viewout_string(o, o->view->tty ? "\r\n" : "\n");
}

void
viewout_time(struct viewout *o, int64_t utc_us)
{
	char text[STAMP_TEXT];

	stamp_text(text, utc_us);
	viewout_put(o, text, TIME_LEN);
	viewout_string(o, "Z ");
}

static json_t *
base64(const uint8_t *p, size_t n)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = xmalloc((n + 2) / 3 * 4 + 1), *o = text;
	json_t *s;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		if (i + 1 < n)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < n)
			v |= p[i + 2];
		*o++ = set[v >> 18];
		*o++ = set[v >> 12 & 63];
		*o++ = i + 1 < n ? set[v >> 6 & 63] : '=';
		*o++ = i + 2 < n ? set[v & 63] : '=';
	}
	*o = '\0';
	s = json_string(text);
	free(text);
	return s;
}

void
viewout_json(struct viewout *out, const struct record *r, char *space,
    json_t *o)
{
	char time[STAMP_TEXT], type[2] = { (char)r->type, '\0' }, *text;
	size_t n;

	if (record_is_data(r)) {
		n = strip_line(r->data, r->n, space, STRIP_ROOM(RECORD_BYTES));
	} else {
		str_safe(space, STRIP_ROOM(RECORD_BYTES), r->data, r->n);
		n = strlen(space);
	}
	json_object_set_new(o, "time",
	    json_string(stamp_text(time, r->stamp.utc_us)));
	json_object_set_new(o, "mono",
	    json_real((double)r->stamp.mono.us / 1e6));
	json_object_set_new(o, "type", json_string(type));
	json_object_set_new(o, "offset", json_integer((json_int_t)r->offset));
	json_object_set_new(o, "text", json_stringn(space, n));
	if (record_is_data(r) &&
	    (n != r->n || memcmp(space, r->data, n) != 0))
		json_object_set_new(o, "raw_base64",
		    base64(r->data, r->n + record_term(r)));
	text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15));
	json_decref(o);
	if (text == NULL)
		return;
	viewout_string(out, text);
	viewout_newline(out);
	free(text);
}
