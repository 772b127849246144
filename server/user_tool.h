/*
 * user_tool: `oobctl user`, passwords of users, in the state_dir of the
 * configuration and without the daemon, which looks there at each login.
 */
#ifndef SERVER_USER_TOOL_H
#define SERVER_USER_TOOL_H

/* See ctl_tools.h; argv[0] is "user". */
int user_tool(int argc, char *const argv[]);

#endif
