/*
 * ucom(4) adds "ttyname" and "ttyports" to the sysctl node of the driver it
 * serves (dev.uftdi.0, dev.u3g.1, ...), beside the node's %pnpinfo and
 * %location.  There is no list of such drivers: walk all of dev.
 */
#include <sys/types.h>
#include <sys/sysctl.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usb.h"

#define NODE_MAX 80
#define NODES_MAX 65536		/* where a walk of dev must have ended */

/* The string at node.leaf.  0 or -1. */
static int
get_text(const char *node, const char *leaf, char *dst, size_t size)
{
	char name[NODE_MAX + 16];
	size_t len = size - 1;

	snprintf(name, sizeof(name), "%s.%s", node, leaf);
	if (sysctlbyname(name, dst, &len, NULL, 0) == -1)
		return -1;
	dst[len] = '\0';
	return 0;
}

/* The next sysctl after mib[0..*len).  0, or -1 at the end of all. */
static int
next_oid(int mib[CTL_MAXNAME], size_t *len)
{
	int query[2 + CTL_MAXNAME] = { 0, 2 };	/* "next", see sysctl(8) */
	int next[CTL_MAXNAME];
	size_t size = sizeof(next);

	memcpy(query + 2, mib, *len * sizeof(*mib));
	if (sysctl(query, (u_int)(2 + *len), next, &size, NULL, 0) == -1)
		return -1;
	*len = size / sizeof(*next);
	memcpy(mib, next, size);
	return 0;
}

static int
oid_name(const int *mib, size_t len, char *dst, size_t size)
{
	int query[2 + CTL_MAXNAME] = { 0, 1 };	/* "name" */
	size_t got = size - 1;

	memcpy(query + 2, mib, len * sizeof(*mib));
	if (sysctl(query, (u_int)(2 + len), dst, &got, NULL, 0) == -1)
		return -1;
	dst[got] = '\0';
	return 0;
}

static unsigned
word_number(const char *list, const char *key, int base, unsigned other)
{
	char text[16];

	if (usb_word(list, key, text, sizeof(text)) == -1)
		return other;
	return (unsigned)strtoul(text, NULL, base);
}

/* What the driver at node serves, but for its port. */
static int
identify(const char *node, struct usb_id *id)
{
	char pnp[512], location[256];

	if (get_text(node, "%pnpinfo", pnp, sizeof(pnp)) == -1 ||
	    get_text(node, "%location", location, sizeof(location)) == -1)
		return -1;
	memset(id, 0, sizeof(*id));
	id->vid = (uint16_t)word_number(pnp, "vendor", 16, 0);
	id->pid = (uint16_t)word_number(pnp, "product", 16, 0);
	id->iface = (int)word_number(location, "interface", 10, 0);
	if (usb_word(pnp, "sernum", id->serial, sizeof(id->serial)) == -1)
		id->serial[0] = '\0';
	return id->vid == 0 ? -1 : 0;
}

typedef void node_fn(void *arg, const char *tty, const struct usb_id *);

/* Every tty of one driver node. */
static void
visit_node(const char *node, node_fn *fn, void *arg)
{
	char name[NODE_MAX + 16], ttyname[24], tty[64];
	unsigned ports = 1, i;
	size_t len = sizeof(ports);
	struct usb_id id;

	if (get_text(node, "ttyname", ttyname, sizeof(ttyname)) == -1 ||
	    identify(node, &id) == -1)
		return;
	snprintf(name, sizeof(name), "%s.ttyports", node);
	if (sysctlbyname(name, &ports, &len, NULL, 0) == -1 || ports == 0)
		ports = 1;
	if (ports == 1) {
		snprintf(tty, sizeof(tty), "/dev/cua%s", ttyname);
		fn(arg, tty, &id);
		return;
	}
	for (i = 0; i < ports && i < 256; i++) {
		snprintf(tty, sizeof(tty), "/dev/cua%s.%u", ttyname, i);
		id.iface = (int)i;
		fn(arg, tty, &id);
	}
}

/* Every tty that ucom(4) made. */
static void
visit_all(node_fn *fn, void *arg)
{
	static const char suffix[] = ".ttyname";
	const size_t suffix_len = sizeof(suffix) - 1;
	int mib[CTL_MAXNAME], dev[CTL_MAXNAME];
	size_t len = CTL_MAXNAME, n, i;
	char name[NODE_MAX];

	if (sysctlnametomib("dev", dev, &len) == -1)
		return;
	memcpy(mib, dev, len * sizeof(*mib));
	for (i = 0; i < NODES_MAX; i++) {
		if (next_oid(mib, &len) == -1 || mib[0] != dev[0])
			return;
		if (oid_name(mib, len, name, sizeof(name)) == -1)
			continue;
		n = strlen(name);
		if (n <= suffix_len ||
		    strcmp(name + n - suffix_len, suffix) != 0)
			continue;
		name[n - suffix_len] = '\0';
		visit_node(name, fn, arg);
	}
}

static void
on_search(void *arg, const char *tty, const struct usb_id *id)
{
	usb_found(arg, tty, id);
}

int
usb_find(const char *root, const struct usb_id *want, char *path, size_t size,
    char *err, size_t errsize)
{
	struct usb_search search = { .want = want };

	(void)root;
	visit_all(on_search, &search);
	return usb_result(&search, path, size, err, errsize);
}

struct lookup {
	const char *path;
	struct usb_id *id;
	bool found;
};

static void
on_lookup(void *arg, const char *tty, const struct usb_id *id)
{
	struct lookup *l = arg;

	if (strcmp(tty, l->path) == 0) {
		*l->id = *id;
		l->found = true;
	}
}

int
usb_describe(const char *root, const char *path, struct usb_id *id)
{
	struct lookup l = { .path = path, .id = id, .found = false };

	(void)root;
	/* The others are no USB ttys: spare the walk. */
	if (strncmp(path, "/dev/cuaU", 9) == 0)
		visit_all(on_lookup, &l);
	if (!l.found)
		errno = ENODEV;
	return l.found ? 0 : -1;
}
