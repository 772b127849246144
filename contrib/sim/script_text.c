#include <stddef.h>

#include "script.h"

/* What a small FreeBSD router says on its console, loader menu and all. */
const struct script_line script_boot[] = {
	{ 0, "\nPC Engines apu2\ncoreboot build 20190502\n"
	    "BIOS version v4.9.0.5\n4080 MB ECC DRAM\n\n" },
	{ 300, "SeaBIOS (version rel-1.12.1.3-0-g300e8b7)\n\n"
	    "Press F10 key now for boot menu\n\n" },
	{ 400, "Booting from Hard Disk...\n" },
	{ 100, "/boot/config: -h -S57600\n\n" },
	{ 50, "Consoles: serial port  \n"
	    "BIOS drive C: is disk0\n"
	    "BIOS 639kB/3405412kB available memory\n\n"
	    "FreeBSD/x86 bootstrap loader, Revision 1.1\n"
	    "(root@releng2.nyi.freebsd.org, Thu Oct 22 05:51:44 UTC 2020)\n" },
	{ 50, "Loading /boot/defaults/loader.conf\n"
	    "\\\b|\b/\b-\b\\\b|\b/\b-\b\b \b\n"
	    "Loading /boot/loader.conf\n"
	    "Loading /boot/loader.conf.local\n" },
	{ 50, "\033[2J\033[1;1H\033[37m\033[40m"
	    "  ______               ____   _____ _____  \n"
	    " |  ____|             |  _ \\ / ____|  __ \\ \n"
	    " | |___ _ __ ___  ___ | |_) | (___ | |  | |\n"
	    " |  ___| '__/ _ \\/ _ \\|  _ < \\___ \\| |  | |\n"
	    " | |   | | |  __/  __/| |_) |____) | |__| |\n"
	    " | |   | | |    |    ||     |      |      |\n"
	    " |_|   |_|  \\___|\\___||____/|_____/|_____/ \n" },
	{ 0, "\033[10;2H+----------- Welcome to FreeBSD -----------+"
	    "\033[11;2H|                                          |"
	    "\033[12;2H|  \033[1m1\033[0m. Boot Multi user "
	    "\033[1m[Enter]\033[0m               |"
	    "\033[13;2H|  \033[1m2\033[0m. Boot \033[1mS\033[0mingle user"
	    "                     |" },
	{ 0, "\033[14;2H|  \033[1m3\033[0m. \033[1mEsc\033[0mape to loader "
	    "prompt             |"
	    "\033[15;2H|  \033[1m4\033[0m. Reboot"
	    "                               |"
	    "\033[16;2H|                                          |"
	    "\033[17;2H+------------------------------------------+" },
	{ 0, "\033[19;3HAutoboot in 3 seconds, hit [Enter] to boot or any "
	    "other key to stop " },
	{ 500, "\033[19;15H2" },
	{ 500, "\033[19;15H1" },
	{ 500, "\033[19;15H0\033[25;1H\n" },
	{ 50, "/boot/kernel/kernel text=0x168fdf1 data=0x1d0a68+0x768d80 "
	    "syms=[0x8+0x182cd0+0x8+0x196f37]\n"
	    "/boot/kernel/if_igb.ko size 0x2fb50 at 0x2b07000\n"
	    "/boot/kernel/pf.ko size 0x5a8f8 at 0x2b37000\n"
	    "Booting...\n" },
	{ 200, "---<<BOOT>>---\n"
	    "Copyright (c) 1992-2020 The FreeBSD Project.\n"
	    "Copyright (c) 1979, 1980, 1983, 1986, 1988, 1989, 1991, 1992, "
	    "1993, 1994\n"
	    "\tThe Regents of the University of California. All rights "
	    "reserved.\n"
	    "FreeBSD is a registered trademark of The FreeBSD Foundation.\n" },
	{ 0, "FreeBSD 12.2-RELEASE r366954 GENERIC amd64\n"
	    "FreeBSD clang version 10.0.1 (git@github.com:llvm/llvm-project"
	    ".git llvmorg-10.0.1-0-gef32c611aa2)\n"
	    "VT(vga): text 80x25\n"
	    "CPU: AMD GX-412TC SOC                                "
	    "(998.16-MHz K8-class CPU)\n"
	    "  Origin=\"AuthenticAMD\"  Id=0x730f01  Family=0x16  Model=0x30"
	    "  Stepping=1\n" },
	{ 0, "  Features=0x178bfbff<FPU,VME,DE,PSE,TSC,MSR,PAE,MCE,CX8,APIC,"
	    "SEP,MTRR,PGE,MCA,CMOV,PAT,PSE36,CLFLUSH,MMX,FXSR,SSE,SSE2,HTT>\n"
	    "  Features2=0x3ed8220b<SSE3,PCLMULQDQ,MON,SSSE3,CX16,SSE4.1,"
	    "SSE4.2,MOVBE,POPCNT,AESNI,XSAVE,OSXSAVE,AVX,F16C>\n"
	    "  AMD Features=0x2e500800<SYSCALL,NX,MMX+,FFXSR,Page1GB,RDTSCP,"
	    "LM>\n" },
	{ 0, "  SVM: NP,NRIP,AFlush,DAssist,NAsids=8\n"
	    "  TSC: P-state invariant, performance statistics\n"
	    "real memory  = 4815060992 (4592 MB)\n"
	    "avail memory = 4043923456 (3856 MB)\n"
	    "Event timer \"LAPIC\" quality 600\n"
	    "ACPI APIC Table: <CORE   COREBOOT>\n"
	    "FreeBSD/SMP: Multiprocessor System Detected: 4 CPUs\n"
	    "FreeBSD/SMP: 1 package(s) x 4 core(s)\n" },
	{ 60, "random: unblocking device.\n"
	    "ioapic1: Changing APIC ID to 5\n"
	    "ioapic0 <Version 2.1> irqs 0-23 on motherboard\n"
	    "ioapic1 <Version 2.1> irqs 24-55 on motherboard\n"
	    "Launching APs: 1 2 3\n"
	    "Timecounter \"TSC\" frequency 998161234 Hz quality 1000\n"
	    "random: entropy device external interface\n"
	    "kbd0 at kbdmux0\n"
	    "netmap: loaded module\n" },
	{ 0, "module_register_init: MOD_LOAD (vesa, 0xffffffff8112c9d0, 0) "
	    "error 19\n"
	    "nexus0\n"
	    "cryptosoft0: <software crypto> on motherboard\n"
	    "aesni0: <AES-CBC,AES-CCM,AES-GCM,AES-ICM,AES-XTS> on "
	    "motherboard\n"
	    "acpi0: <CORE COREBOOT> on motherboard\n"
	    "acpi0: Power Button (fixed)\n" },
	{ 0, "cpu0: <ACPI CPU> on acpi0\n"
	    "hpet0: <High Precision Event Timer> iomem 0xfed00000-0xfed003ff "
	    "on acpi0\n"
	    "Timecounter \"HPET\" frequency 14318180 Hz quality 950\n"
	    "atrtc0: <AT realtime clock> port 0x70-0x71 irq 8 on acpi0\n"
	    "atrtc0: registered as a time-of-day clock, resolution "
	    "1.000000s\n"
	    "Event timer \"RTC\" frequency 32768 Hz quality 0\n" },
	{ 0, "attimer0: <AT timer> port 0x40-0x43 irq 0 on acpi0\n"
	    "Timecounter \"i8254\" frequency 1193182 Hz quality 0\n"
	    "Timecounter \"ACPI-safe\" frequency 3579545 Hz quality 850\n"
	    "acpi_timer0: <32-bit timer at 3.579545MHz> port 0x818-0x81b on "
	    "acpi0\n"
	    "pcib0: <ACPI Host-PCI bridge> port 0xcf8-0xcff on acpi0\n"
	    "pci0: <ACPI PCI bus> on pcib0\n" },
	{ 80, "pcib1: <ACPI PCI-PCI bridge> at device 2.2 on pci0\n"
	    "pci1: <ACPI PCI bus> on pcib1\n"
	    "igb0: <Intel(R) I210 Flashless (Copper)> port 0x1000-0x101f mem "
	    "0xfe600000-0xfe61ffff,0xfe620000-0xfe623fff at device 0.0 on "
	    "pci1\n" },
	{ 150, "igb0: Using 1024 TX descriptors and 1024 RX descriptors\n"
	    "igb0: Using 4 RX queues 4 TX queues\n"
	    "igb0: Using MSI-X interrupts with 5 vectors\n"
	    "igb0: Ethernet address: 00:0d:b9:4a:31:d8\n"
	    "igb0: netmap queues/slots: TX 4/1024, RX 4/1024\n" },
	{ 0, "pcib2: <ACPI PCI-PCI bridge> at device 2.3 on pci0\n"
	    "pci2: <ACPI PCI bus> on pcib2\n"
	    "igb1: <Intel(R) I210 Flashless (Copper)> port 0x2000-0x201f mem "
	    "0xfe700000-0xfe71ffff,0xfe720000-0xfe723fff at device 0.0 on "
	    "pci2\n" },
	{ 150, "igb1: Using 1024 TX descriptors and 1024 RX descriptors\n"
	    "igb1: Using 4 RX queues 4 TX queues\n"
	    "igb1: Using MSI-X interrupts with 5 vectors\n"
	    "igb1: Ethernet address: 00:0d:b9:4a:31:d9\n"
	    "igb1: netmap queues/slots: TX 4/1024, RX 4/1024\n" },
	{ 0, "ahci0: <AMD Hudson-2 AHCI SATA controller> port 0x4010-0x4017,"
	    "0x4020-0x4023 mem 0xfeb25000-0xfeb253ff irq 19 at device 17.0 "
	    "on pci0\n"
	    "ahci0: AHCI v1.30 with 2 6Gbps ports, Port Multiplier supported "
	    "with FBS\n"
	    "ahcich0: <AHCI channel> at channel 0 on ahci0\n" },
	{ 0, "ehci0: <AMD FCH USB 2.0 controller> mem 0xfeb26000-0xfeb260ff "
	    "irq 18 at device 19.0 on pci0\n"
	    "usbus0: EHCI version 1.0\n"
	    "usbus0 on ehci0\n"
	    "usbus0: 480Mbps High Speed USB v2.0\n"
	    "uart0: <16550 or compatible> port 0x3f8-0x3ff irq 4 flags 0x30 "
	    "on acpi0\n"
	    "uart0: console (57600,n,8,1)\n" },
	{ 0, "uart1: <16550 or compatible> port 0x2f8-0x2ff irq 3 on acpi0\n"
	    "ZFS filesystem version: 5\n"
	    "ZFS storage pool version: features support (5000)\n"
	    "Timecounters tick every 1.000 msec\n"
	    "ugen0.1: <AMD EHCI root HUB> at usbus0\n"
	    "uhub0: <AMD EHCI root HUB, class 9/0, rev 2.00/1.00, addr 1> on "
	    "usbus0\n" },
	{ 400, "ada0 at ahcich0 bus 0 scbus0 target 0 lun 0\n"
	    "ada0: <KINGSTON SMS200S360G 608ABBF0> ATA8-ACS SATA 3.x device\n"
	    "ada0: Serial Number 50026B725A0812C4\n"
	    "ada0: 600.000MB/s transfers (SATA 3.x, UDMA6, PIO 512bytes)\n"
	    "ada0: Command Queueing enabled\n"
	    "ada0: 57241MB (117231408 512 byte sectors)\n" },
	{ 150, "uhub0: 2 ports with 2 removable, self powered\n"
	    "Trying to mount root from ufs:/dev/ada0p2 [rw]...\n"
	    "ugen0.2: <vendor 0x0438 product 0x7900> at usbus0\n"
	    "uhub1 on uhub0\n"
	    "uhub1: 4 ports with 4 removable, self powered\n" },
	{ 300, "Setting hostuuid: 6f2b5a5e-0d1c-11eb-a1d4-000db94a31d8.\n"
	    "Setting hostid: 0x3f8c17ad.\n"
	    "Starting file system checks:\n"
	    "/dev/ada0p2: FILE SYSTEM CLEAN; SKIPPING CHECKS\n"
	    "/dev/ada0p2: clean, 12203442 free (1842 frags, 1525200 blocks, "
	    "0.0% fragmentation)\n"
	    "Mounting local filesystems:.\n" },
	{ 200, "ELF ldconfig path: /lib /usr/lib /usr/lib/compat "
	    "/usr/local/lib\n"
	    "Setting hostname: gw.example.net.\n"
	    "Setting up harvesting: [UMA],[FS_ATIME],SWI,INTERRUPT,NET_NG,"
	    "[NET_ETHER],NET_TUN,MOUSE,KEYBOARD,ATTACH,CACHED\n"
	    "Feeding entropy: .\n"
	    "igb0: link state changed to UP\n"
	    "lo0: link state changed to UP\n" },
	{ 250, "Starting Network: lo0 igb0 igb1.\n"
	    "igb0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0 "
	    "mtu 1500\n"
	    "\tether 00:0d:b9:4a:31:d8\n"
	    "\tinet 192.0.2.2 netmask 0xfffffff8 broadcast 192.0.2.7\n"
	    "\tmedia: Ethernet autoselect (1000baseT <full-duplex>)\n"
	    "\tstatus: active\n" },
	{ 0, "igb1: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> "
	    "metric 0 mtu 1500\n"
	    "\tether 00:0d:b9:4a:31:d9\n"
	    "\tinet 198.51.100.1 netmask 0xffffff00 broadcast "
	    "198.51.100.255\n"
	    "\tmedia: Ethernet autoselect (1000baseT <full-duplex>)\n"
	    "\tstatus: active\n" },
	{ 100, "Starting devd.\n"
	    "add host 127.0.0.1: gateway lo0 fib 0: route already in table\n"
	    "add net default: gateway 192.0.2.1\n"
	    "Additional inet routing options: gateway=YES.\n"
	    "Enabling pf.\n" },
	{ 150, "Creating and/or trimming log files.\n"
	    "Starting syslogd.\n"
	    "Clearing /tmp (X related).\n"
	    "Updating /var/run/os-release done.\n"
	    "Starting named.\n"
	    "Starting ntpd.\n" },
	{ 300, "Performing sanity check on sshd configuration.\n"
	    "Starting sshd.\n"
	    "Starting cron.\n"
	    "Starting background file system checks in 60 seconds.\n" },
	{ 100, NULL },
};

