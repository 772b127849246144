/*
 * Linux: no new privileges, seccomp through libseccomp, landlock by its
 * system calls, for which libc has no names.
 *
 * What a confined process does not need is refused (EPERM), what is newer
 * than this list does not exist (ENOSYS), so that libraries do as they did on
 * an older kernel.  What only somebody who broke in would ask for kills it.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <asm/termbits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/usbdevice_fs.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <seccomp.h>

#include "base/os.h"
#include "sandbox_internal.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SOCK_TYPE 0xf		/* beside its flags */
#define UNIFIED_FIRST 424	/* numbers are the same everywhere from here */
#define UNIFIED_LAST 700	/* none is that high yet */
#define NEWER_MAX 128		/* instructions */

/* Nobody but an intruder: none of our processes, nor a library of theirs. */
static const struct {
	int call;
	const char *name;
} hostile[] = {
#define H(name) { SCMP_SYS(name), #name }
	H(acct), H(add_key), H(bpf), H(chroot),
	H(clock_settime), H(delete_module), H(execve), H(execveat),
	H(fanotify_init), H(finit_module), H(fsconfig), H(fsmount), H(fsopen),
	H(init_module), H(io_uring_enter), H(io_uring_register),
	H(io_uring_setup), H(ioperm), H(iopl), H(kcmp), H(kexec_file_load),
	H(kexec_load), H(keyctl), H(lookup_dcookie), H(mount),
	H(mount_setattr), H(move_mount), H(name_to_handle_at),
	H(open_by_handle_at), H(open_tree), H(perf_event_open),
	H(pidfd_getfd), H(pidfd_open), H(pidfd_send_signal), H(pivot_root),
	H(process_madvise), H(process_vm_readv), H(process_vm_writev),
	H(ptrace), H(quotactl), H(reboot), H(request_key), H(setdomainname),
	H(setfsgid), H(setfsuid), H(setgid), H(setgroups), H(sethostname),
	H(setns), H(setregid), H(setresgid), H(setresuid), H(setreuid),
	H(settimeofday), H(setuid), H(swapoff), H(swapon), H(syslog),
	H(umount2), H(unshare), H(userfaultfd), H(vhangup),
#undef H
};

/*
 * Every role: memory, time, and descriptors that it has.  The clock is asked
 * whether it is right by a call that could set it, were we root.
 */
static const int base[] = {
#define A(name) SCMP_SYS(name)
	A(adjtimex), A(brk), A(clock_adjtime), A(clock_adjtime64),
	A(clock_getres), A(clock_gettime), A(clock_gettime64),
	A(clock_nanosleep), A(clock_nanosleep_time64), A(close),
	A(close_range), A(dup), A(dup2), A(dup3), A(epoll_create1),
	A(epoll_ctl), A(epoll_pwait), A(epoll_wait), A(eventfd2), A(exit),
	A(exit_group), A(fadvise64), A(fcntl), A(fcntl64), A(fdatasync),
	A(flock), A(fstat), A(fstat64), A(fstatfs), A(fstatfs64), A(fsync),
	A(futex), A(futex_time64), A(get_robust_list), A(getcpu),
	A(getegid), A(getegid32), A(geteuid), A(geteuid32), A(getgid),
	A(getgid32), A(getpeername), A(getpgrp), A(getpid), A(getppid),
	A(getpriority), A(getrandom), A(getresgid), A(getresgid32),
	A(getresuid), A(getresuid32), A(getrlimit), A(getrusage), A(getsid),
	A(getsockname), A(getsockopt), A(gettid), A(gettimeofday), A(getuid),
	A(getuid32), A(landlock_add_rule), A(landlock_create_ruleset),
	A(landlock_restrict_self), A(lseek), A(_llseek), A(madvise),
	A(membarrier), A(mincore), A(mlock), A(mlock2), A(mmap), A(mmap2),
	A(mprotect), A(mremap), A(msync), A(munlock), A(munmap), A(nanosleep),
	A(pipe), A(pipe2), A(poll), A(ppoll), A(ppoll_time64), A(pread64),
	A(preadv), A(prlimit64), A(pselect6), A(pselect6_time64), A(pwrite64),
	A(pwritev), A(read), A(readv), A(recv), A(recvfrom), A(recvmmsg),
	A(recvmmsg_time64), A(recvmsg), A(restart_syscall), A(rseq),
	A(rt_sigpending), A(rt_sigprocmask), A(rt_sigreturn),
	A(rt_sigsuspend), A(rt_sigtimedwait), A(rt_sigtimedwait_time64),
	A(sched_getaffinity), A(sched_getparam), A(sched_getscheduler),
	A(sched_yield), A(seccomp), A(select), A(send), A(sendmmsg),
	A(sendmsg), A(sendto), A(set_robust_list), A(set_tid_address),
	A(setsockopt), A(shutdown), A(sigaltstack), A(sigreturn),
	A(sysinfo), A(time), A(times), A(ugetrlimit), A(umask), A(uname),
	A(wait4), A(waitid), A(waitpid), A(write), A(writev),
};

