/*
 * The modem process's ends of its links to the ssh and the notify process,
 * both gone bad: what is told of relays is within its bounds, an address is
 * one word, and an SMS that is asked for is answered once.  Input: frames: a
 * byte whose (bit 7: he is gone before, and another comes) and of which type,
 * two of length, that many.
 */
#include "modem/route.h"
#include "server/modem_way.h"
#include "tests/world.h"

#define FRAMES 200
#define PART_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const uint16_t types[] = { WY_RELAY, WY_ROUTE, WY_DRILLED, NT_SMS,
    WY_LINK, WY_DRILL, NT_SMS_DONE, 0 };

static struct state {
	struct loop *loop;
	struct modem_way *way;
	int ssh, notify;
	unsigned asked, answered;
} st;

static void
on_changed(void *arg)
{
	const struct modem_relay *r = modem_way_relay(st.way, "r");

	(void)arg;
	if (r != NULL && (strcmp(r->name, "r") != 0 ||
	    modem_way_relay_text(r->state) == NULL ||
	    memchr(r->text, '\0', sizeof(r->text)) == NULL ||
	    memchr(r->failure, '\0', sizeof(r->failure)) == NULL))
		abort();
}

static void
on_route(void *arg, const char *address)
{
	(void)arg;
	if (address[0] == '\0' || strpbrk(address, ", ") != NULL)
		abort();
	/* As modem_dial does before it asks for it. */
	(void)route_is_host(address);
}

static void
on_drilled(void *arg, uint32_t id, enum way_drill how, uint64_t bytes,
    const char *text)
{
	(void)arg;
	(void)id;
	(void)bytes;
	if (how > WAY_DRILL_FAILED || strlen(text) >= MODEM_RELAY_TEXT)
		abort();
}

static enum nt_sms
on_sms(void *arg, const char *number, const char *text, char *why, size_t size)
{
	(void)arg;
	(void)why;
	(void)size;
	st.asked++;
	return strlen(number) + strlen(text) % 3 == 0 ? NT_SMS_TAKEN :
	    NT_SMS_LATER;
}

static const struct modem_way_ops ops = { on_changed, on_route, on_drilled };

/* Of whom there is none. */
static void
new_link(void)
{
	int pair[2];

	world_pair(pair);
	if (st.ssh == -1) {
		st.ssh = pair[0];
		modem_way_link(st.way, pair[1]);
	} else {
		st.notify = pair[0];
		modem_way_notify(st.way, pair[1], on_sms, NULL);
	}
}

static void
turn(void)
{
	uint8_t in[65536];
	struct frame f;
	size_t at = 0, used;
	ssize_t n;

	world_turn(st.loop);
	(void)!read(st.ssh, in, sizeof(in));
	n = read(st.notify, in, sizeof(in));
	while (n > 0 && frame_parse(in + at, (size_t)n - at, &f, &used) == 1) {
		st.answered += f.type == NT_SMS_DONE;
		at += used;
	}
	if (st.answered != st.asked)
		abort();
}

static void
say(int fd, uint16_t type, const uint8_t *p, size_t n)
{
	world_say(fd, type, p, n);
	turn();
}

/* Gone, and the supervisor has made another link. */
static void
come_again(bool ssh)
{
	int *at = ssh ? &st.ssh : &st.notify;

	close(*at);
	*at = -1;
	new_link();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct modem_way_is is = { WAY_PPP, "ppp0", "192.0.2.1", NULL };
	size_t len;

	if (st.loop == NULL) {
		log_open(NULL, LOG_TO_SYSLOG, false);
		st.loop = loop_new();
	}
	st.asked = st.answered = 0;
	st.ssh = st.notify = -1;
	st.way = modem_way_new(st.loop, &ops, NULL);
	new_link();
	new_link();
	modem_way_set(st.way, &is);
	for (int i = 0; i < FRAMES && n > 2; i++) {
		bool ssh = (p[0] & 64) == 0;

		len = (size_t)(p[1] << 8 | p[2]) % PART_MAX;
		if (len > n - 3)
			len = n - 3;
		if ((p[0] & 128) != 0)
			come_again(ssh);
		say(ssh ? st.ssh : st.notify, types[p[0] % 8], p + 3, len);
		modem_way_drill(st.way, 7, "r");
		p += 3 + len;
		n -= 3 + len;
	}
	close(st.ssh);
	close(st.notify);
	modem_way_free(st.way);
	loop_for(st.loop, 0);
	return 0;
}
