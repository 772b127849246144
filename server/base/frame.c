#include <string.h>

#include "frame.h"

static uint64_t
load(const uint8_t *p, int n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

static void
store(uint8_t *p, int n, uint64_t v)
{
	while (n-- > 0) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

int
frame_parse(const uint8_t *p, size_t n, struct frame *f, size_t *used)
{
	size_t len;

	if (n < FRAME_HEAD)
		return 0;
	len = (size_t)load(p, 4);
	if (len > FRAME_MAX)
		return -1;
	if (n < FRAME_HEAD + len)
		return 0;
	f->type = (uint16_t)load(p + 4, 2);
	f->flags = (uint16_t)load(p + 6, 2);
	f->p = p + FRAME_HEAD;
	f->end = f->p + len;
	f->bad = false;
	*used = FRAME_HEAD + len;
	return 1;
}

static uint64_t
take(struct frame *f, int n)
{
	uint64_t v;

	if (f->bad || f->end - f->p < n) {
		f->bad = true;
		return 0;
	}
	v = load(f->p, n);
	f->p += n;
	return v;
}

uint8_t
frame_u8(struct frame *f)
{
	return (uint8_t)take(f, 1);
}

uint16_t
frame_u16(struct frame *f)
{
	return (uint16_t)take(f, 2);
}

uint32_t
frame_u32(struct frame *f)
{
	return (uint32_t)take(f, 4);
}

uint64_t
frame_u64(struct frame *f)
{
	return take(f, 8);
}

void
frame_str(struct frame *f, char *dst, size_t size)
{
	size_t n = frame_u16(f);

	dst[0] = '\0';
	if (f->bad || (size_t)(f->end - f->p) < n || n >= size ||
	    memchr(f->p, '\0', n) != NULL) {
		f->bad = true;
		return;
	}
	memcpy(dst, f->p, n);
	dst[n] = '\0';
	f->p += n;
}

const uint8_t *
frame_rest(struct frame *f, size_t *n)
{
	const uint8_t *p = f->p;

	*n = f->bad ? 0 : (size_t)(f->end - f->p);
	if (!f->bad)
		f->p = f->end;
	return p;
}

bool
frame_more(const struct frame *f)
{
	return !f->bad && f->p < f->end;
}

bool
frame_ok(const struct frame *f)
{
	return !f->bad && f->p == f->end;
}

void
frame_start(struct frame_out *o, uint16_t type)
{
	o->len = FRAME_HEAD;
	o->bad = false;
	store(o->block + 4, 2, type);
}

void
frame_put_bytes(struct frame_out *o, const void *p, size_t n)
{
	if (o->bad || n > sizeof(o->block) - o->len) {
		o->bad = true;
		return;
	}
	if (n > 0)
		memcpy(o->block + o->len, p, n);
	o->len += n;
}

static void
put(struct frame_out *o, int n, uint64_t v)
{
	uint8_t b[8];

	store(b, n, v);
	frame_put_bytes(o, b, (size_t)n);
}

void
frame_put_u8(struct frame_out *o, uint8_t v)
{
	put(o, 1, v);
}

void
frame_put_u16(struct frame_out *o, uint16_t v)
{
	put(o, 2, v);
}

void
frame_put_u32(struct frame_out *o, uint32_t v)
{
	put(o, 4, v);
}

void
frame_put_u64(struct frame_out *o, uint64_t v)
{
	put(o, 8, v);
}

void
frame_put_str(struct frame_out *o, const char *s)
{
	size_t n = strlen(s);

	if (n > UINT16_MAX) {
		o->bad = true;
		return;
	}
	frame_put_u16(o, (uint16_t)n);
	frame_put_bytes(o, s, n);
}

int
frame_finish(struct frame_out *o, uint16_t flags)
{
	if (o->bad)
		return -1;
	store(o->block, 4, o->len - FRAME_HEAD);
	store(o->block + 6, 2, flags);
	return 0;
}
