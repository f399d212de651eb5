"""Amazon ECS as far as moto has it, with the scheduler that moto lacks: services start, replace and drain their tasks.

cluster.py PORT FILE: serves on PORT, and writes FILE once it does. An image whose tag ends in `-broken` never runs. A task
drains for as long as the file FILE.drain exists.
"""

import os
import sys
import threading
import time

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ecs.models import ecs_backends
from moto.moto_api import state_manager
from moto.server import ThreadedMotoServer

PORT, READY = int(sys.argv[1]), sys.argv[2]
DRAIN = READY + ".drain"
# Of itself a task of moto ends when it is described often enough.
state_manager.set_transition("ecs::task", {"progression": "manual", "times": 10**9})
ecs = ecs_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]


def last(arn):
    return arn.rsplit("/", 1)[-1]


def is_broken(task):
    definition = ecs.describe_task_definition(last(task.task_definition_arn))
    return any(container["image"].endswith("-broken") for container in definition.container_definitions)


def deployment(service, definition):
    return {
        "id": f"ecs-svc/{time.monotonic_ns()}",
        "status": "PRIMARY",
        "taskDefinition": definition,
        "desiredCount": service.desired_count,
        "pendingCount": 0,
        "runningCount": 0,
        "failedTasks": 0,
        "rolloutState": "IN_PROGRESS",
        "rolloutStateReason": "in progress",
    }


def step(service):
    if not service.deployments:
        # Another controller makes them.
        return
    goal = service.deployments[0]
    if last(service.task_definition) != last(goal["taskDefinition"]):
        goal["status"] = "ACTIVE"
        goal = deployment(service, service.task_definition)
        service.deployments.insert(0, goal)
    # Only those that the service has started are its own; one that a schedule has started is not.
    own = [task for task in ecs.tasks.get(service.cluster_name, {}).values() if task.group == f"service:{service.name}"]
    for task in own:
        if task.status == "PENDING":
            if is_broken(task):
                task.status, task.desired_status = "STOPPED", "STOPPED"
                goal["failedTasks"] += 1
            else:
                task.status = "RUNNING"
        elif task.status == "DEACTIVATING" and not os.path.exists(DRAIN):
            task.status = "STOPPED"
    if goal["failedTasks"] >= 3 and len(service.deployments) > 1:
        # The circuit breaker.
        service.events = [{"id": "1", "createdAt": time.time(), "message": "(service web) tasks failed to start."}]
        service.task_definition = service.deployments[1]["taskDefinition"]
        return
    new = [task for task in own if task.status in ("PENDING", "RUNNING") and last(task.task_definition_arn) == last(goal["taskDefinition"])]
    old = [task for task in own if task.status == "RUNNING" and last(task.task_definition_arn) != last(goal["taskDefinition"])]
    if len(new) < service.desired_count:
        started = ecs.run_task(service.cluster_name, last(goal["taskDefinition"]), 1, None, goal["id"], None, "FARGATE", group=f"service:{service.name}")
        for task in started:
            task.status = "PENDING"
    running = [task for task in new if task.status == "RUNNING"]
    if old and len(running) + len(old) > service.desired_count:
        old[0].status, old[0].desired_status = "DEACTIVATING", "STOPPED"
    goal["desiredCount"] = service.desired_count
    goal["runningCount"], goal["pendingCount"] = len(running), len(new) - len(running)
    for other in service.deployments[1:]:
        other["desiredCount"] = len(old)
    # ECS calls a deployment done while tasks of the one before are draining.
    if len(running) == service.desired_count and not old:
        goal["rolloutState"] = "COMPLETED"
        del service.deployments[1:]


def schedule():
    while True:
        for service in list(ecs.services.values()):
            step(service)
        time.sleep(0.5)


server = ThreadedMotoServer(ip_address="127.0.0.1", port=PORT, verbose=False)
server.start()
threading.Thread(target=schedule, daemon=True).start()
with open(READY, "w", encoding="utf-8") as ready:
    ready.write("ready\n")
threading.Event().wait()
