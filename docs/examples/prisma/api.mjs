// One API process: CONCURRENT requests at once for SECONDS, each of which checks what it was answered. load.mjs starts
// several and adds up what they report.
import assert from 'node:assert/strict';
import { close, hotProduct, prisma } from './db.mjs';

const seconds = Number(process.env.SECONDS ?? 10);
const concurrent = Number(process.env.CONCURRENT ?? 30);
const random = (n) => 1 + Math.floor(Math.random() * n);
const anyUser = () => random(60);

const requests = {
    // Create, read, update, delete.
    async conversation() {
        const userId = anyUser();
        const title = `For number ${random(1e9)}`;
        const made = await prisma.conversation.create({
            data: { userId, title, messages: { create: [{ role: 'USER', text: 'A gift?' }, { role: 'ASSISTANT', text: 'For whom?' }] } },
        });
        const found = await prisma.conversation.findUniqueOrThrow({ where: { id: made.id }, include: { messages: { orderBy: { id: 'asc' } } } });
        assert.deepEqual([found.title, found.userId, ...found.messages.map((m) => m.text)], [title, userId, 'A gift?', 'For whom?']);
        await prisma.message.create({ data: { conversationId: made.id, role: 'USER', text: 'For me' } });
        assert.equal((await prisma.conversation.update({ where: { id: made.id }, data: { title: 'renamed' } })).title, 'renamed');
        assert.equal(await prisma.message.count({ where: { conversationId: made.id } }), 3);
        if (random(3) === 1) await prisma.conversation.delete({ where: { id: made.id } });
    },

    // An interactive transaction: a search costs one credit, and some are given up half way.
    async search() {
        const userId = anyUser();
        const givenUp = random(5) === 1;
        const work = prisma.$transaction(async (tx) => {
            const left = await tx.subscription.update({ where: { userId }, data: { credits: { decrement: 1 } } });
            const search = await tx.search.create({ data: { userId, query: 'a gift', filters: { max: 30, left: left.credits } } });
            const products = await tx.product.findMany({ where: { price: { lt: 30 } }, orderBy: { id: 'asc' }, take: 3 });
            if (givenUp) throw new Error('given up');
            await tx.searchResult.createMany({ data: products.map((p, i) => ({ searchId: search.id, productId: p.id, rank: i + 1, score: 1 / (i + 1) })) });
            return { search, products };
        });
        if (givenUp) return assert.rejects(work, /given up/);
        const { search, products } = await work;
        const ranked = await prisma.searchResult.findMany({ where: { searchId: search.id }, orderBy: { rank: 'asc' } });
        assert.deepEqual(ranked.map((r) => r.productId), products.map((p) => p.id));
    },

    // Nested includes.
    async page() {
        const id = anyUser();
        const user = await prisma.user.findUniqueOrThrow({
            where: { id },
            include: {
                profile: true,
                subscription: true,
                wishlists: { include: { items: { include: { product: { include: { merchant: true, tags: true } } } } } },
                conversations: { take: 3, orderBy: { id: 'desc' }, include: { messages: { take: 5 } } },
            },
        });
        assert.equal(user.id, id);
        assert.equal(user.profile.settings.theme, 'dark');
        assert.equal(user.wishlists[0].items.length, 2);
        for (const { product } of user.wishlists[0].items) assert.equal(product.merchant.id, product.merchantId);
        for (const c of user.conversations) assert.equal(c.userId, id);
    },

    // A transaction made of a list: a click and its commission, or neither.
    async click() {
        const product = await prisma.product.findUniqueOrThrow({ where: { id: random(200) }, include: { merchant: true } });
        const [, click] = await prisma.$transaction([
            prisma.product.update({ where: { id: product.id }, data: { stock: { decrement: 1 } } }),
            prisma.click.create({
                data: { userId: anyUser(), productId: product.id, commission: { create: { merchantId: product.merchantId, amount: product.price.mul(product.merchant.rate) } } },
                include: { commission: true },
            }),
        ]);
        assert.equal(click.commission.clickId, click.id);
    },

    // Upserts that several requests race for.
    async favorite() {
        const key = { userId: anyUser(), productId: random(5) };
        const made = await prisma.favorite.upsert({ where: { userId_productId: key }, create: key, update: { createdAt: new Date() } });
        assert.deepEqual([made.userId, made.productId], [key.userId, key.productId]);
        await prisma.favorite.deleteMany({ where: { userId: key.userId, productId: random(5) } });
    },

    // Raw queries and aggregates.
    async report() {
        const [row] = await prisma.$queryRaw`SELECT count(*)::int AS n, ${random(100)}::int AS echo FROM products WHERE price < ${20}::numeric`;
        assert.equal(row.n, 50);
        const groups = await prisma.product.groupBy({ by: ['categoryId'], _count: true, orderBy: { categoryId: 'asc' } });
        assert.equal(groups.reduce((sum, g) => sum + g._count, 0), 200);
        assert.equal(await prisma.$executeRaw`UPDATE articles SET published_at = now() WHERE slug = ${`article-${random(10)}`}`, 1);
    },

    // SELECT * as a prepared statement: its result type changes when a migration adds a column.
    async product() {
        const id = random(200);
        assert.equal((await hotProduct(id)).rows[0].id, id);
    },
};

const report = { requests: 0, errors: 0, samples: {}, slowest_ms: 0 };
const kinds = Object.keys(requests);
const end = Date.now() + seconds * 1000;

async function visitor() {
    while (Date.now() < end) {
        const kind = kinds[random(kinds.length) - 1];
        const began = performance.now();
        try {
            await requests[kind]();
        } catch (why) {
            report.errors++;
            const words = `${kind}: ${why.meta?.driverAdapterError?.message ?? why.code ?? ''} ${why.message.replace(/\s+/g, ' ').slice(-160)}`;
            report.samples[words] = (report.samples[words] ?? 0) + 1;
        }
        report.requests++;
        report.slowest_ms = Math.max(report.slowest_ms, performance.now() - began);
    }
}

await Promise.allSettled(Array.from({ length: 5 }, () => hotProduct(1))); // each connection of the small pool prepares it
await Promise.all(Array.from({ length: concurrent }, visitor));
process.send?.(report);
await close().catch(() => {});
