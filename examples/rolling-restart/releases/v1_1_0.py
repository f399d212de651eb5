"""What web 1.1.0 knows of a user's name: both formats. It writes both, and reads the new one where it is there."""


def split(name):
    first, _, last = name.partition(" ")
    return first, last


def join(first, last):
    return f"{first} {last}" if last else first


def check(cursor):
    cursor.execute("SELECT full_name, first_name, last_name FROM users LIMIT 0")


def insert(cursor, name):
    cursor.execute(
        "INSERT INTO users (full_name, first_name, last_name) VALUES (%s, %s, %s) RETURNING id",
        [name, *split(name)],
    )
    return cursor.fetchone()[0]


def update(cursor, user, name):
    cursor.execute(
        "UPDATE users SET full_name = %s, first_name = %s, last_name = %s WHERE id = %s",
        [name, *split(name), user],
    )


def read(cursor, user):
    cursor.execute("SELECT full_name, first_name, last_name FROM users WHERE id = %s", [user])
    full_name, first, last = cursor.fetchone()
    if first is None:
        first, last = split(full_name)
    return {"name": join(first, last), "first_name": first, "last_name": last}
