#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_help.h"

static void
test_relay_defaults(void **state)
{
	struct config *c = good("state_dir = /s\n" HEAD RELAY(""));
	const struct config_relay *r = config_relay(c, "r");

	(void)state;
	assert_int_equal(c->nrelays, 1);
	assert_ptr_equal(r, &c->relays[0]);
	assert_null(config_relay(c, "gw"));
	assert_string_equal(r->name, "r");
	assert_string_equal(r->host, "relay.example.net");
	assert_int_equal(r->port, 22);
	assert_int_equal(r->second_port, 443);
	assert_string_equal(r->user, "oob");
	assert_string_equal(r->identity, "/s/relay_ed25519");
	assert_int_equal(r->nhost_keys, 1);
	assert_string_equal(r->host_keys[0], KEY);
	assert_int_equal(r->nlisten, 1);
	assert_string_equal(r->listen[0], "localhost:31337");
	assert_false(r->always);
	assert_false(r->ppp_only);
	assert_int_equal(r->keepalive_ms, 20000);
	assert_int_equal(r->keepalive_count, 3);
	assert_int_equal(r->max_channels, 64);
	assert_int_equal(r->file_line, 5);
	assert_stable(c, false);
	assert_stable(c, true);
	config_free(c);
}

static void
test_relay_fields(void **state)
{
	struct config *c = good(HEAD MODEM_MIN
	    "relay a { host = \"2001:db8::7\" port = 443 user = u\n"
	    "identity = /k/id host_key = {\"" KEY "\"} when = always\n"
	    "listen = {\"*:0\", \"[::1]:22\", \":1\"} over = ppp\n"
	    "keepalive = 5s keepalive_count = 9 max_channels = 2 }\n"
	    "relay b { host = 192.0.2.1 port = 2222 second_port = 0 user = u\n"
	    "host_key = {\"" KEY "\"} listen = \"localhost:1\" over = any }\n");
	const struct config_relay *a = config_relay(c, "a");

	(void)state;
	assert_string_equal(a->host, "2001:db8::7");
	assert_int_equal(a->port, 443);
	assert_int_equal(a->second_port, 0);	/* it would be the same */
	assert_string_equal(a->identity, "/k/id");
	assert_int_equal(a->nlisten, 3);
	assert_string_equal(a->listen[0], "*:0");
	assert_string_equal(a->listen[2], ":1");
	assert_true(a->always);
	assert_true(a->ppp_only);
	assert_int_equal(a->keepalive_ms, 5000);
	assert_int_equal(a->keepalive_count, 9);
	assert_int_equal(a->max_channels, 2);
	assert_int_equal(config_relay(c, "b")->second_port, 0);
	assert_false(config_relay(c, "b")->ppp_only);
	assert_stable(c, false);
	assert_stable(c, true);
	config_free(c);
}

static void
test_relay_needs(void **state)
{
	(void)state;
	bad(HEAD "\nrelay \"r\" { }\n", "f:5: relay \"r\" has no host: add "
	    "host = \"relay.example.net\"");
	assert_said("f:5: relay \"r\" has no user: add user");
	assert_said("f:5: relay \"r\" has no host_key: add host_key = "
	    "{\"ssh-ed25519 ...\"}: get it with \"ssh-keyscan -t ed25519 "
	    "HOST\", and compare it with "
	    "/etc/ssh/ssh_host_ed25519_key.pub on the relay");
	assert_said("f:5: relay \"r\" has no listen: add listen = "
	    "\"localhost:31337\"");
	bad(HEAD "relay \"r\" { host = h user = u host_key = {} listen = {} "
	    "}\n", "has no host_key");
	assert_said("has no listen");
	/* What is there and wrong is one error, not two. */
	bad(HEAD "relay r { host = \"\" user = u host_key = {\"x\"} "
	    "listen = 1 }", "host \"\": give");
	assert_null(strstr(messages, "has no"));
}

