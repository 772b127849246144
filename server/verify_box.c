#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../auth/sshsig.h"
#include "../serial/jdir.h"
#include "base/mem.h"
#include "base/str.h"
#include "signer.h"
#include "verify_box.h"

#define FACTS_MAX (1 << 20)	/* 150 MiB of memory; older ones are not kept */
#define HASH_PRIME UINT64_C(1099511628211)

struct fact {
	char console[40];	/* "": the box's own seal */
	struct seal_mark mark;
	bool removed;		/* not a seal: that segment is gone */
};

struct box {
	struct fact *facts;
	size_t count, room;
	uint32_t *slots;	/* of a hash table of the seals, twice as many
				   as there is room: 1 + the newest fact */
	struct box_signature signature;
	bool has_key;
	uint8_t key[SSHSIG_PUBLIC];
	char name[80];		/* of the box, from the header */
	const char *log_dir;
	void (*finding)(void *arg, const struct check_finding *);
	void *arg;
	struct check_result *result;
};

/* Where that seal is in the table, or belongs. */
static uint32_t *
find_slot(const struct box *b, const char *console, uint64_t number)
{
	uint64_t h = number;
	const struct fact *f;
	size_t i;

	for (const char *p = console; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * HASH_PRIME;
	h ^= h >> 32;
	for (i = h * HASH_PRIME >> 32;; i++) {
		i &= 2 * b->room - 1;
		if (b->slots[i] == 0)
			return &b->slots[i];
		f = &b->facts[b->slots[i] - 1];
		if (f->mark.number == number && strcmp(f->console,
		    console) == 0)
			return &b->slots[i];
	}
}

static void
note_slot(struct box *b, size_t i)
{
	const struct fact *f = &b->facts[i];

	if (!f->removed)
		*find_slot(b, f->console, f->mark.number) = (uint32_t)i + 1;
}

/* Room for another one, that of the oldest if need be. */
static void
grow(struct box *b)
{
	if (b->room == FACTS_MAX) {
		b->count /= 2;
		memmove(b->facts, b->facts + FACTS_MAX - b->count,
		    b->count * sizeof(*b->facts));
	} else {
		b->room = b->room == 0 ? 256 : b->room * 2;
	}
	b->facts = xreallocarray(b->facts, b->room, sizeof(*b->facts));
	free(b->slots);
	b->slots = xcalloc(2 * b->room, sizeof(*b->slots));
	for (size_t i = 0; i < b->count; i++)
		note_slot(b, i);
}

static void
add(struct box *b, const char *console, const struct seal_mark *m,
    bool removed)
{
	struct fact *f;

	if (b->count == b->room)
		grow(b);
	f = &b->facts[b->count++];
	snprintf(f->console, sizeof(f->console), "%s", console);
	f->mark = *m;
	f->removed = removed;
	note_slot(b, b->count - 1);
}

static uint64_t
number(const struct record *r, const char *key)
{
	char text[24];
	int64_t v;

	return seal_word(r->data, r->n, key, text, sizeof(text)) &&
	    str_int(text, 1, INT64_MAX, &v) == 0 ? (uint64_t)v : 0;
}

static void
take_fact(struct box *b, const struct record *r, bool removed)
{
	struct seal_mark m = { .number = number(r, "seal=") };
	char console[40];

	m.seq = (uint32_t)number(r, "seq=");
	if (seal_word(r->data, r->n, "console=", console, sizeof(console)) &&
	    seal_word(r->data, r->n, "hash=", m.hash, sizeof(m.hash)) &&
	    m.seq > 0 && (removed || m.number > 0))
		add(b, console, &m, removed);
}

static void
complain(struct box *b, uint32_t seq, const struct record *r,
    const char *text)
{
	struct check_finding f = { .kind = CHECK_SEAL, .segment = "",
	    .seq = seq, .seal = number(r, "seal="),
	    .utc_us = r->stamp.utc_us };

	snprintf(f.text, sizeof(f.text), "%s", text);
	b->result->findings++;
	b->finding(b->arg, &f);
}

/* The key is checked where there is one to compare with. */
static void
judge_key(struct box *b, uint32_t seq, const struct record *r,
    const uint8_t public[SSHSIG_PUBLIC])
{
	char print[SSHSIG_PRINT], ours[SSHSIG_PRINT], text[240];

	sshsig_print(public, print);
	if (b->has_key && memcmp(public, b->key, sizeof(b->key)) != 0) {
		sshsig_print(b->key, ours);
		snprintf(text, sizeof(text), "wrong key: seal %" PRIu64
		    " is signed by %s, not by %s", number(r, "seal="), print,
		    ours);
		complain(b, seq, r, text);
		return;
	}
	b->signature.state = b->has_key ? BOX_SIGNED : BOX_NO_KEY;
	b->signature.seal = number(r, "seal=");
	b->signature.utc_us = r->stamp.utc_us;
	snprintf(b->signature.key, sizeof(b->signature.key), "%s", print);
}

static void
take_signature(struct box *b, uint32_t seq, const struct record *r)
{
	char sig[SSHSIG_TEXT], hash[SEAL_HASH], seal[24];
	char message[SIGNER_MESSAGE];
	uint8_t public[SSHSIG_PUBLIC];
	const char *own;

	if (!seal_word(r->data, r->n, "sig=", sig, sizeof(sig)) ||
	    !seal_word(r->data, r->n, "hash=", hash, sizeof(hash)) ||
	    !seal_word(r->data, r->n, "seal=", seal, sizeof(seal))) {
		complain(b, seq, r, "a signature that cannot be read");
		return;
	}
	signer_message(message, b->name, seal, hash);
	own = box_own(b, number(r, "seal="));
	if (sshsig_verify(sig, SIGNER_SPACE, message, strlen(message),
	    public) == -1)
		complain(b, seq, r, "a signature that is not valid");
	else if (own != NULL && strcmp(own, hash) != 0)
		complain(b, seq, r, "a signature of another seal of that "
		    "number: this is not the journal that was signed");
	else
		judge_key(b, seq, r, public);
}

static bool
is_word(const struct record *r, const char *word)
{
	size_t n = strlen(word);

	return r->n > n && memcmp(r->data, word, n) == 0 &&
	    r->data[n] == ' ';
}

static void
on_event(void *arg, uint32_t seq, const struct record *r)
{
	struct box *b = arg;

	if (is_word(r, "sealed"))
		take_fact(b, r, false);
	else if (is_word(r, "removed"))
		take_fact(b, r, true);
	else if (is_word(r, "signed"))
		take_signature(b, seq, r);
}

static void
on_seal(void *arg, uint32_t seq, const struct seal_fields *f)
{
	struct seal_mark m = { .number = f->number, .seq = seq };

	memcpy(m.hash, f->hash, sizeof(m.hash));
	add(arg, "", &m, false);
}

static void
on_finding(void *arg, const struct check_finding *f)
{
	struct box *b = arg;

	b->finding(b->arg, f);
}

static const struct check_ops ops = { on_finding, on_seal, on_event };

/* The name it has in its headers: signatures are over that. */
static void
read_name(struct box *b)
{
	int fd = jdir_open(b->log_dir, JDIR_BOX);
	struct jdir d;

	if (fd == -1)
		return;
	if (jdir_list(fd, &d) == -1) {
		close(fd);
		return;
	}
	for (size_t i = d.count; i > 0 && b->name[0] == '\0'; i--)
		chain_header_box(fd, d.segments[i - 1].name, b->name,
		    sizeof(b->name));
	jdir_free(&d);
	close(fd);
}

struct box *
box_read(const struct box_conf *conf, struct check_result *result,
    int *status)
{
	struct box *b = xcalloc(1, sizeof(*b));

	b->finding = conf->finding;
	b->arg = conf->arg;
	b->log_dir = conf->log_dir;
	b->result = result;
	b->has_key = conf->key != NULL &&
	    sshsig_key_parse(conf->key, b->key) == 0;
	read_name(b);
	*status = check_journal(conf->log_dir, JDIR_BOX, conf->want, &ops, b,
	    result);
	return b;
}

void
box_free(struct box *b)
{
	free(b->facts);
	free(b->slots);
	free(b);
}

void
box_signature(const struct box *b, struct box_signature *s)
{
	*s = b->signature;
}

const char *
box_own(const struct box *b, uint64_t n)
{
	return box_seal(b, "", n);
}

const char *
box_seal(const struct box *b, const char *console, uint64_t n)
{
	uint32_t i = b->room == 0 ? 0 : *find_slot(b, console, n);

	return i == 0 ? NULL : b->facts[i - 1].mark.hash;
}

struct seal_mark
box_newest(const struct box *b, const char *console)
{
	struct seal_mark newest = seal_none;

	for (size_t i = 0; i < b->count; i++) {
		const struct fact *f = &b->facts[i];

		if (!f->removed && strcmp(f->console, console) == 0 &&
		    f->mark.number > newest.number)
			newest = f->mark;
	}
	return newest;
}

bool
box_went_back(const struct box *b, const char *console, struct seal_mark *to)
{
	const struct seal_mark *newest = &seal_none;

	for (size_t i = 0; i < b->count; i++) {
		const struct fact *f = &b->facts[i];

		if (f->removed || strcmp(f->console, console) != 0)
			continue;
		*to = f->mark;
		/* One that starts anew may say the newest once more. */
		if (f->mark.number < newest->number ||
		    (f->mark.number == newest->number &&
		    strcmp(f->mark.hash, newest->hash) != 0))
			return true;
		newest = &f->mark;
	}
	return false;
}

bool
box_removed(const struct box *b, const char *console, uint32_t seq,
    const char *hash)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct fact *f = &b->facts[i];

		if (f->removed && f->mark.seq == seq &&
		    strcmp(f->console, console) == 0 &&
		    strcmp(f->mark.hash, hash) == 0)
			return true;
	}
	return false;
}
