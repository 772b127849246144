/*
 * sink: the role that runs the program of a notify section for the notify
 * process, which cannot: its sandbox lets nobody start a program.  One process
 * per message, started by the supervisor, which also says which program.
 */
#ifndef SERVER_SINK_H
#define SERVER_SINK_H

#define SINKS_MAX 20		/* at a time: one per section, and a test */
#define SINK_LIMIT_MS 40000	/* then it is killed */

/*
 * argv: the program.  SK_RUN comes on fd, SK_ENDED goes back; when the other
 * end closes, the program is killed.  Returns the exit status.
 */
int sink_main(int fd, int argc, char *const argv[]);

#endif
