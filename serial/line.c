#include <stdio.h>
#include <string.h>

#include "../server/base/str.h"
#include "line.h"

#define SPEED_MAX 100000000

static const char parities[] = {
	[LINE_PARITY_NONE] = 'N',
	[LINE_PARITY_ODD] = 'O',
	[LINE_PARITY_EVEN] = 'E',
};

static const char *const flows[] = {
	[LINE_FLOW_NONE] = "none",
	[LINE_FLOW_RTSCTS] = "rtscts",
	[LINE_FLOW_XONXOFF] = "xonxoff",
};

void
line_default(struct line *l)
{
	*l = (struct line){ .speed = 57600, .data_bits = 8, .stop_bits = 1,
	    .parity = LINE_PARITY_NONE, .flow = LINE_FLOW_NONE };
}

int
line_parse_speed(struct line *l, const char *s)
{
	int64_t v;

	if (str_int(s, 1, SPEED_MAX, &v) == -1)
		return -1;
	l->speed = (uint32_t)v;
	return 0;
}

int
line_parse_mode(struct line *l, const char *s)
{
	char letter;
	int p;

	if (strlen(s) != 3 || s[0] < '5' || s[0] > '8' ||
	    (s[2] != '1' && s[2] != '2'))
		return -1;
	letter = s[1] >= 'a' && s[1] <= 'z' ? (char)(s[1] - 'a' + 'A') : s[1];
	for (p = 0; p <= LINE_PARITY_EVEN; p++) {
		if (parities[p] == letter)
			break;
	}
	if (p > LINE_PARITY_EVEN)
		return -1;
	l->data_bits = (uint8_t)(s[0] - '0');
	l->parity = (enum line_parity)p;
	l->stop_bits = (uint8_t)(s[2] - '0');
	return 0;
}

int
line_parse_flow(struct line *l, const char *s)
{
	for (int f = 0; f <= LINE_FLOW_XONXOFF; f++) {
		if (strcmp(s, flows[f]) == 0) {
			l->flow = (enum line_flow)f;
			return 0;
		}
	}
	return -1;
}

char *
line_mode_text(char dst[LINE_TEXT], const struct line *l)
{
	snprintf(dst, LINE_TEXT, "%u%c%u", l->data_bits, parities[l->parity],
	    l->stop_bits);
	return dst;
}

const char *
line_flow_text(const struct line *l)
{
	return flows[l->flow];
}

char *
line_text(char dst[LINE_TEXT], const struct line *l)
{
	char mode[LINE_TEXT];

	line_mode_text(mode, l);
	snprintf(dst, LINE_TEXT, "%lu %.8s %s", (unsigned long)l->speed, mode,
	    line_flow_text(l));
	return dst;
}

uint32_t
line_rate(const struct line *l)
{
	uint32_t bits = 1u + l->data_bits + l->stop_bits;
	uint32_t rate;

	if (l->parity != LINE_PARITY_NONE)
		bits++;
	rate = l->speed / bits;
	return rate == 0 ? 1 : rate;
}

bool
line_equal(const struct line *a, const struct line *b)
{
	return a->speed == b->speed && a->data_bits == b->data_bits &&
	    a->stop_bits == b->stop_bits && a->parity == b->parity &&
	    a->flow == b->flow;
}