static void
test_relay_refused(void **state)
{
	static const struct {
		const char *more, *what;
	} cases[] = {
		{ "port = 0", "f:9: port \"0\": give a number from 1" },
		{ "port = 65536", "f:9: port \"65536\"" },
		{ "second_port = -1", "second_port \"-1\": give a number "
		    "from 0" },
		{ "when = never", "when \"never\": give one of activated, "
		    "always" },
		{ "over = lan", "over \"lan\": give one of any, ppp" },
		{ "over = ppp", "f:9: over \"ppp\": there is no modem "
		    "section: add one" },
		{ "keepalive = 1ms", "keepalive \"1ms\": give a duration" },
		{ "keepalive_count = 0", "keepalive_count \"0\"" },
		{ "max_channels = 0", "max_channels \"0\"" },
		{ "max_channels = 1001", "max_channels \"1001\"" },
		{ "identity = \"\"", "identity \"\": it must not be empty" },
		{ "trust = true", "unknown option \"trust\" in section "
		    "relay" },
		{ "listen = x:1", "f:9: \"listen\" is given again (first on "
		    "line 8)" },
		{ "listen += {\"localhost:31337\"}", "f:9: listen "
		    "\"localhost:31337\" is there twice: remove one" },
		{ "host_key += {\"" KEY "\"}", "f:9: host_key" },
		{ "listen += {a:1, a:2, a:3, a:4, a:5, a:6, a:7, a:8}",
		    "f:9: listen: at most 8 are allowed" },
	};
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text = xasprintf(HEAD RELAY("%s"), cases[i].more);
		bad(text, cases[i].what);
		free(text);
	}
	config_free(good(HEAD RELAY("listen += "
	    "{a:1, a:2, a:3, a:4, a:5, a:6, a:7}")));
	bad(HEAD RELAY("") RELAY(""), "f:11: relay \"r\" is there twice "
	    "(first on line 4): rename or remove one");
	bad(HEAD "relay \"no blanks\" { }", "relay \"no blanks\": a name");
}

static void
test_relay_count(void **state)
{
	char *text = xstrdup(HEAD), *next;

	(void)state;
	for (int i = 0; i < CONFIG_RELAYS_MAX + 1; i++) {
		next = xasprintf("%srelay r%d { host = h user = u "
		    "listen = \"a:%d\" host_key = {\"" KEY "\"} }\n", text, i,
		    i);
		free(text);
		text = next;
		if (i == CONFIG_RELAYS_MAX - 1)
			config_free(good(text));
	}
	bad(text, "there are more than 16 relay sections");
	free(text);
}

/* What stands for the host, the account and the key must be just that. */
static void
test_relay_words(void **state)
{
	static const char *const hosts[] = {
		"a b", "-oProxyCommand=x", "h:22", "[::1]", "::g", "a/b",
		".h", "h\"", "1.2.3.4 ", "h;",
	};
	static const char *const users[] = {
		"a b", "-l", "u\\n", "u;", "u\\\"", "",
	};
	static const struct {
		const char *key, *what;
	} keys[] = {
		{ "relay.example.net " KEY, "the second and third word" },
		{ "restrict " KEY, "give the type and the key only" },
		{ "SHA256:abc", "ssh-keyscan" },
		{ "", "ssh-keyscan" },
		{ "# " KEY, "ssh-keyscan" },
		{ "ssh-ed25519", "ssh-keyscan" },
	};
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		text = xasprintf(HEAD "relay r { host = '%s' }", hosts[i]);
		bad(text, "give a host name or an address, without port");
		free(text);
	}
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		text = xasprintf(HEAD "relay r { user = \"%s\" }", users[i]);
		bad(text, "a user name has 1 to 64 letters");
		free(text);
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		text = xasprintf(HEAD "relay r { host_key = {'%s'} }",
		    keys[i].key);
		bad(text, keys[i].what);
		free(text);
	}
}

