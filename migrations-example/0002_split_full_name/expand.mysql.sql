-- At the end of the row, new columns are an entry in the catalogue and no rewrite.
ALTER TABLE users ADD COLUMN first_name VARCHAR(200), ADD COLUMN last_name VARCHAR(200), ALGORITHM = INSTANT;

-- What keeps both formats in step.
--
-- Splitting is at the first space, and what cannot be split is a first name: 'Jean Luc Picard' becomes
-- 'Jean' and 'Luc Picard', 'Ada' becomes 'Ada' and ''. Joining what was split always gives back the
-- whole. The triggers change the row before it is written: nothing is written twice, and nothing echoes.
-- A body needs no DELIMITER here. Comparisons are binary: collations overlook case and blanks at the end.
CREATE TRIGGER users_sync_on_insert BEFORE INSERT ON users
FOR EACH ROW
BEGIN
    IF NEW.first_name IS NOT NULL OR NEW.last_name IS NOT NULL THEN
        SET NEW.full_name = CONCAT_WS(' ', NEW.first_name, NULLIF(NEW.last_name, ''));
    ELSEIF NEW.full_name IS NOT NULL THEN
        SET NEW.first_name = CASE INSTR(RTRIM(NEW.full_name), ' ')
                WHEN 0 THEN NEW.full_name ELSE SUBSTR(NEW.full_name, 1, INSTR(NEW.full_name, ' ') - 1) END,
            NEW.last_name = CASE INSTR(RTRIM(NEW.full_name), ' ')
                WHEN 0 THEN '' ELSE SUBSTR(NEW.full_name, INSTR(NEW.full_name, ' ') + 1) END;
    END IF;
END;

CREATE TRIGGER users_sync_on_update BEFORE UPDATE ON users
FOR EACH ROW
BEGIN
    IF NOT (BINARY NEW.first_name <=> BINARY OLD.first_name AND BINARY NEW.last_name <=> BINARY OLD.last_name) THEN
        SET NEW.full_name = CASE WHEN NEW.first_name IS NOT NULL OR NEW.last_name IS NOT NULL THEN
            CONCAT_WS(' ', NEW.first_name, NULLIF(NEW.last_name, '')) END;
    ELSEIF NOT (BINARY NEW.full_name <=> BINARY OLD.full_name) THEN
        SET NEW.first_name = CASE INSTR(RTRIM(NEW.full_name), ' ')
                WHEN 0 THEN NEW.full_name ELSE SUBSTR(NEW.full_name, 1, INSTR(NEW.full_name, ' ') - 1) END,
            NEW.last_name = CASE INSTR(RTRIM(NEW.full_name), ' ')
                WHEN 0 THEN '' ELSE SUBSTR(NEW.full_name, INSTR(NEW.full_name, ' ') + 1) END;
    END IF;
END;
