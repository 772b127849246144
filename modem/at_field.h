/*
 * at_field: the fields of one information line, "+CMGL: 1,0,,24".  Pure, and
 * forgiving where modems are known to be careless: blanks anywhere, missing
 * quotes, numbers in quotes.
 *
 *	if (at_field_start(&f, line, "+CSQ") && at_field_int(&f, &rssi) == 0)
 */
#ifndef MODEM_AT_FIELD_H
#define MODEM_AT_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct at_field {
	const char *p;		/* next unread, NULL: there is no more */
	const char *end;
};

/*
 * Begin with the fields of line after prefix and its colon (the prefix may be
 * given with or without one; case does not matter; the line may lack the
 * blank).  False when the line begins otherwise.  line must stay.
 */
bool at_field_start(struct at_field *, const char *line, const char *prefix);

/* Begin with bare text: a list without prefix. */
void at_field_text(struct at_field *, const char *, size_t);

/* Is there a further field (it may be empty)? */
bool at_field_more(const struct at_field *);

/*
 * The next field: 0, 1 when it is there but empty, -1 when there is none, it
 * is not of that kind, or does not fit.  It is used up in any case; what is
 * returned through pointers is set only with 0.
 */
/* Decimal, with sign, quoted or not. */
int at_field_int(struct at_field *, int64_t *);
/* Hexadecimal; blanks and odd quotes inside do not matter. */
int at_field_hex(struct at_field *, uint32_t *);
/* Without its quotes; parentheses protect commas and stay. */
int at_field_str(struct at_field *, char *dst, size_t);
int at_field_skip(struct at_field *);

/*
 * A list in parentheses, "(\"ME\",\"SM\"),(...)": list is begun inside the
 * next pair; at_field_list moves this one behind it.
 */
int at_field_list(struct at_field *, struct at_field *list);

#endif
