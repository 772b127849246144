#include <string.h>
#include <strings.h>

#include "../server/base/str.h"
#include "at_field.h"
#include "device_internal.h"

#define READY_MS (60 * 1000)
#define SEARCHING_MS (10 * 1000)
#define SOON_MS 1000
#define WELL_HOUR (60 * 60 * 1000 / WELL_MS)
#define DENIED_MS (10 * 60 * 1000)	/* then radio off and on */

/*
 * "+CREG: 2,1,..." answers, "+CREG: 1,\"00AB\",..." is unsolicited: what is
 * second is a state of one to three digits, or a cell of four or in quotes.
 */
static bool
is_answer(const char *line)
{
	const char *p = strchr(line, ',');
	size_t n;

	if (p == NULL)
		return false;
	p += 1 + strspn(p + 1, " ");
	n = strspn(p, "0123456789");
	return n >= 1 && n <= 3 && (p[n] == ',' || p[n] == ' ' ||
	    p[n] == '\0');
}

static bool
is_registered(enum device_reg reg)
{
	return reg == DEVICE_REG_HOME || reg == DEVICE_REG_ROAMING;
}

/* 27.007 knows more states than we tell apart. */
static enum device_reg
reg_of(int64_t stat)
{
	switch (stat) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
		return (enum device_reg)stat;
	case 6:		/* home, messages only */
	case 9:
		return DEVICE_REG_HOME;
	case 7:		/* roaming, messages only */
	case 10:
		return DEVICE_REG_ROAMING;
	default:
		return DEVICE_REG_UNKNOWN;
	}
}

/* state[,lac,ci[,act]] */
static bool
parse_reg(struct device *d, struct at_field *f, enum device_reg *reg)
{
	uint32_t lac, ci;
	int64_t n;

	if (at_field_int(f, &n) != 0)
		return false;
	*reg = reg_of(n);
	if (at_field_hex(f, &lac) == 0 && at_field_hex(f, &ci) == 0) {
		d->st.lac = lac;
		d->st.ci = ci;
		if (at_field_int(f, &n) == 0 && n >= 0 && n <= 99)
			d->st.act = (int)n;
	}
	d->st.roaming = d->st.cs == DEVICE_REG_ROAMING ||
	    d->st.ps == DEVICE_REG_ROAMING;
	return true;
}

/* E-UTRAN is packet service, too; the better one counts. */
static void
keep_ps(struct device *d, enum device_reg reg, bool lte)
{
	if (!lte || is_registered(reg) || !is_registered(d->st.ps))
		d->st.ps = reg;
}

static void
read_reg(struct device *d, const struct at_reply *r, const char *prefix,
    enum device_reg *reg)
{
	struct at_field f;

	for (size_t i = 0; i < r->nlines; i++) {
		if (!at_field_start(&f, r->lines[i], prefix))
			continue;
		at_field_skip(&f);
		parse_reg(d, &f, reg);
	}
}

static void
got_creg(struct device *d, const struct at_reply *r)
{
	read_reg(d, r, "+CREG", &d->st.cs);
}

static void
got_cgreg(struct device *d, const struct at_reply *r)
{
	read_reg(d, r, "+CGREG", &d->st.ps);
}

static void
got_cereg(struct device *d, const struct at_reply *r)
{
	enum device_reg reg = DEVICE_REG_UNKNOWN;

	read_reg(d, r, "+CEREG", &reg);
	keep_ps(d, reg, true);
}

static void
got_csq(struct device *d, const struct at_reply *r)
{
	struct at_field f;
	int64_t rssi;

	if (r->nlines > 0 && at_field_start(&f, r->lines[0], "+CSQ") &&
	    at_field_int(&f, &rssi) == 0 && rssi >= 0 && rssi <= 99)
		d->st.rssi = rssi <= 31 ? (int)rssi : 99;
}

/* +COPS: mode[,format,"oper"[,act]] */
static void
got_cops(struct device *d, const struct at_reply *r)
{
	struct at_field f;
	char oper[sizeof(d->st.oper)];

	if (r->nlines == 0 || !at_field_start(&f, r->lines[0], "+COPS"))
		return;
	at_field_skip(&f);
	at_field_skip(&f);
	if (at_field_str(&f, oper, sizeof(oper)) == 0)
		str_safe(d->st.oper, sizeof(d->st.oper), oper, strlen(oper));
	else
		d->st.oper[0] = '\0';
}

/* ^SYSINFO: service,domain,roaming,mode,sim,... */
static void
got_sysinfo(struct device *d, const struct at_reply *r)
{
	struct at_field f;
	int64_t roaming;

	if (r->nlines == 0 || !at_field_start(&f, r->lines[0], "^SYSINFO"))
		return;
	at_field_skip(&f);
	at_field_skip(&f);
	if (at_field_int(&f, &roaming) == 0)
		d->st.roaming = d->st.roaming || roaming == 1;
}

/* Denied for long: the network may think better of it after a new start. */
static void
check_denied(struct device *d)
{
	bool denied = d->st.cs == DEVICE_REG_DENIED &&
	    !is_registered(d->st.ps);

	if (denied && !d->denied)
		d->denied_since = mono_now();
	d->denied = denied;
	if (!denied || mono_ms(d->denied_since, mono_now()) < DENIED_MS ||
	    d->st.lent)
		return;
	d->denied_since = mono_now();
	if (ladder_take(d->ladder, mono_now(), LADDER_CFUN) == 0)
		device_repair(d, LADDER_CFUN);
}