/* Looking at files. */
static const int reading[] = {
	A(access), A(faccessat), A(faccessat2), A(fstatat64), A(getcwd),
	A(getdents), A(getdents64), A(lstat), A(lstat64), A(newfstatat),
	A(readlink), A(readlinkat), A(stat), A(stat64), A(statfs),
	A(statfs64), A(statx),
};

static const int writing[] = {
	A(chmod), A(copy_file_range), A(fallocate), A(fchmod), A(fchmodat),
	A(fchown), A(fchown32), A(ftruncate), A(ftruncate64), A(link),
	A(linkat), A(mkdir), A(mkdirat), A(open), A(openat), A(creat),
	A(rename), A(renameat), A(renameat2), A(rmdir), A(sendfile),
	A(sync_file_range), A(sync_file_range2), A(symlink), A(symlinkat),
	A(syncfs), A(truncate), A(truncate64), A(unlink), A(unlinkat),
	A(utimensat), A(utimensat_time64),
};
#undef A

static const struct {
	unsigned may;
	const int *calls;
	size_t n;
} sets[] = {
	{ 0,		base,		COUNT(base) },
	{ MAY_READ,	reading,	COUNT(reading) },
	{ MAY_WRITE,	writing,	COUNT(writing) },
};

/* Every role: of what a descriptor is, and what waits there. */
static const unsigned long questions[] = { FIONREAD, FIONBIO, FIOCLEX,
    FIONCLEX, TIOCOUTQ, TCGETS, TIOCGWINSZ };

/* Who drives a line.  Not TIOCSTI: it types on behalf of others. */
static const unsigned long device[] = { TCGETS2, TCSETS, TCSETSW, TCSETSF,
    TCSETS2, TCSETSW2, TCSETSF2, TCSBRK, TCSBRKP, TCXONC, TCFLSH, TIOCEXCL,
    TIOCNXCL, TIOCMGET, TIOCMBIS, TIOCMBIC, TIOCMSET, TIOCSBRK, TIOCCBRK,
    TIOCGICOUNT, TIOCGSERIAL, TIOCSSERIAL, USBDEVFS_RESET };

const char *
sandbox_call_name(int call)
{
	for (size_t i = 0; i < COUNT(hostile); i++) {
		if (hostile[i].call == call)
			return hostile[i].name;
	}
	return NULL;
}

/* Says what it was, then lets the signal have its way. */
static void
on_forbidden(int signo, siginfo_t *info, void *context)
{
	int call = info->si_syscall;
	ssize_t told;

	(void)context;
	/* The supervisor's end of the pipe may be gone: nothing to do then. */
	told = write(SANDBOX_WORDS_FD, &call, sizeof(call));
	(void)told;
	/* SA_RESETHAND, SA_NODEFER: this ends us here. */
	syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), signo);
	_exit(126);
}

static int
watch_forbidden(void)
{
	struct sigaction sa = { .sa_sigaction = on_forbidden,
	    .sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER };

	sigemptyset(&sa.sa_mask);
	return sigaction(SIGSYS, &sa, NULL);
}

/* Calls that this architecture has not are skipped. */
static int
add(scmp_filter_ctx f, uint32_t action, int call, unsigned n,
    const struct scmp_arg_cmp *args)
{
	int r = seccomp_rule_add_array(f, action, call, n, args);

	/* -EDOM: not here; -EEXIST, -EACCES: it is so already. */
	return r == -EDOM || r == -EEXIST || r == -EACCES ? 0 : r;
}

static int
allow(scmp_filter_ctx f, int call)
{
	return add(f, SCMP_ACT_ALLOW, call, 0, NULL);
}

