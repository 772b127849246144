#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../server/base/mem.h"
#include "router_box.h"
#include "router_shell.h"
#include "script.h"

#define REFUSE_MS 1500		/* after a wrong password */
#define OFF_MS 3000		/* from reset to the firmware's first word */
#define TALK_MIN_MS 20000	/* kernel messages: so often at most, */
#define TALK_SPREAD_MS 70000	/* and this much later at random */
#define ANSWER_BYTES 64		/* a name or a password */

enum box_state {
	BOX_OFF,
	BOX_BOOT,
	BOX_LOGIN,
	BOX_PASSWORD,
	BOX_REFUSE,
	BOX_SHELL,
	BOX_DOWN,
};

struct box {
	struct box_conf conf;
	struct wire *wire;
	struct shell *shell;
	struct player *player;
	enum box_state state;
	struct timer *timer;	/* of the state */
	struct timer *talk;
	uint64_t random;
	size_t said;		/* index into script_kernel */
	struct box_facts facts;
	char answer[ANSWER_BYTES];
	size_t nanswer;
	char name[ANSWER_BYTES];
	uint8_t last;		/* byte typed before: LF after CR is skipped */
};

static const char *const state_names[] = {
	[BOX_OFF] = "off",
	[BOX_BOOT] = "boot",
	[BOX_LOGIN] = "login",
	[BOX_PASSWORD] = "password",
	[BOX_REFUSE] = "refuse",
	[BOX_SHELL] = "shell",
	[BOX_DOWN] = "down",
};

/* The kernel may talk once login is possible. */
static bool
is_up(const struct box *b)
{
	return b->state == BOX_LOGIN || b->state == BOX_SHELL;
}

static void
login_prompt(struct box *b)
{
	script_say(b->wire, "login: ");
	wire_put(b->wire, b->answer, b->nanswer);
}

static void
login_banner(struct box *b)
{
	char text[160];

	snprintf(text, sizeof(text), "\nFreeBSD/amd64 (%s) (ttyu0)\n\n",
	    b->conf.hostname);
	script_say(b->wire, text);
	login_prompt(b);
}

static void
arm_autologout(struct box *b)
{
	if (b->conf.autologout_ms > 0)
		timer_set(b->timer, b->conf.autologout_ms);
}

/* The only place where the state changes; does what entering it means. */
static void
change_state(struct box *b, enum box_state state)
{
	if (b->state == BOX_SHELL)
		shell_kill(b->shell);
	b->state = state;
	b->nanswer = 0;
	timer_stop(b->timer);
	player_start(b->player, NULL);
	switch (state) {
	case BOX_OFF:
		timer_set(b->timer, b->conf.pauses ? OFF_MS : 100);
		break;
	case BOX_BOOT:
		b->facts.started = mono_now();
		player_start(b->player, script_boot);
		break;
	case BOX_LOGIN:
		break;		/* with banner or not: the caller's */
	case BOX_PASSWORD:
		script_say(b->wire, "Password:");
		break;
	case BOX_REFUSE:
		timer_set(b->timer, REFUSE_MS);
		break;
	case BOX_SHELL:
		shell_start(b->shell);
		arm_autologout(b);
		break;
	case BOX_DOWN:
		break;		/* which script is the caller's */
	}
}

static void
on_timer(void *arg)
{
	struct box *b = arg;

	switch (b->state) {
	case BOX_OFF:
		change_state(b, BOX_BOOT);
		break;
	case BOX_REFUSE:
		script_say(b->wire, "Login incorrect\n");
		change_state(b, BOX_LOGIN);
		login_prompt(b);
		break;
	case BOX_SHELL:
		script_say(b->wire, "\nauto-logout\n");
		change_state(b, BOX_LOGIN);
		login_banner(b);
		break;
	case BOX_BOOT:
	case BOX_LOGIN:
	case BOX_PASSWORD:
	case BOX_DOWN:
		break;
	}
}

static void
script_ended(void *arg)
{
	struct box *b = arg;

	if (b->state == BOX_BOOT) {
		change_state(b, BOX_LOGIN);
		login_banner(b);
	} else if (b->state == BOX_DOWN) {
		change_state(b, BOX_OFF);
	}
}

static void
shell_ended(void *arg, enum shell_end why)
{
	struct box *b = arg;

	switch (why) {
	case SHELL_EXIT:
		change_state(b, BOX_LOGIN);
		login_banner(b);
		break;
	case SHELL_REBOOT:
		change_state(b, BOX_DOWN);
		player_start(b->player, script_shutdown);
		break;
	case SHELL_PANIC:
		change_state(b, BOX_DOWN);
		player_start(b->player, script_panic);
		break;
	}
}

