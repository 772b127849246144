#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/link.h"
#include "base/log.h"
#include "base/mem.h"
#include "modem_way.h"

#define OUT_MAX (256 * 1024)
#define SMS_TEXT 2048
#define ROUTES_TEXT 2048

struct modem_way {
	struct loop *loop;
	struct link *link;		/* NULL: no ssh process */
	struct link *notify;		/* NULL: no notify process */
	modem_way_sms_fn *sms;
	void *sms_arg;
	const struct modem_way_ops *ops;
	void *arg;
	enum way way;
	bool proven;			/* whoever sends secrets may use it */
	char *interface, *local, *dns;
	struct modem_relay relays[CONFIG_RELAYS_MAX];
	size_t nrelays;
};

const char *
modem_way_relay_text(enum way_relay state)
{
	static const char *const texts[] = {
		[WAY_RELAY_OFF] = "off",
		[WAY_RELAY_TRYING] = "trying",
		[WAY_RELAY_FORWARDED] = "forwarded",
		[WAY_RELAY_PROVEN] = "proven",
		[WAY_RELAY_FAILED] = "failed",
	};

	return texts[state];
}

const char *
modem_way_text(enum way way)
{
	static const char *const texts[] = {
		[WAY_DOWN] = "none",
		[WAY_EXISTING] = "existing",
		[WAY_PPP] = "ppp",
	};

	return texts[way];
}

static void
say_to(const struct modem_way *w, struct link *to, enum way way)
{
	struct frame_out *o;

	if (to == NULL)
		return;
	o = link_start(to, WY_LINK);
	frame_put_u8(o, (uint8_t)way);
	frame_put_str(o, w->interface);
	frame_put_str(o, w->local);
	frame_put_str(o, w->dns);
	link_send(to);
	link_flush(to);
}

/* Relays prove it, by their keys; whom we notify could be a portal. */
static void
say_to_notify(const struct modem_way *w)
{
	say_to(w, w->notify, w->way == WAY_PPP && !w->proven ? WAY_DOWN :
	    w->way);
}

/* The place of this relay; a reload may have renamed some: then start over. */
static struct modem_relay *
place(struct modem_way *w, const char *name)
{
	for (size_t i = 0; i < w->nrelays; i++) {
		if (strcmp(w->relays[i].name, name) == 0)
			return &w->relays[i];
	}
	if (w->nrelays == CONFIG_RELAYS_MAX)
		w->nrelays = 0;
	return &w->relays[w->nrelays++];
}

static unsigned
count_failures(const struct modem_relay *before, const struct modem_relay *now)
{
	bool same = strcmp(before->name, now->name) == 0;
	unsigned n = same ? before->failed : 0;

	switch (now->state) {
	case WAY_RELAY_OFF:
	case WAY_RELAY_FORWARDED:
	case WAY_RELAY_PROVEN:
		return 0;
	case WAY_RELAY_TRYING:
		break;
	case WAY_RELAY_FAILED:
		return same && before->state == WAY_RELAY_FAILED ? n : n + 1;
	}
	return n;
}

static int
on_relay(struct modem_way *w, struct frame *f)
{
	struct modem_relay r = { .always = false }, *at;
	uint8_t state;

	frame_str(f, r.name, sizeof(r.name));
	r.always = frame_u8(f) != 0;
	state = frame_u8(f);
	frame_str(f, r.failure, sizeof(r.failure));
	frame_str(f, r.text, sizeof(r.text));
	if (!frame_ok(f) || state > WAY_RELAY_FAILED)
		return -1;
	r.state = (enum way_relay)state;
	at = place(w, r.name);
	r.failed = count_failures(at, &r);
	*at = r;
	w->ops->changed(w->arg);
	return 0;
}

static int
on_route(struct modem_way *w, struct frame *f)
{
	char list[ROUTES_TEXT], *rest = list, *one;

	frame_str(f, list, sizeof(list));
	if (!frame_ok(f))
		return -1;
	while ((one = strsep(&rest, ", ")) != NULL) {
		if (*one != '\0')
			w->ops->route(w->arg, one);
	}
	return 0;
}

static int
on_drilled(struct modem_way *w, struct frame *f)
{
	uint32_t id = frame_u32(f);
	uint8_t how = frame_u8(f);
	uint64_t bytes = frame_u64(f);
	char text[MODEM_RELAY_TEXT];

	frame_str(f, text, sizeof(text));
	if (!frame_ok(f) || how > WAY_DRILL_FAILED)
		return -1;
	w->ops->drilled(w->arg, id, (enum way_drill)how, bytes, text);
	return 0;
}

