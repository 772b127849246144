#include <sys/types.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../auth/secret.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "children.h"
#include "dialers.h"
#include "folders.h"
#include "herald.h"
#include "keeper.h"
#include "lender.h"
#include "listen.h"
#include "power.h"
#include "ppprun.h"
#include "privileged.h"
#include "proto.h"
#include "sandbox.h"
#include "supervisor.h"

#define DESCRIPTORS 4096
#define MEMORY_RESERVE (256 * 1024)	/* for what has to go on without any */
#define RELOAD_ROOM (4 * 1024 * 1024)	/* that a reload has to find free ... */
#define RELOAD_FACTOR 64		/* ... and per byte of the file */
#define STOP_GRACE_MS 4000	/* then SIGKILL: within 5 s in all */
#define LISTEN_TRIES 25		/* 0.2 s apart: an older oobd may be leaving */

struct listener {
	char *address;
	int fd;
	struct listener *next;
};

struct supervisor {
	const struct supervisor_conf *opts;
	struct loop *loop;
	struct config *conf;
	struct herald *herald;		/* NULL: messages go to stderr */
	struct children *children;
	struct child *console, *ssh, *modem;
	struct child *notify;		/* NULL: nobody was ever to be told */
	struct keeper *keeper;
	struct lender *lender;
	struct dialers *dialers;
	struct folders *folders;
	struct ppprun *ppp;
	struct power *power;
	struct privileged privileged;
	struct listener *listeners;
	int control, lock;
	uid_t uid;
	gid_t gid;
	bool drop;
	bool console_ready, ssh_ready, modem_ready, notify_ready, all_tried;
	bool told_ready;
	bool stopped;			/* every child has ended */
};

/* Start: what the system must provide. */

/* Two descriptors a console, here and in a child, and their copies on the way. */
static void
want_descriptors(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	if (rl.rlim_cur >= DESCRIPTORS)
		return;
	rl.rlim_cur = rl.rlim_max < DESCRIPTORS ? rl.rlim_max : DESCRIPTORS;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		log_errno("cannot have %d descriptors", DESCRIPTORS);
}

static void
find_service_user(struct supervisor *s)
{
	struct passwd *pw;

	s->uid = getuid();
	s->gid = getgid();
	if (geteuid() != 0) {
		log_info("not root: no PPP, no routes, no change of user; "
		    "devices must be open to user %u", (unsigned)geteuid());
		return;
	}
	if (s->conf->service_user == NULL) {
		log_warn("no user oobd: every process stays root (make one, or "
		    "set service_user)");
		return;
	}
	pw = getpwnam(s->conf->service_user);
	if (pw == NULL)
		fatalx("no user %s", s->conf->service_user);
	s->uid = pw->pw_uid;
	s->gid = pw->pw_gid;
	s->drop = pw->pw_uid != 0;
}

/* One daemon per run_dir; the pid in the file is for people. */
static void
take_lock(struct supervisor *s)
{
	char path[PATH_MAX], pid[32] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "%s/lock", s->conf->run_dir);
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock == -1)
		fatal("%s", path);
	if (flock(s->lock, LOCK_EX | LOCK_NB) == -1) {
		n = fd_read_at(s->lock, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
		fatalx("%s is locked: oobd runs already (pid %s)", path, pid);
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(s->lock, 0) == -1 || fd_write_all(s->lock, pid, (size_t)n) == -1)
		fatal("%s", path);
}

static gid_t
control_group(const struct supervisor *s)
{
	struct group *gr;

	if (s->conf->control_group == NULL)
		return s->gid;
	gr = getgrnam(s->conf->control_group);
	if (gr == NULL)
		fatalx("control_group: no group %s", s->conf->control_group);
	return gr->gr_gid;
}

/* The lock is ours, so a socket left there is a dead one. */
static int
listen_control(const struct supervisor *s)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const char *path = s->conf->control;
	mode_t mask;
	int fd;

	if (strlen(path) >= sizeof(un.sun_path))
		fatalx("control: %s is too long for a socket", path);
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		fatal("control socket");
	unlink(path);
	mask = umask(0117);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) == -1)
		fatal("%s", path);
	umask(mask);
	if (geteuid() == 0 && chown(path, s->uid, control_group(s)) == -1)
		log_errno("%s: cannot set its group", path);
	if (listen(fd, 64) == -1)
		fatal("%s", path);
	return fd;
}

