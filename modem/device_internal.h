/*
 * device_internal: what the files of device share.
 *
 *	device.c		life, states, queue, dialling
 *	device_open.c		finding and opening ports
 *	device_script.c		sequences of commands
 *	device_init.c		identification and set-up
 *	device_sim.c		SIM and PIN
 *	device_watch.c		registration, signal, unsolicited codes
 *	device_return.c		from data back to commands
 *	device_repair.c		the ladder
 */
#ifndef MODEM_DEVICE_INTERNAL_H
#define MODEM_DEVICE_INTERNAL_H

#include "at_channel.h"
#include "device.h"
#include "helper.h"
#include "ports.h"

#define SCRIPT_MAX 24
#define WELL_MS (5 * 60 * 1000)	/* so long without trouble is well */

enum { MAIN, AUX, CHANNELS };	/* AUX: the data port, when there are two */

typedef void device_step_fn(struct device *, const struct at_reply *);

/* One command of a sequence. */
struct step {
	const char *text;
	const char *prefix;
	at_mine_fn *mine;
	int64_t timeout_ms;
	bool patient;		/* "SIM busy" and its like: again, for 60 s */
	device_step_fn *got;	/* NULL: any result will do */
};

/* A port that was opened, or is to be. */
struct candidate {
	char spec[PORTS_SPEC];
	char path[DEVICE_PATH];
	int fd;
	bool answers;
};

enum return_step {
	RETURN_NONE,
	RETURN_ASK,
	RETURN_DTR,
	RETURN_PLUS,
	RETURN_CGACT,
};

struct device {
	struct loop *loop;
	const struct device_ops *ops;
	void *arg;
	char *data, *control, *pin, *pinlog, *power_hook;
	struct device_status st;
	struct at_channel *ch[CHANNELS];
	struct timer *changed_timer;

	/* device_open.c */
	struct candidate cand[PORTS_MAX];
	size_t ncand, at_cand;
	uint32_t request;	/* of the open under way, 0: none */
	uint32_t last_request;
	bool search;
	bool mode_asked;
	struct ports_mode mode;
	struct timer *open_timer;
	struct backoff absent;
	struct mono absent_since;
	bool one_of_two;	/* the control port is done without */
	unsigned well;		/* times it was well since */
	bool complained;	/* of why it cannot be opened */

	/* device_script.c */
	struct step script[SCRIPT_MAX];
	size_t nscript, at_script;
	void (*script_done)(struct device *);
	uint32_t script_id;	/* of the command under way */
	unsigned patience;
	struct timer *script_timer;
	unsigned script_number;	/* which sequence this is */

	/* device_sim.c */
	char sim[40];		/* key in pinlog */
	unsigned sim_rounds;
	bool pin_sent;

	/* device_watch.c */
	struct timer *watch_timer, *well_timer;
	struct mono denied_since;
	bool denied;

	/* device.c: dialling; device_return.c */
	uint32_t dial_id;
	device_dial_fn *dial_done;
	void *dial_arg;
	enum return_step returning;
	bool plus_sent;
	struct timer *return_timer;

	/* device_repair.c */
	struct ladder *ladder;
	struct timer *repair_timer;
	struct helper *helper;
	bool powering;		/* somebody else is at this step */
	enum ladder_step repairing;
	unsigned at_reset;
	bool waiting;		/* for the budget: all was tried */
};

/* device.c */
void device_change_state(struct device *, enum device_state,
    const char *why, ...) __attribute__((format(printf, 3, 4)));
void device_tell(struct device *, const char *kind, const char *, ...)
    __attribute__((format(printf, 3, 4)));
void device_changed(struct device *);
/* All ports, scripts and timers; a borrower is told. */
void device_close(struct device *);

/* device_open.c */
void device_find(struct device *);		/* look, open, ask */
void device_find_in(struct device *, int64_t ms);
void device_on_open_timer(void *);
/* A channel came into step, or is silent, while opening. */
void device_open_synced(struct device *);
void device_open_silent(struct device *);
void device_open_reset(struct device *);

/* device_script.c */
void script_begin(struct device *);
void script_add(struct device *, const struct step *);
void script_add_list(struct device *, const char *const *);
/* Run it on the main channel; done when all are through. */
void script_run(struct device *, void (*done)(struct device *));
void script_stop(struct device *);
void device_on_script_timer(void *);

/* device_init.c */
void device_identify(struct device *);
void device_set_up(struct device *);		/* behind the PIN */

/* device_sim.c */
void device_ask_sim(struct device *);
void device_ask_pin(struct device *);

/* device_watch.c */
void device_watch(struct device *);		/* ask now, then regularly */
void device_subscribe(struct device *);
void device_on_watch_timer(void *);
void device_on_well_timer(void *);

/* device_return.c */
void device_return_synced(struct device *);
void device_return_silent(struct device *);
void device_on_return_timer(void *);

/* device_repair.c */
void device_trouble(struct device *, bool resync, const char *why);
void device_repair_synced(struct device *);
void device_on_repair_timer(void *);
void device_repair_stop(struct device *);

/* The channel and queue that carry dialling. */
struct at_channel *device_data_channel(struct device *);

#endif
