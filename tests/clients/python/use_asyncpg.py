"""asyncpg, with its defaults: every query is a prepared statement, named and kept (statement_cache_size = 100)."""

import asyncio
import decimal
import uuid

import asyncpg

from check import CLIENTS, DIRECT_URL, SESSION_CLIENTS, SESSION_SCHEMA, SESSION_URL, URL, finish, run, same, session_steps


def crowd(body, clients=CLIENTS):
    async def one(number):
        c = await asyncpg.connect(URL)
        try:
            await body(c, number)
        finally:
            await c.close()

    async def everybody():
        await asyncio.gather(*[one(number) for number in range(clients)])

    asyncio.run(everybody())


async def schema(c, _number):
    await c.execute("""
        CREATE TABLE item (id int PRIMARY KEY, owner int, name text, price numeric, tags text[], body bytea);
        CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL);
        INSERT INTO account SELECT n, 100 FROM generate_series(0, 9) n;
        CREATE TABLE changing AS SELECT 1 AS id;
        CREATE TYPE mood AS ENUM ('sad', 'happy');
        CREATE TYPE pair AS (a int, b text);
    """)


async def prepared_statements(c, number):
    for n in range(30):
        key = number * 1000 + n
        await c.execute("INSERT INTO item (id, owner, name, price, tags) VALUES ($1, $2, $3, $4, $5)",
                        key, number, f"item {key}", decimal.Decimal("9.99"), ["a", str(number)])
        row = await c.fetchrow("SELECT id, name, price, tags FROM item WHERE id = $1", key)
        same(tuple(row), (key, f"item {key}", decimal.Decimal("9.99"), ["a", str(number)]))
    same(await c.fetchval("SELECT count(*) FROM item WHERE owner = $1", number), 30)


async def many_texts(c, number):
    for _ in range(2):
        for text in range(130):
            same(await c.fetchval(f"SELECT $1::int + {text}", number), number + text)


async def explicit_prepare(c, number):
    statement = await c.prepare("SELECT $1::int AS a, $2::text AS b")
    same([a.name for a in statement.get_attributes()], ["a", "b"])
    for n in range(20):
        same(tuple(await statement.fetchrow(number + n, "x")), (number + n, "x"))


async def transfers(c, number):
    for n in range(20):
        source, target = sorted(((number + n) % 10, (number + 3 * n + 1) % 10))
        async with c.transaction():
            await c.execute("UPDATE account SET money = money - 1 WHERE id = $1", source)
            try:
                async with c.transaction():
                    await c.execute("UPDATE account SET money = NULL WHERE id = $1", source)
            except asyncpg.NotNullViolationError:
                pass
            await c.execute("UPDATE account SET money = money + 1 WHERE id = $1", target)


async def money_is_still_there(c, _number):
    same(await c.fetchval("SELECT sum(money) FROM account"), 1000)


async def isolation(c, _number):
    async with c.transaction(isolation="serializable", readonly=True, deferrable=True):
        same(await c.fetchval("SHOW transaction_isolation"), "serializable")
    same(await c.fetchval("SHOW transaction_isolation"), "read committed")


async def custom_types(c, number):
    mood = "happy" if number % 2 else "sad"
    for _ in range(5):
        row = await c.fetchrow("SELECT $1::mood, ROW($2::int, 'x')::pair, $3::uuid[]", mood, number, [uuid.UUID(int=number)])
        same((row[0], tuple(row[1]), row[2]), (mood, (number, "x"), [uuid.UUID(int=number)]))


async def executemany(c, number):
    await c.executemany("INSERT INTO item (id, owner) VALUES ($1, $2)",
                        [(1_000_000 + number * 1000 + n, number) for n in range(200)])
    same(await c.fetchval("SELECT count(*) FROM item WHERE owner = $1 AND id > 1000000 - 1", number), 200)
    try:
        await c.executemany("INSERT INTO item (id, owner) VALUES ($1, $2)", [(-1, 1), (-1, 2)])
    except asyncpg.UniqueViolationError:
        pass
    else:
        raise AssertionError("a key went in twice")
    same(await c.fetchval("SELECT count(*) FROM item WHERE id = -1"), 0)


async def cursors(c, number):
    async with c.transaction():
        found = [row[0] async for row in c.cursor("SELECT n FROM generate_series(1, $1::int) n", 500 + number, prefetch=50)]
        same(found, list(range(1, 501 + number)))
        cursor = await c.cursor("SELECT n FROM generate_series(1, 100) n")
        await cursor.forward(10)
        same([r[0] for r in await cursor.fetch(5)], [11, 12, 13, 14, 15])


async def copies(c, number):
    async with c.transaction():
        await c.execute("CREATE TEMP TABLE copied (a int, b text) ON COMMIT DROP")
        done = await c.copy_records_to_table("copied", records=[(n, f"{n} of {number}") for n in range(2000)])
        same(done, "COPY 2000")
        parts = []

        async def collect(data):
            parts.append(data)

        await c.copy_from_query("SELECT * FROM copied WHERE a < $1 ORDER BY a", 500, output=collect, format="csv")
        same(b"".join(parts).decode(), "".join(f"{n},{n} of {number}\n" for n in range(500)))


