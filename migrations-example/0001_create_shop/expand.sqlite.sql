CREATE TABLE users (
    id        INTEGER PRIMARY KEY,
    full_name TEXT                    -- NULL: the user never told it
);

CREATE TABLE orders (
    id      INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    cents   INTEGER NOT NULL CHECK (cents > 0)
);

CREATE INDEX orders_user ON orders (user_id);

CREATE TABLE legacy_notes (
    id      INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    note    TEXT NOT NULL
);

CREATE INDEX legacy_notes_user ON legacy_notes (user_id);

-- A shop that has been open for a while, so that later migrations have rows to work on.
INSERT INTO users (full_name) VALUES
    ('Ada'), ('Grace Hopper'), ('Jean Luc Picard'), ('Åsa Öberg'), ('Miles O''Brien'), (''), (NULL);

WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500)
INSERT INTO users (full_name) SELECT 'Customer Number ' || n FROM numbers;

INSERT INTO orders (user_id, cents) SELECT id, 1000 + id FROM users WHERE id <= 100;
