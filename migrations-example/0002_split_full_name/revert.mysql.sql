DROP TRIGGER users_sync_on_insert;
DROP TRIGGER users_sync_on_update;
ALTER TABLE users DROP COLUMN first_name, DROP COLUMN last_name;
