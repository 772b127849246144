#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "../auth/secret.h"
#include "../modem/ppp.h"
#include "../modem/route.h"
#include "base/aside.h"
#include "base/fileio.h"
#include "base/link.h"
#include "base/log.h"
#include "base/os.h"
#include "base/str.h"
#include "pppjob.h"
#include "pppleft.h"
#include "proto.h"

#define OUT_MAX 65536
#define LOOK_MS 100		/* at the interface, until it has an address */
#define UP_LOOK_MS 1000		/* ... and then */
#define TERM_MS 3000		/* to end by itself, then SIGKILL */
#define KILL_MS 1500		/* ... to end by that: the kernel hangs */
#define SAID_LOOKS 10		/* for the rest of what PPP says of it */
#define GONE_LOOKS 20		/* for the interface to go, LOOK_MS each */
#define LINE_MAX_BYTES 512
#define SECRET_MAX 1024

struct pppjob {
	struct loop *loop;
	struct link *up;		/* to the supervisor */
	bool alone;			/* it is gone */
	const char *run_dir;
	enum ppp_state state;
	int tty, log;			/* -1: not there */
	pid_t pid;			/* 0: does not run */
	struct ppp_conf conf;
	char user[PPP_WORD];
	char *password;		/* PPP_WORD bytes, until pppd has it; NULL */
	char dns[PPP_DNS];		/* configured, or "" */
	struct mono most;		/* no life beyond */
	uint32_t address_s;
	struct timer *look, *life, *address, *end;
	struct watch *log_watch;
	char line[LINE_MAX_BYTES];
	size_t nline;
	char said[PPP_WHY];		/* its last words, whatever they are */
	struct ppp_heard heard;
	struct pppleft left;		/* routes, and the interface */
	bool cleaned, was_up, carrier, killed;
	bool quiet;			/* it said nothing since the last look */
	unsigned looks;			/* since its interface is up */
	int gone_looks;
	bool has_reason;		/* why we ended it */
	char failure[16], text[2 * PPP_WHY];
};

__attribute__((format(printf, 3, 4)))
static void
set_reason(struct pppjob *p, const char *failure, const char *fmt, ...)
{
	va_list ap;

	if (p->has_reason)
		return;
	p->has_reason = true;
	snprintf(p->failure, sizeof(p->failure), "%s", failure);
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
}

static void
say(struct pppjob *p, const struct route_interface *i)
{
	const char *dns = p->dns[0] != '\0' ? p->dns : p->heard.dns;
	bool ended = p->state == PPP_ENDED;
	struct frame_out *o;

	if (p->alone)
		return;
	o = link_start(p->up, SV_PPP);
	frame_put_u8(o, (uint8_t)p->state);
	frame_put_str(o, p->left.interface);
	frame_put_str(o, i == NULL ? "" : i->local);
	frame_put_str(o, i == NULL ? "" : i->peer);
	frame_put_str(o, i == NULL ? "" : dns);
	frame_put_str(o, ended ? p->failure : "");
	frame_put_str(o, ended ? p->text : p->state == PPP_UP &&
	    dns[0] == '\0' && p->heard.fake_dns ? "the name servers that it "
	    "was told are made up by the modem" : "");
	link_send(p->up);
	link_flush(p->up);
}

static void
change_state(struct pppjob *p, enum ppp_state state,
    const struct route_interface *i)
{
	static const char *const texts[] = {
		[PPP_STARTING] = "starting",
		[PPP_NEGOTIATING] = "negotiating",
		[PPP_UP] = "up",
		[PPP_ENDED] = "ended",
	};

	p->state = state;
	log_info("PPP: %s%s%s%s%s", texts[state],
	    state == PPP_UP ? " " : "", state == PPP_UP ? i->local : "",
	    state == PPP_ENDED ? ": " : "",
	    state == PPP_ENDED ? p->text : "");
	say(p, i);
}

/* The end. */

/* What was to be said has left; the loop's turn ends with this. */
static void
check_over(void *arg)
{
	struct pppjob *p = arg;

	if (p->state != PPP_ENDED)
		return;
	if (!p->alone)
		link_flush(p->up);
	if (p->alone || link_queued(p->up) == 0)
		loop_stop(p->loop, 0);
}

