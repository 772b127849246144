#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../server/base/mem.h"
#include "router_shell.h"
#include "script.h"

#define LINE_BYTES 512
#define AHEAD_BYTES 256

enum {
	CTRL_C = 3,
	CTRL_D = 4,
	BELL = 7,
	BACKSPACE = 8,
	TAB = 9,
	NEWLINE = 10,
	CTRL_L = 12,
	RETURN = 13,
	CTRL_R = 18,
	CTRL_U = 21,
	CTRL_W = 23,
	ESCAPE = 27,
	DELETE = 127,
};

/* Inside an escape sequence typed by a cursor or function key. */
enum escape {
	ESC_NONE,
	ESC_BEGUN,
	ESC_CSI,
};

struct shell {
	struct wire *wire;
	const struct box_facts *facts;
	void (*ended)(void *arg, enum shell_end);
	void *arg;
	char line[LINE_BYTES];
	size_t len;
	enum escape escape;
	bool was_return;	/* a LF after CR is the same Enter */
	bool running;
	uint8_t ahead[AHEAD_BYTES];	/* typed while a command ran */
	size_t nahead;
	struct job job;
};

void
job_say(struct job *j, const char *text)
{
	script_say(j->wire, text);
}

void
job_print(struct job *j, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	script_say(j->wire, text);
}

static void
prompt(struct shell *s)
{
	job_print(&s->job, "%s@%s:~ %c ", s->facts->user, s->facts->hostname,
	    strcmp(s->facts->user, "root") == 0 ? '#' : '$');
}

static void
end(struct shell *s, enum shell_end why)
{
	shell_kill(s);
	s->ended(s->arg, why);
}

/* The command is over: prompt, and what was typed meanwhile. */
static void
job_over(struct shell *s)
{
	uint8_t ahead[AHEAD_BYTES];
	size_t n = s->nahead;

	timer_stop(s->job.timer);
	s->job.command = NULL;
	prompt(s);
	memcpy(ahead, s->ahead, n);
	s->nahead = 0;
	for (size_t i = 0; i < n; i++)
		shell_input(s, ahead[i]);
}

static void
job_check(struct shell *s)
{
	if (s->job.command != NULL && s->job.done)
		job_over(s);
}

static void
on_timer(void *arg)
{
	struct shell *s = arg;

	if (s->job.command != NULL && s->job.command->tick != NULL)
		s->job.command->tick(&s->job);
	job_check(s);
}

/* Split in place at blanks.  The words point into line. */
static int
split(char *line, char **argv)
{
	int argc = 0;
	char *word;

	while (argc < JOB_ARGS && (word = strsep(&line, " \t")) != NULL) {
		if (*word != '\0')
			argv[argc++] = word;
	}
	return argc;
}

static void
job_start(struct shell *s, const struct command *c, int argc, char **argv)
{
	struct job *j = &s->job;
	enum job_next next;

	*j = (struct job){ .command = c, .facts = s->facts, .wire = s->wire,
	    .timer = j->timer };
	next = c->start(j, argc, argv);
	switch (next) {
	case JOB_RUNS:
		shell_more(s);
		return;
	case JOB_USAGE:
		job_print(j, "usage: %s %s\n", c->name, c->args);
		break;
	case JOB_DONE:
		break;
	case JOB_EXIT:
		end(s, SHELL_EXIT);
		return;
	case JOB_REBOOT:
		end(s, SHELL_REBOOT);
		return;
	case JOB_PANIC:
		end(s, SHELL_PANIC);
		return;
	}
	job_over(s);
}

static void
run_line(struct shell *s)
{
	char *argv[JOB_ARGS];
	int argc;

	s->line[s->len] = '\0';
	s->len = 0;
	argc = split(s->line, argv);
	if (argc == 0) {
		prompt(s);
		return;
	}
	for (const struct command *c = router_commands; c->name != NULL; c++) {
		if (strcmp(c->name, argv[0]) == 0) {
			job_start(s, c, argc, argv);
			return;
		}
	}
	job_print(&s->job, "-sh: %.200s: not found\n", argv[0]);
	prompt(s);
}

static void
erase(struct shell *s, size_t n)
{
	for (; n > 0 && s->len > 0; n--, s->len--)
		wire_put(s->wire, "\b \b", 3);
}

static void
erase_word(struct shell *s)
{
	while (s->len > 0 && s->line[s->len - 1] == ' ')
		erase(s, 1);
	while (s->len > 0 && s->line[s->len - 1] != ' ')
		erase(s, 1);
}

