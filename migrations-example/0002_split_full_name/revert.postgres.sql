-- migrate: generated from [change] for postgres: 2f4b63465c24 9b4a25f98eba
DROP TRIGGER zz_0002_users_insert ON users;
DROP TRIGGER zz_0002_users_update ON users;
DROP FUNCTION zz_0002_users_sync();
ALTER TABLE users DROP COLUMN first_name, DROP COLUMN last_name;
