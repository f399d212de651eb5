-- migrate: generated from [change] for mysql: 2f4b63465c24 e69003d7b4bf
-- Runs once for each batch of keys. A row whose formats agree is left alone: a trigger or a bridge wrote it.
UPDATE users
SET first_name = CASE instr(rtrim(full_name), ' ') WHEN 0 THEN full_name ELSE substr(full_name, 1, instr(full_name, ' ') - 1) END,
    last_name = CASE instr(rtrim(full_name), ' ') WHEN 0 THEN '' ELSE substr(full_name, instr(full_name, ' ') + 1) END
WHERE id > :after AND id <= :upto
    AND NOT ((CAST(CONVERT(first_name USING utf8mb4) AS BINARY) <=> CAST(CONVERT(CASE instr(rtrim(full_name), ' ') WHEN 0 THEN full_name ELSE substr(full_name, 1, instr(full_name, ' ') - 1) END USING utf8mb4) AS BINARY) AND CAST(CONVERT(last_name USING utf8mb4) AS BINARY) <=> CAST(CONVERT(CASE instr(rtrim(full_name), ' ') WHEN 0 THEN '' ELSE substr(full_name, instr(full_name, ' ') + 1) END USING utf8mb4) AS BINARY))
        OR (IF(CHARSET(full_name) = 'binary', CAST(full_name AS BINARY) <=> CAST(CASE WHEN first_name IS NOT NULL OR last_name IS NOT NULL THEN concat_ws(' ', first_name, nullif(last_name, '')) END AS BINARY), CAST(CONVERT(full_name USING utf8mb4) AS BINARY) <=> CAST(CONVERT(CASE WHEN first_name IS NOT NULL OR last_name IS NOT NULL THEN concat_ws(' ', first_name, nullif(last_name, '')) END USING utf8mb4) AS BINARY))));
