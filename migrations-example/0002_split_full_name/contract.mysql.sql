-- migrate: generated from [change] for mysql: 2f4b63465c24 1e5818ac8319
-- Rows are written while the triggers go: what these have put into the old format stands there without them.
ALTER TABLE users ALTER COLUMN full_name SET DEFAULT (CASE WHEN first_name IS NOT NULL OR last_name IS NOT NULL THEN concat_ws(' ', first_name, nullif(last_name, '')) END), ALGORITHM = INSTANT;
DROP TRIGGER zz_0002_users_insert;
DROP TRIGGER zz_0002_users_update;
ALTER TABLE users DROP COLUMN full_name, ALGORITHM = INPLACE, LOCK = NONE;
