#include <stdlib.h>
#include <string.h>

#include "told.h"
#include "verbs.h"

struct told {
	struct feed *feed;
	uint32_t task;
};

static void
print(void *arg, const char *text)
{
	const struct told *t = arg;

	feed_told(t->feed, t->task, 2, text, strlen(text));
}

int
told_usage(struct feed *feed, const struct feed_task *task)
{
	struct told t = { feed, task->id };

	verbs_usage(verb_find(task->argv[0]), print, &t);
	return ST_USAGE;
}

int
told_json(struct feed *feed, uint32_t task, json_t *value)
{
	char *text = json_dumps(value, JSON_INDENT(2));

	json_decref(value);
	if (text == NULL) {
		feed_toldf(feed, task, 2, "oobd: out of memory\n");
		return ST_FAILED;
	}
	feed_told(feed, task, 1, text, strlen(text));
	feed_told(feed, task, 1, "\n", 1);
	free(text);
	return ST_OK;
}
