-- migrate: generated from [change] for sqlite: 2f4b63465c24 237dc02e8c5e
DROP TRIGGER zz_0002_users_new_inserted;
DROP TRIGGER zz_0002_users_old_inserted;
DROP TRIGGER zz_0002_users_new_updated;
DROP TRIGGER zz_0002_users_old_updated;
ALTER TABLE users DROP COLUMN full_name;
