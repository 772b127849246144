/*
 * ppp: the system's PPP as a program that is given a dialled terminal: what it
 * is told, what it says, and what its end means.
 *
 * Linux: pppd(8), options on a descriptor (ppp_pppd.c).  FreeBSD: ppp(8)
 * -direct, a label in a file of its own (ppp_userland.c).  The texts of both
 * are made on every system; ppp_linux.c and ppp_freebsd.c run them.
 */
#ifndef MODEM_PPP_H
#define MODEM_PPP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PPP_WORD 100		/* bytes of a user, a password; NUL counts */
#define PPP_TEXT 2048		/* the options of either program */
#define PPP_NAME 32		/* of an interface */
#define PPP_ADDRESS 16		/* IPv4 */
#define PPP_DNS 48		/* name servers, "a,b" */
#define PPP_WHY 200

struct ppp_conf {
	const char *user;	/* NULL or "": none */
	const char *password;	/* NULL: none */
	bool default_route;
	uint32_t seconds;	/* its own limit, our deadlines apart; not 0 */
};

/*
 * The text for pppd's "file" option / for a file that ppp.conf includes; it
 * holds the password: wipe it.  The length, or -1 with why: a user or password
 * that cannot be written down exactly is refused, never changed.
 */
int ppp_pppd_text(char dst[PPP_TEXT], const struct ppp_conf *,
    char why[PPP_WHY]);
int ppp_userland_text(char dst[PPP_TEXT], const struct ppp_conf *,
    char why[PPP_WHY]);

#define PPP_LABEL "oobd"	/* of that text, and pppd's ipparam */
#define PPP_USERLAND_FILE "/etc/ppp/oobd.conf"
#define PPP_USERLAND_UNIT 42	/* so the interface is tun42 */

/* What an end asks for. */
enum ppp_after {
	PPP_AFTER_NOTHING,	/* it was meant to end */
	PPP_AFTER_REDIAL,
	PPP_AFTER_REPAIR,	/* the port: climb the ladder */
	PPP_AFTER_FEW,		/* again, but not more than 3 times */
	PPP_AFTER_HUMAN,	/* again would not help */
};

struct ppp_end {
	const char *failure;	/* "E-AUTH", ...; "" when there is none */
	const char *text;
	enum ppp_after after;
};

/*
 * What this exit status of pppd means (-1: killed), by whether the interface
 * ever had an address.  Never NULL.  By failure alone for those that get it by
 * a frame: PPP_AFTER_REDIAL when it is not known.
 */
const struct ppp_end *ppp_end(int status, bool was_up);
enum ppp_after ppp_after(const char *failure);

/* What it says of itself (its messages, line by line), of either program. */
struct ppp_heard {
	char interface[PPP_NAME];	/* "": not said yet */
	char local[PPP_ADDRESS], peer[PPP_ADDRESS];
	char dns[PPP_DNS];		/* without fakes (route.h), or "" */
	bool fake_dns;			/* some were left out */
	char failure[16];		/* "E-AUTH", "E-PDP", or "" */
	char last[PPP_WHY];		/* the last complaint, safe to show;
					   or "" */
};
void ppp_hear(struct ppp_heard *, const char *line);

/* Of the system. */

/*
 * Become PPP on terminal fd; messages go to fd log.  To be called in a child,
 * as root: returns only when that failed, with why (and errno).
 */
void ppp_exec(int fd, int log, const struct ppp_conf *, char why[PPP_WHY]);

/* The interface that it will have, "" where only its messages tell. */
const char *ppp_interface(void);

/*
 * Can this system do it (root, a program, a kernel)?  0, or -1 with why, which
 * names the remedy.
 */
int ppp_possible(char why[PPP_WHY]);

/* Does this pid run a PPP that ppp_exec started? */
bool ppp_is_ours(pid_t);

/*
 * PPP is gone, perhaps by SIGKILL: the terminal is a terminal again.  0, or
 * -1 with errno: the port is gone, too.
 */
int ppp_reclaim(int fd);

#endif
