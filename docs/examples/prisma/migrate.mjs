// node migrate.mjs [UP_TO]: applies prisma/migrations/*/migration.sql over DIRECT_URL, each once and in a transaction,
// in the order of their names, up to and including the one that begins with UP_TO.
//
// `npx prisma migrate deploy` does the same, and also reads DIRECT_URL (prisma.config.mjs); this needs no engine to be
// downloaded. It waits for locks for a second at a time, so that no request queues behind it for longer.
import { readdir, readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import pg from 'pg';

const folder = new URL('prisma/migrations/', import.meta.url);
const oneRunner = 7_210_551; // a lock of the session: of two runners, the second waits and finds nothing to do

async function apply(client, name, sql) {
    for (let attempt = 1; ; attempt++) {
        try {
            await client.query('BEGIN');
            await client.query("SET LOCAL lock_timeout = '1s'");
            await client.query(sql);
            await client.query('INSERT INTO schema_migrations (name) VALUES ($1)', [name]);
            await client.query('COMMIT');
            return;
        } catch (why) {
            await client.query('ROLLBACK');
            if (why.code !== '55P03' || attempt === 20) throw why;
            await new Promise((done) => setTimeout(done, 100 * attempt));
        }
    }
}

export async function migrate(upTo = '9999') {
    const client = new pg.Client(process.env.DIRECT_URL);
    await client.connect();
    try {
        await client.query('SELECT pg_advisory_lock($1)', [oneRunner]);
        await client.query('CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())');
        const done = new Set((await client.query('SELECT name FROM schema_migrations')).rows.map((row) => row.name));
        const all = (await readdir(folder, { withFileTypes: true })).filter((e) => e.isDirectory()).map((e) => e.name).sort();
        const wanted = all.filter((name) => !done.has(name) && name.slice(0, upTo.length) <= upTo);
        for (const name of wanted) {
            await apply(client, name, await readFile(new URL(`${name}/migration.sql`, folder), 'utf8'));
            console.log(`applied ${name}`);
        }
        return wanted;
    } finally {
        await client.end();
    }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await migrate(process.argv[2]);
