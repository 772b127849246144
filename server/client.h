/*
 * client: who is linked to the console process: one of its peers (the ssh and
 * the modem process), or an oobctl.  A guest is one user's session on it.  The
 * client is believed what the kernel says (oobctl) or, for the ssh process,
 * who logged in; what that user may do is looked up here, in our own
 * configuration.  client_requests.c lists what each may ask for.
 */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include <stdarg.h>

#include "console_internal.h"

struct grant;
struct guest;

/*
 * Take over fd.  local_user: the login name of who runs oobctl, who is an
 * admin; of a peer its role.
 */
void client_add(struct console *, int fd, enum peer, const char *local_user);
enum peer client_peer(const struct client *);
void clients_free(struct console *);

/* Wires speaking: see wires_ops. */
void clients_data(struct console *, struct wire *);
bool clients_behind(struct console *, struct wire *, uint64_t at);
void clients_changed(struct console *, struct wire *);
void clients_notice(struct console *, struct wire *, const char *text);
void clients_gone(struct console *, struct wire *);
/* A notice for everyone attached anywhere. */
void clients_tell(struct console *, const char *text);
void guest_tell(void *guest, const char *text);
void guest_pen(void *guest, bool writes, const char *text);

/* The end of a turn: send what was gathered, and who is attached now. */
void clients_flush(struct console *);
/* Rights may have changed, by a reload or a grant: they hold from now on. */
void clients_reload(struct console *);
/* Grants changed: the ssh process is told for whom there are some. */
void clients_granted(struct console *);
/* A notice for this user, wherever he is attached to that console, or reads
   its record. */
void guests_tell_user(struct console *, const char *user,
    const char *console, const char *text);
/* The daemon stops: say so, so that nobody waits for a link to come back. */
void clients_bye(struct console *);

/* client_notify.c: somebody is to be told, or nobody: as configured now. */
void clients_notify_configure(struct console *);
void clients_notify_free(struct console *);
/* As notices_event (notices.h). */
void clients_notify(struct console *, const char *kind, const char *source,
    const char *text);

/* As notices_alert. */
void clients_notify_alert(struct console *, unsigned severity,
    const char *name, const char *console, const char *text);

/* What answer*.c needs. */
struct answer {
	struct console *console;
	struct client *client;
	struct guest *guest;	/* who asks; never NULL */
	uint32_t request;
	bool tty;
	uint16_t columns, rows;
	int argc;
	char **argv;
};
void answer_out(const struct answer *, int stream, const char *text);
void answer_outf(const struct answer *, int stream, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void answer_end(const struct answer *, int status);

struct console *guest_console(const struct guest *);
const char *guest_user(const struct guest *);
const char *guest_via(const struct guest *);
enum role guest_role(const struct guest *);	/* by the configuration */
/* What it may do on this wire, which it sees: a grant may add to its role. */
enum role guest_role_on(const struct guest *, const struct wire *);
/* The most that it may do anywhere. */
enum role guest_role_best(const struct guest *);
/* The grant that its rights on this wire rest on, or NULL. */
const struct grant *guest_grant(const struct guest *, const struct wire *);
uint32_t guest_id(const struct guest *);
struct wire *guest_wire(const struct guest *);	/* attached to, or NULL */
/* May it know of this wire at all? */
bool guest_sees(const struct guest *, const struct wire *);

struct guest_info {
	uint32_t id;
	const char *user, *from, *via, *key, *console;
	bool attached, writes;
	int64_t idle_ms, since_ms;
	int64_t granted_ms;	/* his right ends so soon; -1: by itself never */
};
/* Call fn for each guest; stops when it returns false. */
void guests_each(struct console *, bool (*fn)(void *arg,
    const struct guest_info *), void *arg);
/* End the session with this id.  -1: no such. */
int guest_kick(struct console *, uint32_t id, const char *why);
/*
 * Name of the console that session is attached to ("": none) and its user;
 * NULL: no such session.
 */
const char *guest_console_of(struct console *, uint32_t id, char *user,
    size_t size);

/* The supervisor's answer to a request for a reader; fd -1: none. */
void clients_reader(struct console *, uint32_t reader, int fd);
/*
 * Ask for one, for the verb argv[0] on the consoles argv[1] (with commas
 * between, or the box's journal); the answer goes to the client as AN_READER.
 * It ends with the guest's rights on any of them.  At most
 * SESSION_READERS_MAX for a guest at a time.
 */
#define SESSION_READERS_MAX 8
void answer_reader(const struct answer *, int argc, char *const argv[]);

#endif
