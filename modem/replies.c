#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "charset.h"
#include "replies.h"

#define CUT ".."
#define FIELD (2 * REPLIES_ONE + 1)	/* bytes of one that fits a message */
#define COUNT_MAX 8
#define NUMBER 24

/* A text of which at least min septets stay when it has to be cut. */
struct field {
	const char *before;
	char text[FIELD];
	size_t septets, min;
};

/* Septets of the character at p, its bytes in *n; 0: it has none. */
static size_t
septets_at(const char *p, size_t left, size_t *n)
{
	uint32_t code;
	int r;

	*n = charset_code(p, left, &code);
	if (*n == 0) {
		*n = 1;
		return 0;
	}
	if (code < 0x20 && code != '\n')
		return 0;
	r = charset_to_gsm(NULL, COUNT_MAX, p, *n);
	return r > 0 ? (size_t)r : 0;
}

size_t
replies_septets(const char *text)
{
	size_t left = strlen(text), n, sum = 0;

	for (; left > 0; text += n, left -= n)
		sum += septets_at(text, left, &n);
	return sum;
}

/*
 * src as text of at most max septets, without line ends; cut at its end, or
 * at its beginning.  Returns how many septets it has.
 */
static size_t
clean(char *dst, size_t size, const char *src, size_t max)
{
	size_t left = src == NULL ? 0 : strlen(src), used = 0, o = 0, n;
	size_t cut_o = 0, cut_used = 0;

	for (; left > 0; src += n, left -= n) {
		size_t s = septets_at(src, left, &n);
		bool blank = *src == '\n' || *src == '\r' || *src == '\t';

		if (used + (s == 0 ? 1 : s) > max || o + n + 1 > size)
			break;
		if (blank || s == 0) {
			dst[o++] = blank ? ' ' : '?';
			used++;
		} else {
			memcpy(dst + o, src, n);
			o += n;
			used += s;
		}
		if (used + strlen(CUT) <= max) {
			cut_o = o;
			cut_used = used;
		}
	}
	dst[o] = '\0';
	if (left == 0 || max < strlen(CUT) ||
	    cut_o + sizeof(CUT) > size)
		return used;
	memcpy(dst + cut_o, CUT, sizeof(CUT));
	return cut_used + strlen(CUT);
}

/* The end of src: what is cut stands before it. */
static size_t
clean_end(char *dst, size_t size, const char *src, size_t max)
{
	char all[FIELD];
	size_t septets = clean(all, sizeof(all), src, REPLIES_ONE), n;
	const char *p = all;

	if (septets <= max) {
		snprintf(dst, size, "%s", all);
		return septets;
	}
	if (max < strlen(CUT)) {
		dst[0] = '\0';
		return 0;
	}
	while (septets > max - strlen(CUT)) {
		septets -= septets_at(p, strlen(p), &n);
		p += n;
	}
	snprintf(dst, size, CUT "%s", p);
	return septets + strlen(CUT);
}

static void
set(struct field *f, const char *before, const char *text, size_t min)
{
	f->before = before;
	f->min = min;
	f->septets = clean(f->text, sizeof(f->text), text, REPLIES_ONE);
}

/*
 * The fields that have text, as one message: cut from the last one on, each
 * down to its minimum.
 */
static char *
join(char *dst, struct field *f, size_t n)
{
	char whole[FIELD], text[8 * FIELD] = "";
	size_t sum = 0, over, less;

	for (size_t i = 0; i < n; i++) {
		if (f[i].septets > 0)
			sum += strlen(f[i].before) + f[i].septets;
	}
	for (size_t i = n; i > 0 && sum > REPLIES_ONE; i--) {
		struct field *one = &f[i - 1];

		if (one->septets <= one->min)
			continue;
		over = sum - REPLIES_ONE;
		less = one->septets - one->min;
		sum -= one->septets;
		memcpy(whole, one->text, sizeof(whole));
		one->septets = clean(one->text, sizeof(one->text), whole,
		    one->septets - (less < over ? less : over));
		sum += one->septets;
	}
	for (size_t i = 0, at = 0; i < n; i++) {
		if (f[i].septets > 0)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
			    "%s%s", f[i].before, f[i].text);
	}
	clean(dst, REPLIES_TEXT, text, REPLIES_ONE);
	return dst;
}

/* "45s", "12min", "3h05min", "5d3h"; returns dst. */
static char *
duration(char dst[NUMBER], int64_t s)
{
	int64_t min = s / 60, h = min / 60;

	if (s < 60)
		snprintf(dst, NUMBER, "%" PRId64 "s", s < 0 ? 0 : s);
	else if (min < 60)
		snprintf(dst, NUMBER, "%" PRId64 "min", min);
	else if (h < 48)
		snprintf(dst, NUMBER, "%" PRId64 "h%02dmin", h,
		    (int)(min % 60));
	else
		snprintf(dst, NUMBER, "%" PRId64 "d%dh", h / 24,
		    (int)(h % 24));
	return dst;
}

/* "512 B", "4.1 kB", "12 MB"; returns dst. */
static char *
bytes(char dst[NUMBER], uint64_t n)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	uint64_t tenths = n / 100;
	size_t u = 0;

	if (n < 1000) {
		snprintf(dst, NUMBER, "%" PRIu64 " B", n);
		return dst;
	}
	for (; tenths >= 10000 && u < 3; u++)
		tenths /= 1000;
	if (tenths < 100)
		snprintf(dst, NUMBER, "%" PRIu64 ".%d %s", tenths / 10,
		    (int)(tenths % 10), units[u]);
	else
		snprintf(dst, NUMBER, "%" PRIu64 " %s", tenths / 10, units[u]);
	return dst;
}

