<?php
// PDO_pgsql (prepares every statement by name, and forgets it with SQL: DEALLOCATE) and pg_* functions.
// PHP has no threads: the crowd is CLIENTS processes.

function connect(): PDO
{
    $e = fn ($name) => getenv($name);
    return new PDO("pgsql:host={$e('PGHOST')};port={$e('PGPORT')};dbname={$e('PGDATABASE')}", $e('PGUSER'), $e('PGPASSWORD'));
}

function same($found, $wanted): void
{
    if ($found !== $wanted) {
        throw new Exception('found ' . json_encode($found) . ', wanted ' . json_encode($wanted));
    }
}

function fails(string $sqlstate, callable $body): void
{
    try {
        $body();
    } catch (PDOException $why) {
        if ($why->getCode() !== $sqlstate) {
            throw $why;
        }
        return;
    }
    throw new Exception("nothing failed, where $sqlstate should have");
}

$things = [
    'statements that it prepares' => function (int $number) {
        $c = connect();
        for ($n = 0; $n < 15; $n++) {
            $key = $number * 1000 + $n;
            $add = $c->prepare('INSERT INTO item (id, owner, name) VALUES (?, ?, ?)');
            $add->execute([$key, $number, "item $key"]);
            $get = $c->prepare('SELECT id, name FROM item WHERE id = :id');
            for ($again = 0; $again < 3; $again++) {
                $get->execute(['id' => $key]);
                same($get->fetch(PDO::FETCH_NUM), [$key, "item $key"]);
            }
        }
    },
    'statements that it forgets within a transaction' => function (int $number) {
        $c = connect();
        for ($n = 0; $n < 10; $n++) {
            $outside = $c->prepare('SELECT ?::int');
            $outside->execute([$number]);
            same($outside->fetchColumn(), $number);
            $c->beginTransaction();
            $outside = null;
            $inside = $c->prepare('SELECT ?::int + 1');
            $inside->execute([$number]);
            same($inside->fetchColumn(), $number + 1);
            $inside = null;
            $c->commit();
        }
    },
    'transactions' => function (int $number) {
        $c = connect();
        $move = $c->prepare('UPDATE account SET money = money + ? WHERE id = ?');
        for ($n = 0; $n < 15; $n++) {
            $pair = [($number + $n) % 10, ($number + 3 * $n + 1) % 10];
            sort($pair);
            $c->beginTransaction();
            $move->execute([-1, $pair[0]]);
            if ($n % 4 === 0) {
                fails('23502', fn () => $c->exec("UPDATE account SET money = NULL WHERE id = {$pair[0]}"));
                $c->rollBack();
                continue;
            }
            $move->execute([1, $pair[1]]);
            $c->commit();
        }
    },
    'emulated prepares and exec' => function (int $number) {
        $c = connect();
        $c->setAttribute(PDO::ATTR_EMULATE_PREPARES, true);
        for ($n = 0; $n < 10; $n++) {
            $get = $c->prepare('SELECT ?::int AS n, ?::text AS t');
            $get->execute([$number, "it's"]);
            same($get->fetch(PDO::FETCH_ASSOC), ['n' => $number, 't' => "it's"]);
        }
    },
    'errors' => function (int $number) {
        $c = connect();
        for ($n = 0; $n < 5; $n++) {
            fails('42P01', fn () => $c->query('SELECT * FROM nowhere'));
            fails('22012', fn () => $c->prepare('SELECT 1 / ?::int')->execute([0]));
            same($c->query("SELECT $number")->fetchColumn(), $number);
        }
    },
    'COPY and large objects' => function (int $number) {
        $c = connect();
        $rows = array_map(fn ($n) => (1_000_000 + $number * 1000 + $n) . "\t$number\tcopied\n", range(1, 200));
        same($c->pgsqlCopyFromArray('item', $rows, "\t", '\\\\N', 'id, owner, name'), true);
        same(count($c->pgsqlCopyToArray('item')) >= 200, true);
        $c->beginTransaction();
        $oid = $c->pgsqlLOBCreate();
        $lob = $c->pgsqlLOBOpen($oid, 'w');
        fwrite($lob, str_repeat('x', 100_000));
        fclose($lob);
        same(strlen(stream_get_contents($c->pgsqlLOBOpen($oid, 'r'))), 100_000);
        $c->pgsqlLOBUnlink($oid);
        $c->commit();
    },
    'pg_query_params, pg_prepare and asynchronous queries' => function (int $number) {
        $c = pg_connect('', PGSQL_CONNECT_FORCE_NEW);
        pg_prepare($c, 'mine', "SELECT \$1::int + $number");
        for ($n = 0; $n < 10; $n++) {
            same(pg_fetch_result(pg_execute($c, 'mine', [$n]), 0, 0), (string) ($n + $number));
            same(pg_fetch_result(pg_query_params($c, 'SELECT $1::text', ["it's"]), 0, 0), "it's");
            pg_send_query($c, "SELECT $number; SELECT 'b'");
            same(pg_fetch_result(pg_get_result($c), 0, 0), (string) $number);
            same(pg_fetch_result(pg_get_result($c), 0, 0), 'b');
            same(pg_get_result($c), false);
        }
    },
];

// A child: one client of one thing.
if (isset($argv[1])) {
    try {
        $things[$argv[1]]((int) $argv[2]);
    } catch (Throwable $why) {
        echo $why, "\n";
        exit(1);
    }
    exit(0);
}

$passed = $failed = 0;
connect()->exec('CREATE TABLE item (id int PRIMARY KEY, owner int, name text);
    CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL);
    INSERT INTO account SELECT n, 100 FROM generate_series(0, 9) n');
foreach (array_keys($things) as $what) {
    $children = [];
    for ($number = 0; $number < (int) getenv('CLIENTS'); $number++) {
        $children[] = proc_open([PHP_BINARY, __FILE__, $what, (string) $number], [1 => ['pipe', 'w'], 2 => ['pipe', 'w']], $pipes[$number]);
    }
    $said = '';
    $bad = 0;
    foreach ($children as $number => $child) {
        $words = stream_get_contents($pipes[$number][1]) . stream_get_contents($pipes[$number][2]);
        if (proc_close($child) !== 0) {
            $bad++;
            $said = $words;
        }
    }
    if ($bad === 0) {
        $passed++;
        echo "ok $what\n";
    } else {
        $failed++;
        echo "FAILED $what: $bad clients, one said: $said\n";
    }
}
if (connect()->query('SELECT sum(money)::int FROM account')->fetchColumn() === 1000) {
    $passed++;
    echo "ok no money is lost\n";
} else {
    $failed++;
    echo "FAILED no money is lost\n";
}
echo "$passed passed, $failed failed\n";
exit($failed === 0 ? 0 : 1);
