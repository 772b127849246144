#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modem/pdu.h"

#define VECTORS "tests/data/pdu_vectors.json"

/* A DELIVER from +436601234567 up to the PID, and its time stamp. */
#define FROM "00040C913466103254760000"
#define HEAD "00040C9134661032547600"
#define UDHI "00440C9134661032547600"
#define TIME "62804230712480"
#define SUBMIT_TO "0C913466103254760000"

static void
decode(struct pdu *m, const char *hex)
{
	const char *why;

	if (pdu_decode_hex(m, hex, strlen(hex), &why) == -1)
		fail_msg("%s: %s", hex, why);
}

static void
refused(const char *hex, const char *want)
{
	const char *why = NULL;
	struct pdu m;

	if (pdu_decode_hex(&m, hex, strlen(hex), &why) == 0)
		fail_msg("%s was taken", hex);
	assert_non_null(strstr(why, want));
}

/*
 * The vectors
 */
static const char *
str_of(const json_t *v, const char *key)
{
	return json_string_value(json_object_get(v, key));
}

static long
octet_of(const json_t *v, const char *key)
{
	const char *s = str_of(v, key);

	return s == NULL ? -1 : strtol(s, NULL, 16);
}

static void
check_head(const json_t *v, const struct pdu *m)
{
	const char *smsc = str_of(v, "smsc");
	const char *who = str_of(v, m->type == PDU_DELIVER ? "sender" :
	    "recipient");

	assert_string_equal(pdu_type_text(m->type), str_of(v, "type"));
	assert_int_equal(m->has_smsc, smsc != NULL);
	if (smsc != NULL)
		assert_string_equal(m->smsc.text, smsc);
	assert_string_equal(m->addr.text, who);
	assert_int_equal(m->addr.toa, octet_of(v, "toa"));
	assert_int_equal(m->tpdu_len, json_integer_value(
	    json_object_get(v, "tpdu_len")));
}

static void
check_coding(const json_t *v, const struct pdu *m)
{
	const json_t *class = json_object_get(v, "class");

	assert_int_equal(m->has_dcs ? m->dcs : -1, octet_of(v, "dcs"));
	assert_int_equal(m->has_pid ? m->pid : -1, octet_of(v, "pid"));
	assert_int_equal(m->msg_class, json_is_null(class) ? -1 :
	    json_integer_value(class));
	if (m->has_data)
		assert_string_equal(pdu_alphabet_text(m->alphabet),
		    str_of(v, "encoding"));
	assert_int_equal(m->dangling_escape,
	    json_is_true(json_object_get(v, "dangling_escape")));
}

static void
check_data(const json_t *v, const struct pdu *m)
{
	const json_t *text = json_object_get(v, "text");
	char hex[2 * PDU_SEPTETS + 1];

	assert_int_equal(m->has_text, json_is_string(text));
	if (m->has_text) {
		assert_int_equal(m->text_len, json_string_length(text));
		assert_memory_equal(m->text, json_string_value(text),
		    m->text_len);
	}
	if (str_of(v, "data") != NULL)
		assert_string_equal(pdu_to_hex(hex, m->data, m->data_len),
		    str_of(v, "data"));
}

static void
check_times(const json_t *v, const struct pdu *m)
{
	const json_t *vp = json_object_get(v, "vp_minutes");
	char text[PDU_TIME];

	if (str_of(v, "timestamp") != NULL)
		assert_string_equal(pdu_time_text(text, &m->scts),
		    str_of(v, "timestamp"));
	if (str_of(v, "discharge") != NULL)
		assert_string_equal(pdu_time_text(text, &m->discharge),
		    str_of(v, "discharge"));
	if (vp != NULL)
		assert_int_equal(m->vp_seconds, 60 * json_integer_value(vp));
	if (m->type == PDU_STATUS_REPORT)
		assert_int_equal(m->status, json_integer_value(
		    json_object_get(v, "status")));
	if (m->type != PDU_DELIVER)
		assert_int_equal(m->mr, json_integer_value(
		    json_object_get(v, "mr")));
}

