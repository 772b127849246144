/*
 * router: "oobsim router", a FreeBSD-like box on a pty.
 */
#ifndef SIM_ROUTER_H
#define SIM_ROUTER_H

/* argv[0] is "router".  Runs until SIGTERM; returns the exit status. */
int router_main(int argc, char **argv);

#endif
