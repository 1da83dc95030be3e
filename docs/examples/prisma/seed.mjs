// Fills the shop over DATABASE_URL: 60 users, 200 products.
import { randomUUID } from 'node:crypto';
import { close, prisma } from './db.mjs';

const count = (n, make) => Array.from({ length: n }, (_, i) => make(i + 1));

await prisma.tag.createMany({ data: count(8, (n) => ({ name: `tag ${n}` })) });
await prisma.merchant.createMany({ data: count(5, (n) => ({ name: `merchant ${n}`, rate: '0.0500' })) });
const gifts = await prisma.category.create({ data: { slug: 'gifts', name: 'Gifts' } });
await prisma.category.createMany({ data: count(6, (n) => ({ slug: `gifts-${n}`, name: `Gifts ${n}`, parentId: gifts.id })) });

await Promise.all(count(200, (n) => prisma.product.create({
    data: {
        title: `Gift ${n}`,
        price: `${10 + (n % 40)}.90`,
        stock: 1_000_000,
        attributes: { colour: ['red', 'green', 'blue'][n % 3] },
        merchant: { connect: { name: `merchant ${1 + (n % 5)}` } },
        category: { connect: { slug: `gifts-${1 + (n % 6)}` } },
        tags: { connect: [{ name: `tag ${1 + (n % 8)}` }] },
    },
})));

await Promise.all(count(60, (n) => prisma.user.create({
    data: {
        email: `user${n}@example.com`,
        name: `User ${n}`,
        role: n === 1 ? 'EDITOR' : 'CUSTOMER',
        accounts: { create: { provider: 'mail', externalId: `user${n}` } },
        sessions: { create: { id: randomUUID(), expiresAt: new Date('2030-01-01') } },
        profile: { create: { birthday: new Date('1990-05-17'), interests: ['books', 'games'], settings: { theme: 'dark' } } },
        subscription: { create: { status: 'ACTIVE', credits: 1_000_000 } },
        wishlists: { create: { name: 'Birthday', items: { create: [{ productId: n }, { productId: n + 1 }] } } },
        reminders: { create: { text: 'Mother\'s Day', dueOn: new Date('2027-05-09') } },
    },
})));

const editor = await prisma.user.findFirstOrThrow({ where: { role: 'EDITOR' } });
await prisma.article.createMany({ data: count(10, (n) => ({ authorId: editor.id, slug: `article-${n}`, title: `Ideas ${n}`, body: 'x'.repeat(5000) })) });
console.log(`${await prisma.user.count()} users, ${await prisma.product.count()} products`);
await close();