static struct listener *
find_listener(struct supervisor *s, const char *address)
{
	struct listener *l;

	for (l = s->listeners; l != NULL; l = l->next) {
		if (strcmp(l->address, address) == 0)
			break;
	}
	return l;
}

static int
add_listener(struct supervisor *s, const char *address, int tries)
{
	const struct timespec pause = { 0, 200 * 1000 * 1000 };
	struct listener *l;
	char why[256];
	int fd;

	while ((fd = listen_open(address, why, sizeof(why))) == -1 &&
	    --tries > 0)
		nanosleep(&pause, NULL);
	if (fd == -1) {
		log_error("%s", why);
		return -1;
	}
	l = xcalloc(1, sizeof(*l));
	l->address = xstrdup(address);
	l->fd = fd;
	l->next = s->listeners;
	s->listeners = l;
	return 0;
}

static void
drop_listeners_not_in(struct supervisor *s, const struct config *conf)
{
	struct listener **at = &s->listeners, *l;
	bool keep;

	while ((l = *at) != NULL) {
		keep = false;
		for (size_t i = 0; conf != NULL && i < conf->ssh.nlisten; i++)
			keep = keep ||
			    strcmp(conf->ssh.listen[i], l->address) == 0;
		if (keep) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		close(l->fd);
		free(l->address);
		free(l);
	}
}

/* Giving children what they need. */

/* One that cannot get it is not to go on with an older one. */
static void
give_config(struct supervisor *s, struct child *c)
{
	struct link *to = child_link(c);
	char *text = config_print(s->conf, true);
	int fd = os_anon_fd("oobd-config");

	if (fd == -1 || fd_write_all(fd, text, strlen(text)) == -1) {
		log_errno("%s process: cannot hand the configuration on",
		    child_role(c));
		child_kill(c, "no configuration");
	} else {
		link_start(to, SV_CONFIG);
		link_send_fd(to, fd);
	}
	if (fd != -1)
		close(fd);
	freezero(text, strlen(text));
}

static void
give_listeners(struct supervisor *s, struct link *to)
{
	for (struct listener *l = s->listeners; l != NULL; l = l->next) {
		frame_put_str(link_start(to, SV_LISTEN), l->address);
		link_send_fd(to, l->fd);
	}
}

static void
give_ready(struct supervisor *s, struct child *c)
{
	struct link *to = child_link(c);

	privileged_owes_ready(&s->privileged, c);
	link_start(to, SV_READY);
	link_send(to);
	link_flush(to);
}

static void
give_peer(struct link *to, const char *role, int fd)
{
	frame_put_str(link_start(to, SV_PEER), role);
	link_send_fd(to, fd);
	link_flush(to);
}

/* A new link between the two; the old one ended with the one that died. */
static void
join_two(struct child *one, struct child *other)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		log_errno("socketpair");
		return;
	}
	give_peer(child_link(one), child_role(other), pair[0]);
	give_peer(child_link(other), child_role(one), pair[1]);
	close(pair[0]);
	close(pair[1]);
}

/* Each of them with all others, but for ssh and notify. */
static bool
may_join(const struct supervisor *s, struct child *a, struct child *b)
{
	return a != b && !(a == s->ssh && b == s->notify) &&
	    !(a == s->notify && b == s->ssh);
}

/* Those not there yet follow when they are. */
static void
join_children(struct supervisor *s, struct child *started)
{
	struct child *const all[] = { s->console, s->ssh, s->modem,
	    s->notify };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i] != NULL && may_join(s, started, all[i]) &&
		    child_link(all[i]) != NULL)
			join_two(started, all[i]);
	}
}

