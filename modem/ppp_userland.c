/*
 * What FreeBSD's ppp(8) is told: one label.  Its section "default" comes
 * first and is the administrator's, so whatever matters is set again here.
 */
#include <stdio.h>
#include <string.h>

#include "ppp.h"

#define WORD_OK "abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+/:=,-"

/*
 * Words of ppp.conf pass through several readers ('$' and '~' expand, even
 * within quotes; '!' executes in some places; '#' begins a comment).  Only
 * what means itself in all of them is taken; everything else is refused.
 */
static int
add_word(char dst[PPP_TEXT], const char *option, const char *word,
    char why[PPP_WHY])
{
	size_t n = strlen(dst);

	if (word == NULL || word[0] == '\0')
		return 0;
	if (strlen(word) >= PPP_WORD || word[strspn(word, WORD_OK)] != '\0') {
		snprintf(why, PPP_WHY, "%s: ppp.conf can hold at most %d "
		    "letters, digits and ._@+/:=,- of it", option,
		    PPP_WORD - 1);
		return -1;
	}
	snprintf(dst + n, PPP_TEXT - n, " set %s \"%s\"\n", option, word);
	return 0;
}

int
ppp_userland_text(char dst[PPP_TEXT], const struct ppp_conf *c,
    char why[PPP_WHY])
{
	snprintf(dst, PPP_TEXT,
	    "# Made by oobd at each call.  ppp.conf includes this file.\n"
	    PPP_LABEL ":\n"
	    " disable ipv6cp lqr vjcomp acfcomp protocomp deflate pred1 mppe\n"
	    " deny vjcomp acfcomp protocomp deflate pred1 mppe\n"
	    " disable sroutes\n"
	    " enable echo\n"
	    " set echoperiod 15\n"
	    " set timeout 0\n"
	    " set redial 0 1\n"
	    " set reconnect 0 0\n"
	    " set cd off\n"
	    " set ifaddr 10.64.64.1/0 10.64.64.2/0 255.255.255.255 0.0.0.0\n"
	    " enable dns\n"
	    " resolv readonly\n"
	    " set log phase warning error alert\n"
	    " set server none\n");
	/* It knows no limit of time: who watches it keeps c->seconds. */
	if (add_word(dst, "authname", c->user, why) == -1 ||
	    add_word(dst, "authkey", c->password, why) == -1)
		return -1;
	return (int)strlen(dst);
}
