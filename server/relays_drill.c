/*
 * The ssh process's part of a drill: the modem process names a relay, which
 * is logged in through (relay_drill.h), and is told what came of it.
 */
#include <string.h>

#include "relay_drill.h"
#include "relays_internal.h"

static void
tell(struct relays *all, enum way_drill how, uint64_t bytes, const char *text)
{
	struct frame_out *o;

	all->drill.on = false;
	if (all->modem == NULL)
		return;
	o = link_start(all->modem, WY_DRILLED);
	frame_put_u32(o, all->drill.id);
	frame_put_u8(o, (uint8_t)how);
	frame_put_u64(o, bytes);
	frame_put_str(o, text);
	link_send(all->modem);
	link_flush(all->modem);
}

void
relays_drill_forget(struct relays *all)
{
	if (!all->drill.on)
		return;
	all->drill.on = false;
	relay_drill_stop(all->drill.one->relay);
}

int
relays_drill_take(struct relays *all, struct frame *f)
{
	uint32_t id = frame_u32(f);
	struct relays_one *one;
	const char *why;
	char name[33];

	frame_str(f, name, sizeof(name));
	if (!frame_ok(f))
		return -1;
	/* It asks only when it waits for none. */
	relays_drill_forget(all);
	one = relays_find(all, name);
	all->drill = (struct relays_drill){ true, id, one };
	why = one == NULL ? "there is no such relay" :
	    relay_drill_start(one->relay);
	if (why != NULL)
		tell(all, WAY_DRILL_FAILED, 0, why);
	return 0;
}

void
relays_drill_over(struct relays *all, struct relays_one *one,
    enum way_drill how, const char *text)
{
	if (all->drill.on && all->drill.one == one)
		tell(all, how, relay_bytes(one->relay), text);
}
