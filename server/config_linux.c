#include "config_internal.h"

const struct config_paths config_paths = {
	.file = "/etc/oobd/oobd.conf",
	.state_dir = "/var/lib/oobd",
	.log_dir = "/var/log/oobd",
	.control = "/var/run/oobd.sock",
};
