#include <string.h>

#include "../server/base/str.h"
#include "device_internal.h"

/* The value in the first line of an answer that may repeat the command. */
static void
keep_text(const struct at_reply *r, char *dst, size_t size)
{
	const char *p;
	size_t n;

	if (r->result != AT_OK || r->nlines == 0)
		return;
	p = r->lines[0];
	if (p[0] == '+' && strchr(p, ':') != NULL)
		p = strchr(p, ':') + 1;
	p += strspn(p, " \"");
	n = strlen(p);
	while (n > 0 && (p[n - 1] == '"' || p[n - 1] == ' '))
		n--;
	/* It goes into logs and onto terminals. */
	str_safe(dst, size, p, n);
}

static void
got_maker(struct device *d, const struct at_reply *r)
{
	keep_text(r, d->st.maker, sizeof(d->st.maker));
}

static void
got_model(struct device *d, const struct at_reply *r)
{
	keep_text(r, d->st.model, sizeof(d->st.model));
}

static void
got_firmware(struct device *d, const struct at_reply *r)
{
	keep_text(r, d->st.firmware, sizeof(d->st.firmware));
}

static void
got_imei(struct device *d, const struct at_reply *r)
{
	keep_text(r, d->st.imei, sizeof(d->st.imei));
}

static void
got_imsi(struct device *d, const struct at_reply *r)
{
	keep_text(r, d->st.imsi, sizeof(d->st.imsi));
}

/* Who it is decides what it is told. */
static void
on_identified(struct device *d)
{
	d->st.quirk = quirk_find(d->st.maker);
	script_begin(d);
	script_add_list(d, d->st.two_ports ? d->st.quirk->init_two :
	    d->st.quirk->init_one);
	script_run(d, device_ask_sim);
}

void
device_identify(struct device *d)
{
	static const struct step steps[] = {
		{ .text = "ATE0V1Q0" },
		{ .text = "AT+CMEE=1" },
		{ .text = "AT+CGMI", .prefix = "", .patient = true,
		    .got = got_maker },
		{ .text = "AT+CGMM", .prefix = "", .got = got_model },
		{ .text = "AT+CGMR", .prefix = "", .got = got_firmware },
		{ .text = "AT+CGSN", .prefix = "", .got = got_imei },
	};

	/* It may be another modem, or another SIM. */
	d->st.maker[0] = d->st.model[0] = d->st.firmware[0] = '\0';
	d->st.imei[0] = d->st.imsi[0] = d->st.iccid[0] = '\0';
	d->pin_sent = false;
	device_change_state(d, DEVICE_STARTING, "%s", "");
	script_begin(d);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		script_add(d, &steps[i]);
	script_run(d, on_identified);
}

static void
on_set_up(struct device *d)
{
	device_change_state(d, DEVICE_SEARCHING, "%s", "");
	device_watch(d);
}

void
device_set_up(struct device *d)
{
	static const char *const registration[] = { "AT+CREG=2",
	    "AT+CGREG=2", NULL };
	static const char *const lte[] = { "AT+CEREG=2", NULL };

	script_begin(d);
	script_add(d, &(struct step){ .text = "AT+CIMI", .prefix = "",
	    .patient = true, .got = got_imsi });
	script_add_list(d, registration);
	if (d->st.quirk->lte)
		script_add_list(d, lte);
	script_add(d, &(struct step){ .text = "AT+COPS=3,2",
	    .timeout_ms = 5000 });
	/* PDU mode: in text mode a message could forge result codes. */
	script_add(d, &(struct step){ .text = "AT+CMGF=0", .patient = true });
	script_run(d, on_set_up);
}
