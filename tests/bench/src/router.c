/*
 * router: plays N routers on N ptys, commanded over stdin.
 *
 *	router -n N -p PAYLOADFILE
 *
 * Both ends of each pty are raw and the slave is kept open, so that a server
 * may close and reopen it.  The first line of output names the N slaves.
 * Then every command line gets exactly one answer line:
 *
 *	echo P on|off              echo what is received (P: port or "all")
 *	flood P OFF LEN            payload[OFF..OFF+LEN) as fast as it is taken
 *	paced P OFF LEN BPS CHUNK  at BPS bytes/s in pieces of CHUNK; what the
 *	                           tty does not take at once is dropped and
 *	                           counted, as a UART would overrun
 *	token P USEC STR           STR every USEC until stopped
 *	stop P                     end flood, paced or token
 *	reset P                    stop, raw mode, empty queues, zero counters
 *	stat P                     JSON: sent, overrun, received, busy
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define EV_TIMER (1u << 30)
#define EV_STDIN (1u << 31)
#define TICK_NS 500000

enum mode {
	MODE_IDLE,
	MODE_FLOOD,
	MODE_PACED,
	MODE_TOKEN,
};

struct port {
	int master;
	int slave;
	bool echo;
	bool wants_out;
	enum mode mode;
	uint64_t off, left;		/* in the payload */
	uint64_t sent, overrun, received;
	uint64_t began;			/* ns */
	double credit;			/* bytes; spreads the ports in time */
	double bytes_per_ms;
	unsigned chunk;
	uint64_t period, next;		/* ns, MODE_TOKEN */
	char token[64];
	size_t token_len;
};

struct router {
	struct port *port;
	int n;
	int ep;
	int timer;
	int ticking;			/* ports in MODE_PACED or MODE_TOKEN */
	const char *payload;
	uint64_t payload_len;
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void
make_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t) == -1)
		return;
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&t, B115200);
	tcsetattr(fd, TCSANOW, &t);
}

static void
watch(struct router *r, int fd, uint32_t id)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = id };

	epoll_ctl(r->ep, EPOLL_CTL_ADD, fd, &e);
}

static void
want_out(struct router *r, int i, bool on)
{
	struct epoll_event e = { .events = EPOLLIN };

	if (r->port[i].wants_out == on)
		return;
	r->port[i].wants_out = on;
	e.data.u32 = (uint32_t)i;
	if (on)
		e.events |= EPOLLOUT;
	epoll_ctl(r->ep, EPOLL_CTL_MOD, r->port[i].master, &e);
}

static bool
is_ticked(enum mode m)
{
	return m == MODE_PACED || m == MODE_TOKEN;
}

/* The one place where a port changes what it does. */
static void
change_mode(struct router *r, int i, enum mode to)
{
	struct port *p = &r->port[i];
	struct itimerspec it = { 0 };
	int was = r->ticking;

	r->ticking += is_ticked(to) - is_ticked(p->mode);
	p->mode = to;
	if (to != MODE_FLOOD)
		want_out(r, i, false);
	if ((was > 0) == (r->ticking > 0))
		return;
	if (r->ticking > 0)
		it.it_interval.tv_nsec = it.it_value.tv_nsec = TICK_NS;
	timerfd_settime(r->timer, 0, &it, NULL);
}

static void
flood(struct router *r, int i)
{
	struct port *p = &r->port[i];

	for (int k = 0; k < 16 && p->left > 0; k++) {
		size_t n = p->left < 4096 ? p->left : 4096;
		ssize_t w = write(p->master, r->payload + p->off, n);

		if (w <= 0)
			break;
		p->off += (uint64_t)w;
		p->left -= (uint64_t)w;
		p->sent += (uint64_t)w;
	}
	if (p->left == 0)
		change_mode(r, i, MODE_IDLE);
	else
		want_out(r, i, true);
}

static void
tick_token(struct port *p, uint64_t t)
{
	ssize_t w;

	if (t < p->next)
		return;
	w = write(p->master, p->token, p->token_len);
	if (w > 0)
		p->sent += (uint64_t)w;
	p->next = t + p->period;
}

