/*
 * A gate asked by an ssh process gone bad: nobody is let in who has neither
 * code nor key, whatever is asked; and the answer is one whole frame without
 * a voucher, or none.  Input: what comes after the supervisor's words.
 */
#include "asked.h"
#include "server/base/pass.h"

#define BYTES_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* As the supervisor does before anybody else has the socket. */
static void
furnish(int sock)
{
	struct frame_out *o = xmalloc(sizeof(*o));
	uint8_t key[VOUCHER_KEY];

	memset(key, 'k', sizeof(key));
	frame_start(o, GT_HOUSE);
	frame_put_bytes(o, key, sizeof(key));
	if (pass_send(sock, o, asked_conf) == -1)
		abort();
	free(o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *words[] = { world_dir };
	int pair[2];

	if (world_dir[0] == '\0')
		asked_begin();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	furnish(pair[0]);
	if (n > BYTES_MAX)
		n = BYTES_MAX;
	if (n > 0 && write(pair[0], p, n) != (ssize_t)n)
		abort();
	shutdown(pair[0], SHUT_WR);
	gate_main(pair[1], 1, words);
	asked_check_answer(pair[0]);
	close(pair[1]);
	close(pair[0]);
	return 0;
}
