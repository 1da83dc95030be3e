// Drizzle over node-postgres and over postgres.js, with their defaults; and its prepared queries.
import { eq, placeholder, sql } from 'drizzle-orm';
import { drizzle as overPg } from 'drizzle-orm/node-postgres';
import { drizzle as overPostgres } from 'drizzle-orm/postgres-js';
import { integer, jsonb, pgTable, serial, text } from 'drizzle-orm/pg-core';
import { relations } from 'drizzle-orm';
import pg from 'pg';
import postgres from 'postgres';
import { accounts, clients, crowd, fails, finish, run, same, url } from './check.mjs';

const owner = pgTable('owner', { id: serial('id').primaryKey(), name: text('name').notNull() });
const item = pgTable('item', { id: serial('id').primaryKey(), ownerId: integer('owner_id').references(() => owner.id), name: text('name'), info: jsonb('info') });
const account = pgTable('account', { id: integer('id').primaryKey(), money: integer('money').notNull() });
const schema = {
    owner, item, account,
    ownerRelations: relations(owner, ({ many }) => ({ items: many(item) })),
    itemRelations: relations(item, ({ one }) => ({ owner: one(owner, { fields: [item.ownerId], references: [owner.id] }) })),
};

const pool = new pg.Pool({ connectionString: url, max: clients });
const client = postgres(url, { max: clients });

for (const [name, db] of [['node-postgres', overPg(pool, { schema })], ['postgres.js', overPostgres(client, { schema })]]) {
    await run(`${name}: schema`, async () => {
        await db.execute(sql`DROP TABLE IF EXISTS item, owner, account`);
        await db.execute(sql`CREATE TABLE owner (id serial PRIMARY KEY, name text NOT NULL)`);
        await db.execute(sql`CREATE TABLE item (id serial PRIMARY KEY, owner_id int REFERENCES owner, name text, info jsonb)`);
        await db.execute(sql`CREATE TABLE account (id int PRIMARY KEY, money int NOT NULL)`);
        await db.insert(account).values(Array.from({ length: 10 }, (_, id) => ({ id, money: 100 })));
    });

    await run(`${name}: insert, relational queries, update, delete`, () => crowd(async (number) => {
        const [mine] = await db.insert(owner).values({ name: `owner ${number}` }).returning();
        await db.insert(item).values(Array.from({ length: 5 }, (_, n) => ({ ownerId: mine.id, name: `item ${n}`, info: { n } })));
        const found = await db.query.owner.findFirst({ where: eq(owner.id, mine.id), with: { items: { orderBy: item.name } } });
        same(found.items.map((i) => [i.name, i.info]), Array.from({ length: 5 }, (_, n) => [`item ${n}`, { n }]));
        await db.update(item).set({ name: 'renamed' }).where(eq(item.id, found.items[0].id));
        await db.delete(item).where(eq(item.id, found.items[1].id));
        same((await db.select().from(item).where(eq(item.ownerId, mine.id))).length, 4);
    }));

    await run(`${name}: prepared queries`, async () => {
        const get = db.select().from(account).where(eq(account.id, placeholder('id'))).prepare('get_account');
        await crowd(async (number) => {
            for (let n = 0; n < 10; n++) same((await get.execute({ id: (number + n) % 10 }))[0].id, (number + n) % 10);
        });
    });

    await run(`${name}: transactions and savepoints`, async () => {
        await crowd(async (number) => {
            for (let n = 0; n < 10; n++) {
                const [source, target] = accounts(number, n);
                await db.transaction(async (t) => {
                    await t.update(account).set({ money: sql`money - 1` }).where(eq(account.id, source));
                    await fails('23502', () => t.transaction((inner) => inner.execute(sql`UPDATE account SET money = NULL WHERE id = ${source}`)));
                    await t.update(account).set({ money: sql`money + 1` }).where(eq(account.id, target));
                });
            }
        });
        same((await db.select({ sum: sql`sum(money)::int` }).from(account))[0].sum, 1000);
    });
}

await run('the end', async () => {
    await pool.end();
    await client.end();
});
finish();
