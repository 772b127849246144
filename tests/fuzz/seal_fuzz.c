/*
 * The verifier's parts: whatever a journal's lines, a seek table or a
 * signature are, they are taken apart without harm, and a finding names lines
 * that are there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/sshsig.h"
#include "serial/chain.h"
#include "serial/check_span.h"
#include "serial/zseek.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define FRAMES 512

static struct record_space space;
static struct check_line lines[CHECK_LINES];

static void
judge(struct check_span *span, const struct seal_fields *seal)
{
	struct check_finding f = { .segment = "" };

	check_span_tell(span, seal, &f);
	if (f.line < span->first || f.line > span->first + span->count ||
	    f.upto < f.line || f.upto > span->first + span->count ||
	    strlen(f.text) == 0)
		abort();
}

static void
take_line(struct check_span *span, const char *p, size_t n)
{
	struct chain_header header;
	struct seal_fields seal;
	struct record r;

	if (record_decode(p, n - 1, &r, &space) == 0) {
		if (chain_header_parse(&r, &header) == 0 && header.seq == 0)
			abort();
		if (seal_parse(&r, &seal) == 0) {
			judge(span, &seal);
			span->first += span->count + 1;
			span->count = 0;
			return;
		}
	}
	if (span->count++ < CHECK_LINES) {
		lines[span->count - 1].check = (uint16_t)seal_check(p, n);
		lines[span->count - 1].fold = n;
	}
}

static void
table(const uint8_t *data, size_t size)
{
	static struct zseek_frame frames[FRAMES];
	uint32_t count;
	size_t n;

	if (size < ZSEEK_HEAD + ZSEEK_FOOT ||
	    zseek_foot(data + size - ZSEEK_FOOT, &count, &n) == -1 ||
	    count > FRAMES || n > size)
		return;
	zseek_parse(data + size - n, n, size, frames, count);
}

static void
signature(const uint8_t *data, size_t size)
{
	char text[SSHSIG_TEXT * 2];
	uint8_t key[SSHSIG_PUBLIC];
	size_t n = size < sizeof(text) - 1 ? size : sizeof(text) - 1;

	memcpy(text, data, n);
	text[n] = '\0';
	if (sshsig_verify(text, "journal@oobd", data, size, key) == 0)
		abort();	/* it holds its own signature? */
	sshsig_key_parse(text, key);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct check_span span = { .first = 1, .lines = lines };
	const char *p = (const char *)data, *e = p + size, *lf;

	table(data, size);
	signature(data, size);
	for (; p < e && (lf = memchr(p, '\n', (size_t)(e - p))) != NULL;
	    p = lf + 1)
		take_line(&span, p, (size_t)(lf + 1 - p));
	return 0;
}
