#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/fileio.h"
#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "outbox_internal.h"
#include "pdu.h"

#define HEAD "oobd-sms-out 1\n"
#define LINE (2 * OUTBOX_TEXT + 128)
#define FILE_MAX (128 + OUTBOX_NUMBERS * 64 + OUTBOX_MAX * LINE)

static bool
read_counts(struct outbox *o, const char *line)
{
	unsigned ref;

	if (sscanf(line, "%" SCNu32 " %u %" SCNd64 " %u", &o->next_id, &ref,
	    &o->day, &o->sent) != 4)
		return false;
	o->ref = (uint8_t)ref;
	return true;
}

static bool
read_number(struct outbox *o, const char *line)
{
	struct tally *t = &o->tallies[o->ntallies];

	if (o->ntallies == OUTBOX_NUMBERS ||
	    sscanf(line, "%23s %u", t->number, &t->sent) != 2)
		return false;
	o->ntallies++;
	return true;
}

static bool
read_message(struct outbox *o, const char *line)
{
	struct letter *l = &o->letters[o->n];
	const char *why, *hex;
	unsigned ref;
	char state;
	int len, at = 0;

	if (o->n == OUTBOX_MAX || sscanf(line, "%" SCNu32
	    " %c %u %u %u %23s %n", &l->id, &state, &l->part, &l->tries, &ref,
	    l->number, &at) != 6 || at == 0)
		return false;
	hex = line + at;
	/* An empty text has no digits. */
	len = *hex == '\0' ? 0 : pdu_from_hex((uint8_t *)l->text,
	    sizeof(l->text), hex, strlen(hex), &why);
	if (len == -1 || (state != 'q' && state != 's') || l->part == 0)
		return false;
	l->len = (size_t)len;
	l->ref = (uint8_t)ref;
	l->state = state == 's' ? OUTBOX_SENDING : OUTBOX_QUEUED;
	o->n++;
	return true;
}

static const struct {
	const char *word;
	bool (*read)(struct outbox *, const char *);
} kinds[] = {
	{ "counts ", read_counts },
	{ "number ", read_number },
	{ "message ", read_message },
};

static bool
read_line(struct outbox *o, const char *line)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i].word);

		if (strncmp(line, kinds[i].word, n) == 0)
			return kinds[i].read(o, line + n);
	}
	return false;
}

static bool
read_text(struct outbox *o, char *text)
{
	char *line = text, *end;

	if (strncmp(text, HEAD, strlen(HEAD)) != 0)
		return false;
	for (line += strlen(HEAD); *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		if (end == NULL)
			return false;
		*end = '\0';
		if (!read_line(o, line))
			return false;
	}
	return true;
}

void
outbox_load(struct outbox *o)
{
	char *text = file_read(o->path, FILE_MAX, NULL);

	if (text == NULL) {
		if (errno != ENOENT)
			log_errno("%s: cannot read which messages wait to be "
			    "sent", o->path);
		return;
	}
	if (!read_text(o, text))
		log_warn("%s: damaged; %zu messages that wait to be sent are "
		    "known from it", o->path, o->n);
	free(text);
}

static char *
put_letter(char *p, char *end, const struct letter *l)
{
	p += snprintf(p, (size_t)(end - p), "message %" PRIu32
	    " %c %u %u %u %s ", l->id, l->state == OUTBOX_QUEUED ? 'q' : 's',
	    l->part, l->tries, (unsigned)l->ref, l->number);
	pdu_to_hex(p, (const uint8_t *)l->text, l->len);
	p += strlen(p);
	*p++ = '\n';
	return p;
}

int
outbox_save(struct outbox *o)
{
	char *text, *p, *end;
	int r;

	if (o->path == NULL)
		return 0;
	/* Every part of it fits its share of FILE_MAX. */
	text = p = xmalloc(FILE_MAX);
	end = text + FILE_MAX;
	p += snprintf(p, FILE_MAX, HEAD "counts %" PRIu32 " %u %" PRId64
	    " %u\n", o->next_id, (unsigned)o->ref, o->day, o->sent);
	for (size_t i = 0; i < o->ntallies; i++)
		p += snprintf(p, (size_t)(end - p), "number %s %u\n",
		    o->tallies[i].number, o->tallies[i].sent);
	for (size_t i = 0; i < o->n; i++) {
		if (o->letters[i].state <= OUTBOX_SENDING)
			p = put_letter(p, end, &o->letters[i]);
	}
	r = file_replace(o->path, text, (size_t)(p - text), 0600);
	free(text);
	return r;
}
