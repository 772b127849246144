/*
 * A reader, asked with any words by a console process gone bad, and steered
 * by a client with any keys: it ends, and what it says are whole frames,
 * nothing behind the last.  Input: words, each ended by NUL; an empty one; then
 * the client's bytes.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/frame.h"
#include "server/base/log.h"
#include "server/proto.h"
#include "server/reader.h"
#include "server/sandbox.h"
#include "tests/world.h"

#define NAME "00000001-20261122T020000Z.log"
#define BYTES_MAX 8192		/* a socket takes as much at once */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char journal[] =
    "2026-11-22T02:00:00.000000Z 1000.000000 h 0 oobd-journal 1 console=gw "
    "box=b seq=1 boot=0123456789abcdef prev=-\n"
    "2026-11-22T02:00:00.100000Z 1000.100000 m 0 attach user=alice\n"
    "2026-11-22T02:00:01.000000Z 1001.000000 o 0 boot \\e[1mok\\e[0m \\xff\n"
    "2026-11-22T02:00:02.000000Z 1002.000000 p 14 gw#\\x20\n"
    "2026-11-22T02:00:03.000000Z 1003.000000 n 14 gw# show\\@4:500,6:900\n"
    "2026-11-22T02:00:05.000000Z 1005.000000 i 23 alice 2 bytes\n"
    "2026-11-22T02:00:07.000000Z 1007.000000 o 23 login: panic\n";

/* What it says, in a thread of its own: it must not wait for us. */
static void *
listen_to(void *arg)
{
	static uint8_t in[2 * (FRAME_HEAD + FRAME_MAX)];
	int fd = *(int *)arg;
	size_t n = 0, used, ends = 0;
	struct frame f;
	ssize_t got;
	uint8_t stream;

	while ((got = read(fd, in + n, sizeof(in) - n)) > 0) {
		n += (size_t)got;
		while (frame_parse(in, n, &f, &used) == 1) {
			if (f.type == AN_END)
				ends++;
			else if (f.type != AN_OUT || ends > 0)
				abort();
			if (frame_u32(&f) != 0)
				abort();
			stream = frame_u8(&f);
			if (f.bad || (f.type == AN_OUT && stream != 1 &&
			    stream != 2))
				abort();
			n -= used;
			memmove(in, in + used, n);
		}
	}
	/* None where it found its client gone. */
	if (ends > 1 || n > 0)
		abort();
	return NULL;
}

static void
run(int argc, char **argv, const uint8_t *p, size_t n)
{
	pthread_t thread;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	if (n > BYTES_MAX)
		n = BYTES_MAX;
	if (n > 0 && write(pair[0], p, n) != (ssize_t)n)
		abort();
	shutdown(pair[0], SHUT_WR);
	if (pthread_create(&thread, NULL, listen_to, &pair[0]) != 0)
		abort();
	reader_main(pair[1], argc, argv);
	close(pair[1]);
	pthread_join(thread, NULL);
	close(pair[0]);
}

static void
begin(void)
{
	char path[160];
	FILE *f;

	world_begin();
	snprintf(path, sizeof(path), "%s/gw", world_dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/gw/" NAME, world_dir);
	f = fopen(path, "w");
	if (f == NULL || fputs(journal, f) < 0 || fclose(f) != 0)
		abort();
	sandbox_set_mode(SANDBOX_OFF);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *words[2 + ARGS_MAX + 1], *space = malloc(n + 1), *at = space;
	int argc = 2;
	size_t len;

	if (world_dir[0] == '\0')
		begin();
	memcpy(space, p, n);
	space[n] = '\0';
	words[0] = words[1] = world_dir;
	while (argc < 2 + ARGS_MAX && at < space + n && *at != '\0') {
		words[argc++] = at;
		at += strlen(at) + 1;
	}
	words[argc] = NULL;
	len = at < space + n ? (size_t)(space + n - at) - 1 : 0;
	run(argc, words, (const uint8_t *)at + 1, len);
	free(space);
	return 0;
}
