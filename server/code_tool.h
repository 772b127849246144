/*
 * code_tool: `oobctl code`, the admins' one-time codes, in the state_dir of
 * the configuration and without the daemon, which notices at the next code.
 * As root it works as the service user, who owns them.
 */
#ifndef SERVER_CODE_TOOL_H
#define SERVER_CODE_TOOL_H

/* See ctl_tools.h; argv[0] is "code". */
int code_tool(int argc, char *const argv[]);

#endif
