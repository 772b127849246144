/*
 * names: what the users of this system are called, as /etc/passwd says, which
 * is read anew each time; no directory service is asked, as none may hold up
 * who asks for this.
 */
#ifndef SERVER_NAMES_H
#define SERVER_NAMES_H

#include <sys/types.h>

#define NAMES_NAME 64		/* with NUL; a longer one is cut */

/*
 * The name of the user, "uid1000" where the file (passwd(5)) has none or cannot
 * be read.  Allocates nothing.  Returns dst.
 */
char *names_user(char dst[NAMES_NAME], const char *file, uid_t uid);

#endif
