#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../auth/secret.h"
#include "../auth/voucher.h"
#include "base/fileio.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "client.h"
#include "client_auth.h"
#include "console.h"
#include "console_control.h"
#include "console_internal.h"
#include "console_seal.h"
#include "granter.h"
#include "names.h"
#include "role.h"
#include "sandbox.h"
#include "witness.h"

/* Beside what an older oobd, or a person, looks for: a link leads here. */
#define SEAL_FOLDER "seal/"
#define SEAL_FILE "journal.seal"

#define PACK_AFTER_MS (60 * 1000)	/* a flood is over by then */
#define UP_OUT_MAX (256 * 1024)
#define LEAVE_MS 20		/* the last words of those who went before */
#define SCRIBE_STOP_MS 2300
#define WITNESS_STOP_MS 400	/* it was told before */
#define GRANTER_STOP_MS 200

/* The wires' words to everyone else. */

static void
on_wire_data(void *arg, struct wire *w)
{
	clients_data(arg, w);
	witness_data(w);
}

static bool
on_wire_behind(void *arg, struct wire *w, uint64_t at)
{
	return clients_behind(arg, w, at);
}

/* Is there an alert for a lost line, which then says so in its own time? */
static bool
has_line_alert(const struct config_console *conf)
{
	for (size_t i = 0; i < conf->nalerts; i++) {
		if (conf->alerts[i].line && conf->alerts[i].enabled)
			return true;
	}
	return false;
}

static void
on_wire_changed(void *arg, struct wire *w)
{
	struct console *c = arg;
	struct wire_info i;

	clients_changed(c, w);
	witness_changed(c->witness, w);
	wire_info(w, &i);
	if (!has_line_alert(wire_conf(w)))
		clients_notify(c, wire_is_up(w) ? "line-back" : "line-lost",
		    wire_conf(w)->name, i.problem);
}

static void
on_wire_notice(void *arg, struct wire *w, const char *text)
{
	clients_notice(arg, w, text);
}

static void
ask_up(struct console *c, uint16_t type, const struct wire *w)
{
	frame_put_str(link_start(c->up, type), wire_conf(w)->name);
	link_send(c->up);
	link_flush(c->up);
}

static void
on_wire_open(void *arg, struct wire *w)
{
	ask_up(arg, UP_OPEN_TTY, w);
}

static void
on_wire_close(void *arg, struct wire *w)
{
	ask_up(arg, UP_CLOSE_TTY, w);
}

static const struct wires_ops wires_ops = {
	.data = on_wire_data,
	.behind = on_wire_behind,
	.changed = on_wire_changed,
	.notice = on_wire_notice,
	.tell = guest_tell,
	.pen = guest_pen,
	.open = on_wire_open,
	.close = on_wire_close,
};

/* A journal fell ill or got well. */
static void
on_health(void *arg, struct scribe_log *log)
{
	struct console *c = arg;
	struct scribe_state st;
	struct wire *w;
	char text[256];

	for (size_t i = 0; i < wires_count(c->wires); i++) {
		w = wires_at(c->wires, i);
		if (wire_log(w) != log)
			continue;
		scribe_state(log, &st);
		if (st.healthy)
			snprintf(text, sizeof(text), "recording again");
		else
			snprintf(text, sizeof(text), "NOT RECORDED NOW: %s",
			    st.problem);
		if (st.healthy)
			log_info("console %s: %s", wire_conf(w)->name, text);
		else
			log_error("console %s: %s", wire_conf(w)->name, text);
		clients_notice(c, w, text);
		wire_journal_follow(w);
		clients_notify(c, st.healthy ? "journal-back" :
		    "journal-failed", wire_conf(w)->name, st.problem);
	}
}

/* The configuration, as the supervisor hands it down. */

static struct tidy_conf
tidy_of(const struct config_journal *j)
{
	return (struct tidy_conf){ .pack = j->pack,
	    .pack_after_ms = PACK_AFTER_MS,
	    .keep_size = j->keep_size, .keep_age_ms = j->keep_age_ms,
	    .keep_free = j->keep_free };
}

