#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../server/base/str.h"
#include "router_job.h"
#include "script.h"

#define BULK_ROOM (WIRE_QUEUE - 1024)	/* keep the queue short: ^C is quick */
#define FLOOD_LINE 64
#define RECV_WAIT_MS 10000

struct file {
	const char *path;
	const char *text;
};

static const struct file files[] = {
	{ "/etc/hosts", "::1\t\tlocalhost\n127.0.0.1\tlocalhost\n"
	    "192.0.2.2\tgw.example.net gw\n" },
	{ "/etc/motd", "Edge router.  Changes on Tuesdays only.\n" },
	{ "/etc/pf.conf", "ext_if = \"igb0\"\nint_if = \"igb1\"\n"
	    "set skip on lo0\nscrub in all\n"
	    "nat on $ext_if from $int_if:network to any -> ($ext_if)\n"
	    "block in log on $ext_if all\npass out keep state\n"
	    "pass in on $int_if all\n" },
	{ "/etc/rc.conf", "hostname=\"gw.example.net\"\n"
	    "ifconfig_igb0=\"inet 192.0.2.2/29\"\n"
	    "ifconfig_igb1=\"inet 198.51.100.1/24\"\n"
	    "defaultrouter=\"192.0.2.1\"\ngateway_enable=\"YES\"\n"
	    "pf_enable=\"YES\"\nnamed_enable=\"YES\"\nntpd_enable=\"YES\"\n"
	    "sshd_enable=\"YES\"\n" },
	{ "/etc/resolv.conf", "search example.net\nnameserver 127.0.0.1\n" },
	{ "/etc/ttys", "ttyu0\t\"/usr/libexec/getty std.57600\"\tvt100\ton "
	    "secure\n" },
};

#define NFILES (sizeof(files) / sizeof(files[0]))

/* Commands that print the same text every time. */
static const struct file fixed[] = {
	{ "id", "uid=0(root) gid=0(wheel) groups=0(wheel),5(operator)\n" },
	{ "ifconfig",
	    "igb0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0"
	    " mtu 1500\n\tether 00:0d:b9:4a:31:d8\n"
	    "\tinet 192.0.2.2 netmask 0xfffffff8 broadcast 192.0.2.7\n"
	    "\tmedia: Ethernet autoselect (1000baseT <full-duplex>)\n"
	    "\tstatus: active\n"
	    "igb1: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0"
	    " mtu 1500\n\tether 00:0d:b9:4a:31:d9\n"
	    "\tinet 198.51.100.1 netmask 0xffffff00 broadcast 198.51.100.255\n"
	    "\tmedia: Ethernet autoselect (1000baseT <full-duplex>)\n"
	    "\tstatus: active\n"
	    "lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> metric 0 mtu "
	    "16384\n\tinet6 ::1 prefixlen 128\n"
	    "\tinet 127.0.0.1 netmask 0xff000000\n\tgroups: lo\n" },
	{ "netstat",
	    "Routing tables\n\nInternet:\n"
	    "Destination        Gateway            Flags     Netif Expire\n"
	    "default            192.0.2.1          UGS        igb0\n"
	    "127.0.0.1          link#3             UH          lo0\n"
	    "192.0.2.0/29       link#1             U          igb0\n"
	    "192.0.2.2          link#1             UHS         lo0\n"
	    "198.51.100.0/24    link#2             U          igb1\n"
	    "198.51.100.1       link#2             UHS         lo0\n" },
	{ "ps",
	    "  PID TT  STAT      TIME COMMAND\n"
	    "    0  -  DLs    0:31.20 [kernel]\n"
	    "    1  -  ILs    0:00.04 /sbin/init --\n"
	    "   11  -  RNL  310:02.77 [idle]\n"
	    "   12  -  WL    12:08.91 [intr]\n"
	    "  521  -  Is     0:00.61 /sbin/devd\n"
	    "  702  -  Is     0:04.13 /usr/sbin/syslogd -s\n"
	    "  812  -  Is     2:41.50 /usr/local/sbin/named -u bind\n"
	    "  871  -  Ss     0:52.08 /usr/sbin/ntpd -p /var/db/ntp/ntpd.pid\n"
	    "  904  -  Is     0:00.31 /usr/sbin/sshd\n"
	    "  914  -  Is     0:02.94 /usr/sbin/cron -s\n"
	    "  961 u0  Is     0:00.05 login [pam] (login)\n"
	    "  962 u0  S      0:00.02 -sh (sh)\n"
	    " 1044 u0  R+     0:00.00 ps ax\n" },
	{ "pwd", "/root\n" },
};

