#include <stdio.h>
#include <string.h>

#include "keys.h"

struct entry {
	uint8_t byte;
	enum keys_does does;
	struct keys_help help;	/* key NULL: an alias, not shown */
};

static const struct entry entries[] = {
	{ '.', KEYS_LEAVE, { ".", "leave",
	    "Leave: end the session, the console goes on." } },
	{ '?', KEYS_HELP, { "?", "this help", "Show this list." } },
	{ 'h', KEYS_HELP, { NULL, NULL, NULL } },
	{ 'a', KEYS_ASK, { "a", "ask for the pen",
	    "Ask for the pen, which one needs to type: at once when it is "
	    "free or with another session of yours, else when its holder "
	    "gives it up, first come first served.  Also ends watching." } },
	{ 'f', KEYS_TAKE, { "f", "take the pen by force",
	    "Take the pen from whoever has it; both are told." } },
	{ 's', KEYS_WATCH, { "s", "watch only",
	    "Give up the pen, and watch from now on." } },
	{ 'w', KEYS_WHO, { "w", "who is attached",
	    "Show who is attached, since when, how long idle, and who has the "
	    "pen." } },
	{ 'r', KEYS_RECENT, { "r", "show the last 20 lines",
	    "Show the last 20 lines of the record; live output follows where "
	    "it stopped." } },
	{ 'p', KEYS_RECENT_MORE, { "p", "show the last 60 lines",
	    "The same, 60 lines." } },
	{ 'b', KEYS_BREAK, { "b", "send a BREAK",
	    "Send a BREAK on the line." } },
	{ 'n', KEYS_NOTE, { "n", "write a note into the journal",
	    "Enter one line of text for the journal.  Enter ends it, Esc "
	    "cancels; output waits meanwhile." } },
	{ ';', KEYS_SWITCH, { ";", "go to another console",
	    "Show the menu, and go to another console without connecting "
	    "anew." } },
	{ 'i', KEYS_INFO, { "i", "line settings and counters",
	    "Show the line's settings, state and error counters." } },
	{ 'L', KEYS_RECORD, { "L", "stop or resume recording typed input",
	    "Stop, or resume, the recording of what is typed here; only where "
	    "the console records input at all." } },
};

#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

/* Those that the table cannot hold: two letters, or the lead-in itself. */
static const struct keys_help more_help[] = {
	{ "l0", "send a BREAK", "As b: the keys that conserver users know." },
	{ "^E", "the lead-in itself",
	    "Send the lead-in byte to the line." },
};

void
keys_init(struct keys *k, int lead)
{
	k->lead = lead;
	k->state = KEYS_PLAIN;
}

size_t
keys_plain(const struct keys *k, const void *p, size_t n)
{
	const uint8_t *at;

	if (k->state != KEYS_PLAIN)
		return 0;
	if (k->lead == KEYS_OFF || n == 0)
		return n;
	at = memchr(p, k->lead, n);
	return at == NULL ? n : (size_t)(at - (const uint8_t *)p);
}

bool
keys_pending(const struct keys *k)
{
	return k->state != KEYS_PLAIN;
}

size_t
keys_flush(struct keys *k, uint8_t out[KEYS_HELD_MAX])
{
	size_t n = (size_t)k->state;	/* each state holds one byte more */

	out[0] = (uint8_t)k->lead;
	out[1] = 'c';
	out[2] = 'l';
	k->state = KEYS_PLAIN;
	return n;
}

static enum keys_does
ready_byte(struct keys *k, uint8_t c, uint8_t out[KEYS_HELD_MAX], size_t *nout)
{
	if (c == 'l') {
		k->state = KEYS_BREAK_NUMBER;
		return KEYS_NOTHING;
	}
	k->state = KEYS_PLAIN;
	if (c == k->lead) {
		out[(*nout)++] = c;
		return KEYS_LITERAL;
	}
	for (size_t i = 0; i < ENTRIES; i++) {
		if (entries[i].byte == c)
			return entries[i].does;
	}
	return KEYS_UNKNOWN;
}

enum keys_does
keys_byte(struct keys *k, uint8_t c, uint8_t out[KEYS_HELD_MAX], size_t *nout)
{
	*nout = 0;
	switch (k->state) {
	case KEYS_PLAIN:
		if (c == k->lead) {
			k->state = KEYS_LED;
			return KEYS_NOTHING;
		}
		out[(*nout)++] = c;
		return KEYS_NOTHING;
	case KEYS_LED:
		if (c == 'c') {
			k->state = KEYS_READY;
			return KEYS_NOTHING;
		}
		/* Two lead-ins: the second may begin an escape. */
		out[(*nout)++] = (uint8_t)k->lead;
		if (c == k->lead)
			return KEYS_NOTHING;
		k->state = KEYS_PLAIN;
		out[(*nout)++] = c;
		return KEYS_NOTHING;
	case KEYS_READY:
		return ready_byte(k, c, out, nout);
	case KEYS_BREAK_NUMBER:
		k->state = KEYS_PLAIN;
		return c == '0' ? KEYS_BREAK : KEYS_UNKNOWN;
	}
	return KEYS_NOTHING;
}

char *
keys_text(char dst[KEYS_TEXT], int lead)
{
	if (lead == KEYS_OFF)
		dst[0] = '\0';
	else if (lead < 0x20 || lead == 0x7f)
		snprintf(dst, KEYS_TEXT, "^%cc", (lead ^ 0x40) & 0x7f);
	else
		snprintf(dst, KEYS_TEXT, "%cc", lead & 0x7f);
	return dst;
}

int
keys_parse_lead(const char *s, int *lead)
{
	if (strcmp(s, "off") == 0) {
		*lead = KEYS_OFF;
		return 0;
	}
	if (s[0] == '^' && s[1] != '\0' && s[2] == '\0') {
		char c = s[1];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (c < '@' || c > '_' || c == '@')
			return -1;
		*lead = c ^ 0x40;
		return 0;
	}
	if (s[0] > 0 && s[0] < 0x20 && s[1] == '\0') {
		*lead = (uint8_t)s[0];
		return 0;
	}
	return -1;
}

bool
keys_help_at(size_t i, struct keys_help *h)
{
	for (size_t e = 0; e < ENTRIES; e++) {
		if (entries[e].help.key != NULL && i-- == 0) {
			*h = entries[e].help;
			return true;
		}
	}
	if (i >= sizeof(more_help) / sizeof(more_help[0]))
		return false;
	*h = more_help[i];
	return true;
}