static void
test_listen_split(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned port;
	} ok[] = {
		{ "localhost:31337", "localhost", 31337 },
		{ "localhost:0", "localhost", 0 },
		{ ":22", "", 22 },
		{ "*:65535", "*", 65535 },
		{ "0.0.0.0:1", "0.0.0.0", 1 },
		{ "[::1]:22", "::1", 22 },
		{ "[::]:0", "::", 0 },
		{ "a-b.c_d:7", "a-b.c_d", 7 },
	};
	static const char *const no[] = {
		"", "localhost", "localhost:", "localhost:65536", "22",
		"localhost:+1", "localhost:-1", "localhost: 1", "a:0x1",
		"::1:22", "[::1]22", "[::1]", "[]:1", "[a]:1", "[1.2.3.4]:1",
		"**:1", "a b:1", "-a:1", "a:1:2", "a\n:1", "a:1 ", "[::1:1",
		"localhost:99999999999999999999",
	};
	char host[64], small[4], whole[256];
	unsigned port;

	(void)state;
	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
		port = 77777;
		assert_int_equal(config_listen_split(ok[i].text, host,
		    sizeof(host), &port), 0);
		assert_string_equal(host, ok[i].host);
		assert_int_equal(port, ok[i].port);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		if (config_listen_split(no[i], host, sizeof(host), &port) == 0)
			fail_msg("\"%s\" is taken", no[i]);
	}
	assert_int_equal(config_listen_split("abc:1", small, sizeof(small),
	    &port), 0);
	assert_int_equal(config_listen_split("abcd:1", small, sizeof(small),
	    &port), -1);
	assert_int_equal(config_listen_split("[::1]:1", small, sizeof(small),
	    &port), 0);
	assert_int_equal(config_listen_split("[1::1]:1", small,
	    sizeof(small), &port), -1);
	/* A name has 253 bytes at most. */
	memset(whole, 'a', sizeof(whole));
	memcpy(whole + 253, ":1", 3);
	assert_int_equal(config_listen_split(whole, messages, 300, &port), 0);
	memcpy(whole + 253, "a:", 3);
	assert_int_equal(config_listen_split(whole, messages, 300, &port),
	    -1);
}

/*
 * Modem.
 */
static void
test_modem_fields(void **state)
{
	struct config *c = good(HEAD);
	const struct config_modem *m;

	(void)state;
	assert_null(c->modem);
	assert_int_equal(c->nrelays, 0);
	assert_int_equal(c->nnotifies, 0);
	config_free(c);
	c = good(HEAD MODEM_MIN);
	m = c->modem;
	assert_string_equal(m->data, "/m");
	assert_null(m->control);
	assert_string_equal(m->apn, "");
	assert_null(m->user);
	assert_null(m->password_file);
	assert_null(m->pin_file);
	assert_string_equal(m->number, "*99#");
	assert_string_equal(m->dns, "peer");
	assert_null(m->power_hook);
	assert_false(m->roaming);
	assert_false(m->default_route);
	assert_int_equal(m->dial_ms, 90000);
	assert_int_equal(m->prove_ms, 60000);
	assert_int_equal(m->day_soft, 0);
	assert_int_equal(m->day_hard, 0);
	assert_int_equal(m->month_soft, 0);
	assert_int_equal(m->month_hard, 0);
	assert_int_equal(m->month_start, 1);
	assert_int_equal(m->sms_per_day, 30);
	assert_int_equal(m->sms_per_number, 10);
	assert_int_equal(m->file_line, 4);
	assert_stable(c, false);
	config_free(c);
	c = good(HEAD "modem { data = \"usb:12d1:1001::00\" control = "
	    "\"usb:12d1:1001::02\" apn = online.telia.se user = \"u@apn\" "
	    "password_file = /p pin_file = /q number = \"*99***1#\" "
	    "dns = \"2001:db8::1\" power_hook = /h roaming = true "
	    "default_route = yes dial_timeout = 3min prove_timeout = 5s "
	    "day_soft = 1mb "
	    "day_limit = 20mb month_soft = 5gb month_limit = 6gb "
	    "month_start = 28 sms_per_day = 5 }");
	m = c->modem;
	assert_string_equal(m->control, "usb:12d1:1001::02");
	assert_string_equal(m->apn, "online.telia.se");
	assert_string_equal(m->user, "u@apn");
	assert_string_equal(m->password_file, "/p");
	assert_string_equal(m->pin_file, "/q");
	assert_string_equal(m->number, "*99***1#");
	assert_string_equal(m->dns, "2001:db8::1");
	assert_string_equal(m->power_hook, "/h");
	assert_true(m->roaming);
	assert_true(m->default_route);
	assert_int_equal(m->dial_ms, 180000);
	assert_int_equal(m->prove_ms, 5000);
	assert_int_equal(m->day_soft, 1 << 20);
	assert_int_equal(m->day_hard, 20 << 20);
	assert_true(m->month_soft == 5ULL << 30);
	assert_true(m->month_hard == 6ULL << 30);
	assert_int_equal(m->month_start, 28);
	assert_int_equal(m->sms_per_day, 5);
	assert_int_equal(m->sms_per_number, 5);	/* not more than all */
	assert_stable(c, false);
	assert_stable(c, true);
	config_free(c);
}

