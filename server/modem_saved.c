#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/str.h"
#include "modem_saved.h"

#define FILE_MAX 16384
#define HEAD "oobd link 1"
#define DEAD_HEAD "oobd uplink 1\n"

static void
path_of(char dst[PATH_MAX], const char *state_dir, const char *name)
{
	snprintf(dst, PATH_MAX, "%s/%s", state_dir, name);
}

static void
remove_file(const char *path)
{
	if (unlink(path) == -1 && errno != ENOENT)
		log_errno("%s", path);
}

void
modem_saved_write(const char *state_dir, const struct linkstate_saved *s)
{
	char path[PATH_MAX], boot[OS_BOOT_ID];
	char *text;

	path_of(path, state_dir, "link");
	if (s == NULL || os_boot_id(boot, sizeof(boot)) == -1) {
		remove_file(path);
		return;
	}
	text = xasprintf(HEAD "\nboot %s\nhold_ms %" PRId64 "\nwas_up %d\n"
	    "until_us %" PRId64 "\nfirst_up_us %" PRId64 "\nwho %s\n", boot,
	    s->hold_ms, s->was_up, s->was_up ? s->until.us : 0,
	    s->was_up ? s->first_up.us : 0, s->who);
	if (file_replace(path, text, strlen(text), 0600) == -1)
		log_errno("%s: a restart would end the link", path);
	free(text);
}

/* The value of this line, which must be next in *text; NULL: it is not. */
static char *
value(char **text, const char *name)
{
	size_t n = strlen(name);
	char *line = *text, *end = strchr(line, '\n');

	if (end == NULL || strncmp(line, name, n) != 0 || line[n] != ' ')
		return NULL;
	*end = '\0';
	*text = end + 1;
	return line + n + 1;
}

static bool
number(char **text, const char *name, int64_t *out)
{
	char *v = value(text, name);

	return v != NULL && str_int(v, 0, INT64_MAX, out) == 0;
}

static bool
parse(char *text, const char *boot, struct linkstate_saved *s)
{
	static const char head[] = HEAD "\n";
	int64_t was_up;
	char *v;

	memset(s, 0, sizeof(*s));
	if (strncmp(text, head, sizeof(head) - 1) != 0)
		return false;
	text += sizeof(head) - 1;
	v = value(&text, "boot");
	if (v == NULL || strcmp(v, boot) != 0)
		return false;
	if (!number(&text, "hold_ms", &s->hold_ms) || s->hold_ms == 0 ||
	    !number(&text, "was_up", &was_up) || was_up > 1 ||
	    !number(&text, "until_us", &s->until.us) ||
	    !number(&text, "first_up_us", &s->first_up.us))
		return false;
	s->was_up = was_up == 1;
	v = value(&text, "who");
	if (v == NULL || strlen(v) >= sizeof(s->who))
		return false;
	str_safe(s->who, sizeof(s->who), v, strlen(v));
	/* It cannot have come up later than now, nor end before it began. */
	return !s->was_up || (s->first_up.us <= mono_now().us &&
	    s->until.us >= s->first_up.us);
}

/* NULL: there is none (logged, where that is a fault). */
static char *
read_file(const char *path)
{
	char *text = file_read(path, FILE_MAX, NULL);

	if (text == NULL && errno != ENOENT)
		log_errno("%s", path);
	return text;
}

bool
modem_saved_read(const char *state_dir, struct linkstate_saved *s)
{
	char path[PATH_MAX], boot[OS_BOOT_ID];
	bool good;
	char *text;

	path_of(path, state_dir, "link");
	if (os_boot_id(boot, sizeof(boot)) == -1)
		return false;
	text = read_file(path);
	if (text == NULL)
		return false;
	good = parse(text, boot, s);
	free(text);
	return good;
}

void
modem_saved_dead(const char *state_dir, const struct mono *since,
    const char *words)
{
	char path[PATH_MAX], boot[OS_BOOT_ID];
	char *text;

	path_of(path, state_dir, "uplink");
	if (since == NULL || os_boot_id(boot, sizeof(boot)) == -1) {
		remove_file(path);
		return;
	}
	text = xasprintf(DEAD_HEAD "boot %s\ndead_us %" PRId64 "\nwatch %s\n",
	    boot, since->us, words);
	if (file_replace(path, text, strlen(text), 0600) == -1)
		log_errno("%s: a restart would bring the link up again", path);
	free(text);
}

static bool
parse_dead(char *text, const char *boot, struct mono *since,
    const char *words)
{
	char *v;

	if (strncmp(text, DEAD_HEAD, sizeof(DEAD_HEAD) - 1) != 0)
		return false;
	text += sizeof(DEAD_HEAD) - 1;
	v = value(&text, "boot");
	if (v == NULL || strcmp(v, boot) != 0 ||
	    !number(&text, "dead_us", &since->us) ||
	    since->us > mono_now().us)
		return false;
	v = value(&text, "watch");
	return v != NULL && strcmp(v, words) == 0;
}

bool
modem_saved_was_dead(const char *state_dir, struct mono *since,
    const char *words)
{
	char path[PATH_MAX], boot[OS_BOOT_ID];
	bool was;
	char *text;

	path_of(path, state_dir, "uplink");
	if (os_boot_id(boot, sizeof(boot)) == -1)
		return false;
	text = read_file(path);
	was = text != NULL && parse_dead(text, boot, since, words);
	free(text);
	return was;
}
