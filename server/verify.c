#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../serial/check.h"
#include "../serial/jdir.h"
#include "base/fileio.h"
#include "base/folder.h"
#include "base/mem.h"
#include "base/str.h"
#include "signer.h"
#include "verify.h"
#include "verify_box.h"

#define FILE_BYTES 65536
#define LINE 1024

struct conf {
	const char *key;	/* file */
	const char *seal;	/* NUMBER:HASH, told elsewhere */
	const char *state;	/* the state folder, or NULL */
	bool json;
};

struct verify {
	const struct view *view;
	const char *state;	/* the state folder, or NULL */
	const char *console;	/* whose findings are told */
	bool json;
	bool quiet;		/* the first finding is kept, none told */
	char first[LINE];
	const struct check_want *want;	/* NULL: all */
	json_t *findings;
	unsigned count;
	const char *name;	/* the console that was asked for */
	struct box *box;
	int box_error;		/* 0: it was read */
	struct check_result of_box, result;
	bool forked;		/* it is not what the box knows */
};

static void out(const struct verify *, const char *, ...)
    __attribute__((format(printf, 2, 3)));
static void complain(struct verify *, const char *, uint32_t, const char *,
    ...) __attribute__((format(printf, 4, 5)));

static int
set_text(const char **to, const char *value)
{
	*to = value;
	return 0;
}

static int
set_key(void *conf, const char *value)
{
	return set_text(&((struct conf *)conf)->key, value);
}

static int
set_seal(void *conf, const char *value)
{
	const char *colon = strchr(value, ':');

	if (colon == NULL || strspn(value, "0123456789") !=
	    (size_t)(colon - value) || strlen(colon + 1) < 8 ||
	    strspn(colon + 1, "0123456789abcdef") != strlen(colon + 1))
		return -1;
	return set_text(&((struct conf *)conf)->seal, value);
}

static int
set_state(void *conf, const char *value)
{
	return set_text(&((struct conf *)conf)->state, value);
}

static int
set_json(void *conf, const char *value)
{
	(void)value;
	((struct conf *)conf)->json = true;
	return 0;
}

static const struct view_option options[] = {
	{ "--key", false, set_key, "a file with the public key" },
	{ "--seal", false, set_seal, "a seal as status prints it, such as "
	    "2741:1f0c9a5511d2e6b0" },
	{ "--state", false, set_state, "the state folder" },
	{ "--json", true, set_json, NULL },
	{ NULL, false, NULL, NULL },
};

static void
out(const struct verify *v, const char *fmt, ...)
{
	char text[LINE];
	va_list ap;
	int n;

	if (v->json)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	v->view->ops->write(v->view->arg, 1, text, (size_t)n);
}

/* One thing that is wrong. */
static void
tell(struct verify *v, const char *kind, const struct check_finding *f)
{
	char when[STAMP_TEXT] = "", text[LINE];

	v->count++;
	if (f->utc_us != 0)
		stamp_text(when, f->utc_us);
	str_safe(text, sizeof(text), f->text, strlen(f->text));
	if (v->quiet) {
		if (v->count == 1)
			snprintf(v->first, sizeof(v->first), "%s: %s%s%.320s",
			    v->console, f->segment, f->segment[0] == '\0' ?
			    "" : ": ", text);
		return;
	}
	if (v->json) {
		json_array_append_new(v->findings, json_pack("{s:s, s:s, s:s*,"
		    " s:I, s:I, s:I, s:I, s:s*, s:s}", "console", v->console,
		    "kind", kind, "segment", f->segment[0] == '\0' ? NULL :
		    f->segment, "seq", (json_int_t)f->seq, "line",
		    (json_int_t)f->line, "upto", (json_int_t)f->upto, "seal",
		    (json_int_t)f->seal, "time", when[0] == '\0' ? NULL : when,
		    "text", text));
		return;
	}
	out(v, "%s: %s: %s%s%s%s%s\n", v->console, kind, f->segment,
	    f->segment[0] == '\0' ? "" : ": ", text, when[0] == '\0' ? "" :
	    ", ", when);
}

static void
on_finding(void *arg, const struct check_finding *f)
{
	tell(arg, check_kind_text(f->kind), f);
}

static void
complain(struct verify *v, const char *kind, uint32_t seq, const char *fmt,
    ...)
{
	struct check_finding f = { .segment = "", .seq = seq };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	tell(v, kind, &f);
}

static void
tell_fork(struct verify *v, uint32_t seq, uint64_t seal)
{
	v->forked = true;
	complain(v, "older-copy", seq, "segment %lu: seal %" PRIu64 " is not "
	    "the one that was written first: an older copy was put in its "
	    "place, and written on", (unsigned long)seq, seal);
}

