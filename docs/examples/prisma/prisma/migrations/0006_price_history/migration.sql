CREATE TABLE price_changes (
    id serial PRIMARY KEY,
    product_id int NOT NULL REFERENCES products ON DELETE CASCADE ON UPDATE CASCADE,
    price decimal(10, 2) NOT NULL,
    since timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
