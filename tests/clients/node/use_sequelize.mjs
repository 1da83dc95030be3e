// Sequelize with its defaults: SET client_min_messages, SHOW SERVER_VERSION and SET TIME ZONE on each connection.
import { DataTypes, Sequelize } from 'sequelize';
import { accounts, clients, crowd, fails, finish, run, same, url } from './check.mjs';

const db = new Sequelize(url, { logging: false, pool: { max: clients } });
const Owner = db.define('Owner', { name: { type: DataTypes.STRING, unique: true }, tags: DataTypes.ARRAY(DataTypes.TEXT) });
const Item = db.define('Item', {
    name: DataTypes.STRING,
    price: DataTypes.DECIMAL(10, 2),
    info: DataTypes.JSONB,
    kind: DataTypes.ENUM('book', 'game'),
});
const Account = db.define('Account', { id: { type: DataTypes.INTEGER, primaryKey: true }, money: { type: DataTypes.INTEGER, allowNull: false } }, { timestamps: false });
Owner.hasMany(Item);
Item.belongsTo(Owner);

await run('sync()', async () => {
    await db.sync();
    await Account.bulkCreate(Array.from({ length: 10 }, (_, id) => ({ id, money: 100 })));
});

await run('create, find with includes, update, destroy', () => crowd(async (number) => {
    const owner = await Owner.create({ name: `owner ${number}`, tags: ['a', String(number)] });
    for (let n = 0; n < 5; n++) await owner.createItem({ name: `item ${n}`, price: '9.99', info: { n }, kind: n % 2 ? 'book' : 'game' });
    const found = await Owner.findOne({ where: { name: `owner ${number}` }, include: Item, order: [[Item, 'name', 'ASC']] });
    same(found.Items.map((i) => [i.name, i.price, i.info]), Array.from({ length: 5 }, (_, n) => [`item ${n}`, '9.99', { n }]));
    same((await Item.update({ price: '1.00' }, { where: { OwnerId: owner.id, kind: 'book' } }))[0], 2);
    same(await Item.destroy({ where: { OwnerId: owner.id, name: 'item 0' } }), 1);
    same(await Item.count({ where: { OwnerId: owner.id } }), 4);
}));

await run('findOrCreate and upsert, raced for', () => crowd(async () => {
    await Owner.findOrCreate({ where: { name: 'the one' } });
    await Owner.upsert({ name: 'the one', tags: ['x'] });
}));

await run('transactions', async () => {
    await crowd(async (number) => {
        for (let n = 0; n < 10; n++) {
            const [source, target] = accounts(number, n);
            const work = db.transaction(async (transaction) => {
                await Account.decrement('money', { where: { id: source }, transaction });
                if (n % 4 === 0) throw new Error('given up');
                await Account.increment('money', { where: { id: target }, transaction });
            });
            await work.catch((why) => same(why.message, 'given up'));
        }
    });
    same(Number(await Account.sum('money')), 1000);
});

await run('isolation levels', () => crowd(async () => {
    await db.transaction({ isolationLevel: 'SERIALIZABLE' }, async (transaction) => {
        const [[row]] = await db.query("SELECT current_setting('transaction_isolation') AS transaction_isolation", { transaction });
        same(row.transaction_isolation, 'serializable');
    });
}));

await run('raw queries with bind parameters', () => crowd(async (number) => {
    const [rows] = await db.query('SELECT $1::int + 1 AS n, $2::text AS t', { bind: [number, "it's"] });
    same(rows, [{ n: number + 1, t: "it's" }]);
    await fails('42P01', () => db.query('SELECT * FROM nowhere'));
}));

await run('the end', () => db.close());
finish();
