#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "config.h"
#include "digest.h"

#define ALERT_BYTES 60		/* shown of one */
#define HOURS(us) ((us) / (3600LL * 1000000))

struct out {
	char *dst;
	size_t n;
};

static void put(struct out *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
put(struct out *o, const char *fmt, ...)
{
	size_t room = DIGEST_TEXT - o->n;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->dst + o->n, room, fmt, ap);
	va_end(ap);
	o->n += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static const char *
ago(char dst[32], int64_t us)
{
	int64_t s = us / 1000000;

	if (s < 120)
		snprintf(dst, 32, "%" PRId64 " s", s < 0 ? 0 : s);
	else if (s < 7200)
		snprintf(dst, 32, "%" PRId64 " min", s / 60);
	else if (s < 172800)
		snprintf(dst, 32, "%" PRId64 " h", s / 3600);
	else
		snprintf(dst, 32, "%" PRId64 " days", s / 86400);
	return dst;
}

/* The time of day; the day, too, when that is not clear. */
static const char *
clock_text(char dst[STAMP_TEXT], const struct digest *d, int64_t utc_us)
{
	char text[STAMP_TEXT];

	stamp_text(text, utc_us);
	if (d->now_utc_us - utc_us > 20 * 3600LL * 1000000)
		snprintf(dst, STAMP_TEXT, "%.16sZ", text);
	else
		snprintf(dst, STAMP_TEXT, "%.8sZ", text + 11);
	return dst;
}

static bool
is_new(const struct digest *d, const struct chronicle_row *r)
{
	return r->seq > d->from->seen.seq;
}

static bool
is_own(const struct digest *d, const struct chronicle_row *r)
{
	return r->what == CHRONICLE_ATTACH &&
	    strncmp(r->name, d->from->user, sizeof(r->name) - 1) == 0;
}

struct digest_news
digest_news(const struct digest *d)
{
	const struct tally *was = &d->from->seen, *is = &d->now;
	struct digest_news n = { .anew = is->offset < was->offset };

	if (!n.anew) {
		n.bytes = is->offset - was->offset;
		n.lines = is->lines > was->lines ? is->lines - was->lines : 0;
	}
	for (int i = 0; i < CHRONICLE_WHATS; i++)
		n.of[i] = is->of[i] > was->of[i] ? is->of[i] - was->of[i] : 0;
	for (size_t i = 0; i < chronicle_count(d->chronicle); i++) {
		const struct chronicle_row *r =
		    chronicle_row_at(d->chronicle, i);

		if (is_new(d, r) && is_own(d, r) && n.of[CHRONICLE_ATTACH] > 0)
			n.of[CHRONICLE_ATTACH]--;
	}
	return n;
}

bool
digest_has_news(const struct digest *d)
{
	struct digest_news n = digest_news(d);
	uint64_t events = 0;

	for (int i = 0; i < CHRONICLE_WHATS; i++)
		events += n.of[i];
	return n.anew || n.bytes > 0 || events > 0 ||
	    (d->from->cut && !d->from->told);
}

/* The sentence that it begins with. */
static void
put_first(struct out *o, const struct digest *d, const struct digest_news *n)
{
	const struct bookmark *b = d->from;
	bool cut = b->cut && !b->told;
	char lines[32], bytes[32], when[STAMP_TEXT], whole[STAMP_TEXT];
	char span[32];

	stamp_text(whole, b->utc_us)[19] = '\0';
	snprintf(when, sizeof(when), "%s",
	    cut && HOURS(d->now_utc_us - b->utc_us) < 12 ? whole + 11 : whole);
	str_grouped(bytes, n->bytes);
	if (n->anew)
		put(o, "the record began anew since you were %s at %sZ\n",
		    cut ? "cut off" : "here", when);
	else if (n->bytes == 0)
		put(o, "nothing came since you were %s at %sZ\n",
		    cut ? "cut off" : "here", when);
	else if (cut)
		put(o, "%s bytes since you were cut off at %sZ: `log %s "
		    "--since %sZ` shows all\n", bytes, when, d->console,
		    whole);
	else
		put(o, "%s new lines, %s bytes, since you were here at %sZ, "
		    "%s ago: `log %s --since %sZ` shows all\n",
		    str_grouped(lines, n->lines), bytes, when,
		    ago(span, d->now_utc_us - b->utc_us), d->console, whole);
}

/* Was this user named further up, or down, already? */
static bool
named_later(const struct digest *d, size_t i)
{
	const struct chronicle_row *r = chronicle_row_at(d->chronicle, i);

	for (i++; i < chronicle_count(d->chronicle); i++) {
		const struct chronicle_row *later =
		    chronicle_row_at(d->chronicle, i);

		if (later->what == CHRONICLE_ATTACH &&
		    strcmp(later->name, r->name) == 0)
			return true;
	}
	return false;
}

static unsigned
times(const struct digest *d, const char *name)
{
	unsigned n = 0;

	for (size_t i = 0; i < chronicle_count(d->chronicle); i++) {
		const struct chronicle_row *r =
		    chronicle_row_at(d->chronicle, i);

		if (r->what == CHRONICLE_ATTACH && is_new(d, r) &&
		    strcmp(r->name, name) == 0)
			n++;
	}
	return n;
}

/* Each once, the newest first. */
static void
put_attached(struct out *o, const struct digest *d)
{
	unsigned named = 0, n;
	char when[STAMP_TEXT];

	for (size_t i = chronicle_count(d->chronicle); i-- > 0;) {
		const struct chronicle_row *r =
		    chronicle_row_at(d->chronicle, i);

		if (!is_new(d, r) || r->what != CHRONICLE_ATTACH ||
		    is_own(d, r) || named_later(d, i))
			continue;
		if (named++ == DIGEST_ATTACHED) {
			put(o, ", and others");
			break;
		}
		n = times(d, r->name);
		put(o, "%s%s (", named == 1 ? "  attached: " : ", ", r->name);
		if (n > 1)
			put(o, "%u times, last ", n);
		put(o, "%s)", clock_text(when, d, r->when.utc_us));
	}
	put(o, named > 0 ? "\n" : "");
}

static void
put_alerts(struct out *o, const struct digest *d, const struct digest_news *n)
{
	static const char *const severities[] = {
		[SEVERITY_INFO] = "",
		[SEVERITY_WARNING] = "",
		[SEVERITY_CRITICAL] = "CRITICAL ",
	};
	unsigned shown = 0;
	char when[STAMP_TEXT];

	if (n->of[CHRONICLE_ALERT] == 0)
		return;
	put(o, "  alerts: %" PRIu64 "%s\n", n->of[CHRONICLE_ALERT],
	    n->of[CHRONICLE_ALERT] > DIGEST_ALERTS ? ", the newest" : "");
	for (size_t i = chronicle_count(d->chronicle); i-- > 0 &&
	    shown < DIGEST_ALERTS;) {
		const struct chronicle_row *r =
		    chronicle_row_at(d->chronicle, i);

		if (!is_new(d, r) || r->what != CHRONICLE_ALERT)
			continue;
		shown++;
		put(o, "    %s %s%s: %.*s\n", clock_text(when, d,
		    r->when.utc_us), r->severity <= SEVERITY_CRITICAL ?
		    severities[r->severity] : "", r->name,
		    (int)str_utf8_fit(r->text, ALERT_BYTES), r->text);
	}
}

/* How often, and when last. */
static void
put_count(struct out *o, const struct digest *d, const struct digest_news *n,
    enum chronicle_what what, const char *words)
{
	char when[STAMP_TEXT];

	if (n->of[what] == 0)
		return;
	put(o, "  %s %" PRIu64 " time%s", words, n->of[what],
	    n->of[what] == 1 ? "" : "s");
	for (size_t i = chronicle_count(d->chronicle); i-- > 0;) {
		const struct chronicle_row *r =
		    chronicle_row_at(d->chronicle, i);

		if (!is_new(d, r) || r->what != what)
			continue;
		put(o, ", last at %s", clock_text(when, d, r->when.utc_us));
		break;
	}
	put(o, "\n");
}

char *
digest_text(char dst[DIGEST_TEXT], const struct digest *d)
{
	struct digest_news n = digest_news(d);
	struct out o = { dst, 0 };

	dst[0] = '\0';
	put_first(&o, d, &n);
	put_attached(&o, d);
	put_alerts(&o, d, &n);
	put_count(&o, d, &n, CHRONICLE_REBOOT, "rebooted");
	put_count(&o, d, &n, CHRONICLE_LOST, "the line was lost");
	return dst;
}
