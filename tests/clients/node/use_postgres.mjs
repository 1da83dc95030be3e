// postgres.js with its defaults: prepares every tagged query, names it, and pipelines.
import postgres from 'postgres';
import { accounts, clients, crowd, directUrl, fails, finish, run, same, url } from './check.mjs';

const sql = postgres(url, { max: clients, onnotice: () => {} });

await run('schema', async () => {
    await sql`CREATE TABLE item (id int PRIMARY KEY, owner int, name text, info jsonb, tags text[])`;
    await sql`CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL)`;
    await sql`INSERT INTO account SELECT n, 100 FROM generate_series(0, 9) n`;
});

await run('statements that it prepares', () => crowd(async (number) => {
    for (let n = 0; n < 30; n++) {
        const key = number * 1000 + n;
        await sql`INSERT INTO item ${sql({ id: key, owner: number, name: `item ${key}`, info: { n }, tags: ['a', 'b'] })}`;
        const [row] = await sql`SELECT * FROM item WHERE id = ${key}`;
        same({ ...row }, { id: key, owner: number, name: `item ${key}`, info: { n }, tags: ['a', 'b'] });
    }
    same((await sql`SELECT id FROM item WHERE owner = ${number}`).count, 30);
}));

await run('a hundred queries at once on one connection', async () => {
    const one = postgres(url, { max: 1 });
    const all = await Promise.all(Array.from({ length: 100 }, (_, n) => one`SELECT ${n}::int AS n`));
    same(all.map(([r]) => r.n), Array.from({ length: 100 }, (_, n) => n));
    await one.end();
});

await run('a failure in the middle of a pipeline', async () => {
    const one = postgres(url, { max: 1 });
    const all = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => one`SELECT 10 / ${n % 5}::int AS n`));
    same(all.filter((end) => end.status === 'rejected').map((end) => end.reason.code), Array(10).fill('22012'));
    same(all[49].value[0].n, 2);
    await one.end();
});

await run('transactions and savepoints', async () => {
    await crowd(async (number) => {
        for (let n = 0; n < 20; n++) {
            const [source, target] = accounts(number, n);
            await sql.begin(async (t) => {
                await t`UPDATE account SET money = money - 1 WHERE id = ${source}`;
                await t.savepoint((s) => s`UPDATE account SET money = NULL WHERE id = ${source}`).catch((why) => same(why.code, '23502'));
                await t`UPDATE account SET money = money + 1 WHERE id = ${target}`;
            });
        }
    });
    same((await sql`SELECT sum(money)::int AS sum FROM account`)[0].sum, 1000);
});

await run('transactions that are pipelined', () => crowd(async (number) => {
    const got = await sql.begin((t) => [t`SELECT ${number}::int AS n`, t`SELECT ${number + 1}::int AS n`, t`SELECT 'x' AS n`]);
    same(got.map(([r]) => r.n), [number, number + 1, 'x']);
}));

await run('cursors', () => crowd(async (number) => {
    const found = [];
    await sql`SELECT n FROM generate_series(1, ${300 + number}::int) n`.cursor(50, (rows) => { found.push(...rows.map((r) => r.n)); });
    same(found.length, 300 + number);
    for await (const [row] of sql`SELECT n FROM generate_series(1, 100) n`.cursor()) {
        if (row.n === 10) break;
    }
}));

await run('forEach, values and raw', () => crowd(async (number) => {
    let sum = 0;
    await sql`SELECT n FROM generate_series(1, 100) n`.forEach((r) => { sum += r.n; });
    same(sum, 5050);
    same([...(await sql`SELECT ${number}::int, 'b'`.values())], [[number, 'b']]);
}));

await run('describe', async () => {
    const about = await sql`SELECT ${1}::int AS a, 'x'::text AS b`.describe();
    same(about.columns.map((c) => c.name), ['a', 'b']);
});

await run('simple queries', () => crowd(async (number) => {
    const got = await sql`SELECT 1 AS a; SELECT 2 AS b`.simple();
    same([got[0][0].a, got[1][0].b], [1, 2]);
    same((await sql.unsafe('SELECT $1::int AS n', [number]))[0].n, number);
}));

await run('COPY', async () => {
    await crowd(async (number) => {
        const into = await sql`COPY item (id, owner, name) FROM STDIN`.writable();
        for (let n = 0; n < 200; n++) into.write(`${1_000_000 + number * 1000 + n}\t${number}\tcopied\n`);
        await new Promise((done, bad) => { into.on('error', bad); into.end(); into.on('finish', done); });
        const from = await sql`COPY (SELECT id FROM item WHERE name = 'copied' AND owner = ${sql.unsafe(String(number))} ORDER BY id) TO STDOUT`.readable();
        let text = '';
        for await (const part of from) text += part;
        same(text.trim().split('\n').length, 200);
    }, 10);
});

await run('cancel', async () => {
    const query = sql`SELECT pg_sleep(20)`;
    const failure = fails('57014', () => query);
    setTimeout(() => query.cancel(), 300);
    await failure;
    same((await sql`SELECT 1 AS n`)[0].n, 1);
});

// Columns are added around pgweir. postgres.js prepares anew when it is told that a plan may not change its result.
await run('schema changes', async () => {
    const direct = postgres(directUrl, { max: 1 });
    await direct`CREATE TABLE changing AS SELECT 1 AS id`;
    await crowd(async (number) => {
        if (number === 0) {
            for (let n = 0; n < 4; n++) {
                await new Promise((done) => setTimeout(done, 200));
                await direct.unsafe(`ALTER TABLE changing ADD COLUMN new_${n} int DEFAULT ${n}`);
            }
            return;
        }
        for (let columns = 0; columns < 5;) {
            const [row] = await sql`SELECT * FROM changing WHERE id >= ${1}`.values();
            same([...row], [1, 0, 1, 2, 3].slice(0, Math.max(columns, row.length)));
            columns = row.length;
        }
    });
    await direct.end();
});

await run('listen, which takes a connection of its own', async () => {
    const heard = [];
    const { unlisten } = await sql.listen('news', (payload) => heard.push(payload));
    await crowd((number) => sql.notify('news', String(number)));
    for (let n = 0; heard.length < clients && n < 1000; n++) await new Promise((done) => setTimeout(done, 50));
    same(heard.map(Number).sort((a, b) => a - b), Array.from({ length: clients }, (_, n) => n));
    await unlisten();
});

await run('errors', () => crowd(async (number) => {
    await fails('42P01', () => sql`SELECT * FROM nowhere`);
    await fails('23505', () => sql`INSERT INTO account VALUES (${number % 10}, 1)`);
    same((await sql`SELECT ${number}::int AS n`)[0].n, number);
}));

await run('many texts', () => crowd(async (number) => {
    for (let n = 0; n < 40; n++) same((await sql.unsafe(`SELECT $1::int + ${n} AS n`, [number], { prepare: true }))[0].n, number + n);
}));

await run('the end', () => sql.end());
finish();