static void
test_modem_refused(void **state)
{
	static const struct {
		const char *in, *what;
	} cases[] = {
		{ "", "f:4: modem has no data: add data = \"/dev/...\"" },
		{ "data = ttyU0", "data \"ttyU0\": give a path" },
		{ "data = /m control = x", "control \"x\": give a path" },
		{ "data = /m control = /m", "f:5: modem control has the same "
		    "device as the modem data on line 4" },
		{ "data = /d", "f:5: modem data has the same device as the "
		    "console on line 3" },
		{ "data = /m control = /d", "modem control has the same "
		    "device as the console" },
		{ "data = /m apn = \"a b\"", "apn \"a b\": an APN has" },
		{ "data = /m apn = 'a\"b'", "an APN has" },
		{ "data = /m apn = \"a\\r\\nATD\"", "an APN has" },
		{ "data = /m apn = 'a,b'", "an APN has" },
		{ "data = /m user = ''", "a user name has" },
		{ "data = /m user = \"a\\nshell x\"", "a user name has" },
		{ "data = /m user = 'a\"!x'", "a user name has" },
		{ "data = /m password_file = /p", "f:5: password_file without "
		    "a user: add user" },
		{ "data = /m pin_file = p", "pin_file \"p\": give the whole "
		    "path" },
		{ "data = /m number = \"*99#;\"", "number \"*99#;\": give "
		    "what the modem dials" },
		{ "data = /m number = ''", "give what the modem dials" },
		{ "data = /m dns = resolver", "dns \"resolver\": give a "
		    "numeric address, such as \"9.9.9.9\", or \"peer\"" },
		{ "data = /m power_hook = hook", "power_hook \"hook\": give "
		    "the whole path" },
		{ "data = /m roaming = maybe", "roaming \"maybe\": give true "
		    "or false" },
		{ "data = /m default_route = 2", "default_route \"2\"" },
		{ "data = /m dial_timeout = 1s", "dial_timeout \"1s\": give a "
		    "duration from 10s to 1h" },
		{ "data = /m day_limit = lots", "day_limit \"lots\": give a "
		    "size" },
		{ "data = /m day_limit = 2mb day_soft = 3mb", "f:5: day_soft "
		    "must not be more than day_limit" },
		{ "data = /m month_limit = 1mb month_soft = 1gb", "f:5: "
		    "month_soft must not be more than month_limit" },
		{ "data = /m month_start = 29", "month_start \"29\": give a "
		    "number from 1 to 28" },
		{ "data = /m sms_per_day = -1", "sms_per_day \"-1\"" },
		{ "data = /m sms_per_day = 3 sms_per_number = 4", "f:5: "
		    "sms_per_number \"4\": one number cannot get more than "
		    "sms_per_day (3)" },
	};
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text = xasprintf(HEAD "modem {\n%s }\n", cases[i].in);
		bad(text, cases[i].what);
		free(text);
	}
	bad(HEAD MODEM_MIN MODEM_MIN, "f:5: \"modem\" is given again (first "
	    "on line 4)");
}

