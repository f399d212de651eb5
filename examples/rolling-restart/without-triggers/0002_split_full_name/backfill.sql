-- Not only where a name is missing: while 1.0.0 ran beside 1.1.0, it may have changed a name that 1.1.0 had
-- split already. full_name is right as long as everything that runs writes it.
UPDATE users
SET first_name = split_part(full_name, ' ', 1),
    last_name = substr(full_name, length(split_part(full_name, ' ', 1)) + 2)
WHERE id > :after AND id <= :upto AND full_name IS NOT NULL
    AND (first_name IS NULL OR full_name <> concat_ws(' ', first_name, nullif(last_name, '')));
