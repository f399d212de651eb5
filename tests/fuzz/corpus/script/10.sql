ALTER TABLE users ADD COLUMN first_name TEXT;
ALTER TABLE users ADD COLUMN last_name TEXT;

-- What keeps both formats in step.
--
-- Splitting is at the first space, and what cannot be split is a first name: 'Jean Luc Picard' becomes
-- 'Jean' and 'Luc Picard', 'Ada' becomes 'Ada' and ''. Joining what was split always gives back the
-- whole. SQLite cannot change a row before it is written, so each trigger writes once more. It does so
-- only where the formats differ, and after it they agree: so no trigger answers another one.

-- The new format was written.
CREATE TRIGGER users_join_on_insert AFTER INSERT ON users
WHEN NEW.first_name IS NOT NULL OR NEW.last_name IS NOT NULL
BEGIN
    UPDATE users
    SET full_name = coalesce(first_name, '')
        || CASE WHEN first_name IS NOT NULL AND coalesce(last_name, '') <> '' THEN ' ' ELSE '' END
        || coalesce(last_name, '')
    WHERE id = NEW.id;
END;

CREATE TRIGGER users_join_on_update AFTER UPDATE OF first_name, last_name ON users
WHEN NEW.first_name IS NOT OLD.first_name OR NEW.last_name IS NOT OLD.last_name
BEGIN
    UPDATE users
    SET full_name = CASE
        WHEN first_name IS NOT NULL OR last_name IS NOT NULL THEN coalesce(first_name, '')
            || CASE WHEN first_name IS NOT NULL AND coalesce(last_name, '') <> '' THEN ' ' ELSE '' END
            || coalesce(last_name, '')
        END
    WHERE id = NEW.id;
END;

-- Only the old format was written.
CREATE TRIGGER users_split_on_insert AFTER INSERT ON users
WHEN NEW.full_name IS NOT NULL AND NEW.first_name IS NULL AND NEW.last_name IS NULL
BEGIN
    UPDATE users
    SET first_name = CASE instr(rtrim(full_name), ' ')
            WHEN 0 THEN full_name ELSE substr(full_name, 1, instr(full_name, ' ') - 1) END,
        last_name = CASE instr(rtrim(full_name), ' ')
            WHEN 0 THEN '' ELSE substr(full_name, instr(full_name, ' ') + 1) END
    WHERE id = NEW.id;
END;

CREATE TRIGGER users_split_on_update AFTER UPDATE OF full_name ON users
WHEN NEW.full_name IS NOT OLD.full_name
    AND NEW.first_name IS OLD.first_name AND NEW.last_name IS OLD.last_name
    -- What the triggers above have just joined is not split again: 'Jean Luc' stays a first name.
    AND NEW.full_name IS NOT CASE
        WHEN NEW.first_name IS NOT NULL OR NEW.last_name IS NOT NULL THEN coalesce(NEW.first_name, '')
            || CASE WHEN NEW.first_name IS NOT NULL AND coalesce(NEW.last_name, '') <> '' THEN ' ' ELSE '' END
            || coalesce(NEW.last_name, '')
        END
BEGIN
    UPDATE users
    SET first_name = CASE instr(rtrim(full_name), ' ')
            WHEN 0 THEN full_name ELSE substr(full_name, 1, instr(full_name, ' ') - 1) END,
        last_name = CASE instr(rtrim(full_name), ' ')
            WHEN 0 THEN '' ELSE substr(full_name, instr(full_name, ' ') + 1) END
    WHERE id = NEW.id;
END;