/* A seal of the console that is right by itself: is it the one we know? */
static void
on_seal(void *arg, uint32_t seq, const struct seal_fields *f)
{
	struct verify *v = arg;
	const char *known = box_seal(v->box, v->name, f->number);

	if (v->forked || known == NULL || strcmp(known, f->hash) == 0)
		return;
	tell_fork(v, seq, f->number);
}

static const struct check_ops ops = { on_finding, on_seal, NULL };

/* Whoever removed the oldest segments must have said so. */
static void
judge_begin(struct verify *v, const char *console,
    const struct check_result *r)
{
	if (!r->from_first || r->first <= 1 || (r->begin.chained &&
	    box_removed(v->box, console, r->first - 1,
	    r->begin.prev.hash)))
		return;
	/* Offsets of the first numbers may never have been used. */
	if (!r->begin.chained)
		return;
	if (r->first == 2)
		complain(v, "segment-removed", 1, "segment 1 was removed, and "
		    "not by oobd");
	else
		complain(v, "segment-removed", 1, "segments 1 to %lu were "
		    "removed, and not by oobd", (unsigned long)r->first - 1);
}

/* What the box knows of the journal's end. */
static void
judge_end(struct verify *v)
{
	struct seal_mark known = box_newest(v->box, v->name);
	const struct check_result *r = &v->result;
	struct seal_mark back;

	if (!v->forked && box_went_back(v->box, v->name, &back))
		tell_fork(v, back.seq, back.number);
	if (v->forked || !r->to_last || known.number <= r->mark.number)
		return;
	if (r->segments == 0)
		complain(v, "removed", 0, "all its segments are gone, and the "
		    "box knows of %lu", (unsigned long)known.seq);
	else if (known.seq <= r->last)
		complain(v, "cut", r->last, "its end is missing: the newest "
		    "seal is %" PRIu64 ", and the box knows %" PRIu64 " in "
		    "segment %lu", r->mark.number, known.number,
		    (unsigned long)known.seq);
	else if (r->ended)
		complain(v, "segment-removed", r->last + 1, "segments %lu to "
		    "%lu were removed: the newest seal is %" PRIu64 ", and "
		    "the box knows %" PRIu64, (unsigned long)r->last + 1,
		    (unsigned long)known.seq, r->mark.number, known.number);
	else
		complain(v, "older-copy", r->last, "an older copy is in its "
		    "place: it ends in the midst of segment %lu, with seal %"
		    PRIu64 ", and the box knows %" PRIu64 " in segment %lu",
		    (unsigned long)r->last, r->mark.number, known.number,
		    (unsigned long)known.seq);
}

/* NUMBER:HASH, or as state_dir has it: is it in the box's journal? */
static void
judge_anchor(struct verify *v, const char *from, uint64_t number,
    const char *hash)
{
	const char *own = box_own(v->box, number);

	if (own != NULL && strncmp(own, hash, strlen(hash)) == 0)
		return;
	if (own != NULL)
		complain(v, "older-copy", 0, "%s knows another seal %" PRIu64
		    ": these journals are not those that it is of", from,
		    number);
	else if (number > v->of_box.mark.number)
		complain(v, "older-copy", 0, "%s knows seal %" PRIu64 ", and "
		    "the newest here is %" PRIu64 ": all of this is an older "
		    "copy, or its end was cut off", from, number,
		    v->of_box.mark.number);
}

/* In its folder; beside it where it is from before that was.  Caller frees. */
static char *
seal_path(const char *state)
{
	char *folder = xasprintf("%s/seal", state), *path;
	struct stat st;

	path = xasprintf("%s/journal.seal", folder_stat(folder, &st, 0) == 0 ?
	    folder : state);
	free(folder);
	return path;
}

static void
judge_state(struct verify *v)
{
	char *path, *text, number[24], hash[SEAL_HASH];
	int64_t n;

	if (v->state == NULL)
		return;
	path = seal_path(v->state);
	text = file_read(path, FILE_BYTES, NULL);
	if (text != NULL)
		text[strcspn(text, "\n")] = '\0';
	if (text != NULL && seal_word(text, strlen(text), "seal=", number,
	    sizeof(number)) && str_int(number, 1, INT64_MAX, &n) == 0 &&
	    seal_word(text, strlen(text), "hash=", hash, sizeof(hash)))
		judge_anchor(v, path, (uint64_t)n, hash);
	free(text);
	free(path);
}

/* The public key to trust; NULL with *why when one was named in vain. */
static char *
read_key(const struct verify *v, const struct conf *conf, const char **why)
{
	char *path, *text;

	*why = NULL;
	if (conf->key != NULL) {
		text = file_read(conf->key, FILE_BYTES, NULL);
		if (text == NULL)
			*why = strerror(errno);
		return text;
	}
	if (v->state != NULL)
		path = xasprintf("%s/" SIGNER_KEY ".pub", v->state);
	else
		path = xasprintf("%s/" JDIR_BOX "/" SIGNER_SIGNERS,
		    v->view->log_dir);
	text = file_read(path, FILE_BYTES, NULL);
	free(path);
	return text;
}