static void
check_header(const json_t *v, const struct pdu *m)
{
	json_t *c = json_object_get(v, "concat"), *udh;
	struct pdu_ie ie;
	size_t at = 0, n = 0;
	char hex[2 * PDU_DATA + 1];

	assert_int_equal(m->concat.present, c != NULL);
	if (c != NULL) {
		assert_int_equal(m->concat.ref,
		    json_integer_value(json_object_get(c, "ref")));
		assert_int_equal(m->concat.total,
		    json_integer_value(json_object_get(c, "total")));
		assert_int_equal(m->concat.seq,
		    json_integer_value(json_object_get(c, "seq")));
		assert_int_equal(m->concat.ref_bits,
		    json_integer_value(json_object_get(c, "ref_bits")));
	}
	c = json_object_get(v, "ports");
	assert_int_equal(m->ports.present, c != NULL);
	if (c != NULL) {
		assert_int_equal(m->ports.dst,
		    json_integer_value(json_object_get(c, "dst")));
		assert_int_equal(m->ports.src,
		    json_integer_value(json_object_get(c, "src")));
	}
	udh = json_object_get(v, "udh");
	while (pdu_ie_next(m, &at, &ie)) {
		c = json_array_get(udh, n++);
		assert_int_equal(ie.id, strtol(str_of(c, "iei"), NULL, 16));
		assert_string_equal(pdu_to_hex(hex, ie.data, ie.len),
		    str_of(c, "data"));
	}
	assert_int_equal(n, json_array_size(udh));
}

/* Written again it is the same octets, escapes at the end included. */
static void
check_encode(const char *hex, struct pdu *m)
{
	uint8_t octets[PDU_MAX];
	char back[PDU_HEX];
	const char *why;
	size_t len = m->tpdu_len;
	int n = pdu_encode(m, octets, sizeof(octets), &why);

	if (n == -1)
		fail_msg("%s: %s", hex, why);
	assert_string_equal(pdu_to_hex(back, octets, (size_t)n), hex);
	assert_int_equal(m->tpdu_len, len);
}

/* Nothing that ends early is taken, nothing behind the end matters. */
static void
check_cuts(const char *hex, const struct pdu *whole)
{
	uint8_t octets[2 * PDU_MAX], *exact;
	const char *why;
	struct pdu m;
	int n = pdu_from_hex(octets, sizeof(octets), hex, strlen(hex), &why);

	assert_true(n > 0);
	for (int cut = 0; cut < n; cut++) {
		/* In a block of its own, for the sanitizer to see. */
		exact = malloc((size_t)cut + 1);
		assert_non_null(exact);
		memcpy(exact + 1, octets, (size_t)cut);
		why = NULL;
		assert_int_equal(pdu_decode(&m, exact + 1, (size_t)cut, &why),
		    -1);
		assert_non_null(why);
		free(exact);
	}
	memset(octets + n, 0xff, 10);
	assert_int_equal(pdu_decode(&m, octets, (size_t)n + 10, &why), 0);
	assert_int_equal(m.text_len, whole->text_len);
	assert_memory_equal(m.text, whole->text, whole->text_len);
	assert_int_equal(m.tpdu_len, whole->tpdu_len);
}

static void
test_vectors(void **state)
{
	json_error_t error;
	json_t *all = json_load_file(VECTORS, 0, &error), *v;
	struct pdu m;
	size_t i;

	(void)state;
	if (all == NULL)
		fail_msg("%s: %s", VECTORS, error.text);
	assert_true(json_array_size(all) >= 35);
	json_array_foreach(all, i, v) {
		const char *hex = str_of(v, "pdu");

		decode(&m, hex);
		check_head(v, &m);
		check_coding(v, &m);
		check_data(v, &m);
		check_times(v, &m);
		check_header(v, &m);
		check_cuts(hex, &m);
		check_encode(hex, &m);
	}
	json_decref(all);
}

/*
 * Refusals
 */
