#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "feed_internal.h"

/* What only the ssh process and the modem process do: see feed.h. */

#define WORD_MAX 4096
#define TOLD_MAX 8192		/* in one frame */
#define NOTICE_NAME 64
#define NOTICE_TEXT 1536

/* Things for status. */

static void
send_info(struct feed *f, const struct feed_kept_info *i)
{
	struct frame_out *o;

	if (!feed_can_send(f))
		return;		/* said again when the link is up */
	o = link_start(f->link, RQ_INFO);
	frame_put_str(o, i->key);
	frame_put_str(o, i->text);
	link_send(f->link);
}

static struct feed_kept_info *
info_of(struct feed *f, const char *key)
{
	for (size_t i = 0; i < f->ninfos; i++) {
		if (strcmp(f->infos[i].key, key) == 0)
			return &f->infos[i];
	}
	if (f->ninfos == FEED_INFOS_MAX)
		return NULL;
	if (f->infos == NULL)
		f->infos = xcalloc(FEED_INFOS_MAX, sizeof(*f->infos));
	snprintf(f->infos[f->ninfos].key, sizeof(f->infos[0].key), "%s", key);
	return &f->infos[f->ninfos++];
}

void
feed_info(struct feed *f, const char *key, const char *text)
{
	struct feed_kept_info *i = info_of(f, key);

	if (i == NULL) {
		log_warn("no room for status to show %s", key);
		return;
	}
	snprintf(i->text, sizeof(i->text), "%s", text);
	send_info(f, i);
	if (i->text[0] != '\0')
		return;
	*i = f->infos[--f->ninfos];
}

/* Events and notices. */

static void
send_event(struct feed *f, const struct feed_kept_event *e)
{
	struct frame_out *o = link_start(f->link, RQ_EVENT);

	frame_put_str(o, e->kind);
	frame_put_str(o, e->text);
	link_send(f->link);
}

static struct feed_kept_event *
keep_event(struct feed *f)
{
	if (f->events == NULL)
		f->events = xcalloc(FEED_EVENTS_MAX, sizeof(*f->events));
	if (f->nevents < FEED_EVENTS_MAX)
		return &f->events[f->nevents++];
	log_warn("the console process is away: event %s %s is lost",
	    f->events[0].kind, f->events[0].text);
	memmove(f->events, f->events + 1,
	    (FEED_EVENTS_MAX - 1) * sizeof(*f->events));
	return &f->events[FEED_EVENTS_MAX - 1];
}

void
feed_event(struct feed *f, const char *kind, const char *text)
{
	struct feed_kept_event now, *e = &now;

	if (!feed_can_send(f))
		e = keep_event(f);
	snprintf(e->kind, sizeof(e->kind), "%s", kind);
	snprintf(e->text, sizeof(e->text), "%s", text);
	if (e == &now)
		send_event(f, e);
}

static void
send_auth(struct feed *f, const struct feed_kept_auth *a)
{
	struct frame_out *o = link_start(f->link, RQ_AUTH);

	frame_put_u8(o, (uint8_t)a->what);
	frame_put_u64(o, a->login);
	frame_put_str(o, a->user);
	frame_put_str(o, a->way);
	frame_put_str(o, a->key);
	frame_put_str(o, a->from);
	frame_put_str(o, a->via);
	frame_put_str(o, a->why);
	link_send(f->link);
}

static struct feed_kept_auth *
keep_auth(struct feed *f)
{
	if (f->auths == NULL)
		f->auths = xcalloc(FEED_AUTHS_MAX, sizeof(*f->auths));
	if (f->nauths < FEED_AUTHS_MAX)
		return &f->auths[f->nauths++];
	memmove(f->auths, f->auths + 1,
	    (FEED_AUTHS_MAX - 1) * sizeof(*f->auths));
	return &f->auths[FEED_AUTHS_MAX - 1];
}

static void
copy(char *dst, size_t size, const char *text)
{
	snprintf(dst, size, "%s", text == NULL ? "" : text);
}

void
feed_auth(struct feed *f, const struct feed_auth *a)
{
	struct feed_kept_auth now, *k = &now;

	if (!feed_can_send(f))
		k = keep_auth(f);
	k->what = a->what;
	k->login = a->login;
	copy(k->user, sizeof(k->user), a->user);
	copy(k->way, sizeof(k->way), a->way);
	copy(k->key, sizeof(k->key), a->key);
	copy(k->from, sizeof(k->from), a->from);
	copy(k->via, sizeof(k->via), a->via);
	copy(k->why, sizeof(k->why), a->why);
	if (k == &now)
		send_auth(f, k);
}

void
feed_tell(struct feed *f, const char *text)
{
	if (!feed_can_send(f))
		return;
	frame_put_str(link_start(f->link, RQ_TELL), text);
	link_send(f->link);
}

/* Tasks. */

static struct feed_kept_task *
task_with_id(struct feed *f, uint32_t id)
{
	for (size_t i = 0; i < f->ntasks; i++) {
		if (f->tasks[i].id == id)
			return &f->tasks[i];
	}
	return NULL;
}

static void
forget_task(struct feed *f, struct feed_kept_task *t)
{
	*t = f->tasks[--f->ntasks];
}

void
feed_told(struct feed *f, uint32_t task, int stream, const void *p, size_t n)
{
	struct feed_kept_task *t = task_with_id(f, task);
	const char *rest = p;
	struct frame_out *o;
	size_t part;

	for (; n > 0 && t != NULL; rest += part, n -= part) {
		part = n < TOLD_MAX ? n : TOLD_MAX;
		if (!feed_can_send(f))
			t->cut = true;
		if (t->cut)
			return;
		o = link_start(f->link, RQ_TOLD);
		frame_put_u32(o, task);
		frame_put_u8(o, (uint8_t)stream);
		frame_put_bytes(o, rest, part);
		link_send(f->link);
		link_flush(f->link);
	}
}

