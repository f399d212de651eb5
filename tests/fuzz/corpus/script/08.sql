DROP TRIGGER users_join_on_insert;
DROP TRIGGER users_join_on_update;
DROP TRIGGER users_split_on_insert;
DROP TRIGGER users_split_on_update;
ALTER TABLE users DROP COLUMN full_name;
