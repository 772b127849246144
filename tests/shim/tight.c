/*
 * tight: a kernel that takes a seal for more than we do.  Who opens no path
 * any more (server/sandbox.h) opens nothing below a folder that he holds
 * either: EPERM.  Loaded with LD_PRELOAD; build/tests/tight.so.
 */
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

/* A folder that everybody can see, until no path is looked up. */
static int
is_sealed(void)
{
	return access("/", F_OK) == -1;
}

int
openat(int fd, const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (fd != AT_FDCWD && is_sealed()) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_openat, fd, path, flags, mode);
}
