// What every Node client here shares: the list of things to try, and the crowd.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

export const url = process.env.DATABASE_URL;
export const directUrl = process.env.DIRECT_URL;
export const clients = Number(process.env.CLIENTS ?? 30);
export const same = assert.deepEqual;

let passed = 0;
let failed = 0;

// Runs one thing; a rejection is its failure.
export async function run(what, body) {
    const began = performance.now();
    try {
        await body();
        passed++;
        console.log(`ok ${what} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
    } catch (why) {
        failed++;
        console.log(`FAILED ${what}: ${why?.stack ?? why}`);
        if (why?.cause) console.log('because of', why.cause);
    }
}

// body(number) for each client, all at once; it fails as soon as one of them does, when all have ended.
export async function crowd(body, count = clients) {
    const ends = await Promise.allSettled(Array.from({ length: count }, (_, number) => body(number)));
    const bad = ends.filter((end) => end.status === 'rejected');
    if (bad.length > 0) throw new Error(`${bad.length} of ${count} clients failed`, { cause: bad[0].reason });
}

// The error that BODY must raise: its SQLSTATE is wanted.
export async function fails(sqlstate, body) {
    let raised = null;
    try {
        await body();
    } catch (why) {
        raised = why;
    }
    assert.ok(raised, `nothing failed, where ${sqlstate} should have`);
    const code = raised.code ?? raised.parent?.code ?? raised.driverError?.code ?? raised.cause?.code;
    if (code !== sqlstate) throw raised;
    return raised;
}

// The two accounts of a transfer, in the order in which they are locked.
export function accounts(number, n) {
    return [(number + n) % 10, (number + 3 * n + 1) % 10].sort((a, b) => a - b);
}

export const sessionUrl = process.env.SESSION_URL;
export const sessionClients = 20;
export const sessionSchema = `
    CREATE TABLE tenant_row (tenant text);
    INSERT INTO tenant_row SELECT 'tenant' || n FROM generate_series(0, 30) n;
    ALTER TABLE tenant_row ENABLE ROW LEVEL SECURITY;
    ALTER TABLE tenant_row FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON tenant_row USING (tenant = current_setting('app.tenant', true));
    CREATE TABLE serial_row (id serial PRIMARY KEY, owner int)`;

// { sql, parameters, wanted } of each step of session.steps.
export function sessionSteps(number) {
    return readFileSync(process.env.SESSION_STEPS, 'utf8')
        .split('\n')
        .map((line) => line.trim().replaceAll('{n}', number))
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => {
            const [left, wanted] = line.split(' -> ');
            const [sql, parameters] = left.split(' <- ');
            return { sql, parameters: parameters?.split(', '), wanted };
        });
}

export function finish() {
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed === 0 ? 0 : 1);
}
