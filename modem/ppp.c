#include <stdio.h>
#include <string.h>

#include "../server/base/str.h"
#include "ppp.h"
#include "route.h"

/* pppd(8), EXIT STATUS; 21 of its sources. */
static const struct {
	int status;
	struct ppp_end before, after;	/* the interface had an address */
} ends[] = {
#define SAME(status, failure, text, act) \
	{ status, { failure, text, act }, { failure, text, act } }
	{ 0, { "E-PDP", "the network ended PPP before giving an address",
	    PPP_AFTER_REDIAL },
	    { "E-DEAD", "the network ended PPP", PPP_AFTER_REDIAL } },
	SAME(1, "E-PDP", "pppd failed", PPP_AFTER_REDIAL),
	SAME(2, "E-PPP", "pppd does not take its options (look at "
	    "/etc/ppp/options)", PPP_AFTER_HUMAN),
	SAME(3, "E-PPP", "pppd says it is not root", PPP_AFTER_HUMAN),
	SAME(4, "E-PPP", "the kernel has no PPP (load ppp_generic and "
	    "ppp_async)", PPP_AFTER_HUMAN),
	SAME(5, "", "ended when asked to", PPP_AFTER_NOTHING),
	SAME(6, "E-PORT", "another program has a lock on the port",
	    PPP_AFTER_REPAIR),
	SAME(7, "E-PORT", "pppd cannot open the port", PPP_AFTER_REPAIR),
	SAME(8, "E-PPP", "a connect script failed (look at "
	    "/etc/ppp/options)", PPP_AFTER_HUMAN),
	SAME(9, "E-PPP", "a pty program failed (look at "
	    "/etc/ppp/options)", PPP_AFTER_HUMAN),
	SAME(10, "E-PDP", "the modem connected, but PPP was not agreed on",
	    PPP_AFTER_REDIAL),
	SAME(11, "E-PPP", "pppd wants the network to log in here (auth in "
	    "/etc/ppp/options)", PPP_AFTER_HUMAN),
	SAME(12, "", "nothing moved for too long", PPP_AFTER_NOTHING),
	SAME(13, "", "its time was over", PPP_AFTER_NOTHING),
	SAME(14, "E-PPP", "the network wants to call back", PPP_AFTER_HUMAN),
	{ 15, { "E-PDP", "the network does not answer", PPP_AFTER_REDIAL },
	    { "E-DEAD", "the network does not answer any more",
	    PPP_AFTER_REDIAL } },
	{ 16, { "E-APN", "the network hung up at once (wrong apn, or no "
	    "data in this contract)", PPP_AFTER_REDIAL },
	    { "E-DEAD", "the network hung up", PPP_AFTER_REDIAL } },
	SAME(17, "E-PDP", "the port echoes: no network is behind it",
	    PPP_AFTER_REDIAL),
	SAME(18, "E-PPP", "an init script failed (look at "
	    "/etc/ppp/options)", PPP_AFTER_HUMAN),
	SAME(19, "E-AUTH", "user or password refused", PPP_AFTER_FEW),
	SAME(20, "E-QUOTA", "pppd's own limit of bytes is reached",
	    PPP_AFTER_HUMAN),
	SAME(21, "E-PPP", "pppd does not take a call of this number",
	    PPP_AFTER_HUMAN),
	SAME(127, "E-PPP", "PPP cannot be run", PPP_AFTER_HUMAN),
	{ -1, { "E-PDP", "PPP was killed", PPP_AFTER_REDIAL },
	    { "E-DEAD", "PPP was killed", PPP_AFTER_REDIAL } },
#undef SAME
};

static const struct ppp_end unknown = {
	"E-PDP", "PPP ended in an unknown way", PPP_AFTER_REDIAL
};

const struct ppp_end *
ppp_end(int status, bool was_up)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (ends[i].status == status)
			return was_up ? &ends[i].after : &ends[i].before;
	}
	return &unknown;
}

/* Reading its messages. */

