/*
 * notify_post: one attempt to tell one sink one message, whatever carries it.
 * HTTP goes over the route that there is; when nobody could be told anything
 * that way, and PPP is up, over PPP.  SMS are handed to the modem process,
 * which keeps them from then on.
 */
#ifndef SERVER_NOTIFY_POST_H
#define SERVER_NOTIFY_POST_H

#include "base/link.h"
#include "notify_sinks.h"

#define NOTIFY_SMS_MS 60000	/* the modem process answers within that */
#define NOTIFY_PPP_MS 30000	/* a request; GPRS has seconds of round trip */

struct notify_posts;
struct notify_post;

/* way: there is another way out now.  NULL: libcurl does not start. */
struct notify_posts *notify_posts_new(struct loop *, void (*way)(void *arg),
    void *arg);
void notify_posts_free(struct notify_posts *);	/* and every post */

/* The link to the supervisor, which outlives them, and its SV_SINK. */
void notify_posts_up(struct notify_posts *, struct link *up);
void notify_posts_sink(struct notify_posts *, uint32_t request, int fd);

/* A new link to the modem process; fd is taken over. */
void notify_posts_modem(struct notify_posts *, int fd);

typedef void notify_post_fn(void *arg, const struct notify_result *);

/*
 * Strings and the message need to live only during the call, conf as long as
 * the post.  done is called once, from the loop; the post is gone then.
 */
struct notify_post *notify_post(struct notify_posts *,
    const struct config_notify *, const char *box,
    const struct notify_message *, notify_post_fn *done, void *arg);
/* Goes on by a configuration that says the same, and calls done(arg). */
void notify_post_keep(struct notify_post *, const struct config_notify *,
    void *arg);
/* Give up without a call.  NULL is fine. */
void notify_post_free(struct notify_post *);

#endif
