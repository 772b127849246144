/*
 * qr: a QR code for a terminal, two modules to a character (half blocks in
 * UTF-8), light ones drawn, with the quiet zone that readers need.
 */
#ifndef SERVER_QR_H
#define SERVER_QR_H

#include <stdbool.h>

/*
 * Lines of text.  colour: white on black whatever the terminal has (ECMA-48),
 * else it is readable where the background is dark.  NULL: text is too long.
 * The caller wipes and frees.
 */
char *qr_text(const char *text, bool colour);

#endif
