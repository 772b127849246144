#include <string.h>

#include "config_kind.h"

#define MINUTE (60 * 1000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define PATH_BYTES 1000
#define SIZE_MOST (1LL << 40)

const char *const config_roles[] = {
	[ROLE_VIEWER] = "viewer",
	[ROLE_OPERATOR] = "operator",
	[ROLE_ADMIN] = "admin",
	NULL,
};

static const char *const sharings[] = {
	[SHARING_SINGLE] = "single",
	[SHARING_ALL] = "all",
	NULL,
};

static const char *const notify_types[] = {
	[NOTIFY_PUSHOVER] = "pushover",
	[NOTIFY_NTFY] = "ntfy",
	[NOTIFY_WEBHOOK] = "webhook",
	[NOTIFY_EXEC] = "exec",
	[NOTIFY_SMS] = "sms",
	NULL,
};

static const char *const severities[] = {
	[SEVERITY_INFO] = "info",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_CRITICAL] = "critical",
	NULL,
};

static const char *const whens[] = { "activated", "always", NULL };
static const char *const overs[] = { "any", "ppp", NULL };
static const char *const peer[] = { "peer", NULL };

#define AT(type, field) offsetof(struct type, field)
/* Name, kind, default, field; what else the kind heeds. */
#define ONE(name, kind, dflt, type, field, min, max) \
	{ name, &kind_##kind, dflt, AT(type, field), 0, min, max, NULL, \
	    NULL, false }
#define WORDS(name, kind, dflt, type, field, words) \
	{ name, &kind_##kind, dflt, AT(type, field), 0, 0, 0, words, NULL, \
	    false }
#define LIST(name, kind, dflt, type, field, count, max) \
	{ name, &kind_##kind, dflt, AT(type, field), AT(type, count), 0, \
	    max, NULL, NULL, true }
/* These must be there. */
#define NEED(name, kind, type, field, max, how) \
	{ name, &kind_##kind, NULL, AT(type, field), 0, 0, max, NULL, how, \
	    false }
#define NEED_LIST(name, kind, type, field, count, how) \
	{ name, &kind_##kind, NULL, AT(type, field), AT(type, count), 0, 0, \
	    NULL, how, true }
#define END { .name = NULL }

/* Defaults that depend on its name are in config_fill.c. */
#define ALERT(name, kind, dflt, field, min, max) \
	ONE(name, kind, dflt, config_alert, field, min, max)
static const struct config_option alert_options[] = {
	ALERT("match", regex, NULL, match, 0, 512),
	ALERT("ignore_case", boolean, "false", ignore_case, 0, 0),
	ALERT("builtin", boolean, "true", builtin, 0, 0),
	ALERT("silence", duration, "0", silence_ms, 0, 30LL * DAY),
	ALERT("after_silence", duration, "0", after_ms, 0, 30LL * DAY),
	ALERT("line", boolean, "false", line, 0, 0),
	ALERT("enabled", boolean, "true", enabled, 0, 0),
	WORDS("severity", choice, "warning", config_alert, severity,
	    severities),
	ALERT("settle", duration, "10s", settle_ms, 0, DAY),
	ALERT("hourly", number, "6", hourly, 0, 1000),
	ALERT("before", number, "2", before, 0, 5),
	ALERT("after", number, "3", after, 0, 5),
	ALERT("crash", boolean, "false", crash, 0, 0),
	END
};

static const struct config_section console_sections[] = {
	{ "alert", alert_options, NULL, PLACE_MANY,
	    AT(config_console, alerts), AT(config_console, nalerts),
	    sizeof(struct config_alert), AT(config_alert, file_line),
	    CONFIG_ALERTS_MAX },
	END
};

#define CON(name, kind, dflt, field, min, max) \
	ONE(name, kind, dflt, config_console, field, min, max)
