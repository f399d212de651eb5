-- migrate: no-transaction
-- An index can be built without blocking writers only outside a transaction. So these statements run one
-- by one, each recorded before and after; an index left invalid by an interruption is built again.
ALTER TABLE users ADD COLUMN phone text;
CREATE INDEX CONCURRENTLY users_phone ON users (phone);
