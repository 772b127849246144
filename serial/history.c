#include <sys/mman.h>
#include <sys/stat.h>

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/fileio.h"
#include "../server/base/mem.h"
#include "../server/base/os.h"
#include "history.h"

#define HISTORY_MAGIC UINT64_C(0x4f4f424452494e33)	/* "OOBDRIN3" */
#define HEAD_BYTES 4096
#define BYTES_PER_MARK 64
#define MARK_STEP_US 1000	/* closer arrivals share a mark */
#define LANDING_EMPTY 0xf8	/* where nothing was read to */
#define LANDED 1		/* a bool may be nothing else, a file may */
#define SIZE_MIN (64 * 1024)
#define SIZE_MAX_BYTES (16 * 1024 * 1024)

/* When the bytes from offset `at` on arrived. */
struct mark {
	uint64_t at;
	int64_t utc_us;
	int64_t mono_us;
};

/* The first page of the file. */
struct head {
	uint64_t magic;
	uint64_t size;			/* data bytes */
	_Atomic uint64_t base;		/* where the stream began */
	_Atomic uint64_t reserved;	/* head once the write under way ends */
	_Atomic uint64_t head;
	_Atomic uint64_t marks;		/* ever made */
	_Atomic uint64_t landing_at;	/* head when the landing was empty */
	_Atomic uint8_t landing_valid;	/* LANDED; else it is being cleared */
	_Atomic uint8_t landing_note;
	/* A power cut may leave pages of different ages in the file. */
	char boot[OS_BOOT_ID];
};

struct history {
	struct head *head;
	struct mark *marks;
	uint8_t *landing;
	uint8_t *data;
	size_t size;
	size_t nmarks;			/* places for marks */
	size_t mapped;
};

static_assert(sizeof(struct head) <= HEAD_BYTES, "one page");

static size_t
file_bytes(size_t size)
{
	return HEAD_BYTES + size / BYTES_PER_MARK * sizeof(struct mark) +
	    HISTORY_LANDING + size;
}

static int
fill_with_zeros(int fd, size_t n)
{
	static const uint8_t zeros[65536];
	size_t part;
	ssize_t w;

	for (size_t at = 0; at < n; at += part) {
		part = n - at < sizeof(zeros) ? n - at : sizeof(zeros);
		w = pwrite(fd, zeros, part, (off_t)at);
		if (w == -1 && errno == EINTR)
			w = 0;
		if (w == -1)
			return -1;
		part = (size_t)w;
	}
	return 0;
}

static bool
is_ours(const struct head *head, size_t size, const char *boot)
{
	return head->magic == HISTORY_MAGIC && head->size == size &&
	    strncmp(head->boot, boot, sizeof(head->boot)) == 0;
}