static void
take_interface(struct ppp_heard *h, const char *rest)
{
	size_t n = strspn(rest, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	if (n > 0 && n < sizeof(h->interface))
		snprintf(h->interface, sizeof(h->interface), "%.*s", (int)n,
		    rest);
}

/* The address at rest, or "". */
static void
take_address(char dst[PPP_ADDRESS], const char *rest)
{
	size_t n = strspn(rest, "0123456789.");

	dst[0] = '\0';
	if (n < PPP_ADDRESS)
		snprintf(dst, PPP_ADDRESS, "%.*s", (int)n, rest);
	if (!route_is_host(dst))
		dst[0] = '\0';
}

static void
take_local(struct ppp_heard *h, const char *rest)
{
	take_address(h->local, rest);
}

static void
take_peer(struct ppp_heard *h, const char *rest)
{
	take_address(h->peer, rest);
}

static void
take_dns(struct ppp_heard *h, const char *rest)
{
	char one[PPP_ADDRESS];
	size_t n = strlen(h->dns);

	take_address(one, rest);
	if (one[0] == '\0')
		return;
	if (route_is_fake_dns(one)) {
		h->fake_dns = true;
		return;
	}
	if (n + 1 + strlen(one) < sizeof(h->dns) &&
	    strstr(h->dns, one) == NULL)
		snprintf(h->dns + n, sizeof(h->dns) - n, "%s%s",
		    n == 0 ? "" : ",", one);
}

static void
take_auth(struct ppp_heard *h, const char *rest)
{
	(void)rest;
	snprintf(h->failure, sizeof(h->failure), "E-AUTH");
}

static void
take_stuck(struct ppp_heard *h, const char *rest)
{
	(void)rest;
	if (h->failure[0] == '\0')
		snprintf(h->failure, sizeof(h->failure), "E-PDP");
}

static void
take_dead(struct ppp_heard *h, const char *rest)
{
	(void)rest;
	if (h->failure[0] == '\0')
		snprintf(h->failure, sizeof(h->failure), "E-DEAD");
}

static const struct {
	const char *begin;
	void (*take)(struct ppp_heard *, const char *rest);
	bool complaint;
} messages[] = {
	{ "Using interface ",			take_interface, false },
	{ "local  IP address ",			take_local, false },
	{ "remote IP address ",			take_peer, false },
	{ "primary   DNS address ",		take_dns, false },
	{ "secondary DNS address ",		take_dns, false },
	{ "PAP authentication failed",		take_auth, true },
	{ "CHAP authentication failed",		take_auth, true },
	{ "MS-CHAP authentication failed",	take_auth, true },
	{ "EAP: peer reports authentication failure", take_auth, true },
	{ "LCP: timeout sending Config-Requests", take_stuck, true },
	{ "IPCP: timeout sending Config-Requests", take_stuck, true },
	{ "Could not determine local IP address", take_stuck, true },
	{ "Peer refused to agree to our IP address", take_stuck, true },
	{ "Peer is not authorized to use remote address", take_stuck, true },
	{ "Modem hangup",			NULL, true },
	{ "LCP terminated by peer",		NULL, true },
	{ "No response to ",			take_dead, true },
	{ "Couldn't ",				NULL, true },
	{ "Can't ",				NULL, true },
	{ "oobd: ",				NULL, true },	/* ppp_exec */
};

void
ppp_hear(struct ppp_heard *h, const char *line)
{
	size_t n;

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		n = strlen(messages[i].begin);
		if (strncmp(line, messages[i].begin, n) != 0)
			continue;
		if (messages[i].take != NULL)
			messages[i].take(h, line + n);
		if (messages[i].complaint)
			str_safe(h->last, sizeof(h->last), line, strlen(line));
		return;
	}
}

/* What may be asked of whoever only has the name. */
static const struct {
	const char *failure;
	enum ppp_after after;
} afters[] = {
	{ "",		PPP_AFTER_NOTHING },
	{ "E-AUTH",	PPP_AFTER_FEW },
	{ "E-PPP",	PPP_AFTER_HUMAN },
	{ "E-QUOTA",	PPP_AFTER_HUMAN },
	{ "E-PORT",	PPP_AFTER_REPAIR },
};

enum ppp_after
ppp_after(const char *failure)
{
	for (size_t i = 0; i < sizeof(afters) / sizeof(afters[0]); i++) {
		if (strcmp(afters[i].failure, failure) == 0)
			return afters[i].after;
	}
	return PPP_AFTER_REDIAL;
}
