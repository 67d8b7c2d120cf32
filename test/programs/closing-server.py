"""Ends connections IDLE_MS after their last answer, without having said so, and only where nothing of a request has come: what is
asked of it after that has met an end. `/count/ID` is counted; `/report` says how often each came.

    closing-server.py PORT IDLE_MS
"""

import json
import select
import socket
import sys
import time

port, idle = int(sys.argv[1]), int(sys.argv[2]) / 1000
listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
counts = {}
open_connections = {}


def answer(head):
    method, target = head.split(" ")[:2]
    if target == "/report":
        return json.dumps(counts)
    if method == "POST":
        counts[target] = counts.get(target, 0) + 1
    return "ok"


def serve(connection):
    state = open_connections[connection]
    data = connection.recv(65536)
    if not data:
        return leave(connection)
    state["text"] += data.decode("latin1")
    while "\r\n\r\n" in state["text"]:
        head, rest = state["text"].split("\r\n\r\n", 1)
        fields = [line.lower() for line in head.split("\r\n")]
        length = next((int(line.split(":")[1]) for line in fields if line.startswith("content-length:")), 0)
        if len(rest) < length:
            return None
        state["text"] = rest[length:]
        content = answer(head)
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode())
        state["until"] = time.monotonic() + idle
    return None


def leave(connection):
    open_connections.pop(connection, None)
    connection.close()


def has_something(connection):
    try:
        return len(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)) > 0
    except BlockingIOError:
        return False


print("listening", flush=True)
while True:
    now = time.monotonic()
    for connection, state in list(open_connections.items()):
        if state["until"] is not None and state["until"] <= now and not has_something(connection):
            leave(connection)
    soonest = min((s["until"] for s in open_connections.values() if s["until"] is not None), default=now + 1)
    readable, _, _ = select.select([listener, *open_connections], [], [], max(0, soonest - now))
    for each in readable:
        if each is listener:
            open_connections[listener.accept()[0]] = {"text": "", "until": None}
        elif each in open_connections:
            try:
                serve(each)
            except OSError:
                leave(each)
