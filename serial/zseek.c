#include "zseek.h"

#define SKIPPABLE UINT32_C(0x184d2a5e)
#define SEEKABLE UINT32_C(0x8f92eab1)
#define CHECKSUMS 0x80		/* entries have one each */
#define RESERVED 0x7c

uint32_t
zseek_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static uint8_t *
put_u32(uint8_t *o, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		o[i] = (uint8_t)(v >> (8 * i));
	return o + 4;
}

static size_t
entry_size(const uint8_t *foot)
{
	return (foot[4] & CHECKSUMS) != 0 ? ZSEEK_ENTRY_MAX : ZSEEK_ENTRY;
}

int
zseek_foot(const uint8_t foot[ZSEEK_FOOT], uint32_t *frames, size_t *size)
{
	*frames = zseek_u32(foot);
	if (zseek_u32(foot + 5) != SEEKABLE || (foot[4] & RESERVED) != 0 ||
	    *frames > ZSEEK_FRAMES_MAX)
		return -1;
	*size = ZSEEK_HEAD + entry_size(foot) * *frames + ZSEEK_FOOT;
	return 0;
}

int
zseek_parse(const uint8_t *table, size_t size, uint64_t file_size,
    struct zseek_frame *f, uint32_t frames)
{
	const uint8_t *foot = table + size - ZSEEK_FOOT;
	const uint8_t *p = table + ZSEEK_HEAD;
	uint64_t packed_at = 0, text_at = 0;

	if (zseek_u32(table) != SKIPPABLE || size > file_size ||
	    zseek_u32(table + 4) != size - ZSEEK_HEAD)
		return -1;
	for (uint32_t i = 0; i < frames; i++, p += entry_size(foot)) {
		f[i].packed_at = packed_at;
		f[i].text_at = text_at;
		f[i].packed = zseek_u32(p);
		f[i].text = zseek_u32(p + 4);
		packed_at += f[i].packed;
		text_at += f[i].text;
	}
	return packed_at == file_size - size ? 0 : -1;
}

size_t
zseek_size(uint32_t frames)
{
	return ZSEEK_HEAD + (size_t)ZSEEK_ENTRY * frames + ZSEEK_FOOT;
}

void
zseek_write(uint8_t *o, const struct zseek_frame *f, uint32_t frames)
{
	o = put_u32(o, SKIPPABLE);
	o = put_u32(o, (uint32_t)zseek_size(frames) - ZSEEK_HEAD);
	for (uint32_t i = 0; i < frames; i++) {
		o = put_u32(o, f[i].packed);
		o = put_u32(o, f[i].text);
	}
	o = put_u32(o, frames);
	*o++ = 0;
	put_u32(o, SEEKABLE);
}
