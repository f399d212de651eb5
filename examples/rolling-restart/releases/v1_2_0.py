"""What web 1.2.0 knows of a user's name: users.first_name and users.last_name."""


def split(name):
    first, _, last = name.partition(" ")
    return first, last


def join(first, last):
    return f"{first} {last}" if last else first


def check(cursor):
    cursor.execute("SELECT first_name, last_name FROM users LIMIT 0")


def insert(cursor, name):
    cursor.execute(
        "INSERT INTO users (first_name, last_name) VALUES (%s, %s) RETURNING id", split(name)
    )
    return cursor.fetchone()[0]


def update(cursor, user, name):
    cursor.execute(
        "UPDATE users SET first_name = %s, last_name = %s WHERE id = %s", [*split(name), user]
    )


def read(cursor, user):
    cursor.execute("SELECT first_name, last_name FROM users WHERE id = %s", [user])
    first, last = cursor.fetchone()
    return {"name": join(first, last), "first_name": first, "last_name": last}
