/*
 * asked: a gate's configuration, by which nobody is let in who has neither code
 * nor key, and what it may answer then.
 */
#ifndef FUZZ_ASKED_H
#define FUZZ_ASKED_H

#include "auth/voucher.h"
#include "server/base/fileio.h"
#include "server/base/os.h"
#include "server/gate.h"
#include "server/proto.h"
#include "server/sandbox.h"
#include "tests/world.h"

static int asked_conf;			/* a file */

/* Once. */
static inline void
asked_begin(void)
{
	char text[512];

	world_begin();
	sandbox_set_mode(SANDBOX_OFF);
	snprintf(text, sizeof(text), "name = box\nservice_user = nobody\n"
	    "state_dir = \"%s\"\nconsole gw { device = /d }\n"
	    "user alice { keys = {\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMkaXV"
	    "q9K9oFjH41AuxpV6wP+vGszysrza51/3oy6jee\"} "
	    "require = {\"key\", \"key+code\", \"password+code\"} }\n",
	    world_dir);
	asked_conf = os_anon_fd("gate-fuzz");
	if (asked_conf == -1 ||
	    fd_write_all(asked_conf, text, strlen(text)) == -1)
		abort();
}

/* No, in one whole frame without a voucher; or nothing. */
static inline void
asked_check_answer(int sock)
{
	static uint8_t in[FRAME_HEAD + FRAME_MAX];
	char why[GATE_WHY], voucher[VOUCHER_TEXT];
	struct frame f;
	size_t used;
	ssize_t n = recv(sock, in, sizeof(in), MSG_DONTWAIT);

	if (n <= 0)
		return;
	if (frame_parse(in, (size_t)n, &f, &used) != 1 ||
	    used != (size_t)n || f.type != GT_ANSWER || frame_u8(&f) != 0)
		abort();
	frame_str(&f, why, sizeof(why));
	frame_str(&f, voucher, sizeof(voucher));
	if (!frame_ok(&f) || why[0] == '\0' || voucher[0] != '\0')
		abort();
}

#endif
