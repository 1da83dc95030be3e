"""What every Python client here shares: the list of things to try, and the crowd."""

import os
import sys
import threading
import time
import traceback

URL = os.environ["DATABASE_URL"]
DIRECT_URL = os.environ["DIRECT_URL"]
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


def finish():
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
