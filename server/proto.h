/*
 * proto: names of the frames between the console process and its clients (the
 * ssh process, oobctl, readers) and between the supervisor and its children.
 * docs/frames.md gives every field.  PROTO_VERSION changes when a frame does.
 */
#ifndef SERVER_PROTO_H
#define SERVER_PROTO_H

#define PROTO_VERSION 3

/* Client to console process: 0x01xx. */
enum proto_request {
	RQ_HELLO = 0x0101,	/* u16 version, str client program */
	RQ_OPEN,		/* u32 sid, str user, str from, str via, str
				   key; the ssh process: str voucher */
	RQ_CLOSE,		/* u32 sid */
	RQ_ATTACH,		/* u32 sid, u16 console, u8 mode (enum attach) */
	RQ_DETACH,		/* u32 sid */
	RQ_INPUT,		/* u32 sid, bytes */
	RQ_PEN,			/* u32 sid, u8 op (enum pen_op) */
	RQ_SUBSCRIBE,		/* u16 console, u64 from (~0: newest) */
	RQ_UNSUBSCRIBE,		/* u16 console */
	RQ_TAIL,		/* u32 request, u16 console, u32 lines, u8 raw */
	RQ_COMMAND,		/* u32 request, u32 sid (0: none), u8 tty,
				   u16 columns, u16 rows, u8 argc, str argv... */
	RQ_CANCEL,		/* u32 request */
	RQ_BREAK,		/* u32 sid: on the attached console */
	RQ_NOTE,		/* u32 sid, str text: into the journal */
	RQ_RECORD,		/* u32 sid: toggle recording of typed input */
	RQ_INTERRUPT,		/* u32 sid: drop the input still queued, type
				   ^C; in RQ_INPUT 0x03 is a byte like others */
	RQ_INFO,		/* str key, str text: for status ("": no more);
				   a peer only */
	RQ_TOLD,		/* u32 task, u8 stream, bytes; a peer only */
	RQ_DONE,		/* u32 task, u8 status; a peer only */
	RQ_EVENT,		/* str kind ([a-z-]), str text: into every
				   journal; a peer only */
	RQ_TELL,		/* str text: to everyone attached; a peer only */
	RQ_SEEN,		/* u32 sid, u64 offset, u32 ms, u8 how (enum
				   seen_how): how far the user has seen the
				   attached console, ms ago */
	RQ_AUTH,		/* u8 what (enum auth_what), u64 login, str
				   user, str way, str key, str from, str via,
				   str why: for the box's journal; the ssh
				   process, and oobctl what it changed */
	RQ_READS,		/* u32 request, u32 sid, str what: a reader of
				   this session goes on, although you are new */
};

/* Room for the strings of RQ_AUTH. */
#define AUTH_USER 80
#define AUTH_WAY 32
#define AUTH_KEY 160
#define AUTH_FROM 80
#define AUTH_VIA 64
#define AUTH_WHY 160

enum auth_what {
	AUTH_DOOR,		/* a new ssh process; login: its first ids */
	AUTH_LOGIN,
	AUTH_LOGOUT,		/* why: how it ended */
	AUTH_CODE_USED,		/* why: which one */
	AUTH_REFUSED,
	AUTH_PENALTY,		/* turned away before it could try */
	AUTH_CHANGED,		/* why: a password, a user's codes */
};

/* Console process (or reader) to client: 0x02xx. */
enum proto_answer {
	AN_WELCOME = 0x0201,	/* u16 version, str box name, u64 epoch */
	AN_CONSOLE,		/* u16 console, u8 up, u32 speed, str name,
				   str description, str line, u64 tail, u64 head */
	AN_CONSOLE_GONE,	/* u16 console */
	AN_ATTACHED,		/* u32 sid, u16 console, u8 status, u8 writes,
				   str text */
	AN_PEN,			/* u32 sid, u8 writes, str text */
	AN_CREDIT,		/* u32 sid, u32 bytes taken, u8 dropped */
	AN_DATA,		/* u16 console, u64 offset, bytes.  An empty one
				   answers RQ_SUBSCRIBE: here it begins */
	AN_GAP,			/* u16 console, u64 from, u64 to */
	AN_NOTICE,		/* u16 console (0xffff: sid's), u32 sid (0: all
				   attached), str text */
	AN_OUT,			/* u32 request, u8 stream (1, 2), bytes */
	AN_END,			/* u32 request, u8 status, u64 offset */
	AN_READER,		/* u32 request, str what it reads + fd: AN_OUT
				   and AN_END come there, or here when the right
				   to read that ends */
	AN_ENDED,		/* u32 sid, str why: kicked, rights lost */
	AN_TASK,		/* u32 task, str user, str via, u8 tty,
				   u16 columns, u8 argc, str argv...: a verb
				   that this peer runs; RQ_TOLD, RQ_DONE */
	AN_TASK_GONE,		/* u32 task: nobody waits for it any more */
	AN_PRESENCE,		/* u32 attached, u32 of them through a relay;
				   to the modem process, on every change */
	AN_GRANTS,		/* u16 n, n times str user, str console: who
				   has a right there for now; to the ssh
				   process, on every change */
};

