/*
 * session_words.h - queries that leave something in the session, or ask what is there, for random
 * conversations.
 */
#ifndef PGWEIR_TESTS_SESSION_WORDS_H
#define PGWEIR_TESTS_SESSION_WORDS_H

/* One of them; any number picks one. CLIENT makes locks its own, so that nobody waits for another. */
const char *session_query(unsigned pick, unsigned client);

#endif
