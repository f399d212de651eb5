-- migrate: generated from [change] for sqlite: 2f4b63465c24 756abcf476ef
-- Runs once for each batch of keys. A row whose formats agree is left alone: a trigger or a bridge wrote it.
UPDATE users
SET first_name = CASE instr(rtrim(full_name), ' ') WHEN 0 THEN full_name ELSE substr(full_name, 1, instr(full_name, ' ') - 1) END,
    last_name = CASE instr(rtrim(full_name), ' ') WHEN 0 THEN '' ELSE substr(full_name, instr(full_name, ' ') + 1) END
WHERE id > :after AND id <= :upto
    AND NOT ((first_name COLLATE BINARY IS (CASE instr(rtrim(full_name), ' ') WHEN 0 THEN full_name ELSE substr(full_name, 1, instr(full_name, ' ') - 1) END) AND last_name COLLATE BINARY IS (CASE instr(rtrim(full_name), ' ') WHEN 0 THEN '' ELSE substr(full_name, instr(full_name, ' ') + 1) END))
        OR (full_name COLLATE BINARY IS (coalesce(first_name || ' ' || nullif(last_name, ''), first_name, last_name))));
