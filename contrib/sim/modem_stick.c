#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../server/base/fileio.h"
#include "../../server/base/log.h"
#include "../../server/base/mem.h"
#include "../../server/base/str.h"
#include "modem_session.h"
#include "modem_stick.h"

#define OFF_MS 50		/* from a reset's OK to its beginning */
#define DELIVER_MS 20
#define BOOT_EVERY 4		/* every so many ^RSSI one ^BOOT */

static const char *const port_names[STICK_PORTS] = { "data", "control" };

const char *
stick_port_text(int index)
{
	return port_names[index];
}

struct port *
stick_port(const struct stick *s, int index)
{
	return s->port[s->swapped ? 1 - index : index];
}

/* The interpreter behind a port's name. */
static int
index_of(const struct stick_end *e)
{
	return (int)(e->stick->swapped ? 1 - e->port : e->port);
}

/*
 * What is said unasked.
 */

bool
stick_speaks(const struct stick *s, const struct at *at)
{
	if (s->conf->nports == 1 || !s->conf->who->huawei)
		return true;
	return at_index(at) == (s->portsel ? STICK_DATA : STICK_CONTROL);
}

static void __attribute__((format(printf, 2, 0)))
say(struct stick *s, const char *fmt, va_list ap)
{
	char line[256];

	if (!s->plugged)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	for (unsigned i = 0; i < s->conf->nports; i++) {
		if (stick_speaks(s, s->at[i]))
			at_urc(s->at[i], line, false);
	}
}

void
stick_urc(struct stick *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(s, fmt, ap);
	va_end(ap);
}

void
stick_chat(struct stick *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->curc || !s->conf->who->huawei)
		return;
	va_start(ap, fmt);
	say(s, fmt, ap);
	va_end(ap);
}

static void
on_chatter(void *arg)
{
	struct stick *s = arg;

	stick_rssi_changed(s);
	if (++s->ticks % BOOT_EVERY == 0)
		stick_chat(s, "^BOOT:27710117,0,0,0,75");
	timer_set(s->chatter, s->conf->chatter_ms);
}

/*
 * The network.
 */

static bool
radio_on(const struct stick *s)
{
	return s->plugged && s->cfun == 1 && card_error(s->card) == 0;
}

enum registration
stick_cs(const struct stick *s)
{
	return radio_on(s) ? s->cs : REG_IDLE;
}

enum registration
stick_ps(const struct stick *s)
{
	return radio_on(s) ? s->ps : REG_IDLE;
}

bool
stick_registered(enum registration r)
{
	return r == REG_HOME || r == REG_ROAMING;
}

void
stick_rssi_changed(struct stick *s)
{
	stick_chat(s, "^RSSI:%d", s->rssi);
}

/* "+CREG: 1" where it was asked for, with the cell after =2. */
static void
say_registration(struct stick *s, bool cs)
{
	enum registration r = cs ? s->said_cs : s->said_ps;
	char line[64];

	for (unsigned i = 0; i < s->conf->nports; i++) {
		const struct at_settings *set = at_settings(s->at[i]);
		int level = cs ? set->creg : set->cgreg;

		if (level == 0)
			continue;
		snprintf(line, sizeof(line), "%s: %d%s",
		    cs ? "+CREG" : "+CGREG", (int)r,
		    level == 2 && stick_registered(r) ?
		    ", \"0A1B\", \"00C0FFEE\"" : "");
		at_urc(s->at[i], line, false);
	}
}

void
stick_radio_changed(struct stick *s)
{
	enum registration cs = stick_cs(s), ps = stick_ps(s);

	if (s->said_cs != cs) {
		s->said_cs = cs;
		say_registration(s, true);
		stick_chat(s, "^SRVST:%d", stick_registered(cs) ? 2 : 0);
	}
	if (s->said_ps != ps) {
		s->said_ps = ps;
		say_registration(s, false);
		stick_chat(s, "^MODE:%s", s->g3 ? "5,4" : "3,2");
	}
	if (!radio_on(s))
		session_drop(s->session);
	stick_deliver(s);
}

/*
 * Messages.
 */

/* Straight to the ports that asked for that.  False: none did. */
static bool
hand_over(struct stick *s, const char *pdu, enum pdu_kind kind)
{
	bool any = false;
	char line[PDU_HEX + 32];
	size_t octets = 0;

	pdu_check(pdu, &octets);
	for (unsigned i = 0; i < s->conf->nports; i++) {
		const int *cnmi = at_settings(s->at[i])->cnmi;
		bool report = kind == PDU_REPORT;

		if (!stick_speaks(s, s->at[i]) || cnmi[0] == 0 ||
		    (report ? cnmi[3] != 1 : cnmi[1] != 2))
			continue;
		snprintf(line, sizeof(line), report ? "+CDS: %zu" :
		    "+CMT: ,%zu", octets);
		at_urc(s->at[i], line, cnmi[0] == 2);
		at_urc(s->at[i], pdu, cnmi[0] == 2);
		any = true;
	}
	return any;
}

