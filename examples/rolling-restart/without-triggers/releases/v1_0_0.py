"""What web 1.0.0 knows of a user's name: users.full_name."""


def check(cursor):
    cursor.execute("SELECT full_name FROM users LIMIT 0")


def insert(cursor, name):
    cursor.execute("INSERT INTO users (full_name) VALUES (%s) RETURNING id", [name])
    return cursor.fetchone()[0]


def update(cursor, user, name):
    cursor.execute("UPDATE users SET full_name = %s WHERE id = %s", [name, user])


def read(cursor, user):
    cursor.execute("SELECT full_name FROM users WHERE id = %s", [user])
    (full_name,) = cursor.fetchone()
    return {"name": full_name}