static const struct config_option console_options[] = {
	NEED("device", device, config_console, device, PATH_BYTES,
	    "add device = \"/dev/...\""),
	CON("speed", speed, "57600", line, 0, 0),
	CON("mode", mode, "8N1", line, 0, 0),
	CON("flow", flow, "none", line, 0, 0),
	CON("description", text, "", description, 0, 200),
	WORDS("sharing", choice, "single", config_console, sharing, sharings),
	CON("record_input", boolean, "false", record_input, 0, 0),
	CON("break", duration, "300ms", break_ms, 1, 10000),
	CON("ring", ring, "1mb", ring, 64 << 10, 16 << 20),
	CON("strict", boolean, "false", strict, 0, 0),
	CON("keep_size", size, "0", keep_size, 0, SIZE_MOST),
	CON("keep_age", duration, "0s", keep_age_ms, 0, 36500LL * DAY),
	CON("crashes", number, "8", crashes, 0, 64),
	CON("crash_quiet", duration, "1min", crash_quiet_ms, 1000, HOUR),
	END
};

#define JOURNAL(name, kind, dflt, field, min, max) \
	ONE(name, kind, dflt, config_journal, field, min, max)
static const struct config_option journal_options[] = {
	JOURNAL("rotate_size", size, "16mb", rotate_size, 64 << 10, 1 << 30),
	JOURNAL("rotate_age", duration, "1d", rotate_age_ms, 1000,
	    3650LL * DAY),
	JOURNAL("pack", boolean, "true", pack, 0, 0),
	JOURNAL("keep_size", size, "0", keep_size, 0, SIZE_MOST),
	JOURNAL("keep_age", duration, "0s", keep_age_ms, 0, 36500LL * DAY),
	JOURNAL("keep_free", size, "0", keep_free, 0, SIZE_MOST),
	JOURNAL("seal", duration, "15min", seal_ms, 1000, HOUR),
	END
};

#define SSH(name, kind, dflt, field, min, max) \
	ONE(name, kind, dflt, config_ssh, field, min, max)
static const struct config_option ssh_options[] = {
	LIST("listen", listen, "127.0.0.1:2222 [::1]:2222", config_ssh,
	    listen, nlisten, 0),
	SSH("host_key", word, "ssh_host_ed25519_key", host_key, 0,
	    PATH_BYTES),
	LIST("revoked", revoked, NULL, config_ssh, revoked, nrevoked, 0),
	SSH("login_grace", duration, "20s", login_grace_ms, 1000, HOUR),
	SSH("max_unauth", number, "16", max_unauth, 2, 1000),
	SSH("max_unauth_source", number, "4", max_unauth_source, 1, 1000),
	SSH("max_auth_tries", number, "6", max_auth_tries, 1, 100),
	SSH("max_sessions", number, "64", max_sessions, 1, 10000),
	SSH("max_channels", number, "8", max_channels, 1, 1000),
	SSH("keepalive", duration, "15s", keepalive_ms, 1000, DAY),
	SSH("keepalive_count", number, "4", keepalive_count, 1, 100),
	END
};

static const struct config_option user_options[] = {
	LIST("keys", key, NULL, config_user, keys, nkeys, 0),
	ONE("keys_file", path, NULL, config_user, keys_file, 0, PATH_BYTES),
	LIST("require", way, "key", config_user, require, nrequire, 3),
	WORDS("role", choice, "operator", config_user, role, config_roles),
	LIST("consoles", word, "*", config_user, consoles, nconsoles, 100),
	ONE("escape", escape, "^E", config_user, escape, 0, 0),
	ONE("digest", boolean, "true", config_user, digest, 0, 0),
	END
};

static const struct config_option authority_options[] = {
	NEED_LIST("keys", authority, config_authority, keys, nkeys,
	    "add keys = {\"ssh-ed25519 ...\"}, what it signs with"),
	WORDS("role", choice, "operator", config_authority, role,
	    config_roles),
	END
};

#define RELAY(name, kind, dflt, field, min, max) \
	ONE(name, kind, dflt, config_relay, field, min, max)
