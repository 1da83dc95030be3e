// node-postgres with pg-cursor and pg-query-stream. It prepares what the caller names.
import pg from 'pg';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { accounts, clients, crowd, directUrl, fails, finish, run, same, sessionClients, sessionSchema, sessionSteps, sessionUrl, url } from './check.mjs';

async function withClient(body) {
    const client = new pg.Client(url);
    await client.connect();
    try {
        return await body(client);
    } finally {
        await client.end();
    }
}

await run('schema', () => withClient(async (c) => {
    await c.query(`CREATE TABLE item (id int PRIMARY KEY, owner int, name text, body bytea);
                   CREATE TABLE changing AS SELECT 1 AS id;
                   CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL);
                   INSERT INTO account SELECT n, 100 FROM generate_series(0, 9) n`);
}));

await run('named statements', () => crowd((number) => withClient(async (c) => {
    for (let n = 0; n < 30; n++) {
        const key = number * 1000 + n;
        await c.query({ name: 'add', text: 'INSERT INTO item (id, owner, name) VALUES ($1, $2, $3)', values: [key, number, `item ${key}`] });
        const got = await c.query({ name: 'get', text: 'SELECT id, name FROM item WHERE id = $1', values: [key] });
        same(got.rows, [{ id: key, name: `item ${key}` }]);
    }
})));

await run('the same name for another text on each client', () => crowd((number) => withClient(async (c) => {
    for (let n = 0; n < 20; n++) {
        const got = await c.query({ name: 'mine', text: `SELECT $1::int + ${number} AS sum`, values: [n] });
        same(got.rows[0].sum, n + number);
    }
})));

await run('unnamed statements, not awaited one by one', () => crowd((number) => withClient(async (c) => {
    const all = await Promise.all(Array.from({ length: 40 }, (_, n) => c.query('SELECT $1::int * $2::int AS p', [number, n])));
    same(all.map((r) => r.rows[0].p), Array.from({ length: 40 }, (_, n) => number * n));
})));

await run('several statements in one query', () => crowd((number) => withClient(async (c) => {
    const got = await c.query(`BEGIN; SELECT ${number} AS a; SELECT 'x' AS b; COMMIT`);
    same(got.map((r) => r.command), ['BEGIN', 'SELECT', 'SELECT', 'COMMIT']);
    same(got[1].rows, [{ a: number }]);
})));

await run('transactions over its own pool', async () => {
    const pool = new pg.Pool({ connectionString: url, max: clients });
    await crowd(async (number) => {
        for (let n = 0; n < 20; n++) {
            const c = await pool.connect();
            const [source, target] = accounts(number, n);
            try {
                await c.query('BEGIN');
                await c.query('UPDATE account SET money = money - 1 WHERE id = $1', [source]);
                if (n % 4 === 0) await c.query('UPDATE account SET money = NULL WHERE id = $1', [source]);
                await c.query('UPDATE account SET money = money + 1 WHERE id = $1', [target]);
                await c.query('COMMIT');
            } catch (why) {
                same(why.code, '23502');
                await c.query('ROLLBACK');
            } finally {
                c.release();
            }
        }
    });
    same((await pool.query('SELECT sum(money)::int AS sum FROM account')).rows[0].sum, 1000);
    await pool.end();
});

await run('cursors', () => crowd((number) => withClient(async (c) => {
    await c.query('BEGIN');
    const cursor = c.query(new Cursor('SELECT n FROM generate_series(1, $1::int) n', [200 + number]));
    const found = [];
    for (;;) {
        const rows = await cursor.read(50);
        if (rows.length === 0) break;
        found.push(...rows.map((r) => r.n));
    }
    await cursor.close();
    await c.query('COMMIT');
    same(found, Array.from({ length: 200 + number }, (_, n) => n + 1));
})));

await run('a cursor outside of a transaction, closed early', () => crowd((number) => withClient(async (c) => {
    const cursor = c.query(new Cursor('SELECT n FROM generate_series(1, 1000) n'));
    same((await cursor.read(10)).length, 10);
    same((await cursor.read(10))[9].n, 20);
    await cursor.close();
    same((await c.query('SELECT $1::int AS n', [number])).rows[0].n, number);
})));

await run('streams', () => crowd((number) => withClient(async (c) => {
    let sum = 0;
    for await (const row of c.query(new QueryStream('SELECT n FROM generate_series(1, $1::int) n', [1000 + number], { batchSize: 64 }))) sum += row.n;
    same(sum, ((1000 + number) * (1001 + number)) / 2);
})));

