/*
 * synced: a clock that NTP looks after, as ntp_adjtime(2) tells it.  Loaded
 * with LD_PRELOAD; build/tests/synced.so.
 */
#include <string.h>
#include <sys/timex.h>

int
ntp_adjtime(struct timex *t)
{
	memset(t, 0, sizeof(*t));
	return TIME_OK;
}
