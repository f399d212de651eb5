-- migrate: generated from [change] for postgres: 2f4b63465c24 6501188cce51
ALTER TABLE users ADD COLUMN first_name text, ADD COLUMN last_name text;

-- Keeps both formats in step, whoever writes: what was written holds, and the other format follows unless the two
-- agree already. Rows are compared as they are stored (*=), so that a capital letter counts as a change.
CREATE FUNCTION zz_0002_users_sync() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    other record := NEW;
    only_old boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        only_old := NEW.first_name IS NULL AND NEW.last_name IS NULL;
    ELSE
        only_old := ROW(NEW.first_name, NEW.last_name)::record *= ROW(OLD.first_name, OLD.last_name)::record;
    END IF;

    IF only_old THEN
        NEW.first_name := CASE strpos(rtrim(NEW.full_name), ' ') WHEN 0 THEN NEW.full_name ELSE substr(NEW.full_name, 1, strpos(NEW.full_name, ' ') - 1) END;
        NEW.last_name := CASE strpos(rtrim(NEW.full_name), ' ') WHEN 0 THEN '' ELSE substr(NEW.full_name, strpos(NEW.full_name, ' ') + 1) END;
        RETURN NEW;
    END IF;

    other.full_name := CASE WHEN NEW.first_name IS NOT NULL OR NEW.last_name IS NOT NULL THEN concat_ws(' ', NEW.first_name, nullif(NEW.last_name, '')) END;
    IF ROW(other.full_name)::record *= ROW(NEW.full_name)::record THEN
        RETURN NEW;
    END IF;
    other.first_name := CASE strpos(rtrim(NEW.full_name), ' ') WHEN 0 THEN NEW.full_name ELSE substr(NEW.full_name, 1, strpos(NEW.full_name, ' ') - 1) END;
    other.last_name := CASE strpos(rtrim(NEW.full_name), ' ') WHEN 0 THEN '' ELSE substr(NEW.full_name, strpos(NEW.full_name, ' ') + 1) END;
    IF ROW(other.first_name, other.last_name)::record *= ROW(NEW.first_name, NEW.last_name)::record THEN
        RETURN NEW;
    END IF;
    NEW.full_name := other.full_name;
    RETURN NEW;
END
$$;

-- Triggers fire in the order of their names: these after all others, so that they see what those have made of the row.
CREATE TRIGGER zz_0002_users_insert BEFORE INSERT ON users
FOR EACH ROW EXECUTE FUNCTION zz_0002_users_sync();

CREATE TRIGGER zz_0002_users_update BEFORE UPDATE ON users
FOR EACH ROW WHEN (CAST(OLD.full_name AS text) COLLATE "C" IS DISTINCT FROM CAST(NEW.full_name AS text) COLLATE "C"
    OR CAST(OLD.first_name AS text) COLLATE "C" IS DISTINCT FROM CAST(NEW.first_name AS text) COLLATE "C"
    OR CAST(OLD.last_name AS text) COLLATE "C" IS DISTINCT FROM CAST(NEW.last_name AS text) COLLATE "C")
EXECUTE FUNCTION zz_0002_users_sync();
