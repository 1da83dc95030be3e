// TypeORM with its defaults.
import { DataSource, EntitySchema } from 'typeorm';
import { accounts, clients, crowd, fails, finish, run, same, url } from './check.mjs';

const Owner = new EntitySchema({
    name: 'Owner',
    columns: { id: { type: Number, primary: true, generated: true }, name: { type: String, unique: true }, born: { type: 'timestamptz', createDate: true } },
    relations: { items: { type: 'one-to-many', target: 'Item', inverseSide: 'owner' } },
});
const Item = new EntitySchema({
    name: 'Item',
    columns: { id: { type: 'uuid', primary: true, generated: 'uuid' }, name: { type: String }, info: { type: 'jsonb', nullable: true } },
    relations: { owner: { type: 'many-to-one', target: 'Owner', inverseSide: 'items' } },
});
const Account = new EntitySchema({
    name: 'Account',
    columns: { id: { type: Number, primary: true }, money: { type: Number } },
});
const db = new DataSource({ type: 'postgres', url, entities: [Owner, Item, Account], synchronize: true, poolSize: clients });

await run('synchronize', async () => {
    await db.initialize();
    await db.getRepository(Account).insert(Array.from({ length: 10 }, (_, id) => ({ id, money: 100 })));
});

await run('save, find with relations, query builder, remove', () => crowd(async (number) => {
    const owners = db.getRepository(Owner);
    const items = db.getRepository(Item);
    const owner = await owners.save({ name: `owner ${number}` });
    await items.save(Array.from({ length: 5 }, (_, n) => ({ name: `item ${n}`, info: { n }, owner })));
    const found = await owners.findOne({ where: { name: `owner ${number}` }, relations: { items: true }, order: { items: { name: 'ASC' } } });
    same(found.items.map((i) => [i.name, i.info]), Array.from({ length: 5 }, (_, n) => [`item ${n}`, { n }]));
    await items.update({ owner: { id: owner.id }, name: 'item 1' }, { name: 'renamed' });
    await items.remove(found.items[0]);
    const names = await items.createQueryBuilder('i').where('i.owner = :id', { id: owner.id }).orderBy('i.name').getMany();
    same(names.map((i) => i.name), ['item 2', 'item 3', 'item 4', 'renamed']);
}));

await run('transactions', async () => {
    await crowd(async (number) => {
        for (let n = 0; n < 10; n++) {
            const [source, target] = accounts(number, n);
            const work = db.transaction('REPEATABLE READ', async (t) => {
                await t.query('SELECT 1 FROM account WHERE id = ANY($1) ORDER BY id FOR UPDATE', [[source, target]]);
                await t.decrement(Account, { id: source }, 'money', 1);
                if (n % 4 === 0) throw new Error('given up');
                await t.increment(Account, { id: target }, 'money', 1);
            });
            await work.catch((why) => { if (why.message !== 'given up' && why.code !== '40001') throw why; });
        }
    });
    same(Number(await db.getRepository(Account).sum('money')), 1000);
});

await run('a query runner over many transactions', () => crowd(async (number) => {
    const runner = db.createQueryRunner();
    for (let n = 0; n < 5; n++) {
        await runner.startTransaction();
        await runner.query('INSERT INTO owner (name) VALUES ($1)', [`runner ${number} ${n}`]);
        await (n % 2 ? runner.rollbackTransaction() : runner.commitTransaction());
    }
    same((await runner.query("SELECT count(*)::int AS n FROM owner WHERE name LIKE $1", [`runner ${number} %`]))[0].n, 3);
    await runner.release();
}));

await run('streams', () => crowd(async (number) => {
    const stream = await db.createQueryRunner().stream('SELECT n FROM generate_series(1, $1::int) n', [500 + number]).catch((why) => { throw why; });
    let count = 0;
    for await (const _ of stream) count++;
    same(count, 500 + number);
}, 5));

await run('errors', () => crowd(async (number) => {
    await fails('23505', () => db.getRepository(Account).insert({ id: number % 10, money: 1 }));
    await fails('42P01', () => db.query('SELECT * FROM nowhere'));
}));

finish();
