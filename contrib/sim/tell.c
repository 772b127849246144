#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../server/base/fileio.h"
#include "tell.h"

#define LINE_BYTES 4096

/* Connected, or -1 with errno. */
static int
connect_to(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, saved;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* The words with blanks between and a newline.  Its length, 0: too long. */
static size_t
join(char *line, size_t size, int argc, char **argv)
{
	size_t n = 0;

	for (int i = 0; i < argc; i++) {
		size_t len = strlen(argv[i]);

		if (n + len + 1 > size)
			return 0;
		memcpy(line + n, argv[i], len);
		n += len;
		line[n++] = i + 1 < argc ? ' ' : '\n';
	}
	return n;
}

/* One line of an answer; its length, 0 when none came. */
static size_t
answer(int fd, char *line, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && memchr(line, '\n', len) == NULL) {
		n = read(fd, line + len, size - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	return len;
}

int
tell_main(int argc, char **argv)
{
	char line[LINE_BYTES];
	size_t n;
	int fd;

	if (argc < 3 || argv[1][0] == '-') {
		fprintf(stderr, "usage: oobsim tell SOCKET ORDER [WORD ...]\n"
		    "SOCKET is what oobsim router got as --control; see "
		    "oobsim router --help\n");
		return 2;
	}
	n = join(line, sizeof(line), argc - 2, argv + 2);
	if (n == 0) {
		fprintf(stderr, "oobsim tell: more than %d bytes\n",
		    LINE_BYTES);
		return 2;
	}
	fd = connect_to(argv[1]);
	if (fd == -1 || fd_write_all(fd, line, n) == -1) {
		fprintf(stderr, "oobsim tell: %s: %s\n", argv[1],
		    strerror(errno));
		return 1;
	}
	n = answer(fd, line, sizeof(line));
	close(fd);
	fwrite(line, 1, n, stdout);
	return n == 0 || strncmp(line, "error", 5) == 0 ? 1 : 0;
}
