/*
 * notify_test: the verb "notify test [NAME]": one attempt to tell each sink
 * (or that one) something, past the queue, and what came of it.
 */
#ifndef SERVER_NOTIFY_TEST_H
#define SERVER_NOTIFY_TEST_H

#include "feed.h"
#include "notify_post.h"

struct notify_tests;

struct notify_tests *notify_tests_new(struct notify_posts *, struct feed *);
void notify_tests_free(struct notify_tests *);	/* NULL is fine */

/* conf must live as long as any test: see notify_tests_stop. */
void notify_tests_run(struct notify_tests *, const struct config *conf,
    const struct feed_task *);
/* Nobody waits for this one any more. */
void notify_tests_gone(struct notify_tests *, uint32_t task);
/* The configuration changes: end all of them. */
void notify_tests_stop(struct notify_tests *);

#endif
