/*
 * reader: the role that reads journals for one verb of one user, in a process
 * of its own, so that no search or slow terminal ever delays the daemon.
 */
#ifndef SERVER_READER_H
#define SERVER_READER_H

/*
 * fd: a stream socket to the client.  argv: the log folder, the state folder,
 * "--tty COLUMNS ROWS" if there is a terminal, then the verb, the console and
 * the options.
 * Speaks AN_OUT and AN_END (request 0), hears RD_KEYS and RD_SIZE; ends when
 * the client is gone.  Returns the status it gave in AN_END.
 */
int reader_main(int fd, int argc, char **argv);

/*
 * The same verbs on standard input and output, for oobctl -D.  argv: the
 * verb, the console and the options.  Returns the exit status.
 */
int reader_offline(const char *log_dir, int argc, char **argv);

#endif
