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

#define CONFIG_FILE_MAX (1 << 20)	/* bytes of the file */
#define CONFIG_CONSOLES_MAX 256
#define CONFIG_USERS_MAX 256
#define CONFIG_RELAYS_MAX 16
#define CONFIG_AUTHORITIES_MAX 16
#define CONFIG_ALERTS_MAX 64	/* of a console */
#define CONFIG_NOTIFIES_MAX 16

enum role {
	ROLE_VIEWER,
	ROLE_OPERATOR,
	ROLE_ADMIN,
};

enum sharing {
	SHARING_SINGLE,		/* one writer, the rest watch */
	SHARING_ALL,		/* everyone types */
};

enum severity {
	SEVERITY_INFO,
	SEVERITY_WARNING,
	SEVERITY_CRITICAL,
};

/*
 * One trigger each.  Those called reboot and panic know patterns of their own,
 * and are there without being written (config_alert_of).
 */
struct config_alert {
	char *name;
	char *match;		/* ERE, or NULL */
	bool ignore_case;
	bool builtin;		/* reboot, panic: what systems print then, too */
	int64_t silence_ms;	/* no output for so long; 0: no */
	int64_t after_ms;	/* the first output after so long; 0: no */
	bool line;		/* the line is lost */
	bool enabled;
	enum severity severity;
	int64_t settle_ms;	/* what comes sooner is the same again */
	unsigned hourly;	/* at most so many an hour; 0: no limit */
	unsigned before, after;	/* lines of context */
	bool crash;		/* makes a crash bundle */
	int file_line;
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
	bool strict;		/* no pen while nothing is recorded */
	uint64_t keep_size;	/* of its journal; 0: no limit of its own */
	int64_t keep_age_ms;	/* the same */
	unsigned crashes;	/* bundles kept, 8; 0: none are made */
	int64_t crash_quiet_ms;	/* ends one, 1 min */
	struct config_alert *alerts;
	size_t nalerts;
	int file_line;		/* where it stands, for messages */
};

/* What becomes of the journals: see docs/oobd.conf.5. */
struct config_journal {
	uint64_t rotate_size;	/* of a segment, 16 MiB */
	int64_t rotate_age_ms;	/* 1 day */
	bool pack;		/* closed segments */
	uint64_t keep_size;	/* of all journals; 0: no limit */
	int64_t keep_age_ms;	/* 0: no limit */
	uint64_t keep_free;	/* of the file system; 0: 5 %, 256 MiB at most */
	int64_t seal_ms;	/* at least so often, 15 min */
};

/* What gets a user in, as bits: any of these is enough. */
enum config_way {
	CONFIG_WAY_KEY = 1,
	CONFIG_WAY_KEY_CODE = 2,
	CONFIG_WAY_PASSWORD_CODE = 4,
};

struct config_user {
	char *name;
	char **keys;		/* authorized_keys lines, of keys_file, too */
	size_t nkeys;
	size_t ninline;		/* the first of keys that stood in keys = {} */
	char *keys_file;	/* or NULL */
	char **require;		/* ways in: "key", "key+code", ... */
	size_t nrequire;
	enum role role;
	char **consoles;	/* names or fnmatch(3) patterns */
	size_t nconsoles;
	int escape;		/* lead-in byte (default 5, ^E), -1: off */
	bool digest;		/* is told at attach what happened */
	int file_line;
};

/* Signs certificates for every user up to a role. */
struct config_authority {
	char *name;
	char **keys;		/* "ssh-ed25519 AAAA..." */
	size_t nkeys;
	enum role role;
	int file_line;
};

struct config_ssh {
	char **listen;		/* "127.0.0.1:2222", "[::1]:2222" */
	size_t nlisten;
	char *host_key;		/* path, made absolute under state_dir */
	char **revoked;		/* "serial:7", "id:TEXT", or a key */
	size_t nrevoked;
	int64_t login_grace_ms;		/* 20 s */
	unsigned max_unauth;		/* 16 */
	unsigned max_unauth_source;	/* 4 per /32 or /64 */
	unsigned max_auth_tries;	/* 6 */
	unsigned max_sessions;		/* 64 */
	unsigned max_channels;		/* 8 per connection */
	int64_t keepalive_ms;		/* 15 s */
	unsigned keepalive_count;	/* 4 */
};

/* A way out: see docs/oobd.conf.5 for what each option means. */
struct config_relay {
	char *name;
	char *host;
	unsigned port;		/* 22 */
	unsigned second_port;	/* tried when that fails, 443; 0: none */
	char *user;
	char *identity;		/* path, made absolute under state_dir */
	char **host_keys;	/* "ssh-ed25519 AAAA...", at least one */
	size_t nhost_keys;
	char **listen;		/* "localhost:31337", as the relay is asked */
	size_t nlisten;
	bool always;		/* when = "always"; else "activated" */
	bool ppp_only;		/* over = "ppp"; else "any" */
	int64_t keepalive_ms;	/* 20 s */
	unsigned keepalive_count;	/* 3 */
	unsigned max_channels;	/* open at a time, 64 */
	int file_line;
};

