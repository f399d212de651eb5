-- migrate: generated from [change] for mysql: 2f4b63465c24 cf52a0cc64e2
-- At the end of the row new columns are an entry in the catalogue; where the server would rewrite the table, it refuses.
ALTER TABLE users ADD COLUMN first_name varchar(200), ADD COLUMN last_name varchar(200), ALGORITHM = INSTANT;

-- Keep both formats in step, whoever writes: what was written holds, and the other format follows unless the two agree
-- already: what `forward` makes is compared as it would be stored, and what cannot be stored is not what stands there.
-- Triggers fire in the order in which they were made: these see what earlier ones have made of the row.
CREATE TRIGGER zz_0002_users_insert BEFORE INSERT ON users
FOR EACH ROW
BEGIN
    DECLARE can_be boolean DEFAULT TRUE;
    DECLARE made_1 varchar(200) CHARACTER SET utf8mb4;
    DECLARE made_2 varchar(200) CHARACTER SET utf8mb4;
    IF NEW.first_name IS NULL AND NEW.last_name IS NULL THEN
        SET NEW.first_name = CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN NEW.full_name ELSE substr(NEW.full_name, 1, instr(NEW.full_name, ' ') - 1) END,
            NEW.last_name = CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN '' ELSE substr(NEW.full_name, instr(NEW.full_name, ' ') + 1) END;
    ELSE
        BEGIN
            DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET can_be = FALSE;
            SET made_1 = CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN NEW.full_name ELSE substr(NEW.full_name, 1, instr(NEW.full_name, ' ') - 1) END;
            SET made_2 = CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN '' ELSE substr(NEW.full_name, instr(NEW.full_name, ' ') + 1) END;
        END;
        IF NOT (can_be AND CAST(CONVERT(NEW.first_name USING utf8mb4) AS BINARY) <=> CAST(CONVERT(made_1 USING utf8mb4) AS BINARY) AND CAST(CONVERT(NEW.last_name USING utf8mb4) AS BINARY) <=> CAST(CONVERT(made_2 USING utf8mb4) AS BINARY)) THEN
            SET NEW.full_name = CASE WHEN NEW.first_name IS NOT NULL OR NEW.last_name IS NOT NULL THEN concat_ws(' ', NEW.first_name, nullif(NEW.last_name, '')) END;
        END IF;
    END IF;
END;

CREATE TRIGGER zz_0002_users_update BEFORE UPDATE ON users
FOR EACH ROW
BEGIN
    DECLARE can_be boolean DEFAULT TRUE;
    DECLARE made_1 varchar(200) CHARACTER SET utf8mb4;
    DECLARE made_2 varchar(200) CHARACTER SET utf8mb4;
    IF NOT (NEW.first_name <=> OLD.first_name AND CAST(NEW.first_name AS BINARY) <=> CAST(OLD.first_name AS BINARY)
        AND NEW.last_name <=> OLD.last_name AND CAST(NEW.last_name AS BINARY) <=> CAST(OLD.last_name AS BINARY)) THEN
        BEGIN
            DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET can_be = FALSE;
            SET made_1 = CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN NEW.full_name ELSE substr(NEW.full_name, 1, instr(NEW.full_name, ' ') - 1) END;
            SET made_2 = CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN '' ELSE substr(NEW.full_name, instr(NEW.full_name, ' ') + 1) END;
        END;
        IF NOT (can_be AND CAST(CONVERT(NEW.first_name USING utf8mb4) AS BINARY) <=> CAST(CONVERT(made_1 USING utf8mb4) AS BINARY) AND CAST(CONVERT(NEW.last_name USING utf8mb4) AS BINARY) <=> CAST(CONVERT(made_2 USING utf8mb4) AS BINARY)) THEN
            SET NEW.full_name = CASE WHEN NEW.first_name IS NOT NULL OR NEW.last_name IS NOT NULL THEN concat_ws(' ', NEW.first_name, nullif(NEW.last_name, '')) END;
        END IF;
    ELSEIF NOT (NEW.full_name <=> OLD.full_name AND CAST(NEW.full_name AS BINARY) <=> CAST(OLD.full_name AS BINARY)) THEN
        SET NEW.first_name = CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN NEW.full_name ELSE substr(NEW.full_name, 1, instr(NEW.full_name, ' ') - 1) END,
            NEW.last_name = CASE instr(rtrim(NEW.full_name), ' ') WHEN 0 THEN '' ELSE substr(NEW.full_name, instr(NEW.full_name, ' ') + 1) END;
    END IF;
END;
