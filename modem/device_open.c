#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../serial/port.h"
#include "../server/base/log.h"
#include "device_internal.h"

#define OPEN_MS 30000			/* for somebody to open a port */
#define ABSENT_MS (60 * 1000)		/* then something is done about it */

static void open_next(struct device *);

static bool
is_present(struct device *d, const char *spec)
{
	if (d->ops->present != NULL)
		return d->ops->present(d->arg, spec);
	return port_present(spec);
}

void
device_open_reset(struct device *d)
{
	for (size_t i = 0; i < d->ncand; i++) {
		if (d->cand[i].fd != -1)
			close(d->cand[i].fd);
		d->cand[i].fd = -1;
	}
	d->ncand = d->at_cand = 0;
	d->request = 0;
	timer_stop(d->open_timer);
}

void
device_find_in(struct device *d, int64_t ms)
{
	timer_set(d->open_timer, ms);
}

static bool
add_candidate(struct device *d, const char *spec)
{
	struct candidate *c = &d->cand[d->ncand];

	if (!is_present(d, spec) || strlen(spec) >= sizeof(c->spec))
		return false;
	memset(c, 0, sizeof(*c));
	c->fd = -1;
	memcpy(c->spec, spec, strlen(spec) + 1);
	d->ncand++;
	return true;
}

/* Where a search looks, interface i stays candidate i. */
static bool
list_search(struct device *d)
{
	char spec[PORTS_SPEC];
	bool any = false;

	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (ports_candidate(d->data, i, spec, sizeof(spec)) == -1)
			return false;
		if (add_candidate(d, spec)) {
			any = true;
			continue;
		}
		d->cand[d->ncand].spec[0] = '\0';
		d->cand[d->ncand].answers = false;
		d->cand[d->ncand++].fd = -1;
	}
	return any;
}

/*
 * As configured: data first.  A control port that does not turn up while the
 * other does is done without in the end: better one port than none.
 */
static bool
list_fixed(struct device *d)
{
	if (!add_candidate(d, d->data))
		return false;
	if (d->control == NULL || add_candidate(d, d->control))
		return true;
	return mono_ms(d->absent_since, mono_now()) > ABSENT_MS;
}

/* Nothing there: wait, and after a minute do something about it. */
static void
stay_absent(struct device *d, const char *why)
{
	device_open_reset(d);
	device_change_state(d, DEVICE_ABSENT, "%s", why);
	if (mono_ms(d->absent_since, mono_now()) > ABSENT_MS &&
	    d->power_hook != NULL &&
	    ladder_take(d->ladder, mono_now(), LADDER_POWER) == 0) {
		d->absent_since = mono_now();
		device_repair(d, LADDER_POWER);
		return;
	}
	device_find_in(d, backoff_next(&d->absent));
}

void
device_find(struct device *d)
{
	bool any;

	device_open_reset(d);
	d->search = ports_is_search(d->data, d->control);
	d->mode_asked = false;
	d->mode = (struct ports_mode){ -1, -1 };
	any = d->search ? list_search(d) : list_fixed(d);
	if (!any) {
		stay_absent(d, d->ncand == 1 && !d->search ?
		    "its control port is not there" :
		    "no such device (it will be opened when it appears)");
		return;
	}
	device_change_state(d, DEVICE_OPENING, "%s", "");
	open_next(d);
}

void
device_look(struct device *d)
{
	if (d->st.state == DEVICE_ABSENT) {
		backoff_reset(&d->absent);
		device_find_in(d, 0);
	} else if (d->waiting)
		timer_set(d->repair_timer, 0);
}

/* The first interface that has this number and a descriptor. */
static int
take_fd(struct device *d, int i, char path[DEVICE_PATH])
{
	int fd = d->cand[i].fd;

	d->cand[i].fd = -1;
	memcpy(path, d->cand[i].path, DEVICE_PATH);
	return fd;
}

static bool
choose(struct device *d, int *data, int *control)
{
	bool answers[PORTS_MAX] = { false };
	size_t i;

	if (!d->search) {
		*data = 0;
		*control = d->ncand > 1 && d->cand[1].answers ? 1 : -1;
		return true;
	}
	for (i = 0; i < PORTS_MAX; i++)
		answers[i] = d->cand[i].answers;
	/* The modem's own port may be silent for carrying a dead call. */
	if (d->mode.mdm >= 0 && d->mode.mdm < PORTS_MAX &&
	    d->cand[d->mode.mdm].fd != -1)
		answers[d->mode.mdm] = true;
	return ports_choose(answers, &d->mode, data, control);
}