#define NFIXED (sizeof(fixed) / sizeof(fixed[0]))

static enum job_next
fixed_start(struct job *j, int argc, char **argv)
{
	(void)argc;
	for (size_t i = 0; i < NFIXED; i++) {
		if (strcmp(fixed[i].path, argv[0]) == 0)
			job_say(j, fixed[i].text);
	}
	return JOB_DONE;
}

static enum job_next
uname_start(struct job *j, int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "-a") == 0)
		job_print(j, "FreeBSD %s 12.2-RELEASE FreeBSD 12.2-RELEASE "
		    "r366954 GENERIC  amd64\n", j->facts->hostname);
	else
		job_say(j, "FreeBSD\n");
	return JOB_DONE;
}

static enum job_next
hostname_start(struct job *j, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	job_print(j, "%s\n", j->facts->hostname);
	return JOB_DONE;
}

static enum job_next
date_start(struct job *j, int argc, char **argv)
{
	time_t now = time(NULL);
	char text[64];
	struct tm tm;

	(void)argc;
	(void)argv;
	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%a %b %e %H:%M:%S UTC %Y", &tm);
	job_print(j, "%s\n", text);
	return JOB_DONE;
}

static enum job_next
uptime_start(struct job *j, int argc, char **argv)
{
	long s = (long)(mono_ms(j->facts->started, mono_now()) / 1000);
	time_t now = time(NULL);
	struct tm tm;

	(void)argc;
	(void)argv;
	gmtime_r(&now, &tm);
	job_print(j, "%2d:%02d  up %ld:%02ld:%02ld, 1 user, load averages: "
	    "0.21, 0.18, 0.16\n", tm.tm_hour, tm.tm_min, s / 3600,
	    s / 60 % 60, s % 60);
	return JOB_DONE;
}

static enum job_next
who_start(struct job *j, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	job_print(j, "%-12s ttyu0    Nov 22 03:14\n", j->facts->user);
	return JOB_DONE;
}

static enum job_next
echo_start(struct job *j, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		job_print(j, "%s%s", i > 1 ? " " : "", argv[i]);
	job_say(j, "\n");
	return JOB_DONE;
}

static enum job_next
clear_start(struct job *j, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	job_say(j, "\033[H\033[J");
	return JOB_DONE;
}

static enum job_next
ls_start(struct job *j, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (size_t i = 0; i < NFILES; i++)
		job_print(j, "-rw-r--r--  1 root  wheel  %6zu Nov  2 2026 %s\n",
		    strlen(files[i].text), files[i].path);
	return JOB_DONE;
}

/* Without a file: each line typed comes back, until ^D. */
static enum job_next
cat_start(struct job *j, int argc, char **argv)
{
	size_t i;

	if (argc < 2)
		return JOB_RUNS;
	for (int a = 1; a < argc; a++) {
		for (i = 0; i < NFILES; i++) {
			if (strcmp(files[i].path, argv[a]) == 0)
				break;
		}
		if (i < NFILES)
			job_say(j, files[i].text);
		else
			job_print(j, "cat: %.200s: No such file or "
			    "directory\n", argv[a]);
	}
	return JOB_DONE;
}

static void
cat_key(struct job *j, uint8_t c)
{
	if (c == '\r' || c == '\n') {
		j->word[j->at] = '\0';
		job_print(j, "\n%s\n", j->word);
		j->at = 0;
	} else if (c == 4 && j->at == 0) {
		j->done = true;
	} else if (c >= 0x20 && j->at + 1 < sizeof(j->word)) {
		j->word[j->at++] = (char)c;
		wire_put(j->wire, &c, 1);
	}
}

static enum job_next
dmesg_start(struct job *j, int argc, char **argv)
{
	(void)j;
	(void)argc;
	(void)argv;
	return JOB_RUNS;
}

static void
dmesg_more(struct job *j)
{
	/* The loader's part, with its cursor movements, is not in the log. */
	static const char first[] = "---<<BOOT>>---";
	const struct script_line *line = script_boot;

	while (strncmp(line->text, first, sizeof(first) - 1) != 0)
		line++;
	while (line[j->at].text != NULL && wire_room(j->wire) > BULK_ROOM)
		script_say(j->wire, line[j->at++].text);
	j->done = line[j->at].text == NULL;
}