static void
close_log(struct pppjob *p)
{
	watch_free(p->log_watch);
	p->log_watch = NULL;
	if (p->log != -1)
		close(p->log);
	p->log = -1;
}

/* Nothing runs any more. */
static void
over(struct pppjob *p)
{
	timer_stop(p->look);
	timer_stop(p->life);
	timer_stop(p->address);
	timer_stop(p->end);
	close_log(p);
	if (p->tty != -1) {
		if (ppp_reclaim(p->tty) == -1)
			log_debug("PPP: the port is gone");
		aside_close(p->tty);
		p->tty = -1;
	}
	if (p->cleaned)
		pppleft_remove(p->run_dir);
	change_state(p, PPP_ENDED, NULL);
}

/* It never ran. */
static void
fail(struct pppjob *p, const char *failure, const char *why)
{
	set_reason(p, failure, "%s", why);
	over(p);
}

static void
on_end(void *arg)
{
	struct pppjob *p = arg;

	if (!p->killed) {
		log_warn("PPP does not end: killing it");
		p->killed = true;
		kill(-p->pid, SIGKILL);
		kill(p->pid, SIGKILL);
		timer_set(p->end, KILL_MS);
		return;
	}
	/* The note stays: whoever comes next tries again. */
	p->has_reason = false;
	set_reason(p, "E-PPP", "PPP does not die: the kernel holds it; the "
	    "modem must be reset");
	close_log(p);
	change_state(p, PPP_ENDED, NULL);
}

/* Once: whatever leads there afterwards is somebody else's. */
static void
take_back_routes(struct pppjob *p)
{
	pppleft_unroute(&p->left);
	p->left.nroutes = 0;
	p->left.all = false;
}

static void
stop(struct pppjob *p)
{
	take_back_routes(p);
	if (p->pid == 0 || timer_is_set(p->end))
		return;
	timer_stop(p->life);
	timer_stop(p->address);
	kill(-p->pid, SIGTERM);
	kill(p->pid, SIGTERM);
	timer_set(p->end, TERM_MS);
}

static void
on_life(void *arg)
{
	struct pppjob *p = arg;

	set_reason(p, "", "its time was over");
	stop(p);
}

static void
on_address(void *arg)
{
	struct pppjob *p = arg;

	set_reason(p, p->heard.failure[0] != '\0' ? p->heard.failure :
	    "E-PDP", "no address within %u s%s%s", (unsigned)p->address_s,
	    p->heard.last[0] == '\0' ? "" : ": ", p->heard.last);
	stop(p);
}

/* Its messages. */

static void
take_line(struct pppjob *p)
{
	p->line[p->nline] = '\0';
	p->nline = 0;
	if (p->line[0] == '\0')
		return;
	log_debug("PPP: %s", p->line);
	p->quiet = false;
	str_safe(p->said, sizeof(p->said), p->line, strlen(p->line));
	ppp_hear(&p->heard, p->line);
}

static void
on_log(void *arg, short revents)
{
	struct pppjob *p = arg;
	char bytes[1024];
	ssize_t n;

	(void)revents;
	n = read(p->log, bytes, sizeof(bytes));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_log(p);
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] == '\n' || p->nline == sizeof(p->line) - 1)
			take_line(p);
		if (bytes[i] != '\n')
			p->line[p->nline++] = bytes[i];
	}
}

/* Its interface. */

static void
add_all(struct pppjob *p)
{
	if (!p->conf.default_route)
		return;
	p->left.all = true;
	if (route_all(p->left.interface, true) == -1)
		log_errno("the way to everywhere over %s",
		    p->left.interface);
}

/* Name servers are said after the address, a line each, or not at all. */
static bool
is_said(struct pppjob *p)
{
	bool quiet = p->quiet;

	p->quiet = true;
	return quiet || p->looks++ == SAID_LOOKS || p->dns[0] != '\0' ||
	    ppp_interface()[0] != '\0';
}

