#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../server/base/fileio.h"
#include "sock.h"
#include "tell.h"

#define LINE_BYTES 4096

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

/* The answer's one line to stdout; the exit status. */
static int
show_answer(int fd)
{
	char piece[LINE_BYTES], begin[6] = "";
	size_t shown = 0;
	ssize_t n;

	do {
		n = read(fd, piece, sizeof(piece));
		if (n <= 0)
			break;
		for (size_t i = 0; shown + i < 5 && i < (size_t)n; i++)
			begin[shown + i] = piece[i];
		fwrite(piece, 1, (size_t)n, stdout);
		shown += (size_t)n;
	} while (piece[n - 1] != '\n');
	return shown == 0 || strcmp(begin, "error") == 0 ? 1 : 0;
}

int
tell_main(int argc, char **argv)
{
	char line[LINE_BYTES];
	size_t n;
	int fd, status;

	if (argc < 3 || argv[1][0] == '-') {
		fprintf(stderr, "usage: oobsim tell SOCKET ORDER [WORD ...]\n"
		    "SOCKET is what the simulator got as --control; the "
		    "orders are listed by\noobsim router --help and oobsim "
		    "modem --help\n");
		return 2;
	}
	n = join(line, sizeof(line), argc - 2, argv + 2);
	if (n == 0) {
		fprintf(stderr, "oobsim tell: more than %d bytes\n",
		    LINE_BYTES);
		return 2;
	}
	fd = sock_connect(argv[1]);
	if (fd == -1 || fd_write_all(fd, line, n) == -1) {
		fprintf(stderr, "oobsim tell: %s: %s\n", argv[1],
		    strerror(errno));
		return 1;
	}
	status = show_answer(fd);
	close(fd);
	return status;
}
