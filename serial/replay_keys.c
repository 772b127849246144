#include "replay_keys.h"

static const struct {
	char c;
	enum replay_key key;
} plain[] = {
	{ 'q', REPLAY_KEY_QUIT }, { 3, REPLAY_KEY_QUIT },
	{ ' ', REPLAY_KEY_PAUSE }, { '.', REPLAY_KEY_STEP },
	{ 's', REPLAY_KEY_STEP }, { '+', REPLAY_KEY_FASTER },
	{ '=', REPLAY_KEY_FASTER }, { '-', REPLAY_KEY_SLOWER },
	{ '{', REPLAY_KEY_BACK_FAR }, { '}', REPLAY_KEY_FORWARD_FAR },
	{ 'n', REPLAY_KEY_NEXT }, { 'p', REPLAY_KEY_PREVIOUS },
	{ '/', REPLAY_KEY_SEARCH }, { '?', REPLAY_KEY_SEARCH_BACK },
	{ 'N', REPLAY_KEY_AGAIN }, { 'g', REPLAY_KEY_GO },
	{ 'h', REPLAY_KEY_HELP },
};

/* After ESC [ or ESC O. */
static const struct {
	char c;
	enum replay_key key;
} arrows[] = {
	{ 'A', REPLAY_KEY_FORWARD_FAR }, { 'B', REPLAY_KEY_BACK_FAR },
	{ 'C', REPLAY_KEY_FORWARD }, { 'D', REPLAY_KEY_BACK },
};

const char *
replay_keys_help(void)
{
	return "Keys of a replay\n\n"
	    "  space      pause, go on\n"
	    "  . or s     one step, then pause\n"
	    "  + -        twice as fast, half as fast\n"
	    "  left right 10 seconds back, on\n"
	    "  down up    1 minute back, on (also { and })\n"
	    "  n p        next event, the one before\n"
	    "  / ?        search on, search back (extended expression)\n"
	    "  N          search again\n"
	    "  g          go to a time: 02:10, -5min, 2026-11-22T02:10:00Z\n"
	    "  h          this page\n"
	    "  q          end\n\n"
	    "Any key goes on.\n";
}

void
replay_keys_ask(struct replay_keys *k)
{
	k->asking = true;
	k->n = 0;
	k->line[0] = '\0';
}

/* A byte of a line. */
static enum replay_key
line_byte(struct replay_keys *k, int c)
{
	if (c == '\r' || c == '\n') {
		k->asking = false;
		return k->n > 0 ? REPLAY_KEY_LINE : REPLAY_KEY_CANCEL;
	}
	if (c == 3 || c == 0x1b) {
		k->asking = false;
		return REPLAY_KEY_CANCEL;
	}
	if ((c == 0x7f || c == '\b') && k->n > 0) {
		/* A whole character. */
		while (k->n > 1 && (k->line[k->n - 1] & 0xc0) == 0x80)
			k->n--;
		k->n--;
	} else if (c == 0x15) {
		k->n = 0;
	} else if (c >= 0x20 && c != 0x7f && k->n + 1 < REPLAY_LINE) {
		k->line[k->n++] = (char)c;
	}
	k->line[k->n] = '\0';
	return REPLAY_KEY_NONE;
}

enum replay_key
replay_keys_byte(struct replay_keys *k, int c)
{
	if (k->asking)
		return line_byte(k, c);
	if (k->escape == 1 && (c == '[' || c == 'O')) {
		k->escape = 2;
		return REPLAY_KEY_NONE;
	}
	if (k->escape == 2) {
		/* "ESC [ 1 ; 5 C" with a modifier, too. */
		if (c >= 0x20 && c < 0x40)
			return REPLAY_KEY_NONE;
		k->escape = 0;
		for (size_t i = 0; i < sizeof(arrows) / sizeof(arrows[0]); i++) {
			if (arrows[i].c == c)
				return arrows[i].key;
		}
		return REPLAY_KEY_NONE;
	}
	k->escape = c == 0x1b ? 1 : 0;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (plain[i].c == c)
			return plain[i].key;
	}
	return REPLAY_KEY_NONE;
}