/* b: with SCMP_CMP_MASKED_EQ the value, a the mask. */
static struct scmp_arg_cmp
when(unsigned arg, enum scmp_compare op, scmp_datum_t a, scmp_datum_t b)
{
	return (struct scmp_arg_cmp){ arg, op, a, b };
}

static int
allow_if(scmp_filter_ctx f, int call, struct scmp_arg_cmp arg)
{
	return add(f, SCMP_ACT_ALLOW, call, 1, &arg);
}

static bool
is_known(int call, unsigned may)
{
	for (size_t i = 0; i < COUNT(hostile); i++) {
		if (hostile[i].call == call)
			return true;
	}
	for (size_t s = 0; s < COUNT(sets); s++) {
		for (size_t i = 0; i < sets[s].n &&
		    (sets[s].may & ~may) == 0; i++) {
			if (sets[s].calls[i] == call)
				return true;
		}
	}
	return false;
}

/* What is asked of the whole of a process is asked of this one alone. */
static int
add_signals(scmp_filter_ctx f, unsigned may)
{
	const scmp_datum_t self = (scmp_datum_t)getpid();
	int r = 0;

	/* Nobody takes the place of on_forbidden. */
	r |= allow_if(f, SCMP_SYS(rt_sigaction), when(0, SCMP_CMP_NE, SIGSYS, 0));
	r |= allow_if(f, SCMP_SYS(kill), when(0, SCMP_CMP_EQ, self, 0));
	r |= allow_if(f, SCMP_SYS(tgkill), when(0, SCMP_CMP_EQ, self, 0));
	if ((may & MAY_LOOK) != 0)
		r |= allow_if(f, SCMP_SYS(kill), when(1, SCMP_CMP_EQ, 0, 0));
	return r;
}

static int
add_threads(scmp_filter_ctx f, unsigned may)
{
	const scmp_datum_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
	int r = 0;

	/* Its flags are behind a pointer; libc falls back to clone. */
	r |= add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
	if ((may & MAY_THREAD) != 0)
		r |= allow_if(f, SCMP_SYS(clone),
		    when(0, SCMP_CMP_MASKED_EQ, thread, thread));
	r |= allow_if(f, SCMP_SYS(prctl), when(0, SCMP_CMP_EQ, PR_SET_NAME, 0));
	r |= allow_if(f, SCMP_SYS(prctl), when(0, SCMP_CMP_EQ,
	    PR_GET_DUMPABLE, 0));
	r |= allow_if(f, SCMP_SYS(prctl), when(0, SCMP_CMP_EQ,
	    0x53564d41 /* PR_SET_VMA, a name for memory */, 0));
	return r;
}

static int
add_sockets(scmp_filter_ctx f, unsigned may)
{
	const int domains[] = { AF_INET, AF_INET6 };
	/* Not datagrams: from such a socket one can send to any path. */
	const int pairs[] = { SOCK_STREAM, SOCK_SEQPACKET };
	int r = 0;

	for (size_t i = 0; i < COUNT(pairs); i++)
		r |= allow_if(f, SCMP_SYS(socketpair), when(1,
		    SCMP_CMP_MASKED_EQ, SOCK_TYPE, (scmp_datum_t)pairs[i]));
	for (size_t i = 0; i < COUNT(domains) && (may & MAY_INET) != 0; i++)
		r |= allow_if(f, SCMP_SYS(socket), when(0, SCMP_CMP_EQ,
		    (scmp_datum_t)domains[i], 0));
	if ((may & MAY_INET) != 0) {
		r |= allow(f, SCMP_SYS(connect));
		r |= allow(f, SCMP_SYS(bind));
	}
	if ((may & MAY_ROUTE) != 0)
		r |= allow_if(f, SCMP_SYS(socket), when(0, SCMP_CMP_EQ,
		    AF_NETLINK, 0));
	if ((may & MAY_ACCEPT) != 0) {
		r |= allow(f, SCMP_SYS(accept));
		r |= allow(f, SCMP_SYS(accept4));
	}
	return r;
}

/* Who only reads cannot even ask to write. */
static int
add_opens(scmp_filter_ctx f, unsigned may)
{
	const scmp_datum_t change = O_ACCMODE | O_CREAT | O_TRUNC |
	    (O_TMPFILE & ~O_DIRECTORY);
	int r = 0;

	if ((may & MAY_WRITE) != 0 || (may & MAY_READ) == 0)
		return 0;
	r |= allow_if(f, SCMP_SYS(open), when(1, SCMP_CMP_MASKED_EQ, change,
	    O_RDONLY));
	r |= allow_if(f, SCMP_SYS(openat), when(2, SCMP_CMP_MASKED_EQ, change,
	    O_RDONLY));
	return r;
}

