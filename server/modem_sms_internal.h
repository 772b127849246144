/* What the files of modem_sms share; nobody else. */
#ifndef SERVER_MODEM_SMS_INTERNAL_H
#define SERVER_MODEM_SMS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../modem/activation.h"
#include "../modem/device.h"
#include "../modem/replies.h"
#include "../modem/sms_at.h"
#include "modem_link.h"
#include "modem_sms.h"
#include "modem_why.h"

#define SMS_ASKS 4		/* questions to the console process at a time */
#define SMS_WAITERS 16		/* sms send that wait for an outcome */
#define SMS_REPORTS OUTBOX_MAX	/* messages of one report */

/* A command that was accepted. */
struct sms_request {
	char number[OUTBOX_NUMBER];
	char who[CODES_NAME];
	enum command_verb verb;
	unsigned arg;		/* minutes or lines, 0: none given */
};

struct sms_ask;

/* A task that waits until its message is sent. */
struct sms_waiter {
	bool used;
	uint32_t task, message;
	struct mono since;
};

/* The report that the link waits for. */
struct sms_report {
	bool waiting;
	uint32_t messages[SMS_REPORTS];
	size_t n;		/* not over yet */
	struct timer *deadline;
};

struct modem_sms {
	struct modem *m;
	char *state_dir;		/* of codes; NULL: not configured yet */
	struct codes *codes;
	struct activation *activation;
	struct device *device;		/* NULL: there is none */
	struct sms_at *at;		/* NULL: likewise */
	bool serves;
	struct sms_ask *asks[SMS_ASKS];
	struct sms_waiter waiters[SMS_WAITERS];
	struct timer *overdue;		/* of the waiters */
	struct sms_report report;
	struct timer *failed;		/* the link did, a moment ago */
	bool told_failure;		/* to whoever asked for the link */
	bool was_up;			/* in this activation ... */
	struct mono first_up;		/* ... since then */
	struct timer *show;		/* status, from time to time */
};

/* Bring "modem sms" in status up to date. */
void modem_sms_show(struct modem_sms *);

/* The wall clock, seconds since the epoch. */
int64_t modem_sms_utc(void);

/* dBm, 0: not known; the operator, "". */
int modem_sms_signal(const struct modem_sms *);
const char *modem_sms_operator(const struct modem_sms *);

/* modem_sms_act.c: what a command does, and the answer to who sent it. */
void modem_sms_act(struct modem_sms *, const struct sms_request *);
void modem_sms_drop_asks(struct modem_sms *);

/* modem_sms_verb.c: a message is over; how long its asker waits; no device. */
void modem_sms_verb_end(struct modem_sms *, const struct outbox_end *);
void modem_sms_verb_overdue(void *sms);
void modem_sms_verb_drop(struct modem_sms *);

/* modem_report.c */
void modem_report_start(struct modem_sms *);
void modem_report_stop(struct modem_sms *);
void modem_report_end(struct modem_sms *, const struct outbox_end *);
void modem_report_drop(struct modem_sms *);

/*
 * The number of who asked for a link by SMS, from what modem_sms_who said
 * then; it is kept over restarts with the link.  NULL: it was no SMS.
 */
char *modem_sms_number(const char *who, char dst[OUTBOX_NUMBER]);
/* "alice (sms +46701234567)". */
void modem_sms_who(const struct sms_request *, char dst[LINKSTATE_WHO]);

#endif
