/*
 * The history of a console, of any content: it is taken as it is, or begun
 * anew, and then holds what is written to it.  Input: pieces to put into the
 * file of one that was used: three bytes where (of the head, its marks, the
 * landing place or the data), one how many, that many.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serial/history.h"
#include "server/base/os.h"

#define RING 65536

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct stamp now = { INT64_C(1795340463000000), { 5000000 } };
static const struct stamp later = { INT64_C(1795340464000000), { 6000000 } };
static uint8_t block[RING];

/* Where the pieces of a file stand. */
static const off_t places[] = { 0, 0, 4096, 4096 + 24576,
    4096 + 24576 + HISTORY_LANDING };

static void
spoil(int fd, const uint8_t *p, size_t n)
{
	size_t k = sizeof(places) / sizeof(places[0]), len;
	off_t at;

	while (n > 4) {
		at = places[p[0] % k] + (p[1] << 8 | p[2]) %
		    (p[0] % k < 2 ? 256 : 24576);
		len = p[3];
		if (len > n - 4)
			len = n - 4;
		if (pwrite(fd, p + 4, len, at) == -1)
			abort();
		p += 4 + len;
		n -= 4 + len;
	}
}

/* All of it can be read, and its times asked for. */
static void
walk(const struct history *h)
{
	uint64_t tail = history_tail(h), head = history_head(h), at = tail;
	struct stamp when;
	ssize_t n;
	size_t m;

	if (tail > head || head - tail > RING)
		abort();
	while (at < head) {
		n = history_read(h, at, block, sizeof(block));
		m = history_time(h, at, &when);
		if (n <= 0 || (uint64_t)n > head - at || m == 0 ||
		    m > head - at)
			abort();
		at += m < (size_t)n ? m : (size_t)n;
	}
	if (history_read(h, head, block, sizeof(block)) != 0 ||
	    history_time(h, head, &when) != 0)
		abort();
}

/* What a killed writer left. */
static void
take_orphan(struct history *h)
{
	const uint8_t *raw;
	uint64_t written = 0;
	size_t n = history_orphan(h, &raw, &written);
	uint8_t sum = 0;

	if (n > HISTORY_LANDING || (n > 0 && written > history_head(h)))
		abort();
	for (size_t i = 0; i < n; i++)
		sum ^= raw[i];
	if (n == 0)
		return;
	history_landed(h, n, sum);
	if (history_note(h) != sum || history_orphan(h, &raw, &written) != 0)
		abort();
}

static void
use(struct history *h)
{
	uint64_t head = history_head(h);
	const uint8_t *raw;
	struct stamp when;
	char back[5];

	history_write(h, later, "hello", 5);
	if (history_head(h) != head + 5 ||
	    history_read(h, head, back, 5) != 5 ||
	    memcmp(back, "hello", 5) != 0 ||
	    history_time(h, head, &when) == 0)
		abort();
	walk(h);
	memset(history_landing(h), 'x', 100);
	if (history_orphan(h, &raw, &head) != 100)
		abort();
	take_orphan(h);
	head = history_head(h) - 5;
	history_write(h, later, block, sizeof(block));
	if (history_tail(h) != head + 5)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int fd = os_anon_fd("history-fuzz");
	struct history *h;

	if (fd == -1 || history_prepare(fd, RING) == -1 ||
	    (h = history_map(fd, RING)) == NULL)
		abort();
	memset(block, 'b', sizeof(block));
	for (int i = 0; i < 3; i++)
		history_write(h, now, block, 30000);
	memcpy(history_landing(h), "landed", 6);
	history_unmap(h);
	spoil(fd, p, n);
	if (history_prepare(fd, RING) == -1 ||
	    (h = history_map(fd, RING)) == NULL)
		abort();
	walk(h);
	take_orphan(h);
	walk(h);
	use(h);
	history_unmap(h);
	close(fd);
	return 0;
}
