/* author.h - random turns for conversations that are compared; see pipeline.h. */
#ifndef PGWEIR_TESTS_AUTHOR_H
#define PGWEIR_TESTS_AUTHOR_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline.h"

struct author; /* of one conversation, from its beginning */

/* The same RANDOM makes the same conversation. When IS_ABOUT_SESSIONS, half of what is said sets or asks for
 * what a session holds. */
struct author *author_new(uint64_t random, bool is_about_sessions);
void author_free(struct author *a);
/* What one of the clients says next, in one go. Its lines are the caller's to free. */
struct turn author_turn(struct author *a);

#endif
