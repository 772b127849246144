#include <stdlib.h>
#include <string.h>

#include "../../server/base/mem.h"
#include "script.h"

#define LINE_ROOM 1024		/* no script line is longer */

struct player {
	struct wire *wire;
	bool pauses;
	void (*ended)(void *arg);
	void *arg;
	struct timer *timer;
	const struct script_line *at;	/* NULL: nothing is playing */
	bool paused;		/* the pause before this line is over */
};

void
script_say(struct wire *w, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		wire_put(w, text, n);
		text += n;
		if (*text == '\n') {
			wire_put(w, "\r\n", 2);
			text++;
		}
	}
}

void
player_more(struct player *p)
{
	if (timer_is_set(p->timer))
		return;
	while (p->at != NULL && wire_room(p->wire) > LINE_ROOM) {
		if (p->at->text == NULL) {
			p->at = NULL;
			p->ended(p->arg);
			return;
		}
		if (p->at->pause_ms > 0 && p->pauses && !p->paused) {
			p->paused = true;
			timer_set(p->timer, p->at->pause_ms);
			return;
		}
		p->paused = false;
		script_say(p->wire, p->at->text);
		p->at++;
	}
}

static void
on_timer(void *arg)
{
	player_more(arg);
}

struct player *
player_new(struct loop *loop, struct wire *w, bool pauses,
    void (*ended)(void *arg), void *arg)
{
	struct player *p = xcalloc(1, sizeof(*p));

	p->wire = w;
	p->pauses = pauses;
	p->ended = ended;
	p->arg = arg;
	p->timer = timer_new(loop, on_timer, p);
	return p;
}

void
player_free(struct player *p)
{
	if (p == NULL)
		return;
	timer_free(p->timer);
	free(p);
}

void
player_start(struct player *p, const struct script_line *script)
{
	p->at = script;
	p->paused = false;
	/* From the loop, never from here: the caller may be in ended. */
	timer_set(p->timer, 0);
}
