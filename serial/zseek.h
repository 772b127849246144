/*
 * zseek: the seek table at the end of a packed segment: zstd's seekable
 * format 0.1.0, a skippable frame that zstd itself passes over.  Pure.
 */
#ifndef SERIAL_ZSEEK_H
#define SERIAL_ZSEEK_H

#include <stddef.h>
#include <stdint.h>

#define ZSEEK_HEAD 8		/* magic and size of the skippable frame */
#define ZSEEK_FOOT 9		/* frames, descriptor, magic */
#define ZSEEK_ENTRY 8		/* that we write: without checksums */
#define ZSEEK_ENTRY_MAX 12
#define ZSEEK_FRAMES_MAX (1 << 20)
#define ZSEEK_FRAME_MAGIC UINT32_C(0xfd2fb528)	/* any zstd frame's first */

struct zseek_frame {
	uint64_t packed_at, text_at;	/* where they begin */
	uint32_t packed, text;		/* how long they are */
};

/*
 * Of the last ZSEEK_FOOT bytes of a file: the frames and the bytes of the
 * whole table, its own head and foot included.  0, or -1: it is none.
 */
int zseek_foot(const uint8_t foot[ZSEEK_FOOT], uint32_t *frames,
    size_t *size);

/*
 * The whole table of a file of file_size bytes into `frames` entries.  0, or
 * -1: it does not agree with the file.
 */
int zseek_parse(const uint8_t *table, size_t size, uint64_t file_size,
    struct zseek_frame *, uint32_t frames);

/* Write the table of these frames; zseek_size of them bytes. */
size_t zseek_size(uint32_t frames);
void zseek_write(uint8_t *table, const struct zseek_frame *, uint32_t frames);

uint32_t zseek_u32(const uint8_t *);	/* little endian */

#endif
