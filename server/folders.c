#include <sys/stat.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/fileio.h"
#include "base/log.h"
#include "base/mem.h"
#include "folders.h"

enum { STATE, LOG, RUN, COUNT };

struct folder {
	char *path;
	mode_t mode;
	dev_t dev;
	ino_t ino;
};

struct folders {
	bool give;
	uid_t uid;
	gid_t gid;
	struct folder all[COUNT];
};

static int
make(const struct folders *f, const struct folder *one)
{
	if (dir_make(one->path, one->mode) == -1)
		return -1;
	return f->give ? chown(one->path, f->uid, f->gid) : 0;
}

/* Is it another than before?  One that cannot be seen is not. */
static bool
look(struct folder *one)
{
	struct stat st;
	bool other;

	if (stat(one->path, &st) == -1)
		return false;
	other = st.st_dev != one->dev || st.st_ino != one->ino;
	one->dev = st.st_dev;
	one->ino = st.st_ino;
	return other;
}

struct folders *
folders_new(const struct config *conf, bool give, uid_t uid, gid_t gid)
{
	struct folders *f = xcalloc(1, sizeof(*f));

	f->give = give;
	f->uid = uid;
	f->gid = gid;
	f->all[STATE] = (struct folder){ xstrdup(conf->state_dir), 0700, 0, 0 };
	f->all[LOG] = (struct folder){ xstrdup(conf->log_dir), 0750, 0, 0 };
	f->all[RUN] = (struct folder){ xstrdup(conf->run_dir), 0750, 0, 0 };
	for (size_t i = 0; i < COUNT; i++) {
		if (make(f, &f->all[i]) == -1)
			fatal("%s", f->all[i].path);
		(void)look(&f->all[i]);
	}
	return f;
}

void
folders_free(struct folders *f)
{
	for (size_t i = 0; i < COUNT; i++)
		free(f->all[i].path);
	free(f);
}

unsigned
folders_changed(struct folders *f)
{
	unsigned changed = 0;

	for (size_t i = STATE; i <= LOG; i++) {
		if (make(f, &f->all[i]) == -1)
			log_errno("%s", f->all[i].path);
		if (!look(&f->all[i]))
			continue;
		log_warn("%s is another folder than before",
		    f->all[i].path);
		changed |= i == STATE ? FOLDERS_STATE : FOLDERS_LOG;
	}
	return changed;
}