static void
tell_about(struct supervisor *s, struct child *c, bool up, const char *why)
{
	struct link *to = child_link(s->console);
	struct frame_out *out;

	if (to == NULL || c == s->console)
		return;
	out = link_start(to, SV_CHILD);
	frame_put_str(out, child_role(c));
	frame_put_u8(out, up);
	frame_put_u32(out, child_restarts(c));
	frame_put_str(out, why);
	link_send(to);
	link_flush(to);
}

static struct link *
console_link(void *arg)
{
	struct supervisor *s = arg;

	return s->console == NULL ? NULL : child_link(s->console);
}

/* Who holds a folder that was replaced begins anew in the one that is there. */
static void
follow_folders(struct supervisor *s, bool console_is_new)
{
	static const char why[] = "works in a folder that was replaced";
	unsigned changed = folders_changed(s->folders);

	if (changed != 0 && !console_is_new)
		child_kill(s->console, why);
	if ((changed & FOLDERS_STATE) == 0)
		return;
	if (s->modem != NULL)
		child_kill(s->modem, why);
	if (s->notify != NULL)
		child_kill(s->notify, why);
}

static void
on_started(void *arg, struct child *c)
{
	struct supervisor *s = arg;
	struct link *to = child_link(c);

	privileged_forget(&s->privileged, c);
	if (c == s->console)
		follow_folders(s, true);
	give_config(s, c);
	if (c == s->console) {
		privileged_give_vouchers(&s->privileged);
		link_start(to, SV_CONTROL);
		link_send_fd(to, s->control);
		keeper_give_all(s->keeper, to);
	} else if (c == s->ssh) {
		privileged_new_vouchers(&s->privileged);
		privileged_give_key(&s->privileged, to, s->conf->ssh.host_key);
		give_listeners(s, to);
	}
	give_ready(s, c);
	join_children(s, c);
	tell_about(s, c, true, "");
}

static void
on_ended(void *arg, struct child *c, const char *why, int64_t wait_ms)
{
	struct supervisor *s = arg;

	(void)wait_ms;
	if (c == s->console)
		keeper_end_breaks(s->keeper);
	if (c == s->ssh)
		dialers_forget(s->dialers);
	if (c == s->modem) {
		lender_forget(s->lender);
		ppprun_forget(s->ppp);
	}
	tell_about(s, c, false, why);
}

static int
on_request(void *arg, struct child *c, struct frame *f, int fd)
{
	struct supervisor *s = arg;

	return privileged_request(&s->privileged, c, f, fd);
}

static const struct child_ops child_ops = {
	.started = on_started,
	.frame = on_request,
	.ended = on_ended,
};

/* Ready: logins are taken and every line was tried. */

static void
check_ready(struct supervisor *s)
{
	if (s->told_ready || !s->console_ready || !s->ssh_ready ||
	    !s->modem_ready || !s->all_tried ||
	    (s->notify != NULL && !s->notify_ready))
		return;
	s->told_ready = true;
	dprintf(STDERR_FILENO, "oobd: ready\n");
	if (s->opts->syslog)
		log_info("ready");
}

static void
on_child_ready(void *arg, struct child *c)
{
	struct supervisor *s = arg;

	child_is_ready(c);
	if (c == s->console)
		s->console_ready = true;
	else if (c == s->ssh)
		s->ssh_ready = true;
	else if (c == s->modem)
		s->modem_ready = true;
	else if (c == s->notify)
		s->notify_ready = true;
	check_ready(s);
}

static void
on_all_tried(void *arg)
{
	struct supervisor *s = arg;

	s->all_tried = true;
	check_ready(s);
}

static struct link *
modem_link(void *arg)
{
	struct supervisor *s = arg;

	return s->modem == NULL ? NULL : child_link(s->modem);
}

static void
on_power(void *arg, bool ok, const char *text)
{
	struct link *to = modem_link(arg);
	struct frame_out *o;

	if (to == NULL)
		return;
	o = link_start(to, SV_POWER);
	frame_put_u8(o, ok);
	frame_put_str(o, text);
	link_send(to);
	link_flush(to);
}

static const struct keeper_ops keeper_ops = {
	.console = console_link,
	.all_tried = on_all_tried,
};

/* Reload and stop. */