/* Client to reader process, over the fd of AN_READER: 0x03xx. */
enum proto_reader {
	RD_KEYS = 0x0301,	/* bytes typed (replay) */
	RD_SIZE,		/* u16 columns, u16 rows */
};

/* Supervisor to child: 0x04xx. */
enum proto_down {
	SV_PING = 0x0401,	/* u32 number */
	SV_CONFIG,		/* + fd: canonical text of the configuration */
	SV_LISTEN,		/* str address + fd: a listening socket */
	SV_CONTROL,		/* + fd: the control socket, listening */
	SV_PEER,		/* str role + fd: a link to another child */
	SV_RING,		/* str console, u64 size + fd: its history */
	SV_TTY,			/* str console, u8 kind, u8 fresh, str path,
				   str usb + fd */
	SV_TTY_FAILED,		/* str console, str why */
	SV_READER,		/* u32 request + fd, or no fd: it failed */
	SV_READY,		/* end of what is given at start */
	SV_STOP,		/* finish within 3 s */
	SV_CHILD,		/* str role, u8 up, u32 restarts, str why */
	SV_PORT,		/* u32 request, str path, str usb + fd */
	SV_PORT_FAILED,		/* u32 request, str why */
	SV_PPP,			/* u8 enum ppp_state, str interface, str local
				   address, str peer address, str name servers
				   ("a,b"), str failure, str text */
	SV_ROUTE,		/* str address, str why ("": it is there) */
	SV_POWER,		/* u8 done, str text */
	SV_GATE,		/* u32 request + fd, or no fd: it failed */
	SV_SIGNED,		/* + fd: the signer's answer, to the end of the
				   stream; or no fd: it failed */
	SV_KEY,			/* str path, u32 errno (0: + fd): a file with a
				   key of ours, open */
	SV_SINK,		/* u32 request + fd, or no fd: it failed */
	SV_VOUCHERS,		/* bytes: the key of the vouchers that the ssh
				   process which is about to come will have;
				   none: it has no vouchers */
	SV_DIAL,		/* u32 request, str why not ("": + fd) */
	SV_NAME,		/* u32 request, str name of the user */
};

/* Child to supervisor, the table of privileged requests: 0x05xx. */
enum proto_up {
	UP_PONG = 0x0501,	/* u32 number */
	UP_OPEN_TTY,		/* str console */
	UP_CLOSE_TTY,		/* str console */
	UP_READER,		/* u32 request, u8 tty, u16 columns, u16 rows,
				   u8 argc, str argv... */
	UP_READY,		/* configured and serving */
	UP_OPEN_PORT,		/* u32 request, str device: the modem's port */
	UP_PPP,			/* u32 seconds at most + fd: the data port, in
				   data mode; SV_PPP */
	UP_PPP_LIFE,		/* u32 seconds from now on */
	UP_PPP_STOP,		/* ends with SV_PPP, within 5 s */
	UP_ROUTE,		/* u8 add, str address: over PPP; SV_ROUTE */
	UP_POWER,		/* u8 enum power_act; SV_POWER */
	UP_GATE,		/* u32 request: start a gate; SV_GATE */
	UP_SIGN,		/* u64 seal, str hash: have the newest seal of
				   the box's journal signed; SV_SIGNED */
	UP_KEY,			/* str path: the host key, or a relay's
				   identity; SV_KEY */
	UP_SINK,		/* u32 request, str notify: start the program
				   of this section; SV_SINK */
	UP_PROOFLESS,		/* str why: this process cannot listen to what
				   is signed; before it is ready */
	UP_DIAL,		/* u32 request, str relay, u8 its second port
				   first, u8 over PPP: connect to it; SV_DIAL */
	UP_NAME,		/* u32 request, u32 uid: what is he called? */
};

/* Of PPP, as SV_PPP says on every change. */
enum ppp_state {
	PPP_STARTING,
	PPP_NEGOTIATING,	/* it runs */
	PPP_UP,			/* its interface has an address */
	PPP_ENDED,		/* nothing is left of it; failure, text */
};