/*
 * Activation.
 */
static void
test_activation_fields(void **state)
{
	struct config *c = good(HEAD);
	const struct config_activation *a = &c->activation;

	(void)state;
	assert_int_equal(a->nfrom, 0);
	assert_int_equal(a->nreport, 0);
	assert_int_equal(a->hold_ms, 30 * 60 * 1000);
	assert_int_equal(a->max_hold_ms, 4 * 3600 * 1000);
	assert_int_equal(a->tries, 3);
	assert_false(a->totp);
	assert_int_equal(a->nwatch, 0);
	assert_int_equal(a->watch_ms, 0);
	assert_null(a->drill);
	assert_int_equal(a->drill_minute, -1);
	assert_stable(c, false);
	config_free(c);
	/* Nothing says who may: only "link up" does it. */
	c = good(HEAD "activation { }");
	assert_int_equal(c->activation.tries, 3);
	assert_int_equal(c->activation.file_line, 4);
	config_free(c);
	c = good(HEAD "activation { from = {\"+46701234567\", \"+4712345678\"}"
	    " report = \"+15551234567\" hold = 1h max_hold = 2h tries = 5 "
	    "totp = true watch = {\"192.0.2.1:443\", \"[2001:db8::1]:80\", "
	    "\"www.example.net:53\"} watch_for = 5min "
	    "drill = \"weekly fri 23:59\" }");
	a = &c->activation;
	assert_int_equal(a->nfrom, 2);
	assert_string_equal(a->from[1], "+4712345678");
	assert_int_equal(a->nreport, 1);
	assert_string_equal(a->report[0], "+15551234567");
	assert_int_equal(a->hold_ms, 3600 * 1000);
	assert_int_equal(a->max_hold_ms, 2 * 3600 * 1000);
	assert_int_equal(a->tries, 5);
	assert_true(a->totp);
	assert_int_equal(a->nwatch, 3);
	assert_int_equal(a->watch_ms, 5 * 60 * 1000);
	assert_string_equal(a->drill, "weekly fri 23:59");
	assert_int_equal(a->drill_day, 5);
	assert_int_equal(a->drill_minute, 23 * 60 + 59);
	assert_stable(c, false);
	assert_stable(c, true);
	config_free(c);
}

/* Of two limits the one that was not given follows the other. */
static void
test_activation_follows(void **state)
{
	struct config *c = good(HEAD "activation { hold = 6h }");

	(void)state;
	assert_int_equal(c->activation.max_hold_ms, 6 * 3600 * 1000);
	config_free(c);
	c = good(HEAD "activation { max_hold = 10min }");
	assert_int_equal(c->activation.hold_ms, 10 * 60 * 1000);
	config_free(c);
	c = good(HEAD "activation { watch = {\"a:1\"} }");
	assert_int_equal(c->activation.watch_ms, 10 * 60 * 1000);
	assert_stable(c, false);
	config_free(c);
	c = good(HEAD "activation { watch = {\"a:1\"} watch_for = 0 }");
	assert_int_equal(c->activation.watch_ms, 0);
	assert_stable(c, false);
	config_free(c);
	c = good(HEAD "activation { watch = {} }");
	assert_int_equal(c->activation.watch_ms, 0);
	assert_stable(c, false);
	config_free(c);
}

