"""psycopg 3, with its defaults: prepares a statement when it is executed for the sixth time."""

import asyncio
import re
import threading
import time

import psycopg
from psycopg.rows import dict_row

from check import CLIENTS, DIRECT_URL, SESSION_CLIENTS, SESSION_SCHEMA, SESSION_URL, URL, crowd, finish, run, same, session_steps


def connect(**more):
    return psycopg.connect(URL, **more)


def schema():
    with connect() as c:
        c.execute("CREATE TABLE item (id int PRIMARY KEY, owner int, name text, price numeric, body bytea)")
        c.execute("CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL)")
        c.execute("CREATE TABLE changing AS SELECT 1 AS id")
        c.execute("INSERT INTO account SELECT n, 100 FROM generate_series(0, 9) n")


def prepared_statements(number):
    with connect(autocommit=True) as c:
        for n in range(30):
            key = number * 1000 + n
            c.execute("INSERT INTO item (id, owner, name) VALUES (%s, %s, %s)", (key, number, f"item {key}"))
            row = c.execute("SELECT id, name FROM item WHERE id = %s", (key,)).fetchone()
            same(row, (key, f"item {key}"))
        same(c.execute("SELECT count(*) FROM item WHERE owner = %s", (number,)).fetchone()[0], 30)


def many_texts(number):
    """More texts than the 100 statements that psycopg keeps: it deallocates the oldest."""
    with connect(autocommit=True) as c:
        for text in range(130):
            for _ in range(6):
                row = c.execute(f"SELECT %s::int + {text}", (number,)).fetchone()
                same(row, (number + text,))


def transfers(number):
    with connect() as c:
        for n in range(20):
            source, target = sorted(((number + n) % 10, (number + 3 * n + 1) % 10))
            with c.transaction():
                c.execute("UPDATE account SET money = money - 1 WHERE id = %s", (source,))
                try:
                    with c.transaction():
                        c.execute("UPDATE account SET money = NULL WHERE id = %s", (source,))
                except psycopg.errors.NotNullViolation:
                    pass
                c.execute("UPDATE account SET money = money + 1 WHERE id = %s", (target,))


def money_is_still_there():
    with connect() as c:
        same(c.execute("SELECT sum(money) FROM account").fetchone()[0], 1000)


def pipelines(number):
    with connect(autocommit=True) as c:
        with c.pipeline() as p:
            cursors = [c.execute("SELECT %s::int * 2", (number * 100 + n,)) for n in range(40)]
            p.sync()
            for n, cursor in enumerate(cursors):
                same(cursor.fetchone(), ((number * 100 + n) * 2,))


def errors_in_pipelines(number):
    with connect(autocommit=True) as c:
        for _ in range(5):
            try:
                with c.pipeline() as p:
                    c.execute("SELECT %s::int", (number,))
                    c.execute("SELECT 1 / %s::int", (0,))
                    c.execute("SELECT %s::int", (number,))
                    p.sync()
            except psycopg.errors.DivisionByZero:
                pass
            else:
                raise AssertionError("nothing was said about the division")
            same(c.execute("SELECT %s::int", (number,)).fetchone(), (number,))


def executemany(number):
    with connect() as c, c.cursor() as cur:
        rows = [(1_000_000 + number * 1000 + n, number, "many") for n in range(100)]
        cur.executemany("INSERT INTO item (id, owner, name) VALUES (%s, %s, %s)", rows)
        same(cur.rowcount, 100)
        cur.executemany("SELECT %s::int", [(n,) for n in range(20)], returning=True)
        answers = []
        while True:
            answers.append(cur.fetchone()[0])
            if not cur.nextset():
                break
        same(answers, list(range(20)))


def copies(number):
    with connect() as c:
        c.execute("CREATE TEMP TABLE copied (a int, b text) ON COMMIT DROP")
        with c.cursor().copy("COPY copied FROM STDIN") as copy:
            for n in range(1000):
                copy.write_row((n, f"row {n} of {number}"))
        with c.cursor().copy("COPY (SELECT * FROM copied ORDER BY a) TO STDOUT") as copy:
            copy.set_types(["int4", "text"])
            same(list(copy.rows()), [(n, f"row {n} of {number}") for n in range(1000)])
        try:
            with c.cursor().copy("COPY copied FROM STDIN") as copy:
                copy.write_row(("no number", "x"))
        except psycopg.errors.InvalidTextRepresentation:
            c.rollback()
        else:
            raise AssertionError("a bad COPY went through")
        try:
            with c.cursor().copy("COPY account FROM STDIN") as copy:
                copy.write_row((99, 99))
                raise KeyError("given up")
        except psycopg.errors.QueryCanceled:
            c.rollback()
        same(c.execute("SELECT count(*) FROM account WHERE id = 99").fetchone(), (0,))