static void
start_scribe(struct console *c)
{
	const struct config_journal *j = &c->conf->journal;
	struct tidy_conf tidy = tidy_of(j);
	char *path = xasprintf("%s/" SEAL_FOLDER SEAL_FILE,
	    c->conf->state_dir);
	struct scribe_conf conf = {
		.box = c->conf->name,
		.log_dir = c->conf->log_dir,
		.sync_typing_ms = c->conf->sync_typing_ms,
		.sync_idle_ms = c->conf->sync_idle_ms,
		.rotate_size = j->rotate_size,
		.rotate_age_ms = j->rotate_age_ms,
		.seal_ms = j->seal_ms,
		.tidy = &tidy, .box_chain = true, .seal_path = path,
	};

	c->scribe = scribe_start(c->loop, &conf, on_health, c);
	if (c->scribe == NULL)
		fatal("cannot start the journal's thread");
	free(path);
	c->sealer = sealer_new(c);
	c->wires = wires_new(c->loop, c->scribe, &wires_ops, c);
	c->witness = witness_new(c);
	if (c->witness == NULL)
		log_errno("no alerts: cannot start their thread");
	auth_start(c);
	c->granter = granter_new(c);
}

/* Wires follow the new configuration; new ones come with their histories. */
static void
follow_config(struct console *c, struct config *conf)
{
	const struct config_console *to;
	struct config *old = c->conf;
	struct tidy_conf tidy;
	struct wire *w;

	c->conf = conf;
	if (c->scribe == NULL)
		start_scribe(c);
	for (size_t i = wires_count(c->wires); i-- > 0;) {
		w = wires_at(c->wires, i);
		to = config_console(conf, wire_conf(w)->name);
		if (to != NULL) {
			wire_configure(w, to);
			witness_configure(c->witness, w);
			continue;
		}
		clients_gone(c, w);
		scribe_event(wire_log(w), "stop", "why=removed");
		witness_close(c->witness, w);
		wire_free(w);
	}
	tidy = tidy_of(&conf->journal);
	scribe_tidy(c->scribe, &tidy);
	clients_reload(c);
	clients_notify_configure(c);
	config_free(old);
}

/* What the supervisor says.  fd stays the caller's, unless -1 is left there. */

static int
sv_ping(struct console *c, struct frame *f, int *fd)
{
	if (*fd != -1)
		return -1;
	/* Not in order, which would send everybody away: the ring has it all. */
	if (folder_is_removed() && !c->stopping) {
		log_error("a folder that this process works in was removed: "
		    "it begins anew");
		exit(1);
	}
	return role_pong(c->up, f);
}

/* The newest seal has a folder of its own, which is ours to write to. */
static void
link_seal(const struct config *conf)
{
	char *dir = xasprintf("%s/" SEAL_FOLDER, conf->state_dir);
	char *file = xasprintf("%s" SEAL_FILE, dir);
	char *known = xasprintf("%s/" SEAL_FILE, conf->state_dir);
	struct stat st;

	if (dir_make(dir, 0700) == -1)
		log_errno("%s", dir);
	if (lstat(known, &st) == 0 && S_ISREG(st.st_mode) &&
	    rename(known, file) == -1)
		log_errno("%s", known);
	if (symlink(SEAL_FOLDER SEAL_FILE, known) == -1 && errno != EEXIST)
		log_errno("%s", known);
	free(known);
	free(file);
	free(dir);
}

/*
 * Before there is a thread, and before anybody but the supervisor has said a
 * word.  What is asked of the system's files later is asked once here.
 */
static void
confine(const struct config *conf)
{
	char boot[OS_BOOT_ID];

	(void)os_boot_id(boot, sizeof(boot));
	sandbox_enter("console", conf->state_dir, conf->log_dir, NULL);
	sandbox_seal_in("console", conf->state_dir, conf->log_dir, NULL);
}

static int
sv_config(struct console *c, struct frame *f, int *fd)
{
	struct config *conf;

	(void)f;
	if (*fd == -1)
		return -1;
	conf = role_config(*fd);
	if (conf == NULL)
		return -1;	/* the supervisor had accepted it */
	if (c->scribe == NULL) {
		link_seal(conf);
		confine(conf);
	}
	follow_config(c, conf);
	return 0;
}

static int
sv_control(struct console *c, struct frame *f, int *fd)
{
	(void)f;
	if (*fd == -1 || c->conf == NULL || c->control != NULL)
		return -1;
	c->control = control_new(c, *fd);
	*fd = -1;
	return 0;
}

