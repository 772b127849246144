#include <stdlib.h>

#include "../server/base/mem.h"
#include "omens.h"

static const struct omen_row rows[] = {
	{ OMEN_BOOT, "U-Boot", "^U-Boot (SPL |TPL )?20[0-9][0-9]\\.[0-9]",
	    "U-Boot 2023.07 (Jul 12 2023 - 09:11:04 +0000)" },
	{ OMEN_BOOT, "FreeBSD", "^FreeBSD/[^ ]+ (bootstrap|EFI) loader",
	    "FreeBSD/x86 bootstrap loader, Revision 1.1" },
	{ OMEN_BOOT, "FreeBSD", "^>> FreeBSD (EFI boot block|/boot/)",
	    ">> FreeBSD EFI boot block" },
	{ OMEN_BOOT, "FreeBSD", "^Booting \\[/boot/",
	    "Booting [/boot/kernel/kernel]..." },
	{ OMEN_KERNEL, "FreeBSD", "^---<<BOOT>>---", "---<<BOOT>>---" },
	{ OMEN_KERNEL, "FreeBSD", "^Copyright \\(c\\) 1992-20[0-9]+ The FreeBSD",
	    "Copyright (c) 1992-2020 The FreeBSD Project." },
	{ OMEN_BOOT, "OpenBSD", "^>> OpenBSD/[^ ]+ [A-Z0-9]*BOOT",
	    ">> OpenBSD/amd64 BOOT 3.65" },
	{ OMEN_KERNEL, "OpenBSD", "^OpenBSD [0-9]+\\.[0-9]+[^ ]* \\([A-Z]",
	    "OpenBSD 7.4 (GENERIC.MP) #1397: Tue Oct 10 09:02:37 MDT 2023" },
	{ OMEN_BOOT, "Linux", "^(EFI stub: Booting Linux|Starting kernel \\.\\.)",
	    "Starting kernel ..." },
	{ OMEN_BOOT, "Linux", "^(Welcome to GRUB!|GRUB loading)",
	    "Welcome to GRUB!" },
	{ OMEN_KERNEL, "Linux", "^(\\[ +0\\.000000\\] )?Linux version [0-9]+\\.",
	    "[    0.000000] Linux version 6.1.0-18-amd64 (debian-kernel@"
	    "lists.debian.org)" },
	{ OMEN_KERNEL, "Linux", "^(\\[ +0\\.000000\\] )?Booting Linux on ",
	    "[    0.000000] Booting Linux on physical CPU 0x0" },
	{ OMEN_BOOT, "Cisco IOS", "^System Bootstrap, Version ",
	    "System Bootstrap, Version 12.2(8r) [cmong 8r], RELEASE SOFTWARE" },
	{ OMEN_BOOT, "Cisco IOS", "%SYS-5-RE(START|LOAD):",
	    "*Mar  1 00:00:32.455: %SYS-5-RESTART: System restarted --" },
	{ OMEN_BOOT, "Cisco IOS", "^Initializing Hardware \\.\\.",
	    "Initializing Hardware ..." },
	{ OMEN_BOOT, "Junos", "^Juniper Networks .*[Bb]oot(strap )? ?[Ll]oader",
	    "Juniper Networks Bootstrap Loader, Revision 1.2" },
	{ OMEN_KERNEL, "Junos", "^Copyright \\(c\\) 1996-20[0-9]+, Juniper ",
	    "Copyright (c) 1996-2021, Juniper Networks, Inc." },
	{ OMEN_BOOT, "PC firmware", "^(SeaBIOS \\(version|iPXE |coreboot-[0-9])",
	    "SeaBIOS (version rel-1.12.1.3-0-g300e8b7)" },
	{ OMEN_BOOT, "PC firmware", "^PC Engines (apu|APU|alix|ALIX)",
	    "PC Engines apu4" },
	{ OMEN_BOOT, "RouterOS", "^RouterBOOT [a-z-]*boot", "RouterBOOT booter "
	    "7.6" },
	{ OMEN_PANIC, "BSD", "^panic(\\([^)]*\\))?: ", "panic: page fault" },
	{ OMEN_PANIC, "BSD", "^Fatal (trap [0-9]|double fault)",
	    "Fatal trap 12: page fault while in kernel mode" },
	{ OMEN_PANIC, "BSD", "^(db|ddb)(\\{[0-9]+\\})?> ?$", "ddb{0}>" },
	{ OMEN_PANIC, "BSD", "^(uvm_fault\\(|kernel: .* trap, code=)",
	    "kernel: page fault trap, code=0" },
	{ OMEN_PANIC, "Linux", "Kernel panic - not syncing",
	    "[   12.345678] Kernel panic - not syncing: Attempted to kill "
	    "init!" },
	{ OMEN_PANIC, "Linux", "^(\\[[^]]+\\] )?(BUG: |Oops: |Internal error: |"
	    "Unable to handle kernel )",
	    "[   61.002301] BUG: kernel NULL pointer dereference, address: 0" },
	{ OMEN_PANIC, "Cisco IOS", "^%?Software-forced reload|Unexpected "
	    "exception to CPU", "%Software-forced reload" },
	{ OMEN_PANIC, "U-Boot", "^(### ERROR ### Please RESET|data abort$)",
	    "### ERROR ### Please RESET the board ###" },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

const struct omen_row *
omen_at(size_t i)
{
	return i < ROWS ? &rows[i] : NULL;
}

char *
omen_pattern(enum omen omen)
{
	char *all = NULL, *more;

	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].omen != omen)
			continue;
		more = all == NULL ? xasprintf("(%s)", rows[i].ere) :
		    xasprintf("%s|(%s)", all, rows[i].ere);
		free(all);
		all = more;
	}
	return all;
}
