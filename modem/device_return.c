/*
 * From data back to commands, when PPP is done with the line.  Ending PPP
 * properly does it; else, in turn: DTR dropped, the escape sequence, the
 * context ended over the other port.  In vain: the ladder.
 */
#include <sys/ioctl.h>

#include <termios.h>
#include <unistd.h>

#include "../server/base/aside.h"
#include "device_internal.h"

#define DTR_MS 1000
#define PLUS_MS 1100			/* guard time is one second */
#define CGACT_MS 45000

static struct at_queue *
data_queue(struct device *d)
{
	return at_channel_queue(device_data_channel(d));
}

static void
set_dtr(struct device *d, bool on)
{
	int fd = at_channel_fd(device_data_channel(d));
	int bit = TIOCM_DTR;

	/* Sockets and ptys have none. */
	if (fd != -1)
		ioctl(fd, on ? TIOCMBIS : TIOCMBIC, &bit);
}

void
device_return(struct device *d, int fd)
{
	if (!d->st.lent || d->st.state == DEVICE_OFF) {
		aside_close(fd);
		return;
	}
	d->st.lent = false;
	d->returning = RETURN_ASK;
	if (!d->st.two_ports)
		device_change_state(d, DEVICE_STARTING, "back from data");
	at_channel_open(device_data_channel(d), fd);
	device_changed(d);
}

void
device_return_synced(struct device *d)
{
	bool first = d->st.state == DEVICE_OPENING;

	timer_stop(d->return_timer);
	if (d->returning == RETURN_DTR)
		set_dtr(d, true);
	d->returning = RETURN_NONE;
	/* A call may still be there, held in the background. */
	at_send(data_queue(d), &(struct at_command){ .text = "ATH",
	    .timeout_ms = 10000 }, NULL, NULL);
	if (d->st.two_ports)
		return;
	if (first)
		device_open_synced(d);
	else
		device_set_up(d);
}

static void
on_cgact(void *arg, const struct at_reply *r)
{
	struct device *d = arg;

	if (r->result != AT_GONE && r->result != AT_CANCELLED &&
	    d->returning == RETURN_CGACT)
		at_queue_resync(data_queue(d));
}

/* Silent still: what is next?  RETURN_NONE: nothing. */
static enum return_step
next_step(struct device *d)
{
	switch (d->returning) {
	case RETURN_ASK:
		return RETURN_DTR;
	case RETURN_DTR:
		return RETURN_PLUS;
	case RETURN_PLUS:
		return d->st.two_ports ? RETURN_CGACT : RETURN_NONE;
	case RETURN_CGACT:
	case RETURN_NONE:
		break;
	}
	return RETURN_NONE;
}

static void
give_up(struct device *d)
{
	d->returning = RETURN_NONE;
	device_trouble(d, false, "its data port stays in data mode");
}

void
device_return_silent(struct device *d)
{
	d->returning = next_step(d);
	switch (d->returning) {
	case RETURN_DTR:
		set_dtr(d, false);
		timer_set(d->return_timer, DTR_MS);
		break;
	case RETURN_PLUS:
		d->plus_sent = false;
		timer_set(d->return_timer, PLUS_MS);
		break;
	case RETURN_CGACT:
		if (at_send(device_queue(d), &(struct at_command){
		    .text = "AT+CGACT=0,1", .timeout_ms = CGACT_MS },
		    on_cgact, d) == 0)
			give_up(d);
		break;
	case RETURN_ASK:
	case RETURN_NONE:
		give_up(d);
		break;
	}
}

/* A pause is over. */
void
device_on_return_timer(void *arg)
{
	struct device *d = arg;
	struct at_channel *ch = device_data_channel(d);

	if (d->returning == RETURN_DTR) {
		set_dtr(d, true);
		at_queue_resync(at_channel_queue(ch));
	} else if (d->returning == RETURN_PLUS) {
		/* Once the pluses, once the pause behind them. */
		if (d->plus_sent)
			at_queue_resync(at_channel_queue(ch));
		else {
			at_channel_raw(ch, "+++", 3);
			timer_set(d->return_timer, PLUS_MS);
		}
		d->plus_sent = !d->plus_sent;
	}
}
