#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "serial/hub.h"

#define SAID 512

/* One person at the hub, and the last things they were told. */
struct person {
	struct seat *seat;
	char told[SAID];	/* the last tell */
	char pen[SAID];		/* the last pen text */
	bool writes;
	int ntold, npen;
};

struct room {
	struct hub *hub;
	char events[4096];
	int nevents;
	struct person alice, bob, carol, alice2;
};

static void
on_tell(void *arg, const char *text)
{
	struct person *p = arg;

	snprintf(p->told, sizeof(p->told), "%s", text);
	p->ntold++;
}

static void
on_pen(void *arg, bool writes, const char *text)
{
	struct person *p = arg;

	snprintf(p->pen, sizeof(p->pen), "%s", text);
	p->writes = writes;
	p->npen++;
}

static void
on_event(void *arg, const char *word, const char *text)
{
	struct room *r = arg;
	size_t n = strlen(r->events);

	snprintf(r->events + n, sizeof(r->events) - n, "%s %s\n", word, text);
	r->nevents++;
}

static const struct hub_ops ops = { on_tell, on_pen, on_event };

static struct mono
at(int64_t ms)
{
	return (struct mono){ 1000000000 + ms * 1000 };
}

static int
open_room(void **state)
{
	struct room *r = calloc(1, sizeof(*r));

	r->hub = hub_new(&ops, r, false);
	*state = r;
	return 0;
}

static int
close_room(void **state)
{
	struct room *r = *state;

	hub_free(r->hub);
	free(r);
	return 0;
}

static void
sit(struct room *r, struct person *p, const char *user, const char *how,
    int64_t ms)
{
	static uint32_t id;
	struct hub_wish wish = { 0 };
	struct seat_who who = {
		.id = ++id, .user = user, .from = "192.0.2.7", .via = "ssh",
		.may_write = strchr(how, 'v') == NULL,
	};

	wish.watch = strchr(how, 'w') != NULL;
	wish.force = strchr(how, 'f') != NULL;
	wish.resume = strchr(how, 'r') != NULL;
	wish.quiet = strchr(how, 'q') != NULL;
	p->seat = hub_attach(r->hub, &who, &wish, at(ms), p);
	assert_non_null(p->seat);
	assert_ptr_equal(seat_arg(p->seat), p);
}

static void
forget(struct room *r)
{
	struct person *all[] = { &r->alice, &r->bob, &r->carol, &r->alice2 };

	for (size_t i = 0; i < 4; i++) {
		all[i]->told[0] = all[i]->pen[0] = '\0';
		all[i]->ntold = all[i]->npen = 0;
	}
	r->events[0] = '\0';
	r->nevents = 0;
}