static void
test_refused(void **state)
{
	static const struct {
		const char *hex, *why;
	} bad[] = {
		{ "", "nothing" },
		{ "0", "odd" },
		{ "00 04", "hexadecimal" },
		{ "0x0004", "hexadecimal" },
		{ "00", "ends" },
		{ "0791", "SMS centre" },
		{ "0C9121436587092143658709F104", "20 digits" },
		{ "00FFFFFFFFFFFFFFFFFFFFFFFF", "reserved" },
		{ "00030C913466103254760000" TIME "00", "reserved" },
		/* 21 digits. */
		{ "0004159121436587092143658709F10000" TIME "00", "20" },
		{ FROM TIME "0461F178", "user data length" },
		{ FROM TIME "A161F178", "160" },
		{ HEAD "04" TIME "8D00", "140" },
		{ HEAD "08" TIME "03004100", "odd" },
		/* A header, and nothing it could be in. */
		{ UDHI "00" TIME "00", "header" },
		{ UDHI "00" TIME "0205C4", "header" },
		{ UDHI "04" TIME "03050003", "header" },
		{ UDHI "00" TIME "06050003A50202", "header" },
		{ "0006070C91346610325476" TIME TIME "0004", "user data" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i].hex, bad[i].why);
}

static void
test_too_long(void **state)
{
	char hex[2 * 400 + 1];
	const char *why;
	struct pdu m;

	(void)state;
	memset(hex, '0', sizeof(hex) - 1);
	hex[sizeof(hex) - 1] = '\0';
	refused(hex, "longer");
	/* A SIM record: SUBMIT-size padded to 175 octets. */
	memset(hex, 'F', 350);
	memcpy(hex, FROM TIME "0178", strlen(FROM TIME "0178"));
	assert_int_equal(pdu_decode_hex(&m, hex, 350, &why), 0);
	assert_string_equal(m.text, "x");
}

/*
 * Addresses
 */
static void
test_addresses(void **state)
{
	static const struct {
		const char *hex, *text;
		unsigned toa;
	} addrs[] = {
		{ "0781101234F5", "0121435", 0x81 },
		{ "06812143F5", "12345", 0x81 },	/* filled up too early */
		{ "06A1AFDBCE", "", 0xa1 },		/* from the beginning */
		{ "0685BADCEE", "*#abcc", 0x85 },
		{ "0091", "", 0x91 },
		{ "0081", "", 0x81 },
		{ "00D0", "", 0xd0 },
		{ "09D0C6A7333904", "FONIC", 0xd0 },
		{ "02D001", "\u00a3", 0xd0 },
	};
	char hex[128];
	struct pdu m;

	(void)state;
	for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		snprintf(hex, sizeof(hex), "0004%s0000" TIME "00",
		    addrs[i].hex);
		decode(&m, hex);
		assert_string_equal(m.addr.text, addrs[i].text);
		assert_int_equal(m.addr.toa, addrs[i].toa);
	}
}

static void
test_smsc(void **state)
{
	struct pdu m;

	(void)state;
	/* A type of address alone. */
	decode(&m, "0191" "040C913466103254760000" TIME "00");
	assert_true(m.has_smsc);
	assert_string_equal(m.smsc.text, "");
	assert_int_equal(m.tpdu_len, 19);
	decode(&m, "03812143" "040C913466103254760000" TIME "00");
	assert_string_equal(m.smsc.text, "1234");
	decode(&m, "038121F3" "040C913466103254760000" TIME "00");
	assert_string_equal(m.smsc.text, "123");
	assert_string_equal(m.addr.text, "+436601234567");
}

static void
test_numbers(void **state)
{
	struct pdu_addr a;

	(void)state;
	assert_int_equal(pdu_number(&a, "+436601234567"), 0);
	assert_int_equal(a.toa, 0x91);
	assert_string_equal(a.text, "+436601234567");
	assert_int_equal(pdu_number(&a, "*100#"), 0);
	assert_int_equal(a.toa, 0x81);
	assert_int_equal(pdu_number(&a, "12345678901234567890"), 0);
	assert_int_equal(pdu_number(&a, "123456789012345678901"), -1);
	assert_int_equal(pdu_number(&a, "+"), -1);
	assert_int_equal(pdu_number(&a, ""), -1);
	assert_int_equal(pdu_number(&a, "0660 123"), -1);
	assert_int_equal(pdu_number(&a, "++43"), -1);
	assert_int_equal(pdu_number(&a, "Alice"), -1);
}

