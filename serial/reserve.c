#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "../server/base/fileio.h"
#include "../server/base/os.h"
#include "reserve.h"

#define TEMP RESERVE_NAME ".new"

/* Random bytes: a file system that compresses keeps room for those, too. */
static int
fill(int fd)
{
	uint8_t block[4096];

	for (size_t n = 0; n < RESERVE_BYTES; n += sizeof(block)) {
		os_random(block, sizeof(block));
		if (fd_write_all(fd, block, sizeof(block)) == -1)
			return -1;
	}
	return 0;
}

int
reserve_make(int dirfd)
{
	int fd, r, saved;

	if (faccessat(dirfd, RESERVE_NAME, F_OK, 0) == 0)
		return 0;
	fd = openat(dirfd, TEMP, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);
	if (fd == -1)
		return -1;
	r = fill(fd);
	saved = errno;
	close(fd);
	if (r == 0)
		return renameat(dirfd, TEMP, dirfd, RESERVE_NAME);
	unlinkat(dirfd, TEMP, 0);
	errno = saved;
	return -1;
}

int
reserve_spend(int dirfd)
{
	return unlinkat(dirfd, RESERVE_NAME, 0);
}
