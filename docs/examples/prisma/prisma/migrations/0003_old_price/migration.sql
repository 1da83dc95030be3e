-- Additive, so the application that is running does not notice: new columns are nullable or have a constant default,
-- and nothing that it knows goes away or changes its type.
-- One table in one migration: each is a transaction, and one that locks a second table while it holds the first
-- deadlocks with a request that uses them in another order.
ALTER TABLE products ADD COLUMN old_price decimal(10, 2);
