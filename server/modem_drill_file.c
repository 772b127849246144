#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "modem_drill_file.h"

#define FILE_MAX 4096
#define HEAD "oobd drill 1\n"

static char *
path_of(const char *state_dir)
{
	return xasprintf("%s/drill", state_dir);
}

static char *
run_text(const char *name, const struct modem_drill_run *r)
{
	return xasprintf("%s %" PRId64 " %" PRId64 " %" PRIu64 " %s %s\n",
	    name, r->at, r->ms, r->bytes, r->way[0] == '\0' ? "none" : r->way,
	    r->why);
}

int
modem_drill_write(const char *state_dir, const struct modem_drill_record *r)
{
	char *path = path_of(state_dir), *last = run_text("last", &r->last);
	char *good = run_text("good", &r->good), *text;
	int result;

	text = xasprintf(HEAD "slot %d\nrunning %d\nhow %d\n%s%s", r->slot,
	    r->running, (int)r->how, last, good);
	result = file_replace(path, text, strlen(text), 0600);
	if (result == -1)
		log_errno("%s", path);
	free(text);
	free(good);
	free(last);
	free(path);
	return result;
}

/* The value of this line, which must be next in *text; NULL: it is not. */
static char *
value(char **text, const char *name)
{
	char *line = strsep(text, "\n");
	size_t n = strlen(name);

	return line != NULL && *text != NULL &&
	    strncmp(line, name, n) == 0 && line[n] == ' ' ? line + n + 1 :
	    NULL;
}

static bool
number(const char *word, int64_t max, int64_t *out)
{
	return word != NULL && str_int(word, 0, max, out) == 0;
}

static bool
parse_run(char *line, struct modem_drill_run *r)
{
	int64_t bytes;
	char *way;

	if (!number(strsep(&line, " "), INT64_MAX / 1000000, &r->at) ||
	    !number(strsep(&line, " "), INT64_MAX, &r->ms) ||
	    !number(strsep(&line, " "), INT64_MAX, &bytes))
		return false;
	way = strsep(&line, " ");
	if (way == NULL || line == NULL || strlen(way) >= sizeof(r->way))
		return false;
	r->bytes = (uint64_t)bytes;
	str_safe(r->way, sizeof(r->way), way, strlen(way));
	str_safe(r->why, sizeof(r->why), line, strlen(line));
	return true;
}

static bool
parse(char *text, struct modem_drill_record *r)
{
	int64_t slot, running, how;

	if (strncmp(text, HEAD, sizeof(HEAD) - 1) != 0)
		return false;
	text += sizeof(HEAD) - 1;
	if (!number(value(&text, "slot"), 99991231, &slot) ||
	    !number(value(&text, "running"), 1, &running) ||
	    !number(value(&text, "how"), DRILL_CUT, &how) ||
	    !parse_run(value(&text, "last"), &r->last) ||
	    !parse_run(value(&text, "good"), &r->good))
		return false;
	r->slot = (int)slot;
	r->running = running == 1;
	r->how = (enum drill_how)how;
	return true;
}

void
modem_drill_read(const char *state_dir, struct modem_drill_record *r)
{
	char *path = path_of(state_dir);
	char *text = file_read(path, FILE_MAX, NULL);

	memset(r, 0, sizeof(*r));
	if (text == NULL && errno != ENOENT)
		log_errno("%s", path);
	if (text != NULL && !parse(text, r)) {
		log_warn("%s: broken, begun anew", path);
		memset(r, 0, sizeof(*r));
	}
	free(text);
	free(path);
}
