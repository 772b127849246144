/*
 * keyboard-interactive (RFC 4256): a password and a one-time code, or the code
 * that a key alone is not enough without.
 *
 * libssh wants the answer to a message from inside the callback that it came
 * by, but the gate takes its time.  So the client is asked once more at once,
 * for nothing, which it answers without its user; and that answer is not read
 * before the gate has spoken.  What is said to it then, it takes for ours.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "ssh_conn_internal.h"

#define EARLY_MAX 4		/* such answers that came too soon */

static const char password_prompt[] = "Password: ";
static const char code_prompt[] = "One-time code: ";

void
ssh_conn_ask_over(struct ssh_conn *c)
{
	if (c->gate != 0)
		ssh_gate_cancel(c->all->gate, c->gate);
	c->gate = 0;
	c->ask = ASK_NONE;
}

bool
ssh_conn_is_asking(const struct ssh_conn *c)
{
	return c->ask == ASK_JUDGED || c->ask == ASK_SIGNED;
}

static void
keep_verdict(struct ssh_conn *c, const struct ssh_gate_verdict *v)
{
	c->gate = 0;
	c->right = v->yes;
	snprintf(c->gate_why, sizeof(c->gate_why), "%s", v->why);
	snprintf(c->voucher, sizeof(c->voucher), "%s", v->yes ? v->voucher :
	    "");
	ssh_conn_wake(c);
}

static void
on_verdict(void *arg, const struct ssh_gate_verdict *v)
{
	struct ssh_conn *c = arg;

	keep_verdict(c, v);
	c->ask = ASK_DECIDED;
	if (v->yes)
		ssh_conn_tell(c, AUTH_CODE_USED, v->why);
}

/*
 * We found the signature good: so it is we who are wrong, or a reload came
 * between, and no reason to make the client wait the next time.
 */
static void
on_vouched(void *arg, const struct ssh_gate_verdict *v)
{
	struct ssh_conn *c = arg;

	keep_verdict(c, v);
	c->ask = ASK_NONE;
	ssh_proof_free(&c->proof);
	if (v->yes) {
		ssh_conn_vouched(c);
		return;
	}
	ssh_conn_tell(c, AUTH_REFUSED, v->why);
	c->outcome = THROTTLE_EXCUSED;
	ssh_conn_end(c, "the login could not be confirmed", true);
}

void
ssh_conn_prove(struct ssh_conn *c)
{
	const struct ssh_gate_question q = { .user = "", .name = "",
	    .from = ssh_login_from(c->login), .proof = &c->proof };

	c->ask = ASK_SIGNED;
	c->gate = ssh_gate_ask(c->all->gate, &q, on_vouched, c);
}

static int
begin(struct ssh_conn *c, ssh_message m)
{
	const char *name = ssh_message_auth_user(m);
	const char *prompts[2];
	char echo[2];
	unsigned n = 0;

	ssh_conn_ask_over(c);
	if (!ssh_login_ask(c->login, c->all->auth, name == NULL ? "" : name,
	    &c->asked)) {
		ssh_conn_answered(c, SSH_LOGIN_NO);
		return 1;
	}
	if (c->asked.password) {
		prompts[n] = password_prompt;
		echo[n++] = 0;
	}
	/* Of no use to who looks on: it works once. */
	prompts[n] = code_prompt;
	echo[n++] = 1;
	if (ssh_message_auth_interactive_request(m, "", "", n, prompts,
	    echo) != SSH_OK)
		return 1;
	c->ask = ASK_SENT;
	return 0;
}

/* So that there is something to answer when the gate has spoken. */
static int
ask_nothing(struct ssh_conn *c, ssh_message m)
{
	(void)ssh_conn_writable(c);	/* then it leaves at once */
	return ssh_message_auth_interactive_request(m, "", "", 0, NULL,
	    NULL) == SSH_OK ? 0 : 1;
}

/* Blanks that were copied along, or put between for the eye. */
static void
without_blanks(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	for (; *src != '\0' && n < size - 1; src++) {
		if (*src != ' ' && *src != '\t')
			dst[n++] = *src;
	}
	dst[n] = '\0';
}

static int
judge(struct ssh_conn *c, ssh_message m)
{
	int n = c->asked.password ? 2 : 1;
	char code[32] = "";
	struct ssh_gate_question q = { .user = c->asked.user,
	    .name = c->asked.name, .from = ssh_login_from(c->login),
	    .code = code, .proof = &c->proof };
	const char *text;

	if (ssh_userauth_kbdint_getnanswers(c->session) == n) {
		text = ssh_userauth_kbdint_getanswer(c->session,
		    (unsigned)n - 1);
		without_blanks(code, sizeof(code), text == NULL ? "" : text);
	}
	if (c->asked.password) {
		q.password = code[0] == '\0' ? NULL :
		    ssh_userauth_kbdint_getanswer(c->session, 0);
		if (q.password == NULL)
			q.password = "";
	}
	c->ask = ASK_JUDGED;
	c->early = 0;
	c->gate = ssh_gate_ask(c->all->gate, &q, on_verdict, c);
	explicit_bzero(code, sizeof(code));
	return ask_nothing(c, m);
}

static int
tell(struct ssh_conn *c, ssh_message m)
{
	enum ssh_login_answer a;

	c->ask = ASK_NONE;
	a = ssh_login_told(c->login, c->all->auth, c->right, c->gate_why,
	    stamp_now().utc_us);
	if (a == SSH_LOGIN_IN)
		ssh_message_auth_reply_success(m, 0);
	if (a == SSH_LOGIN_NO)
		ssh_conn_tell(c, AUTH_REFUSED, ssh_login_why(c->login));
	ssh_conn_answered(c, a);
	return a == SSH_LOGIN_IN ? 0 : 1;
}

int
ssh_conn_interactive(struct ssh_conn *c, ssh_message m)
{
	if (c->state != CONN_LOGIN || c->why != NULL)
		return 1;
	if (!ssh_message_auth_kbdint_is_response(m))
		return begin(c, m);
	switch (c->ask) {
	case ASK_NONE:
		ssh_conn_fail(c, "an answer that nobody asked for");
		return 1;
	case ASK_SENT:
		return judge(c, m);
	case ASK_JUDGED:
		if (++c->early <= EARLY_MAX)
			return ask_nothing(c, m);
		ssh_conn_fail(c, "answers before the questions");
		return 1;
	case ASK_DECIDED:
		return tell(c, m);
	case ASK_SIGNED:
		break;
	}
	return 1;
}
