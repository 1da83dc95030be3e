/* option_rows_pools_impl.h - rows of options[]: pools and limits (option_table.c). */
/* clang-format off */
{ .name = "pool_mode",
  .type = OPT_CHOICE, .choices = pool_modes,
  .preset = "transaction", .preset_pgbouncer = "session",
  .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_NEW_SESSIONS,
  .slot = SLOT(pool_mode),
  .slot_inside = INSIDE(pool_mode), .mark_inside = MARK(pool_mode),
  .group = POOLS,
  .text = "When a server goes back to its pool: `session`: when the client leaves; `transaction`: when its "
          "transaction is over; `statement`: after every statement, and transactions of several statements "
          "are refused." },

{ .name = "default_pool_size", .name_inside = "pool_size",
  .type = OPT_COUNT,
  .preset = "0", .preset_pgbouncer = "20", .most = "1000000",
  .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
  .slot = SLOT(default_pool_size),
  .slot_inside = INSIDE(pool_size), .mark_inside = MARK(pool_size),
  .group = POOLS,
  .text = "Most server connections of one pool, that is of one database and user. 0: as many as the host's "
          "`server_connections` allow." },

{ .name = "min_pool_size",
  .type = OPT_COUNT,
  .preset = "0", .most = "1000000",
  .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_LIVE,
  .slot = SLOT(min_pool_size),
  .slot_inside = INSIDE(min_pool_size), .mark_inside = MARK(min_pool_size),
  .group = POOLS,
  .text = "Server connections that a pool keeps open, and to which it is entitled, once it has been used." },

{ .name = "reserve_pool_size", .alias = "reserve_pool",
  .type = OPT_COUNT,
  .preset = "0", .most = "1000000",
  .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
  .slot = SLOT(reserve_pool_size),
  .slot_inside = INSIDE(reserve_pool_size), .mark_inside = MARK(reserve_pool_size),
  .group = POOLS,
  .text = "Server connections that a pool may open beyond its size once a client has waited for "
          "`reserve_pool_timeout`." },

{ .name = "reserve_pool_timeout",
  .type = OPT_DURATION, .unit = "s",
  .preset = "5",
  .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_LIVE,
  .slot = SLOT(reserve_pool_timeout_us),
  .slot_inside = INSIDE(reserve_pool_timeout_us), .mark_inside = MARK(reserve_pool_timeout),
  .group = POOLS,
  .text = "How long a client must have waited before `reserve_pool_size` counts. 0: the reserve is not "
          "used." },

{ .name = "max_db_connections",
  .type = OPT_COUNT,
  .preset = "0", .most = "1000000",
  .scope = IN_GLOBAL | IN_DATABASE, .when = OPT_LIVE,
  .zero_inside_inherits = true,
  .slot = SLOT(max_db_connections),
  .slot_inside = INSIDE(max_db_connections), .mark_inside = MARK(max_db_connections),
  .group = POOLS,
  .text = "Most server connections of one entry of [databases], whoever the users are. 0: no limit of its "
          "own." },

{ .name = "max_user_connections",
  .type = OPT_COUNT,
  .preset = "0", .most = "1000000",
  .scope = IN_GLOBAL | IN_USER, .when = OPT_LIVE,
  .zero_inside_inherits = true,
  .slot = SLOT(max_user_connections),
  .slot_inside = INSIDE(max_user_connections), .mark_inside = MARK(max_user_connections),
  .group = POOLS,
  .text = "Most server connections of one role, whatever the databases are. 0: no limit of its own." },

{ .name = "autodb_idle_timeout",
  .type = OPT_DURATION, .unit = "s",
  .preset = "3600",
  .scope = IN_GLOBAL, .when = OPT_LIVE,
  .slot = SLOT(autodb_idle_timeout_us),
  .group = POOLS,
  .text = "Forgets a database that `*` stood in for when it has been unused for this long. 0: never." },

{ .name = "pool_idle_timeout",
  .type = OPT_DURATION, .unit = "s",
  .preset = "0",
  .scope = IN_GLOBAL, .when = OPT_LIVE,
  .slot = SLOT(pool_idle_timeout_us),
  .group = POOLS,
  .text = "Forgets a pool that has had neither clients nor servers for this long. 0: never." },

{ .name = "query_wait_timeout",
  .type = OPT_DURATION, .unit = "s",
  .preset = "120",
  .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
  .slot = SLOT(query_wait_timeout_us),
  .slot_inside = INSIDE(query_wait_timeout_us), .mark_inside = MARK(query_wait_timeout),
  .group = POOLS,
  .text = "How long a client may wait for a server before it is sent away. 0 waits for ever." },

