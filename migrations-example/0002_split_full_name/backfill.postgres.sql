-- migrate: generated from [change] for postgres: 2f4b63465c24 9d75f23cef6d
-- Runs once for each batch of keys. A row whose formats agree is left alone: a trigger or a bridge wrote it.
UPDATE users
SET first_name = CASE strpos(rtrim(full_name), ' ') WHEN 0 THEN full_name ELSE substr(full_name, 1, strpos(full_name, ' ') - 1) END,
    last_name = CASE strpos(rtrim(full_name), ' ') WHEN 0 THEN '' ELSE substr(full_name, strpos(full_name, ' ') + 1) END
WHERE id > :after AND id <= :upto
    AND NOT (ROW(first_name, last_name)::record *= ROW(CAST(CASE strpos(rtrim(full_name), ' ') WHEN 0 THEN full_name ELSE substr(full_name, 1, strpos(full_name, ' ') - 1) END AS text), CAST(CASE strpos(rtrim(full_name), ' ') WHEN 0 THEN '' ELSE substr(full_name, strpos(full_name, ' ') + 1) END AS text))::record
        OR CAST(full_name AS text) IS NOT DISTINCT FROM CAST(CASE WHEN first_name IS NOT NULL OR last_name IS NOT NULL THEN concat_ws(' ', first_name, nullif(last_name, '')) END AS text));
