ALTER TABLE searches ADD COLUMN took_ms int;
