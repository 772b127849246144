/*
 * notify_send: one HTTP POST, on our loop.  Names are looked up and connected
 * to by relay_dial, so that nothing waits and it can go over PPP alone;
 * libcurl speaks TLS and HTTP on that socket.  Certificates are verified, no
 * redirect is followed, no proxy is used, at most NOTIFY_ANSWER_MAX bytes of
 * an answer are looked at, and all is over within limit_ms.  No more than
 * NOTIFY_PER_HOST are under way to one host and port; others wait, which is not
 * counted.
 */
#ifndef SERVER_NOTIFY_SEND_H
#define SERVER_NOTIFY_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

#define NOTIFY_PER_HOST 2		/* Pushover blocks who has more */
#define NOTIFY_ANSWER_MAX 16384		/* more than that is no answer to us */
#define NOTIFY_HEADERS_MAX 8
#define NOTIFY_WHY 256

/* All here may be secret; it is wiped by notify_request_wipe. */
struct notify_request {
	char *url;			/* http or https */
	char *headers[NOTIFY_HEADERS_MAX];	/* "Name: value" */
	size_t nheaders;
	char *body;
	size_t body_len;
	char *ca_file;			/* PEM; NULL: the system's */
	int64_t limit_ms;
	const char *reset_header;	/* see reset_ms; NULL: none */
};

/* Give up what it holds, wiped; *r is empty then. */
void notify_request_wipe(struct notify_request *);
/* Add "Name: value" by format; secrets in between are wiped. */
void notify_request_header(struct notify_request *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Where it may go.  "": anywhere, and the system's name servers. */
struct notify_way {
	char interface[32];
	char local[64];
	char servers[256];
	/* NULL, or: these ("a, b") are about to be connected to. */
	void (*route)(void *arg, const char *addresses);
	void *arg;
};

struct notify_answer {
	int status;		/* of HTTP; 0: there was none, why says why */
	bool sent;		/* some of the request may have been */
	int64_t retry_ms;	/* Retry-After, -1: none */
	int64_t reset_ms;	/* until the time (seconds since 1970) in
				   reset_header, -1: none, or it is past */
	const char *body;	/* terminated; not all of it, maybe */
	const char *why;
};

typedef void notify_answer_fn(void *arg, const struct notify_answer *);

struct notify_sender;
struct notify_send;

/* Once per process.  NULL: libcurl does not start. */
struct notify_sender *notify_sender_new(struct loop *);
void notify_sender_free(struct notify_sender *);	/* no sends left */

/*
 * Send: *r is taken over, and empty then.  done is called once, from the loop;
 * the send is gone then.  Never NULL.
 */
struct notify_send *notify_send(struct notify_sender *,
    struct notify_request *r, const struct notify_way *, notify_answer_fn *,
    void *arg);
/* Give up without a call.  NULL is fine. */
void notify_send_free(struct notify_send *);

#endif