/*
 * Times
 */
static void
is_time(const char *octets, bool valid, const char *text, int64_t utc)
{
	char hex[80], got[PDU_TIME];
	struct pdu m;

	snprintf(hex, sizeof(hex), "%s%s00", FROM, octets);
	decode(&m, hex);
	assert_int_equal(m.scts.valid, valid);
	if (!valid)
		return;
	assert_string_equal(pdu_time_text(got, &m.scts), text);
	assert_int_equal(pdu_time_utc(&m.scts), utc);
}

static void
test_times(void **state)
{
	(void)state;
	is_time("62804230712480", true, "2026-08-24T03:17:42+02:00",
	    1787534262);
	is_time("62804230712400", true, "2026-08-24T03:17:42+00:00",
	    1787541462);
	is_time("6280423071248A", true, "2026-08-24T03:17:42-07:00",
	    1787541462 + 7 * 3600);
}

static void
test_time_corners(void **state)
{
	(void)state;
	/* Zero with a minus sign. */
	is_time("62804230712408", true, "2026-08-24T03:17:42+00:00",
	    1787541462);
	is_time("00102000000000", true, "2000-01-02T00:00:00+00:00",
	    946771200);
	is_time("99211332959500", true, "1999-12-31T23:59:59+00:00",
	    946684799);
	is_time("42209200000000", true, "2024-02-29T00:00:00+00:00",
	    1709164800);
	is_time("52209200000000", false, NULL, 0);
	is_time("00000000000000", false, NULL, 0);
	is_time("62318100000000", false, NULL, 0);
	is_time("62804242712480", false, NULL, 0);
	is_time("62804230062480", false, NULL, 0);
	/* No digits: taken for 0. */
	is_time("6280427F712480", true, "2026-08-24T07:17:42+02:00",
	    1787548662);
	is_time("FFFFFFFFFFFFFF", false, NULL, 0);
	/* +19:45 and -19:45, the most there can be. */
	is_time("62804230712497", true, "2026-08-24T03:17:42+19:45",
	    1787541462 - 79 * 900);
	is_time("6280423071249F", true, "2026-08-24T03:17:42-19:45",
	    1787541462 + 79 * 900);
}

/*
 * Coding schemes: 256 of them.
 */
static void
test_coding_schemes(void **state)
{
	struct pdu m;

	(void)state;
	for (unsigned dcs = 0; dcs < 256; dcs++) {
		enum pdu_alphabet want = PDU_GSM7;
		bool general = dcs < 0x80;
		int class = -1;

		m.dcs = (uint8_t)dcs;
		pdu_apply_dcs(&m);
		if (general && (dcs & 0x0c) == 0x04)
			want = PDU_8BIT;
		if ((general && (dcs & 0x0c) == 0x08) || dcs >> 4 == 0xe)
			want = PDU_UCS2;
		if (dcs >> 4 == 0xf && (dcs & 4) != 0)
			want = PDU_8BIT;
		if ((general && (dcs & 0x10) != 0) || dcs >> 4 == 0xf)
			class = dcs & 3;
		assert_int_equal(m.alphabet, want);
		assert_int_equal(m.msg_class, class);
		assert_int_equal(m.compressed, general && (dcs & 0x20) != 0);
	}
}

static void
test_compressed(void **state)
{
	struct pdu m;

	(void)state;
	/* The length counts octets then, and there is no text. */
	decode(&m, HEAD "20" TIME "03ABCDEF");
	assert_true(m.compressed);
	assert_false(m.has_text);
	assert_int_equal(m.data_len, 3);
	assert_memory_equal(m.data, "\xab\xcd\xef", 3);
}

/*
 * Validity periods
 */