void
box_say(struct box *b, const char *text)
{
	script_say(b->wire, text);
	if (b->state == BOX_SHELL)
		shell_redraw(b->shell);
}

/*
 * As on a real console, right into whatever is being typed: the prompt does
 * not come back by itself.
 */
static void
on_talk(void *arg)
{
	struct box *b = arg;

	if (is_up(b)) {
		script_say(b->wire, "\n");
		script_say(b->wire, script_kernel[b->said++].text);
		if (script_kernel[b->said].text == NULL)
			b->said = 0;
	}
	b->random = b->random * 6364136223846793005u + 1442695040888963407u;
	timer_set(b->talk, TALK_MIN_MS + (int64_t)(b->random >> 33) %
	    TALK_SPREAD_MS);
}

static void
got_name(struct box *b)
{
	if (b->nanswer == 0) {
		login_prompt(b);
		return;
	}
	memcpy(b->name, b->answer, b->nanswer);
	b->name[b->nanswer] = '\0';
	change_state(b, BOX_PASSWORD);
}

static void
got_password(struct box *b)
{
	b->answer[b->nanswer] = '\0';
	if (strcmp(b->name, b->conf.user) == 0 &&
	    strcmp(b->answer, b->conf.password) == 0)
		change_state(b, BOX_SHELL);
	else
		change_state(b, BOX_REFUSE);
}

/* A line asked for at login: a name with echo, a password without. */
static void
login_input(struct box *b, uint8_t c)
{
	bool echo = b->state == BOX_LOGIN;

	if (c == '\n' && b->last == '\r')
		return;
	if (c == '\r' || c == '\n') {
		script_say(b->wire, "\n");
		if (b->state == BOX_LOGIN)
			got_name(b);
		else
			got_password(b);
	} else if (c == 4 || c == 3) {
		script_say(b->wire, "\n");
		change_state(b, BOX_LOGIN);
		login_banner(b);
	} else if (c == 8 || c == 127) {
		if (b->nanswer > 0 && echo)
			wire_put(b->wire, "\b \b", 3);
		b->nanswer -= b->nanswer > 0;
	} else if (c == 21) {
		for (; b->nanswer > 0; b->nanswer--)
			wire_put(b->wire, "\b \b", echo ? 3 : 0);
	} else if (c >= 0x20 && b->nanswer + 1 < sizeof(b->answer)) {
		b->answer[b->nanswer++] = (char)c;
		wire_put(b->wire, &c, echo ? 1 : 0);
	}
}

void
box_input(struct box *b, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		switch (b->state) {
		case BOX_LOGIN:
		case BOX_PASSWORD:
			login_input(b, p[i]);
			break;
		case BOX_SHELL:
			arm_autologout(b);
			shell_input(b->shell, p[i]);
			break;
		case BOX_OFF:
		case BOX_BOOT:
		case BOX_REFUSE:
		case BOX_DOWN:
			break;
		}
		b->last = p[i];
	}
}

void
box_more(struct box *b)
{
	player_more(b->player);
	if (b->state == BOX_SHELL)
		shell_more(b->shell);
}

void
box_hangup(struct box *b)
{
	if (b->state != BOX_SHELL && b->state != BOX_PASSWORD &&
	    b->state != BOX_REFUSE)
		return;
	wire_discard(b->wire);
	change_state(b, BOX_LOGIN);
	login_banner(b);
}

void
box_reset(struct box *b)
{
	wire_discard(b->wire);
	change_state(b, BOX_OFF);
}

void
box_start(struct box *b)
{
	if (b->conf.boot) {
		change_state(b, BOX_BOOT);
	} else {
		change_state(b, BOX_LOGIN);
		login_banner(b);
	}
	if (!b->conf.calm)
		timer_set(b->talk, TALK_MIN_MS);
}

const char *
box_state_text(const struct box *b)
{
	return state_names[b->state];
}

struct box *
box_new(struct loop *loop, struct wire *w, const struct box_conf *conf)
{
	struct box *b = xcalloc(1, sizeof(*b));

	b->conf = *conf;
	b->wire = w;
	b->facts = (struct box_facts){ conf->hostname, conf->user, conf->seed,
	    mono_now() };
	b->random = conf->seed;
	b->timer = timer_new(loop, on_timer, b);
	b->talk = timer_new(loop, on_talk, b);
	b->player = player_new(loop, w, conf->pauses, script_ended, b);
	b->shell = shell_new(loop, w, &b->facts, shell_ended, b);
	return b;
}

void
box_free(struct box *b)
{
	if (b == NULL)
		return;
	timer_free(b->timer);
	timer_free(b->talk);
	player_free(b->player);
	shell_free(b->shell);
	free(b);
}
