#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <liboath/oath.h>

#include "../server/base/log.h"
#include "../server/base/mem.h"
#include "../server/base/os.h"
#include "../server/base/str.h"
#include "codes.h"

/* A code too far ahead came: the next ones of this admin are awaited. */
struct awaited {
	char name[CODES_NAME];
	uint64_t counter;
};

struct codes {
	char *path;
	int held;		/* the folder; -1: opened by its path */
	int gone;		/* ... why it could not be held; 0: it was not
				   wanted */
	struct awaited awaited[CODES_MAX];
	size_t nawaited;
};

/* What came of going through all admins. */
struct judgement {
	unsigned good;		/* admins whose code it is */
	struct codes_record record;
	struct codes_match match, used;
	bool damaged;
};

struct codes *
codes_open(const char *state_dir)
{
	struct codes *c = xcalloc(1, sizeof(*c));

	oath_init();
	c->path = xasprintf("%s/codes", state_dir);
	c->held = -1;
	return c;
}

int
codes_hold(struct codes *c)
{
	c->held = open(c->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	c->gone = c->held == -1 ? errno : 0;
	return c->held == -1 ? -1 : 0;
}

static int
open_folder(const struct codes *c, struct codes_folder *f, bool make)
{
	if (c->held != -1)
		return codes_folder_enter(f, c->held);
	errno = c->gone;
	return c->gone != 0 ? -1 : codes_folder_open(f, c->path, make);
}

void
codes_close(struct codes *c)
{
	if (c == NULL)
		return;
	if (c->held != -1)
		close(c->held);
	free(c->path);
	free(c);
}

const char *
codes_path(const struct codes *c)
{
	return c->path;
}

static void
set_match(struct codes_match *m, const struct codes_record *r, uint64_t at)
{
	snprintf(m->who, sizeof(m->who), "%s", r->name);
	m->counter = at;
	m->ahead = at > r->counter ? at - r->counter : 0;
}

/* The same work for every code of an admin, good or not. */
static enum codes_verdict
judge(const struct codes_record *r, const struct codes_query *q,
    unsigned ahead, struct codes_match *m)
{
	struct otp_found found;
	uint64_t step, from = r->counter;
	unsigned behind = CODES_BEHIND;

	if (r->totp) {
		if (!q->totp || otp_step(&q->time, &step) == -1) {
			m->untimed = true;
			return CODES_WRONG;
		}
		from = step > CODES_LATE ? step - CODES_LATE : 0;
		ahead = CODES_LATE + CODES_EARLY;
		behind = 0;
	}
	otp_search(&r->secret, q->code, from, ahead, behind, &found);
	if (found.ahead && found.ahead_at >= r->counter) {
		set_match(m, r, found.ahead_at);
		return CODES_GOOD;
	}
	if (found.ahead || found.behind) {
		set_match(m, r, found.ahead ? found.ahead_at :
		    found.behind_at);
		return CODES_USED;
	}
	return CODES_WRONG;
}

static void
judge_all(const struct codes *c, const struct codes_folder *f,
    const struct codes_names *names, const struct codes_query *q,
    struct judgement *j)
{
	struct codes_record r;

	for (size_t i = 0; i < names->n; i++) {
		struct codes_match m = { .untimed = false };
		enum codes_verdict v;

		if (codes_file_read(f, names->name[i], &r) == -1) {
			log_errno("%s/%s: this admin's codes do not work; make "
			    "new ones (oobctl code new %s --force)", c->path,
			    names->name[i], names->name[i]);
			j->damaged = true;
			continue;
		}
		v = judge(&r, q, CODES_AHEAD, &m);
		j->match.untimed |= m.untimed;
		if (v == CODES_GOOD) {
			m.untimed = j->match.untimed;
			j->match = m;
			j->record = r;
			j->good++;
		} else if (v == CODES_USED) {
			j->used = m;
		}
		explicit_bzero(&r, sizeof(r));
	}
}

static struct awaited *
find_awaited(struct codes *c, const char *name)
{
	for (size_t i = 0; i < c->nawaited; i++) {
		if (strcmp(c->awaited[i].name, name) == 0)
			return &c->awaited[i];
	}
	return NULL;
}

static void
await(struct codes *c, const struct codes_match *m)
{
	struct awaited *a = find_awaited(c, m->who);

	if (a == NULL) {
		/* Admins come and go: the oldest makes room. */
		if (c->nawaited == CODES_MAX)
			memmove(c->awaited, c->awaited + 1,
			    --c->nawaited * sizeof(*a));
		a = &c->awaited[c->nawaited++];
	}
	snprintf(a->name, sizeof(a->name), "%s", m->who);
	a->counter = m->counter;
}

static void
forget(struct codes *c, const char *name)
{
	struct awaited *a = find_awaited(c, name);

	if (a != NULL)
		*a = c->awaited[--c->nawaited];
}

/* While guessed at: is it near enough, or does it follow one that was not? */
static bool
is_near(struct codes *c, const struct codes_record *r,
    const struct codes_query *q, const struct codes_match *m)
{
	const struct awaited *a = find_awaited(c, m->who);
	uint64_t step = 0, reach = r->totp ? CODES_LATE : CODES_NARROW + 1;
	bool near;

	if (r->totp && otp_step(&q->time, &step) == -1)
		return false;
	near = r->totp ? m->counter + CODES_NARROW >= step :
	    m->ahead <= CODES_NARROW;
	return near || (a != NULL && m->counter > a->counter &&
	    m->counter - a->counter <= reach);
}

/* On the disk before anybody hears of it. */
static int
spend(const struct codes *c, const struct codes_folder *f,
    struct codes_record *r, uint64_t at)
{
	r->counter = at + 1;
	if (r->used < CODES_USED_MAX)
		r->used++;
	if (codes_file_write(f, r) == 0)
		return 0;
	log_errno("%s/%s: the counter cannot be written, so the code was not "
	    "accepted", c->path, r->name);
	return -1;
}

static enum codes_verdict
decide(struct codes *c, const struct codes_folder *f,
    const struct codes_query *q, struct judgement *j, struct codes_match *m)
{
	m->untimed = j->match.untimed;
	if (j->good > 1)
		return CODES_WRONG;
	if (j->good == 0) {
		if (j->used.who[0] == '\0')
			return CODES_WRONG;
		*m = j->used;
		return CODES_USED;
	}
	*m = j->match;
	if (q->narrow && !is_near(c, &j->record, q, m)) {
		await(c, m);
		return CODES_FAR;
	}
	if (spend(c, f, &j->record, m->counter) == -1)
		return CODES_FAILED;
	forget(c, m->who);
	return CODES_GOOD;
}

/* The folder with its names; CODES_GOOD, or what to answer. */
static enum codes_verdict
enter(const struct codes *c, struct codes_folder *f, struct codes_names *names)
{
	if (open_folder(c, f, false) == -1) {
		if (errno == ENOENT)
			return CODES_NONE;
		log_errno("%s: codes cannot be checked", c->path);
		return CODES_FAILED;
	}
	/* More than there is room for: those that were read still work. */
	if (codes_folder_list(f, names) == -1)
		log_errno("%s: not every code can be checked", c->path);
	if (names->n > 0)
		return CODES_GOOD;
	codes_folder_close(f);
	return CODES_NONE;
}

enum codes_verdict
codes_take(struct codes *c, const struct codes_query *q,
    struct codes_match *m)
{
	struct codes_names *names;
	struct codes_folder f;
	struct judgement j;
	enum codes_verdict v;

	memset(m, 0, sizeof(*m));
	if (!otp_is_code(q->code))
		return CODES_WRONG;
	names = xcalloc(1, sizeof(*names));
	memset(&j, 0, sizeof(j));
	v = enter(c, &f, names);
	if (v == CODES_GOOD) {
		judge_all(c, &f, names, q, &j);
		v = decide(c, &f, q, &j, m);
		if (v == CODES_WRONG && j.damaged && names->n == 1)
			v = CODES_FAILED;
		codes_folder_close(&f);
	}
	explicit_bzero(&j, sizeof(j));
	free(names);
	return v;
}

enum codes_verdict
codes_look(struct codes *c, const char *name, const struct codes_query *q,
    struct codes_match *m)
{
	struct codes_record r;
	enum codes_verdict v;

	memset(m, 0, sizeof(*m));
	if (codes_get(c, name, &r) == -1)
		return errno == ENOENT || errno == EINVAL ? CODES_NONE :
		    CODES_FAILED;
	v = otp_is_code(q->code) ? judge(&r, q, CODES_RESYNC, m) :
	    CODES_WRONG;
	explicit_bzero(&r, sizeof(r));
	return v;
}

int
codes_list(struct codes *c, struct codes_names *names)
{
	struct codes_folder f;
	int r;

	names->n = 0;
	if (open_folder(c, &f, false) == -1)
		return errno == ENOENT ? 0 : -1;
	r = codes_folder_list(&f, names);
	codes_folder_close(&f);
	return r;
}

/* The folder, for one of its files.  0, or -1 with errno. */
static int
open_for(const struct codes *c, struct codes_folder *f, const char *name,
    bool make)
{
	if (str_is_name(name))
		return open_folder(c, f, make);
	errno = EINVAL;
	return -1;
}

int
codes_get(struct codes *c, const char *name, struct codes_record *record)
{
	struct codes_folder f;
	int r;

	memset(record, 0, sizeof(*record));
	if (open_for(c, &f, name, false) == -1)
		return -1;
	r = codes_file_read(&f, name, record);
	codes_folder_close(&f);
	return r;
}

/* May a file of this name be made?  0, or -1 with errno. */
static int
may_make(const struct codes_folder *f, const char *name, bool force)
{
	struct codes_names *names = xcalloc(1, sizeof(*names));
	bool there = false;
	int r = codes_folder_list(f, names);

	for (size_t i = 0; i < names->n; i++)
		there |= strcmp(names->name[i], name) == 0;
	if (there) {
		r = force ? 0 : -1;
		errno = EEXIST;
	} else if (r == 0 && names->n == CODES_MAX) {
		r = -1;
		errno = E2BIG;
	}
	free(names);
	return r;
}

int
codes_new(struct codes *c, const char *name, bool totp, bool force,
    struct codes_record *record)
{
	struct codes_folder f;
	int r;

	memset(record, 0, sizeof(*record));
	if (open_for(c, &f, name, true) == -1)
		return -1;
	r = may_make(&f, name, force);
	if (r == 0) {
		snprintf(record->name, sizeof(record->name), "%s", name);
		record->totp = totp;
		record->secret.n = OTP_SECRET;
		os_random(record->secret.bytes, OTP_SECRET);
		record->made = (int64_t)time(NULL);
		r = codes_file_write(&f, record);
	}
	codes_folder_close(&f);
	return r;
}

int
codes_remove(struct codes *c, const char *name)
{
	struct codes_folder f;
	int r;

	if (open_for(c, &f, name, false) == -1)
		return -1;
	r = codes_file_remove(&f, name);
	codes_folder_close(&f);
	return r;
}

/* The pair, wherever it is within reach; spends it. */
static enum codes_verdict
move(const struct codes *c, const struct codes_folder *f,
    struct codes_record *r, const char *const pair[2], struct codes_match *m)
{
	uint64_t first = r->counter > CODES_RESYNC ?
	    r->counter - CODES_RESYNC : 0;
	enum codes_verdict v = CODES_WRONG;
	char one[OTP_CODE], two[OTP_CODE];
	uint64_t at = 0;

	for (uint64_t i = first; i <= r->counter + CODES_RESYNC; i++) {
		if (otp_code(&r->secret, i, one) == 0 &&
		    otp_code(&r->secret, i + 1, two) == 0 &&
		    otp_equal(one, pair[0]) && otp_equal(two, pair[1])) {
			v = i < r->counter ? CODES_USED : CODES_GOOD;
			at = i;
		}
	}
	explicit_bzero(one, sizeof(one));
	explicit_bzero(two, sizeof(two));
	if (v != CODES_WRONG)
		set_match(m, r, at);
	if (v == CODES_GOOD && spend(c, f, r, at + 1) == -1)
		v = CODES_FAILED;
	return v;
}

enum codes_verdict
codes_resync(struct codes *c, const char *name, const char *first,
    const char *second, struct codes_match *m)
{
	const char *const pair[2] = { first, second };
	enum codes_verdict v = CODES_WRONG;
	struct codes_folder f;
	struct codes_record r;

	memset(m, 0, sizeof(*m));
	if (!str_is_name(name))
		return CODES_NONE;
	if (open_folder(c, &f, false) == -1)
		return errno == ENOENT ? CODES_NONE : CODES_FAILED;
	if (codes_file_read(&f, name, &r) == -1)
		v = errno == ENOENT ? CODES_NONE : CODES_FAILED;
	else if (r.totp)
		v = CODES_FAR;
	else if (otp_is_code(first) && otp_is_code(second))
		v = move(c, &f, &r, pair, m);
	explicit_bzero(&r, sizeof(r));
	codes_folder_close(&f);
	return v;
}