struct config_modem {
	char *data;		/* path, or "usb:VID:PID[:SERIAL][:IF]" */
	char *control;		/* second AT port, or NULL */
	char *apn;		/* "": the network's own; never NULL */
	char *user;		/* of the PPP peer, or NULL */
	char *password_file;	/* or NULL */
	char *pin_file;		/* or NULL */
	char *number;		/* dialled, "*99#" */
	char *dns;		/* "peer" (default), or an address */
	char *power_hook;	/* program that cycles the modem, or NULL */
	bool roaming;		/* data while roaming */
	bool default_route;
	int64_t dial_ms;	/* interface with address by then, 90 s */
	int64_t prove_ms;	/* and a relay through it so long after, 60 s */
	uint64_t day_soft, day_hard;	/* bytes; 0: no limit */
	uint64_t month_soft, month_hard;
	unsigned month_start;	/* day of the month, 1 to 28 */
	unsigned sms_per_day;	/* sent, in all, 30 */
	unsigned sms_per_number;	/* sent, a day, 10 */
	int file_line;
};

struct config_activation {
	char **from;		/* E.164 */
	size_t nfrom;
	char **report;
	size_t nreport;
	int64_t hold_ms;	/* 30 min */
	int64_t max_hold_ms;	/* 4 h */
	unsigned tries;		/* 3 */
	bool totp;		/* accept time-based codes, too */
	char **watch;		/* "host:port": primary uplink is alive */
	size_t nwatch;
	int64_t watch_ms;	/* all dead for so long: link up; 0: off, and
				   always 0 when there is nothing to watch */
	char *drill;		/* "weekly sun 03:00", or NULL */
	int drill_day;		/* 0 Sunday to 6; -1: every day */
	int drill_minute;	/* of the day, local time; -1: no drill */
	int file_line;
};

enum notify_type {
	NOTIFY_PUSHOVER,
	NOTIFY_NTFY,
	NOTIFY_WEBHOOK,
	NOTIFY_EXEC,
	NOTIFY_SMS,
};

struct config_notify {
	char *name;
	enum notify_type type;
	char *url;		/* ntfy, webhook; pushover: or NULL */
	char *token_file;
	char *user_file;
	char *secret_file;	/* webhook: HMAC key */
	char *ca_file;		/* PEM to trust instead of the system's, or
				   NULL */
	char *command;		/* exec */
	char **numbers;		/* sms */
	size_t nnumbers;
	int file_line;
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
	bool sandbox;		/* processes confine themselves */
	bool digest;		/* people are told at attach what happened */
	struct config_console *consoles;
	size_t nconsoles;
	struct config_user *users;
	size_t nusers;
	struct config_authority *authorities;
	size_t nauthorities;
	struct config_ssh ssh;
	struct config_journal journal;
	struct config_relay *relays;
	size_t nrelays;
	struct config_modem *modem;		/* NULL: none */
	struct config_activation activation;	/* defaults when none */
	struct config_notify *notifies;
	size_t nnotifies;
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
const struct config_relay *config_relay(const struct config *,
    const char *name);

/* The ways in that require names: bits of enum config_way. */
unsigned config_user_ways(const struct config_user *);
/* The one of this word, 0: there is none; and back, "": there is none. */
unsigned config_way(const char *word);
const char *config_way_text(unsigned way);
/*
 * The alert of this name as it is when the file does not say: of reboot and
 * panic as they are built in.  The caller frees match and name.
 */
void config_alert_default(struct config_alert *, const char *name);
/* Is it one of the two that are there without being written? */
bool config_alert_is_builtin(const char *name);

/* May this user see / write to this console at all (not: has the pen). */
bool config_user_sees(const struct config_user *, const char *console);

/*
 * "HOST:PORT" in two: host (size bytes for it, terminated) and port, 0 to
 * 65535.  HOST is a name, an IPv4 address, an IPv6 one in brackets (which
 * are taken off), "*" or "".  0, or -1 when it is nothing of the kind.
 */
int config_listen_split(const char *text, char *host, size_t size,
    unsigned *port);

/*
 * A login name as it may be shown: of "USER", "CONSOLE" or "USER:CONSOLE" each
 * part that is no name of ours is "?".  It may be a password, typed too early.
 */
#define CONFIG_SHOWN_LOGIN 80
char *config_shown_login(const struct config *, const char *login,
    char dst[CONFIG_SHOWN_LOGIN]);

const char *role_text(enum role);
const char *config_default_path(void);

#endif