/*
 * Who opens nothing still asks libc what a descriptor of his is, which is a
 * look at a path that is empty.
 */
static int
add_looks(scmp_filter_ctx f, unsigned may)
{
	int r = 0;

	if ((may & MAY_READ) != 0)
		return 0;
	r |= allow_if(f, SCMP_SYS(newfstatat), when(3, SCMP_CMP_MASKED_EQ,
	    AT_EMPTY_PATH, AT_EMPTY_PATH));
	r |= allow_if(f, SCMP_SYS(fstatat64), when(3, SCMP_CMP_MASKED_EQ,
	    AT_EMPTY_PATH, AT_EMPTY_PATH));
	r |= allow_if(f, SCMP_SYS(statx), when(2, SCMP_CMP_MASKED_EQ,
	    AT_EMPTY_PATH, AT_EMPTY_PATH));
	return r;
}

static int
add_ioctls(scmp_filter_ctx f, const unsigned long *list, size_t n)
{
	int r = 0;

	/* The number is 32 bits wide, whatever libc made of its sign. */
	for (size_t i = 0; i < n; i++)
		r |= allow_if(f, SCMP_SYS(ioctl), when(1, SCMP_CMP_MASKED_EQ,
		    0xffffffff, list[i]));
	return r;
}

static int
fill(scmp_filter_ctx f, const struct sandbox_plan *p)
{
	uint32_t kill = p->mild ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_TRAP;
	int r = 0;

	for (size_t i = 0; i < COUNT(hostile); i++)
		r |= add(f, kill, hostile[i].call, 0, NULL);
	for (size_t s = 0; s < COUNT(sets); s++) {
		for (size_t i = 0; i < sets[s].n &&
		    (sets[s].may & ~p->may) == 0; i++)
			r |= allow(f, sets[s].calls[i]);
	}
	r |= add_signals(f, p->may);
	r |= add_threads(f, p->may);
	r |= add_sockets(f, p->may);
	r |= add_opens(f, p->may);
	r |= add_looks(f, p->may);
	r |= add_ioctls(f, questions, COUNT(questions));
	if ((p->may & MAY_DEVICE) != 0)
		r |= add_ioctls(f, device, COUNT(device));
	return r;
}

/*
 * What is newer than this list does not exist: a filter of its own, as to
 * libseccomp this is a rule for each number, which takes it twice as long as
 * all the others together, at the start of every process.  Of two refusals
 * the one of the newer filter counts.
 */
static int
filter_newer(unsigned may)
{
	struct sock_filter code[NEWER_MAX];
	struct sock_fprog prog = { .filter = code };
	const uint32_t arch = seccomp_arch_native();
	unsigned short n = 0;

#define OP(...) code[n++] = (struct sock_filter)__VA_ARGS__
	OP(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data,
	    arch)));
	OP(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 1, 0));
	OP(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	OP(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data,
	    nr)));
	OP(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, UNIFIED_FIRST, 1, 0));
	OP(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	OP(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, UNIFIED_LAST, 0, 1));
	OP(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	for (int call = UNIFIED_FIRST; call <= UNIFIED_LAST; call++) {
		if (!is_known(call, may))
			continue;
		if (n + 3 > NEWER_MAX)
			return -E2BIG;
		OP(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1));
		OP(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	}
	OP(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
#undef OP
	prog.len = n;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == -1 ?
	    -errno : 0;
}

/* 0, or -1 with how saying what the system refused. */
static int
filter(const struct sandbox_plan *p, char how[SANDBOX_HOW])
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = f == NULL ? -ENOMEM : fill(f, p);

	if (r == 0)
		r = watch_forbidden();
	if (r == 0)
		r = seccomp_load(f);
	if (r == 0)
		r = filter_newer(p->may);
	seccomp_release(f);
	snprintf(how, SANDBOX_HOW, r == 0 ? "seccomp" : "no seccomp (%s)",
	    strerror(-r));
	return r == 0 ? 0 : -1;
}

/* Landlock. */