static void
add_char(struct shell *s, uint8_t c)
{
	if (c < 0x20 || s->len + 1 >= sizeof(s->line)) {
		wire_put(s->wire, "\a", 1);
		return;
	}
	s->line[s->len++] = (char)c;
	wire_put(s->wire, &c, 1);
}

static void
edit(struct shell *s, uint8_t c)
{
	switch (c) {
	case RETURN:
	case NEWLINE:
		wire_put(s->wire, "\r\n", 2);
		run_line(s);
		break;
	case CTRL_C:
		s->len = 0;
		wire_put(s->wire, "^C\r\n", 4);
		prompt(s);
		break;
	case CTRL_D:
		if (s->len == 0) {
			wire_put(s->wire, "\r\n", 2);
			end(s, SHELL_EXIT);
		}
		break;
	case BACKSPACE:
	case DELETE:
		erase(s, 1);
		break;
	case CTRL_U:
		erase(s, s->len);
		break;
	case CTRL_W:
		erase_word(s);
		break;
	case CTRL_L:
		wire_put(s->wire, "\033[H\033[J", 6);
		shell_redraw(s);
		break;
	case CTRL_R:
		wire_put(s->wire, "\r\n", 2);
		shell_redraw(s);
		break;
	case ESCAPE:
		s->escape = ESC_BEGUN;
		break;
	default:
		add_char(s, c);
		break;
	}
}

/* True while c belongs to the escape sequence of a function key. */
static bool
in_escape(struct shell *s, uint8_t c)
{
	switch (s->escape) {
	case ESC_NONE:
		return false;
	case ESC_BEGUN:
		s->escape = c == '[' || c == 'O' ? ESC_CSI : ESC_NONE;
		return true;
	case ESC_CSI:
		if (c >= 0x40 && c <= 0x7e)
			s->escape = ESC_NONE;
		return true;
	}
	return false;
}

static void
interrupt(struct shell *s)
{
	const struct command *c = s->job.command;

	s->nahead = 0;
	wire_discard(s->wire);
	wire_put(s->wire, "^C\r\n", 4);
	if (c->interrupted != NULL)
		c->interrupted(&s->job);
	job_over(s);
}

static void
job_input(struct shell *s, uint8_t c)
{
	const struct command *command = s->job.command;

	if (c == CTRL_C && !command->raw) {
		interrupt(s);
	} else if (command->key != NULL) {
		command->key(&s->job, c);
		job_check(s);
	} else if (s->nahead < sizeof(s->ahead)) {
		s->ahead[s->nahead++] = c;
	} else {
		wire_put(s->wire, "\a", 1);
	}
}

void
shell_input(struct shell *s, uint8_t c)
{
	bool second = c == NEWLINE && s->was_return;

	if (!s->running)
		return;
	s->was_return = c == RETURN;
	if (s->job.command != NULL)
		job_input(s, c);
	else if (!second && !in_escape(s, c))
		edit(s, c);
}

void
shell_more(struct shell *s)
{
	const struct command *c = s->job.command;

	if (c != NULL && c->more != NULL)
		c->more(&s->job);
	job_check(s);
}

void
shell_redraw(struct shell *s)
{
	if (!s->running || s->job.command != NULL)
		return;
	prompt(s);
	wire_put(s->wire, s->line, s->len);
}

void
shell_start(struct shell *s)
{
	s->running = true;
	job_print(&s->job, "FreeBSD 12.2-RELEASE r366954 GENERIC\n\n"
	    "%s: edge router.  Type help for what this simulated box knows."
	    "\n\n", s->facts->hostname);
	prompt(s);
}

void
shell_kill(struct shell *s)
{
	s->running = false;
	s->len = 0;
	s->nahead = 0;
	s->escape = ESC_NONE;
	s->job.command = NULL;
	timer_stop(s->job.timer);
}

struct shell *
shell_new(struct loop *loop, struct wire *w, const struct box_facts *facts,
    void (*ended)(void *arg, enum shell_end), void *arg)
{
	struct shell *s = xcalloc(1, sizeof(*s));

	s->wire = w;
	s->facts = facts;
	s->ended = ended;
	s->arg = arg;
	s->job.wire = w;
	s->job.facts = facts;
	s->job.timer = timer_new(loop, on_timer, s);
	return s;
}

void
shell_free(struct shell *s)
{
	if (s == NULL)
		return;
	timer_free(s->job.timer);
	free(s);
}
