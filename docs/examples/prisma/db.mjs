// The two ways to the database of an API process. Nothing here knows that there is a pooler.
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from './generated/client.js';

const url = process.env.DATABASE_URL;

// As many connections as there may be requests at once: they are cheap, since pgweir shares the servers behind them.
export const connections = Number(process.env.CONNECTIONS ?? 30);

export const prisma = new PrismaClient({
    adapter: new PrismaPg({ connectionString: url, max: connections }),
    transactionOptions: { maxWait: 20_000, timeout: 20_000 },
});

// The hottest query of the shop goes without an ORM, as a statement prepared by name.
export const pool = new pg.Pool({ connectionString: url, max: 5 });

export function hotProduct(id) {
    return pool.query({ name: 'hot_product', text: 'SELECT * FROM products WHERE id = $1', values: [id] });
}

export async function close() {
    await prisma.$disconnect();
    await pool.end();
}