async def large_values(c, number):
    data = bytes([number]) * 2_000_000
    same(await c.fetchval("SELECT $1::bytea", data), data)


async def timeouts(c, number):
    try:
        await c.fetchval("SELECT pg_sleep(20)", timeout=0.3)
    except asyncio.TimeoutError:
        pass
    else:
        raise AssertionError("no timeout")
    same(await c.fetchval("SELECT $1::int", number), number)


async def errors(c, number):
    for _ in range(5):
        try:
            await c.fetchval("SELECT 1 / $1::int", 0)
        except asyncpg.DivisionByZeroError:
            pass
        try:
            await c.fetch("SELECT nothing FROM nowhere")
        except asyncpg.UndefinedTableError:
            pass
        same(await c.fetchval("SELECT $1::int", number), number)


seen_columns = {}


async def schema_changes(c, number):
    """Columns are added around pgweir. asyncpg prepares anew when it is told that a plan may not change its result,
    and does so once: the next change waits until everybody has met the one before."""
    if number == 0:
        direct = await asyncpg.connect(DIRECT_URL)
        for n in range(4):
            while len(seen_columns) < CLIENTS - 1 or min(seen_columns.values()) <= n:
                await asyncio.sleep(0.01)
            await direct.execute(f"ALTER TABLE changing ADD COLUMN new_{n} int DEFAULT {n}")
        await direct.close()
        return
    columns = 0
    while columns < 5:
        row = tuple(await c.fetchrow("SELECT * FROM changing WHERE id >= $1", 1))
        if len(row) < columns or row != (1, 0, 1, 2, 3)[:len(row)]:
            raise AssertionError(f"found {row} after {columns} columns")
        columns = seen_columns[number] = len(row)


async def notifications(c, number):
    heard = asyncio.Queue()
    await c.add_listener(f"channel_{number}", lambda _c, _pid, _channel, payload: heard.put_nowait(payload))
    for n in range(3):
        await c.execute("SELECT pg_notify($1, $2)", f"channel_{number}", str(n))
        same(await asyncio.wait_for(heard.get(), 60), str(n))
    await c.reset()


async def pool(_c, _number):
    """Its own pool resets a connection on release: SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL."""
    async with asyncpg.create_pool(URL, min_size=5, max_size=20) as p:
        async def work(n):
            async with p.acquire() as c:
                await c.execute("SET application_name = 'in a pool'")
                same(await c.fetchval("SELECT $1::int + 1", n), n + 1)
            same(await p.fetchval("SELECT $1::int + 2", n), n + 2)
        await asyncio.gather(*[work(n) for n in range(200)])


async def whole_session(number):
    """All that a session can hold; see session.steps."""
    c = await asyncpg.connect(SESSION_URL)
    heard = []
    try:
        for sql, parameters, wanted in session_steps(number):
            if sql.startswith("hears "):
                for _ in range(1000):
                    if not heard:
                        await c.execute("SELECT pg_sleep(0.05)")
                same(heard, [sql.removeprefix("hears ")])
                continue
            if sql.startswith("LISTEN "):
                await c.add_listener(sql.removeprefix("LISTEN "), lambda _c, _pid, channel, text: heard.append(f"{channel} {text}"))
                continue
            try:
                if wanted in (None, "?") and not parameters:
                    await c.execute(sql)
                else:
                    found = await c.fetchval(sql, *(parameters or []))
            except asyncpg.PostgresError:
                if wanted != "?":
                    raise
                continue
            if wanted not in (None, "?"):
                same((sql, found), (sql, wanted))
    finally:
        c.terminate()


async def whole_sessions():
    await asyncio.gather(*[whole_session(number) for number in range(SESSION_CLIENTS)])


async def session_schema(c, _number):
    await c.execute(SESSION_SCHEMA)


run("schema", crowd, schema, 1)
run("statements that it keeps prepared", crowd, prepared_statements)
run("more texts than it keeps prepared", crowd, many_texts, 10)
run("prepare()", crowd, explicit_prepare)
run("transactions and savepoints", crowd, transfers)
run("no money is lost", crowd, money_is_still_there, 1)
run("isolation levels", crowd, isolation)
run("types that it asks the catalogs about", crowd, custom_types)
run("executemany", crowd, executemany)
run("cursors", crowd, cursors)
run("COPY", crowd, copies)
run("values of two megabytes", crowd, large_values, 10)
run("timeouts cancel", crowd, timeouts, 5)
run("errors", crowd, errors)
run("schema changes", crowd, schema_changes)
run("listeners", crowd, notifications, 5)
run("its own pool", crowd, pool, 1)
run("tables for the whole session", crowd, session_schema, 1)
run("the whole session, 20 clients on 3 servers", lambda: asyncio.run(whole_sessions()))
finish()
