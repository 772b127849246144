/*
 * at_queue: commands to a modem, one outstanding, and what comes back told
 * apart: final results, information lines, unsolicited codes (URCs), echo,
 * prompt.  It knows neither descriptors nor clocks: bytes come in by
 * at_queue_input and go out by an op, time is one timer that the owner runs.
 *
 * After every timeout it resynchronises by itself (ESC, silence, a command
 * whose answer cannot be mistaken) before the next command is written, so a
 * late answer never counts for another command.  URCs are delivered at any
 * point, also then.
 *
 * PDU mode only: a body is hexadecimal or refused, so that no text of a
 * message can pass for a result code.
 *
 * Bounds: AT_QUEUE_MAX commands, AT_URC_MAX subscriptions, AT_REPLY_MAX bytes
 * of information per reply.  Everything may be called, and the queue freed,
 * from inside any callback.
 */
#ifndef MODEM_AT_QUEUE_H
#define MODEM_AT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AT_QUEUE_MAX 32
#define AT_URC_MAX 32
#define AT_TEXT_MAX 512
#define AT_REPLY_MAX 65536

struct at_queue;

enum at_result {
	AT_OK,
	AT_CONNECT,		/* of a dial; the queue is in data mode */
	AT_ERROR,		/* plain */
	AT_CME,			/* code: at_errors.h; -1 not known */
	AT_CMS,
	AT_EXT,			/* +EXT ERROR, MODEM ERROR */
	AT_UNKNOWN,		/* COMMAND NOT SUPPORT and its like */
	AT_NO_CARRIER,
	AT_NO_DIALTONE,
	AT_BUSY,
	AT_NO_ANSWER,
	AT_ABORTED,
	AT_TIMEOUT,		/* no final result came in time */
	AT_CANCELLED,
	AT_GONE,		/* there is no port (any more) */
};

struct at_reply {
	enum at_result result;
	int code;		/* AT_CME, AT_CMS, AT_EXT; else -1 */
	const char *text;	/* the final line, "" when there was none */
	char *const *lines;	/* information; valid during the callback */
	size_t nlines;		/* also those that came before a timeout */
	bool cut;		/* there was more than AT_REPLY_MAX */
	bool written;		/* the command went out to the port */
	bool body_written;	/* ... and its body: it may have had effect */
};

typedef void at_done_fn(void *arg, const struct at_reply *);
/* Is this line, which has the right prefix, an answer rather than a URC? */
typedef bool at_mine_fn(const char *line);

enum {
	AT_DIAL = 1,		/* CONNECT, NO CARRIER, BUSY... are results */
	AT_SECRET = 2,		/* never logged */
	AT_FIRST = 4,		/* ahead of those that wait */
};

struct at_command {
	const char *text;	/* "AT+CSQ": printable ASCII, copied */
	/*
	 * Lines that are its own: "+CSQ:".  Lines of hexadecimal after such
	 * a line are, too.  NULL: it has none.  "": any that is no URC.
	 */
	const char *prefix;
	at_mine_fn *mine;	/* or NULL: all with the prefix */
	const char *body;	/* hexadecimal, after the prompt; or NULL */
	int64_t timeout_ms;	/* from command (or body) on; 0: 3 s */
	int64_t prompt_ms;	/* for the prompt to come; 0: 10 s */
	unsigned flags;
};

/* body: the line after +CMT, +CDS, +CBM (NULL when it did not come). */
typedef void at_urc_fn(void *arg, const char *line, const char *body);

struct at_queue_ops {
	/* Write it all or nothing and -1. */
	int (*write)(void *arg, const void *, size_t);
	/* Call at_queue_timeout in ms; it replaces what was set; -1: none. */
	void (*timer)(void *arg, int64_t ms);
	/*
	 * From now on give at_queue_input one byte at a time: bytes behind a
	 * CONNECT belong to whom the line is handed to.  May be NULL.
	 */
	void (*slow)(void *arg, bool);
	/* The modem answers (again). */
	void (*synced)(void *arg);
	/*
	 * It does not, not even to a resync; every command given is over
	 * (AT_GONE).  at_queue_attach (after a re-open) or at_queue_resync
	 * starts over.
	 */
	void (*silent)(void *arg, const char *why);
};

/* name: for the log, copied.  It starts without a port.  Never NULL. */
struct at_queue *at_queue_new(const char *name, const struct at_queue_ops *,
    void *arg);
/* Commands left are dropped without a callback.  NULL is fine. */
void at_queue_free(struct at_queue *);

/*
 * There is a port now: resynchronise, then work.  Subscriptions persist over
 * any number of ports.  at_queue_detach: the port is gone, all commands end
 * with AT_GONE.
 */
void at_queue_attach(struct at_queue *);
void at_queue_detach(struct at_queue *);
void at_queue_resync(struct at_queue *);

bool at_queue_attached(const struct at_queue *);
/* Would at_send take a command (unless full)? */
bool at_queue_works(const struct at_queue *);
/* In data mode: nothing can be sent, the bytes are another's. */
bool at_queue_in_data(const struct at_queue *);
/* Commands waiting or under way. */
size_t at_queue_len(const struct at_queue *);
/* Timeouts since the last final result. */
unsigned at_queue_timeouts(const struct at_queue *);

/*
 * Bytes from the modem.  Returns how many were taken: all, or fewer when data
 * mode began behind a CONNECT.
 */
size_t at_queue_input(struct at_queue *, const uint8_t *, size_t);

/* The timer set by the op ran out. */
void at_queue_timeout(struct at_queue *);

/*
 * Send a command when its turn comes; done (may be NULL) is called once, never
 * from inside at_send.  Returns its id, or 0: no port, data mode, queue full,
 * or ill-formed (control characters, too long, body not hexadecimal).
 */
uint32_t at_send(struct at_queue *, const struct at_command *, at_done_fn *,
    void *arg);

/*
 * Give up on a command: done is called with AT_CANCELLED before this returns.
 * One under way is waited for in silence; a prompt is left by ESC, a dial
 * broken off.  False when there is no such id.
 */
bool at_cancel(struct at_queue *, uint32_t id);

/*
 * Call fn for every line that begins with prefix and is no answer.  Returns
 * an id, 0 when there are AT_URC_MAX.  In the order of subscription.
 */
uint32_t at_urc_add(struct at_queue *, const char *prefix, at_urc_fn *,
    void *arg);
void at_urc_remove(struct at_queue *, uint32_t id);

/* "OK", "timeout": for messages.  at_reply_text adds code and its text. */
const char *at_result_text(enum at_result);
#define AT_REPLY_TEXT 128
char *at_reply_text(char dst[AT_REPLY_TEXT], const struct at_reply *);

#endif