{ .name = "query_wait_notify",
  .type = OPT_DURATION, .unit = "s",
  .preset = "5",
  .scope = IN_GLOBAL, .when = OPT_LIVE,
  .slot = SLOT(query_wait_notify_us),
  .group = POOLS,
  .text = "Sends a NOTICE to a client that has waited this long for a server. 0: none." },

{ .name = "max_prepared_statements",
  .type = OPT_COUNT,
  .preset = "200", .most = "100000",
  .scope = IN_GLOBAL, .when = OPT_LIVE,
  .slot = SLOT(max_prepared_statements),
  .group = POOLS,
  .text = "How many prepared statements one server connection keeps in transaction and statement mode; the one "
          "used longest ago makes room. 0: prepared statements are not tracked." },

{ .name = "max_pinned",
  .type = OPT_COUNT,
  .preset = "0", .most = "1000000",
  .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
  .slot = SLOT(max_pinned),
  .slot_inside = INSIDE(max_pinned), .mark_inside = MARK(max_pinned),
  .group = POOLS,
  .text = "How many clients of a pool may keep their server connection between transactions, because of "
          "session-level advisory locks, LISTEN, temporary tables, cursors WITH HOLD, SQL PREPARE or LOAD. "
          "Beyond it, queries that would begin such a thing are refused. 0: no limit." },

{ .name = "sequence_pin_timeout",
  .type = OPT_DURATION, .unit = "s",
  .preset = "5",
  .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
  .slot = SLOT(sequence_pin_timeout_us),
  .slot_inside = INSIDE(sequence_pin_timeout_us), .mark_inside = MARK(sequence_pin_timeout),
  .group = POOLS,
  .text = "How long a client that has asked for currval() or lastval() before keeps its server connection after a "
          "transaction that may have advanced a sequence, in case it asks again; and one that has called setseed(), in case "
          "it goes on with random(). 0: not at all." },

{ .name = "session_audit",
  .type = OPT_FRACTION,
  .preset = "0.0001",
  .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
  .slot = SLOT(session_audit),
  .slot_inside = INSIDE(session_audit), .mark_inside = MARK(session_audit),
  .group = POOLS,
  .text = "In which fraction of all cases the server is asked for everything that its session holds before another "
          "client has it: this finds what no text shows, as settings, temporary tables or LISTEN within functions "
          "and triggers. It is its client's, or removed if that is not known, and the query that did it is "
          "suspected from then on. 0: never; 1: always, at the price of about a millisecond for each transaction. "
          "Pools with a `connect_query` are not looked at." },

{ .name = "prepared_statements_memory",
  .type = OPT_BYTES,
  .preset = "256MB", .least = "1MB",
  .scope = IN_GLOBAL, .when = OPT_LIVE,
  .slot = SLOT(prepared_statements_memory),
  .group = POOLS,
  .text = "Bound on the memory for the texts of prepared statements, which all clients and servers share. A "
          "Parse beyond it is refused. What is there stays when it is lowered." },

{ .name = "query_timeout",
  .type = OPT_DURATION, .unit = "s",
  .preset = "0",
  .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
  .zero_inside_inherits = true,
  .slot = SLOT(query_timeout_us),
  .slot_inside = INSIDE(query_timeout_us), .mark_inside = MARK(query_timeout),
  .group = POOLS,
  .text = "Closes a server, and its client, whose query runs longer than this. 0: never; PostgreSQL's own "
          "statement_timeout is the gentler way." },

{ .name = "idle_transaction_timeout",
  .type = OPT_DURATION, .unit = "s",
  .preset = "0",
  .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
  .zero_inside_inherits = true,
  .slot = SLOT(idle_transaction_timeout_us),
  .slot_inside = INSIDE(idle_transaction_timeout_us), .mark_inside = MARK(idle_transaction_timeout),
  .group = POOLS,
  .text = "Closes a server, and its client, that has been idle in a transaction for this long. 0: never." },

{ .name = "transaction_timeout",
  .type = OPT_DURATION, .unit = "s",
  .preset = "0",
  .scope = IN_GLOBAL | IN_DATABASE | IN_USER, .when = OPT_LIVE,
  .zero_inside_inherits = true,
  .slot = SLOT(transaction_timeout_us),
  .slot_inside = INSIDE(transaction_timeout_us), .mark_inside = MARK(transaction_timeout),
  .group = POOLS,
  .text = "Closes a server, and its client, whose transaction takes longer than this. 0: never." },
