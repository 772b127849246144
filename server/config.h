/*
 * config: the configuration file as a struct, immutable once loaded.
 * docs/oobd.conf.5 is the manual; config_table.c has every option once.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../serial/line.h"

#define CONFIG_CONSOLES_MAX 256
#define CONFIG_USERS_MAX 256

enum role {
	ROLE_VIEWER,
	ROLE_OPERATOR,
	ROLE_ADMIN,
};

enum sharing {
	SHARING_SINGLE,		/* one writer, the rest watch */
	SHARING_ALL,		/* everyone types */
};

struct config_alert {
	char *name;
	char *match;		/* ERE, or NULL */
};

struct config_console {
	char *name;
	char *device;		/* path, or "usb:VID:PID[:SERIAL][:IF]" */
	struct line line;
	char *description;	/* never NULL */
	enum sharing sharing;
	bool record_input;
	int64_t break_ms;	/* length of a BREAK, default 300 */
	size_t ring;		/* bytes of history, power of two */
	struct config_alert *alerts;
	size_t nalerts;
	int file_line;		/* where it stands, for messages */
};

struct config_user {
	char *name;
	char **keys;		/* authorized_keys lines, of keys_file, too */
	size_t nkeys;
	size_t ninline;		/* the first of keys that stood in keys = {} */
	char *keys_file;	/* or NULL */
	enum role role;
	char **consoles;	/* names or fnmatch(3) patterns */
	size_t nconsoles;
	int escape;		/* lead-in byte (default 5, ^E), -1: off */
	int file_line;
};

struct config_ssh {
	char **listen;		/* "127.0.0.1:2222", "[::1]:2222" */
	size_t nlisten;
	char *host_key;		/* path, made absolute under state_dir */
	int64_t login_grace_ms;		/* 20 s */
	unsigned max_unauth;		/* 16 */
	unsigned max_unauth_source;	/* 4 per /32 or /64 */
	unsigned max_auth_tries;	/* 6 */
	unsigned max_sessions;		/* 64 */
	unsigned max_channels;		/* 8 per connection */
	int64_t keepalive_ms;		/* 15 s */
	unsigned keepalive_count;	/* 4 */
};

struct config {
	char *name;
	char *state_dir;
	char *log_dir;
	char *run_dir;		/* histories; default: control less ".sock" */
	char *control;
	char *service_user;	/* default "oobd", NULL: no such user */
	char *control_group;	/* group of the control socket, or NULL */
	int64_t deadline_ms;	/* children must answer a ping, 5 s */
	int64_t sync_typing_ms;	/* 1 s */
	int64_t sync_idle_ms;	/* 30 s */
	struct config_console *consoles;
	size_t nconsoles;
	struct config_user *users;
	size_t nusers;
	struct config_ssh ssh;
	char *later;		/* checked sections that nothing uses yet, as
				   canonical text; never NULL */
};

/* One complaint: "file:line: message" without newline. */
typedef void config_error_fn(void *arg, const char *message);

/*
 * Read a file (config_load) or text handed down by the supervisor
 * (config_parse, name used in messages).  Every error is reported; NULL when
 * there was any.  config_load also reads the keys_file files and checks what
 * can only be checked on this system (keys_file readable, host_key folder).
 * The caller owns the result: config_free.
 */
struct config *config_load(const char *path, config_error_fn *, void *arg);
struct config *config_parse(const char *text, const char *name,
    config_error_fn *, void *arg);
void config_free(struct config *);		/* NULL is fine */

/*
 * Canonical text that parses again to the same.  merged: keys read from files
 * are written inline and keys_file is left out (what children get); else as
 * the file had them, secrets masked.  The caller frees.
 */
char *config_print(const struct config *, bool merged);

const struct config_console *config_console(const struct config *,
    const char *name);
const struct config_user *config_user(const struct config *, const char *name);

/* May this user see / write to this console at all (not: has the pen). */
bool config_user_sees(const struct config_user *, const char *console);

const char *role_text(enum role);
const char *config_default_path(void);

#endif
