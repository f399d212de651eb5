ALTER TABLE users DROP INDEX users_phone, DROP COLUMN phone;
