/*
 * ports: which of a modem's ports is what.  Pure: device.c opens and asks.
 *
 * A modem given as "usb:VID:PID[:SERIAL]" without interface, and no control
 * port named, is searched: every interface that has a tty is asked for AT, and
 * ^GETPORTMODE, where there is one, settles the roles.  Everything else is
 * taken as it was configured.
 */
#ifndef MODEM_PORTS_H
#define MODEM_PORTS_H

#include <stdbool.h>
#include <stddef.h>

#define PORTS_MAX 8		/* interfaces looked at */
#define PORTS_SPEC 128

/* Is this a modem to be searched for?  data, control as configured. */
bool ports_is_search(const char *data, const char *control);

/*
 * The device name of candidate i (0 to PORTS_MAX - 1) of such a search:
 * interface i.  0, or -1 when it is too long.
 */
int ports_candidate(const char *data, unsigned i, char *dst, size_t size);

/* What ^GETPORTMODE said; -1: not said. */
struct ports_mode {
	int mdm, pcui;		/* numbers of interfaces */
};

/*
 * "^GETPORTMODE: TYPE: WCDMA: huawei,MDM:0,PCUI:1,..." in any of its shapes.
 * False (and -1, -1) when it names neither.
 */
bool ports_parse_mode(const char *line, struct ports_mode *);

/*
 * Choose from the interfaces that answer to AT.  The modem's own word counts
 * as far as those ports answer; else the lowest is data and the highest
 * control.  *control is -1 when there is but one.  False: none answers.
 */
bool ports_choose(const bool answers[PORTS_MAX], const struct ports_mode *,
    int *data, int *control);

#endif