static void
tick_paced(struct router *r, int i, uint64_t t)
{
	struct port *p = &r->port[i];
	double due = (double)(t - p->began) / 1e6 * p->bytes_per_ms + p->credit;

	while (p->left > 0) {
		uint64_t n = p->left < p->chunk ? p->left : p->chunk;
		ssize_t w;

		if ((double)(p->sent + p->overrun + n) > due)
			break;
		w = write(p->master, r->payload + p->off, n);
		if (w < 0)
			w = 0;
		p->sent += (uint64_t)w;
		p->overrun += n - (uint64_t)w;
		p->off += n;
		p->left -= n;
	}
	if (p->left == 0)
		change_mode(r, i, MODE_IDLE);
}

static void
on_tick(struct router *r)
{
	uint64_t expired, t = now_ns();

	if (read(r->timer, &expired, sizeof(expired)) < 0)
		return;
	for (int i = 0; i < r->n; i++) {
		if (r->port[i].mode == MODE_PACED)
			tick_paced(r, i, t);
		else if (r->port[i].mode == MODE_TOKEN)
			tick_token(&r->port[i], t);
	}
}

static void
reset(struct router *r, int i)
{
	struct port *p = &r->port[i];

	change_mode(r, i, MODE_IDLE);
	ioctl(p->slave, TIOCNXCL);
	make_raw(p->slave);
	tcflush(p->slave, TCIOFLUSH);
	tcflush(p->master, TCIOFLUSH);
	p->sent = p->overrun = p->received = 0;
}

static bool
start_payload(struct router *r, int i, const char *arg, bool paced)
{
	struct port *p = &r->port[i];
	unsigned long off = 0, len = 0;
	unsigned chunk = 16;
	double bps = 0;
	int got = sscanf(arg, "%lu %lu %lf %u", &off, &len, &bps, &chunk);

	if (got < (paced ? 3 : 2) || off + len > r->payload_len || chunk == 0)
		return false;
	p->off = off;
	p->left = len;
	p->bytes_per_ms = bps / 1000;
	p->chunk = chunk;
	p->credit = (unsigned)(i * 7) % chunk;
	change_mode(r, i, paced ? MODE_PACED : MODE_FLOOD);
	if (!paced)
		flood(r, i);
	return true;
}

static bool
start_token(struct router *r, int i, const char *arg)
{
	struct port *p = &r->port[i];
	unsigned usec = 0;
	int skip = 0;

	if (sscanf(arg, "%u %n", &usec, &skip) != 1 || skip == 0)
		return false;
	snprintf(p->token, sizeof(p->token), "%s", arg + skip);
	p->token_len = strlen(p->token);
	p->period = usec * 1000ull;
	p->next = 0;
	change_mode(r, i, MODE_TOKEN);
	return true;
}

static bool
start(struct router *r, int i, const char *verb, const char *arg)
{
	struct port *p = &r->port[i];

	change_mode(r, i, MODE_IDLE);
	p->sent = p->overrun = p->received = 0;
	p->began = now_ns();
	if (strcmp(verb, "flood") == 0)
		return start_payload(r, i, arg, false);
	if (strcmp(verb, "paced") == 0)
		return start_payload(r, i, arg, true);
	if (strcmp(verb, "token") == 0)
		return start_token(r, i, arg);
	return false;
}

static bool
command_one(struct router *r, int i, const char *verb, const char *arg)
{
	if (strcmp(verb, "echo") == 0)
		r->port[i].echo = strcmp(arg, "on") == 0;
	else if (strcmp(verb, "stop") == 0)
		change_mode(r, i, MODE_IDLE);
	else if (strcmp(verb, "reset") == 0)
		reset(r, i);
	else
		return start(r, i, verb, arg);
	return true;
}

static void
command(struct router *r, const char *line)
{
	char verb[16] = "", which[16] = "";
	int skip = 0, from = 0, to = r->n;
	bool good = true;

	sscanf(line, "%15s %15s %n", verb, which, &skip);
	if (strcmp(which, "all") != 0) {
		from = atoi(which);
		to = from + 1;
	}
	if (from < 0 || to > r->n || which[0] == '\0') {
		puts("err port");
		return;
	}
	if (strcmp(verb, "stat") == 0) {
		const struct port *p = &r->port[from];

		printf("{\"sent\":%llu,\"overrun\":%llu,\"received\":%llu,"
		    "\"busy\":%s}\n", (unsigned long long)p->sent,
		    (unsigned long long)p->overrun,
		    (unsigned long long)p->received,
		    p->mode == MODE_IDLE ? "false" : "true");
		return;
	}
	for (int i = from; i < to; i++)
		good = command_one(r, i, verb, line + skip) && good;
	puts(good ? "ok" : "err command");
}