void
feed_toldf(struct feed *f, uint32_t task, int stream, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	feed_told(f, task, stream, text, strlen(text));
}

void
feed_done(struct feed *f, uint32_t task, int status)
{
	struct feed_kept_task *t = task_with_id(f, task);
	struct frame_out *o;

	if (t == NULL)
		return;
	o = link_start(f->link, RQ_DONE);
	frame_put_u32(o, task);
	frame_put_u8(o, (uint8_t)(t->cut && status == ST_OK ? ST_FAILED :
	    status));
	forget_task(f, t);
	link_send(f->link);
	link_flush(f->link);
}

static void
give_task(struct feed *f, const struct feed_task *t)
{
	f->tasks[f->ntasks++] = (struct feed_kept_task){ t->id, false };
	if (f->ops->task != NULL) {
		f->ops->task(f->arg, t);
		return;
	}
	feed_toldf(f, t->id, 2, "oobd: the %s process runs no verbs\n",
	    f->program);
	feed_done(f, t->id, ST_FAILED);
}

static int
on_task(struct feed *f, struct frame *fr)
{
	char user[128], via[128], word[WORD_MAX], *argv[ARGS_MAX + 1];
	struct feed_task t = { .user = user, .via = via, .argv = argv };
	int argc, n = 0, r = -1;

	t.id = frame_u32(fr);
	frame_str(fr, user, sizeof(user));
	frame_str(fr, via, sizeof(via));
	t.tty = frame_u8(fr) != 0;
	t.columns = frame_u16(fr);
	argc = frame_u8(fr);
	while (n < argc && n < ARGS_MAX && !fr->bad) {
		frame_str(fr, word, sizeof(word));
		argv[n++] = xstrdup(word);
	}
	argv[n] = NULL;
	t.argc = n;
	if (frame_ok(fr) && n == argc && n > 0 && f->ntasks < TASKS_MAX &&
	    task_with_id(f, t.id) == NULL) {
		give_task(f, &t);
		r = 0;
	}
	while (n > 0)
		free(argv[--n]);
	return r;
}

static int
on_task_gone(struct feed *f, struct frame *fr)
{
	uint32_t id = frame_u32(fr);
	struct feed_kept_task *t = task_with_id(f, id);

	if (!frame_ok(fr))
		return -1;
	if (t == NULL)
		return 0;	/* done while this was on its way */
	forget_task(f, t);
	if (f->ops->task_gone != NULL)
		f->ops->task_gone(f->arg, id);
	return 0;
}

static int
on_presence(struct feed *f, struct frame *fr)
{
	uint32_t attached = frame_u32(fr), by_relay = frame_u32(fr);

	if (!frame_ok(fr))
		return -1;
	if (f->ops->presence != NULL)
		f->ops->presence(f->arg, attached, by_relay);
	return 0;
}

static int
on_grants(struct feed *f, struct frame *fr)
{
	struct feed_granted list[FEED_GRANTS_MAX];
	size_t n = frame_u16(fr);

	if (n > FEED_GRANTS_MAX)
		return -1;
	for (size_t i = 0; i < n; i++) {
		frame_str(fr, list[i].user, sizeof(list[i].user));
		frame_str(fr, list[i].console, sizeof(list[i].console));
	}
	if (!frame_ok(fr))
		return -1;
	if (f->ops->grants != NULL)
		f->ops->grants(f->arg, list, n);
	return 0;
}

static int
on_notice(struct feed *f, struct frame *fr)
{
	char source[NOTICE_NAME], event[NOTICE_NAME], text[NOTICE_TEXT];
	struct feed_notice n = { .source = source, .event = event,
	    .text = text };

	n.id = frame_u64(fr);
	n.severity = frame_u8(fr);
	frame_str(fr, source, sizeof(source));
	frame_str(fr, event, sizeof(event));
	frame_str(fr, text, sizeof(text));
	if (!frame_ok(fr))
		return -1;
	if (f->ops->notice != NULL)
		f->ops->notice(f->arg, &n);
	return 0;
}

void
feed_notice_taken(struct feed *f, uint64_t id)
{
	/* They come right after the welcome; if it is lost, they come again. */
	if (f->state != FEED_LISTING && !feed_can_send(f))
		return;
	frame_put_u64(link_start(f->link, NT_TAKEN), id);
	link_send(f->link);
}

int
feed_peer_frame(struct feed *f, struct frame *fr)
{
	switch (fr->type) {
	case NT_EVENT:
		return on_notice(f, fr);
	case AN_TASK:
		return on_task(f, fr);
	case AN_TASK_GONE:
		return on_task_gone(f, fr);
	case AN_PRESENCE:
		return on_presence(f, fr);
	case AN_GRANTS:
		return on_grants(f, fr);
	}
	return -1;
}

void
feed_peer_link_up(struct feed *f)
{
	for (size_t i = 0; i < f->ninfos; i++)
		send_info(f, &f->infos[i]);
	for (size_t i = 0; i < f->nevents; i++)
		send_event(f, &f->events[i]);
	f->nevents = 0;
	for (size_t i = 0; i < f->nauths; i++)
		send_auth(f, &f->auths[i]);
	f->nauths = 0;
}

void
feed_peer_link_down(struct feed *f)
{
	while (f->ntasks > 0) {
		uint32_t id = f->tasks[--f->ntasks].id;

		if (f->ops->task_gone != NULL)
			f->ops->task_gone(f->arg, id);
	}
}

void
feed_peer_free(struct feed *f)
{
	free(f->infos);
	free(f->events);
	free(f->auths);
}