static const struct config_option relay_options[] = {
	NEED("host", host, config_relay, host, 0,
	    "add host = \"relay.example.net\""),
	RELAY("port", number, "22", port, 1, 65535),
	RELAY("second_port", number, "443", second_port, 0, 65535),
	NEED("user", login, config_relay, user, 64,
	    "add user = \"NAME\", the account on the relay"),
	RELAY("identity", word, "relay_ed25519", identity, 0, PATH_BYTES),
	NEED_LIST("host_key", host_key, config_relay, host_keys, nhost_keys,
	    "add host_key = {\"ssh-ed25519 ...\"}: get it with "
	    "\"ssh-keyscan -t ed25519 HOST\", and compare it with "
	    "/etc/ssh/ssh_host_ed25519_key.pub on the relay"),
	NEED_LIST("listen", forward, config_relay, listen, nlisten,
	    "add listen = \"localhost:31337\", what the relay binds"),
	WORDS("when", flag, "activated", config_relay, always, whens),
	WORDS("over", flag, "any", config_relay, ppp_only, overs),
	RELAY("keepalive", duration, "20s", keepalive_ms, 1000, DAY),
	RELAY("keepalive_count", number, "3", keepalive_count, 1, 100),
	RELAY("max_channels", number, "64", max_channels, 1, 1000),
	END
};

#define MODEM(name, kind, dflt, field, min, max) \
	ONE(name, kind, dflt, config_modem, field, min, max)
static const struct config_option modem_options[] = {
	NEED("data", device, config_modem, data, PATH_BYTES,
	    "add data = \"/dev/...\""),
	MODEM("control", device, NULL, control, 0, PATH_BYTES),
	MODEM("apn", apn, "", apn, 0, 100),
	MODEM("user", login, NULL, user, 0, 64),
	MODEM("password_file", path, NULL, password_file, 0, PATH_BYTES),
	MODEM("pin_file", path, NULL, pin_file, 0, PATH_BYTES),
	MODEM("number", dial, "*99#", number, 0, 32),
	WORDS("dns", address, "peer", config_modem, dns, peer),
	MODEM("power_hook", path, NULL, power_hook, 0, PATH_BYTES),
	MODEM("roaming", boolean, "false", roaming, 0, 0),
	MODEM("default_route", boolean, "false", default_route, 0, 0),
	MODEM("dial_timeout", duration, "90s", dial_ms, 10 * 1000, HOUR),
	MODEM("prove_timeout", duration, "1min", prove_ms, 5 * 1000,
	    10 * MINUTE),
	MODEM("day_soft", size, "0", day_soft, 0, SIZE_MOST),
	MODEM("day_limit", size, "0", day_hard, 0, SIZE_MOST),
	MODEM("month_soft", size, "0", month_soft, 0, SIZE_MOST),
	MODEM("month_limit", size, "0", month_hard, 0, SIZE_MOST),
	MODEM("month_start", number, "1", month_start, 1, 28),
	MODEM("sms_per_day", number, "30", sms_per_day, 0, 10000),
	MODEM("sms_per_number", number, "10", sms_per_number, 0, 10000),
	END
};

#define ACT(name, kind, dflt, field, min, max) \
	ONE(name, kind, dflt, config_activation, field, min, max)
static const struct config_option activation_options[] = {
	LIST("from", phone, NULL, config_activation, from, nfrom, 0),
	LIST("report", phone, NULL, config_activation, report, nreport, 0),
	ACT("hold", duration, "30min", hold_ms, MINUTE, 7LL * DAY),
	ACT("max_hold", duration, "4h", max_hold_ms, MINUTE, 7LL * DAY),
	ACT("tries", number, "3", tries, 1, 100),
	ACT("totp", boolean, "false", totp, 0, 0),
	LIST("watch", peer, NULL, config_activation, watch, nwatch, 0),
	ACT("watch_for", duration, "10min", watch_ms, 0, 7LL * DAY),
	ACT("drill", drill, NULL, drill, 0, 0),
	END
};

#define NOTIFY(name, kind, field) \
	ONE(name, kind, NULL, config_notify, field, 0, PATH_BYTES)