static int
sv_name(struct console *c, struct frame *f, int *fd)
{
	uint32_t request = frame_u32(f);
	char name[NAMES_NAME];

	frame_str(f, name, sizeof(name));
	if (*fd != -1 || !frame_ok(f) || c->control == NULL)
		return -1;
	return control_named(c->control, request, name);
}

static const struct {
	const char *role;
	enum peer peer;
} peers[] = {
	{ "ssh",	PEER_SSH },
	{ "modem",	PEER_MODEM },
	{ "notify",	PEER_NOTIFY },
};

static int
sv_peer(struct console *c, struct frame *f, int *fd)
{
	char role[32];

	frame_str(f, role, sizeof(role));
	/* Who is here may ask at once, and is answered by the configuration. */
	if (*fd == -1 || !frame_ok(f) || c->conf == NULL)
		return -1;
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		if (strcmp(peers[i].role, role) == 0) {
			client_add(c, *fd, peers[i].peer, role);
			*fd = -1;
			return 0;
		}
	}
	return -1;
}

/* Of the ssh process that comes next; one that is still here is done for. */
static int
sv_vouchers(struct console *c, struct frame *f, int *fd)
{
	const uint8_t *key;
	size_t n;

	key = frame_rest(f, &n);
	if (*fd != -1 || (n != 0 && n != VOUCHER_KEY))
		return -1;
	if (n == 0) {
		secret_free(c->vouchers);
		c->vouchers = NULL;
		return 0;
	}
	if (c->vouchers == NULL)
		c->vouchers = secret_new(VOUCHER_KEY);
	memcpy(c->vouchers, key, VOUCHER_KEY);
	return 0;
}

static int
sv_ring(struct console *c, struct frame *f, int *fd)
{
	const struct config_console *conf;
	char name[64];
	uint64_t size;
	struct history *h;
	struct wire *w;

	frame_str(f, name, sizeof(name));
	size = frame_u64(f);
	if (*fd == -1 || !frame_ok(f) || c->scribe == NULL)
		return -1;
	conf = config_console(c->conf, name);
	h = conf == NULL || wires_named(c->wires, name) != NULL ? NULL :
	    history_map(*fd, (size_t)size);
	if (h == NULL) {
		log_error("console %s: cannot use its history", name);
		return -1;
	}
	w = wire_new(c->wires, conf, h);
	if (w == NULL)
		return -1;
	scribe_event(wire_log(w), "start", "version=%s pid=%ld",
	    OOBD_VERSION, (long)getpid());
	witness_open(c->witness, w);
	clients_changed(c, w);
	return 0;
}

static int
sv_tty(struct console *c, struct frame *f, int *fd)
{
	char name[64], path[256], usb[128];
	struct wire *w;
	uint8_t kind, fresh;

	frame_str(f, name, sizeof(name));
	kind = frame_u8(f);
	fresh = frame_u8(f);
	frame_str(f, path, sizeof(path));
	frame_str(f, usb, sizeof(usb));
	if (*fd == -1 || !frame_ok(f))
		return -1;
	w = c->wires == NULL ? NULL : wires_named(c->wires, name);
	if (w != NULL) {
		wire_set_tty(w, *fd, kind, !fresh, path, usb);
		*fd = -1;
	}
	return 0;
}

static int
sv_tty_failed(struct console *c, struct frame *f, int *fd)
{
	char name[64], why[512];
	struct wire *w;

	frame_str(f, name, sizeof(name));
	frame_str(f, why, sizeof(why));
	if (*fd != -1 || !frame_ok(f))
		return -1;
	w = c->wires == NULL ? NULL : wires_named(c->wires, name);
	if (w != NULL)
		wire_tty_failed(w, why);
	return 0;
}

static int
sv_reader(struct console *c, struct frame *f, int *fd)
{
	uint32_t reader = frame_u32(f);

	if (!frame_ok(f))
		return -1;
	clients_reader(c, reader, *fd);
	*fd = -1;
	return 0;
}

static int
sv_signed(struct console *c, struct frame *f, int *fd)
{
	if (!frame_ok(f) || c->sealer == NULL)
		return -1;
	sealer_answer(c->sealer, *fd);
	*fd = -1;
	return 0;
}

