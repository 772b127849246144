/*
 * modem_home: the modem process's own folder, state_dir/modem, which is all
 * that its sandbox lets it write to beside the codes.
 */
#ifndef SERVER_MODEM_HOME_H
#define SERVER_MODEM_HOME_H

/*
 * Make it, and move there what an older oobd left in state_dir itself; what
 * cannot be done is logged.  Its path; the caller frees.  Never NULL.
 */
char *modem_home(const char *state_dir);

#endif
