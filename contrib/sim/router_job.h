/*
 * router_job: a command that the simulated shell runs.  Each command is one
 * entry of router_commands; its functions get the job and print to the wire.
 */
#ifndef SIM_ROUTER_JOB_H
#define SIM_ROUTER_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

#define JOB_ARGS 16

struct job;

/* What start answers. */
enum job_next {
	JOB_DONE,
	JOB_RUNS,
	JOB_USAGE,
	JOB_EXIT,		/* leave the shell */
	JOB_REBOOT,
	JOB_PANIC,
};

struct command {
	const char *name;
	const char *args;	/* for help */
	const char *help;
	bool raw;		/* takes every key, ^C and ^D too */
	enum job_next (*start)(struct job *, int argc, char **argv);
	/* Any of these may be NULL. */
	void (*more)(struct job *);		/* the wire has room */
	void (*tick)(struct job *);		/* job->timer ran out */
	void (*key)(struct job *, uint8_t);	/* a byte was typed */
	void (*interrupted)(struct job *);	/* ^C: last words */
};

/* Ends with a NULL name. */
extern const struct command router_commands[];

/* Where and who we are, for what commands print. */
struct box_facts {
	const char *hostname;
	const char *user;
	uint64_t seed;
	struct mono started;	/* for uptime */
};

struct job {
	const struct command *command;	/* NULL: none is running */
	const struct box_facts *facts;
	struct wire *wire;
	struct timer *timer;
	bool done;		/* set by a function that is finished */
	/* The command's own; all zero at start. */
	uint64_t at, total;
	uint64_t random;
	uint32_t crc;
	unsigned row;
	uint8_t state;
	char word[64];
};

/* Formatted, "\n" as CR LF, at most 1023 bytes. */
void job_print(struct job *, const char *, ...)
    __attribute__((format(printf, 2, 3)));
/* Any length that fits the wire's queue. */
void job_say(struct job *, const char *);

/* The full-screen one has a file of its own. */
enum job_next top_start(struct job *, int argc, char **argv);
void top_tick(struct job *);
void top_key(struct job *, uint8_t);
void top_interrupted(struct job *);

#endif
