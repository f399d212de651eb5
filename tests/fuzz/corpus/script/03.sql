ALTER TABLE users ADD COLUMN phone TEXT;
CREATE INDEX users_phone ON users (phone);