def server_side_cursors(number):
    with connect() as c:
        with c.cursor(name=f"cursor_{number}") as cur:
            cur.itersize = 100
            cur.execute("SELECT n FROM generate_series(1, 1000) n WHERE n %% %s >= 0", (7,))
            same([n for n, in cur], list(range(1, 1001)))
        with c.cursor(name="scrolling", scrollable=True) as cur:
            cur.execute("SELECT n FROM generate_series(1, 100) n")
            cur.scroll(50)
            same(cur.fetchone(), (51,))
            cur.scroll(-10)
            same(cur.fetchone(), (42,))


def large_values(number):
    data = bytes([number]) * 2_000_000
    with connect() as c:
        c.execute("INSERT INTO item (id, body) VALUES (%s, %s)", (-number - 1, data))
        for binary in (False, True):
            row = c.execute("SELECT body FROM item WHERE id = %s", (-number - 1,), binary=binary).fetchone()
            same(row[0], data)


def binary_and_rows(number):
    with connect(row_factory=dict_row) as c:
        for _ in range(8):
            row = c.execute("SELECT %b::int8 AS a, %t AS b, now()::date AS d, %b::jsonb AS j",
                            (number, "text", psycopg.types.json.Jsonb({"n": [1, number]})), binary=True).fetchone()
            same((row["a"], row["b"], row["j"]), (number, "text", {"n": [1, number]}))


def cancel():
    with connect(autocommit=True) as c:
        timer = threading.Timer(0.3, c.cancel)
        timer.start()
        try:
            c.execute("SELECT pg_sleep(20)")
        except psycopg.errors.QueryCanceled:
            pass
        else:
            raise AssertionError("not cancelled")
        timer.join()
        same(c.execute("SELECT 1").fetchone(), (1,))


def two_phase(number):
    with connect() as c:
        xid = c.xid(1, f"gtrid{number}", "b")
        c.tpc_begin(xid)
        c.execute("INSERT INTO item (id, owner) VALUES (%s, %s)", (2_000_000 + number, number))
        c.tpc_prepare()
        c.tpc_commit()
        same(c.execute("SELECT owner FROM item WHERE id = %s", (2_000_000 + number,)).fetchone(), (number,))


def isolation(number):
    with connect() as c:
        c.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        c.read_only = True
        same(c.execute("SHOW transaction_isolation").fetchone(), ("serializable",))
        same(c.execute("SHOW transaction_read_only").fetchone(), ("on",))
        c.rollback()
        c.isolation_level = None
        c.read_only = None
        same(c.execute("SHOW transaction_isolation").fetchone(), ("read committed",))


def settings_follow(number):
    zone = ["Europe/Rome", "Asia/Tokyo", "America/New_York"][number % 3]
    with connect(autocommit=True, options="-c statement_timeout=55s") as c:
        c.execute(f"SET TimeZone = '{zone}'")
        for _ in range(10):
            same(c.execute("SHOW TimeZone").fetchone(), (zone,))
            same(c.execute("SHOW statement_timeout").fetchone(), ("55s",))
        same(c.info.parameter_status("TimeZone"), zone)


def schema_changes(number):
    """Columns are added around pgweir while statements that say SELECT * stand prepared on every server."""
    if number == 0:
        with psycopg.connect(DIRECT_URL, autocommit=True) as c:
            for n in range(4):
                time.sleep(0.2)
                c.execute(f"ALTER TABLE changing ADD COLUMN new_{n} int DEFAULT {n}")
        return
    with connect(autocommit=True) as c:
        columns = 0
        while columns < 5:
            row = c.execute("SELECT * FROM changing WHERE id >= %s", (1,)).fetchone()
            if len(row) < columns or row != (1, 0, 1, 2, 3)[:len(row)]:
                raise AssertionError(f"found {row} after {columns} columns")
            columns = len(row)


def session_state(number):
    """What a session owns: temporary tables, locks, cursors, SQL-level statements, settings that nobody reports."""
    with connect(autocommit=True) as c:
        c.execute(f"CREATE TEMP TABLE mine AS SELECT {number} AS n")
        c.execute(f"PREPARE mine AS SELECT {number} + $1::int")
        c.execute(f"SET search_path = s{number}, public")
        c.execute(f"SET my.number = '{number}'")
        with c.transaction():
            c.execute(f"DECLARE mine CURSOR WITH HOLD FOR SELECT n + {number} FROM generate_series(1, 10) n")
        for n in range(5):
            same(c.execute("SELECT n FROM mine").fetchone(), (number,))
            same(c.execute(f"EXECUTE mine({n})").fetchone(), (number + n,))
            same(c.execute("SHOW search_path").fetchone(), (f"s{number}, public",))
            same(c.execute("SELECT current_setting('my.number')").fetchone(), (str(number),))
            same(c.execute("FETCH NEXT FROM mine").fetchone(), (n + 1 + number,))
        c.execute("DROP TABLE mine")
        c.execute("DEALLOCATE mine")
        c.execute("CLOSE mine")
        same(c.execute("SELECT 1").fetchone(), (1,))


