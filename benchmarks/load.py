"""The load client `load.c`: built on first use, run on this process's core, its JSON read."""

import json
import subprocess

from benchmarks import cache
from benchmarks.processes import SERVER_CORE, Running
from benchmarks.results import Run
from benchmarks.servers import Endpoint, Server
from benchmarks.workloads import Workload

LONGEST = 300.0  # s for connecting, warming up and measuring


class LoadError(Exception):
    """The client could not do its work; the text says why."""


def drive(workload: Workload, server: Server, process: Running, *, seconds: float) -> Run:
    """One measurement of a running server."""
    end = endpoint(workload, server)
    return run([*target(end, process), *work(workload), "--seconds", str(seconds)])


def endpoint(workload: Workload, server: Server) -> Endpoint:
    return server.room if workload.room or server.echo is None else server.echo


def target(end: Endpoint, process: Running) -> list[str]:
    words = {
        "--port": process.port,
        "--pid": process.pid,
        "--core": SERVER_CORE,
        "--path": end.path,
        "--publish-path": end.publish_path,
        "--text": end.text,
        "--hello": end.hello,
        "--ready": end.ready,
        "--ping": end.ping,
        "--pong": end.pong,
    }
    return [str(word) for pair in words.items() if pair[1] != "" for word in pair]


def work(workload: Workload) -> list[str]:
    mode = workload.kind if workload.kind in ("fanout", "echo") else "idle"
    words = {
        "--mode": mode,
        "--members": workload.members,
        "--window": workload.window,
        "--size": workload.size,
        "--slow": workload.slow,
        "--stall": workload.patience,
    }
    deflate = ["--deflate"] if workload.deflate else []
    return [str(word) for pair in words.items() for word in pair] + deflate


def run(words: list[str]) -> Run:
    try:
        done = subprocess.run(
            [cache.build("load"), *words], capture_output=True, text=True, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        raise LoadError(f"not done after {LONGEST:g} s") from None
    if done.returncode:
        raise LoadError(done.stderr.strip() or f"load ended with {done.returncode}")
    result: Run = json.loads(done.stdout)
    return result
