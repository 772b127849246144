/* What notify_queue.c and notify_queue_text.c share; nobody else. */
#ifndef SERVER_NOTIFY_QUEUE_INTERNAL_H
#define SERVER_NOTIFY_QUEUE_INTERNAL_H

#include "notify_queue.h"

#define KEYS_MAX 64
#define IDS_MAX 64

struct sink {
	char name[NOTIFY_NAME];
	bool last_resort;
	struct mono not_before;
	struct mono tried;
	bool unanswered;	/* it waits because nobody answered */
	struct backoff retry, refused;
};

struct item {
	struct notify_message m;
	uint16_t owed;		/* bit per sink */
	bool told;		/* by a sink that is no last resort */
	struct mono added;
};

/* An event of a source that was told lately. */
struct key {
	char source[NOTIFY_NAME], event[NOTIFY_NAME];
	char text[NOTIFY_TEXT];	/* the newest that was only counted */
	enum notify_severity severity;
	uint32_t counted;
	int64_t window_ms;
	struct mono until;
};

struct notify_queue {
	struct sink sinks[NOTIFY_SINKS_MAX];
	size_t nsinks;
	struct item *items;	/* by seq */
	size_t nitems;
	struct key keys[KEYS_MAX];
	size_t nkeys;
	uint64_t ids[IDS_MAX];	/* the newest last */
	size_t nids;
	struct mono hour[NOTIFY_HOURLY];	/* when the newest were added */
	size_t nhour;
	uint32_t over_hour;	/* not told because of that */
	uint64_t seq;		/* the newest */
	uint64_t lost;
};

#endif
