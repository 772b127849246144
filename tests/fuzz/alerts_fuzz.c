/*
 * Alerts: whatever a console prints, in whatever pieces and however late, what
 * is told is text within its bounds, and lines are counted right.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serial/alerts.h"
#include "server/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct alert_rule rules[] = {
	{ .name = "m", .on = ALERT_MATCH, .match = "a|[^ -~]{2}", .before = 5,
	    .after = 5 },
	{ .name = "r", .on = ALERT_REBOOT, .omens = true, .settle_ms = 9 },
	{ .name = "p", .on = ALERT_PANIC, .omens = true, .hourly = 1 },
	{ .name = "s", .on = ALERT_SILENCE, .quiet_ms = 50 },
	{ .name = "o", .on = ALERT_OUTPUT, .quiet_ms = 50, .after = 1 },
};

static void
on_hit(void *arg, const struct alert_hit *hit)
{
	const uint8_t *p = (const uint8_t *)hit->text;
	size_t n = strlen(hit->text);

	(void)arg;
	if (n >= ALERTS_CONTEXT)
		abort();
	for (size_t i = 0; i < n;) {
		int len = str_utf8(p + i, n - i);

		if (len <= 0 || (p[i] < 0x20 && p[i] != '\t' &&
		    p[i] != '\n') || p[i] == 0x7f)
			abort();
		i += (size_t)len;
	}
}

static const struct alerts_ops ops = { on_hit, on_hit };

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct stamp now = { 0, { 1000000 } };
	struct alerts *a = alerts_new(rules, sizeof(rules) /
	    sizeof(rules[0]), &ops, NULL);
	uint64_t at = 0, lines = 0;

	alerts_begin(a, now, now);
	while (n > 0) {
		size_t part = (size_t)p[0] % 64 + 1;

		now.mono.us += p[0] / 64 * 400000;
		p++;
		n--;
		if (part > n)
			part = n;
		for (size_t i = 0; i < part; i++)
			lines += p[i] == '\n';
		alerts_data(a, now, at, p, part);
		at += part;
		p += part;
		n -= part;
		(void)alerts_tick(a, now, at);
	}
	if (alerts_lines(a) != lines)
		abort();
	alerts_free(a);
	return 0;
}
