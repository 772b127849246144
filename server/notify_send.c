#include <curl/curl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "notify_send.h"
#include "relay_dial.h"

#define URL_HOST 256
#define HEADER_MAX 512

struct notify_sender {
	struct loop *loop;
	CURLM *multi;
	struct timer *timer;
	struct notify_send *sends;	/* the newest first */
	bool ending;
};

struct notify_send {
	struct notify_sender *sender;
	struct notify_send *next;
	struct notify_request request;
	struct notify_way way;
	char host[URL_HOST];
	unsigned port;
	bool runs;		/* else it waits for others to there */
	struct relay_dial *dial;
	struct timer *limit;
	int fd;			/* connected, until curl has it; -1 */
	struct watch *watch;	/* of curl's socket */
	curl_socket_t socket;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	char error[CURL_ERROR_SIZE];
	char body[NOTIFY_ANSWER_MAX + 1];
	size_t nbody;
	char why[NOTIFY_WHY];
	notify_answer_fn *done;
	void *arg;
};

static void
wipe(char **text)
{
	if (*text != NULL)
		freezero(*text, strlen(*text));
	*text = NULL;
}

void
notify_request_wipe(struct notify_request *r)
{
	wipe(&r->url);
	for (size_t i = 0; i < r->nheaders; i++)
		wipe(&r->headers[i]);
	r->nheaders = 0;
	wipe(&r->body);
	wipe(&r->ca_file);
	r->body_len = 0;
}

void
notify_request_header(struct notify_request *r, const char *fmt, ...)
{
	char *text;
	va_list ap;

	if (r->nheaders == NOTIFY_HEADERS_MAX)
		return;
	text = xcalloc(1, HEADER_MAX);
	va_start(ap, fmt);
	vsnprintf(text, HEADER_MAX, fmt, ap);
	va_end(ap);
	r->headers[r->nheaders++] = text;
}

/* The end of a send. */

static void
free_headers(struct notify_send *s)
{
	/* libcurl copied each; none may stay in memory that is given back. */
	for (struct curl_slist *h = s->headers; h != NULL; h = h->next)
		memset(h->data, 0, strlen(h->data));
	curl_slist_free_all(s->headers);
	curl_slist_free_all(s->connect_to);
}

static void let_in(struct notify_sender *, const char *host, unsigned port);

void
notify_send_free(struct notify_send *s)
{
	struct notify_send **at;

	if (s == NULL)
		return;
	for (at = &s->sender->sends; *at != s; at = &(*at)->next)
		continue;
	*at = s->next;
	if (!s->sender->ending)
		let_in(s->sender, s->host, s->port);
	relay_dial_free(s->dial);
	timer_free(s->limit);
	if (s->easy != NULL) {
		curl_multi_remove_handle(s->sender->multi, s->easy);
		curl_easy_cleanup(s->easy);
	}
	watch_free(s->watch);
	if (s->fd != -1)
		close(s->fd);
	free_headers(s);
	notify_request_wipe(&s->request);
	free(s);
}

static void
finish(struct notify_send *s, const struct notify_answer *a)
{
	notify_answer_fn *done = s->done;
	void *arg = s->arg;

	done(arg, a);
	notify_send_free(s);
}

static void
fail(struct notify_send *s, const char *why)
{
	struct notify_answer a = { 0, false, -1, -1, "", s->why };
	long request = 0;

	/* Behind TLS: whoever only took the connection has read nothing. */
	if (s->easy != NULL)
		curl_easy_getinfo(s->easy, CURLINFO_REQUEST_SIZE, &request);
	a.sent = request > 0;
	str_safe(s->why, sizeof(s->why), why, strlen(why));
	finish(s, &a);
}

static int64_t
reset_ms(const struct notify_send *s)
{
	const char *name = s->request.reset_header;
	struct curl_header *h;
	int64_t at, now = stamp_now().utc_us / 1000000;

	if (name == NULL || curl_easy_header(s->easy, name, 0, CURLH_HEADER,
	    -1, &h) != CURLHE_OK || str_int(h->value, now, INT64_MAX / 1000,
	    &at) == -1)
		return -1;
	return (at - now) * 1000;
}

static void
succeed(struct notify_send *s)
{
	struct notify_answer a = { 0, true, -1, reset_ms(s), s->body, "" };
	curl_off_t after = 0;
	long status = 0;

	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &after);
	a.status = (int)status;
	if (after > 0)
		a.retry_ms = after > INT32_MAX ? INT32_MAX * 1000LL :
		    (int64_t)after * 1000;
	s->body[s->nbody] = '\0';
	finish(s, &a);
}

