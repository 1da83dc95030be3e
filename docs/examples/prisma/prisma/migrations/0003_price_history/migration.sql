-- Additive, so the application that is running does not notice: new columns are nullable or have a constant default,
-- and nothing that it knows goes away or changes its type.
ALTER TABLE products ADD COLUMN old_price decimal(10, 2);
ALTER TABLE users ADD COLUMN locale text NOT NULL DEFAULT 'en';
ALTER TABLE searches ADD COLUMN took_ms int;

CREATE TABLE price_changes (
    id serial PRIMARY KEY,
    product_id int NOT NULL REFERENCES products ON DELETE CASCADE ON UPDATE CASCADE,
    price decimal(10, 2) NOT NULL,
    since timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
