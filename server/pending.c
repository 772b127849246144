#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "pending.h"

static char *
path_of(const char *state_dir)
{
	return xasprintf("%s/witness/pending", state_dir);
}

int
pending_add(const char *state_dir, const char *text)
{
	char *path = path_of(state_dir), line[PENDING_LINE + 1];
	struct stat st;
	int fd, r = -1;

	*strrchr(path, '/') = '\0';
	(void)dir_make(path, 0700);
	path[strlen(path)] = '/';
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	free(path);
	if (fd == -1)
		return -1;
	snprintf(line, sizeof(line), "%.*s\n", PENDING_LINE - 2, text);
	if (fstat(fd, &st) == 0 && st.st_size +
	    (off_t)strlen(line) <= PENDING_MAX)
		r = fd_write_all(fd, line, strlen(line));
	else
		errno = EFBIG;
	close(fd);
	return r;
}

void
pending_take(const char *state_dir, void (*fn)(void *, const char *),
    void *arg)
{
	char *path = path_of(state_dir), *text, *line, *rest;
	char safe[PENDING_LINE];

	text = file_read(path, PENDING_MAX, NULL);
	if (text == NULL && errno != ENOENT)
		log_errno("%s", path);
	for (line = text; line != NULL && *line != '\0'; line = rest) {
		rest = strchr(line, '\n');
		if (rest == NULL)
			break;
		*rest++ = '\0';
		/* Its first word is one of ours, whoever wrote it. */
		if (strncmp(line, "credentials ", 12) == 0)
			fn(arg, str_safe(safe, sizeof(safe), line,
			    strlen(line)));
	}
	if (text != NULL && folder_unlink(path) == -1)
		log_errno("%s", path);
	free(text);
	free(path);
}
