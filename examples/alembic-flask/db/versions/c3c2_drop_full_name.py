"""Drop full name"""
from alembic import op

revision = "c3c2"
down_revision = "b2c1"


def upgrade() -> None:
    op.execute(
        """
        DROP TRIGGER users_sync_names ON users;
        DROP FUNCTION users_sync_names();
        ALTER TABLE users DROP COLUMN full_name;
        """
    )


def downgrade() -> None:
    raise NotImplementedError