/* "+CMTI" at the ports that asked for it. */
static void
announce(struct stick *s, enum pdu_kind kind, int mem, int at)
{
	char line[64];

	for (unsigned i = 0; i < s->conf->nports; i++) {
		const int *cnmi = at_settings(s->at[i])->cnmi;
		bool report = kind == PDU_REPORT;

		if (!stick_speaks(s, s->at[i]) || cnmi[0] == 0 ||
		    (report ? cnmi[3] != 2 : cnmi[1] != 1 && cnmi[1] != 3))
			continue;
		snprintf(line, sizeof(line), "%s: \"%s\",%d",
		    report ? "+CDSI" : "+CMTI", store_name(s->store, mem),
		    s->lost_index ? -1 : at);
		at_urc(s->at[i], line, cnmi[0] == 2);
	}
}

/* One that waits.  0: it is with us now. */
static int
deliver_one(struct stick *s, unsigned which)
{
	const char *pdu = s->waiting[which];
	enum pdu_kind kind = pdu_kind(pdu);
	int mem = s->mem[2], at;

	if (s->waiting_mem[which][0] != '\0')
		mem = store_find(s->store, s->waiting_mem[which]);
	if (hand_over(s, pdu, kind))
		return 0;
	at = store_put(s->store, mem, pdu, STORE_UNREAD);
	if (at == -1)
		return -1;
	announce(s, kind, mem, at);
	return 0;
}

static void
drop_waiting(struct stick *s, unsigned which)
{
	s->nwaiting--;
	memmove(s->waiting[which], s->waiting[which + 1],
	    (s->nwaiting - which) * sizeof(s->waiting[0]));
	memmove(s->waiting_mem[which], s->waiting_mem[which + 1],
	    (s->nwaiting - which) * sizeof(s->waiting_mem[0]));
}

static void
on_deliver(void *arg)
{
	struct stick *s = arg;
	unsigned i = 0;

	while (stick_registered(stick_cs(s)) && i < s->nwaiting) {
		if (deliver_one(s, i) == 0)
			drop_waiting(s, i);
		else
			i++;
	}
}

void
stick_deliver(struct stick *s)
{
	if (s->nwaiting > 0 && !timer_is_set(s->deliver))
		timer_set(s->deliver, DELIVER_MS);
}

int
stick_message(struct stick *s, const char *pdu, const char *mem)
{
	unsigned copies = s->copies, before;

	s->copies = 1;
	for (; copies > 0; copies--) {
		if (s->nwaiting == STICK_WAITING)
			return -1;
		snprintf(s->waiting[s->nwaiting], sizeof(s->waiting[0]), "%s",
		    pdu);
		snprintf(s->waiting_mem[s->nwaiting],
		    sizeof(s->waiting_mem[0]), "%s", mem);
		before = s->nwaiting++;
		on_deliver(s);
		/* Huawei's word in place of +CMTI when there is no room. */
		if (s->nwaiting > before && stick_registered(stick_cs(s)) &&
		    s->conf->who->huawei)
			stick_urc(s, "^SMMEMFULL: \"%s\"", *mem != '\0' ? mem :
			    store_name(s->store, s->mem[2]));
	}
	return 0;
}

unsigned
stick_sent(struct stick *s, const char *pdu)
{
	snprintf(s->sent[s->nsent++ % STICK_SENT], sizeof(s->sent[0]), "%s",
	    pdu);
	return s->ref = (s->ref + 1) & 0xff;
}

void
stick_log(struct stick *s, enum stick_port port, const char *command)
{
	char **place = &s->log[s->nlog++ % STICK_LOG];
	char safe[AT_LINE + 32], *line;

	str_safe(safe, sizeof(safe), command, strlen(command));
	free(*place);
	*place = xasprintf("%s:%s", port_names[port], safe);
	if (s->log_fd == -1)
		return;
	line = xasprintf("%s\n", *place);
	if (fd_write_all(s->log_fd, line, strlen(line)) == -1)
		fatal("%s", s->conf->log);
	free(line);
}

/*
 * Power.
 */

static void
on_boot(void *arg)
{
	struct stick *s = arg;

	card_busy(s->card, false);
	stick_chat(s, "^SIMST:%d", card_state(s->card) == CARD_OUT ? 255 : 1);
	stick_radio_changed(s);
}

/* All settings that do not stay. */
static void
power_up(struct stick *s)
{
	for (unsigned i = 0; i < s->conf->nports; i++)
		at_reset(s->at[i]);
	card_power(s->card);
	card_busy(s->card, true);
	s->said_cs = s->said_ps = REG_IDLE;
	s->cops_format = 0;
	s->cfun = 1;
	s->curc = s->attached = true;
	s->portsel = s->conf->portsel;
	s->mem[0] = s->mem[1] = s->mem[2] = 0;
	s->text_mode = false;
	timer_set(s->boot, s->conf->boot_ms);
	if (s->conf->chatter_ms > 0)
		timer_set(s->chatter, s->conf->chatter_ms);
}

