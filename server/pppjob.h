/*
 * pppjob: the role, as root, that starts PPP on a descriptor, watches it and
 * ends it: when it is asked to, when its time is over, when no address comes,
 * when the carrier is lost, and when the supervisor is gone.  So nothing of
 * ours can die and leave a link up that costs money.  It holds the host
 * routes, too, and takes them back.
 *
 * Words: "run" RUN_DIR, or "clean" RUN_DIR (end what others left, then exit).
 */
#ifndef SERVER_PPPJOB_H
#define SERVER_PPPJOB_H

/*
 * What it is told first; then UP_PPP_LIFE, UP_PPP_STOP, UP_ROUTE.  It says
 * SV_PPP and SV_ROUTE, which go to the modem process as they are.
 */
enum proto_pppjob {
	PJ_RUN = 0x0701,	/* u32 seconds, u32 seconds at most, u32
				   seconds until it has an address, u8 is the
				   way to everywhere, str user, str password
				   file, u32 uid of its owner, str name
				   servers ("": the peer's) + fd */
};

int pppjob_main(int fd, int argc, char *const argv[]);

#endif