#define LL_EXECUTE	(1ULL << 0)
#define LL_WRITE_FILE	(1ULL << 1)
#define LL_READ_FILE	(1ULL << 2)
#define LL_READ_DIR	(1ULL << 3)
#define LL_REFER	(1ULL << 13)	/* ABI 2 */
#define LL_TRUNCATE	(1ULL << 14)	/* 3 */
#define LL_IOCTL_DEV	(1ULL << 15)	/* 5 */
#define LL_FS_FIRST	((1ULL << 13) - 1)
#define LL_BIND_TCP	(1ULL << 0)	/* 4 */
#define LL_CONNECT_TCP	(1ULL << 1)
#define LL_ABSTRACT	(1ULL << 0)	/* 6 */
#define LL_SIGNAL	(1ULL << 1)
#define LL_VERSION	1U
#define LL_PATH_BENEATH	1

/* Of a file, beside a folder. */
#define LL_OF_FILE	(LL_EXECUTE | LL_WRITE_FILE | LL_READ_FILE | \
			    LL_TRUNCATE | LL_IOCTL_DEV)

/* As the kernel has them, of its newest version known here. */
struct ll_ruleset {
	uint64_t fs, net, scoped;
};

struct ll_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

static uint64_t
known_rights(long abi)
{
	uint64_t all = LL_FS_FIRST;

	if (abi >= 2)
		all |= LL_REFER;
	if (abi >= 3)
		all |= LL_TRUNCATE;
	if (abi >= 5)
		all |= LL_IOCTL_DEV;
	return all;
}

static size_t
ruleset_size(long abi)
{
	return abi >= 6 ? sizeof(struct ll_ruleset) :
	    abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

/* What is not there is not needed. */
static void
add_rule(int rules, const struct sandbox_place *place, uint64_t all)
{
	struct ll_beneath b = { .allowed = LL_READ_FILE | LL_READ_DIR };
	struct stat st;

	/* To run a program is nobody's right; a library is read. */
	if (place->write)
		b.allowed = all & ~(LL_EXECUTE | LL_IOCTL_DEV);
	b.fd = open(place->path, O_PATH | O_CLOEXEC);
	if (b.fd == -1)
		return;
	if (fstat(b.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		b.allowed &= LL_OF_FILE;
	syscall(SYS_landlock_add_rule, rules, LL_PATH_BENEATH, &b, 0);
	close(b.fd);
}

/* The version, 0: none. */
static long
landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_VERSION);

	return abi < 0 ? 0 : abi;
}

static int
restrict_self(const struct sandbox_plan *p, long abi)
{
	struct ll_ruleset r = {
		.fs = known_rights(abi),
		/* Who may connect may go anywhere; nobody listens anew. */
		.net = (p->may & MAY_INET) != 0 ? 0 :
		    LL_BIND_TCP | LL_CONNECT_TCP,
		.scoped = LL_ABSTRACT | LL_SIGNAL,
	};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &r,
	    ruleset_size(abi), 0);
	int done;

	if (rules == -1)
		return -1;
	for (size_t i = 0; i < p->nplaces; i++)
		add_rule(rules, &p->places[i], r.fs);
	done = (int)syscall(SYS_landlock_restrict_self, rules, 0);
	close(rules);
	return done;
}

static int
lock_files(const struct sandbox_plan *p, char how[SANDBOX_HOW])
{
	long abi = landlock_abi();
	int r = -1;

	if ((p->may & MAY_ANYWHERE) != 0) {
		how[0] = '\0';
		return 0;
	}
	if (abi == 0)
		snprintf(how, SANDBOX_HOW, "no landlock in this kernel");
	else if ((r = restrict_self(p, abi)) == -1)
		snprintf(how, SANDBOX_HOW, "no landlock (%s)",
		    strerror(errno));
	else
		snprintf(how, SANDBOX_HOW, "landlock %ld", abi);
	return r;
}

int
sandbox_confine(const struct sandbox_plan *p, char how[SANDBOX_HOW])
{
	char files[SANDBOX_HOW / 2 - 2], calls[SANDBOX_HOW / 2 - 2];
	char text[SANDBOX_HOW];
	int locked, filtered;

	os_no_dump();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
		snprintf(how, SANDBOX_HOW, "privileges can be gained (%s)",
		    strerror(errno));
		return -1;
	}
	locked = lock_files(p, text);
	snprintf(files, sizeof(files), "%.100s", text);
	filtered = filter(p, text);
	snprintf(calls, sizeof(calls), "%.100s", text);
	snprintf(how, SANDBOX_HOW, "%s%s%s", calls,
	    files[0] == '\0' ? "" : ", ", files);
	return locked == 0 && filtered == 0 ? 0 : -1;
}