static void
complain(void *arg, const char *message)
{
	(void)arg;
	log_error("%s", message);
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Folders and sockets that children have open cannot move while we run. */
static void
keep_fixed(struct config *conf, const struct config *old)
{
	const struct {
		const char *name;
		char **new, *const *old;
	} fixed[] = {
		{ "state_dir", &conf->state_dir, &old->state_dir },
		{ "log_dir", &conf->log_dir, &old->log_dir },
		{ "run_dir", &conf->run_dir, &old->run_dir },
		{ "control", &conf->control, &old->control },
		{ "service_user", &conf->service_user, &old->service_user },
		{ "control_group", &conf->control_group, &old->control_group },
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (same_text(*fixed[i].new, *fixed[i].old))
			continue;
		log_warn("%s changes with the next start, not by a reload",
		    fixed[i].name);
		free(*fixed[i].new);
		*fixed[i].new = *fixed[i].old == NULL ? NULL :
		    xstrdup(*fixed[i].old);
	}
}

static void
keep_sandbox(struct config *conf, const struct config *old)
{
	if (conf->sandbox != old->sandbox)
		log_warn("sandbox changes with the next start, not by a "
		    "reload");
	conf->sandbox = old->sandbox;
}

static int
listen_anew(struct supervisor *s, const struct config *conf)
{
	for (size_t i = 0; i < conf->ssh.nlisten; i++) {
		if (find_listener(s, conf->ssh.listen[i]) == NULL &&
		    add_listener(s, conf->ssh.listen[i], 1) == -1) {
			drop_listeners_not_in(s, s->conf);
			return -1;
		}
	}
	return 0;
}

/* Only once there is somebody to tell; then it stays, asleep if need be. */
static void
keep_notify(struct supervisor *s)
{
	if (s->notify == NULL && s->conf->nnotifies > 0)
		s->notify = child_keep(s->children, "notify", &child_ops, s);
	else if (s->notify != NULL && child_link(s->notify) != NULL) {
		give_config(s, s->notify);
		give_ready(s, s->notify);
	}
}

/* libconfuse ends the process that it gets no memory in. */
static bool
has_room_to_reload(const struct supervisor *s)
{
	struct stat st;
	size_t want = RELOAD_ROOM;

	if (stat(s->opts->file, &st) == 0 && st.st_size <= CONFIG_FILE_MAX)
		want += RELOAD_FACTOR * (size_t)st.st_size;
	if (mem_has_reserve() && mem_has_room(want))
		return true;
	log_error("%s: not reloaded, there is too little memory (%zu bytes "
	    "are wanted): free some and send SIGHUP again", s->opts->file,
	    want);
	return false;
}

static void
on_hup(void *arg, int signo)
{
	struct supervisor *s = arg;
	struct config *conf;
	struct link *to;

	(void)signo;
	if (!has_room_to_reload(s))
		return;
	conf = config_load(s->opts->file, complain, NULL);
	if (conf == NULL || listen_anew(s, conf) == -1) {
		log_error("%s: not reloaded, the old configuration stays",
		    s->opts->file);
		config_free(conf);
		return;
	}
	keep_fixed(conf, s->conf);
	keep_sandbox(conf, s->conf);
	drop_listeners_not_in(s, conf);
	config_free(s->conf);
	s->conf = conf;
	s->privileged.conf = conf;
	children_set_deadline(s->children, conf->deadline_ms);
	dialers_follow(s->dialers, conf);
	keeper_set(s->keeper, conf, s->uid, s->gid);
	if ((to = child_link(s->console)) != NULL) {
		give_config(s, s->console);
		keeper_give_new(s->keeper, to);
		give_ready(s, s->console);
	}
	if ((to = child_link(s->ssh)) != NULL) {
		give_config(s, s->ssh);
		privileged_give_key(&s->privileged, to, s->conf->ssh.host_key);
		give_listeners(s, to);
		give_ready(s, s->ssh);
	}
	if (child_link(s->modem) != NULL) {
		give_config(s, s->modem);
		give_ready(s, s->modem);
	}
	keep_notify(s);
	follow_folders(s, false);
	log_info("%s reloaded", s->opts->file);
}

/* PPP has been asked to end before; it has 5 s from then, as we have. */
static void
check_stopped(void *arg)
{
	struct supervisor *s = arg;

	if (s->stopped && !ppprun_busy(s->ppp))
		loop_stop(s->loop, 0);
}

static void
on_stopped(void *arg)
{
	struct supervisor *s = arg;

	s->stopped = true;
	check_stopped(s);
}

static const struct ppprun_ops ppprun_ops = {
	.modem = modem_link,
	.ended = check_stopped,
};

static void
on_term(void *arg, int signo)
{
	struct supervisor *s = arg;

	log_info("stopping (signal %d)", signo);
	ppprun_stop(s->ppp);
	children_stop(s->children, s->console, STOP_GRACE_MS, on_stopped,
	    s);
}

static void
on_turn(void *arg)
{
	(void)arg;
	mem_has_reserve();
}

static void
start(struct supervisor *s)
{
	struct children_conf conf = {
		.program = s->opts->program,
		.debug = s->opts->debug,
		.herald = s->herald,
		.sandbox = s->conf->sandbox,
		.drop = s->drop,
		.uid = s->uid,
		.gid = s->gid,
		.user = s->conf->service_user,
		.deadline_ms = s->conf->deadline_ms,
	};

	mem_keep_reserve(MEMORY_RESERVE);
	loop_each_turn(s->loop, on_turn, s);
	s->control = listen_control(s);
	for (size_t i = 0; i < s->conf->ssh.nlisten; i++) {
		if (add_listener(s, s->conf->ssh.listen[i], LISTEN_TRIES) == -1)
			exit(1);
	}
	s->children = children_new(s->loop, &conf);
	s->keeper = keeper_new(s->loop, s->children, &keeper_ops, s);
	s->lender = lender_new(s->loop, s->children, modem_link, s);
	s->ppp = ppprun_new(s->loop, s->children, s->conf->run_dir, s->uid,
	    &ppprun_ops, s);
	s->dialers = dialers_new(s->children, s->ppp);
	s->power = power_new(s->children, on_power, s);
	s->privileged = (struct privileged){
		.children = s->children,
		.keeper = s->keeper,
		.lender = s->lender,
		.dialers = s->dialers,
		.ppp = s->ppp,
		.power = s->power,
		.conf = s->conf,
		.drop = s->drop,
		.uid = s->uid,
		.ready = on_child_ready,
		.console = console_link,
		.arg = s,
	};
	loop_signal(s->loop, SIGTERM, on_term, s);
	loop_signal(s->loop, SIGINT, on_term, s);
	loop_signal(s->loop, SIGHUP, on_hup, s);
	signal(SIGPIPE, SIG_IGN);
	if (keeper_set(s->keeper, s->conf, s->uid, s->gid) == -1)
		exit(1);
	sandbox_supervisor(!s->conf->sandbox);
	s->console = child_keep(s->children, "console", &child_ops, s);
	s->ssh = child_keep(s->children, "ssh", &child_ops, s);
	s->modem = child_keep(s->children, "modem", &child_ops, s);
	keep_notify(s);
}

int
supervisor_main(const struct supervisor_conf *opts, struct config *conf)
{
	struct supervisor s = { .opts = opts, .conf = conf };
	int status;

	want_descriptors();
	find_service_user(&s);
	s.folders = folders_new(s.conf, s.drop, s.uid, s.gid);
	take_lock(&s);
	s.loop = loop_new();
	if (opts->syslog)
		s.herald = herald_new(s.loop);
	start(&s);
	status = loop_run(s.loop);
	keeper_free(s.keeper);
	secret_free(s.privileged.vouchers);
	lender_free(s.lender);
	dialers_free(s.dialers);
	ppprun_free(s.ppp);
	power_free(s.power);
	children_free(s.children);
	herald_free(s.herald);
	folders_free(s.folders);
	drop_listeners_not_in(&s, NULL);
	unlink(s.conf->control);
	close(s.control);
	close(s.lock);
	config_free(s.conf);
	loop_free(s.loop);
	return status;
}
