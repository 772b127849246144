/*
 * feed_internal: what feed.c, feed_session.c and feed_request.c share.
 */
#ifndef SERVER_FEED_INTERNAL_H
#define SERVER_FEED_INTERNAL_H

#include "base/link.h"
#include "base/ring.h"
#include "feed.h"

enum feed_state {
	FEED_DOWN,		/* no link */
	FEED_GREETING,		/* hello sent */
	FEED_LISTING,		/* welcome received, consoles coming */
	FEED_UP,
};

/* A console as the feed sees it.  ring NULL: not subscribed. */
struct feed_line {
	struct feed_console pub;
	struct ring *ring;
	bool placed;		/* the ring knows its offset */
	bool stale;		/* not yet seen since the link came back */
	unsigned viewers;
};

enum feed_seat {
	FEED_ALONE,
	FEED_WAITING,		/* for AN_ATTACHED */
	FEED_ATTACHED,
	FEED_RESUMING,		/* attached, asked anew after the link broke */
};

struct feed_session {
	struct feed *feed;
	uint32_t sid;
	char *user, *from, *via, *key;
	char *voucher;			/* NULL: none */
	const struct feed_session_ops *ops;
	void *arg;
	struct feed_line *line;
	enum feed_seat state;
	enum attach_mode mode;
	bool refused;		/* no such console: to be said soon */
	bool over;		/* told that it ended */
	bool dead;		/* closed, to be reaped */
	bool writes, watch;
	size_t in_flight;	/* input not yet credited */
	uint64_t taken;		/* the viewer has everything up to here */
	struct mono pace_until;	/* keeps pace until then */
	struct mono pace_from;	/* bytes are counted since */
	uint64_t pace_bytes;
	bool rewound;		/* the stream began anew */
	bool lapped;		/* must prove its pace by bytes */
};

/* What is said again to a new console process. */
struct feed_kept_info {
	char key[FEED_KEY];
	char text[FEED_INFO_MAX + 1];
};

/* What waits for one. */
struct feed_kept_event {
	char kind[32];
	char text[FEED_EVENT_MAX + 1];
};

struct feed_kept_auth {
	enum auth_what what;
	uint64_t login;
	char user[AUTH_USER], way[AUTH_WAY], key[AUTH_KEY];
	char from[AUTH_FROM], via[AUTH_VIA], why[AUTH_WHY];
};

/* A task not yet done. */
struct feed_kept_task {
	uint32_t id;
	bool cut;		/* not all of its answer could be sent */
};

struct feed {
	struct loop *loop;
	char *program;
	const struct feed_ops *ops;
	void *arg;
	struct link *link;
	enum feed_state state;
	char box[64];
	struct feed_line **lines;
	size_t nlines;
	struct feed_session **sessions;
	size_t nsessions;
	struct feed_request *requests;	/* not yet ended */
	struct feed_request *given_up;	/* to be reaped */
	struct feed_kept_info *infos;
	size_t ninfos;
	struct feed_kept_event *events;
	size_t nevents;
	struct feed_kept_auth *auths;
	size_t nauths;
	struct feed_kept_task tasks[TASKS_MAX];
	size_t ntasks;
	uint32_t last_sid, last_request;
	uint32_t barrier;		/* the list is complete at its end */
	struct timer *later;		/* refusals are told from the loop */
	struct timer *linger;		/* subscriptions nobody watches */
	struct timer *pace;
	bool held;
	bool room;			/* on the link, again: to be told */
	bool reap;
	int depth;			/* callbacks under way */
};

/* feed.c */
void feed_enter(struct feed *);
void feed_leave(struct feed *);
/* There is a link that is up, and room on it for a frame. */
bool feed_can_send(struct feed *);
struct feed_line *feed_line_named(const struct feed *, const char *name);
/* One viewer more, one less: subscribes, and later gives that up. */
void feed_line_watch(struct feed *, struct feed_line *);
void feed_line_unwatch(struct feed *, struct feed_line *);

/* feed_session.c */
void feed_session_reopen_all(struct feed *);
void feed_session_link_down_all(struct feed *);
void feed_session_line_gone(struct feed *, struct feed_line *);
void feed_session_data(struct feed *, struct feed_line *, uint64_t offset,
    const uint8_t *, size_t n);
void feed_session_gap(struct feed *, struct feed_line *, uint64_t to);
/* A frame for a session: 0, or -1 when it is none, or bad. */
int feed_session_frame(struct feed *, struct frame *);
void feed_session_room(struct feed *);
/* Hold the link, or let it go: who keeps pace is behind, or not. */
void feed_session_pace(struct feed *);
void feed_session_refusals(struct feed *);
void feed_session_reap(struct feed *);

/* feed_peer.c */
void feed_peer_link_up(struct feed *);
void feed_peer_link_down(struct feed *);
int feed_peer_frame(struct feed *, struct frame *);
void feed_peer_free(struct feed *);

/* feed_request.c */
int feed_request_frame(struct feed *, struct frame *, int fd);
void feed_request_link_down_all(struct feed *);
void feed_request_retell_all(struct feed *);
void feed_request_failures(struct feed *);
void feed_request_reap(struct feed *);

#endif
