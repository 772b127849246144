#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/relay_key.h"
#include "server/ssh_key.h"

#define ED1 "AAAAC3NzaC1lZDI1NTE5AAAAIIjdQrSYALjHjHdny7GZdFE9EueJLJQU9PauBk" \
	"LmmDfE"
#define ED2 "AAAAC3NzaC1lZDI1NTE5AAAAIHUIUjVNLTbD1cIvTvYvhgYcSgu5Uyjk0DQHdq" \
	"3Z1qGq"

static char *pins[] = { "ssh-ed25519 " ED1, "ssh-ed25519 " ED2 };
static char *one[] = { "localhost:31337" };
static char *many[] = { "localhost:31337", "[::1]:5", "localhost:0", "*:80",
	"0.0.0.0:81", "[::]:82" };

static const struct config_relay conf = {
	.name = "cloud", .host_keys = pins, .nhost_keys = 2,
	.listen = one, .nlisten = 1,
};

static void
test_pinned(void **state)
{
	struct config_relay first = conf;
	char why[RELAY_KEY_WHY];

	(void)state;
	assert_true(relay_key_is_pinned(&conf, ED1, "SHA256:x", why,
	    sizeof(why)));
	assert_true(relay_key_is_pinned(&conf, ED2, "SHA256:x", why,
	    sizeof(why)));
	first.nhost_keys = 1;
	assert_false(relay_key_is_pinned(&first, ED2, "SHA256:seen", why,
	    sizeof(why)));
	assert_non_null(strstr(why, "seen SHA256:seen, expected SHA256:"));
	assert_null(strstr(why, " or "));
	assert_false(relay_key_is_pinned(&conf, "AAAA", "SHA256:seen", why,
	    sizeof(why)));
	assert_non_null(strstr(why, " or SHA256:"));
	assert_false(relay_key_is_pinned(&conf, "", "?", why, sizeof(why)));
}

static void
test_algorithms(void **state)
{
	struct config_relay none = conf;
	char text[RELAY_KEY_ALGORITHMS];

	(void)state;
	/* Each once, however many keys there are. */
	relay_key_algorithms(&conf, text);
	assert_string_equal(text, "ssh-ed25519");
	none.nhost_keys = 0;
	relay_key_algorithms(&none, text);
	assert_string_equal(text, "");
}

static void
test_line(void **state)
{
	struct config_relay c = conf;
	char *line = relay_key_line(&c, ED1, "box");

	(void)state;
	assert_string_equal(line, "restrict,port-forwarding,"
	    "permitlisten=\"localhost:31337\","
	    "permitopen=\"localhost:31337\" ssh-ed25519 " ED1 " oobd@box");
	free(line);
	assert_false(relay_key_any_port(&c));
	c.listen = many;
	c.nlisten = 6;
	assert_true(relay_key_any_port(&c));
	line = relay_key_line(&c, ED1, "box");
	assert_non_null(strstr(line, ",permitlisten=\"[::1]:5\","
	    "permitopen=\"[::1]:5\","));
	assert_non_null(strstr(line, ",permitlisten=\"localhost:*\","
	    "permitopen=\"localhost:*\","));
	/* What listens everywhere is reached from the relay itself. */
	assert_non_null(strstr(line, ",permitlisten=\"*:80\","
	    "permitopen=\"localhost:80\","));
	assert_non_null(strstr(line, ",permitlisten=\"0.0.0.0:81\","
	    "permitopen=\"localhost:81\","));
	assert_non_null(strstr(line, ",permitlisten=\"[::]:82\","
	    "permitopen=\"localhost:82\" "));
	free(line);
}

static void
test_load(void **state)
{
	char dir[] = "/tmp/relay-key-XXXXXX", path[64], why[RELAY_KEY_WHY];
	char print[2][SSH_KEY_FINGERPRINT];
	ssh_key key;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/key", dir);
	assert_null(relay_key_load(NULL, path, why, sizeof(why)));
	assert_non_null(strstr(why, "oobctl relay keygen"));
	assert_int_equal(ssh_key_make(path, (uid_t)-1, (gid_t)-1, why,
	    sizeof(why)), 0);
	key = relay_key_load(NULL, path, why, sizeof(why));
	assert_non_null(key);
	ssh_key_fingerprint(print[0], key);
	ssh_key_free(key);
	/* One that is there stays. */
	assert_int_equal(ssh_key_make(path, (uid_t)-1, (gid_t)-1, why,
	    sizeof(why)), -1);
	key = relay_key_load(NULL, path, why, sizeof(why));
	ssh_key_fingerprint(print[1], key);
	ssh_key_free(key);
	assert_string_equal(print[0], print[1]);
	assert_int_equal(chmod(path, 0640), 0);
	assert_null(relay_key_load(NULL, path, why, sizeof(why)));
	assert_non_null(strstr(why, "chmod 600"));
	f = fopen(path, "w");
	fputs("no key\n", f);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
	assert_null(relay_key_load(NULL, path, why, sizeof(why)));
	assert_non_null(strstr(why, "not an ed25519 key"));
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_algorithms),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