static void
assert_says(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static void
first_has_the_pen(void **state)
{
	struct room *r = *state;
	char text[SEAT_TEXT];

	sit(r, &r->alice, "alice", "", 0);
	sit(r, &r->bob, "bob", "", 10);
	assert_true(seat_writes(r->alice.seat));
	assert_false(seat_writes(r->bob.seat));
	assert_ptr_equal(hub_writer(r->hub), r->alice.seat);
	assert_int_equal(hub_count(r->hub), 2);
	assert_says(r->alice.told, "bob attached from 192.0.2.7, watching");
	assert_int_equal(r->bob.ntold, 0);
	assert_says(r->events, "attach user=alice from=192.0.2.7 via=ssh id=");
	assert_says(r->events, "pen=no");
	assert_string_equal(seat_greet(r->alice.seat, at(20), text,
	    sizeof(text)), "you have the pen, 1 other attached");
	assert_says(seat_greet(r->bob.seat, at(5010), text, sizeof(text)),
	    "alice has the pen (ssh from 192.0.2.7, idle 5 s); ^Eca asks");
}

static void
refused_once(void **state)
{
	struct room *r = *state;

	sit(r, &r->alice, "alice", "", 0);
	sit(r, &r->bob, "bob", "", 0);
	assert_true(seat_typed(r->alice.seat, at(1000)));
	assert_false(seat_typed(r->bob.seat, at(4000)));
	assert_int_equal(r->bob.ntold, 1);
	assert_says(r->bob.told, "alice has the pen (ssh from 192.0.2.7, "
	    "idle 3 s); ^Eca asks for it, ^Ecf takes it");
	assert_false(seat_typed(r->bob.seat, at(4100)));
	assert_int_equal(r->bob.ntold, 1);
	/* The pen changed hands meanwhile: said again. */
	sit(r, &r->carol, "carol", "f", 5000);
	assert_false(seat_typed(r->bob.seat, at(5100)));
	assert_says(r->bob.told, "carol has the pen");
}

static void
asked_in_order(void **state)
{
	struct room *r = *state;

	sit(r, &r->alice, "alice", "", 0);
	sit(r, &r->bob, "bob", "", 0);
	sit(r, &r->carol, "carol", "", 0);
	forget(r);
	seat_ask(r->carol.seat, at(10));
	assert_says(r->carol.told, "asked alice for the pen");
	assert_says(r->alice.told, "carol asks for the pen");
	seat_ask(r->bob.seat, at(20));
	seat_ask(r->carol.seat, at(30));	/* keeps her place */
	hub_detach(r->alice.seat, at(40), "");
	assert_true(seat_writes(r->carol.seat));
	assert_true(r->carol.writes);
	assert_says(r->bob.told, "carol has the pen");
	seat_watch(r->carol.seat, at(50));
	assert_true(seat_writes(r->bob.seat));
	assert_says(r->bob.pen, "carol gave it up");
	assert_false(r->carol.writes);
}

static void
free_pen_goes_to_the_typist(void **state)
{
	struct room *r = *state;

	sit(r, &r->alice, "alice", "", 0);
	sit(r, &r->bob, "bob", "", 0);
	sit(r, &r->carol, "carol", "w", 0);
	forget(r);
	hub_detach(r->alice.seat, at(10), "connection lost");
	assert_null(hub_writer(r->hub));
	assert_says(r->events, "why=\"connection lost\"");
	assert_says(r->bob.told, "the pen is free");
	assert_says(r->carol.told, "alice left (connection lost)");
	assert_false(seat_typed(r->carol.seat, at(20)));
	assert_says(r->carol.told, "you are watching");
	assert_true(seat_typed(r->bob.seat, at(30)));
	assert_says(r->bob.pen, "you have the pen");
	assert_says(r->carol.told, "bob has the pen");
	assert_says(r->events, "pen user=bob");
}

static void
taken_by_force(void **state)
{
	struct room *r = *state;

	sit(r, &r->alice, "alice", "", 0);
	sit(r, &r->bob, "bob", "", 0);
	sit(r, &r->carol, "carol", "", 0);
	forget(r);
	seat_take(r->bob.seat, at(10));
	assert_true(seat_writes(r->bob.seat));
	assert_false(seat_writes(r->alice.seat));
	assert_false(r->alice.writes);
	assert_says(r->alice.pen, "bob took the pen");
	assert_says(r->bob.pen, "you took the pen from alice");
	assert_says(r->carol.told, "bob took the pen from alice");
	assert_says(r->events, "how=taken before=alice");
	assert_int_equal(r->alice.npen, 1);
	assert_int_equal(r->bob.npen, 1);
}

static void
viewer_never(void **state)
{
	struct room *r = *state;
	char text[SEAT_TEXT];

	sit(r, &r->bob, "bob", "v", 0);
	assert_false(seat_writes(r->bob.seat));
	assert_says(seat_greet(r->bob.seat, at(0), text, sizeof(text)),
	    "you may only watch");
	sit(r, &r->alice, "alice", "", 0);
	seat_ask(r->bob.seat, at(1));
	seat_take(r->bob.seat, at(2));
	assert_true(seat_writes(r->alice.seat));
	hub_detach(r->alice.seat, at(3), "");
	assert_false(seat_typed(r->bob.seat, at(4)));
	assert_null(hub_writer(r->hub));
	hub_detach(r->bob.seat, at(5), "");
	sit(r, &r->bob, "bob", "vfr", 6);
	assert_false(seat_writes(r->bob.seat));
	assert_false(r->bob.writes);
	hub_set_shared(r->hub, true);
	assert_false(seat_typed(r->bob.seat, at(7)));
	hub_set_shared(r->hub, false);
	assert_null(hub_writer(r->hub));
}

static void
own_session_gives_way(void **state)
{
	struct room *r = *state;

	sit(r, &r->alice, "alice", "", 0);
	assert_true(seat_typed(r->alice.seat, at(100)));
	/* Too soon: the first one is being typed in. */
	sit(r, &r->alice2, "alice", "", 900);
	assert_true(seat_writes(r->alice.seat));
	assert_false(seat_typed(r->alice2.seat, at(1000)));
	/* A second of silence, and the key press counts at once. */
	assert_true(seat_typed(r->alice2.seat, at(1200)));
	assert_false(r->alice.writes);
	assert_says(r->alice.pen, "the pen went to your session from");
	assert_true(r->alice2.writes);
	/* Nobody else is let in that way. */
	sit(r, &r->bob, "bob", "", 60000);
	assert_false(seat_typed(r->bob.seat, at(60000)));
	hub_detach(r->alice.seat, at(60001), "");
	sit(r, &r->alice, "alice", "", 60002);
	assert_true(seat_writes(r->alice.seat));
	assert_says(r->bob.told, "alice attached from 192.0.2.7 and took");
	seat_ask(r->alice2.seat, at(60003));
	assert_true(seat_writes(r->alice2.seat));
}

static void
back_after_a_restart(void **state)
{
	struct room *r = *state;

	sit(r, &r->bob, "bob", "q", 0);
	sit(r, &r->alice, "alice", "r", 1);
	sit(r, &r->carol, "carol", "qw", 2);
	assert_int_equal(r->nevents, 0);
	assert_int_equal(r->bob.ntold + r->alice.ntold + r->carol.ntold, 0);
	assert_int_equal(r->bob.npen + r->alice.npen + r->carol.npen, 0);
	assert_true(seat_writes(r->alice.seat));
	hub_detach(r->alice.seat, at(3), "");
	assert_false(seat_typed(r->carol.seat, at(4)));
	/* Someone was quicker: the pen is not taken away from him. */
	assert_true(seat_typed(r->bob.seat, at(5)));
	sit(r, &r->alice, "alice", "r", 6);
	assert_true(seat_writes(r->bob.seat));
	assert_false(seat_writes(r->alice.seat));
}

static void
everyone_types(void **state)
{
	struct room *r = *state;

	hub_set_shared(r->hub, true);
	sit(r, &r->alice, "alice", "", 0);
	sit(r, &r->bob, "bob", "", 0);
	sit(r, &r->carol, "carol", "w", 0);
	assert_true(seat_typed(r->alice.seat, at(1)));
	assert_true(seat_typed(r->bob.seat, at(2)));
	assert_false(seat_typed(r->carol.seat, at(3)));
	assert_null(hub_writer(r->hub));
	seat_ask(r->carol.seat, at(4));
	assert_true(r->carol.writes);
	assert_true(seat_typed(r->carol.seat, at(5)));
	seat_watch(r->carol.seat, at(6));
	assert_false(r->carol.writes);
	hub_set_shared(r->hub, false);
	assert_true(seat_writes(r->bob.seat));	/* typed last */
	assert_true(r->bob.writes);
	assert_false(r->alice.writes);
	assert_says(r->alice.pen, "bob has the pen");
}

static void
rights_change(void **state)
{
	struct room *r = *state;

	sit(r, &r->alice, "alice", "", 0);
	sit(r, &r->bob, "bob", "v", 0);
	seat_set_may_write(r->bob.seat, true, at(1));
	seat_ask(r->bob.seat, at(2));
	seat_set_may_write(r->alice.seat, false, at(3));
	assert_false(r->alice.writes);
	assert_says(r->alice.pen, "rights");
	assert_true(seat_writes(r->bob.seat));
	seat_ask(r->alice.seat, at(4));
	seat_watch(r->bob.seat, at(5));
	assert_null(hub_writer(r->hub));
}

static void
who_and_times(void **state)
{
	struct room *r = *state;

	sit(r, &r->alice, "alice", "", 0);
	assert_true(seat_typed(r->alice.seat, at(400)));
	assert_int_equal(seat_idle_ms(r->alice.seat, at(1400)), 1000);
	assert_int_equal(seat_since_ms(r->alice.seat, at(1400)), 1400);
	assert_string_equal(seat_who(hub_seat_at(r->hub, 0))->user, "alice");
	sit(r, &r->bob, "bob", "", 0);
	forget(r);
	hub_tell(r->hub, r->alice.seat, "hello");
	assert_int_equal(r->alice.ntold, 0);
	assert_string_equal(r->bob.told, "hello");
	hub_tell(r->hub, NULL, "all");
	assert_string_equal(r->alice.told, "all");
}

static void
long_names_are_cut(void **state)
{
	struct room *r = *state;
	char name[2000];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	sit(r, &r->alice, name, "", 0);
	sit(r, &r->bob, "bob", "", 0);
	assert_false(seat_typed(r->bob.seat, at(1)));
	assert_true(strlen(r->bob.told) < SEAT_TEXT);
	hub_detach(r->bob.seat, at(2), name);
}

#define IN_ROOM(t) cmocka_unit_test_setup_teardown(t, open_room, close_room)

static void
closed_and_opened(void **state)
{
	struct room *r = *state;
	char text[SEAT_TEXT];

	sit(r, &r->alice, "alice", "", 0);
	sit(r, &r->bob, "bob", "", 0);
	hub_set_closed(r->hub, true);
	assert_false(seat_writes(r->alice.seat));
	assert_false(r->alice.writes);
	assert_says(r->alice.pen, "nothing is recorded");
	assert_says(r->events, "strict typing=refused");
	forget(r);
	assert_false(seat_typed(r->alice.seat, at(100)));
	assert_says(r->alice.told, "nobody may type");
	seat_take(r->bob.seat, at(200));
	seat_ask(r->bob.seat, at(200));
	assert_says(r->bob.told, "nobody may type");
	assert_int_equal(r->bob.npen, 0);
	sit(r, &r->carol, "carol", "f", 300);
	assert_false(seat_writes(r->carol.seat));
	assert_says(seat_greet(r->carol.seat, at(300), text, sizeof(text)),
	    "nobody may type");
	assert_null(hub_writer(r->hub));
	forget(r);
	hub_set_closed(r->hub, false);
	assert_says(r->bob.told, "type to take the pen");
	assert_true(seat_typed(r->bob.seat, at(400)));
	assert_says(r->bob.pen, "you have the pen");
	/* Where everyone types it is the same. */
	hub_set_shared(r->hub, true);
	hub_set_closed(r->hub, true);
	assert_false(seat_typed(r->alice.seat, at(500)));
	hub_set_closed(r->hub, false);
	assert_true(seat_typed(r->alice.seat, at(600)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ROOM(first_has_the_pen),
		IN_ROOM(refused_once),
		IN_ROOM(asked_in_order),
		IN_ROOM(free_pen_goes_to_the_typist),
		IN_ROOM(taken_by_force),
		IN_ROOM(viewer_never),
		IN_ROOM(own_session_gives_way),
		IN_ROOM(back_after_a_restart),
		IN_ROOM(everyone_types),
		IN_ROOM(rights_change),
		IN_ROOM(who_and_times),
		IN_ROOM(long_names_are_cut),
		IN_ROOM(closed_and_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
