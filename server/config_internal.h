/*
 * config_internal: what the config*.c files share.
 *
 *	text -> config_scan (tokens with lines, unknown and repeated options)
 *	     -> libconfuse (grammar) -> config_read.c (values, by the tables
 *	     of config_table.c, which say the kind of each: config_kind*.c)
 *	     -> config_fill.c (defaults that depend on others)
 *	     -> config_check.c, config_way.c (what must fit together)
 *
 * libconfuse never sees a value: the scanner writes the number of the token
 * in its place.  That keeps its lexer away from comments (it miscounts their
 * lines), from ${NAME} (it would read our environment), and from characters
 * that it drops without a word; and every value leads back to its line.
 */
#ifndef SERVER_CONFIG_INTERNAL_H
#define SERVER_CONFIG_INTERNAL_H

#include "config.h"

#define CONFIG_WHY 320		/* a reason, terminated */
#define CONFIG_VALUE 64		/* a value that is no text, as text */
#define CONFIG_TEXT_MAX (16 << 20)	/* with all keys in it, escaped */
#define CONFIG_KEYS_MAX 2048		/* of all users */
#define CONFIG_KEYS_BYTES (1 << 20)

struct config_option;
struct build;

/*
 * Check text and store it at field, whatever it has there before being freed.
 * 0, or -1 with the remedy in why.
 */
typedef int config_set_fn(void *field, const struct config_option *,
    const char *text, char why[CONFIG_WHY]);
/* The value as it is written: dst, a constant or the field; NULL: none. */
typedef const char *config_text_fn(char dst[CONFIG_VALUE], const void *field,
    const struct config_option *);

/* A kind of value: how it is read, printed and kept. */
struct config_kind {
	config_set_fn *set;
	config_text_fn *text;
	bool bare;		/* printed without quotes */
	bool owned;		/* the field is a char * of its own */
	bool secret;		/* complaints do not show it */
};

struct config_option {
	const char *name;	/* NULL ends a table */
	const struct config_kind *kind;
	const char *dflt;	/* a list's: blanks between; NULL: none */
	size_t at, count_at;	/* offsets in the section's struct */
	int64_t min, max;	/* of a number, ms or bytes */
	const char *const *words;	/* to choose from */
	const char *need;	/* it must be there: how to add it */
	bool list;
};

enum config_place {
	PLACE_ALWAYS,		/* a struct; missing: all defaults */
	PLACE_MAYBE,		/* a pointer; missing: NULL */
	PLACE_MANY,		/* an array with a count; has titles */
};

struct config_section {
	const char *name;	/* NULL ends a table */
	const struct config_option *options;
	const struct config_section *sections;	/* or NULL */
	enum config_place place;
	size_t at, count_at;	/* offsets in the parent's struct */
	size_t size;		/* of its struct, which has its title first */
	size_t line_at;		/* offset of file_line; 0: it has none */
	size_t max;		/* how many there may be */
};

/* config_table.c; the root's name is "". */
extern const struct config_section config_root;
extern const char *const config_roles[];

const struct config_option *config_find_option(const struct config_section *,
    const char *name);
const struct config_section *config_find_section(const struct config_section *,
    const char *name);

/* The pointer at this offset of a struct. */
void *config_pointer(const void *base, size_t at);
void config_set_pointer(void *base, size_t at, void *);
size_t *config_count(void *base, size_t at);

/* config_kind.c: what the kinds share. */
int config_why(char why[CONFIG_WHY], const char *, ...)
    __attribute__((format(printf, 2, 3)));		/* -1 */
int config_store(void *field, const char *text);	/* 0 */
config_set_fn config_set_text;
config_text_fn config_stored;

/* config_scan.c */
enum token_type {
	TOKEN_END,
	TOKEN_WORD,		/* a word or a string */
	TOKEN_MARK,		/* { } ( ) = , and += as '+' */
};

struct token {
	enum token_type type;
	char mark;
	char *text;		/* a word's, decoded */
	int line;
};

struct scan {
	struct token *tokens;	/* the last one is TOKEN_END */
	size_t ntokens;
	char *normal;		/* for libconfuse */
	bool odd;		/* libconfuse must refuse it */
};

/* NULL when the text cannot be cut into tokens; complaints are made. */
struct scan *scan_new(struct build *, const char *text, size_t n);
void scan_free(struct scan *);
/* The token that a value of libconfuse stands for. */
const struct token *scan_token(const struct scan *, const char *value);
/* Where a section of the root begins that has no title. */
int scan_section_line(const struct scan *, const char *name);

/*
 * config.c: a configuration in the making.  What is stored comes with the
 * line it stood on, so that later checks can name it.
 */
struct build {
	const char *name;	/* of the file */
	struct config *conf;
	config_error_fn *error;
	void *arg;
	unsigned errors;
	struct complaint *complaints;	/* told at the end, by line */
	struct scan *scan;
	struct build_line *lines;
	size_t nlines, lines_size;
};

void build_error(struct build *, int line, const char *, ...)
    __attribute__((format(printf, 3, 4)));
void build_error_at(struct build *, const char *file, int line,
    const char *, ...) __attribute__((format(printf, 4, 5)));

/*
 * What was stored at field[index] stood on that line.  For the option as a
 * whole it is the number of values it was given, bad ones, too.
 */
#define BUILD_WHOLE SIZE_MAX
void build_note(struct build *, const void *field, size_t index, int line);
/* Line of what was stored at field[index]; 0 when it was not in the file. */
int build_line(const struct build *, const void *field, size_t index);
/* Whether the option was given at all. */
bool build_has(const struct build *, const void *field);

/* Text of the file for a message: safe on a terminal, cut when long. */
#define SHOW_TEXT 100
char *build_show(char dst[SHOW_TEXT], const char *);

/* config_read.c: the sections, by the tables.  0, or -1 with complaints. */
int config_read(struct build *);

/* config_fill.c: defaults that depend on the system or on other options. */
void config_fill(struct build *);
/* "weekly sun 03:00" as a day (-1: every) and a minute of it.  0 or -1. */
int config_drill(const char *, int *day, int *minute);

/* config_check.c: complain about what does not fit together. */
void config_check(struct build *);
/* And about what this system does not have. */
void config_check_system(struct build *);
/* The folder of what stands at this path. */
void config_check_folder(struct build *, const char *name, char *const *field);

/* config_tty.c: about a line that is there twice; system: follow links. */
void config_check_ttys(struct build *, bool system);

/* config_way.c: as config_check, for relay, modem, activation, notify. */
void config_check_way(struct build *);
void config_check_files(struct build *);

/*
 * config_keys.c: read the keys_file files where with_files; complain about a
 * key that two users have.
 */
void config_keys(struct build *, bool with_files);

/* config_print.c: the text in quotes, as scan_new reads it back. */
void config_quote(char **text, const char *);
void config_append(char **text, const char *, ...)
    __attribute__((format(printf, 2, 3)));

/* config_linux.c, config_freebsd.c */
struct config_paths {
	const char *file, *state_dir, *log_dir, *control;
};
extern const struct config_paths config_paths;

#endif
