#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ports.h"

static unsigned
colons(const char *s)
{
	unsigned n = 0;

	for (; *s != '\0'; s++)
		n += *s == ':';
	return n;
}

bool
ports_is_search(const char *data, const char *control)
{
	/* usb:VID:PID has two, usb:VID:PID:SERIAL three. */
	return control == NULL && strncmp(data, "usb:", 4) == 0 &&
	    colons(data) <= 3;
}

int
ports_candidate(const char *data, unsigned i, char *dst, size_t size)
{
	int n;

	n = snprintf(dst, size, "%s%s:%02x", data, colons(data) < 3 ? ":" : "",
	    i);
	return n < 0 || (size_t)n >= size ? -1 : 0;
}

/* The number behind "NAME:", -1 when there is none. */
static int
mode_of(const char *line, const char *name)
{
	size_t n = strlen(name);
	const char *p;

	for (p = line; *p != '\0'; p++) {
		if (strncasecmp(p, name, n) != 0 || p[n] != ':' ||
		    (p > line && (isalnum((unsigned char)p[-1]) ||
		    p[-1] == '_')))
			continue;
		p += n + 1;
		while (*p == ' ')
			p++;
		if (!isdigit((unsigned char)*p))
			return -1;
		return (int)strtol(p, NULL, 10) & 0xff;
	}
	return -1;
}

bool
ports_parse_mode(const char *line, struct ports_mode *m)
{
	m->mdm = m->pcui = -1;
	if (strncasecmp(line, "^GETPORTMODE", 12) != 0)
		return false;
	m->mdm = mode_of(line, "MDM");
	if (m->mdm == -1)
		m->mdm = mode_of(line, "3G_MODEM");
	if (m->mdm == -1)
		m->mdm = mode_of(line, "MODEM");
	m->pcui = mode_of(line, "PCUI");
	if (m->pcui == -1)
		m->pcui = mode_of(line, "3G_PCUI");
	return m->mdm != -1 || m->pcui != -1;
}

bool
ports_choose(const bool answers[PORTS_MAX], const struct ports_mode *m,
    int *data, int *control)
{
	int i;

	*data = *control = -1;
	if (m->mdm >= 0 && m->mdm < PORTS_MAX && answers[m->mdm])
		*data = m->mdm;
	if (m->pcui >= 0 && m->pcui < PORTS_MAX && answers[m->pcui] &&
	    m->pcui != *data)
		*control = m->pcui;
	for (i = 0; i < PORTS_MAX && *data == -1; i++)
		if (answers[i] && i != *control)
			*data = i;
	for (i = PORTS_MAX - 1; i >= 0 && *control == -1; i--)
		if (answers[i] && i != *data)
			*control = i;
	/* The only one is for everything, whatever the modem calls it. */
	if (*data == -1) {
		*data = *control;
		*control = -1;
	}
	return *data != -1;
}
