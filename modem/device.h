/*
 * device: the modem as one state machine.  It finds its ports, identifies the
 * modem, unlocks the SIM (one attempt per SIM and PIN, see pinlog.h), keeps it
 * registered, watches signal and operator, and brings it back when it goes
 * silent (ladder.h).  It opens nothing itself: it asks by an op and is given
 * descriptors, so it runs on sockets and ptys as well as on ttys.
 *
 * With two ports commands go over control while data carries PPP; with one,
 * the modem is deaf as long as PPP has it (DEVICE_DEAF).
 *
 * For messages and dialling: send commands by at_send on device_queue from
 * the moment device_serves, subscribe with at_urc_add (subscriptions outlive
 * every re-open); both are valid as long as the device.
 */
#ifndef MODEM_DEVICE_H
#define MODEM_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "../server/base/loop.h"
#include "at_queue.h"
#include "ladder.h"
#include "quirks.h"

#define DEVICE_PATH 256
#define DEVICE_WHY 200

struct device;

enum device_state {
	DEVICE_OFF,		/* not started */
	DEVICE_ABSENT,		/* no port is there; waits for it */
	DEVICE_OPENING,		/* ports are opened, asked for AT */
	DEVICE_STARTING,	/* identified, set up */
	DEVICE_SIM,		/* SIM and PIN */
	DEVICE_SEARCHING,	/* serves; not registered */
	DEVICE_READY,		/* serves; registered */
	DEVICE_BLOCKED,		/* needs a human: why says what to do */
	DEVICE_DEAF,		/* its only port carries PPP */
	DEVICE_REPAIRING,	/* on the ladder */
};

/* As +CREG has it (27.007 7.2). */
enum device_reg {
	DEVICE_REG_IDLE = 0,
	DEVICE_REG_HOME = 1,
	DEVICE_REG_SEARCHING = 2,
	DEVICE_REG_DENIED = 3,
	DEVICE_REG_UNKNOWN = 4,
	DEVICE_REG_ROAMING = 5,
};

struct device_conf {
	const char *data;	/* path or usb: text (ports.h) */
	const char *control;	/* second port, or NULL */
	const char *pin;	/* or NULL: none */
	const char *pinlog;	/* file of attempts, in the state folder */
	const char *power_hook;	/* program (called with the port), or NULL */
};

struct device_status {
	enum device_state state;
	char why[DEVICE_WHY];	/* for a human; "" when there is nothing */
	struct mono since;	/* in this state */
	char maker[64], model[64], firmware[64];
	char imei[24], imsi[24], iccid[24];	/* "": not known */
	const struct quirk *quirk;
	char control[DEVICE_PATH], data[DEVICE_PATH];	/* paths opened */
	bool two_ports;
	bool lent;		/* data is with PPP */
	int rssi;		/* 0-31, 99: not known; dBm = 2 * rssi - 113 */
	enum device_reg cs;	/* messages need this one */
	enum device_reg ps;	/* data needs this one */
	bool roaming;
	int act;		/* 0 GSM, 2 UTRAN, 7 E-UTRAN..., -1 */
	uint32_t lac, ci;
	char oper[32];		/* numeric, "23203", "": none */
	int pin_tries;		/* left, -1: not known */
	unsigned lost;		/* how often its port vanished */
	struct mono heard;	/* its last answer */
};

struct device_ops {
	/*
	 * Open this port; answer by device_opened or device_not_opened, later
	 * or at once, with the same request.
	 */
	void (*open)(void *arg, uint32_t request, const char *spec);
	/* Cheap: is there something to open?  NULL: port_present. */
	bool (*present)(void *arg, const char *spec);
	/* State or status changed; see device_status.  Once a turn at most. */
	void (*changed)(void *arg);
	/* For every journal: a kind ("modem-repair") and what it was. */
	void (*event)(void *arg, const char *kind, const char *text);
	/*
	 * The modem is gone while its data port is lent: end PPP and close
	 * the descriptor at once.  Do not return it.
	 */
	void (*revoke)(void *arg);
	/*
	 * LADDER_USB: reset the USB device that data is on; LADDER_POWER: run
	 * power_hook.  Answer by device_powered, later.  NULL: it is done
	 * here, as whoever this process is.
	 */
	void (*power)(void *arg, enum ladder_step);
};

/*
 * From inside an op everything may be called but device_free and device_stop.
 * Texts of conf are copied.  Starts DEVICE_OFF.  Never NULL.
 */
struct device *device_new(struct loop *, const struct device_conf *,
    const struct device_ops *, void *arg);
void device_free(struct device *);		/* NULL is fine */

void device_start(struct device *);
/* Close all ports.  A descriptor that is lent stays with its borrower. */
void device_stop(struct device *);

/* fd is the device's now (closed when nobody waits for it any more). */
void device_opened(struct device *, uint32_t request, int fd,
    const char *path);
void device_not_opened(struct device *, uint32_t request, const char *why);

/* text: what went wrong, or "".  Ignored when nobody waits for it. */
void device_powered(struct device *, bool done, const char *text);

/* Something appeared in /dev: look now instead of soon. */
void device_look(struct device *);

const struct device_status *device_status(const struct device *);
const char *device_state_text(enum device_state);
const char *device_reg_text(enum device_reg);
/* Messages can be read and sent (SEARCHING or READY). */
bool device_serves(const struct device *);

/* For SMS and status.  Valid as long as the device. */
struct at_queue *device_queue(struct device *);

/*
 * Dial on the data port.  done gets AT_CONNECT and the descriptor (now the
 * caller's, raw, every byte of PPP still unread), or another result and -1.
 * False: not now (busy, lent, no port).  device_hang_up gives up the attempt.
 */
typedef void device_dial_fn(void *arg, const struct at_reply *, int fd);
bool device_dial(struct device *, const char *number, int64_t timeout_ms,
    device_dial_fn *, void *arg);
void device_hang_up(struct device *);

/*
 * PPP is over: give the descriptor back.  The line is brought back to
 * commands (AT, DTR, +++, +CGACT=0, reopen); device_serves tells when.
 */
void device_return(struct device *, int fd);

/* Poll signal and registration now. */
void device_refresh(struct device *);

/* The configuration has another PIN (or none: NULL). */
void device_set_pin(struct device *, const char *pin);
/* A human says: try the PIN once more although it failed. */
void device_retry_pin(struct device *);

/* A human wants this step now; it counts against no budget. */
void device_repair(struct device *, enum ladder_step);
unsigned device_repairs(const struct device *, enum ladder_step);

/* The modem does not become ready (no data, say): take the next step. */
void device_complain(struct device *, const char *why);

#endif
