/*
 * ctl_tools: verbs that oobctl carries out itself (VERB_TOOL in verbs.h): no
 * daemon need run, and none is asked.  A tool is a function in a file of its
 * own, named here and in ctl_tools.c.
 */
#ifndef SERVER_CTL_TOOLS_H
#define SERVER_CTL_TOOLS_H

/*
 * argv as the user typed it, the verb first, NULL after the last: "sms",
 * "decode", ...  Data to standard output, messages to standard error.
 * Returns an enum status.
 */
typedef int ctl_tool_fn(int argc, char *const argv[]);

/* The tool for these words, NULL: there is none, the daemon may know. */
ctl_tool_fn *ctl_tool(int argc, char *const argv[]);

#endif
