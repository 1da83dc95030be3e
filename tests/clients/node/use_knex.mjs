// Knex with its defaults.
import knex from 'knex';
import { accounts, clients, crowd, fails, finish, run, same, url } from './check.mjs';

const db = knex({ client: 'pg', connection: url, pool: { min: 0, max: clients } });

await run('schema', async () => {
    await db.schema.createTable('item', (t) => {
        t.increments('id');
        t.integer('owner').index();
        t.string('name');
        t.jsonb('info');
    });
    await db.schema.createTable('account', (t) => {
        t.integer('id').primary();
        t.integer('money').notNullable();
    });
    await db('account').insert(Array.from({ length: 10 }, (_, id) => ({ id, money: 100 })));
});

await run('insert, select, update, delete', () => crowd(async (number) => {
    const ids = await db('item').insert(Array.from({ length: 10 }, (_, n) => ({ owner: number, name: `item ${n}`, info: { n } })), ['id']);
    same(ids.length, 10);
    same(await db('item').where({ owner: number }).andWhere('name', 'item 3').first('name', 'info'), { name: 'item 3', info: { n: 3 } });
    same(await db('item').where({ owner: number, name: 'item 4' }).update({ name: 'renamed' }), 1);
    same(await db('item').where({ owner: number, name: 'item 5' }).del(), 1);
    same(await db('item').where({ owner: number }).count({ n: '*' }).first(), { n: '9' });
}));

await run('transactions and savepoints', async () => {
    await crowd(async (number) => {
        for (let n = 0; n < 10; n++) {
            const [source, target] = accounts(number, n);
            await db.transaction(async (t) => {
                await t('account').where('id', source).decrement('money', 1);
                await fails('23502', () => t.transaction((inner) => inner('account').where('id', source).update({ money: null })));
                await t('account').where('id', target).increment('money', 1);
            });
        }
    });
    same((await db('account').sum('money')).map((r) => Number(r.sum)), [1000]);
});

await run('streams', () => crowd(async (number) => {
    let count = 0;
    for await (const _ of db.select(db.raw('n FROM generate_series(1, ?::int) n', [300 + number])).stream()) count++;
    same(count, 300 + number);
}));

// Not `.timeout(ms, { cancel: true })`: it calls pg_cancel_backend() with the process id of the login, and that is
// pgweir's. The server can do it better.
await run('timeouts', () => crowd(async (number) => {
    await fails('57014', () => db.transaction(async (t) => {
        await t.raw("SET LOCAL statement_timeout = '200ms'");
        await t.raw('SELECT pg_sleep(20)');
    }));
    same((await db.raw('SELECT ?::int AS n', [number])).rows[0].n, number);
}, 4));

await run('upserts, raced for', () => crowd(() => db('account').insert({ id: 100, money: 0 }).onConflict('id').merge()));

await run('migrations, which lock a table of their own', async () => {
    const migrationSource = {
        getMigrations: async () => ['1'],
        getMigrationName: (m) => m,
        getMigration: async () => ({ up: (k) => k.schema.alterTable('item', (t) => t.integer('added').defaultTo(0)), down: async () => {} }),
    };
    same((await db.migrate.latest({ migrationSource }))[1], ['1']);
    same((await db('item').first('added')).added, 0);
});

await run('the end', () => db.destroy());
finish();