static void
say_result(const struct verify *v)
{
	const struct check_result *r = &v->result;
	struct box_signature s;
	char when[STAMP_TEXT];

	out(v, "%s: %" PRIu64 " records in %" PRIu64 " segments, %" PRIu64
	    " seals", v->name, r->records, r->segments, r->seals);
	if (r->seals > 0)
		out(v, "; sealed until %s", stamp_text(when, r->mark_us));
	out(v, "\n");
	if (r->unsealed > 0)
		out(v, "%s: the newest %" PRIu64 " records are not sealed "
		    "yet\n", v->name, r->unsealed);
	if (r->old > 0)
		out(v, "%s: %" PRIu64 " segments have no seals of their own\n",
		    v->name, r->old);
	box_signature(v->box, &s);
	if (s.state == BOX_UNSIGNED)
		out(v, "box: not signed yet\n");
	else
		out(v, "box: seal %" PRIu64 " is signed by %s, %s%s\n", s.seal,
		    s.key, stamp_text(when, s.utc_us), s.state == BOX_NO_KEY ?
		    "; there is no key to compare it with: give one with "
		    "--key" : v->state == NULL ? "; compare that "
		    "with what you know" : "");
	out(v, "box: the newest seal is %" PRIu64 ":%.16s\n",
	    v->of_box.mark.number, v->of_box.mark.hash);
	if (v->count == 0)
		out(v, "%s: nothing is wrong\n", v->name);
	else
		out(v, "%s: %u thing%s wrong\n", v->name, v->count,
		    v->count == 1 ? " is" : "s are");
}

static void
say_json(struct verify *v)
{
	static const char *const states[] = { [BOX_UNSIGNED] = "no",
	    [BOX_NO_KEY] = "key-unknown", [BOX_SIGNED] = "yes" };
	const struct check_result *r = &v->result;
	struct box_signature s;
	char when[STAMP_TEXT], signed_at[STAMP_TEXT], *text;
	json_t *o;

	box_signature(v->box, &s);
	o = json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:s*, "
	    "s:{s:I, s:s}, s:{s:s, s:I, s:s*, s:s*}, s:O}",
	    "console", v->name, "ok", v->count == 0,
	    "segments", (json_int_t)r->segments,
	    "seals", (json_int_t)r->seals, "records", (json_int_t)r->records,
	    "unsealed", (json_int_t)r->unsealed, "old", (json_int_t)r->old,
	    "sealed_until", r->seals == 0 ? NULL : stamp_text(when,
	    r->mark_us), "box_seal", "number",
	    (json_int_t)v->of_box.mark.number, "hash", v->of_box.mark.hash,
	    "signed", "state", states[s.state], "seal", (json_int_t)s.seal,
	    "key", s.state == BOX_UNSIGNED ? NULL : s.key, "time",
	    s.state == BOX_UNSIGNED ? NULL : stamp_text(signed_at, s.utc_us),
	    "findings", v->findings);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL)
		return;
	v->view->ops->write(v->view->arg, 1, text, strlen(text));
	v->view->ops->write(v->view->arg, 1, "\n", 1);
	free(text);
}

/* The box's journal comes first: it says what to look for. */
static void
verify_box(struct verify *v, const struct conf *conf, const char *key)
{
	const struct box_conf box = { v->view->log_dir, key, v->want,
	    on_finding, v };
	int status;

	v->console = "box";
	v->box = box_read(&box, &v->of_box, &status);
	v->box_error = status == -1 ? errno : 0;
	if (status == -1) {
		complain(v, "removed", 0, "the box's journal cannot be read: "
		    "%s", strerror(errno));
		return;
	}
	judge_begin(v, JDIR_BOX, &v->of_box);
	judge_state(v);
	if (conf->seal != NULL)
		judge_anchor(v, "whoever told --seal",
		    strtoull(conf->seal, NULL, 10),
		    strchr(conf->seal, ':') + 1);
}

static enum view_status
verify_console(struct verify *v)
{
	v->console = v->name;
	if (check_journal(v->view->log_dir, v->name, v->want, &ops, v,
	    &v->result) == -1) {
		if (box_newest(v->box, v->name).number == 0) {
			view_say(v->view, "%s: there is no journal of that "
			    "console: %s", v->name, strerror(errno));
			return errno == ENOENT ? VIEW_NO_CONSOLE : VIEW_FAILED;
		}
		complain(v, "removed", 0, "its journal is gone (%s), and the "
		    "box knows of it", strerror(errno));
		return VIEW_OK;
	}
	judge_begin(v, v->name, &v->result);
	judge_end(v);
	return VIEW_OK;
}

