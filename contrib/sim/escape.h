/*
 * escape: text with \n \e \xNN in it, to bytes.  Pure.
 */
#ifndef SIM_ESCAPE_H
#define SIM_ESCAPE_H

#include <sys/types.h>

#define ESCAPE_HELP "after a backslash: n r t a b e \\ or xNN (lower case)"

/*
 * At most size bytes into dst; what does not fit is left out.  Their number,
 * or -1 when a backslash is not followed by what ESCAPE_HELP says.
 */
ssize_t escape_bytes(char *dst, size_t size, const char *text);

#endif
