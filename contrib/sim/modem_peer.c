#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../server/base/mem.h"
#include "modem_hdlc.h"
#include "modem_peer.h"
#include "modem_portal.h"

#define LCP 0xc021
#define PAP 0xc023
#define IPCP 0x8021
#define IP 0x0021

#define CONF_REQ 1
#define CONF_ACK 2
#define CONF_NAK 3
#define CONF_REJ 4
#define TERM_REQ 5
#define TERM_ACK 6
#define PROTO_REJ 8
#define ECHO_REQ 9
#define ECHO_REPLY 10

#define PAP_NAK 3

#define HEAD 4			/* code, identifier, length */

struct peer {
	enum peer_manners manners;
	peer_output_fn *output;
	void *arg;
	struct hdlc in;
	bool acked_lcp, acked_ipcp;	/* what we asked for */
	bool ended;
	uint8_t id;
};

/* A control packet: one of LCP's, IPCP's, PAP's. */
struct packet {
	uint16_t protocol;
	uint8_t code, id;
	const uint8_t *p;
	size_t n;
};

/* A configure option of the client's, and what we would have it be. */
struct option {
	uint8_t type, length;
	const uint8_t *value;	/* NULL: whatever it is */
};

static const uint8_t magic[4] = { 0x6f, 0x6f, 0x62, 0x64 };
static const uint8_t our_addr[4] = { 10, 64, 64, 64 };
static const uint8_t its_addr[4] = { 10, 64, 64, 7 };
static const uint8_t dns1[4] = { 10, 64, 64, 53 };
static const uint8_t dns2[4] = { 10, 64, 64, 54 };
static const uint8_t no_addr[4] = { 0, 0, 0, 0 };
/* What Huawei's firmware says when the network said nothing. */
static const uint8_t fake1[4] = { 10, 11, 12, 13 };
static const uint8_t fake2[4] = { 10, 11, 12, 14 };

static const struct option lcp_options[] = {
	{ 1, 4, NULL },			/* MRU */
	{ 2, 6, NULL },			/* ACCM */
	{ 5, 6, NULL },			/* magic number */
	{ 0, 0, NULL },
};

static const struct option ipcp_options[] = {
	{ 3, 6, its_addr },
	{ 129, 6, dns1 },
	{ 131, 6, dns2 },
	{ 0, 0, NULL },
};

static const struct option stuck_options[] = {
	{ 3, 6, no_addr },
	{ 129, 6, fake1 },
	{ 131, 6, fake2 },
	{ 0, 0, NULL },
};

static void
say(struct peer *r, uint16_t protocol, uint8_t code, uint8_t id,
    const uint8_t *p, size_t n)
{
	uint8_t payload[HDLC_MAX], out[HDLC_WIRE];

	if (n > sizeof(payload) - 8 - HEAD)
		n = sizeof(payload) - 8 - HEAD;
	payload[0] = code;
	payload[1] = id;
	payload[2] = (uint8_t)((n + HEAD) >> 8);
	payload[3] = (uint8_t)(n + HEAD);
	if (n > 0)
		memcpy(payload + HEAD, p, n);
	r->output(r->arg, out, hdlc_make(out, protocol, payload, n + HEAD));
}

static void
ask_lcp(struct peer *r)
{
	static const uint8_t accm[6] = { 2, 6, 0, 0, 0, 0 };
	static const uint8_t pap[4] = { 3, 4, PAP >> 8, PAP & 0xff };
	uint8_t p[16];
	size_t n = 0;

	memcpy(p, accm, sizeof(accm));
	n += sizeof(accm);
	p[n++] = 5;
	p[n++] = 6;
	memcpy(p + n, magic, sizeof(magic));
	n += sizeof(magic);
	if (r->manners == PEER_REFUSE) {
		memcpy(p + n, pap, sizeof(pap));
		n += sizeof(pap);
	}
	say(r, LCP, CONF_REQ, ++r->id, p, n);
}

static void
ask_ipcp(struct peer *r)
{
	uint8_t p[6] = { 3, 6 };

	memcpy(p + 2, our_addr, 4);
	say(r, IPCP, CONF_REQ, ++r->id, p, sizeof(p));
}

static void
hang_up(struct peer *r)
{
	static const uint8_t why[] = "Authentication failed";

	say(r, LCP, TERM_REQ, ++r->id, why, sizeof(why) - 1);
	r->ended = true;
}

static const struct option *
find_option(const struct option *o, uint8_t type)
{
	while (o->type != 0 && o->type != type)
		o++;
	return o->type == 0 ? NULL : o;
}

/*
 * Answer a configure request: reject what we do not know; failing that
 * correct what is wrong; failing that agree.  True: agreed.
 */