/* One whole number as the only argument. */
static bool
one_number(int argc, char **argv, int64_t min, int64_t max, uint64_t *out)
{
	int64_t n;

	if (argc != 2 || str_int(argv[1], min, max, &n) == -1)
		return false;
	*out = (uint64_t)n;
	return true;
}

static enum job_next
flood_start(struct job *j, int argc, char **argv)
{
	if (!one_number(argc, argv, 1, 99999999, &j->total))
		return JOB_USAGE;
	return JOB_RUNS;
}

static void
flood_more(struct job *j)
{
	char line[FLOOD_LINE + 1];

	while (j->at < j->total && wire_room(j->wire) > BULK_ROOM) {
		snprintf(line, sizeof(line), "flood %08" PRIu64 " of %08"
		    PRIu64 " abcdefghijklmnopqrstuvwxyz012345678\r\n",
		    ++j->at, j->total);
		wire_put(j->wire, line, FLOOD_LINE);
	}
	j->done = j->at == j->total;
}

/* The same bytes every time for one seed: splitmix64. */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static enum job_next
noise_start(struct job *j, int argc, char **argv)
{
	if (!one_number(argc, argv, 1, INT64_C(1) << 40, &j->total))
		return JOB_USAGE;
	j->random = j->facts->seed;
	return JOB_RUNS;
}

static void
noise_more(struct job *j)
{
	while (j->at < j->total && wire_room(j->wire) > BULK_ROOM) {
		uint8_t c = (uint8_t)next_random(&j->random);

		wire_put(j->wire, &c, 1);
		j->at++;
	}
	if (j->at < j->total)
		return;
	job_say(j, "\n");
	j->done = true;
}

/* Every byte value once, in order. */
static enum job_next
bytes_start(struct job *j, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (unsigned c = 0; c < 256; c++) {
		uint8_t byte = (uint8_t)c;

		wire_put(j->wire, &byte, 1);
	}
	job_say(j, "\n");
	return JOB_DONE;
}

/* As cksum(1) of POSIX computes it. */
static uint32_t
crc_byte(uint32_t crc, uint8_t c)
{
	crc ^= (uint32_t)c << 24;
	for (int i = 0; i < 8; i++)
		crc = crc & 0x80000000u ? crc << 1 ^ 0x04c11db7u : crc << 1;
	return crc;
}

static void
crc_print(struct job *j)
{
	uint32_t crc = j->crc;

	for (uint64_t n = j->at; n > 0; n >>= 8)
		crc = crc_byte(crc, (uint8_t)n);
	job_print(j, "%" PRIu32 " %" PRIu64 "\n", ~crc, j->at);
	j->done = true;
}

static enum job_next
cksum_start(struct job *j, int argc, char **argv)
{
	(void)j;
	(void)argv;
	return argc == 1 ? JOB_RUNS : JOB_USAGE;
}

static void
cksum_key(struct job *j, uint8_t c)
{
	if (c == 4) {
		crc_print(j);
		return;
	}
	j->crc = crc_byte(j->crc, c);
	j->at++;
}

static enum job_next
recv_start(struct job *j, int argc, char **argv)
{
	if (!one_number(argc, argv, 1, INT64_C(1) << 40, &j->total))
		return JOB_USAGE;
	timer_set(j->timer, RECV_WAIT_MS);
	return JOB_RUNS;
}

static void
recv_key(struct job *j, uint8_t c)
{
	j->crc = crc_byte(j->crc, c);
	timer_set(j->timer, RECV_WAIT_MS);
	if (++j->at == j->total)
		crc_print(j);
}

static void
recv_tick(struct job *j)
{
	job_print(j, "recv: nothing more came after %" PRIu64 " bytes\n",
	    j->at);
	j->done = true;
}

static enum job_next
sleep_start(struct job *j, int argc, char **argv)
{
	if (!one_number(argc, argv, 0, 86400, &j->total))
		return JOB_USAGE;
	timer_set(j->timer, (int64_t)j->total * 1000);
	return JOB_RUNS;
}

static void
sleep_tick(struct job *j)
{
	j->done = true;
}

