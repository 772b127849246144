#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "config_internal.h"

static void
default_text(char **field, const char *text)
{
	if (*field == NULL)
		*field = xstrdup(text);
}

static void
default_name(struct config *c)
{
	char host[256] = "";

	if (c->name != NULL)
		return;
	gethostname(host, sizeof(host) - 1);
	host[32] = '\0';
	c->name = xstrdup(str_is_name(host) ? host : "oobd");
}

static void
default_run_dir(struct config *c)
{
	size_t n = strlen(c->control);

	if (c->run_dir != NULL)
		return;
	if (n > 5 && strcmp(c->control + n - 5, ".sock") == 0)
		c->run_dir = xstrndup(c->control, n - 5);
	else
		c->run_dir = xasprintf("%s.run", c->control);
}

static void
below_state_dir(const struct config *c, char **path)
{
	char *whole;

	if (*path == NULL || (*path)[0] == '/')
		return;
	whole = xasprintf("%s/%s", c->state_dir, *path);
	free(*path);
	*path = whole;
}

/* A default gives way to a lower limit that was asked for. */
static void
yield_number(const struct build *b, unsigned *field, unsigned limit)
{
	if (!build_has(b, field) && *field > limit)
		*field = limit;
}

static void
fill_activation(const struct build *b, struct config_activation *a)
{
	if (!build_has(b, &a->hold_ms) && a->hold_ms > a->max_hold_ms)
		a->hold_ms = a->max_hold_ms;
	if (!build_has(b, &a->max_hold_ms) && a->max_hold_ms < a->hold_ms)
		a->max_hold_ms = a->hold_ms;
	if (!build_has(b, &a->watch_ms) && !build_has(b, &a->watch))
		a->watch_ms = 0;
	a->drill_minute = -1;
	if (a->drill != NULL)
		config_drill(a->drill, &a->drill_day, &a->drill_minute);
}

static const struct {
	const char *name;
	enum severity severity;
	int64_t settle_ms;
} builtins[] = {
	/* A boot tells of itself more than once. */
	{ "reboot", SEVERITY_WARNING, 5LL * 60 * 1000 },
	{ "panic", SEVERITY_CRITICAL, 60LL * 1000 },
};

#define LINE_SETTLE_MS (60LL * 1000)

bool
config_alert_is_builtin(const char *name)
{
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++) {
		if (strcmp(builtins[i].name, name) == 0)
			return true;
	}
	return false;
}

void
config_alert_default(struct config_alert *a, const char *name)
{
	/* What stood around it nobody has asked to be sent anywhere. */
	*a = (struct config_alert){ .name = xstrdup(name), .enabled = true,
	    .builtin = true, .crash = true, .hourly = 6,
	    .severity = SEVERITY_WARNING };
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++) {
		if (strcmp(builtins[i].name, name) != 0)
			continue;
		a->severity = builtins[i].severity;
		a->settle_ms = builtins[i].settle_ms;
	}
}

static void
fill_alert(const struct build *b, struct config_alert *a)
{
	struct config_alert d;

	if (!config_alert_is_builtin(a->name)) {
		if (a->line && !build_has(b, &a->settle_ms))
			a->settle_ms = LINE_SETTLE_MS;
		if (!build_has(b, &a->builtin))
			a->builtin = false;
		return;
	}
	config_alert_default(&d, a->name);
	if (!build_has(b, &a->severity))
		a->severity = d.severity;
	if (!build_has(b, &a->settle_ms))
		a->settle_ms = d.settle_ms;
	if (!build_has(b, &a->crash))
		a->crash = d.crash;
	free(d.name);
}

static void
fill_alerts(const struct build *b)
{
	for (size_t i = 0; i < b->conf->nconsoles; i++) {
		struct config_console *c = &b->conf->consoles[i];

		for (size_t j = 0; j < c->nalerts; j++)
			fill_alert(b, &c->alerts[j]);
	}
}

void
config_fill(struct build *b)
{
	struct config *c = b->conf;

	default_name(c);
	default_text(&c->state_dir, config_paths.state_dir);
	default_text(&c->log_dir, config_paths.log_dir);
	default_text(&c->control, config_paths.control);
	default_run_dir(c);
	below_state_dir(c, &c->ssh.host_key);
	yield_number(b, &c->ssh.max_unauth_source, c->ssh.max_unauth);
	if (!build_has(b, &c->sync_typing_ms) &&
	    c->sync_typing_ms > c->sync_idle_ms)
		c->sync_typing_ms = c->sync_idle_ms;
	for (size_t i = 0; i < c->nusers; i++)
		c->users[i].ninline = c->users[i].nkeys;
	for (size_t i = 0; i < c->nrelays; i++) {
		struct config_relay *r = &c->relays[i];

		below_state_dir(c, &r->identity);
		if (r->second_port == r->port)
			r->second_port = 0;
	}
	if (c->modem != NULL)
		yield_number(b, &c->modem->sms_per_number,
		    c->modem->sms_per_day);
	fill_activation(b, &c->activation);
	fill_alerts(b);
}

/* "HH:MM"; -1 when it is not. */
static int
minute_of_day(const char *text)
{
	static const char digits[] = "0123456789";
	int hour, minute;

	if (strlen(text) != 5 || text[2] != ':' ||
	    strspn(text, digits) != 2 || strspn(text + 3, digits) != 2)
		return -1;
	hour = (text[0] - '0') * 10 + text[1] - '0';
	minute = (text[3] - '0') * 10 + text[4] - '0';
	return hour < 24 && minute < 60 ? hour * 60 + minute : -1;
}

int
config_drill(const char *text, int *day, int *minute)
{
	static const char days[7][5] = {
		"sun ", "mon ", "tue ", "wed ", "thu ", "fri ", "sat "
	};
	int found = -1;

	if (strncmp(text, "daily ", 6) == 0) {
		text += 6;
	} else if (strncmp(text, "weekly ", 7) == 0) {
		text += 7;
		found = 0;
		for (int i = 0; i < 7; i++) {
			if (strncmp(text, days[i], 4) != 0)
				continue;
			found = i;
			text += 4;
			break;
		}
	} else {
		return -1;
	}
	*minute = minute_of_day(text);
	*day = found;
	return *minute == -1 ? -1 : 0;
}