static void
look_for_address(struct pppjob *p)
{
	struct route_interface i;

	if (p->left.interface[0] == '\0') {
		snprintf(p->left.interface, sizeof(p->left.interface), "%s",
		    ppp_interface()[0] != '\0' ? ppp_interface() :
		    p->heard.interface);
		if (p->left.interface[0] == '\0')
			return;
	}
	/* Both: the kernel's word, and PPP's that it is done with it. */
	if (route_interface(p->left.interface, &i) == -1 || !i.up ||
	    i.local[0] == '\0' || (ppp_interface()[0] == '\0' &&
	    p->heard.local[0] == '\0') || !is_said(p))
		return;
	timer_stop(p->address);
	p->was_up = true;
	p->heard.last[0] = '\0';
	add_all(p);
	pppleft_write(p->run_dir, &p->left);
	change_state(p, PPP_UP, &i);
}

/* pppd is told not to look at it: many sticks have none. */
static void
look_at_carrier(struct pppjob *p)
{
	int bits;

	if (ioctl(p->tty, TIOCMGET, &bits) == -1)
		return;
	if (bits & TIOCM_CD) {
		p->carrier = true;
	} else if (p->carrier) {
		p->carrier = false;
		set_reason(p, p->was_up ? "E-DEAD" : "E-APN",
		    "the network hung up%s", p->was_up ? "" : " before PPP "
		    "was agreed on (wrong apn, or no data in this contract)");
		stop(p);
	}
}

static bool
is_gone(struct pppjob *p)
{
	struct route_interface i;

	return p->left.interface[0] == '\0' ||
	    route_interface(p->left.interface, &i) == -1 || !i.exists ||
	    i.local[0] == '\0';
}

static void
on_look(void *arg)
{
	struct pppjob *p = arg;

	if (p->pid == 0) {
		if (is_gone(p) || --p->gone_looks <= 0)
			over(p);
		else
			timer_set(p->look, LOOK_MS);
		return;
	}
	timer_set(p->look, p->state == PPP_UP ? UP_LOOK_MS : LOOK_MS);
	look_at_carrier(p);
	if (p->state == PPP_NEGOTIATING && !timer_is_set(p->end))
		look_for_address(p);
}

/* Its end. */

static void
judge(struct pppjob *p, int status)
{
	const struct ppp_end *e = ppp_end(status, p->was_up);
	const char *failure = e->failure, *last = p->heard.last;

	if (p->heard.failure[0] != '\0' && failure[0] != '\0' &&
	    !p->was_up)
		failure = p->heard.failure;
	/* What it has against this system stands in no table. */
	if (last[0] == '\0' && strcmp(failure, "E-PPP") == 0)
		last = p->said;
	set_reason(p, failure, "%s%s%s%s", e->text, last[0] == '\0' ? "" :
	    " (", last, last[0] == '\0' ? "" : ")");
}

