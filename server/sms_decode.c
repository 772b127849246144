#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../modem/pdu.h"
#include "base/str.h"
#include "proto.h"
#include "sms_decode.h"

#define BLANKS " \t\r\n"

/* "0x91". */
static json_t *
octet(uint8_t v)
{
	char text[8];

	snprintf(text, sizeof(text), "0x%02X", v);
	return json_string(text);
}

static json_t *
octet_or_null(bool there, uint8_t v)
{
	return there ? octet(v) : json_null();
}

static json_t *
hex(const uint8_t *p, size_t n)
{
	char text[2 * PDU_SEPTETS + 1];

	return json_string(pdu_to_hex(text, p, n));
}

static json_t *
time_or_null(const struct pdu_time *t)
{
	char text[PDU_TIME];

	return t->valid ? json_string(pdu_time_text(text, t)) : json_null();
}

static const char *
who_key(const struct pdu *m)
{
	return m->type == PDU_DELIVER ? "sender" : "recipient";
}

static void
set_concat(json_t *o, const struct pdu *m)
{
	const struct pdu_concat *c = &m->concat;

	if (!c->present)
		return;
	json_object_set_new(o, "concat", json_pack("{s:i, s:i, s:i, s:i}",
	    "ref", (int)c->ref, "total", (int)c->total, "seq", (int)c->seq,
	    "ref_bits", (int)c->ref_bits));
}

static void
set_header(json_t *o, const struct pdu *m)
{
	json_t *elements = json_array(), *one;
	char id[3];
	struct pdu_ie ie;
	size_t at = 0;

	set_concat(o, m);
	if (m->ports.present)
		json_object_set_new(o, "ports", json_pack("{s:i, s:i}",
		    "dst", (int)m->ports.dst, "src", (int)m->ports.src));
	while (pdu_ie_next(m, &at, &ie)) {
		one = json_object();
		json_object_set_new(one, "iei", json_string(pdu_to_hex(id,
		    &ie.id, 1)));
		json_object_set_new(one, "data", hex(ie.data, ie.len));
		json_array_append_new(elements, one);
	}
	if (json_array_size(elements) > 0)
		json_object_set(o, "udh", elements);
	json_decref(elements);
	if (m->udh_broken)
		json_object_set_new(o, "udh_broken", json_true());
	if (m->national_single != 0 || m->national_locking != 0)
		json_object_set_new(o, "national", json_pack("{s:i, s:i}",
		    "single", (int)m->national_single,
		    "locking", (int)m->national_locking));
}

static void
set_validity(json_t *o, const struct pdu *m)
{
	switch (m->vp) {
	case PDU_VP_NONE:
		break;
	case PDU_VP_ABSOLUTE:
		json_object_set_new(o, "vp_absolute",
		    time_or_null(&m->vp_time));
		break;
	case PDU_VP_ENHANCED:
		if (m->vp_known)
			json_object_set_new(o, "vp_seconds",
			    json_integer(m->vp_seconds));
		break;
	case PDU_VP_RELATIVE:
		json_object_set_new(o, "vp_minutes",
		    json_integer(m->vp_seconds / 60));
		break;
	}
}

static void
set_times(json_t *o, const struct pdu *m)
{
	if (m->type != PDU_SUBMIT)
		json_object_set_new(o, "timestamp", time_or_null(&m->scts));
	if (m->type != PDU_DELIVER)
		json_object_set_new(o, "mr", json_integer(m->mr));
	if (m->type == PDU_SUBMIT)
		set_validity(o, m);
	if (m->type != PDU_STATUS_REPORT)
		return;
	json_object_set_new(o, "discharge", time_or_null(&m->discharge));
	json_object_set_new(o, "status", json_integer(m->status));
}

static void
set_text(json_t *o, const struct pdu *m)
{
	json_object_set_new(o, "text", m->has_text ?
	    json_stringn(m->text, m->text_len) : json_null());
	if (m->has_data && !m->has_text)
		json_object_set_new(o, "data", hex(m->data, m->data_len));
	if (m->compressed)
		json_object_set_new(o, "compressed", json_true());
	if (m->dangling_escape)
		json_object_set_new(o, "dangling_escape", json_true());
}

static json_t *
as_json(const struct pdu *m)
{
	bool coded = m->has_dcs || m->has_data;
	json_t *o = json_object();

	json_object_set_new(o, "type", json_string(pdu_type_text(m->type)));
	/* An address without digits is none. */
	json_object_set_new(o, "smsc", m->smsc.text[0] == '\0' ?
	    json_null() : json_string(m->smsc.text));
	json_object_set_new(o, who_key(m), json_string(m->addr.text));
	json_object_set_new(o, "toa", octet(m->addr.toa));
	json_object_set_new(o, "encoding", coded ?
	    json_string(pdu_alphabet_text(m->alphabet)) : json_null());
	json_object_set_new(o, "dcs", octet_or_null(m->has_dcs, m->dcs));
	json_object_set_new(o, "pid", octet_or_null(m->has_pid, m->pid));
	json_object_set_new(o, "class", m->msg_class == -1 ? json_null() :
	    json_integer(m->msg_class));
	set_text(o, m);
	set_times(o, m);
	set_header(o, m);
	json_object_set_new(o, "tpdu_len", json_integer(
	    (json_int_t)m->tpdu_len));
	return o;
}

/*
 * For people: the same, a line each.  Text is made safe for a terminal.
 */
static void
print_value(const char *key, const json_t *v)
{
	char safe[4 * PDU_TEXT], *flat;

	if (json_is_null(v))
		return;
	if (json_is_string(v)) {
		printf("%-16s%s\n", key, str_safe(safe, sizeof(safe),
		    json_string_value(v), json_string_length(v)));
		return;
	}
	flat = json_dumps(v, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	if (flat != NULL)
		printf("%-16s%s\n", key, flat);
	free(flat);
}

static void
print_lines(json_t *o)
{
	for (void *i = json_object_iter(o); i != NULL;
	    i = json_object_iter_next(o, i))
		print_value(json_object_iter_key(i),
		    json_object_iter_value(i));
}

static int
usage(void)
{
	fputs("usage: oobctl sms decode HEX [--json]\n", stderr);
	return ST_USAGE;
}

static int
decode(const char *text, bool json)
{
	const char *why;
	struct pdu m;
	size_t n;
	json_t *o;

	text += strspn(text, BLANKS);
	n = strcspn(text, BLANKS);
	if (text[n + strspn(text + n, BLANKS)] != '\0') {
		fputs("oobctl: sms decode: not a string of hexadecimal "
		    "digits\n", stderr);
		return ST_FAILED;
	}
	if (pdu_decode_hex(&m, text, n, &why) == -1) {
		fprintf(stderr, "oobctl: sms decode: %s\n", why);
		return ST_FAILED;
	}
	o = as_json(&m);
	if (json) {
		json_dumpf(o, stdout, JSON_ENSURE_ASCII);
		putchar('\n');
	} else {
		print_lines(o);
	}
	json_decref(o);
	if (fflush(stdout) == EOF) {
		perror("oobctl: sms decode");
		return ST_FAILED;
	}
	return ST_OK;
}

int
sms_decode(int argc, char *const argv[])
{
	const char *text = NULL;
	bool json = false;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else if (text == NULL && argv[i][0] != '-')
			text = argv[i];
		else
			return usage();
	}
	return text == NULL ? usage() : decode(text, json);
}
