/* What answer.c and answer_status.c share; nobody else. */
#ifndef SERVER_ANSWER_INTERNAL_H
#define SERVER_ANSWER_INTERNAL_H

#include <jansson.h>

#include "answer.h"
#include "verbs.h"

/* Verbs; argv as in struct answer, rights already checked. */
void answer_list(const struct answer *);
void answer_status(const struct answer *);
void answer_who(const struct answer *);
/* option: "", or what answer_digest_option says yes to. */
void answer_digest(const struct answer *, struct wire *, const char *option);
bool answer_digest_option(const char *option);
void answer_grant(const struct answer *, const struct verb *);
void answer_revoke(const struct answer *, const struct verb *);
/* Those that he may see, for status. */
json_t *answer_grants_json(const struct answer *);

/* Say how the verb is used, and end. */
void answer_usage(const struct answer *, const struct verb *);

/* Is the only argument --json?  -1: there is something else (and was told). */
int answer_wants_json(const struct answer *);
/* Print and free it, end with ST_OK. */
void answer_json(const struct answer *, json_t *);
/* "3 d 04:05", "04:05:06". */
#define SPAN_TEXT 32
char *answer_span(char dst[SPAN_TEXT], int64_t ms);

#endif
