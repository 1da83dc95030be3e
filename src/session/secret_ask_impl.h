/* secret_ask_impl.h - the asking side. */
#ifndef PGWEIR_SESSION_SECRET_ASK_IMPL_H
#define PGWEIR_SESSION_SECRET_ASK_IMPL_H

#include "pgweir/session/secret_ask.h"
#include "worker_impl.h"

/* Asks on behalf of ASKER (NULL: for nobody, so that the newest answer is remembered). ON_ANSWER is called
 * once, from the loop of W, unless secret_ask_forget() comes before; the ask is freed when it returns, and
 * its secret may be taken out. */
struct secret_ask *secret_ask_send(struct worker *w, enum secret_source source, const char *database,
                                   const char *user, bool is_fresh,
                                   void (*on_answer)(void *asker, struct secret_ask *ask), void *asker);
/* The same in two steps, for asks that say more than that. */
struct secret_ask *secret_ask_new(struct worker *w, enum secret_source source, const char *database,
                                  const char *user, void (*on_answer)(void *asker, struct secret_ask *ask),
                                  void *asker);
struct secret_ask *secret_ask_go(struct worker *w, struct secret_ask *ask);
void secret_ask_forget(struct secret_ask *ask); /* nobody waits for it any more; NULL is fine */

#endif