/* Between the modem process and the ssh process: 0x06xx. */
enum proto_way {
	WY_LINK = 0x0601,	/* u8 enum way, str interface, str local
				   address, str name servers ("a,b"): the way
				   that activated relays may use; from modem */
	WY_RELAY,		/* str relay, u8 always, u8 enum way_relay,
				   str failure, str text; from ssh, on change */
	WY_ROUTE,		/* str addresses ("a, b"), which a relay is
				   reached by: route them over PPP; from ssh,
				   just before it connects */
	WY_DRILL,		/* u32 drill, str relay: log in to ourselves
				   through it; from modem */
	WY_DRILLED,		/* u32 drill, u8 enum way_drill, u64 bytes over
				   the relay's connection, str text; from ssh */
};

/* Of notifications: 0x07xx. */
enum proto_notify {
	NT_EVENT = 0x0701,	/* u64 id, u8 severity, str source, str event,
				   str text: tell people; console process to
				   the notify process, until NT_TAKEN */
	NT_TAKEN,		/* u64 id: it is on disk there */
	NT_SMS,			/* u32 id, str number, str text: send this;
				   the notify process to the modem process */
	NT_SMS_DONE,		/* u32 id, u8 enum nt_sms, str text: back */
};

/* Of a notify program: 0x09xx, over the fd of SV_SINK. */
enum proto_sink {
	SK_RUN = 0x0901,	/* str text, u8 n, str "OOB_NAME=value"...;
				   notify process */
	SK_ENDED,		/* u32 exit status (~0: not that), str why; the
				   sink, then it ends */
};

/* Of a login, what it was proven with: 0x08xx, over the fd of SV_GATE. */
enum proto_gate {
	GT_ASK = 0x0801,	/* str user ("": nobody), str from, u8 with
				   password, str password, str code, str data,
				   str made, str signature (base64, "": none;
				   auth/proof.h); ssh process */
	GT_ANSWER,		/* u8 yes, str why not, or which code; str
				   voucher; the gate, then it ends */
	GT_HOUSE,		/* bytes: the key of vouchers, none: there are
				   none; + fd: the configuration.  From the
				   supervisor, before the fd of SV_GATE is */
};

/* Of a connection to a relay: 0x0Axx, over the fd of SV_DIAL; then it ends. */
enum proto_dialer {
	DL_RESOLVED = 0x0A01,	/* str addresses, for people */
	DL_CONNECTED,		/* str address, str why it is not over PPP as
				   it should be ("": + fd, connected) */
	DL_FAILED,		/* str why: no name, or nobody answers */
};

enum nt_sms {
	NT_SMS_TAKEN,		/* it will be sent */
	NT_SMS_REFUSED,		/* never, this one */
	NT_SMS_LATER,		/* ask again */
};

enum way {
	WAY_DOWN,		/* activated relays are let go */
	WAY_EXISTING,		/* over the uplink that there is */
	WAY_PPP,
};

enum way_relay {
	WAY_RELAY_OFF,		/* not wanted now */
	WAY_RELAY_TRYING,
	WAY_RELAY_FORWARDED,	/* the relay listens for us, and lets us not
				   try whether it leads here */
	WAY_RELAY_PROVEN,	/* ... and our own host key was read there */
	WAY_RELAY_FAILED,	/* waits to try again; failure says why */
};

enum way_drill {
	WAY_DRILL_GOOD,		/* logged in, and it was echoed */
	WAY_DRILL_NOT_PERMITTED, /* the relay forbids to try */
	WAY_DRILL_FAILED,
};

enum seen_how {
	SEEN_HERE,		/* a person is there, and was told what he
				   missed */
	SEEN_LEFT,		/* he leaves */
	SEEN_CUT,		/* he is cut off */
};

enum attach_mode {
	ATTACH_AUTO,		/* the pen if it is free */
	ATTACH_WATCH,
	ATTACH_FORCE,
	ATTACH_RESUME,		/* had the pen before the link broke */
	ATTACH_REJOIN,		/* was attached without it; no notice, no event,
				   does not take a free pen */
	ATTACH_REJOIN_WATCH,	/* as REJOIN, of one that wants to watch only */
};

enum pen_op {
	PEN_ASK,
	PEN_TAKE,
	PEN_WATCH,
};

/* Exit status of verbs (docs/oobctl.1). */
enum status {
	ST_OK = 0,
	ST_FAILED = 1,
	ST_USAGE = 2,
	ST_NO_CONSOLE = 3,
	ST_DENIED = 4,
	ST_DOWN = 5,
	ST_TIMEOUT = 6,
};

#define ARGS_MAX 64		/* words of a verb */
#define WORD_BYTES 4096		/* room for each of them */
#define TASKS_MAX 64		/* verbs given to peers, at a time, in all */

#endif
