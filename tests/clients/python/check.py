"""What every Python client here shares: the list of things to try, and the crowd."""

import os
import sys
import threading
import time
import traceback

URL = os.environ["DATABASE_URL"]
DIRECT_URL = os.environ["DIRECT_URL"]
SESSION_URL = os.environ["SESSION_URL"]
CLIENTS = int(os.environ.get("CLIENTS", "30"))

passed = 0
failed = 0


def run(what, body, *args):
    """Runs one thing; an exception is its failure."""
    global passed, failed
    began = time.monotonic()
    try:
        body(*args)
    except Exception as why:  # noqa: BLE001 - any failure counts
        failed += 1
        print(f"FAILED {what}: {type(why).__name__}: {why}")
        traceback.print_exc(file=sys.stdout)
    else:
        passed += 1
        print(f"ok {what} ({time.monotonic() - began:.1f} s)")
    sys.stdout.flush()


def crowd(body, clients=CLIENTS):
    """body(number) in a thread for each client, all at once. The first failure is raised."""
    why = []

    def one(number):
        try:
            body(number)
        except Exception as error:  # noqa: BLE001
            why.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if why:
        raise RuntimeError(f"{len(why)} of {clients} clients failed") from why[0]


def same(found, wanted):
    if found != wanted:
        raise AssertionError(f"found {found!r:.300}, wanted {wanted!r:.300}")


SESSION_CLIENTS = 20
SESSION_SCHEMA = """
    CREATE TABLE tenant_row (tenant text);
    INSERT INTO tenant_row SELECT 'tenant' || n FROM generate_series(0, 30) n;
    ALTER TABLE tenant_row ENABLE ROW LEVEL SECURITY;
    ALTER TABLE tenant_row FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON tenant_row USING (tenant = current_setting('app.tenant', true));
    CREATE TABLE serial_row (id serial PRIMARY KEY, owner int);
"""


def session_steps(number):
    """(SQL, parameters or None, the value that it must have or None) of each step of session.steps."""
    with open(os.environ["SESSION_STEPS"], encoding="utf-8") as steps:
        for line in steps:
            line = line.strip().replace("{n}", str(number))
            if not line or line.startswith("#"):
                continue
            sql, _, wanted = line.partition(" -> ")
            sql, _, parameters = sql.partition(" <- ")
            yield sql, parameters.split(", ") if parameters else None, wanted or None


def finish():
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
