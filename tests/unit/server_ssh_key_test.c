#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/ssh_key.h"

struct place {
	char dir[64];
	char path[96];
	char why[512];
};

static int
make_place(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/oobd-key-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/host key", p->dir);
	*state = p;
	return 0;
}

static int
drop_place(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	rmdir(p->dir);
	free(p);
	return 0;
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void
is_made_once(void **state)
{
	struct place *p = *state;
	char first[SSH_KEY_FINGERPRINT], second[SSH_KEY_FINGERPRINT];
	struct stat st;
	ssh_key key;
	mode_t old = umask(0);

	key = ssh_key_host(NULL, p->path, p->why, sizeof(p->why));
	umask(old);
	assert_non_null(key);
	assert_int_equal(ssh_key_type(key), SSH_KEYTYPE_ED25519);
	ssh_key_fingerprint(first, key);
	ssh_key_free(key);
	assert_int_equal(strncmp(first, "SHA256:", 7), 0);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	key = ssh_key_host(NULL, p->path, p->why, sizeof(p->why));
	assert_non_null(key);
	assert_string_equal(ssh_key_fingerprint(second, key), first);
	ssh_key_free(key);
}

static void
a_leftover_does_no_harm(void **state)
{
	struct place *p = *state;
	char tmp[128];
	ssh_key key;

	snprintf(tmp, sizeof(tmp), "%s.new", p->path);
	write_file(tmp, "half a k", 0600);
	key = ssh_key_host(NULL, p->path, p->why, sizeof(p->why));
	assert_non_null(key);
	ssh_key_free(key);
	assert_int_equal(access(tmp, F_OK), -1);
}

static void
one_that_others_may_read_is_refused(void **state)
{
	struct place *p = *state;
	ssh_key key = ssh_key_host(NULL, p->path, p->why, sizeof(p->why));

	assert_non_null(key);
	ssh_key_free(key);
	assert_int_equal(chmod(p->path, 0640), 0);
	assert_null(ssh_key_host(NULL, p->path, p->why, sizeof(p->why)));
	assert_non_null(strstr(p->why, p->path));
	assert_non_null(strstr(p->why, "chmod"));
}

static void
rubbish_is_refused_and_kept(void **state)
{
	struct place *p = *state;
	struct stat st;

	write_file(p->path, "rubbish\n", 0600);
	assert_null(ssh_key_host(NULL, p->path, p->why, sizeof(p->why)));
	assert_non_null(strstr(p->why, p->path));
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_size, 8);
}

static void
another_type_is_refused(void **state)
{
	struct place *p = *state;
	char *text = NULL;
	ssh_key key = NULL;

	assert_int_equal(ssh_pki_generate(SSH_KEYTYPE_ECDSA_P256, 256, &key),
	    SSH_OK);
	assert_int_equal(ssh_pki_export_privkey_base64(key, NULL, NULL, NULL,
	    &text), SSH_OK);
	write_file(p->path, text, 0600);
	ssh_string_free_char(text);
	ssh_key_free(key);
	assert_null(ssh_key_host(NULL, p->path, p->why, sizeof(p->why)));
	assert_non_null(strstr(p->why, "ed25519"));
}

static void
a_missing_folder_is_named(void **state)
{
	struct place *p = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/none/key", p->dir);
	assert_null(ssh_key_host(NULL, path, p->why, sizeof(p->why)));
	assert_non_null(strstr(p->why, path));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_made_once, make_place,
		    drop_place),
		cmocka_unit_test_setup_teardown(a_leftover_does_no_harm,
		    make_place, drop_place),
		cmocka_unit_test_setup_teardown(
		    one_that_others_may_read_is_refused, make_place,
		    drop_place),
		cmocka_unit_test_setup_teardown(rubbish_is_refused_and_kept,
		    make_place, drop_place),
		cmocka_unit_test_setup_teardown(another_type_is_refused,
		    make_place, drop_place),
		cmocka_unit_test_setup_teardown(a_missing_folder_is_named,
		    make_place, drop_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