/* Every candidate was asked: settle the roles, close the others. */
static void
settle(struct device *d)
{
	int data, control, fds[CHANNELS] = { -1, -1 };
	bool silent;

	if (!choose(d, &data, &control)) {
		device_open_reset(d);
		device_trouble(d, false, "none of its ports answers");
		return;
	}
	silent = !d->cand[data].answers;
	d->one_of_two = d->control != NULL && control == -1;
	if (d->one_of_two)
		device_tell(d, "modem-port", "%s does not answer: one port "
		    "has to do, no messages while data is carried",
		    d->control);
	d->st.two_ports = control != -1;
	if (d->st.two_ports) {
		fds[MAIN] = take_fd(d, control, d->st.control);
		fds[AUX] = take_fd(d, data, d->st.data);
	} else {
		fds[MAIN] = take_fd(d, data, d->st.data);
		memcpy(d->st.control, d->st.data, sizeof(d->st.control));
	}
	device_open_reset(d);
	/* The backoff is not for those that are there and do not answer. */
	backoff_reset(&d->absent);
	d->absent_since = mono_now();
	d->complained = false;
	if (silent)
		d->returning = RETURN_ASK;
	at_channel_open(d->ch[MAIN], fds[MAIN]);
	if (fds[AUX] != -1)
		at_channel_open(d->ch[AUX], fds[AUX]);
}

static void
open_next(struct device *d)
{
	struct candidate *c;

	while (d->at_cand < d->ncand && d->cand[d->at_cand].spec[0] == '\0')
		d->at_cand++;
	if (d->at_cand == d->ncand) {
		settle(d);
		return;
	}
	c = &d->cand[d->at_cand];
	if (++d->last_request == 0)
		d->last_request = 1;
	d->request = d->last_request;
	timer_set(d->open_timer, OPEN_MS);
	d->ops->open(d->arg, d->request, c->spec);
}

/* The candidate under way was asked, or cannot be. */
static void
keep_and_go_on(struct device *d)
{
	struct candidate *c = &d->cand[d->at_cand];

	c->fd = at_channel_release(d->ch[MAIN]);
	d->at_cand++;
	open_next(d);
}

static void
on_mode(void *arg, const struct at_reply *r)
{
	struct device *d = arg;

	for (size_t i = 0; i < r->nlines; i++)
		if (ports_parse_mode(r->lines[i], &d->mode))
			break;
	if (d->st.state == DEVICE_OPENING && d->at_cand < d->ncand &&
	    r->result != AT_GONE)
		keep_and_go_on(d);
}

void
device_open_synced(struct device *d)
{
	if (d->at_cand >= d->ncand) {
		device_identify(d);
		return;
	}
	d->cand[d->at_cand].answers = true;
	if (d->search && !d->mode_asked) {
		d->mode_asked = true;
		if (at_send(device_queue(d), &(struct at_command){
		    .text = "AT^GETPORTMODE", .prefix = "^GETPORTMODE" },
		    on_mode, d) != 0)
			return;
	}
	keep_and_go_on(d);
}

void
device_open_silent(struct device *d)
{
	if (d->at_cand >= d->ncand) {
		device_trouble(d, false, "it does not answer");
		return;
	}
	keep_and_go_on(d);
}

void
device_opened(struct device *d, uint32_t request, int fd, const char *path)
{
	struct candidate *c;

	if (request == 0 || request != d->request) {
		close(fd);
		return;
	}
	d->request = 0;
	timer_stop(d->open_timer);
	c = &d->cand[d->at_cand];
	snprintf(c->path, sizeof(c->path), "%s", path);
	at_channel_open(d->ch[MAIN], fd);
}

void
device_not_opened(struct device *d, uint32_t request, const char *why)
{
	if (request == 0 || request != d->request)
		return;
	d->request = 0;
	timer_stop(d->open_timer);
	if (!d->complained) {
		d->complained = true;
		log_warn("modem: %s", why);
	}
	if (d->search) {
		d->at_cand++;
		open_next(d);
	} else
		stay_absent(d, why);
}

/* Nobody opened it in time, or it is time to look again. */
void
device_on_open_timer(void *arg)
{
	struct device *d = arg;

	if (d->request != 0)
		device_not_opened(d, d->request, "opening its port took too "
		    "long");
	else
		device_find(d);
}