def locks_of_the_session(number):
    """One at a time, although each holds the lock over many transactions."""
    with connect(autocommit=True) as c:
        c.execute("SELECT pg_advisory_lock(42)")
        inside.append(number)
        for _ in range(5):
            c.execute("SELECT 1")
            same(inside, [number])
        inside.clear()
        same(c.execute("SELECT pg_advisory_unlock(42)").fetchone(), (True,))


inside = []


def notifications():
    """Listeners are told what is said while they are idle, and after LISTEN only."""
    with connect(autocommit=True) as one, connect(autocommit=True) as two, connect(autocommit=True) as speaker:
        one.execute("LISTEN news")
        two.execute("LISTEN other")
        speaker.execute("NOTIFY news, 'hello'")
        waiting = one.notifies()
        heard = next(waiting)
        waiting.close()
        same((heard.channel, heard.payload), ("news", "hello"))
        one.execute("UNLISTEN *")
        to_two = []
        two.add_notify_handler(lambda n: to_two.append(n.payload))
        two.execute("NOTIFY other, 'to myself'")
        two.execute("SELECT 1")
        same(to_two, ["to myself"])
        two.execute("UNLISTEN *")


def notices():
    with connect(autocommit=True) as c:
        heard = []
        c.add_notice_handler(lambda d: heard.append(d.message_primary))
        c.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
        same(heard, ["hello"])


async def async_client(number):
    async with await psycopg.AsyncConnection.connect(URL) as c:
        for n in range(15):
            async with c.transaction():
                cur = await c.execute("SELECT %s::int, pg_backend_pid() > 0", (number * n,))
                same(await cur.fetchone(), (number * n, True))


async def async_clients():
    await asyncio.gather(*[async_client(n) for n in range(CLIENTS)])


def reconnects():
    for n in range(40):
        with connect() as c:
            same(c.execute("SELECT %s", (n,)).fetchone(), (n,))


def whole_session(number):
    """All that a session can hold; see session.steps."""
    with psycopg.connect(SESSION_URL, autocommit=True) as c:
        heard = []
        c.add_notify_handler(lambda n: heard.append(f"{n.channel} {n.payload}"))
        for sql, parameters, wanted in session_steps(number):
            if sql.startswith("hears "):
                for _ in range(1000):
                    if not heard:
                        c.execute("SELECT pg_sleep(0.05)")
                same(heard, [sql.removeprefix("hears ")])
                continue
            try:
                cur = c.execute(re.sub(r"\$\d", "%s", sql) if parameters else sql, parameters)
            except psycopg.Error:
                if wanted != "?":
                    raise
                continue
            if wanted not in (None, "?"):
                same((sql, cur.fetchone()[0]), (sql, wanted))


def session_schema():
    with connect() as c:
        c.execute(SESSION_SCHEMA)


run("schema", schema)
run("statements that it prepares by itself", crowd, prepared_statements)
run("more texts than it keeps prepared", crowd, many_texts, 6)
run("transactions and savepoints", crowd, transfers)
run("no money is lost", money_is_still_there)
run("pipeline mode", crowd, pipelines)
run("errors in pipeline mode", crowd, errors_in_pipelines)
run("executemany", crowd, executemany)
run("COPY in, out, refused and given up", crowd, copies)
run("server-side cursors", crowd, server_side_cursors)
run("values of two megabytes", crowd, large_values, 10)
run("binary results", crowd, binary_and_rows)
run("cancel", cancel)
run("two-phase commit", crowd, two_phase, 5)
run("isolation levels", crowd, isolation)
run("settings follow", crowd, settings_follow)
run("schema changes", crowd, schema_changes)
run("state of the session", crowd, session_state, 5)
run("locks of the session", crowd, locks_of_the_session, 5)
run("notifications", notifications)
run("notices", notices)
run("async clients", lambda: asyncio.run(async_clients()))
run("tables for the whole session", session_schema)
run("the whole session, 20 clients on 3 servers", crowd, whole_session, SESSION_CLIENTS)
run("connecting again and again", reconnects)
finish()
