// For Prisma's own CLI. It is only ever used for the schema, so what it connects to is DIRECT_URL; the application
// gets DATABASE_URL in db.mjs.
export default {
    schema: 'prisma/schema.prisma',
    migrations: { path: 'prisma/migrations' },
    datasource: { url: process.env.DIRECT_URL ?? '' },
};
