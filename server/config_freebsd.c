#include "config_internal.h"

const struct config_paths config_paths = {
	.file = PREFIX "/etc/oobd.conf",
	.state_dir = "/var/db/oobd",
	.log_dir = "/var/log/oobd",
	.control = "/var/run/oobd.sock",
};
