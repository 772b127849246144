/* What the files of modem_dial share; nobody else. */
#ifndef SERVER_MODEM_DIAL_INTERNAL_H
#define SERVER_MODEM_DIAL_INTERNAL_H

#include "../modem/budget.h"
#include "modem_dial.h"

#define DIAL_ROUTES 16

enum dial_state {
	DIAL_IDLE,
	DIAL_WAITING,		/* for the modem */
	DIAL_SETTING,		/* the context */
	DIAL_CALLING,
	DIAL_ASKING,		/* why the call failed */
	DIAL_NEGOTIATING,	/* the supervisor runs PPP */
	DIAL_PROVING,		/* it has an address */
	DIAL_UP,
	DIAL_ENDING,		/* PPP was told to end */
};

struct modem_dial {
	struct modem *m;
	const struct modem_dial_ops *ops;
	void *arg;
	enum dial_state state;
	struct timer *limit;		/* of the state */
	struct timer *soon;		/* look at the modem */
	uint32_t command;		/* under way at the modem */
	int fd;				/* the line; -1: not ours */
	bool force;
	uint32_t seconds;
	char waits_for[MODEM_WHY];
	bool failing, hopeless;		/* how ENDING ends */
	char reason[MODEM_WHY];
	struct at_reply refused;	/* its result and code alone */
	char cause[MODEM_WHY];
	unsigned bad;			/* calls without data, in a row */
	unsigned refusals;		/* of our login, in this activation */
	char complaint[MODEM_WHY];	/* to be made of the modem */
	struct modem_dial_ppp ppp;

	/* modem_dial_data.c */
	struct budget *budget;		/* NULL: not configured yet */
	char *budget_path;
	struct timer *count;
	bool counting, told_soft;
	uint64_t first_received, first_sent;
	uint64_t received, sent;	/* of this session, or the last one */
	char claim[MODEM_WHY];		/* a relay is said to be through */
	char routes[DIAL_ROUTES][48];
	size_t nroutes;

	/* modem_dial_watch.c */
	struct timer *watch;
	uint32_t asked;			/* under way at the modem */
	bool was_active;		/* it called the context so */
};

/* modem_dial.c: the way is of no use (any more). */
void dial_fail(struct modem_dial *, const char *why, bool hopeless);

/* modem_dial_data.c */
void dial_data_configure(struct modem_dial *);
/* Its interface has an address; false: it is not as it was said. */
bool dial_data_start(struct modem_dial *, char why[MODEM_WHY]);
void dial_data_end(struct modem_dial *);
void dial_data_on_count(void *);
/* Bytes came in since PPP was up. */
bool dial_data_heard(const struct modem_dial *);

/* modem_dial_watch.c: fails the way when the modem says that it is over. */
void dial_watch_start(struct modem_dial *);
void dial_watch_stop(struct modem_dial *);
void dial_watch_on_timer(void *);

#endif
