"""psycopg2: simple queries only."""

import io
import threading

import psycopg2
import psycopg2.extras
import psycopg2.pool

from check import CLIENTS, URL, crowd, finish, run, same


def connect():
    return psycopg2.connect(URL)


def schema():
    with connect() as c, c.cursor() as cur:
        cur.execute("""
            CREATE TABLE item (id int PRIMARY KEY, owner int, name text, info jsonb);
            CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL);
            INSERT INTO account SELECT n, 100 FROM generate_series(0, 9) n""")


def crud(number):
    c = connect()
    for n in range(20):
        key = number * 1000 + n
        with c, c.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cur:
            cur.execute("INSERT INTO item VALUES (%s, %s, %s, %s)", (key, number, f"it's {key}", psycopg2.extras.Json([n])))
        with c, c.cursor() as cur:
            cur.execute("UPDATE item SET name = name || '!' WHERE id = %s RETURNING name, info", (key,))
            same(cur.fetchone(), (f"it's {key}!", [n]))
    c.close()


def transfers(number):
    c = connect()
    for n in range(20):
        source, target = sorted(((number + n) % 10, (number + 3 * n + 1) % 10))
        try:
            with c, c.cursor() as cur:
                cur.execute("UPDATE account SET money = money - 1 WHERE id = %s", (source,))
                if n % 4 == 0:
                    cur.execute("UPDATE account SET money = NULL WHERE id = %s", (source,))
                cur.execute("UPDATE account SET money = money + 1 WHERE id = %s", (target,))
        except psycopg2.errors.NotNullViolation:
            pass
    c.close()


def money_is_still_there():
    with connect() as c, c.cursor() as cur:
        cur.execute("SELECT sum(money) FROM account")
        same(cur.fetchone(), (1000,))


def named_cursors(number):
    with connect() as c, c.cursor(f"c{number}") as cur:
        cur.itersize = 100
        cur.execute("SELECT n FROM generate_series(1, 1000) n")
        same([n for n, in cur], list(range(1, 1001)))


def bulk(number):
    with connect() as c, c.cursor() as cur:
        rows = [(1_000_000 + number * 1000 + n, number, "x", None) for n in range(300)]
        psycopg2.extras.execute_values(cur, "INSERT INTO item VALUES %s", rows)
        psycopg2.extras.execute_batch(cur, "UPDATE item SET name = %s WHERE id = %s", [("y", row[0]) for row in rows])
        cur.execute("SELECT count(*) FROM item WHERE owner = %s AND name = 'y'", (number,))
        same(cur.fetchone(), (300,))


def copies(number):
    with connect() as c, c.cursor() as cur:
        cur.execute("CREATE TEMP TABLE copied (a int, b text) ON COMMIT DROP")
        text = "".join(f"{n}\trow {n} of {number}\n" for n in range(2000))
        cur.copy_expert("COPY copied FROM STDIN", io.StringIO(text))
        out = io.StringIO()
        cur.copy_expert("COPY (SELECT * FROM copied ORDER BY a) TO STDOUT", out)
        same(out.getvalue(), text)


def large_objects(number):
    with connect() as c:
        data = bytes(range(256)) * 2000
        lob = c.lobject(0, "wb")
        lob.write(data)
        oid = lob.oid
        lob.close()
        lob = c.lobject(oid, "rb")
        lob.seek(1000)
        same(lob.read(5000), data[1000:6000])
        lob.unlink()


def cancel():
    c = connect()
    timer = threading.Timer(0.3, c.cancel)
    timer.start()
    try:
        with c.cursor() as cur:
            cur.execute("SELECT pg_sleep(20)")
    except psycopg2.errors.QueryCanceled:
        c.rollback()
    else:
        raise AssertionError("not cancelled")
    timer.join()
    with c.cursor() as cur:
        cur.execute("SELECT 1")
        same(cur.fetchone(), (1,))


def session_settings(number):
    c = connect()
    c.set_session(isolation_level="REPEATABLE READ", readonly=bool(number % 2))
    for _ in range(5):
        with c, c.cursor() as cur:
            cur.execute("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
            same(cur.fetchone(), ("repeatable read", "on" if number % 2 else "off"))
    c.set_client_encoding("LATIN1")
    with c, c.cursor() as cur:
        cur.execute("SELECT chr(228), length('\u00e4')")
        same(cur.fetchone(), ("\u00e4", 1))
    c.close()


def pooled():
    pool = psycopg2.pool.ThreadedConnectionPool(1, CLIENTS, URL)

    def work(number):
        for n in range(10):
            c = pool.getconn()
            with c, c.cursor() as cur:
                cur.execute("SELECT %s + %s", (number, n))
                same(cur.fetchone(), (number + n,))
            pool.putconn(c)

    crowd(work)
    pool.closeall()


run("schema", schema)
run("insert, update, select", crowd, crud)
run("transactions", crowd, transfers)
run("no money is lost", money_is_still_there)
run("named cursors", crowd, named_cursors)
run("execute_values and execute_batch", crowd, bulk)
run("COPY", crowd, copies)
run("large objects", crowd, large_objects)
run("cancel", cancel)
run("isolation, read-only, encoding", crowd, session_settings)
run("its own pool", pooled)
finish()
