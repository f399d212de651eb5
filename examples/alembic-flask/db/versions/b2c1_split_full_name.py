"""Split full name"""
from alembic import op

revision = "b2c1"
down_revision = "a1c0"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE users ADD COLUMN first_name text, ADD COLUMN last_name text;

        -- What keeps both formats in step. Splitting is at the first space, and what cannot be split is a first
        -- name; joining what was split gives back the whole. The trigger changes the row before it is written:
        -- nothing is written twice, and nothing echoes.
        CREATE FUNCTION users_sync_names() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            new_format_was_written boolean;
            old_format_was_written boolean;
        BEGIN
            IF TG_OP = 'INSERT' THEN
                new_format_was_written := NEW.first_name IS NOT NULL;
                old_format_was_written := NEW.full_name IS NOT NULL;
            ELSE
                new_format_was_written := (NEW.first_name, NEW.last_name) IS DISTINCT FROM (OLD.first_name, OLD.last_name);
                old_format_was_written := NEW.full_name IS DISTINCT FROM OLD.full_name;
            END IF;

            IF new_format_was_written THEN
                NEW.full_name := concat_ws(' ', NEW.first_name, nullif(NEW.last_name, ''));
            ELSIF old_format_was_written THEN
                NEW.first_name := split_part(NEW.full_name, ' ', 1);
                NEW.last_name := substr(NEW.full_name, length(NEW.first_name) + 2);
            END IF;
            RETURN NEW;
        END
        $$;

        CREATE TRIGGER users_sync_names BEFORE INSERT OR UPDATE ON users
        FOR EACH ROW EXECUTE FUNCTION users_sync_names();
        """
    )


def downgrade() -> None:
    raise NotImplementedError