const struct script_line script_shutdown[] = {
	{ 0, "\r\n*** FINAL System shutdown message from root ***\n"
	    "\nSystem going down IMMEDIATELY\n\n\n" },
	{ 200, "Stopping cron.\nWaiting for PIDS: 914.\n" },
	{ 150, "Stopping sshd.\nWaiting for PIDS: 904.\n"
	    "Stopping ntpd.\nWaiting for PIDS: 871, 871.\n" },
	{ 150, "Stopping named.\nWaiting for PIDS: 812.\n"
	    "Stopping devd.\nWaiting for PIDS: 521.\n"
	    "Writing entropy file: .\n"
	    "Writing early boot entropy file: .\n.\nTerminated\n" },
	{ 200, "Nov 22 03:14:15 gw syslogd: exiting on signal 15\n"
	    "Waiting (max 60 seconds) for system process `vnlru' to stop... "
	    "done\n" },
	{ 100, "Waiting (max 60 seconds) for system process `syncer' to "
	    "stop... \nSyncing disks, vnodes remaining... 0 0 0 done\n"
	    "All buffers synced.\n" },
	{ 50, "Uptime: 13d2h41m7s\n"
	    "uhub1: detached\nuhub0: detached\n"
	    "Rebooting...\ncpu_reset: Stopping other CPUs\n" },
	{ 0, NULL },
};

