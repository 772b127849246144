/*
 * echo: the least that can sit behind an sshd: stdin to stdout, at once.
 */
#include <unistd.h>

int
main(void)
{
	char b[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, b, sizeof(b))) > 0) {
		for (ssize_t o = 0, w; o < n; o += w)
			if ((w = write(STDOUT_FILENO, b + o,
			    (size_t)(n - o))) <= 0)
				return 1;
	}
	return 0;
}