/* With a path, or a path below a folder (its place among the arguments). */
static const int by_path[] = { SCMP_SYS(access), SCMP_SYS(chmod),
    SCMP_SYS(creat), SCMP_SYS(link), SCMP_SYS(lstat), SCMP_SYS(lstat64),
    SCMP_SYS(mkdir), SCMP_SYS(open), SCMP_SYS(readlink), SCMP_SYS(rename),
    SCMP_SYS(rmdir), SCMP_SYS(stat), SCMP_SYS(stat64), SCMP_SYS(statfs),
    SCMP_SYS(statfs64), SCMP_SYS(symlink), SCMP_SYS(truncate),
    SCMP_SYS(truncate64), SCMP_SYS(unlink) };

static const struct {
	int call;
	unsigned folder;
} below[] = {
	{ SCMP_SYS(faccessat), 0 },	{ SCMP_SYS(faccessat2), 0 },
	{ SCMP_SYS(fchmodat), 0 },	{ SCMP_SYS(fstatat64), 0 },
	{ SCMP_SYS(linkat), 0 },	{ SCMP_SYS(linkat), 2 },
	{ SCMP_SYS(mkdirat), 0 },	{ SCMP_SYS(newfstatat), 0 },
	{ SCMP_SYS(openat), 0 },	{ SCMP_SYS(readlinkat), 0 },
	{ SCMP_SYS(renameat), 0 },	{ SCMP_SYS(renameat), 2 },
	{ SCMP_SYS(renameat2), 0 },	{ SCMP_SYS(renameat2), 2 },
	{ SCMP_SYS(statx), 0 },		{ SCMP_SYS(symlinkat), 1 },
	{ SCMP_SYS(unlinkat), 0 },	{ SCMP_SYS(utimensat), 0 },
};

/* Where a folder is named by an absolute path, landlock is what is left. */
int
sandbox_close_paths(char how[SANDBOX_HOW])
{
	const uint32_t refuse = SCMP_ACT_ERRNO(EACCES);
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	struct scmp_arg_cmp arg;
	/* There are none to gain since sandbox_confine, which forbade to ask. */
	int r = f == NULL ? -ENOMEM :
	    seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0);

	for (size_t i = 0; i < COUNT(by_path) && r == 0; i++)
		r = add(f, refuse, by_path[i], 0, NULL);
	for (size_t i = 0; i < COUNT(below) && r == 0; i++) {
		arg = when(below[i].folder, SCMP_CMP_MASKED_EQ, 0xffffffff,
		    (uint32_t)AT_FDCWD);
		r = add(f, refuse, below[i].call, 1, &arg);
	}
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	snprintf(how, SANDBOX_HOW, "seccomp: %s", strerror(-r));
	return r == 0 ? 0 : -1;
}

/*
 * The supervisor starts programs of others, which inherit this: so only what
 * none of them could want.  Unless root it would cost them setuid programs
 * (sudo in a sink), so then it is left.
 */
static const int supervisor_not[] = {
	SCMP_SYS(add_key), SCMP_SYS(bpf), SCMP_SYS(fanotify_init),
	SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(io_uring_setup), SCMP_SYS(kcmp), SCMP_SYS(kexec_file_load),
	SCMP_SYS(kexec_load), SCMP_SYS(keyctl), SCMP_SYS(lookup_dcookie),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(perf_event_open),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(process_madvise),
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(ptrace), SCMP_SYS(request_key), SCMP_SYS(swapoff),
	SCMP_SYS(swapon), SCMP_SYS(userfaultfd),
};

int
sandbox_confine_supervisor(char how[SANDBOX_HOW])
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	long abi = landlock_abi();
	int r = f == NULL ? -ENOMEM :
	    seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 0);
	char lock[48] = "no landlock in this kernel";

	for (size_t i = 0; i < COUNT(supervisor_not) && r == 0; i++)
		r = add(f, SCMP_ACT_ERRNO(EPERM), supervisor_not[i], 0, NULL);
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	if (abi > 0)
		snprintf(lock, sizeof(lock), "landlock %ld", abi);
	snprintf(how, SANDBOX_HOW, "children by seccomp, %s; the supervisor "
	    "%s", lock, r == 0 ? "by seccomp" : "by nothing, as only root can "
	    "without harm to the programs that it starts");
	return abi > 0 ? 0 : -1;
}
