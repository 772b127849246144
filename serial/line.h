/*
 * line: the settings of a serial line, as text and as fields.  Pure.
 */
#ifndef SERIAL_LINE_H
#define SERIAL_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum line_parity {
	LINE_PARITY_NONE,
	LINE_PARITY_ODD,
	LINE_PARITY_EVEN,
};

enum line_flow {
	LINE_FLOW_NONE,
	LINE_FLOW_RTSCTS,
	LINE_FLOW_XONXOFF,
};

struct line {
	uint32_t speed;			/* bit/s, any */
	uint8_t data_bits;		/* 5 to 8 */
	uint8_t stop_bits;		/* 1 or 2 */
	enum line_parity parity;
	enum line_flow flow;
};

/* 57600 8N1, flow none. */
void line_default(struct line *);

/* "57600", "8N1" (also "7e1"), "none|rtscts|xonxoff".  0 or -1. */
int line_parse_speed(struct line *, const char *);
int line_parse_mode(struct line *, const char *);
int line_parse_flow(struct line *, const char *);

bool line_equal(const struct line *, const struct line *);

/* "57600 8N1 none", always terminated.  Returns dst. */
#define LINE_TEXT 40
char *line_text(char dst[LINE_TEXT], const struct line *);
char *line_mode_text(char dst[LINE_TEXT], const struct line *);
const char *line_flow_text(const struct line *);

/*
 * Bytes per second the line can carry at most, counting start, parity and
 * stop bits; at least 1.
 */
uint32_t line_rate(const struct line *);

#endif
