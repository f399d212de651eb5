CREATE TABLE users (
    id        BIGINT AUTO_INCREMENT PRIMARY KEY,
    full_name VARCHAR(200)            -- NULL: the user never told it
);

CREATE TABLE orders (
    id      BIGINT AUTO_INCREMENT PRIMARY KEY,
    user_id BIGINT NOT NULL,
    cents   BIGINT NOT NULL CHECK (cents > 0),
    INDEX orders_user (user_id),
    FOREIGN KEY (user_id) REFERENCES users (id)
);

CREATE TABLE legacy_notes (
    id      BIGINT AUTO_INCREMENT PRIMARY KEY,
    user_id BIGINT NOT NULL,
    note    VARCHAR(200) NOT NULL,
    FOREIGN KEY (user_id) REFERENCES users (id)
);

-- A shop that has been open for a while, so that later migrations have rows to work on.
INSERT INTO users (full_name) VALUES
    ('Ada'), ('Grace Hopper'), ('Jean Luc Picard'), ('Åsa Öberg'), ('Miles O''Brien'), (''), (NULL);

INSERT INTO users (full_name)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000)
SELECT CONCAT('Customer Number ', n) FROM numbers;

INSERT INTO users (full_name)
WITH RECURSIVE numbers (n) AS (SELECT 1001 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000)
SELECT CONCAT('Customer Number ', n) FROM numbers;

INSERT INTO users (full_name)
WITH RECURSIVE numbers (n) AS (SELECT 2001 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500)
SELECT CONCAT('Customer Number ', n) FROM numbers;

INSERT INTO orders (user_id, cents) SELECT id, 1000 + id FROM users WHERE id <= 100;
