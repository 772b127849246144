/*
 * pack FOLDER: every closed segment in it becomes its packed form, as the
 * daemon does it, with nobody to be polite to.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "serial/jdir.h"
#include "serial/pack.h"

static bool
go_on(void *arg, long long worked_us)
{
	(void)arg;
	(void)worked_us;
	return true;
}

int
main(int argc, char **argv)
{
	const struct pack_ops ops = { go_on, NULL };
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;
	struct jdir d;

	if (fd == -1 || jdir_list(fd, &d) == -1) {
		fprintf(stderr, "usage: pack FOLDER\n");
		return 2;
	}
	for (size_t i = 0; i < d.count; i++) {
		if (!d.segments[i].packed &&
		    pack_segment(fd, d.segments[i].name, &ops) == -1) {
			perror(d.segments[i].name);
			return 1;
		}
	}
	return 0;
}
