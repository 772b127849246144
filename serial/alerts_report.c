#include <stdio.h>
#include <string.h>

#include "alerts_internal.h"

size_t
alerts_cut(char *dst, size_t size, const char *src)
{
	size_t n = strlen(src);

	if (n >= size) {
		n = size - 1;
		while (n > 0 && ((unsigned char)src[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(dst, src, n);
	dst[n] = '\0';
	return n;
}

static void
add_text(char text[ALERTS_CONTEXT], const char *line)
{
	size_t n = strlen(text);

	if (n > 0 && n + 2 < ALERTS_CONTEXT)
		text[n++] = '\n';
	text[n] = '\0';
	alerts_cut(text + n, ALERTS_CONTEXT - n, line);
}

static void
tell(struct alerts *a, struct report *w)
{
	struct rule *r = w->rule;
	struct alert_hit hit = { &r->conf, w->when, w->offset, w->text,
	    w->more, false };

	w->rule = NULL;
	a->ops->report(a->arg, &hit);
}

/* A free place; the one that waits longest makes room. */
static struct report *
place(struct alerts *a)
{
	struct report *oldest = &a->reports[0];

	for (size_t i = 0; i < ALERTS_OPEN; i++) {
		struct report *w = &a->reports[i];

		if (w->rule == NULL)
			return w;
		if (w->due < oldest->due)
			oldest = w;
	}
	tell(a, oldest);
	return oldest;
}

static bool
has_context(const struct alert_rule *conf)
{
	switch (conf->on) {
	case ALERT_MATCH:
	case ALERT_REBOOT:
	case ALERT_PANIC:
	case ALERT_OUTPUT:
		return true;
	case ALERT_SILENCE:
	case ALERT_LINE:
		break;
	}
	return false;
}

void
alerts_report(struct alerts *a, struct rule *r, const struct alert_hit *hit)
{
	struct report *w;
	size_t before = r->conf.before;

	if (!has_context(&r->conf)) {
		a->ops->report(a->arg, hit);
		return;
	}
	w = place(a);
	w->rule = r;
	w->when = hit->when;
	w->offset = hit->offset;
	w->more = hit->more;
	w->left = r->conf.after;
	w->due = mono_after(hit->when.mono, ALERTS_AFTER_MS).us;
	w->text[0] = '\0';
	if (before > a->nbefore)
		before = a->nbefore;
	/* The line itself comes first: a short display shows nothing else. */
	add_text(w->text, hit->text);
	for (size_t i = a->nbefore - before; i < a->nbefore; i++)
		add_text(w->text, a->before[i]);
	if (before > 0)
		add_text(w->text, hit->text);
	if (w->left == 0)
		tell(a, w);
}

void
alerts_context(struct alerts *a)
{
	char line[ALERTS_TEXT];

	if (a->ntext == 0)
		return;
	for (size_t i = 0; i < ALERTS_OPEN; i++) {
		struct report *w = &a->reports[i];

		if (w->rule == NULL || w->offset == a->line_at)
			continue;
		alerts_cut(line, sizeof(line), a->text);
		add_text(w->text, line);
		if (--w->left == 0)
			tell(a, w);
	}
}

void
alerts_remember(struct alerts *a)
{
	if (a->ntext == 0)
		return;
	if (a->nbefore == ALERTS_LINES) {
		memmove(a->before[0], a->before[1],
		    (ALERTS_LINES - 1) * sizeof(a->before[0]));
		a->nbefore--;
	}
	alerts_cut(a->before[a->nbefore++], ALERTS_TEXT, a->text);
}

int64_t
alerts_report_due(struct alerts *a, struct mono now)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < ALERTS_OPEN; i++) {
		struct report *w = &a->reports[i];

		if (w->rule == NULL)
			continue;
		if (w->due <= now.us)
			tell(a, w);
		else if (w->due < due)
			due = w->due;
	}
	return due;
}

void
alerts_report_all(struct alerts *a)
{
	for (size_t i = 0; i < ALERTS_OPEN; i++) {
		if (a->reports[i].rule != NULL)
			tell(a, &a->reports[i]);
	}
}