int
stick_plug(struct stick *s, bool swap)
{
	if (s->plugged)
		return 0;
	timer_stop(s->back);
	if (swap)
		s->swapped = !s->swapped;
	for (unsigned i = 0; i < s->conf->nports; i++) {
		if (port_plug(s->port[i]) == -1)
			return -1;
	}
	s->plugged = true;
	power_up(s);
	return 0;
}

void
stick_unplug(struct stick *s)
{
	timer_stop(s->back);
	timer_stop(s->off);
	if (!s->plugged)
		return;
	session_gone(s->session);
	s->plugged = false;
	timer_stop(s->boot);
	timer_stop(s->chatter);
	timer_stop(s->deliver);
	for (unsigned i = 0; i < s->conf->nports; i++) {
		port_unplug(s->port[i]);
		at_reset(s->at[i]);
	}
}

static void
on_off(void *arg)
{
	struct stick *s = arg;

	s->resets++;
	stick_unplug(s);
	timer_set(s->back, s->conf->reset_ms);
}

static void
on_back(void *arg)
{
	if (stick_plug(arg, false) == -1)
		fatalx("the stick does not come back");
}

void
stick_reset(struct stick *s)
{
	timer_set(s->off, OFF_MS);
}

/*
 * Ports.
 */

static void
on_input(void *arg, const uint8_t *p, size_t n)
{
	const struct stick_end *e = arg;

	at_input(e->stick->at[index_of(e)], p, n);
}

static void
on_drained(void *arg)
{
	const struct stick_end *e = arg;

	if (index_of(e) == STICK_DATA)
		session_more(e->stick->session);
}

static void
on_closed(void *arg)
{
	const struct stick_end *e = arg;

	if (index_of(e) == STICK_DATA)
		session_dtr_low(e->stick->session);
}

/* For whoever started us. */
static void
on_plugged(void *arg, const char *name)
{
	printf("%s %s\n", port_names[index_of(arg)], name);
	fflush(stdout);
}

static const struct port_ops port_ops = {
	on_input,
	on_drained,
	on_closed,
	on_plugged,
};

static int
open_log(struct stick *s)
{
	s->log_fd = -1;
	if (s->conf->log == NULL)
		return 0;
	s->log_fd = open(s->conf->log, O_WRONLY | O_APPEND | O_CREAT |
	    O_CLOEXEC, 0600);
	if (s->log_fd == -1)
		log_errno("%s", s->conf->log);
	return s->log_fd == -1 ? -1 : 0;
}

static void
make_network(struct stick *s)
{
	s->rssi = 18;
	s->ber = 99;
	s->cs = s->ps = REG_HOME;
	s->g3 = true;
	snprintf(s->operator, sizeof(s->operator), "23201");
	snprintf(s->operator_name, sizeof(s->operator_name), "A1");
	snprintf(s->cause, sizeof(s->cause), "No cause information available");
	s->u2diag = 276;
	s->copies = 1;
}

struct stick *
stick_new(struct loop *loop, const struct stick_conf *conf)
{
	struct stick *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->conf = conf;
	s->store = store_new(conf->stores);
	if (s->store == NULL)
		log_error("--stores %s: must be as SM=20,ME=50", conf->stores);
	if (s->store == NULL || open_log(s) == -1) {
		store_free(s->store);
		free(s);
		return NULL;
	}
	s->card = card_new(conf->pin, conf->puk);
	s->faults = faults_new();
	s->boot = timer_new(loop, on_boot, s);
	s->off = timer_new(loop, on_off, s);
	s->back = timer_new(loop, on_back, s);
	s->chatter = timer_new(loop, on_chatter, s);
	s->deliver = timer_new(loop, on_deliver, s);
	s->session = session_new(s);
	for (unsigned i = 0; i < conf->nports; i++) {
		s->ends[i] = (struct stick_end){ s, i };
		s->port[i] = port_new(loop, &conf->ports[i], &port_ops,
		    &s->ends[i]);
		s->at[i] = at_new(s, (int)i);
	}
	make_network(s);
	return s;
}

void
stick_free(struct stick *s)
{
	if (s == NULL)
		return;
	stick_unplug(s);
	for (unsigned i = 0; i < s->conf->nports; i++) {
		port_free(s->port[i]);
		at_free(s->at[i]);
	}
	session_free(s->session);
	timer_free(s->boot);
	timer_free(s->off);
	timer_free(s->back);
	timer_free(s->chatter);
	timer_free(s->deliver);
	faults_free(s->faults);
	card_free(s->card);
	store_free(s->store);
	for (size_t i = 0; i < STICK_LOG; i++)
		free(s->log[i]);
	if (s->log_fd != -1)
		close(s->log_fd);
	free(s);
}
