/*
 * sms_at: inbox and outbox of a modem, carried out through its AT queue; the
 * one place that knows the commands and reports for messages.
 *
 * Messages come in by report (+CMTI, +CDSI, ^SMMEMFULL, +CMT, +CDS) and by
 * poll; see inbox.h and outbox.h for what is promised.
 *
 * From inside an op everything may be called but sms_at_free.
 */
#ifndef MODEM_SMS_AT_H
#define MODEM_SMS_AT_H

#include <stdbool.h>

#include "../server/base/loop.h"
#include "at_queue.h"
#include "inbox.h"
#include "outbox.h"
#include "quirks.h"

struct sms_at;

struct sms_at_conf {
	const char *seen_path;	/* state_dir/sms_seen, or NULL */
	const char *out_path;	/* state_dir/sms_out, or NULL */
	struct outbox_conf out;
};

struct sms_at_ops {
	void (*message)(void *arg, const struct inbox_message *);
	/* A message sent by us is over: sent, unknown, failed. */
	void (*end)(void *arg, const struct outbox_end *);
	/* The message store needs recovery (device_complain). */
	void (*stuck)(void *arg, const char *why);
};

/* The queue must outlive it.  Texts of conf are copied.  Never NULL. */
struct sms_at *sms_at_new(struct loop *, struct at_queue *,
    const struct sms_at_conf *, const struct sms_at_ops *, void *arg);
void sms_at_free(struct sms_at *);		/* NULL is fine */

/*
 * The modem serves (again), set up to PDU mode: ask it for reports, look for
 * messages.  registered: it can send.  NULL: it does not serve.  Call on
 * every change; what did not change does no harm.
 */
void sms_at_serve(struct sms_at *, const struct quirk *, bool registered);

/* Someone waits for a message: poll faster. */
void sms_at_waiting(struct sms_at *, bool);

/* Look now: back from data mode. */
void sms_at_look(struct sms_at *);

void sms_at_configure(struct sms_at *, const struct outbox_conf *);

/* As outbox_add; utc is now. */
int sms_at_send(struct sms_at *, const char *number, const char *text,
    uint32_t *id, char why[OUTBOX_WHY]);

/* For status. */
const struct inbox *sms_at_inbox(const struct sms_at *);
const struct outbox *sms_at_outbox(const struct sms_at *);

#endif
