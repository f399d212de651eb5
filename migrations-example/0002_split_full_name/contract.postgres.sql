-- migrate: generated from [change] for postgres: 2f4b63465c24 2d4e9aa5f818
DROP TRIGGER zz_0002_users_insert ON users;
DROP TRIGGER zz_0002_users_update ON users;
DROP FUNCTION zz_0002_users_sync();
ALTER TABLE users DROP COLUMN full_name;
