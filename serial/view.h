/*
 * view: where the journal's readers (logview, replay) put what they show, and
 * what they take from whoever looks on.  They run in a process of their own:
 * both functions may block.
 */
#ifndef SERIAL_VIEW_H
#define SERIAL_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIEW_TIMEOUT (-1)
#define VIEW_GONE (-2)

struct view_ops {
	/* stream 1: data, 2: messages.  0, or -1: nobody reads any more. */
	int (*write)(void *arg, int stream, const void *, size_t n);
	/*
	 * Wait ms (-1: for ever) for a key.  The key, VIEW_TIMEOUT, or
	 * VIEW_GONE when nobody looks any more.
	 */
	int (*wait)(void *arg, int64_t ms);
	/* Of the terminal now; 0, or no function: not known. */
	void (*size)(void *arg, unsigned *columns, unsigned *rows);
};

struct view {
	const struct view_ops *ops;
	void *arg;
	const char *log_dir;
	bool tty;		/* data goes to a terminal, keys come from it */
};

/* Exit status, as in the manual. */
enum view_status {
	VIEW_OK = 0,
	VIEW_FAILED = 1,
	VIEW_USAGE = 2,
	VIEW_NO_CONSOLE = 3,
};

/* A message on stream 2: "oobd: text\n". */
void view_say(const struct view *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Options, from argv[first] on (argv[0] is the verb, argv[1] the console).  An
 * option takes one word, or none when it is a flag.
 */
struct view_option {
	const char *name;	/* "--since" */
	bool flag;
	/* Store it; -1: value is not one, view_options says what it wants. */
	int (*set)(void *conf, const char *value);
	const char *wants;	/* "a time (RFC 3339, HH:MM, -15min, now)" */
};

/* The table ends with a NULL name.  VIEW_OK, or VIEW_USAGE having said why. */
enum view_status view_options(const struct view *, int argc,
    char *const argv[], int first, const struct view_option *, void *conf);

/* The time that most of them take: the first member of their conf. */
struct view_span {
	int64_t now, since, until;	/* microseconds UTC */
};
#define VIEW_TIME "a time (RFC 3339, HH:MM[:SS] UTC today, -15min, now)"

/* From ever (INT64_MIN) to ever (INT64_MAX). */
void view_span_init(struct view_span *);
int view_set_since(void *conf, const char *value);
int view_set_until(void *conf, const char *value);
/* VIEW_OK, or VIEW_USAGE having said that it ends before it begins. */
enum view_status view_span_check(const struct view *, const char *verb,
    const struct view_span *);

/* "2", "0.5" seconds or a duration like "500ms".  0 and *us, or -1. */
#define VIEW_SECONDS "the longest pause, like 2 or 500ms"
int view_seconds(const char *value, int64_t *us);
/* A decimal number in (0, max].  0 or -1. */
int view_positive(const char *value, double max, double *out);

struct jread;
/* Open the journal of argv[1].  NULL having said why; *status set. */
struct jread *view_open(const struct view *, int argc, char *const argv[],
    enum view_status *status);

#endif
