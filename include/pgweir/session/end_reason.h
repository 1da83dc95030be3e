/* end_reason.h - every client connection ends for one listed reason: the log's words, the counter's name, the
 * client's SQLSTATE. */
#ifndef PGWEIR_SESSION_END_REASON_H
#define PGWEIR_SESSION_END_REASON_H

/* clang-format off */
#define END_REASONS(X)                                                                                                   \
    /* id                     counter              log level           words                                  */        \
    X(END_NONE,               none,                LOG_DEBUG_LEVEL,    "")                                              \
    X(END_CLIENT_LEFT,        client_left,         LOG_NOTICE_LEVEL,   "client close request")                          \
    X(END_CLIENT_LOST,        client_lost,         LOG_NOTICE_LEVEL,   "client unexpected eof")                         \
    X(END_PROBE,              probe,               LOG_DEBUG_LEVEL,    "client sent nothing")                           \
    X(END_CANCEL_DONE,        cancel_done,         LOG_DEBUG_LEVEL,    "cancel request handled")                        \
    X(END_STARTUP_BAD,        startup_bad,         LOG_NOTICE_LEVEL,   "bad startup packet")                            \
    X(END_TLS_REQUIRED,       tls_required,        LOG_NOTICE_LEVEL,   "SSL required")                                  \
    X(END_PROTOCOL,           protocol,            LOG_NOTICE_LEVEL,   "protocol violation")                            \
    X(END_LOGIN_FAILED,       login_failed,        LOG_NOTICE_LEVEL,   "login failed")                                  \
    X(END_AUTH_QUERY_FAILED,  auth_query_failed,   LOG_WARNING_LEVEL,  "bouncer config error")                          \
    X(END_LOGIN_TIMEOUT,      login_timeout,       LOG_NOTICE_LEVEL,   "client_login_timeout")                          \
    X(END_LOGIN_CROWDED_OUT,  login_crowded_out,   LOG_NOTICE_LEVEL,   "too many connections that have not logged in")  \
    X(END_NO_DATABASE,        no_database,         LOG_NOTICE_LEVEL,   "no such database")                              \
    X(END_TOO_MANY,           too_many,            LOG_NOTICE_LEVEL,   "no more connections allowed (max_client_conn)") \
    X(END_UNSUPPORTED,        unsupported,         LOG_NOTICE_LEVEL,   "not supported")                                 \
    X(END_WAITED_TOO_LONG,    wait_timeout,        LOG_NOTICE_LEVEL,   "query_wait_timeout")                            \
    X(END_SERVER_REFUSED,     server_refused,      LOG_NOTICE_LEVEL,   "server login failed")                           \
    X(END_SERVER_LOST,        server_lost,         LOG_NOTICE_LEVEL,   "server conn crashed?")                          \
    X(END_SERVER_FATAL,       server_fatal,        LOG_NOTICE_LEVEL,   "server ended the session")                      \
    X(END_SETTINGS_REFUSED,   settings_refused,    LOG_WARNING_LEVEL,  "its settings could not be brought to a server") \
    X(END_QUERY_TIMEOUT,      query_timeout,       LOG_NOTICE_LEVEL,   "query_timeout")                                 \
    X(END_TRANSACTION_IDLE,   transaction_idle,    LOG_NOTICE_LEVEL,   "idle_transaction_timeout")                      \
    X(END_TRANSACTION_LONG,   transaction_long,    LOG_NOTICE_LEVEL,   "transaction timeout")                           \
    X(END_RECYCLED,           recycled,            LOG_NOTICE_LEVEL,   "database configuration changed")                \
    X(END_CLIENT_IDLE,        client_idle,         LOG_NOTICE_LEVEL,   "client_idle_timeout")                           \
    X(END_STATEMENT_MODE,     statement_mode,      LOG_NOTICE_LEVEL,                                                     \
      "transaction blocks not allowed in statement pooling mode")                                                        \
    X(END_ADMIN,              admin,               LOG_NOTICE_LEVEL,   "admin forced disconnect")                       \
    X(END_KILLED,             killed,              LOG_NOTICE_LEVEL,   "database removed")                              \
    X(END_DISABLED,           disabled,            LOG_NOTICE_LEVEL,   "database is disabled")                          \
    X(END_SUSPENDED,          suspended,           LOG_NOTICE_LEVEL,   "suspend_timeout")                               \
    X(END_SHUTDOWN,           shutdown,            LOG_NOTICE_LEVEL,   "server shutting down")

/* clang-format on */

#define END_REASON_ID(id, counter, level, words) id,
enum end_reason { END_REASONS(END_REASON_ID) END_REASON_COUNT };
#undef END_REASON_ID

#endif
