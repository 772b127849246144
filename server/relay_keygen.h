/*
 * relay_keygen: `oobctl relay keygen`: make the key by which this box logs in
 * at a relay, and print what goes into authorized_keys there.
 */
#ifndef SERVER_RELAY_KEYGEN_H
#define SERVER_RELAY_KEYGEN_H

/*
 * See ctl_tools.h; argv: "relay", "keygen", [-f CONFIG] [NAME].  A key that
 * is there stays, and its line is printed again.
 */
int relay_keygen(int argc, char *const argv[]);

#endif