static void
on_child(void *arg, int signo)
{
	struct pppjob *p = arg;
	int status;

	(void)signo;
	if (p->pid == 0 || waitpid(p->pid, &status, WNOHANG) != p->pid)
		return;
	kill(-p->pid, SIGKILL);		/* what it started */
	p->pid = 0;
	timer_stop(p->end);
	/* Its last words; nobody else writes there now. */
	while (p->log != -1 && p->log_watch != NULL) {
		struct pollfd at = { p->log, POLLIN, 0 };

		if (poll(&at, 1, 0) != 1)
			break;
		on_log(p, at.revents);
	}
	judge(p, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	take_back_routes(p);
	p->gone_looks = GONE_LOOKS;
	timer_set(p->look, 0);
}

/* Its beginning. */

_Noreturn static void
be_ppp(struct pppjob *p, int log, pid_t parent)
{
	char why[PPP_WHY] = "";
	sigset_t none;

	setpgid(0, 0);
	os_die_with_parent();
	if (getppid() != parent)
		_exit(127);
	for (int s = 1; s < 32; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	ppp_exec(p->tty, log, &p->conf, why);
	dprintf(log, "oobd: %s\n", why);
	_exit(127);
}

/* 0, or -1 with errno. */
static int
start_ppp(struct pppjob *p)
{
	pid_t self = getpid();
	int pair[2];

	if (pipe(pair) == -1)
		return -1;
	p->log = pair[0];
	fd_prepare(p->log);
	p->pid = fork();
	if (p->pid == 0)
		be_ppp(p, pair[1], self);
	close(pair[1]);
	if (p->pid == -1) {
		p->pid = 0;
		return -1;
	}
	setpgid(p->pid, p->pid);
	p->log_watch = watch_new(p->loop, p->log, POLLIN, on_log, p);
	return 0;
}

static void
forget_password(struct pppjob *p)
{
	secret_free(p->password);
	p->password = NULL;
	p->conf.password = NULL;
}

/* First line of a file that must be owner's.  0, or -1 with why. */
static int
read_password(struct pppjob *p, const char *path, uid_t owner,
    char why[PPP_WHY])
{
	struct stat st;
	char *text = NULL;
	size_t n;
	int fd;

	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd != -1 && fstat(fd, &st) == 0) {
		errno = EACCES;
		/* We are root, its name came through others' hands. */
		if (S_ISREG(st.st_mode) && st.st_uid == owner)
			text = fd_read(fd, SECRET_MAX, NULL);
	}
	if (text == NULL)
		snprintf(why, PPP_WHY, "password_file: %s", strerror(errno));
	if (fd != -1)
		close(fd);
	if (text == NULL)
		return -1;
	n = strcspn(text, "\r\n");
	p->password = secret_new(PPP_WORD);
	if (n < PPP_WORD)
		memcpy(p->password, text, n);	/* and zeros follow */
	else
		snprintf(why, PPP_WHY, "password_file: its first line is "
		    "longer than %d bytes", PPP_WORD - 1);
	explicit_bzero(text, strlen(text));
	free(text);
	p->conf.password = p->password;
	return n < PPP_WORD ? 0 : -1;
}

static int
do_run(struct pppjob *p, struct frame *f, int *fd)
{
	char file[1024], why[PPP_WHY] = "";
	uint32_t seconds = frame_u32(f), most = frame_u32(f), owner;

	p->address_s = frame_u32(f);
	p->conf.default_route = frame_u8(f) != 0;
	frame_str(f, p->user, sizeof(p->user));
	frame_str(f, file, sizeof(file));
	owner = frame_u32(f);
	frame_str(f, p->dns, sizeof(p->dns));
	if (!frame_ok(f) || *fd == -1 || p->tty != -1)
		return -1;
	p->tty = *fd;
	*fd = -1;
	p->conf.user = p->user;
	p->conf.seconds = most;
	p->most = mono_after(mono_now(), (int64_t)most * 1000);
	change_state(p, PPP_STARTING, NULL);
	pppleft_clean(p->run_dir);
	p->cleaned = true;
	if (ppp_possible(why) == -1 || (file[0] != '\0' &&
	    read_password(p, file, owner, why) == -1)) {
		fail(p, "E-PPP", why);
		return 0;
	}
	if (start_ppp(p) == -1) {
		fail(p, "E-PPP", strerror(errno));
		return 0;
	}
	/* The child has what it needs. */
	forget_password(p);
	p->left.pid = p->pid;
	pppleft_write(p->run_dir, &p->left);
	timer_set(p->life, (int64_t)seconds * 1000);
	timer_set(p->address, (int64_t)p->address_s * 1000);
	timer_set(p->look, LOOK_MS);
	change_state(p, PPP_NEGOTIATING, NULL);
	return 0;
}

static int
do_life(struct pppjob *p, struct frame *f, int *fd)
{
	int64_t ms = (int64_t)frame_u32(f) * 1000, most;

	(void)fd;
	if (!frame_ok(f))
		return -1;
	most = mono_ms(mono_now(), p->most);
	if (p->pid != 0 && !timer_is_set(p->end))
		timer_set(p->life, ms < most ? ms : most > 0 ? most : 0);
	return 0;
}

static int
do_stop(struct pppjob *p, struct frame *f, int *fd)
{
	(void)fd;
	if (!frame_ok(f))
		return -1;
	set_reason(p, "", "ended when asked to");
	stop(p);
	return 0;
}

static void
answer_route(struct pppjob *p, const char *address, const char *why)
{
	struct frame_out *o = link_start(p->up, SV_ROUTE);

	frame_put_str(o, address);
	frame_put_str(o, why);
	link_send(p->up);
	link_flush(p->up);
}

/* Why not, or NULL. */
static const char *
add_route(struct pppjob *p, const char *address)
{
	/* What is added when all were taken back would stay. */
	if (p->state != PPP_UP || p->pid == 0 || timer_is_set(p->end))
		return "PPP is not up";
	if (!route_is_host(address))
		return "not the address of a host (IPv4)";
	for (size_t i = 0; i < p->left.nroutes; i++) {
		if (strcmp(p->left.routes[i], address) == 0)
			return NULL;
	}
	if (p->left.nroutes == PPPLEFT_ROUTES)
		return "too many routes";
	if (route_add(p->left.interface, address) == -1)
		return errno == EEXIST ? "a route of this system leads there "
		    "another way" : strerror(errno);
	snprintf(p->left.routes[p->left.nroutes++], ROUTE_ADDRESS, "%s",
	    address);
	pppleft_write(p->run_dir, &p->left);
	return NULL;
}

static const char *
remove_route(struct pppjob *p, const char *address)
{
	size_t i;

	for (i = 0; i < p->left.nroutes; i++) {
		if (strcmp(p->left.routes[i], address) == 0)
			break;
	}
	if (i == p->left.nroutes)
		return NULL;		/* not ours, or gone with PPP */
	if (route_remove(p->left.interface, address) == -1)
		return strerror(errno);
	p->left.nroutes--;
	memmove(p->left.routes[i], p->left.routes[p->left.nroutes],
	    ROUTE_ADDRESS);
	pppleft_write(p->run_dir, &p->left);
	return NULL;
}

static int
do_route(struct pppjob *p, struct frame *f, int *fd)
{
	bool add = frame_u8(f) != 0;
	char address[ROUTE_ADDRESS];
	const char *why;

	(void)fd;
	frame_str(f, address, sizeof(address));
	if (!frame_ok(f))
		return -1;
	why = add ? add_route(p, address) : remove_route(p, address);
	answer_route(p, address, why == NULL ? "" : why);
	return 0;
}

static const struct {
	uint16_t type;
	int (*handle)(struct pppjob *, struct frame *, int *fd);
} words[] = {
	{ PJ_RUN,	do_run },
	{ UP_PPP_LIFE,	do_life },
	{ UP_PPP_STOP,	do_stop },
	{ UP_ROUTE,	do_route },
};

static int
on_frame(void *arg, struct frame *f, int fd)
{
	int r = -1;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].type == f->type)
			r = words[i].handle(arg, f, &fd);
	}
	if (fd != -1)
		close(fd);
	return r;
}