int
history_prepare(int fd, size_t size)
{
	char boot[OS_BOOT_ID] = "";
	struct head head;
	struct stat st;

	if (size < SIZE_MIN || size > SIZE_MAX_BYTES ||
	    (size & (size - 1)) != 0) {
		errno = EINVAL;
		return -1;
	}
	if (fstat(fd, &st) == -1)
		return -1;
	if (os_boot_id(boot, sizeof(boot)) == -1)
		boot[0] = '\0';
	if ((size_t)st.st_size == file_bytes(size) &&
	    fd_read_at(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
	    is_ours(&head, size, boot))
		return 0;
	/* posix_fallocate is not everywhere; zeros are. */
	if (ftruncate(fd, 0) == -1 ||
	    fill_with_zeros(fd, file_bytes(size)) == -1 ||
	    lseek(fd, 0, SEEK_SET) == -1)
		return -1;
	memset(&head, 0, sizeof(head));
	head.magic = HISTORY_MAGIC;
	head.size = size;
	memcpy(head.boot, boot, sizeof(head.boot));
	return fd_write_all(fd, &head, sizeof(head));
}

/* A file that a crash or a stranger left inconsistent is started anew. */
static void
check_sanity(struct history *h)
{
	uint64_t base = atomic_load(&h->head->base);
	uint64_t head = atomic_load(&h->head->head);
	uint64_t marks = atomic_load(&h->head->marks);

	if (head > INT64_MAX)
		history_restart(h, 0);
	else if (base > head || marks > head - base)
		history_restart(h, head);
	/* Then nobody knows what landed there: it is cleared before its use. */
	if (atomic_load(&h->head->landing_at) > atomic_load(&h->head->head))
		atomic_store(&h->head->landing_valid, 0);
	/* A write that was under way when its process died never happened. */
	atomic_store(&h->head->reserved, atomic_load(&h->head->head));
}

struct history *
history_map(int fd, size_t size)
{
	struct history *h;
	struct stat st;
	uint8_t *p;

	if (fstat(fd, &st) == -1)
		return NULL;
	if ((size_t)st.st_size != file_bytes(size)) {
		errno = EINVAL;
		return NULL;
	}
	p = mmap(NULL, file_bytes(size), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	h = xcalloc(1, sizeof(*h));
	h->head = (struct head *)(void *)p;
	h->marks = (struct mark *)(void *)(p + HEAD_BYTES);
	h->nmarks = size / BYTES_PER_MARK;
	h->landing = p + HEAD_BYTES + h->nmarks * sizeof(struct mark);
	h->data = h->landing + HISTORY_LANDING;
	h->size = size;
	h->mapped = file_bytes(size);
	check_sanity(h);
	return h;
}

void
history_unmap(struct history *h)
{
	if (h == NULL)
		return;
	munmap(h->head, h->mapped);
	free(h);
}

void
history_restart(struct history *h, uint64_t base)
{
	atomic_store(&h->head->landing_valid, 0);
	atomic_store(&h->head->landing_note, 0);
	atomic_store(&h->head->marks, 0);
	atomic_store(&h->head->base, base);
	atomic_store(&h->head->reserved, base);
	atomic_store(&h->head->head, base);
}

uint64_t
history_head(const struct history *h)
{
	return atomic_load_explicit(&h->head->head, memory_order_acquire);
}

static uint64_t
tail_for(const struct history *h, uint64_t head)
{
	uint64_t base = atomic_load_explicit(&h->head->base,
	    memory_order_relaxed);

	return head - base > h->size ? head - h->size : base;
}

uint64_t
history_tail(const struct history *h)
{
	return tail_for(h, atomic_load_explicit(&h->head->reserved,
	    memory_order_acquire));
}

size_t
history_size(const struct history *h)
{
	return h->size;
}

/* The order matters to whoever finds it after a kill at any point. */
static void
clear_landing(struct history *h, size_t n, uint8_t note)
{
	atomic_store(&h->head->landing_valid, 0);
	atomic_thread_fence(memory_order_seq_cst);
	memset(h->landing, LANDING_EMPTY, n);
	atomic_store(&h->head->landing_at, history_head(h));
	atomic_store(&h->head->landing_note, note);
	atomic_thread_fence(memory_order_seq_cst);
	atomic_store(&h->head->landing_valid, LANDED);
}

uint8_t *
history_landing(struct history *h)
{
	if (atomic_load(&h->head->landing_valid) != LANDED)
		clear_landing(h, HISTORY_LANDING, history_note(h));
	return h->landing;
}

void
history_landed(struct history *h, size_t n, uint8_t note)
{
	clear_landing(h, n, note);
}

void
history_set_note(struct history *h, uint8_t note)
{
	clear_landing(h, HISTORY_LANDING, note);
}

uint8_t
history_note(const struct history *h)
{
	return atomic_load(&h->head->landing_note);
}

size_t
history_orphan(const struct history *h, const uint8_t **raw,
    uint64_t *written)
{
	uint64_t at = atomic_load(&h->head->landing_at);
	uint64_t head = history_head(h);
	size_t n = HISTORY_LANDING;

	if (atomic_load(&h->head->landing_valid) != LANDED || at > head)
		return 0;
	while (n > 0 && h->landing[n - 1] == LANDING_EMPTY)
		n--;
	*raw = h->landing;
	*written = head - at;
	return n;
}

static void
add_mark(struct history *h, struct stamp when, uint64_t at)
{
	uint64_t n = atomic_load_explicit(&h->head->marks,
	    memory_order_relaxed);
	struct mark *m;

	if (n > 0) {
		m = &h->marks[(n - 1) % h->nmarks];
		if (when.mono.us - m->mono_us < MARK_STEP_US &&
		    when.mono.us >= m->mono_us)
			return;
	}
	m = &h->marks[n % h->nmarks];
	m->at = at;
	m->utc_us = when.utc_us;
	m->mono_us = when.mono.us;
	atomic_store_explicit(&h->head->marks, n + 1, memory_order_release);
}

static void
write_piece(struct history *h, struct stamp when, const uint8_t *p, size_t n)
{
	uint64_t at = atomic_load_explicit(&h->head->head,
	    memory_order_relaxed);
	size_t pos = (size_t)(at & (h->size - 1));
	size_t part = n < h->size - pos ? n : h->size - pos;

	/* Readers must know what is about to be overwritten before it is. */
	atomic_store_explicit(&h->head->reserved, at + n,
	    memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	memcpy(h->data + pos, p, part);
	memcpy(h->data, p + part, n - part);
	add_mark(h, when, at);
	atomic_store_explicit(&h->head->head, at + n, memory_order_release);
}

void
history_write(struct history *h, struct stamp when, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		size_t part = n < h->size / 4 ? n : h->size / 4;

		write_piece(h, when, p, part);
		p += part;
		n -= part;
	}
}

ssize_t
history_read(const struct history *h, uint64_t at, void *dst, size_t n)
{
	uint64_t head = history_head(h);
	size_t pos = (size_t)(at & (h->size - 1)), part;

	if (at > head || at < tail_for(h, head))
		return -1;
	if (n > head - at)
		n = (size_t)(head - at);
	part = n < h->size - pos ? n : h->size - pos;
	memcpy(dst, h->data + pos, part);
	memcpy((uint8_t *)dst + part, h->data, n - part);
	atomic_thread_fence(memory_order_seq_cst);
	return at < history_tail(h) ? -1 : (ssize_t)n;
}

/*
 * Number of the last mark at or before `at`, among [first, n).  The oldest
 * quarter of the places may be overwritten meanwhile and is not looked at.
 */
static uint64_t
find_mark(const struct history *h, uint64_t n, uint64_t at)
{
	uint64_t lo = 0, hi = n;

	if (n > h->nmarks - h->nmarks / 4)
		lo = n - (h->nmarks - h->nmarks / 4);
	while (hi - lo > 1) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (h->marks[mid % h->nmarks].at <= at)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

size_t
history_time(const struct history *h, uint64_t at, struct stamp *when)
{
	uint64_t head = history_head(h), end = head;
	uint64_t n = atomic_load_explicit(&h->head->marks,
	    memory_order_acquire);
	uint64_t i;
	const struct mark *m;

	if (n == 0 || at >= head) {
		*when = stamp_now();
		return at >= head ? 0 : (size_t)(head - at);
	}
	i = find_mark(h, n, at);
	m = &h->marks[i % h->nmarks];
	when->utc_us = m->utc_us;
	when->mono.us = m->mono_us;
	if (i + 1 < n)
		end = h->marks[(i + 1) % h->nmarks].at;
	if (end > head)
		end = head;
	return end > at ? (size_t)(end - at) : 1;
}
