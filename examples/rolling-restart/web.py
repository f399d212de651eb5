"""A shop's web application. What a release knows of a user's name is in releases/, and nowhere else.

    VERSION=1.0.0 INSTANCE=server-1-a gunicorn web:app

FAULTS=1.1.0=2 has version 1.1.0 answer 2 % of its requests with an error: a bug that shows only under load.
"""

import contextlib
import importlib
import itertools
import json
import os
import threading
import time

import psycopg2
from flask import Flask, Response, jsonify, request, stream_with_context

import lease

VERSION = os.environ["VERSION"]
# The process is part of it: one that replaced another is not the same.
INSTANCE = f"{os.environ['INSTANCE']}:{os.getpid()}"

faults = dict(fault.split("=") for fault in os.environ.get("FAULTS", "").split())
FAULTS_PERCENT = float(faults.get(VERSION, 0))
arrivals = itertools.count(1)

release = importlib.import_module("releases.v" + VERSION.replace(".", "_"))
app = Flask(__name__)
local = threading.local()


@contextlib.contextmanager
def transaction():
    """A cursor whose work is committed at the end. Each thread keeps its connection."""
    if getattr(local, "connection", None) is None:
        local.connection = psycopg2.connect(os.environ["DATABASE_URL"])
    try:
        with local.connection, local.connection.cursor() as cursor:
            yield cursor
    except psycopg2.Error:
        local.connection.close()
        local.connection = None
        raise


def answer(user, name, status=200):
    return jsonify(id=user, version=VERSION, instance=INSTANCE, **name), status


@app.before_request
def fault():
    """For 2 %, the 25th of every fifty requests fails before it has done anything. /health says nothing of it."""
    if FAULTS_PERCENT and request.path != "/health":
        count = next(arrivals)
        before, now = (int(number * FAULTS_PERCENT / 100 + 0.5) for number in (count - 1, count))
        if now > before:
            return jsonify(fault=True, version=VERSION, instance=INSTANCE), 500


@app.get("/health")
def health():
    """Whether this process takes requests: its lease is valid, the database answers, and has the columns that it knows."""
    told = lease.told()
    if told["state"] != "valid":
        return jsonify(version=VERSION, instance=INSTANCE, lease=told), 503
    with transaction() as cursor:
        release.check(cursor)
    return jsonify(version=VERSION, instance=INSTANCE, lease=told)


@app.post("/users")
def add():
    with transaction() as cursor:
        user = release.insert(cursor, request.json["name"])
        return answer(user, release.read(cursor, user), 201)


@app.put("/users/<int:user>")
def change(user):
    with transaction() as cursor:
        release.update(cursor, user, request.json["name"])
        return answer(user, release.read(cursor, user))


@app.get("/users/<int:user>")
def show(user):
    with transaction() as cursor:
        return answer(user, release.read(cursor, user))


@app.get("/report")
def report():
    """Takes its time: a line about one of the first customers every quarter of a second."""

    def lines():
        for user in range(1, int(request.args["lines"]) + 1):
            with transaction() as cursor:
                name = release.read(cursor, user)
            yield json.dumps({"id": user, "version": VERSION, "instance": INSTANCE, **name}) + "\n"
            time.sleep(0.25)
        yield json.dumps({"finished": True, "instance": INSTANCE}) + "\n"


    # Without its context, the request would be gone when the lines are made.
    return Response(stream_with_context(lines()), mimetype="application/x-ndjson")
