#include <stdio.h>
#include <time.h>

#include "router_job.h"

#define REFRESH_MS 2000

/* Where a typed cursor key stands: ESC, [ and a letter. */
enum {
	KEY_PLAIN,
	KEY_ESCAPE,
	KEY_CSI,
};

struct process {
	unsigned pid;
	const char *user;
	const char *size;
	const char *command;
};

static const struct process processes[] = {
	{ 11, "root", "0B", "[idle]" },
	{ 12, "root", "0B", "[intr]" },
	{ 812, "bind", "98M", "named" },
	{ 871, "ntpd", "21M", "ntpd" },
	{ 702, "root", "11M", "syslogd" },
	{ 904, "root", "20M", "sshd" },
	{ 914, "root", "11M", "cron" },
	{ 521, "root", "10M", "devd" },
	{ 962, "root", "12M", "sh" },
};

#define NPROCESSES (sizeof(processes) / sizeof(processes[0]))

static void
draw_row(struct job *j, unsigned row)
{
	const struct process *p = &processes[row];
	unsigned tenths = (unsigned)(p->pid * 7 + j->at * 13 + row) % 80;

	job_print(j, "\033[%u;1H%s%6u %-10s %5s %3u.%u%%  %-20s\033[0m\033[K",
	    row + 6, row == j->row ? "\033[7m" : "", p->pid, p->user, p->size,
	    tenths / 10, tenths % 10, p->command);
}

static void
draw(struct job *j)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	job_print(j, "\033[Hlast pid:  1044;  load averages:  0.21,  0.18,  "
	    "0.16    up 13+02:41:07  %02d:%02d:%02d\033[K\n"
	    "23 processes:  1 running, 22 sleeping\033[K\n"
	    "CPU:  0.4%% user,  0.0%% nice,  1.1%% system,  0.7%% interrupt, "
	    "97.8%% idle\033[K\n\033[K\n"
	    "\033[1m   PID USERNAME    SIZE   WCPU  COMMAND\033[0m\033[K",
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
	for (unsigned i = 0; i < NPROCESSES; i++)
		draw_row(j, i);
	job_print(j, "\033[%zu;1Harrows or j k: move   q: leave\033[K",
	    NPROCESSES + 7);
	j->at++;
}

enum job_next
top_start(struct job *j, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	job_say(j, "\033[?25l\033[2J");
	draw(j);
	timer_set(j->timer, REFRESH_MS);
	return JOB_RUNS;
}

void
top_tick(struct job *j)
{
	draw(j);
	timer_set(j->timer, REFRESH_MS);
}

void
top_interrupted(struct job *j)
{
	job_print(j, "\033[?25h\033[%zu;1H\033[K\n", NPROCESSES + 7);
}

static void
move_to(struct job *j, unsigned row)
{
	unsigned old = j->row;

	if (row >= NPROCESSES)
		return;
	j->row = row;
	draw_row(j, old);
	draw_row(j, row);
}

void
top_key(struct job *j, uint8_t c)
{
	if (c == '\033') {
		j->state = KEY_ESCAPE;
		return;
	}
	if (j->state == KEY_ESCAPE) {
		j->state = c == '[' || c == 'O' ? KEY_CSI : KEY_PLAIN;
		return;
	}
	if ((j->state == KEY_CSI && c == 'A') || c == 'k') {
		if (j->row > 0)
			move_to(j, j->row - 1);
	} else if ((j->state == KEY_CSI && c == 'B') || c == 'j') {
		move_to(j, j->row + 1);
	} else if (c == 'q') {
		top_interrupted(j);
		j->done = true;
	}
	j->state = KEY_PLAIN;
}
