/*
 * A gate asked by an ssh process gone bad: nobody is let in who has neither
 * code nor key, whatever is asked; and the answer is one whole frame without
 * a voucher, or none.  Input: what comes after the supervisor's words.
 */
#include "auth/voucher.h"
#include "server/base/fileio.h"
#include "server/base/os.h"
#include "server/base/pass.h"
#include "server/gate.h"
#include "server/proto.h"
#include "server/sandbox.h"
#include "tests/world.h"

#define BYTES_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int conf;

/* As the supervisor does before anybody else has the socket. */
static void
furnish(int sock)
{
	struct frame_out *o = xmalloc(sizeof(*o));
	uint8_t key[VOUCHER_KEY];

	memset(key, 'k', sizeof(key));
	frame_start(o, GT_HOUSE);
	frame_put_bytes(o, key, sizeof(key));
	if (pass_send(sock, o, conf) == -1)
		abort();
	free(o);
}

static void
check_answer(int sock)
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

static void
begin(void)
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
	conf = os_anon_fd("gate-fuzz");
	if (conf == -1 || fd_write_all(conf, text, strlen(text)) == -1)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *words[] = { world_dir };
	int pair[2];

	if (world_dir[0] == '\0')
		begin();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	furnish(pair[0]);
	if (n > BYTES_MAX)
		n = BYTES_MAX;
	if (n > 0 && write(pair[0], p, n) != (ssize_t)n)
		abort();
	shutdown(pair[0], SHUT_WR);
	gate_main(pair[1], 1, words);
	close(pair[1]);
	check_answer(pair[0]);
	close(pair[0]);
	return 0;
}