static int
sv_ready(struct console *c, struct frame *f, int *fd)
{
	if (*fd != -1 || !frame_ok(f))
		return -1;
	link_start(c->up, UP_READY);
	link_send(c->up);
	link_flush(c->up);
	return 0;
}

static int
sv_stop(struct console *c, struct frame *f, int *fd)
{
	if (*fd != -1 || !frame_ok(f))
		return -1;
	c->stopping = true;
	timer_set(c->leave, LEAVE_MS);
	return 0;
}

static void
on_leave(void *arg)
{
	struct console *c = arg;

	loop_stop(c->loop, 0);
}

static int
sv_child(struct console *c, struct frame *f, int *fd)
{
	struct child_state s, *at = NULL;
	size_t n = sizeof(c->others) / sizeof(c->others[0]);

	memset(&s, 0, sizeof(s));
	frame_str(f, s.role, sizeof(s.role));
	s.up = frame_u8(f) != 0;
	s.restarts = frame_u32(f);
	frame_str(f, s.why, sizeof(s.why));
	if (*fd != -1 || !frame_ok(f))
		return -1;
	for (size_t i = 0; i < n && at == NULL; i++) {
		if (c->others[i].role[0] == '\0' ||
		    strcmp(c->others[i].role, s.role) == 0)
			at = &c->others[i];
	}
	if (at != NULL)
		*at = s;
	return 0;
}

static const struct {
	uint16_t type;
	int (*handle)(struct console *, struct frame *, int *fd);
} words[] = {
	{ SV_PING,	sv_ping },
	{ SV_CONFIG,	sv_config },
	{ SV_CONTROL,	sv_control },
	{ SV_PEER,	sv_peer },
	{ SV_VOUCHERS,	sv_vouchers },
	{ SV_RING,	sv_ring },
	{ SV_TTY,	sv_tty },
	{ SV_TTY_FAILED, sv_tty_failed },
	{ SV_READER,	sv_reader },
	{ SV_SIGNED,	sv_signed },
	{ SV_READY,	sv_ready },
	{ SV_STOP,	sv_stop },
	{ SV_CHILD,	sv_child },
	{ SV_NAME,	sv_name },
};

static int
on_supervisor(void *arg, struct frame *f, int fd)
{
	int r = -1;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].type == f->type) {
			r = words[i].handle(arg, f, &fd);
			break;
		}
	}
	if (fd != -1)
		close(fd);
	return r;
}

/* Without a supervisor nobody holds the devices: leave in order. */
static void
on_supervisor_gone(void *arg, const char *why)
{
	struct console *c = arg;

	log_error("the supervisor is gone (%s)", why);
	c->stopping = true;
	loop_stop(c->loop, 1);
}

static const struct link_ops up_ops = {
	.frame = on_supervisor,
	.down = on_supervisor_gone,
};

static void
on_turn(void *arg)
{
	clients_flush(arg);
}

static void
stop(struct console *c)
{
	clients_bye(c);
	for (size_t i = 0; c->wires != NULL && i < wires_count(c->wires); i++)
		scribe_event(wire_log(wires_at(c->wires, i)), "stop",
		    "why=orderly");
	witness_save(c->witness);
	auth_stop(c);
	if (c->scribe != NULL && !scribe_stop(c->scribe, SCRIBE_STOP_MS))
		return;
	sealer_free(c->sealer);
	clients_free(c);
	if (!witness_stop(c->witness, WITNESS_STOP_MS))
		return;
	c->witness = NULL;
	if (!granter_stop(c->granter, GRANTER_STOP_MS))
		return;
	c->granter = NULL;
	auth_free(c);
	secret_free(c->vouchers);
	clients_notify_free(c);
	if (c->wires != NULL)
		wires_free(c->wires);
	control_free(c->control);
	timer_free(c->leave);
	link_free(c->up);
	config_free(c->conf);
	loop_free(c->loop);
}

int
console_main(int fd)
{
	struct console c = { .control = NULL };
	int status;

	signal(SIGPIPE, SIG_IGN);
	c.loop = loop_new();
	c.started = mono_now();
	c.epoch = (uint64_t)stamp_now().utc_us;
	c.up = link_new(c.loop, fd, UP_OUT_MAX, &up_ops, &c);
	c.leave = timer_new(c.loop, on_leave, &c);
	loop_each_turn(c.loop, on_turn, &c);
	status = loop_run(c.loop);
	stop(&c);
	return status;
}
