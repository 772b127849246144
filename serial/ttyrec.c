#include "ttyrec.h"

static void
put_u32(uint8_t *dst, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		dst[i] = (uint8_t)(v >> (8 * i));
}

void
ttyrec_head(uint8_t dst[TTYREC_HEAD], int64_t utc_us, uint32_t n)
{
	int64_t utc = utc_us < 0 ? 0 : utc_us;

	put_u32(dst, (uint32_t)(utc / 1000000));
	put_u32(dst + 4, (uint32_t)(utc % 1000000));
	put_u32(dst + 8, n);
}