const struct script_line script_panic[] = {
	{ 0, "\n\nFatal trap 12: page fault while in kernel mode\n"
	    "cpuid = 2; apic id = 02\n"
	    "fault virtual address\t= 0x28\n"
	    "fault code\t\t= supervisor read data, page not present\n"
	    "instruction pointer\t= 0x20:0xffffffff80d0d9c4\n"
	    "current process\t\t= 0 (if_io_tqg_2)\n"
	    "trap number\t\t= 12\n" },
	{ 50, "panic: page fault\ncpuid = 2\ntime = 1606014855\n"
	    "KDB: stack backtrace:\n"
	    "#0 0xffffffff80c0a8f5 at kdb_backtrace+0x65\n"
	    "#1 0xffffffff80bbeb9b at vpanic+0x17b\n"
	    "#2 0xffffffff80bbea13 at panic+0x43\n"
	    "#3 0xffffffff810911b1 at trap_fatal+0x391\n"
	    "#4 0xffffffff81090527 at trap+0x67\n" },
	{ 100, "Uptime: 13d2h41m7s\n"
	    "Automatic reboot in 15 seconds - press a key on the console to "
	    "abort\n" },
	{ 1500, "Rebooting...\ncpu_reset: Stopping other CPUs\n" },
	{ 0, NULL },
};

const struct script_line script_kernel[] = {
	{ 0, "igb1: link state changed to DOWN\n" },
	{ 0, "igb1: link state changed to UP\n" },
	{ 0, "arp: 198.51.100.17 moved from 52:54:00:12:34:56 to "
	    "52:54:00:65:43:21 on igb1\n" },
	{ 0, "Limiting icmp unreach response from 213 to 200 packets/sec\n" },
	{ 0, "pid 812 (named), jid 0, uid 53: exited on signal 11\n" },
	{ 0, "sonewconn: pcb 0xfffff80003b0a1d0: Listen queue overflow: 8 "
	    "already in queue awaiting acceptance (3 occurrences)\n" },
	{ 0, "ugen0.3: <Prolific USB-Serial Controller> at usbus0\n" },
	{ 0, NULL },
};
