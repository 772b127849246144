#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../../server/base/fileio.h"
#include "sock.h"

#define BACKLOG 8

static int
close_failed(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

/* 0, or -1 with errno when it does not fit. */
static int
address(struct sockaddr_un *sun, const char *path)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sun->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun->sun_path, path, strlen(path) + 1);
	return 0;
}

/* Remove a socket that nobody listens at.  -1 when somebody does. */
static int
remove_dead(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return 0;
	fd = sock_connect(path);
	if (fd != -1) {
		close(fd);
		errno = EADDRINUSE;
		return -1;
	}
	unlink(path);
	return 0;
}

int
sock_listen(const char *path)
{
	struct sockaddr_un sun;
	int fd;

	if (address(&sun, path) == -1 || remove_dead(path) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd == -1)
		return -1;
	if (fd_prepare(fd) == -1 ||
	    bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    chmod(path, 0600) == -1 || listen(fd, BACKLOG) == -1)
		return close_failed(fd);
	return fd;
}

int
sock_connect(const char *path)
{
	struct sockaddr_un sun;
	int fd;

	if (address(&sun, path) == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd == -1)
		return -1;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		return close_failed(fd);
	return fd;
}
