/*
 * session_words.c - see session_words.h.
 *
 * Custom settings are asked for by nullif(current_setting(…, true), ''): once reset they are empty, and only
 * on a connection that never had them NULL. Nothing here depends on who else is connected.
 */
#include "session_words.h"

#include <string.h>

#include "harness.h"

#define WHO "nullif(current_setting('app.who', true), '')"

static const char *const queries[] = {
    /* settings */
    "set app.who = 'c%u'",
    "set app.who = 'it''s \"odd\", c%u'",
    "set session app.who to 'd%u'",
    "set local app.who = 'local'",
    "select set_config('app.who', 'e%u', false)",
    "select set_config('app.who', 'local too', true)",
    "select set_config('app.' || 'who', 'f%u', false)",
    "reset app.who",
    "set app.who to default",
    "select " WHO,
    "select " WHO,
    "select " WHO ", current_setting('work_mem'), current_user, current_setting('search_path')",
    "set work_mem = '1%uMB'",
    "set local work_mem = '9MB'",
    "reset work_mem",
    "show work_mem",
    "show work_mem",
    "set work_mem = 'nonsense'",
    "set work_mem = '5MB'; select 1 / 0",
    "set work_mem = '6MB'; set app.who = 'two'; select " WHO,
    "set datestyle = 'German'",
    "set time zone 'Asia/Tokyo'",
    "set time zone default",
    "select timestamptz '2020-01-02 03:04:05+00', date '2020-01-02'",
    "set application_name = 'a%u'",
    "show application_name",
    "set extra_float_digits = 0",
    "select 1::float8 / 3",
    "set search_path = pg_temp, public",
    "set search_path to default",
    "set standard_conforming_strings = off",
    "set standard_conforming_strings = on",
    "set session characteristics as transaction isolation level serializable",
    "set default_transaction_isolation to default",
    "show transaction_isolation",
    "set role none",
    "reset role",
    "show role",
    "reset all",
    "reset all",
    "discard all",
    "discard temp",
    "discard plans",
    "do $$begin perform set_config('app.who', 'done by %u', false); end$$",
    "do 'begin set work_mem = ''7MB''; end'",
    /* objects */
    "create temp table own (a int)",
    "create temp table own (a int) on commit drop",
    "create temp table if not exists own as select %u as a",
    "select 1 as a into temp own",
    "insert into own values (%u)",
    "select count(*), sum(a) from own",
    "drop table own",
    "drop table if exists own",
    "select to_regclass('pg_temp.own') is not null",
    /* channels */
    "listen news",
    "listen more",
    "unlisten news",
    "unlisten *",
    "select c from pg_listening_channels() c order by c",
    /* locks */
    "select pg_advisory_lock(7100 + %u)",
    "select pg_advisory_lock(7100 + %u)",
    "select pg_try_advisory_lock_shared(7200 + %u)",
    "select pg_advisory_xact_lock(7300 + %u)",
    "select pg_advisory_unlock(7100 + %u)",
    "select pg_advisory_unlock_all()",
    "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
    /* cursors */
    "declare kept cursor with hold for select a from r order by a",
    "declare short cursor for select a from r order by a",
    "fetch 2 from kept",
    "fetch 1 from short",
    "close kept",
    "close all",
    "select name from pg_cursors where is_holdable order by name",
    /* statements */
    "prepare plan as select $1::int + %u",
    "prepare \"Plan\" as select " WHO,
    "execute plan(1)",
    "execute s1",
    "execute \"Plan\"",
    "deallocate plan",
    "deallocate s1",
    "deallocate all",
    "select count(*) from pg_prepared_statements where from_sql",
    /* transactions */
    "begin",
    "begin",
    "begin; set app.who = 'in one go'; commit",
    "commit",
    "commit",
    "rollback",
    "rollback",
    "savepoint s",
    "rollback to s",
    "release s",
    "commit and chain",
    "select 1 / 0",
};

const char *
session_query(unsigned pick, unsigned client)
{
    const char *query = queries[pick % COUNT_OF(queries)];
    const char *number = strstr(query, "%u");

    return number == NULL ? query : text("%.*s%u%s", (int)(number - query), query, client, number + 2);
}