static enum job_next
ping_start(struct job *j, int argc, char **argv)
{
	int64_t count = 0;

	if (argc == 4 && strcmp(argv[1], "-c") == 0 &&
	    str_int(argv[2], 1, 1000000, &count) == 0)
		argv += 2;
	else if (argc != 2)
		return JOB_USAGE;
	j->total = (uint64_t)count;
	j->random = j->facts->seed;
	snprintf(j->word, sizeof(j->word), "%s", argv[1]);
	job_print(j, "PING %s (%s): 56 data bytes\n", j->word, j->word);
	timer_set(j->timer, 20);
	return JOB_RUNS;
}

static void
ping_interrupted(struct job *j)
{
	job_print(j, "\n--- %s ping statistics ---\n%" PRIu64 " packets "
	    "transmitted, %" PRIu64 " packets received, 0.0%% packet loss\n",
	    j->word, j->at, j->at);
}

static void
ping_tick(struct job *j)
{
	unsigned us = (unsigned)(next_random(&j->random) % 700) + 11200;

	job_print(j, "64 bytes from %s: icmp_seq=%" PRIu64 " ttl=57 "
	    "time=%u.%03u ms\n", j->word, j->at++, us / 1000, us % 1000);
	timer_set(j->timer, 1000);
	if (j->at == j->total) {
		ping_interrupted(j);
		j->done = true;
	}
}

static enum job_next
exit_start(struct job *j, int argc, char **argv)
{
	(void)j;
	(void)argc;
	(void)argv;
	return JOB_EXIT;
}

static enum job_next
reboot_start(struct job *j, int argc, char **argv)
{
	(void)j;
	(void)argc;
	(void)argv;
	return JOB_REBOOT;
}

static enum job_next
panic_start(struct job *j, int argc, char **argv)
{
	(void)j;
	(void)argc;
	(void)argv;
	return JOB_PANIC;
}

static enum job_next
help_start(struct job *j, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (const struct command *c = router_commands; c->name != NULL; c++)
		job_print(j, "%-9s%-16s%s\n", c->name, c->args, c->help);
	return JOB_DONE;
}

const struct command router_commands[] = {
	{ "bytes", "", "all 256 byte values, in order", .start = bytes_start },
	{ "cat", "[FILE ...]", "print files; none: what you type, to ^D",
	    .start = cat_start, .key = cat_key },
	{ "cksum", "", "checksum of what you type, to ^D; no echo",
	    .start = cksum_start, .key = cksum_key },
	{ "clear", "", "clear the screen", .start = clear_start },
	{ "date", "", "date and time", .start = date_start },
	{ "dmesg", "", "the boot log again", .start = dmesg_start,
	    .more = dmesg_more },
	{ "echo", "[WORD ...]", "say it", .start = echo_start },
	{ "exit", "", "log out", .start = exit_start },
	{ "flood", "N", "N numbered lines of 64 bytes", .start = flood_start,
	    .more = flood_more },
	{ "help", "", "this", .start = help_start },
	{ "hostname", "", "name of the box", .start = hostname_start },
	{ "id", "", "who you are", .start = fixed_start },
	{ "ifconfig", "", "interfaces", .start = fixed_start },
	{ "ls", "", "files there are", .start = ls_start },
	{ "netstat", "", "routes", .start = fixed_start },
	{ "noise", "N", "N random bytes", .start = noise_start,
	    .more = noise_more },
	{ "panic", "", "crash, then reboot", .start = panic_start },
	{ "ping", "[-c N] HOST", "once a second, to ^C", .start = ping_start,
	    .tick = ping_tick, .interrupted = ping_interrupted },
	{ "ps", "", "processes", .start = fixed_start },
	{ "pwd", "", "where you are", .start = fixed_start },
	{ "reboot", "", "go down and come up again", .start = reboot_start },
	{ "recv", "N", "checksum of the next N bytes, whatever they are",
	    .raw = true, .start = recv_start, .key = recv_key,
	    .tick = recv_tick },
	{ "sleep", "SECONDS", "do nothing", .start = sleep_start,
	    .tick = sleep_tick },
	{ "top", "", "processes, full screen; arrows move, q leaves",
	    .start = top_start, .tick = top_tick, .key = top_key,
	    .interrupted = top_interrupted },
	{ "uname", "[-a]", "what this runs", .start = uname_start },
	{ "uptime", "", "since when", .start = uptime_start },
	{ "who", "", "who is logged in", .start = who_start },
	{ NULL, NULL, NULL, .start = NULL },
};