await run('errors', () => crowd((number) => withClient(async (c) => {
    for (let n = 0; n < 5; n++) {
        await fails('22012', () => c.query('SELECT 1 / $1::int', [0]));
        await fails('42P01', () => c.query({ name: 'nowhere', text: 'SELECT * FROM nowhere' }));
        await fails('22P02', () => c.query({ name: 'cast', text: 'SELECT $1::int AS n', values: ['x'] }));
        same((await c.query({ name: 'cast', text: 'SELECT $1::int AS n', values: [number] })).rows[0].n, number);
    }
})));

await run('values of two megabytes', () => crowd((number) => withClient(async (c) => {
    const data = Buffer.alloc(2_000_000, number + 1);
    same((await c.query('SELECT $1::bytea AS b', [data])).rows[0].b.equals(data), true);
}), 8));

await run('a client that is destroyed within a transaction', async () => {
    const c = new pg.Client(url);
    c.on('error', () => {});
    await c.connect();
    await c.query('BEGIN');
    await c.query('DELETE FROM account');
    c.connection.stream.destroy();
    await withClient(async (other) => same((await other.query('SELECT count(*)::int AS n FROM account')).rows[0].n, 10));
});

// Columns are added around pgweir while statements that say SELECT * stand prepared on every server.
let prepared = 0;
await run('schema changes', () => crowd((number) => withClient(async (c) => {
    if (number === 0) {
        const direct = new pg.Client(directUrl);
        await direct.connect();
        while (prepared < clients - 1) await new Promise((done) => setTimeout(done, 50));
        for (let n = 0; n < 4; n++) {
            await new Promise((done) => setTimeout(done, 200));
            await direct.query(`ALTER TABLE changing ADD COLUMN new_${n} int DEFAULT ${n}`);
        }
        await direct.end();
        return;
    }
    for (let columns = 0; columns < 5;) {
        const { rows } = await c.query({ name: 'changing', text: 'SELECT * FROM changing WHERE id >= $1', values: [1], rowMode: 'array' });
        same(rows[0], [1, 0, 1, 2, 3].slice(0, Math.max(columns, rows[0].length)));
        if (columns === 0) prepared++;
        columns = rows[0].length;
    }
})));

await run('notifications and a lock of the session', () => crowd((number) => withClient(async (c) => {
    const heard = [];
    c.on('notification', (n) => heard.push(n.payload));
    await c.query(`LISTEN channel_${number}`);
    await c.query('SELECT pg_advisory_lock($1)', [number]);
    for (let n = 0; n < 3; n++) await c.query('SELECT pg_notify($1, $2)', [`channel_${number}`, String(n)]);
    same((await c.query('SELECT pg_advisory_unlock($1) AS was', [number])).rows[0].was, true);
    await c.query('UNLISTEN *');
    same(heard, ['0', '1', '2']);
}), 4));

await run('notices and settings', () => crowd((number) => withClient(async (c) => {
    const heard = [];
    c.on('notice', (n) => heard.push(n.message));
    await c.query(`SET application_name = 'client ${number}'`);
    for (let n = 0; n < 5; n++) {
        await c.query(`DO $$ BEGIN RAISE NOTICE 'to ${number}'; END $$`);
        same((await c.query('SHOW application_name')).rows[0].application_name, `client ${number}`);
    }
    same(heard, Array(5).fill(`to ${number}`));
})));

// All that a session can hold; see session.steps.
async function wholeSession(number) {
    const c = new pg.Client(sessionUrl);
    const heard = [];
    c.on('notification', (n) => heard.push(`${n.channel} ${n.payload}`));
    await c.connect();
    for (const { sql, parameters, wanted } of sessionSteps(number)) {
        if (sql.startsWith('hears ')) {
            for (let n = 0; n < 1000 && heard.length === 0; n++) await c.query('SELECT pg_sleep(0.05)');
            same(heard, [sql.slice('hears '.length)]);
            continue;
        }
        let rows;
        try {
            ({ rows } = await c.query({ text: sql, values: parameters, rowMode: 'array' }));
        } catch (why) {
            if (wanted !== '?') throw new Error(sql, { cause: why });
            continue;
        }
        if (wanted !== undefined && wanted !== '?') same([sql, rows[0][0]], [sql, wanted]);
    }
    await c.end();
}

await run('tables for the whole session', () => withClient((c) => c.query(sessionSchema)));
await run('the whole session, 20 clients on 3 servers', () => crowd(wholeSession, sessionClients));

finish();
