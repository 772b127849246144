/*
 * device_help: a modem of up to three ports, a device, and all it did.
 */
#ifndef TESTS_DEVICE_HELP_H
#define TESTS_DEVICE_HELP_H

#include <signal.h>

#include "modem/device.h"
#include "tests/unit/fake_modem.h"
#include "tests/unit/virtual_time.h"

#define PORTS 3

/* A modem of up to three ports, a device, and all it did. */
struct rig {
	struct loop *loop;
	struct device *dev;
	struct fake_card card;
	struct fake port[PORTS];
	const char *spec[PORTS];	/* NULL: there is no such port */
	bool absent[PORTS], never_open;
	char pinlog[64], hook[64], dir[32];
	char events[8192];
	unsigned opens, revoked, changes, urcs, dialled;
	uint32_t last_request;
	enum device_state want;
	enum at_result result;
	int fd;				/* of a call */
};

static inline void
op_open(void *arg, uint32_t request, const char *spec)
{
	struct rig *r = arg;

	r->opens++;
	r->last_request = request;
	if (r->never_open)
		return;
	for (int i = 0; i < PORTS; i++) {
		if (r->spec[i] == NULL || strcmp(r->spec[i], spec) != 0)
			continue;
		device_opened(r->dev, request, fake_plug(&r->port[i]), spec);
		return;
	}
	device_not_opened(r->dev, request, "no such port");
}

static inline bool
op_present(void *arg, const char *spec)
{
	struct rig *r = arg;

	for (int i = 0; i < PORTS; i++)
		if (r->spec[i] != NULL && strcmp(r->spec[i], spec) == 0)
			return !r->absent[i];
	return false;
}

static inline void
op_changed(void *arg)
{
	struct rig *r = arg;

	r->changes++;
	if (device_status(r->dev)->state == r->want)
		loop_stop(r->loop, 1);
}

static inline void
op_event(void *arg, const char *kind, const char *text)
{
	struct rig *r = arg;

	assert_true(strlen(text) > 0);
	if (strlen(r->events) + strlen(kind) + strlen(text) + 4 <
	    sizeof(r->events)) {
		strcat(r->events, kind);
		strcat(r->events, ": ");
		strcat(r->events, text);
		strcat(r->events, "|");
	}
}

static inline void
op_revoke(void *arg)
{
	struct rig *r = arg;

	r->revoked++;
	close(r->fd);
	r->fd = -1;
}

static const struct device_ops ops = { op_open, op_present, op_changed,
    op_event, op_revoke, NULL };

static inline void
on_timeout(void *arg)
{
	loop_stop(arg, 0);
}

/* Until this state, or for so long: was it reached? */
static inline bool
reach(struct rig *r, enum device_state want, int64_t ms)
{
	struct timer *t = timer_new(r->loop, on_timeout, r->loop);

	r->want = want;
	timer_set(t, ms);
	if (device_status(r->dev)->state != want)
		loop_run(r->loop);
	timer_free(t);
	r->want = DEVICE_OFF;
	return device_status(r->dev)->state == want;
}

static inline void
pass(struct rig *r, int64_t ms)
{
	reach(r, (enum device_state)-1, ms);
}

static inline void
rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->loop = loop_new();
	r->fd = -1;
	r->card = (struct fake_card){ .state = "READY", .pin = "1234",
	    .tries = 3, .reg = 1, .connect = "CONNECT" };
	for (int i = 0; i < PORTS; i++)
		fake_init(&r->port[i], r->loop, &r->card);
	r->spec[0] = "data";
	strcpy(r->dir, "/tmp/oobd-dev-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->pinlog, sizeof(r->pinlog), "%s/pin", r->dir);
	snprintf(r->hook, sizeof(r->hook), "%s/hook", r->dir);
}

static inline void
rig_start(struct rig *r, const char *data, const char *control,
    const char *pin, const char *hook)
{
	r->dev = device_new(r->loop, &(struct device_conf){ .data = data,
	    .control = control, .pin = pin, .pinlog = r->pinlog,
	    .power_hook = hook }, &ops, r);
	device_start(r->dev);
}

static inline void
rig_stop(struct rig *r)
{
	device_free(r->dev);
	r->dev = NULL;
	if (r->fd != -1)
		close(r->fd);
	r->fd = -1;
}

static inline void
rig_fini(struct rig *r)
{
	char cmd[128];

	rig_stop(r);
	for (int i = 0; i < PORTS; i++)
		fake_fini(&r->port[i]);
	loop_free(r->loop);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", r->dir);
	assert_int_equal(system(cmd), 0);
}

static inline unsigned
count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)) != NULL; text += strlen(word))
		n++;
	return n;
}

static inline void
on_reply(void *arg, const struct at_reply *reply)
{
	((struct rig *)arg)->result = reply->result;
}

#endif
