#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "inbox_internal.h"

#define IDLE_MS (60 * 1000)
#define WAITING_MS (15 * 1000)
#define LIST_TRIES 2		/* then message by message */
#define READ_TRIES 2		/* then someone else has to help */
#define SKIP_ROUNDS 10		/* a store that there is not */
#define STUCK_READ 2		/* rounds: delete those read at once */
#define STUCK_ALL 4		/* all of them */
#define STUCK_TELL 5		/* say so, and every so many rounds */
#define ROUNDS_MAX 8		/* without a pause */
#define TOTAL_GUESS 40		/* places in a store that does not say */
#define TOTAL_MAX 255

struct inbox *
inbox_new(const char *const stores[], size_t nstores, const char *seen_path,
    const struct inbox_ops *ops, void *arg)
{
	struct inbox *b = xcalloc(1, sizeof(*b));

	b->ops = ops;
	b->arg = arg;
	b->seen = seen_open(seen_path);
	b->join = join_new();
	b->state = INBOX_ABSENT;
	b->nstores = nstores > INBOX_STORES ? INBOX_STORES : nstores;
	for (size_t i = 0; i < b->nstores; i++)
		snprintf(b->stores[i].name, sizeof(b->stores[i].name), "%s",
		    stores[i]);
	return b;
}

void
inbox_free(struct inbox *b)
{
	if (b == NULL)
		return;
	seen_free(b->seen);
	join_free(b->join);
	free(b);
}

static struct store *
store_now(struct inbox *b)
{
	return &b->stores[(b->first + b->round) % b->nstores];
}

static struct store *
store_named(struct inbox *b, const char *name)
{
	for (size_t i = 0; i < b->nstores; i++) {
		if (strcmp(b->stores[i].name, name) == 0)
			return &b->stores[i];
	}
	return NULL;
}

/*
 * Every change of state is a command given, or the end of a round.
 */
static void
change_state(struct inbox *b, enum inbox_state state)
{
	struct store *s;

	b->state = state;
	b->asked = b->answered = false;
	if (state == INBOX_ABSENT || state == INBOX_IDLE)
		return;
	b->asked = true;
	s = store_now(b);
	switch (state) {
	case INBOX_LISTING:
		b->ops->list(b->arg, s->name);
		break;
	case INBOX_READING:
		b->ops->read(b->arg, s->name, b->index);
		break;
	case INBOX_REMOVING:
		b->ops->remove(b->arg, s->name, b->slots[b->at].index);
		break;
	case INBOX_REMOVING_ALL:
		b->ops->remove_all(b->arg, s->name, s->stuck >= STUCK_ALL ?
		    INBOX_ALL : INBOX_READ_ONES);
		break;
	case INBOX_ABSENT:
	case INBOX_IDLE:
		break;
	}
}

/*
 * What happens from outside
 */
void
inbox_ready(struct inbox *b, bool ready)
{
	if (!ready) {
		change_state(b, INBOX_ABSENT);
		return;
	}
	if (b->state != INBOX_ABSENT || b->nstores == 0)
		return;
	/* It may be another modem, or the same one come to its senses. */
	for (size_t i = 0; i < b->nstores; i++) {
		struct store *s = &b->stores[i];

		s->by_index = false;
		s->skip = s->failures = s->stuck = 0;
		s->used = s->total = 0;
	}
	b->soon = true;
	change_state(b, INBOX_IDLE);
}

void
inbox_waiting(struct inbox *b, bool waits)
{
	if (waits && !b->waits)
		b->soon = true;
	b->waits = waits;
}

void
inbox_poke(struct inbox *b, const char *store)
{
	struct store *s = store == NULL ? NULL : store_named(b, store);

	b->soon = true;
	if (s == NULL)
		return;
	s->skip = 0;
	if (b->state == INBOX_IDLE)
		b->first = (size_t)(s - b->stores);
}

