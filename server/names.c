#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "names.h"

#define LINE_BYTES 2048		/* a longer line is passed over */

struct reading {
	char text[LINE_BYTES];
	size_t n;
	bool cut;		/* we are in a line that is too long */
};

/* "name:password:uid:...".  Is it this user's?  Then dst is his name. */
static bool
take_line(char dst[NAMES_NAME], char *line, uid_t uid)
{
	char *rest = line, *name = strsep(&rest, ":"), *number;
	int64_t v;

	if (strsep(&rest, ":") == NULL)
		return false;
	number = strsep(&rest, ":");
	if (number == NULL || str_int(number, 0, UINT32_MAX, &v) == -1 ||
	    (uid_t)v != uid || *name == '\0')
		return false;
	snprintf(dst, NAMES_NAME, "%s", name);
	return true;
}

/* Take the lines that are whole.  True: one was his. */
static bool
take_lines(char dst[NAMES_NAME], struct reading *r, uid_t uid)
{
	char *line = r->text, *end;
	bool found = false;

	while (!found && (end = memchr(line, '\n', r->n)) != NULL) {
		*end = '\0';
		r->n -= (size_t)(end + 1 - line);
		found = !r->cut && take_line(dst, line, uid);
		r->cut = false;
		line = end + 1;
	}
	memmove(r->text, line, r->n);
	if (r->n == sizeof(r->text)) {
		r->cut = true;
		r->n = 0;
	}
	return found;
}

static bool
look(char dst[NAMES_NAME], int fd, uid_t uid)
{
	struct reading r = { .n = 0 };
	ssize_t got;

	while ((got = read(fd, r.text + r.n, sizeof(r.text) - r.n)) != 0) {
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return false;
		r.n += (size_t)got;
		if (take_lines(dst, &r, uid))
			return true;
	}
	r.text[r.n++] = '\n';	/* the last line may have none */
	return take_lines(dst, &r, uid);
}

char *
names_user(char dst[NAMES_NAME], const char *file, uid_t uid)
{
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1 || !look(dst, fd, uid))
		snprintf(dst, NAMES_NAME, "uid%u", (unsigned)uid);
	if (fd != -1)
		close(fd);
	return dst;
}
