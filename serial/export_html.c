#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/base/clock.h"
#include "../server/base/folder.h"
#include "export_html.h"

#define PLAYER "player/asciinema-player"

/* The parts of the player, as `make player` fetches them. */
enum part { PART_STYLE, PART_SCRIPT, PART_LICENCE, PARTS };

static const char *const parts[PARTS] = {
	PLAYER ".css", PLAYER ".min.js", PLAYER ".LICENSE",
};

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
    "'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; style-src "
    "'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n";

static const char style[] =
    "body { margin: 1em auto; padding: 0 1em; max-width: 60em;\n"
    "	font: 15px/1.5 sans-serif; color: #222; background: #fff; }\n"
    "h1 { font-size: 1.4em; margin: 0; }\n"
    "p { margin: .2em 0 1em; color: #555; }\n"
    "#events { columns: 2; padding: 0; list-style: none; font-size: .85em; "
    "}\n"
    "#events button { border: 0; background: none; padding: 0;\n"
    "	font: inherit; text-align: left; color: #06c; cursor: pointer; }\n";

/* Events go to their place by number: that holds whatever pauses are cut. */
static const char start[] =
    "const text = document.getElementById('recording').textContent.trim();\n"
    "const player = AsciinemaPlayer.create({ data: text },\n"
    "    document.getElementById('player'),\n"
    "    { preload: true, fit: 'width', poster: 'npt:0:1' });\n"
    "const list = document.getElementById('events');\n"
    "text.split('\\n').slice(1).filter(l => l.includes(', \"m\", '))\n"
    "    .map(l => JSON.parse(l)).filter(e => e[1] === 'm')\n"
    "    .forEach((e, i) => {\n"
    "	const b = document.createElement('button');\n"
    "	b.textContent = e[0].toFixed(1) + ' s  ' + e[2];\n"
    "	b.onclick = () => player.seek({ marker: i });\n"
    "	list.appendChild(document.createElement('li')).appendChild(b);\n"
    "});\n"
    "window.player = player;\n";

static const char *const places[] = {
	PREFIX "/share/oobd", "/usr/local/share/oobd", "/usr/share/oobd",
};

#define PLACES (sizeof(places) / sizeof(places[0]))

const char *
export_html_share(size_t i)
{
	const char *dir = getenv("OOBD_SHARE");

	if (dir != NULL && *dir != '\0')
		return i == 0 ? dir : NULL;
	return i < PLACES ? places[i] : NULL;
}

static FILE *
open_file(const char *path)
{
	int fd = folder_open(path, O_RDONLY | O_CLOEXEC, 0), saved;
	FILE *f = fd == -1 ? NULL : fdopen(fd, "r");

	if (f == NULL && fd != -1) {
		saved = errno;
		close(fd);
		errno = saved;
	}
	return f;
}

/* Open a part; NULL, and said what is missing and what helps. */
static FILE *
open_part(const struct viewout *o, enum part part)
{
	char path[1024];
	FILE *f = NULL;

	for (size_t i = 0; f == NULL && export_html_share(i) != NULL; i++) {
		snprintf(path, sizeof(path), "%s/%s", export_html_share(i),
		    parts[part]);
		f = open_file(path);
	}
	if (f == NULL)
		view_say(o->view, "export: a page needs the asciinema player, "
		    "and %s: %s; on the box run `make player install` where "
		    "npm is, or choose --format cast2", path,
		    strerror(errno));
	return f;
}

static void
put_file(struct viewout *o, FILE *f)
{
	char block[8192];
	size_t n;

	while (!o->gone && (n = fread(block, 1, sizeof(block), f)) > 0)
		viewout_put(o, block, n);
}

static void
put_escaped(struct viewout *o, const char *s)
{
	for (; *s != '\0'; s++) {
		switch (*s) {
		case '<':	viewout_string(o, "&lt;"); break;
		case '>':	viewout_string(o, "&gt;"); break;
		case '&':	viewout_string(o, "&amp;"); break;
		case '"':	viewout_string(o, "&quot;"); break;
		default:	viewout_put(o, s, 1); break;
		}
	}
}

static void
put_span(struct viewout *o, const struct export_page *p)
{
	char from[STAMP_TEXT], to[STAMP_TEXT], text[128];

	stamp_text(from, p->since_us);
	stamp_text(to, p->until_us);
	snprintf(text, sizeof(text), "%.10s %.8s to %.10s %.8s UTC", from,
	    from + 11, to, to + 11);
	viewout_string(o, text);
}

static void
put_body(struct viewout *o, const struct export_page *p)
{
	viewout_string(o, "</style>\n</head>\n<body>\n<h1>Console ");
	put_escaped(o, p->console);
	viewout_string(o, "</h1>\n<p>");
	put_span(o, p);
	viewout_string(o, " &middot; <span id=\"verified\">");
	put_escaped(o, p->verified);
	viewout_string(o, "</span></p>\n<div id=\"player\"></div>\n"
	    "<ol id=\"events\"></ol>\n");
}

int
export_html_begin(struct viewout *o, const struct export_page *p)
{
	FILE *f[PARTS];
	int n = 0;

	while (n < PARTS && (f[n] = open_part(o, (enum part)n)) != NULL)
		n++;
	if (n < PARTS) {
		while (n > 0)
			fclose(f[--n]);
		return -1;
	}
	viewout_string(o, head);
	viewout_string(o, "<title>");
	put_escaped(o, p->console);
	viewout_string(o, ", ");
	put_span(o, p);
	viewout_string(o, "</title>\n<style>\n");
	put_file(o, f[PART_STYLE]);
	viewout_string(o, style);
	put_body(o, p);
	viewout_string(o, "<script type=\"text/plain\" id=\"licence\">\n"
	    "This page contains the asciinema player, "
	    "https://github.com/asciinema/asciinema-player\n\n");
	put_file(o, f[PART_LICENCE]);
	viewout_string(o, "</script>\n<script>\n");
	put_file(o, f[PART_SCRIPT]);
	viewout_string(o, "</script>\n"
	    "<script type=\"text/plain\" id=\"recording\">\n");
	for (int i = 0; i < PARTS; i++)
		fclose(f[i]);
	return 0;
}

void
export_html_end(struct viewout *o)
{
	viewout_string(o, "</script>\n<script>\n");
	viewout_string(o, start);
	viewout_string(o, "</script>\n</body>\n</html>\n");
}
