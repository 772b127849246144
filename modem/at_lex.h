/*
 * at_lex: what a modem sends, cut into lines and prompts.  Pure: bytes in,
 * tokens out.  Memory is bounded: one line of AT_LINE_MAX bytes.
 *
 * Lax, the way for real modems: any of CR, LF, CR LF, CR CR LF ends a line;
 * NULs and other control bytes vanish; ">" at the beginning of a line is the
 * prompt once one is expected.  Strict, to tell what a modem does wrong:
 * lines end in CR LF (an echoed command in CR), hold printable ASCII only,
 * and the prompt is "> "; all else comes as AT_JUNK.
 */
#ifndef MODEM_AT_LEX_H
#define MODEM_AT_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AT_LINE_MAX 1024	/* a PDU of 176 octets is 352 digits */

struct at_lex;

enum at_lex_mode {
	AT_LAX,
	AT_STRICT,
};

enum at_token_kind {
	AT_NONE,	/* all bytes taken, no token yet */
	AT_LINE,	/* text, never empty */
	AT_PROMPT,	/* "> " */
	AT_LONG,	/* a line beyond AT_LINE_MAX; text is its beginning */
	AT_JUNK,	/* strict only: ill-formed; text is what there was */
};

struct at_token {
	enum at_token_kind kind;
	const char *text;	/* NUL-terminated; valid until the next call */
	size_t len;
	bool hex;		/* pairs of hexadecimal digits, nothing else */
};

struct at_lex *at_lex_new(enum at_lex_mode);	/* never NULL */
void at_lex_free(struct at_lex *);		/* NULL is fine */

/* Forget the line begun and the prompt expected. */
void at_lex_reset(struct at_lex *);

/* A prompt may come now (or no longer). */
void at_lex_expect_prompt(struct at_lex *, bool);

/*
 * Take bytes up to the end of one token; how many is returned.  It stops
 * directly behind a line's CR (lax), so that what follows "CONNECT" is left.
 * Call again with the rest until it gives AT_NONE.
 */
size_t at_lex_next(struct at_lex *, const uint8_t *, size_t,
    struct at_token *);

#endif