static bool
negotiate(struct peer *r, const struct packet *k, const struct option *known,
    bool never)
{
	uint8_t rejected[HDLC_MAX], wrong[HDLC_MAX];
	size_t nrejected = 0, nwrong = 0, at = 0;

	while (at + 2 <= k->n) {
		const uint8_t *p = k->p + at;
		size_t n = p[1];
		const struct option *o = find_option(known, p[0]);

		if (n < 2 || at + n > k->n)
			return false;
		at += n;
		if (o == NULL || o->length != n) {
			memcpy(rejected + nrejected, p, n);
			nrejected += n;
		} else if (o->value != NULL &&
		    (never || memcmp(p + 2, o->value, n - 2) != 0)) {
			memcpy(wrong + nwrong, p, 2);
			memcpy(wrong + nwrong + 2, o->value, n - 2);
			nwrong += n;
		}
	}
	if (nrejected > 0)
		say(r, k->protocol, CONF_REJ, k->id, rejected, nrejected);
	else if (nwrong > 0)
		say(r, k->protocol, CONF_NAK, k->id, wrong, nwrong);
	else
		say(r, k->protocol, CONF_ACK, k->id, k->p, k->n);
	return nrejected == 0 && nwrong == 0;
}

static void
on_lcp(struct peer *r, const struct packet *k)
{
	uint8_t echo[64];

	switch (k->code) {
	case CONF_REQ:
		negotiate(r, k, lcp_options, false);
		if (!r->acked_lcp)
			ask_lcp(r);
		break;
	case CONF_ACK:
		r->acked_lcp = true;
		break;
	case CONF_NAK:
	case CONF_REJ:
		/* There is nothing that could be left out but the password. */
		if (r->manners == PEER_REFUSE)
			hang_up(r);
		break;
	case TERM_REQ:
		say(r, LCP, TERM_ACK, k->id, NULL, 0);
		r->ended = true;
		break;
	case ECHO_REQ:
		memcpy(echo, magic, sizeof(magic));
		if (k->n < 4 || k->n > sizeof(echo))
			break;
		memcpy(echo + 4, k->p + 4, k->n - 4);
		say(r, LCP, ECHO_REPLY, k->id, echo, k->n);
		break;
	}
}

static void
on_pap(struct peer *r, const struct packet *k)
{
	static const uint8_t no[] = "\017no such account";

	if (k->code != 1)
		return;
	say(r, PAP, PAP_NAK, k->id, no, sizeof(no) - 1);
	hang_up(r);
}

static void
on_ipcp(struct peer *r, const struct packet *k)
{
	bool stuck = r->manners == PEER_STUCK;

	switch (k->code) {
	case CONF_REQ:
		negotiate(r, k, stuck ? stuck_options : ipcp_options, stuck);
		if (!r->acked_ipcp)
			ask_ipcp(r);
		break;
	case CONF_ACK:
		r->acked_ipcp = true;
		break;
	case TERM_REQ:
		say(r, IPCP, TERM_ACK, k->id, NULL, 0);
		break;
	}
}

static void
on_ip(struct peer *r, const uint8_t *p, size_t n)
{
	uint8_t answer[PORTAL_PACKET], out[HDLC_WIRE];
	size_t size;

	if (r->manners != PEER_PORTAL)
		return;
	size = portal_answer(p, n, answer);
	if (size > 0)
		r->output(r->arg, out, hdlc_make(out, IP, answer, size));
}

/* A control packet is at p; false when it is none. */
static bool
parse(struct packet *k, uint16_t protocol, const uint8_t *p, size_t n)
{
	size_t length;

	if (n < HEAD)
		return false;
	length = (size_t)p[2] << 8 | p[3];
	if (length < HEAD || length > n)
		return false;
	k->protocol = protocol;
	k->code = p[0];
	k->id = p[1];
	k->p = p + HEAD;
	k->n = length - HEAD;
	return true;
}

static void
on_frame(struct peer *r, const uint8_t *p, size_t n)
{
	const uint8_t *all;
	struct packet k;
	uint16_t protocol;

	if (n >= 2 && p[0] == 0xff && p[1] == 0x03) {
		p += 2;
		n -= 2;
	}
	all = p;
	if (n < 2)
		return;
	protocol = (uint16_t)(p[0] << 8 | p[1]);
	if (protocol == IP) {
		on_ip(r, p + 2, n - 2);
		return;
	}
	if (!parse(&k, protocol, p + 2, n - 2))
		return;
	if (protocol == LCP)
		on_lcp(r, &k);
	else if (protocol == PAP && r->manners == PEER_REFUSE)
		on_pap(r, &k);
	else if (protocol == IPCP && r->manners != PEER_REFUSE)
		on_ipcp(r, &k);
	else
		say(r, LCP, PROTO_REJ, ++r->id, all, n);
}

int
peer_input(struct peer *r, const uint8_t *p, size_t n)
{
	const uint8_t *frame;
	size_t size;

	for (size_t i = 0; i < n && !r->ended; i++) {
		if (hdlc_take(&r->in, p[i], &frame, &size))
			on_frame(r, frame, size);
	}
	return r->ended ? -1 : 0;
}

struct peer *
peer_new(enum peer_manners manners, peer_output_fn *output, void *arg)
{
	struct peer *r = xcalloc(1, sizeof(*r));

	r->manners = manners;
	r->output = output;
	r->arg = arg;
	return r;
}

void
peer_free(struct peer *r)
{
	free(r);
}
