/* What client*.c, guest.c and task.c share; nobody else. */
#ifndef SERVER_CLIENT_INTERNAL_H
#define SERVER_CLIENT_INTERNAL_H

#include "client.h"

#define DATA_MAX 32768		/* device or answer bytes in one frame */
#define GUESTS_MAX 512		/* sessions on one link */
#define NAME_BYTES 80
#define FROM_BYTES 128

struct guest {
	struct client *client;
	struct guest *next;
	uint32_t sid;		/* the client's number */
	uint32_t id;		/* ours */
	char user[NAME_BYTES], from[FROM_BYTES], via[NAME_BYTES];
	char key[NAME_BYTES];
	enum role role;
	struct wire *wire;
	struct seat *seat;
	struct source *source;
	size_t credit;		/* taken, not yet told */
	bool told_down;
	bool reads;		/* a person at a terminal, who has a bookmark */
	struct mono since;
};

struct sub {
	struct wire *wire;	/* NULL: not subscribed */
	uint64_t at;
};

struct client {
	struct console *console;
	struct client *next;
	struct link *link;
	enum peer peer;
	bool hello, dirty;
	uint32_t told_attached, told_by_relay;	/* AN_PRESENCE */
	char local_user[NAME_BYTES];
	struct guest *guests;
	size_t nguests;
	struct sub subs[WIRES_MAX];
	struct mono progress;	/* when it last took data */
	struct timer *credit;
	struct client_reader *readers;	/* that run, or will */
};

/* Begin a frame to the client; it leaves at the end of the turn. */
struct frame_out *client_begin(struct client *, uint16_t type);
/* link_frame_fn. */
int client_request(void *client, struct frame *, int fd);
struct sub *client_sub(struct client *, const struct wire *);
void client_push(struct client *, struct sub *);
void client_send_gap(struct client *, struct sub *, uint64_t to);
void client_send_console(struct client *, struct wire *);
void client_send_end(struct client *, uint32_t request, int status,
    uint64_t offset);

/* client_readers.c: a verb that reads the record, until it is cancelled. */
int reader_goes_on(struct client *, struct frame *);
void client_cancel_reader(struct client *, uint32_t request);
/* Rights changed: those of this guest that it has no more end. */
void guest_check_readers(struct guest *);
/* Does one of them read this console? */
bool guest_reads_of(const struct guest *, const char *console);
/* The guest is gone, or (in the end) the client: nobody asks any more. */
void guest_forget_readers(const struct guest *);
void client_forget_readers(struct client *);

/* client_peer.c: requests of peers. */
int peer_info(struct client *, struct frame *);
int peer_event(struct client *, struct frame *);
int peer_tell(struct client *, struct frame *);
int peer_auth(struct client *, struct frame *);	/* client_auth.c */
/* How many are attached, if that changed or `again`. */
void peer_send_presence(struct client *, bool again);
void peer_gone(struct client *);

/* client_notify.c: the notify process is there; it has taken one. */
void notify_peer_up(struct client *);
int notify_peer_taken(struct client *, struct frame *);

/* guest.c */
struct guest *guest_find(const struct client *, uint32_t sid);
int guest_open(struct client *, struct frame *);
/* For whom there are grants; to the ssh process. */
void client_send_grants(struct client *);
void guest_attach(struct guest *, struct wire *, enum attach_mode);
void guest_send_attached(struct guest *, uint16_t console, enum status,
    const char *text);
void guest_detach(struct guest *, const char *why);
void guest_free(struct guest *, const char *why);
/* Tell the client that this session is over, then forget it. */
void guest_end(struct guest *, const char *why);
void guest_taken(void *guest, size_t n, bool dropped);
void guest_credit_due(void *client);
/* May it type now?  Says why not, once. */
bool guest_may_type(struct guest *);

#endif
