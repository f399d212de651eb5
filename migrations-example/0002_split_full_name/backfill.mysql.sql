-- Runs once for each batch of keys. The same split as the triggers make, and only where a name is
-- missing: one that is there already was written by a trigger or a bridge, and is right.
UPDATE users
SET first_name = CASE INSTR(RTRIM(full_name), ' ')
        WHEN 0 THEN full_name ELSE SUBSTR(full_name, 1, INSTR(full_name, ' ') - 1) END,
    last_name = CASE INSTR(RTRIM(full_name), ' ')
        WHEN 0 THEN '' ELSE SUBSTR(full_name, INSTR(full_name, ' ') + 1) END
WHERE id > :after AND id <= :upto
    AND full_name IS NOT NULL AND first_name IS NULL AND last_name IS NULL;