static void
test_relative(void **state)
{
	static const struct {
		const char *vp;
		uint32_t minutes;
	} known[] = {
		{ "00", 5 }, { "8F", 720 }, { "90", 750 }, { "A7", 1440 },
		{ "A8", 2 * 1440 }, { "C4", 30 * 1440 }, { "C5", 5 * 10080 },
		{ "FF", 63 * 10080 },
	};
	char hex[80];
	struct pdu m;

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		snprintf(hex, sizeof(hex), "001100" SUBMIT_TO "%s00",
		    known[i].vp);
		decode(&m, hex);
		assert_int_equal(m.vp, PDU_VP_RELATIVE);
		assert_int_equal(m.vp_seconds, known[i].minutes * 60);
		check_encode(hex, &m);
	}
}

static void
test_other_validity(void **state)
{
	static const struct {
		const char *vp;
		bool known;
		uint32_t seconds;
	} enhanced[] = {
		{ "00000000000000", false, 0 },
		{ "01000000000000", true, 300 },
		{ "022D0000000000", true, 45 },
		{ "03214365000000", true, (12 * 60 + 34) * 60 + 56 },
		{ "07000000000000", false, 0 },
		{ "422D0000000000", true, 45 },	/* single shot */
		{ "82402D00000000", true, 45 },
		{ "FFFFFFFFFFFFFF", false, 0 },
	};
	char hex[80], text[PDU_TIME];
	struct pdu m;

	(void)state;
	for (size_t i = 0; i < sizeof(enhanced) / sizeof(enhanced[0]); i++) {
		snprintf(hex, sizeof(hex), "000900" SUBMIT_TO "%s0178",
		    enhanced[i].vp);
		decode(&m, hex);
		assert_int_equal(m.vp, PDU_VP_ENHANCED);
		assert_int_equal(m.vp_known, enhanced[i].known);
		assert_int_equal(m.vp_seconds, enhanced[i].seconds);
		assert_string_equal(m.text, "x");
	}
	decode(&m, "001900" SUBMIT_TO TIME "0178");
	assert_int_equal(m.vp, PDU_VP_ABSOLUTE);
	assert_string_equal(pdu_time_text(text, &m.vp_time),
	    "2026-08-24T03:17:42+02:00");
	check_encode("001900" SUBMIT_TO TIME "0178", &m);
	decode(&m, "000100" SUBMIT_TO "0178");
	assert_int_equal(m.vp, PDU_VP_NONE);
	check_encode("000100" SUBMIT_TO "0178", &m);
}

/*
 * User data headers
 */
static void
test_headers(void **state)
{
	struct pdu m;

	(void)state;
	/* Ports of 8 bits, an unknown element, then parts. */
	decode(&m, UDHI "04" TIME "0E" "0B" "04021122" "7F00" "000341" "0201"
	    "AABB");
	assert_int_equal(m.ports.dst, 0x11);
	assert_int_equal(m.ports.src, 0x22);
	assert_true(m.concat.ok);
	assert_int_equal(m.concat.ref, 0x41);
	assert_int_equal(m.data_len, 2);
	/* The last one counts. */
	decode(&m, UDHI "04" TIME "0D" "0B" "0003410201" "080412340302" "AA");
	assert_int_equal(m.concat.ref, 0x1234);
	assert_int_equal(m.concat.total, 3);
	assert_int_equal(m.concat.ref_bits, 16);
	/* Of the wrong length: skipped. */
	decode(&m, UDHI "04" TIME "06" "04" "00024102" "AA");
	assert_false(m.concat.present);
	assert_false(m.udh_broken);
	assert_int_equal(m.data_len, 1);
	/* Elements that do not fit: the header is ignored, the text not. */
	decode(&m, UDHI "00" TIME "0A" "05" "0004070200" "C46132");
	assert_true(m.udh_broken);
	assert_false(m.concat.present);
	assert_string_equal(m.text, "bad");
	decode(&m, UDHI "04" TIME "03" "01" "00" "AA");
	assert_true(m.udh_broken);
	/* An empty header takes two septets. */
	decode(&m, UDHI "00" TIME "03" "00E02F");
	assert_int_equal(m.data_len, 1);
	assert_int_equal(m.udh_len, 0);
}

static void
test_national(void **state)
{
	struct pdu m;

	(void)state;
	decode(&m, "00440C910935000000000000" TIME "0B0624010125010261F118");
	assert_int_equal(m.national_single, 1);
	assert_int_equal(m.national_locking, 2);
	assert_string_equal(m.text, "abc");
}