/* Whole lines only; the harness never sends half a command for long. */
static void
on_stdin(struct router *r)
{
	static char in[4096];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, in + len, sizeof(in) - len - 1);
	char *nl;

	if (n <= 0)
		exit(0);
	len += (size_t)n;
	in[len] = '\0';
	while ((nl = strchr(in, '\n')) != NULL) {
		*nl = '\0';
		command(r, in);
		len -= (size_t)(nl + 1 - in);
		memmove(in, nl + 1, len + 1);
	}
}

static void
on_port(struct router *r, int i, uint32_t events)
{
	struct port *p = &r->port[i];
	char b[4096];
	ssize_t n;

	if ((events & EPOLLIN) != 0 &&
	    (n = read(p->master, b, sizeof(b))) > 0) {
		p->received += (uint64_t)n;
		if (p->echo && write(p->master, b, (size_t)n) < 0)
			p->overrun += (uint64_t)n;
	}
	if ((events & EPOLLOUT) != 0 && p->mode == MODE_FLOOD)
		flood(r, i);
}

static void
open_port(struct router *r, int i)
{
	struct port *p = &r->port[i];
	char name[64];

	p->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (p->master == -1 || grantpt(p->master) == -1 ||
	    unlockpt(p->master) == -1 ||
	    ptsname_r(p->master, name, sizeof(name)) != 0 ||
	    (p->slave = open(name, O_RDWR | O_NOCTTY)) == -1) {
		perror("router: pty");
		exit(3);
	}
	make_raw(p->slave);
	fchmod(p->slave, 0666);		/* the login account opens it, too */
	watch(r, p->master, (uint32_t)i);
	printf("%s%s", i > 0 ? " " : "", name);
}

static void
map_payload(struct router *r, const char *file)
{
	struct stat st;
	int fd = open(file, O_RDONLY);
	void *m;

	if (fd == -1 || fstat(fd, &st) == -1) {
		perror(file);
		exit(2);
	}
	m = mmap(NULL, (size_t)st.st_size, PROT_READ,
	    MAP_SHARED | MAP_POPULATE, fd, 0);
	if (m == MAP_FAILED) {
		perror(file);
		exit(2);
	}
	close(fd);
	r->payload = m;
	r->payload_len = (uint64_t)st.st_size;
}

static void
run(struct router *r)
{
	struct epoll_event ev[64];

	for (;;) {
		bool flooding = false;
		int n;

		for (int i = 0; i < r->n; i++)
			flooding |= r->port[i].mode == MODE_FLOOD;
		/* A pty master may miss a wake-up for room: look again. */
		n = epoll_wait(r->ep, ev, 64, flooding ? 2 : -1);
		for (int k = 0; k < n; k++) {
			if (ev[k].data.u32 == EV_STDIN)
				on_stdin(r);
			else if (ev[k].data.u32 == EV_TIMER)
				on_tick(r);
			else
				on_port(r, (int)ev[k].data.u32, ev[k].events);
		}
		for (int i = 0; n == 0 && i < r->n; i++)
			if (r->port[i].mode == MODE_FLOOD)
				flood(r, i);
	}
}

int
main(int argc, char **argv)
{
	struct router r = { 0 };
	const char *payload = NULL;
	int c;

	while ((c = getopt(argc, argv, "n:p:")) != -1) {
		if (c == 'n')
			r.n = atoi(optarg);
		else if (c == 'p')
			payload = optarg;
	}
	if (r.n < 1 || payload == NULL) {
		fprintf(stderr, "usage: router -n N -p PAYLOADFILE\n");
		return 2;
	}
	map_payload(&r, payload);
	r.port = calloc((size_t)r.n, sizeof(*r.port));
	r.ep = epoll_create1(0);
	r.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	if (r.port == NULL || r.ep == -1 || r.timer == -1) {
		perror("router");
		return 3;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < r.n; i++)
		open_port(&r, i);
	putchar('\n');
	watch(&r, r.timer, EV_TIMER);
	watch(&r, STDIN_FILENO, EV_STDIN);
	run(&r);
}
