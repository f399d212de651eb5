ALTER TABLE users ADD COLUMN phone VARCHAR(40), ALGORITHM = INSTANT;
-- Refused where it could not be built beside writers.
CREATE INDEX users_phone ON users (phone) ALGORITHM = INPLACE LOCK = NONE;