static struct notify_send *
send_of(CURL *easy)
{
	char *p = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &p);
	return (struct notify_send *)(void *)p;
}

/* What libcurl has finished.  Each takes the list anew: callbacks may end
   others. */
static void
reap(struct notify_sender *all)
{
	struct notify_send *s;
	CURLcode result;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(all->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		s = send_of(m->easy_handle);
		result = m->data.result;
		/* An answer that goes on and on is one, too. */
		if (result == CURLE_OK ||
		    (result == CURLE_WRITE_ERROR &&
		    s->nbody == NOTIFY_ANSWER_MAX))
			succeed(s);
		else
			fail(s, s->error[0] != '\0' ? s->error :
			    curl_easy_strerror(result));
	}
}

/* libcurl on our loop. */

static void
on_socket(void *arg, short revents)
{
	struct notify_send *s = arg;
	struct notify_sender *all = s->sender;
	int what = 0, running;

	if (revents & POLLIN)
		what |= CURL_CSELECT_IN;
	if (revents & POLLOUT)
		what |= CURL_CSELECT_OUT;
	if (revents & (POLLERR | POLLHUP | POLLNVAL))
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(all->multi, s->socket, what, &running);
	reap(all);
}

static void
on_timer(void *arg)
{
	struct notify_sender *all = arg;
	int running;

	curl_multi_socket_action(all->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	reap(all);
}

static int
want_timer(CURLM *multi, long ms, void *arg)
{
	struct notify_sender *all = arg;

	(void)multi;
	if (ms < 0)
		timer_stop(all->timer);
	else
		timer_set(all->timer, ms);
	return 0;
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
	struct notify_sender *all = arg;
	struct notify_send *s = send_of(easy);
	short events = 0;

	(void)socket;
	watch_free(s->watch);
	s->watch = NULL;
	if (what == CURL_POLL_REMOVE)
		return 0;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= POLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= POLLOUT;
	s->socket = fd;
	s->watch = watch_new(all->loop, fd, events, on_socket, s);
	return 0;
}

/* Ours is connected already; it is asked for once. */
static curl_socket_t
give_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct notify_send *s = arg;
	int fd = s->fd;

	(void)purpose;
	(void)address;
	s->fd = -1;
	return fd == -1 ? CURL_SOCKET_BAD : fd;
}

static int
is_connected(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	(void)arg;
	(void)fd;
	(void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct notify_send *s = arg;
	size_t room = NOTIFY_ANSWER_MAX - s->nbody;

	n *= size;
	memcpy(s->body + s->nbody, p, n < room ? n : room);
	s->nbody += n < room ? n : room;
	return n <= room ? n : 0;
}

/* From a socket to an answer. */

#define SET(option, value) \
	(bad |= curl_easy_setopt(s->easy, (option), (value)) != CURLE_OK)

static bool
set_request(struct notify_send *s)
{
	struct notify_request *r = &s->request;
	bool bad = false;

	for (size_t i = 0; i < r->nheaders; i++)
		s->headers = curl_slist_append(s->headers, r->headers[i]);
	/* No wait for a "100 Continue" that may never come. */
	s->headers = curl_slist_append(s->headers, "Expect:");
	SET(CURLOPT_URL, r->url);
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDS, r->body);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
	SET(CURLOPT_HTTPHEADER, s->headers);
	SET(CURLOPT_USERAGENT, "oobd/" OOBD_VERSION);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, s);
	return !bad;
}

static bool
set_rules(struct notify_send *s)
{
	bool bad = false;

	SET(CURLOPT_PROTOCOLS_STR,
	    strncmp(s->request.url, "https:", 6) == 0 ? "https" : "http");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (s->request.ca_file != NULL)
		SET(CURLOPT_CAINFO, s->request.ca_file);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_TIMEOUT_MS, (long)s->request.limit_ms);
	SET(CURLOPT_ERRORBUFFER, s->error);
	SET(CURLOPT_PRIVATE, s);
	/* The address is for its books only: the socket is ours. */
	s->connect_to = curl_slist_append(NULL, "::127.0.0.1:");
	SET(CURLOPT_CONNECT_TO, s->connect_to);
	SET(CURLOPT_OPENSOCKETFUNCTION, give_socket);
	SET(CURLOPT_OPENSOCKETDATA, s);
	SET(CURLOPT_SOCKOPTFUNCTION, is_connected);
	return !bad;
}