enum view_status
verify_run(const struct view *view, int argc, char *const argv[])
{
	struct conf conf = { .json = false };
	struct verify v = { .view = view };
	enum view_status status;
	const char *why;
	char *key;

	if (argc < 2) {
		view_say(view, "usage: verify CONSOLE [--key FILE] "
		    "[--seal NUMBER:HASH] [--state FOLDER] [--json]");
		return VIEW_USAGE;
	}
	status = view_options(view, argc, argv, 2, options, &conf);
	if (status != VIEW_OK)
		return status;
	v.state = conf.state;
	key = read_key(&v, &conf, &why);
	if (why != NULL) {
		view_say(view, "verify: %s: %s", conf.key, why);
		return VIEW_FAILED;
	}
	v.name = argv[1];
	v.json = conf.json;
	v.findings = json_array();
	verify_box(&v, &conf, key);
	status = strcmp(v.name, JDIR_BOX) == 0 ? VIEW_OK :
	    verify_console(&v);
	if (status == VIEW_OK && v.json)
		say_json(&v);
	else if (status == VIEW_OK)
		say_result(&v);
	if (status == VIEW_OK && v.count > 0)
		status = VIEW_FAILED;
	box_free(v.box);
	json_decref(v.findings);
	free(key);
	return status;
}

/* What the box's signature says of what was sealed until then. */
static void
span_signature(const struct verify *v, const struct export_span *s,
    char *dst, size_t n)
{
	struct box_signature sig;
	char when[STAMP_TEXT];

	box_signature(v->box, &sig);
	if (sig.state == BOX_UNSIGNED || sig.utc_us < s->since_us) {
		snprintf(dst, n, "not signed yet");
		return;
	}
	snprintf(dst, n, "signed by %s at %.19sZ%s%s", sig.key,
	    stamp_text(when, sig.utc_us), sig.utc_us < v->result.mark_us ?
	    " (what came later is not signed yet)" : "",
	    sig.state == BOX_NO_KEY || v->state == NULL ?
	    "; compare that key with what you know" : "");
}

static void
span_text(const struct verify *v, const struct export_span *s, char *dst,
    size_t n)
{
	const struct check_result *r = &v->result;
	char when[STAMP_TEXT], sig[LINE], open[64] = "";

	if (v->count > 0) {
		snprintf(dst, n, "NOT AS IT WAS WRITTEN: %u thing%s wrong; %s",
		    v->count, v->count == 1 ? " is" : "s are", v->first);
		return;
	}
	if (r->seals == 0 || r->old > 0) {
		snprintf(dst, n, "not verified: %s", r->old > 0 ?
		    "some of it is from before there were seals" :
		    "it is not sealed yet");
		return;
	}
	if (r->unsealed > 0)
		snprintf(open, sizeof(open), " (the newest %" PRIu64
		    " records are not sealed yet)", r->unsealed);
	span_signature(v, s, sig, sizeof(sig));
	snprintf(dst, n, "verified when this was exported: segments %lu to %lu"
	    " are as they were written, sealed until %.19sZ%s, %s",
	    (unsigned long)r->first, (unsigned long)r->last,
	    stamp_text(when, r->mark_us), open, sig);
}

void
verify_span(const struct view *view, const struct export_span *s, char *dst,
    size_t n)
{
	const struct check_want want = { s->since_us, s->until_us,
	    VERIFY_SPAN_MAX };
	/* Signatures come after what they are of. */
	const struct check_want of_box = { s->since_us, INT64_MAX,
	    VERIFY_SPAN_BOX_MAX };
	struct conf conf = { .state = s->state };
	struct verify v = { .view = view, .name = s->console, .quiet = true,
	    .state = s->state, .want = &of_box };
	const char *why = NULL;
	char *key = read_key(&v, &conf, &why);

	verify_box(&v, &conf, key);
	v.console = v.name;
	v.want = &want;
	if (v.box_error != 0) {
		snprintf(dst, n, "not verified: %s", v.box_error == EFBIG ?
		    "the box's journal since then is too long for a page; "
		    "`oobctl verify` does it" : v.first);
	} else if (check_journal(view->log_dir, v.name, &want, &ops, &v,
	    &v.result) == -1) {
		snprintf(dst, n, "not verified: %s", errno == EFBIG ?
		    "the span is too long for a page; `oobctl verify` does it"
		    : strerror(errno));
	} else {
		judge_begin(&v, v.name, &v.result);
		judge_end(&v);
		span_text(&v, s, dst, n);
	}
	box_free(v.box);
	free(key);
}
