/*
 * modem_cmds: the command tables of the personalities.
 */
#ifndef SIM_MODEM_CMDS_H
#define SIM_MODEM_CMDS_H

#include "modem_at.h"

/* Each ends with a NULL name. */
extern const struct at_command cmds_basic[];	/* V.250 */
extern const struct at_command cmds_network[];	/* 3GPP TS 27.007 */
extern const struct at_command cmds_sms[];	/* 3GPP TS 27.005 */
extern const struct at_command cmds_huawei[];
extern const struct at_command cmds_generic[];	/* what Huawei has not */

#endif