static void
add_slot(struct inbox *b, unsigned index, const char *hex, size_t n)
{
	const char *why;
	struct slot *s;
	int len;

	if (b->nslots == INBOX_SLOTS) {
		b->more = true;
		return;
	}
	s = &b->slots[b->nslots++];
	len = pdu_from_hex(s->octets, sizeof(s->octets), hex, n, &why);
	s->len = len == -1 ? 0 : (size_t)len;
	s->index = index;
}

void
inbox_listed(struct inbox *b, unsigned index, const char *hex, size_t n)
{
	bool looks = b->state == INBOX_LISTING || b->state == INBOX_READING;

	if (looks && b->asked && !b->answered)
		add_slot(b, index, hex, n);
}

void
inbox_direct(struct inbox *b, const char *hex, size_t n, struct mono now)
{
	struct slot kept = b->slots[0];
	size_t nkept = b->nslots;

	/* What was listed meanwhile is put aside. */
	b->nslots = 0;
	add_slot(b, 0, hex, n);
	inbox_take(b, false, now);
	b->slots[0] = kept;
	b->nslots = nkept;
}

void
inbox_answer(struct inbox *b, enum inbox_answer answer)
{
	if (!b->asked)
		return;
	b->answered = true;
	b->answer = answer;
}

void
inbox_size(struct inbox *b, const char *store, unsigned used, unsigned total)
{
	struct store *s = store_named(b, store);

	if (s == NULL)
		return;
	s->used = used;
	s->total = total > TOTAL_MAX ? TOTAL_MAX : total;
}

/*
 * Going round
 */
static void
start_store(struct inbox *b)
{
	b->nslots = b->at = 0;
	b->more = false;
	b->failed = b->index = 0;
	change_state(b, store_now(b)->by_index ? INBOX_READING :
	    INBOX_LISTING);
}

static void
end_round(struct inbox *b, struct mono now)
{
	/* A store that keeps everything must not keep us busy for ever. */
	bool at_once = b->again && b->progress > 0 &&
	    b->rounds + 1 < ROUNDS_MAX;

	b->rounds = at_once ? b->rounds + 1 : 0;
	b->soon = b->soon || at_once;
	b->next = mono_after(now, b->waits || b->again ? WAITING_MS : IDLE_MS);
	b->first = b->round = 0;
	change_state(b, INBOX_IDLE);
}

/* The next store that there is, from round on. */
static void
go_on(struct inbox *b, struct mono now)
{
	for (; b->round < b->nstores; b->round++) {
		struct store *s = store_now(b);

		if (s->skip == 0) {
			start_store(b);
			return;
		}
		s->skip--;
	}
	end_round(b, now);
}

static void
next_store(struct inbox *b, struct mono now)
{
	if (b->state == INBOX_ABSENT)
		return;
	b->again = b->again || b->more;
	b->round++;
	go_on(b, now);
}

static void
start_round(struct inbox *b, struct mono now)
{
	b->soon = b->again = false;
	b->progress = 0;
	b->round = 0;
	go_on(b, now);
}

static void
begin_removing(struct inbox *b, struct mono now)
{
	/* Whoever was given a message may have sent the modem away. */
	if (b->state == INBOX_ABSENT)
		return;
	b->at = 0;
	if (b->nslots > 0)
		change_state(b, INBOX_REMOVING);
	else
		next_store(b, now);
}

/* Everything of this store that could be had is in slots. */
static void
end_looking(struct inbox *b, bool complete, struct mono now)
{
	struct store *s = store_now(b);

	inbox_take(b, !s->swept, now);
	if (complete && !b->more)
		s->swept = true;
	begin_removing(b, now);
}

static void
tell_stuck(struct inbox *b, const char *what)
{
	char text[80];

	snprintf(text, sizeof(text), "message store %s %s", store_now(b)->name,
	    what);
	log_warn("%s", text);
	b->ops->stuck(b->arg, text);
}

