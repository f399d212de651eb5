-- migrate: generated from [change] for sqlite: 2f4b63465c24 37508b8c43cc
ALTER TABLE users ADD COLUMN first_name text;
ALTER TABLE users ADD COLUMN last_name text;

-- Keep both formats in step, whoever writes: what was written holds, and the other format follows unless the two
-- agree already. Each writes once more, only where the formats differ, and after it they agree: no trigger
-- answers another one. RETURNING shows the row as it was before that.
CREATE TRIGGER zz_0002_users_new_inserted AFTER INSERT ON users
WHEN NOT (NEW.first_name IS NULL AND NEW.last_name IS NULL)
    AND NOT ((NEW.full_name COLLATE BINARY IS (coalesce(NEW.first_name || ' ' || nullif(NEW.last_name, ''), NEW.first_name, NEW.last_name)))
        OR (NEW.first_name COLLATE BINARY IS (CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN NEW.full_name ELSE substr(NEW.full_name, 1, instr(NEW.full_name, ' ') - 1) END) AND NEW.last_name COLLATE BINARY IS (CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN '' ELSE substr(NEW.full_name, instr(NEW.full_name, ' ') + 1) END)))
BEGIN
    UPDATE users SET full_name = coalesce(first_name || ' ' || nullif(last_name, ''), first_name, last_name)
    WHERE id = NEW.id;
END;

CREATE TRIGGER zz_0002_users_old_inserted AFTER INSERT ON users
WHEN NEW.first_name IS NULL AND NEW.last_name IS NULL
BEGIN
    UPDATE users SET first_name = CASE instr(rtrim(full_name), ' ') WHEN 0 THEN full_name ELSE substr(full_name, 1, instr(full_name, ' ') - 1) END,
        last_name = CASE instr(rtrim(full_name), ' ') WHEN 0 THEN '' ELSE substr(full_name, instr(full_name, ' ') + 1) END
    WHERE id = NEW.id;
END;

CREATE TRIGGER zz_0002_users_new_updated AFTER UPDATE OF first_name, last_name ON users
WHEN NOT (NEW.first_name COLLATE BINARY IS (OLD.first_name) AND NEW.last_name COLLATE BINARY IS (OLD.last_name))
    AND NOT ((NEW.full_name COLLATE BINARY IS (coalesce(NEW.first_name || ' ' || nullif(NEW.last_name, ''), NEW.first_name, NEW.last_name)))
        OR (NEW.first_name COLLATE BINARY IS (CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN NEW.full_name ELSE substr(NEW.full_name, 1, instr(NEW.full_name, ' ') - 1) END) AND NEW.last_name COLLATE BINARY IS (CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN '' ELSE substr(NEW.full_name, instr(NEW.full_name, ' ') + 1) END)))
BEGIN
    UPDATE users SET full_name = coalesce(first_name || ' ' || nullif(last_name, ''), first_name, last_name)
    WHERE id = NEW.id;
END;

CREATE TRIGGER zz_0002_users_old_updated AFTER UPDATE OF full_name ON users
WHEN NEW.first_name COLLATE BINARY IS (OLD.first_name) AND NEW.last_name COLLATE BINARY IS (OLD.last_name)
    AND NOT (NEW.full_name COLLATE BINARY IS (OLD.full_name))
    AND NOT ((NEW.full_name COLLATE BINARY IS (coalesce(NEW.first_name || ' ' || nullif(NEW.last_name, ''), NEW.first_name, NEW.last_name)))
        OR (NEW.first_name COLLATE BINARY IS (CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN NEW.full_name ELSE substr(NEW.full_name, 1, instr(NEW.full_name, ' ') - 1) END) AND NEW.last_name COLLATE BINARY IS (CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN '' ELSE substr(NEW.full_name, instr(NEW.full_name, ' ') + 1) END)))
BEGIN
    UPDATE users SET first_name = CASE instr(rtrim(full_name), ' ') WHEN 0 THEN full_name ELSE substr(full_name, 1, instr(full_name, ' ') - 1) END,
        last_name = CASE instr(rtrim(full_name), ' ') WHEN 0 THEN '' ELSE substr(full_name, instr(full_name, ' ') + 1) END
    WHERE id = NEW.id;
END;