static void
test_report(void **state)
{
	struct pdu m;

	(void)state;
	decode(&m, "0006070C91346610325476" TIME TIME "00" "07" "00" "00"
	    "03F2321C");
	assert_true(m.has_pid && m.has_dcs && m.has_data);
	assert_string_equal(m.text, "rep");
	check_encode("0006070C91346610325476" TIME TIME "00" "07" "00" "00"
	    "03F2321C", &m);
	decode(&m, "0006070C91346610325476" TIME TIME "30" "FFFFFFFF");
	assert_false(m.has_pid);
	assert_int_equal(m.status, 0x30);
	decode(&m, "0006070C91346610325476" TIME TIME "30" "820008");
	assert_true(m.has_dcs);
	assert_false(m.has_data);
	refused("0006070C91346610325476" TIME TIME "30" "01", "protocol");
	refused("0006070C91346610325476" TIME TIME "30" "81", "indicator");
}

/*
 * Encoding
 */
static void
test_encode_refuses(void **state)
{
	uint8_t octets[PDU_MAX];
	const char *why = NULL;
	struct pdu m = { .type = PDU_SUBMIT };

	(void)state;
	assert_int_equal(pdu_number(&m.addr, "+43660"), 0);
	assert_true(pdu_encode(&m, octets, sizeof(octets), &why) > 0);
	assert_int_equal(pdu_encode(&m, octets, 5, &why), -1);
	assert_non_null(strstr(why, "room"));
	m.data_len = 160;
	assert_true(pdu_encode(&m, octets, sizeof(octets), &why) > 0);
	m.udh_len = 5;
	assert_int_equal(pdu_encode(&m, octets, sizeof(octets), &why), -1);
	m.data_len = 153;
	assert_true(pdu_encode(&m, octets, sizeof(octets), &why) > 0);
	m.dcs = 8;
	assert_int_equal(pdu_encode(&m, octets, sizeof(octets), &why), -1);
	m.data_len = 134;
	assert_true(pdu_encode(&m, octets, sizeof(octets), &why) > 0);
	m.data_len = 133;
	assert_int_equal(pdu_encode(&m, octets, sizeof(octets), &why), -1);
	assert_non_null(strstr(why, "odd"));
	m.data_len = 0;
	m.vp = PDU_VP_ABSOLUTE;
	assert_int_equal(pdu_encode(&m, octets, sizeof(octets), &why), -1);
	assert_non_null(strstr(why, "time"));
	m.vp = PDU_VP_NONE;
	strcpy(m.addr.text, "Alice");
	assert_int_equal(pdu_encode(&m, octets, sizeof(octets), &why), -1);
	m.addr.toa = 0xd0;
	assert_true(pdu_encode(&m, octets, sizeof(octets), &why) > 0);
	strcpy(m.addr.text, "Alice in Wonderland");
	assert_int_equal(pdu_encode(&m, octets, sizeof(octets), &why), -1);
}

static void
test_vp_is_rounded_up(void **state)
{
	uint8_t octets[PDU_MAX];
	const char *why;
	struct pdu m = { .type = PDU_SUBMIT, .vp = PDU_VP_RELATIVE }, back;
	int n;

	(void)state;
	assert_int_equal(pdu_number(&m.addr, "+43660"), 0);
	for (uint32_t s = 0; s < 70 * 7 * 86400; s += 86399) {
		m.vp_seconds = s;
		n = pdu_encode(&m, octets, sizeof(octets), &why);
		assert_true(n > 0);
		assert_int_equal(pdu_decode(&back, octets, (size_t)n, &why),
		    0);
		assert_true(back.vp_seconds >= s ||
		    back.vp_seconds == 63 * 7 * 86400);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_smsc),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_time_corners),
		cmocka_unit_test(test_coding_schemes),
		cmocka_unit_test(test_compressed),
		cmocka_unit_test(test_relative),
		cmocka_unit_test(test_other_validity),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_national),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_encode_refuses),
		cmocka_unit_test(test_vp_is_rounded_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
