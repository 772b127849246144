#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../modem/ports.h"
#include "../modem/usbreset.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "power.h"

#define NOT_RUN 126

struct power {
	struct children *children;
	void (*done)(void *arg, bool ok, const char *text);
	void *arg;
	bool runs;
	enum power_act act;		/* that runs */
};

/* Words for a job: the strings are the caller's. */
struct words {
	char *at[PORTS_MAX];
	int n;
	char specs[PORTS_MAX][PORTS_SPEC];
};

static const char *
cycle_words(const struct config_modem *m, struct words *w)
{
	if (m->power_hook == NULL)
		return "no power_hook is configured";
	w->at[w->n++] = m->power_hook;
	w->at[w->n++] = m->data;
	return NULL;
}

/* Where it may be, as it is looked for when it is opened. */
static const char *
usb_words(const struct config_modem *m, struct words *w)
{
	if (!ports_is_search(m->data, m->control))
		w->at[w->n++] = m->data;
	for (unsigned i = 0; w->at[0] != m->data && i < PORTS_MAX; i++) {
		if (ports_candidate(m->data, i, w->specs[i],
		    sizeof(w->specs[i])) == 0)
			w->at[w->n++] = w->specs[i];
	}
	return NULL;
}

static const struct {
	const char *role, *name;
	int64_t limit_ms;
	const char *(*words)(const struct config_modem *, struct words *);
	const char *(*text)(int status);	/* NULL: its number says it */
} acts[POWER_ACTS] = {
	[POWER_CYCLE] = { "power", "power hook", POWER_LIMIT_MS, cycle_words,
	    NULL },
	[POWER_USB] = { "usb", "USB reset", POWER_USB_LIMIT_MS, usb_words,
	    usbreset_text },
};

static void
on_ended(void *arg, int status)
{
	struct power *p = arg;
	char text[160];

	p->runs = false;
	if (status == -1)
		snprintf(text, sizeof(text), "took too long, or was killed");
	else if (status > 0 && acts[p->act].text != NULL)
		snprintf(text, sizeof(text), "%s", acts[p->act].text(status));
	else
		snprintf(text, sizeof(text), "exit status %d", status);
	log_info("%s: %s", acts[p->act].name, text);
	p->done(p->arg, status == 0, text);
}

struct power *
power_new(struct children *children,
    void (*done)(void *, bool, const char *), void *arg)
{
	struct power *p = xcalloc(1, sizeof(*p));

	p->children = children;
	p->done = done;
	p->arg = arg;
	return p;
}

void
power_free(struct power *p)
{
	free(p);
}

/* Why not, or NULL. */
static const char *
start(struct power *p, const struct config_modem *m, enum power_act act)
{
	struct words words = { .n = 0 };
	struct job_conf job = { .role = acts[act].role, .argv = words.at,
	    .privileged = true, .limit_ms = acts[act].limit_ms };
	const char *why = m == NULL ? "no modem is configured" :
	    acts[act].words(m, &words);

	if (why != NULL)
		return why;
	if (p->runs)
		return "it runs already";
	job.argc = words.n;
	job.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (job.fd == -1)
		return strerror(errno);
	if (job_run(p->children, &job, on_ended, p) == NULL)
		why = strerror(errno);
	else
		p->runs = true;
	p->act = act;
	close(job.fd);
	return why;
}

void
power_run(struct power *p, const struct config_modem *m, enum power_act act)
{
	const char *why = start(p, m, act);

	if (why != NULL)
		p->done(p->arg, false, why);
}

/* What root runs is root's: looked at again, it may have changed. */
static bool
is_safe(const char *program)
{
	struct stat st;

	if (stat(program, &st) == -1) {
		log_errno("power_hook: %s", program);
		return false;
	}
	if (geteuid() == 0 && (st.st_uid != 0 ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)) {
		log_error("power_hook: %s must be root's, and nobody else's "
		    "to write", program);
		return false;
	}
	return true;
}

int
power_main(int fd, int argc, char *const argv[])
{
	static const char *const env[] = {
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	    NULL };
	const char *words[3];

	if (argc != 2) {
		log_error("power: wrong words");
		return 2;
	}
	if (!is_safe(argv[0]))
		return NOT_RUN;
	/* Half a cycle would leave it without power. */
	os_live_on();
	if (dup2(fd, 0) == -1 || dup2(fd, 1) == -1)
		return NOT_RUN;
	close(fd);
	words[0] = argv[0];
	words[1] = argv[1];
	words[2] = NULL;
	execve(argv[0], (char *const *)(uintptr_t)words,
	    (char *const *)(uintptr_t)env);
	log_errno("power_hook: %s", argv[0]);
	return NOT_RUN;
}