/* End whatever there is. */
static void
leave(struct pppjob *p)
{
	if (p->state == PPP_ENDED)
		return;
	if (p->pid == 0 && !timer_is_set(p->look))
		over(p);
	else
		stop(p);
}

static void
on_down(void *arg, const char *why)
{
	struct pppjob *p = arg;

	(void)why;
	p->alone = true;
	set_reason(p, "", "the supervisor is gone");
	leave(p);
}

static const struct link_ops ops = {
	.frame = on_frame,
	.down = on_down,
};

static void
on_signal(void *arg, int signo)
{
	struct pppjob *p = arg;

	set_reason(p, "", "ended by signal %d", signo);
	leave(p);
}

static int
run(struct pppjob *p, int fd)
{
	int status;

	p->tty = p->log = -1;
	p->loop = loop_new();
	p->look = timer_new(p->loop, on_look, p);
	p->life = timer_new(p->loop, on_life, p);
	p->address = timer_new(p->loop, on_address, p);
	p->end = timer_new(p->loop, on_end, p);
	loop_signal(p->loop, SIGCHLD, on_child, p);
	loop_signal(p->loop, SIGTERM, on_signal, p);
	loop_signal(p->loop, SIGINT, on_signal, p);
	loop_signal(p->loop, SIGHUP, on_signal, p);
	loop_each_turn(p->loop, check_over, p);
	p->up = link_new(p->loop, fd, OUT_MAX, &ops, p);
	status = loop_run(p->loop);
	link_free(p->up);
	timer_free(p->look);
	timer_free(p->life);
	timer_free(p->address);
	timer_free(p->end);
	loop_free(p->loop);
	return status;
}

int
pppjob_main(int fd, int argc, char *const argv[])
{
	struct pppjob p = { .state = PPP_STARTING };

	/* We outlive the supervisor, to end what it cannot. */
	os_live_on();
	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[0], "clean") == 0) {
		pppleft_clean(argv[1]);
		return 0;
	}
	if (argc != 2 || strcmp(argv[0], "run") != 0) {
		log_error("ppp: wrong words");
		return 2;
	}
	p.run_dir = argv[1];
	return run(&p, fd);
}