static void
on_connected(void *arg, int fd, const char *address)
{
	struct notify_send *s = arg;

	log_debug("connected to %s", address);
	relay_dial_free(s->dial);
	s->dial = NULL;
	s->fd = fd;
	s->easy = curl_easy_init();
	if (s->easy == NULL || !set_request(s) || !set_rules(s) ||
	    curl_multi_add_handle(s->sender->multi, s->easy) != CURLM_OK) {
		if (s->easy != NULL)
			curl_easy_cleanup(s->easy);
		s->easy = NULL;
		fail(s, "libcurl does not take this request");
	}
}

static void
on_dial_failed(void *arg, const char *why)
{
	fail(arg, why);
}

static void
on_resolved(void *arg, const char *addresses)
{
	struct notify_send *s = arg;

	if (s->way.route != NULL)
		s->way.route(s->way.arg, addresses);
}

static const struct relay_dial_ops dial_ops = {
	.resolved = on_resolved,
	.connected = on_connected,
	.failed = on_dial_failed,
};

static void
on_limit(void *arg)
{
	fail(arg, "no answer in time");
}

static void
on_bad_url(void *arg)
{
	fail(arg, "its url has no host");
}

/* 0, or -1 when there is none in it. */
static int
split_url(const char *url, char host[URL_HOST], unsigned *port)
{
	char *h = NULL, *p = NULL;
	CURLU *u = curl_url();
	int64_t n = 0;
	int r = -1;

	if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &h, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &p, CURLU_DEFAULT_PORT) ==
	    CURLUE_OK && str_int(p, 1, 65535, &n) == 0 &&
	    strlen(h) < URL_HOST) {
		size_t skip = h[0] == '[';

		strcpy(host, h + skip);
		if (skip)
			host[strcspn(host, "]")] = '\0';
		*port = (unsigned)n;
		r = 0;
	}
	curl_free(h);
	curl_free(p);
	curl_url_cleanup(u);
	return r;
}

static void
begin(struct notify_send *s)
{
	struct relay_dial_to to = { .host = s->host, .ports = { s->port },
	    .servers = s->way.servers, .local = s->way.local,
	    .interface = s->way.interface };

	s->runs = true;
	timer_set(s->limit, s->request.limit_ms);
	s->dial = relay_dial_new(s->sender->loop, &to, &dial_ops, s);
}

/* Those that wait for this host, as far as there is room for them. */
static void
let_in(struct notify_sender *all, const char *host, unsigned port)
{
	struct notify_send *oldest;
	size_t run;

	do {
		oldest = NULL;
		run = 0;
		for (struct notify_send *s = all->sends; s != NULL;
		    s = s->next) {
			if (strcmp(s->host, host) != 0 || s->port != port)
				continue;
			run += s->runs;
			if (!s->runs)
				oldest = s;
		}
		if (oldest != NULL && run < NOTIFY_PER_HOST)
			begin(oldest);
	} while (oldest != NULL && run < NOTIFY_PER_HOST);
}

struct notify_send *
notify_send(struct notify_sender *all, struct notify_request *r,
    const struct notify_way *way, notify_answer_fn *done, void *arg)
{
	struct notify_send *s = xcalloc(1, sizeof(*s));

	s->sender = all;
	s->request = *r;
	memset(r, 0, sizeof(*r));
	s->fd = -1;
	s->way = *way;
	s->done = done;
	s->arg = arg;
	s->next = all->sends;
	all->sends = s;
	if (split_url(s->request.url, s->host, &s->port) == -1) {
		s->runs = true;
		s->limit = timer_new(all->loop, on_bad_url, s);
		timer_set(s->limit, 0);
		return s;
	}
	s->limit = timer_new(all->loop, on_limit, s);
	let_in(all, s->host, s->port);
	return s;
}

struct notify_sender *
notify_sender_new(struct loop *loop)
{
	struct notify_sender *all = xcalloc(1, sizeof(*all));

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
	    (all->multi = curl_multi_init()) == NULL) {
		log_error("libcurl does not start");
		free(all);
		return NULL;
	}
	relay_dial_start();
	all->loop = loop;
	all->timer = timer_new(loop, on_timer, all);
	curl_multi_setopt(all->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(all->multi, CURLMOPT_TIMERDATA, all);
	curl_multi_setopt(all->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(all->multi, CURLMOPT_SOCKETDATA, all);
	return all;
}

void
notify_sender_free(struct notify_sender *all)
{
	struct notify_send *next;

	if (all == NULL)
		return;
	all->ending = true;
	for (struct notify_send *at = all->sends; at != NULL; at = next) {
		next = at->next;
		notify_send_free(at);
	}
	timer_free(all->timer);
	curl_multi_cleanup(all->multi);
	relay_dial_stop();
	curl_global_cleanup();
	free(all);
}
