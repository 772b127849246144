/*
 * modem_stick: the simulated stick as a whole: what its command tables, its
 * ports and the orders from the control socket have in common.  Only the
 * simulator's own files include this.
 */
#ifndef SIM_MODEM_STICK_H
#define SIM_MODEM_STICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../server/base/loop.h"
#include "modem_at.h"
#include "modem_card.h"
#include "modem_carrier.h"
#include "modem_fault.h"
#include "modem_pdu.h"
#include "modem_port.h"
#include "modem_store.h"

#define STICK_PORTS 2		/* the data port is 0, the control port 1 */
#define STICK_SENT 256		/* messages sent that are kept */
#define STICK_WAITING 64	/* messages the network keeps for us */
#define STICK_LOG 1024		/* commands that are kept */
#define STICK_CONTEXTS 16
#define STICK_APN 101

struct session;

enum stick_port {
	STICK_DATA,
	STICK_CONTROL,
};

/* +CREG's numbers. */
enum registration {
	REG_IDLE,
	REG_HOME,
	REG_SEARCHING,
	REG_DENIED,
	REG_UNKNOWN,
	REG_ROAMING,
};

struct personality {
	const char *name;
	const char *manufacturer, *model, *revision, *imei;
	const char *const *about;	/* ATI's lines; ends with NULL */
	const struct at_command *const *tables;	/* ends with NULL */
	int unknown;		/* the result of a command there is not */
	bool huawei;
};

extern const struct personality personality_huawei, personality_generic;

struct stick_conf {
	const struct personality *who;
	struct port_conf ports[STICK_PORTS];
	unsigned nports;
	const char *pin, *puk;	/* pin NULL: none is asked for */
	const char *stores;
	const char *apn;	/* the only right one, or NULL */
	const char *carrier;	/* program, or NULL */
	const char *log;	/* file to append every command to, or NULL */
	int64_t boot_ms;	/* the card is busy for that long */
	int64_t reset_ms;	/* gone for that long after a reset */
	int64_t dial_ms;	/* from ATD to CONNECT or NO CARRIER */
	int64_t sms_ms;		/* sending one takes */
	int64_t guard_ms;	/* silence around +++ */
	int64_t chatter_ms;	/* between unasked ^RSSI; 0: none */
	int portsel;		/* ^PORTSEL after power up */
};

/* For a port's callbacks: whose it is, and which. */
struct stick_end {
	struct stick *stick;
	unsigned port;
};

struct stick {
	struct loop *loop;
	const struct stick_conf *conf;
	struct card *card;
	struct store *store;
	struct faults *faults;
	struct session *session;
	struct at *at[STICK_PORTS];
	struct port *port[STICK_PORTS];	/* by name: see stick_port */
	struct stick_end ends[STICK_PORTS];
	bool swapped;		/* each has the other's name */
	bool plugged;
	struct timer *boot, *off, *back, *chatter;
	unsigned ticks;		/* of chatter */
	/* The network. */
	int rssi, ber;
	enum registration cs, ps;
	enum registration said_cs, said_ps;	/* last, unasked */
	bool g3;		/* not 2G */
	char operator[8];	/* numeric */
	char operator_name[32];
	int cops_format;
	/* Settings that go with a reset. */
	int cfun;
	bool curc, attached;
	int portsel;
	int mem[3];		/* +CPMS */
	bool text_mode;
	/* Settings that stay. */
	char apn[STICK_CONTEXTS + 1][STICK_APN];	/* by cid; "": none */
	bool active[STICK_CONTEXTS + 1];
	int u2diag;
	char cause[64];		/* +CEER */
	/* Messages. */
	char sent[STICK_SENT][PDU_HEX];
	uint64_t nsent;		/* ever; the newest are kept */
	char waiting[STICK_WAITING][PDU_HEX];
	char waiting_mem[STICK_WAITING][3];	/* "": mem3 */
	unsigned nwaiting;
	struct timer *deliver;
	unsigned copies;	/* of the next message */
	unsigned ref;		/* of long ones, and +CMGS's */
	size_t announced[STICK_PORTS];	/* octets, by +CMGS=n */
	bool lost_index;	/* +CMTI says -1 */
	/* What came. */
	char *log[STICK_LOG];
	uint64_t nlog;		/* ever */
	int log_fd;
	uint64_t resets;
};

/* NULL after a message. */
struct stick *stick_new(struct loop *, const struct stick_conf *);
void stick_free(struct stick *);		/* NULL is fine */

/* 0, or -1 after a message. */
int stick_plug(struct stick *, bool swap);
void stick_unplug(struct stick *);
/* Off, and back after conf->reset_ms. */
void stick_reset(struct stick *);

/* The port that an interpreter speaks at now. */
struct port *stick_port(const struct stick *, int index);
/* "data" or "control". */
const char *stick_port_text(int index);

/* What +CREG? and +CGREG? say now. */
enum registration stick_cs(const struct stick *);
enum registration stick_ps(const struct stick *);
bool stick_registered(enum registration);
/* Something that registration depends on has changed. */
void stick_radio_changed(struct stick *);
void stick_rssi_changed(struct stick *);

/* A line that the stick says unasked, at the ports that get such. */
void stick_urc(struct stick *, const char *, ...)
    __attribute__((format(printf, 2, 3)));
/* One that ^CURC=0 silences. */
void stick_chat(struct stick *, const char *, ...)
    __attribute__((format(printf, 2, 3)));
/* Does this port get what is said unasked? */
bool stick_speaks(const struct stick *, const struct at *);

/* The network has a message; mem "" for where they go.  0, -1: no more. */
int stick_message(struct stick *, const char *pdu, const char *mem);
/* Space, or a network, may be there: deliver what waits. */
void stick_deliver(struct stick *);
/* One was sent.  Its reference. */
unsigned stick_sent(struct stick *, const char *pdu);

/* A command came at this port. */
void stick_log(struct stick *, enum stick_port, const char *command);

#endif