static void
test_drill(void **state)
{
	static const struct {
		const char *text;
		int day, minute;
	} ok[] = {
		{ "daily 00:00", -1, 0 }, { "weekly 03:00", 0, 180 },
		{ "weekly sun 03:00", 0, 180 }, { "weekly mon 12:34", 1, 754 },
		{ "weekly sat 23:59", 6, 1439 },
	};
	static const char *const no[] = {
		"", "weekly", "03:00", "weekly 24:00", "weekly 3:00",
		"daily 12:60", "daily sun 12:00", "weekly Sunday 12:00",
		"weekly sun", "hourly 12:00", "weekly sun  12:00",
		"weekly 12:00 ", "weekly mon tue 12:00", "daily 1a:00",
	};
	struct config *c;
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
		text = xasprintf(HEAD "activation { drill = '%s' }",
		    ok[i].text);
		c = good(text);
		assert_int_equal(c->activation.drill_day, ok[i].day);
		assert_int_equal(c->activation.drill_minute, ok[i].minute);
		assert_stable(c, false);
		config_free(c);
		free(text);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		text = xasprintf(HEAD "activation { drill = '%s' }", no[i]);
		bad(text, "give \"daily HH:MM\", \"weekly HH:MM\" (on "
		    "Sundays) or \"weekly DAY HH:MM\"");
		free(text);
	}
}

static void
test_activation_refused(void **state)
{
	static const struct {
		const char *in, *what;
	} cases[] = {
		{ "from = {\"0701234567\"}", "f:5: from \"0701234567\": give "
		    "the whole number, such as \"+46701234567\"" },
		{ "from = {Telia}", "from \"Telia\"" },
		{ "from = {\"+0701234567\"}", "from \"+0701234567\"" },
		{ "from = {\"+4670 1234567\"}", "from" },
		{ "from = {\"+467012345678901\"}", NULL },
		{ "from = {\"+4670123456789012\"}", "from" },
		{ "from = {\"+467012\"}", "from" },
		{ "from = {\"+46701234567\",\n\"+46701234567\"}", "f:6: from "
		    "\"+46701234567\" is there twice" },
		{ "report = {\"+1\"}", "f:5: report \"+1\"" },
		{ "hold = 1s", "hold \"1s\": give a duration" },
		{ "hold = 2h max_hold = 1h", "f:5: hold must not be longer "
		    "than max_hold" },
		{ "tries = 0", "tries \"0\"" },
		{ "totp = 7", "totp \"7\": give true or false" },
		{ "watch = {\"192.0.2.1\"}", "watch \"192.0.2.1\": give a "
		    "host and a TCP port" },
		{ "watch = {\"*:1\"}", "give a host and a TCP port" },
		{ "watch = {\":1\"}", "give a host and a TCP port" },
		{ "watch = {\"a:0\"}", "give a host and a TCP port" },
		{ "watch = {\"a:1\", \"a:1\"}", "watch \"a:1\" is there "
		    "twice" },
		{ "watch_for = 5min", "f:5: watch_for without anything to "
		    "watch: add watch" },
		{ "watch = {\"a:1\"} watch_for = 59s", "f:5: watch_for: give "
		    "1min or more, or 0 for never" },
	};
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text = xasprintf(HEAD "activation {\n%s }\n", cases[i].in);
		if (cases[i].what != NULL)
			bad(text, cases[i].what);
		else
			config_free(good(text));
		free(text);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relay_defaults),
		cmocka_unit_test(test_relay_fields),
		cmocka_unit_test(test_relay_needs),
		cmocka_unit_test(test_relay_refused),
		cmocka_unit_test(test_relay_count),
		cmocka_unit_test(test_relay_words),
		cmocka_unit_test(test_listen_split),
		cmocka_unit_test(test_modem_fields),
		cmocka_unit_test(test_modem_refused),
		cmocka_unit_test(test_activation_fields),
		cmocka_unit_test(test_activation_follows),
		cmocka_unit_test(test_drill),
		cmocka_unit_test(test_activation_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
