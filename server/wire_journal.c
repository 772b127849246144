#include "wire_internal.h"

void
wire_journal_follow(struct wire *w)
{
	const struct tidy_keep limits = { w->conf->keep_size,
	    w->conf->keep_age_ms };
	struct scribe_state st;

	scribe_keep(w->log, &limits);
	scribe_state(w->log, &st);
	hub_set_closed(w->hub, w->conf->strict && !st.healthy);
}
