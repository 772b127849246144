/*
 * Short texts from files, options and other programs: no crash, and what was
 * taken is, written again, taken as the same.  The first byte says what it is.
 */
#include <netinet/in.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/addr.h"
#include "auth/sshsig.h"
#include "modem/at_field.h"
#include "modem/ppp.h"
#include "serial/line.h"
#include "serial/when.h"
#include "server/base/mem.h"
#include "server/listen.h"
#include "server/roster.h"

#define NOW INT64_C(1795000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
is_when(const char *s)
{
	int64_t us;

	when_parse(s, NOW, &us);
}

static void
is_line(const char *s)
{
	char text[LINE_TEXT];
	struct line l, again;

	line_default(&l);
	again = l;
	if (line_parse_mode(&l, s) == 0 && (line_parse_mode(&again,
	    line_mode_text(text, &l)) == -1 || !line_equal(&l, &again)))
		abort();
	if (line_parse_speed(&l, s) == 0 && l.speed == 0)
		abort();
	line_parse_flow(&l, s);
	line_text(text, &l);
}

static void
is_listen(const char *s)
{
	struct sockaddr_storage ss;
	socklen_t len = 0;
	char text[LISTEN_TEXT];

	if (listen_parse(s, &ss, &len) == 0)
		listen_address_text(text, (const struct sockaddr *)&ss);
}

static void
is_addr(const char *s)
{
	char text[ADDR_TEXT];
	struct addr a, b;
	unsigned bits;

	if (addr_parse(s, &a) == 0 && (addr_parse(addr_text(text, &a),
	    &b) == -1 || !addr_equal(&a, &b)))
		abort();
	if (addr_parse_network(s, &a, &bits) == 0) {
		if (bits > 128)
			abort();
		addr_mask(&a, bits);
	}
}

static void
is_answer(const char *s)
{
	struct at_field f, list;
	char word[16];
	int64_t v;
	uint32_t hex;

	if (!at_field_start(&f, s, "+CPMS"))
		at_field_text(&f, s, strlen(s));
	for (int i = 0; at_field_more(&f) && i < 100; i++) {
		struct at_field copy = f;

		if (at_field_list(&copy, &list) == 0) {
			while (at_field_more(&list) &&
			    at_field_str(&list, word, sizeof(word)) == 0)
				continue;
		}
		copy = f;
		at_field_int(&copy, &v);
		copy = f;
		at_field_hex(&copy, &hex);
		copy = f;
		at_field_str(&copy, word, sizeof(word));
		if (at_field_skip(&f) == -1)
			break;
	}
}

/* pppd's words, line by line. */
static void
is_ppp(const char *s)
{
	struct ppp_heard heard;
	char *text = xstrdup(s), *rest = text, *line;

	memset(&heard, 0, sizeof(heard));
	while ((line = strsep(&rest, "\n")) != NULL)
		ppp_hear(&heard, line);
	free(text);
}

static void
is_signature(const char *s)
{
	uint8_t public[SSHSIG_PUBLIC];
	char text[SSHSIG_KEY];

	sshsig_verify(s, "oobd", "message", 7, public);
	if (sshsig_key_parse(s, public) == 0)
		sshsig_key_text(public, text);
}

/* The console process's answer to list --json, or to status --json. */
static void
is_roster(const char *s)
{
	struct roster r;

	if (roster_parse(&r, s, strlen(s)) == 0) {
		for (size_t i = 0; i < r.n; i++)
			free(roster_text(&r, i, 40, NOW));
		roster_find(&r, "gw");
		roster_find(&r, "1");
		roster_free(&r);
	}
	free(roster_info(s, strlen(s), "gw"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static void (*const kinds[])(const char *) = {
		is_when, is_line, is_listen, is_addr, is_answer, is_ppp,
		is_signature, is_roster,
	};
	char *s;

	if (n == 0)
		return 0;
	s = xstrndup((const char *)p + 1, n - 1);
	kinds[(size_t)(p[0] - '0') % (sizeof(kinds) / sizeof(kinds[0]))](s);
	free(s);
	return 0;
}
