#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../server/base/mem.h"
#include "modem_card.h"

#define CODE 16

struct card {
	char pin[CODE], puk[CODE];
	bool asks, unlocked, out, busy;
	unsigned tries, puk_tries;
};

static const struct {
	const char *text;
	int error;
} states[] = {
	[CARD_READY] = { "READY", 0 },
	[CARD_PIN] = { "SIM PIN", 11 },
	[CARD_PUK] = { "SIM PUK", 12 },
	[CARD_BLOCKED] = { NULL, 15 },
	[CARD_BUSY] = { NULL, 14 },
	[CARD_OUT] = { NULL, 10 },
};

static void
set_code(char dst[CODE], const char *code)
{
	snprintf(dst, CODE, "%s", code);
}

struct card *
card_new(const char *pin, const char *puk)
{
	struct card *c = xcalloc(1, sizeof(*c));

	set_code(c->puk, puk);
	card_set(c, pin);
	card_power(c);
	return c;
}

void
card_free(struct card *c)
{
	free(c);
}

enum card_state
card_state(const struct card *c)
{
	if (c->out)
		return CARD_OUT;
	if (c->busy)
		return CARD_BUSY;
	if (c->puk_tries == 0)
		return CARD_BLOCKED;
	if (c->tries == 0)
		return CARD_PUK;
	return c->unlocked ? CARD_READY : CARD_PIN;
}

const char *
card_state_text(const struct card *c)
{
	return states[card_state(c)].text;
}

int
card_error(const struct card *c)
{
	return states[card_state(c)].error;
}

unsigned
card_tries(const struct card *c)
{
	return c->tries;
}

unsigned
card_puk_tries(const struct card *c)
{
	return c->puk_tries;
}

void
card_set_tries(struct card *c, unsigned pin, unsigned puk)
{
	c->tries = pin;
	c->puk_tries = puk;
	if (pin == 0 || puk == 0)
		c->unlocked = false;
}

/* Compare, and count. */
static int
check_pin(struct card *c, const char *pin)
{
	if (c->tries == 0)
		return -1;
	if (strcmp(c->pin, pin) != 0) {
		if (--c->tries == 0)
			c->unlocked = false;
		return -1;
	}
	c->tries = CARD_TRIES;
	return 0;
}

int
card_unlock(struct card *c, const char *pin)
{
	if (check_pin(c, pin) == -1)
		return -1;
	c->unlocked = true;
	return 0;
}

int
card_unblock(struct card *c, const char *puk, const char *new_pin)
{
	if (c->puk_tries == 0)
		return -1;
	if (strcmp(c->puk, puk) != 0) {
		c->puk_tries--;
		return -1;
	}
	card_set(c, new_pin);
	return 0;
}

int
card_change(struct card *c, const char *pin, const char *new_pin)
{
	if (check_pin(c, pin) == -1)
		return -1;
	set_code(c->pin, new_pin);
	return 0;
}

int
card_ask(struct card *c, const char *pin, bool ask)
{
	if (check_pin(c, pin) == -1)
		return -1;
	c->asks = ask;
	c->unlocked = true;
	return 0;
}

bool
card_asks(const struct card *c)
{
	return c->asks;
}

void
card_set(struct card *c, const char *pin)
{
	c->asks = pin != NULL;
	set_code(c->pin, pin == NULL ? "0000" : pin);
	c->tries = CARD_TRIES;
	c->puk_tries = CARD_PUK_TRIES;
	c->unlocked = true;
}

void
card_insert(struct card *c, bool in)
{
	c->out = !in;
	card_power(c);
}

void
card_busy(struct card *c, bool busy)
{
	c->busy = busy;
}

void
card_power(struct card *c)
{
	c->unlocked = !c->asks && c->tries > 0 && c->puk_tries > 0;
}
