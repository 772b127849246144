/* Stands in for the system's hotplug: the archive's is then not linked. */
#include "../../serial/hotplug_poll.c"

#include "serial_hotplug_test.c"
