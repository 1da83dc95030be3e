// node load.mjs: PROCESSES (3) API processes over DATABASE_URL for SECONDS (10), each with CONCURRENT (30) requests at
// once. In the middle of it an additive migration is applied over DIRECT_URL. Ends with code 1 if any request failed,
// if the books do not balance, or if there were more than SERVERS (10) connections to PostgreSQL.
//
// node load.mjs --expect-refusals: no migration, and code 0 if requests were refused for too many connections.
import { fork } from 'node:child_process';
import pg from 'pg';
import { migrate } from './migrate.mjs';

const seconds = Number(process.env.SECONDS ?? 10);
const processes = Number(process.env.PROCESSES ?? 3);
const servers = Number(process.env.SERVERS ?? 10);
const wantsRefusals = process.argv.includes('--expect-refusals');
const apiUser = new URL(process.env.DATABASE_URL).username;

function api() {
    return new Promise((done, bad) => {
        let report = null;
        const child = fork(new URL('api.mjs', import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
        child.on('message', (m) => { report = m; });
        child.on('exit', (code) => (report ? done(report) : bad(new Error(`an API process ended with code ${code} and no report`))));
    });
}

// How many connections of the API's role there are, asked ten times a second.
async function watch(client, found) {
    while (!found.isOver) {
        const { rows } = await client.query('SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = $1', [apiUser]);
        found.most = Math.max(found.most, rows[0].n);
        await new Promise((done) => setTimeout(done, 100));
    }
}

// What must be true when every transaction happened as a whole or not at all.
async function imbalances(client) {
    const { rows } = await client.query(`
        SELECT 'credits and searches' AS what FROM subscriptions
            HAVING sum(1000000 - credits) <> (SELECT count(*) FROM searches)
        UNION ALL SELECT 'stock and clicks' FROM products HAVING sum(1000000 - stock) <> (SELECT count(*) FROM clicks)
        UNION ALL SELECT 'clicks and commissions' WHERE (SELECT count(*) FROM clicks) <> (SELECT count(*) FROM commissions)
        UNION ALL SELECT 'searches and results' WHERE (SELECT count(*) * 3 FROM searches) <> (SELECT count(*) FROM search_results)`);
    return rows.map((row) => row.what);
}

const admin = new pg.Client(process.env.DIRECT_URL);
await admin.connect();
const found = { most: 0, isOver: false };
const watching = watch(admin, found);
const apis = Promise.all(Array.from({ length: processes }, api));
if (!wantsRefusals) {
    await new Promise((done) => setTimeout(done, (seconds * 1000) / 2));
    await migrate();
}
const reports = await apis;
found.isOver = true;
await watching;
const problems = await imbalances(admin);
await admin.end();

const requests = reports.reduce((sum, r) => sum + r.requests, 0);
const errors = reports.reduce((sum, r) => sum + r.errors, 0);
const samples = new Map();
for (const r of reports) for (const [words, n] of Object.entries(r.samples)) samples.set(words, (samples.get(words) ?? 0) + n);
console.log(`${requests} requests in ${seconds} s, ${errors} failed, the slowest took ${Math.round(Math.max(...reports.map((r) => r.slowest_ms)))} ms, at most ${found.most} connections to PostgreSQL`);
for (const [words, n] of [...samples].sort((a, b) => b[1] - a[1]).slice(0, 5)) console.log(`    ${n} x ${words}`);
for (const what of problems) console.log(`    the books do not balance: ${what}`);

if (wantsRefusals) {
    const refused = [...samples].filter(([words]) => /too many/i.test(words)).reduce((sum, [, n]) => sum + n, 0);
    console.log(`${refused} requests were refused for too many connections`);
    process.exit(refused > 0 ? 0 : 1);
}
if (found.most > servers) console.log(`    more than ${servers} connections`);
process.exit(errors === 0 && problems.length === 0 && found.most <= servers ? 0 : 1);