/* "-71dBm Telia", either may be unknown; returns dst. */
static char *
network(char dst[FIELD], int dbm, const char *operator)
{
	char signal[NUMBER] = "";
	const char *name = operator == NULL ? "" : operator;

	if (dbm != 0)
		snprintf(signal, sizeof(signal), "%ddBm", dbm);
	snprintf(dst, FIELD, "%s%s%s", signal,
	    dbm != 0 && name[0] != '\0' ? " " : "", name);
	return dst;
}

static const char *
not_null(const char *s)
{
	return s == NULL ? "" : s;
}

char *
replies_status(char *dst, const struct replies_status *s)
{
	char text[FIELD], n[NUMBER], since[NUMBER + 1] = "", left[NUMBER + 8];
	char alerts[NUMBER];
	struct field f[7];

	if (s->since_s >= 0)
		snprintf(since, sizeof(since), " %s", duration(n, s->since_s));
	left[0] = '\0';
	if (s->left_s >= 0)
		snprintf(left, sizeof(left), ", %s left",
		    duration(n, s->left_s));
	snprintf(alerts, sizeof(alerts), "%u", s->alerts);
	set(&f[0], "", s->box, 8);
	snprintf(text, sizeof(text), "%.20s%s%s", not_null(s->link), since,
	    left);
	set(&f[1], ": link ", text, 40);
	set(&f[2], "; relay ", s->relay, 20);
	set(&f[3], s->alerts > 0 ? "; alerts " : "",
	    s->alerts > 0 ? alerts : "", 10);
	set(&f[4], "; ", network(text, s->signal_dbm, s->operator), 14);
	set(&f[5], "; last error ", s->error, 12);
	set(&f[6], "; seal ", s->seal, 8);
	return join(dst, f, 7);
}

char *
replies_down(char *dst, const struct replies_down *d)
{
	char used[4 * NUMBER], up[NUMBER], sum[NUMBER], in[NUMBER],
	    out[NUMBER];
	struct field f[3];

	snprintf(used, sizeof(used), "%s, %s used (%s in, %s out)",
	    duration(up, d->up_s), bytes(sum, d->in + d->out),
	    bytes(in, d->in), bytes(out, d->out));
	set(&f[0], "", d->box, 8);
	set(&f[1], ": link is down: ", d->why, 16);
	set(&f[2], "; was up ", used, REPLIES_ONE);
	return join(dst, f, 3);
}

char *
replies_failed(char *dst, const struct replies_failed *d)
{
	char n[NUMBER], next[NUMBER + 16] = "no more tries", text[FIELD];
	struct field f[5];

	if (d->retry_s >= 0)
		snprintf(next, sizeof(next), "next try in %s",
		    duration(n, d->retry_s));
	set(&f[0], "", d->box, 8);
	set(&f[1], ": link failed: ", d->code, 12);
	set(&f[2], "; ", next, REPLIES_ONE);
	set(&f[3], "; ", network(text, d->signal_dbm, d->operator), 14);
	set(&f[4], "; ", d->why, 10);
	return join(dst, f, 5);
}

char *
replies_ping(char *dst, const char *box, const char *version, int64_t utc,
    bool trusted)
{
	char text[FIELD], when[NUMBER] = "?";
	time_t t = (time_t)utc;
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%MZ", &tm);
	snprintf(text, sizeof(text), "pong, oobd %.20s, %s%s", version, when,
	    trusted ? "" : " (clock not set)");
	return replies_text(dst, box, text);
}

char *
replies_text(char *dst, const char *box, const char *text)
{
	struct field f[2];

	set(&f[0], "", box, 8);
	set(&f[1], ": ", text, 16);
	return join(dst, f, 2);
}

char *
replies_who(char *dst, const char *box, const struct replies_person *p,
    size_t n)
{
	char text[2 * FIELD] = "nobody is attached", one[FIELD], idle[NUMBER];
	size_t at = 0, named = 0;
	int len;

	for (; named < n; named++) {
		len = snprintf(one, sizeof(one), "%s%.32s@%.32s%s %s",
		    named == 0 ? "" : ", ", p[named].user, p[named].console,
		    p[named].pen ? " pen" : "",
		    duration(idle, p[named].idle_s));
		/* Names are ASCII: a byte is a septet.  Room for the rest. */
		if (at + (size_t)len > REPLIES_ONE - 40)
			break;
		memcpy(text + at, one, (size_t)len + 1);
		at += (size_t)len;
	}
	if (named < n)
		snprintf(text + at, sizeof(text) - at, "%s%zu more",
		    named == 0 ? "" : ", ", n - named);
	return replies_text(dst, box, text);
}

char *
replies_tail(char *dst, const char *console, const char *const *lines,
    size_t n, unsigned parts)
{
	/* An extended character is not split between the parts. */
	size_t max = parts > 1 ? 2 * REPLIES_PART - 1 : REPLIES_ONE, used, s;
	char name[FIELD], line[FIELD + sizeof(CUT)], all[REPLIES_TEXT];
	char *p = all + sizeof(all) - 1;

	used = clean(name, sizeof(name), console, 32) + 1;
	*p = '\0';
	/* From the newest on, which is the one that matters. */
	for (; n > 0 && used + 1 < max; n--) {
		s = clean_end(line, sizeof(line), lines[n - 1],
		    max - used - 1);
		used += s + 1;
		p -= strlen(line);
		memcpy(p, line, strlen(line));
		*--p = '\n';
	}
	snprintf(dst, REPLIES_TEXT, "%s:%s", name, *p == '\0' ?
	    " nothing yet" : p);
	return dst;
}