static void
on_list(struct inbox *b, struct mono now)
{
	struct store *s = store_now(b);

	if (b->answer == INBOX_OK) {
		s->failures = 0;
		end_looking(b, true, now);
		return;
	}
	if (b->answer == INBOX_NO_STORE) {
		s->skip = SKIP_ROUNDS;
		next_store(b, now);
		return;
	}
	b->counts.failed++;
	b->again = true;
	if (++s->failures >= LIST_TRIES) {
		log_warn("message store %s cannot be listed, it is read "
		    "message by message", s->name);
		s->by_index = true;
		s->failures = 0;
	}
	/* Those listed before it failed are as good as any. */
	end_looking(b, false, now);
}

/* Some modems count from 0, some from 1. */
static bool
is_last(const struct store *s, unsigned index, size_t found)
{
	if (s->total == 0)
		return index >= TOTAL_GUESS;
	/* Some say 0 for a moment after a message came. */
	return index >= s->total || (s->used > 0 && found >= s->used);
}

static void
on_read(struct inbox *b, struct mono now)
{
	struct store *s = store_now(b);

	if (b->answer == INBOX_TIMEOUT || b->answer == INBOX_NO_STORE) {
		b->counts.failed++;
		b->again = true;
		if (++s->failures % READ_TRIES == 0)
			tell_stuck(b, "does not answer");
		end_looking(b, false, now);
		return;
	}
	/* An error is an empty place. */
	if (is_last(s, b->index, b->nslots)) {
		s->failures = 0;
		end_looking(b, true, now);
		return;
	}
	b->index++;
	change_state(b, INBOX_READING);
}

static void
end_removing(struct inbox *b, struct mono now)
{
	struct store *s = store_now(b);

	s->stuck = b->failed > 0 ? s->stuck + 1 : 0;
	if (s->stuck > 0)
		b->again = true;
	if (s->stuck >= STUCK_READ)
		change_state(b, INBOX_REMOVING_ALL);
	else
		next_store(b, now);
}

static void
on_remove(struct inbox *b, struct mono now)
{
	if (b->answer == INBOX_OK) {
		b->counts.removed++;
		b->progress++;
	} else {
		b->counts.not_removed++;
		/* An empty place that was listed may well refuse. */
		b->failed += !b->slots[b->at].broken;
	}
	/* One that hangs is enough for this time. */
	if (b->answer != INBOX_TIMEOUT && ++b->at < b->nslots)
		change_state(b, INBOX_REMOVING);
	else
		end_removing(b, now);
}

static void
on_remove_all(struct inbox *b, struct mono now)
{
	struct store *s = store_now(b);

	if (b->answer == INBOX_OK)
		b->progress++;
	if (s->stuck % STUCK_TELL == 0)
		tell_stuck(b, "keeps what is deleted");
	next_store(b, now);
}

static void
on_answer(struct inbox *b, struct mono now)
{
	switch (b->state) {
	case INBOX_LISTING:
		on_list(b, now);
		break;
	case INBOX_READING:
		on_read(b, now);
		break;
	case INBOX_REMOVING:
		on_remove(b, now);
		break;
	case INBOX_REMOVING_ALL:
		on_remove_all(b, now);
		break;
	case INBOX_ABSENT:
	case INBOX_IDLE:
		break;
	}
}

int64_t
inbox_run(struct inbox *b, struct mono now)
{
	for (;;) {
		if (b->state == INBOX_ABSENT || (b->asked && !b->answered))
			return -1;
		if (b->answered)
			on_answer(b, now);
		else if (b->soon || mono_us(now, b->next) <= 0)
			start_round(b, now);
		else
			return (mono_us(now, b->next) + 999) / 1000;
	}
}

bool
inbox_is_busy(const struct inbox *b)
{
	return b->state != INBOX_ABSENT && b->state != INBOX_IDLE;
}

bool
inbox_is_swept(const struct inbox *b)
{
	for (size_t i = 0; i < b->nstores; i++) {
		if (!b->stores[i].swept && b->stores[i].skip == 0)
			return false;
	}
	return b->state != INBOX_ABSENT;
}

const struct inbox_counts *
inbox_counts(const struct inbox *b)
{
	return &b->counts;
}
