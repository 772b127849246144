#include <sys/stat.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "serial/usb.h"

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		unsigned vid, pid;
		const char *serial;
		int iface;
	} good[] = {
		{ "usb:0403:6001", 0x0403, 0x6001, "", -1 },
		{ "usb:403:6001:", 0x0403, 0x6001, "", -1 },
		{ "usb:12D1:1001:ABC", 0x12d1, 0x1001, "ABC", -1 },
		{ "usb:12d1:1001:ABC:2", 0x12d1, 0x1001, "ABC", 2 },
		{ "usb:12d1:1001::0a", 0x12d1, 0x1001, "", 10 },
		{ "usb:12d1:1001:a:b:c:", 0x12d1, 0x1001, "a:b:c", -1 },
		{ "usb:12d1:1001:a:b:1", 0x12d1, 0x1001, "a:b", 1 },
	};
	static const char *const bad[] = { "usb:", "usb:0403", "usb:0403:",
	    "usb::6001", "usb:10403:6001", "usb:0x403:6001", "usb:zz:6001",
	    "usb:0403:6001:A:100", "usb:0403:6001:A:x", "usb:0403:+6001",
	    "/dev/ttyS0", "" };
	char text[USB_TEXT], again[USB_TEXT + 4];
	struct usb_id id, id2;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(usb_parse(&id, good[i].text), 0);
		assert_int_equal(id.vid, good[i].vid);
		assert_int_equal(id.pid, good[i].pid);
		assert_string_equal(id.serial, good[i].serial);
		assert_int_equal(id.iface, good[i].iface);
		snprintf(again, sizeof(again), "usb:%s%s", usb_text(text, &id),
		    id.iface == -1 && strchr(id.serial, ':') ? ":" : "");
		assert_int_equal(usb_parse(&id2, again), 0);
		assert_memory_equal(&id, &id2, sizeof(id));
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(usb_parse(&id, bad[i]), -1);
}

static void
test_long_serial_is_refused(void **state)
{
	char text[200] = "usb:0403:6001:";
	struct usb_id id;

	(void)state;
	memset(text + strlen(text), 'A', USB_SERIAL);
	assert_int_equal(usb_parse(&id, text), -1);
	text[strlen(text) - 1] = '\0';
	assert_int_equal(usb_parse(&id, text), 0);
}

static void
test_freebsd_words(void **state)
{
	static const char pnp[] = "vendor=0x0403 product=0x6001 devclass=0x00 "
	    "sernum=\"A5 product=0x9\" release=0x0600 mode=host";
	char word[32];

	(void)state;
	assert_int_equal(usb_word(pnp, "vendor", word, sizeof(word)), 0);
	assert_string_equal(word, "0x0403");
	assert_int_equal(usb_word(pnp, "product", word, sizeof(word)), 0);
	assert_string_equal(word, "0x6001");
	assert_int_equal(usb_word(pnp, "sernum", word, sizeof(word)), 0);
	assert_string_equal(word, "A5 product=0x9");
	assert_int_equal(usb_word(pnp, "mode", word, sizeof(word)), 0);
	assert_string_equal(word, "host");
	assert_int_equal(usb_word(pnp, "release", word, 4), -1);
	assert_int_equal(usb_word(pnp, "class", word, sizeof(word)), -1);
	assert_int_equal(usb_word("", "x", word, sizeof(word)), -1);
	assert_int_equal(usb_word("sernum=\"open", "sernum", word,
	    sizeof(word)), 0);
	assert_string_equal(word, "open");
	assert_int_equal(usb_word("a=\"open", "sernum", word, sizeof(word)),
	    -1);
}

/* A /sys of our own: two adapters of one make, and a three-port modem. */

static char root[] = "/tmp/oobd-usb-XXXXXX";

static void
put(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s%s/%s", root, dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", text);
	fclose(f);
}

static void
make_dirs(const char *path)
{
	char cmd[600];

	snprintf(cmd, sizeof(cmd), "mkdir -p '%s%s'", root, path);
	assert_int_equal(system(cmd), 0);
}

