/*
 * tell: "oobsim tell SOCKET ORDER ...": one line to a simulator's control
 * socket, its answer to stdout.
 */
#ifndef SIM_TELL_H
#define SIM_TELL_H

/* argv[0] is "tell".  Exit status 0, 1 for an error, 2 for wrong usage. */
int tell_main(int argc, char **argv);

#endif