void
modem_way_drill(struct modem_way *w, uint32_t id, const char *relay)
{
	struct frame_out *o;

	if (w->link == NULL)
		return;
	o = link_start(w->link, WY_DRILL);
	frame_put_u32(o, id);
	frame_put_str(o, relay);
	link_send(w->link);
	link_flush(w->link);
}

static int
on_frame(void *arg, struct frame *f, int fd)
{
	if (fd != -1) {
		close(fd);
		return -1;
	}
	if (f->type == WY_DRILLED)
		return on_drilled(arg, f);
	if (f->type == WY_ROUTE)
		return on_route(arg, f);
	return f->type == WY_RELAY ? on_relay(arg, f) : -1;
}

static void
on_down(void *arg, const char *why)
{
	struct modem_way *w = arg;

	log_debug("ssh process: %s", why);
	link_free(w->link);
	w->link = NULL;
	w->nrelays = 0;
	w->ops->changed(w->arg);
}

static const struct link_ops link_ops = {
	.frame = on_frame,
	.down = on_down,
};

/* The notify process. */

static int
on_sms(struct modem_way *w, struct frame *f)
{
	uint32_t id = frame_u32(f);
	char number[32], text[SMS_TEXT], why[128] = "there is no modem";
	enum nt_sms how = NT_SMS_LATER;
	struct frame_out *o;

	frame_str(f, number, sizeof(number));
	frame_str(f, text, sizeof(text));
	if (!frame_ok(f))
		return -1;
	if (w->sms != NULL)
		how = w->sms(w->sms_arg, number, text, why, sizeof(why));
	if (how == NT_SMS_TAKEN)
		snprintf(why, sizeof(why), "in the modem's queue");
	o = link_start(w->notify, NT_SMS_DONE);
	frame_put_u32(o, id);
	frame_put_u8(o, (uint8_t)how);
	frame_put_str(o, why);
	link_send(w->notify);
	link_flush(w->notify);
	return 0;
}

static int
on_notify_frame(void *arg, struct frame *f, int fd)
{
	if (fd != -1) {
		close(fd);
		return -1;
	}
	if (f->type == WY_ROUTE)
		return on_route(arg, f);
	return f->type == NT_SMS ? on_sms(arg, f) : -1;
}

static void
on_notify_down(void *arg, const char *why)
{
	struct modem_way *w = arg;

	log_debug("notify process: %s", why);
	link_free(w->notify);
	w->notify = NULL;
}

static const struct link_ops notify_ops = {
	.frame = on_notify_frame,
	.down = on_notify_down,
};

void
modem_way_notify(struct modem_way *w, int fd, modem_way_sms_fn *sms, void *arg)
{
	link_free(w->notify);
	w->sms = sms;
	w->sms_arg = arg;
	w->notify = link_new(w->loop, fd, OUT_MAX, &notify_ops, w);
	say_to_notify(w);
}

struct modem_way *
modem_way_new(struct loop *loop, const struct modem_way_ops *ops, void *arg)
{
	struct modem_way *w = xcalloc(1, sizeof(*w));

	w->loop = loop;
	w->ops = ops;
	w->arg = arg;
	w->interface = xstrdup("");
	w->local = xstrdup("");
	w->dns = xstrdup("");
	return w;
}

void
modem_way_free(struct modem_way *w)
{
	if (w == NULL)
		return;
	link_free(w->link);
	link_free(w->notify);
	free(w->interface);
	free(w->local);
	free(w->dns);
	free(w);
}

void
modem_way_link(struct modem_way *w, int fd)
{
	link_free(w->link);
	w->nrelays = 0;
	w->link = link_new(w->loop, fd, OUT_MAX, &link_ops, w);
	say_to(w, w->link, w->way);
	w->ops->changed(w->arg);
}

static void
replace(char **at, const char *text)
{
	free(*at);
	*at = xstrdup(text == NULL ? "" : text);
}

void
modem_way_set(struct modem_way *w, const struct modem_way_is *is)
{
	w->way = is->way;
	w->proven = false;
	replace(&w->interface, is->interface);
	replace(&w->local, is->local);
	replace(&w->dns, is->dns);
	say_to(w, w->link, w->way);
	say_to_notify(w);
}

void
modem_way_proven(struct modem_way *w)
{
	w->proven = true;
	say_to_notify(w);
}

enum way
modem_way_now(const struct modem_way *w)
{
	return w->way;
}

const struct modem_relay *
modem_way_relay(const struct modem_way *w, const char *name)
{
	for (size_t i = 0; i < w->nrelays; i++) {
		if (strcmp(w->relays[i].name, name) == 0)
			return &w->relays[i];
	}
	return NULL;
}
