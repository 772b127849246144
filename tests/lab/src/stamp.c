/*
 * stamp: copies lines, each with the time at which it came before it.
 *
 *	oobd -d 2>&1 | stamp >LOG
 *	1764384000.123456 oobd: ready
 */
#include <stdio.h>
#include <time.h>

int
main(void)
{
	char line[4096];
	struct timespec now;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		clock_gettime(CLOCK_REALTIME, &now);
		printf("%lld.%06ld %s", (long long)now.tv_sec,
		    now.tv_nsec / 1000, line);
	}
	return 0;
}
