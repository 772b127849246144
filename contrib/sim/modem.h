/*
 * modem: "oobsim modem", a USB stick with one or two AT ports.
 */
#ifndef SIM_MODEM_H
#define SIM_MODEM_H

/* argv[0] is "modem".  Runs until SIGTERM; returns the exit status. */
int modem_main(int argc, char **argv);

#endif