static const struct config_option notify_options[] = {
	{ "type", &kind_choice, NULL, AT(config_notify, type), 0, 0, 0,
	    notify_types, "add type = \"pushover\", or one of ntfy, webhook, "
	    "exec, sms", false },
	NOTIFY("url", url, url),
	NOTIFY("token_file", path, token_file),
	NOTIFY("user_file", path, user_file),
	NOTIFY("secret_file", path, secret_file),
	NOTIFY("ca_file", path, ca_file),
	NOTIFY("command", path, command),
	LIST("to", phone, NULL, config_notify, numbers, nnumbers, 0),
	END
};

#define MANY(nm, opts, sub, type, field, count, most) \
	{ nm, opts, sub, PLACE_MANY, AT(config, field), AT(config, count), \
	    sizeof(struct type), AT(type, file_line), most }
static const struct config_section root_sections[] = {
	MANY("console", console_options, console_sections, config_console,
	    consoles, nconsoles, CONFIG_CONSOLES_MAX),
	{ "ssh", ssh_options, NULL, PLACE_ALWAYS, AT(config, ssh), 0,
	    sizeof(struct config_ssh), 0, 1 },
	{ "journal", journal_options, NULL, PLACE_ALWAYS, AT(config, journal),
	    0, sizeof(struct config_journal), 0, 1 },
	MANY("user", user_options, NULL, config_user, users, nusers,
	    CONFIG_USERS_MAX),
	MANY("authority", authority_options, NULL, config_authority,
	    authorities, nauthorities, CONFIG_AUTHORITIES_MAX),
	MANY("relay", relay_options, NULL, config_relay, relays, nrelays,
	    CONFIG_RELAYS_MAX),
	{ "modem", modem_options, NULL, PLACE_MAYBE, AT(config, modem), 0,
	    sizeof(struct config_modem), AT(config_modem, file_line), 1 },
	{ "activation", activation_options, NULL, PLACE_ALWAYS,
	    AT(config, activation), 0, sizeof(struct config_activation),
	    AT(config_activation, file_line), 1 },
	MANY("notify", notify_options, NULL, config_notify, notifies,
	    nnotifies, CONFIG_NOTIFIES_MAX),
	END
};

#define TOP(name, kind, dflt, field, min, max) \
	ONE(name, kind, dflt, config, field, min, max)
static const struct config_option root_options[] = {
	TOP("name", name, NULL, name, 0, 0),
	TOP("state_dir", path, NULL, state_dir, 0, PATH_BYTES),
	TOP("log_dir", path, NULL, log_dir, 0, PATH_BYTES),
	TOP("run_dir", path, NULL, run_dir, 0, PATH_BYTES),
	/* sockaddr_un holds 104 bytes on FreeBSD, the NUL included. */
	TOP("control", path, NULL, control, 0, 103),
	TOP("service_user", word, NULL, service_user, 0, 32),
	TOP("control_group", word, NULL, control_group, 0, 32),
	TOP("deadline", duration, "5s", deadline_ms, 500, HOUR),
	TOP("sync", duration, "30s", sync_idle_ms, 100, HOUR),
	TOP("sync_typing", duration, "1s", sync_typing_ms, 100, HOUR),
	TOP("digest", boolean, "true", digest, 0, 0),
	TOP("sandbox", boolean, "true", sandbox, 0, 0),
	END
};

const struct config_section config_root = {
	"", root_options, root_sections, PLACE_ALWAYS, 0, 0,
	sizeof(struct config), 0, 1
};

const struct config_option *
config_find_option(const struct config_section *in, const char *name)
{
	for (const struct config_option *o = in->options; o->name != NULL;
	    o++) {
		if (strcmp(o->name, name) == 0)
			return o;
	}
	return NULL;
}

const struct config_section *
config_find_section(const struct config_section *in, const char *name)
{
	const struct config_section *s = in->sections;

	for (; s != NULL && s->name != NULL; s++) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}