static void
on_registration(struct device *d)
{
	if (!device_serves(d))
		return;
	if (is_registered(d->st.cs) || is_registered(d->st.ps))
		device_change_state(d, DEVICE_READY, "%s",
		    is_registered(d->st.ps) ? "" : is_registered(d->st.cs) ?
		    "messages, but no data service" : "");
	else
		device_change_state(d, DEVICE_SEARCHING, "network: %s",
		    device_reg_text(d->st.cs));
}

static void
on_watched(struct device *d)
{
	device_changed(d);
	on_registration(d);
	timer_set(d->watch_timer, d->st.state == DEVICE_READY ? READY_MS :
	    SEARCHING_MS);
	check_denied(d);
}

void
device_watch(struct device *d)
{
	script_begin(d);
	script_add(d, &(struct step){ .text = "AT+CSQ", .prefix = "+CSQ:",
	    .got = got_csq });
	script_add(d, &(struct step){ .text = "AT+CREG?", .prefix = "+CREG:",
	    .mine = is_answer, .timeout_ms = 10000, .got = got_creg });
	script_add(d, &(struct step){ .text = "AT+CGREG?",
	    .prefix = "+CGREG:", .mine = is_answer, .timeout_ms = 10000,
	    .got = got_cgreg });
	if (d->st.quirk->lte)
		script_add(d, &(struct step){ .text = "AT+CEREG?",
		    .prefix = "+CEREG:", .mine = is_answer,
		    .timeout_ms = 10000, .got = got_cereg });
	script_add(d, &(struct step){ .text = "AT+COPS?", .prefix = "+COPS:",
	    .timeout_ms = 5000, .got = got_cops });
	if (d->st.quirk->sysinfo != NULL)
		script_add(d, &(struct step){ .text = d->st.quirk->sysinfo,
		    .prefix = "^SYSINFO:", .got = got_sysinfo });
	script_run(d, on_watched);
}

/* What is due depends on where we are. */
void
device_on_watch_timer(void *arg)
{
	struct device *d = arg;

	/* A sequence is under way: it sets the timer anew. */
	if (d->nscript > 0)
		return;
	switch (d->st.state) {
	case DEVICE_SEARCHING:
	case DEVICE_READY:
		device_watch(d);
		break;
	case DEVICE_BLOCKED:
	case DEVICE_SIM:
		device_ask_pin(d);
		break;
	case DEVICE_OFF:
	case DEVICE_ABSENT:
	case DEVICE_OPENING:
	case DEVICE_STARTING:
	case DEVICE_DEAF:
	case DEVICE_REPAIRING:
		break;
	}
}

void
device_on_well_timer(void *arg)
{
	struct device *d = arg;

	ladder_well(d->ladder);
	timer_set(d->well_timer, WELL_MS);
	/* Once an hour: perhaps both ports work again. */
	if (!d->one_of_two || ++d->well < WELL_HOUR || d->st.lent ||
	    d->dial_id != 0)
		return;
	d->well = 0;
	device_close(d);
	device_find(d);
}

void
device_refresh(struct device *d)
{
	if (device_serves(d))
		timer_set_sooner(d->watch_timer, 0);
}

static void
on_creg(void *arg, const char *line, const char *body)
{
	struct device *d = arg;
	enum device_reg reg;
	struct at_field f;
	bool cs = strncasecmp(line, "+CREG", 5) == 0;

	(void)body;
	at_field_text(&f, strchr(line, ':') + 1,
	    strlen(strchr(line, ':') + 1));
	if (!parse_reg(d, &f, &reg))
		return;
	if (cs)
		d->st.cs = reg;
	else
		keep_ps(d, reg, strncasecmp(line, "+CEREG", 6) == 0);
	device_changed(d);
	on_registration(d);
	if (device_serves(d))
		timer_set_sooner(d->watch_timer, SOON_MS);
}

static void
on_rssi(void *arg, const char *line, const char *body)
{
	struct device *d = arg;
	struct at_field f;
	int64_t rssi;

	(void)body;
	if (at_field_start(&f, line, "^RSSI") && at_field_int(&f, &rssi) == 0 &&
	    rssi >= 0 && rssi <= 99)
		d->st.rssi = rssi <= 31 ? (int)rssi : 99;
}

/* The service or its kind changed: some modems are deaf behind that. */
static void
on_service(void *arg, const char *line, const char *body)
{
	struct device *d = arg;

	(void)line;
	(void)body;
	if (device_serves(d))
		timer_set_sooner(d->watch_timer, SOON_MS);
}

/* ^SIMST: 1 is a valid SIM. */
static void
on_simst(void *arg, const char *line, const char *body)
{
	struct device *d = arg;
	struct at_field f;
	int64_t n;

	(void)body;
	if (at_field_start(&f, line, "^SIMST") && at_field_int(&f, &n) == 0 &&
	    n != 1 && device_serves(d))
		device_ask_sim(d);
}

void
device_subscribe(struct device *d)
{
	static const struct {
		const char *prefix;
		at_urc_fn *fn;
	} urcs[] = {
		{ "+CREG:", on_creg },
		{ "+CGREG:", on_creg },
		{ "+CEREG:", on_creg },
		{ "^RSSI:", on_rssi },
		{ "^SRVST:", on_service },
		{ "^MODE:", on_service },
		{ "^SIMST:", on_simst },
	};

	for (size_t i = 0; i < sizeof(urcs) / sizeof(urcs[0]); i++)
		at_urc_add(device_queue(d), urcs[i].prefix, urcs[i].fn, d);
}
