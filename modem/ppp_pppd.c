/* What pppd(8) is told; the syntax is that of its options files. */
#include <stdio.h>
#include <string.h>

#include "ppp.h"

/*
 * Everything that /etc/ppp/options may set otherwise and that matters here is
 * set again.  The scripts are not there: pppd runs none without a word, and
 * so not the system's own, which change resolv.conf.
 */
static const char fixed[] =
    "noauth\n"
    "nolock\n"			/* the supervisor holds it */
    "local\n"			/* a stick without carrier must not hang us */
    "nocrtscts\n"
    "asyncmap 0\n"
    "noipdefault\n"
    "ipcp-accept-local\n"
    "ipcp-accept-remote\n"
    ":10.64.64.64\n"		/* for networks that give none of their own */
    "usepeerdns\n"
    "nodefaultroute\n"
    "noproxyarp\n"
    "noipv6\n"
    "noccp\n"
    "novj\n"
    "nopcomp\n"
    "noaccomp\n"
    "lcp-echo-interval 15\n"
    "lcp-echo-failure 4\n"
    "maxfail 1\n"
    "nopersist\n"
    "idle 0\n"
    "hide-password\n"
    "linkname oobd\n"
    "ip-up-script /nonexistent/oobd\n"
    "ip-down-script /nonexistent/oobd\n";

/* Printable, and bytes of UTF-8; what is quoted stays exact. */
static bool
can_quote(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	}
	return true;
}

static void
quote(char *dst, size_t size, const char *s)
{
	size_t n = 0;

	dst[n++] = '"';
	for (; *s != '\0' && n + 4 < size; s++) {
		if (*s == '"' || *s == '\\')
			dst[n++] = '\\';
		dst[n++] = *s;
	}
	dst[n++] = '"';
	dst[n] = '\0';
}

/* 0, or -1 with why. */
static int
add_word(char dst[PPP_TEXT], const char *option, const char *word,
    char why[PPP_WHY])
{
	char quoted[2 * PPP_WORD + 8];
	size_t n = strlen(dst);

	if (word == NULL || word[0] == '\0')
		return 0;
	if (strlen(word) >= PPP_WORD || !can_quote(word)) {
		snprintf(why, PPP_WHY, "%s: at most %d bytes, no control "
		    "characters", option, PPP_WORD - 1);
		return -1;
	}
	quote(quoted, sizeof(quoted), word);
	snprintf(dst + n, PPP_TEXT - n, "%s %s\n", option, quoted);
	return 0;
}

int
ppp_pppd_text(char dst[PPP_TEXT], const struct ppp_conf *c,
    char why[PPP_WHY])
{
	snprintf(dst, PPP_TEXT, "%smaxconnect %u\n", fixed,
	    (unsigned)c->seconds);
	if (add_word(dst, "user", c->user, why) == -1 ||
	    add_word(dst, "password", c->password, why) == -1)
		return -1;
	return (int)strlen(dst);
}
