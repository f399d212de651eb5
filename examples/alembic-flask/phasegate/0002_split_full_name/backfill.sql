-- Runs once for each batch of keys. The same split as the trigger makes, and only where a name is missing.
UPDATE users
SET first_name = split_part(full_name, ' ', 1),
    last_name = substr(full_name, length(split_part(full_name, ' ', 1)) + 2)
WHERE id > :after AND id <= :upto AND first_name IS NULL;
