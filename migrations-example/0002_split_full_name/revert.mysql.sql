-- migrate: generated from [change] for mysql: 2f4b63465c24 d899e4f4fa71
DROP TRIGGER zz_0002_users_insert;
DROP TRIGGER zz_0002_users_update;
ALTER TABLE users DROP COLUMN first_name, DROP COLUMN last_name, ALGORITHM = INPLACE, LOCK = NONE;