static void
put_device(const char *dev, const char *vid, const char *pid,
    const char *serial)
{
	char dir[256];

	snprintf(dir, sizeof(dir), "/sys/devices/pci/usb1/%s", dev);
	make_dirs(dir);
	put(dir, "idVendor", vid);
	put(dir, "idProduct", pid);
	if (serial != NULL)
		put(dir, "serial", serial);
}

static void
put_tty(const char *dev, const char *iface, const char *tty)
{
	char dir[256], link[512], to[512];

	snprintf(dir, sizeof(dir), "/sys/devices/pci/usb1/%s/%s:1.%s", dev,
	    dev, iface);
	make_dirs(dir);
	put(dir, "bInterfaceNumber", iface);
	snprintf(dir, sizeof(dir), "/sys/class/tty/%s", tty);
	make_dirs(dir);
	snprintf(dir, sizeof(dir), "/sys/devices/pci/usb1/%s/%s:1.%s/%s", dev,
	    dev, iface, tty);
	make_dirs(dir);
	snprintf(link, sizeof(link), "%s/sys/class/tty/%s/device", root, tty);
	snprintf(to, sizeof(to), "%s%s", root, dir);
	assert_int_equal(symlink(to, link), 0);
}

static int
make_sys(void **state)
{
	(void)state;
	if (mkdtemp(root) == NULL)
		return -1;
	make_dirs("/sys/class/tty/tty1");
	make_dirs("/sys/devices/platform/serial/ttyS0");
	put_device("1-1", "0403", "6001", "A50285BI");
	put_tty("1-1", "00", "ttyUSB0");
	put_device("1-2", "0403", "6001", "B0000001");
	put_tty("1-2", "00", "ttyUSB4");
	put_device("1-3", "12d1", "1001", NULL);
	put_tty("1-3", "00", "ttyUSB1");
	put_tty("1-3", "01", "ttyUSB2");
	put_tty("1-3", "0a", "ttyUSB3");
	return 0;
}

static int
remove_sys(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", root);
	return system(cmd);
}

static int
find(const char *text, char *path, char *err)
{
	struct usb_id id;

	assert_int_equal(usb_parse(&id, text), 0);
	return usb_find(root, &id, path, 64, err, 256);
}

static void
test_find_in_sysfs(void **state)
{
	char path[64], err[256], text[USB_TEXT];
	struct usb_id id;

	(void)state;
	if (access("/sys/class/tty", F_OK) == -1)
		skip();
	assert_int_equal(find("usb:0403:6001:A50285BI", path, err), 0);
	assert_string_equal(path, "/dev/ttyUSB0");
	assert_int_equal(find("usb:0403:6001:B0000001:0", path, err), 0);
	assert_string_equal(path, "/dev/ttyUSB4");
	assert_int_equal(find("usb:12d1:1001::a", path, err), 0);
	assert_string_equal(path, "/dev/ttyUSB3");

	assert_int_equal(find("usb:0403:6015", path, err), -1);
	assert_int_equal(errno, ENODEV);
	assert_string_equal(err,
	    "usb:0403:6015: no such device is plugged in");
	assert_int_equal(find("usb:0403:6001", path, err), -1);
	assert_int_equal(errno, EEXIST);
	assert_non_null(strstr(err, "/dev/ttyUSB0"));
	assert_non_null(strstr(err, "/dev/ttyUSB4"));
	assert_int_equal(find("usb:12d1:1001", path, err), -1);
	assert_int_equal(errno, EEXIST);

	assert_int_equal(usb_describe(root, "/dev/ttyUSB0", &id), 0);
	assert_string_equal(usb_text(text, &id), "0403:6001:A50285BI:0");
	assert_int_equal(usb_describe(root, "/dev/ttyUSB2", &id), 0);
	assert_string_equal(usb_text(text, &id), "12d1:1001::1");
	assert_int_equal(usb_describe(root, "/dev/tty1", &id), -1);
	assert_int_equal(usb_describe(root, "/dev/pts/1", &id), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_long_serial_is_refused),
		cmocka_unit_test(test_freebsd_words),
		cmocka_unit_test_setup_teardown(test_find_in_sysfs, make_sys,
		    remove_sys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
