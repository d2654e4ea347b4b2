"""NATS, Redis and PostgreSQL beside the control plane, on free ports of loopback."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import values
from plane import free_port

NOBODY = 65534


class Servers:
    """Ends its servers when it is closed."""

    def __init__(self, folder):
        self.folder, self.processes = pathlib.Path(folder), {}
        self.nats, self.redis, self.postgres = free_port(), free_port(), free_port()
        self.start_nats()
        self.spawn("redis", ["redis-server", "--port", str(self.redis), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        self.start_postgres()
        for port in (self.nats, self.redis, self.postgres):
            answers(port)

    def spawn(self, name, words):
        log = open(self.folder / f"{name}.log", "w")
        self.processes[name] = subprocess.Popen(words, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start_nats(self):
        own = values.CHART.parent.parent / "target/tools/nats/bin/nats-server"
        config = self.folder / "nats.conf"
        config.write_text(f'port: {self.nats}\nhost: 127.0.0.1\njetstream {{ store_dir: "{self.folder}/nats" }}\n')
        self.spawn("nats", [str(own if own.is_file() else shutil.which("nats-server")), "--config", str(config)])

    def start_postgres(self):
        """PostgreSQL refuses to run as root."""
        home = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        data = self.folder / "postgres"
        data.mkdir()
        os.chown(data, NOBODY, NOBODY)
        for parent in (self.folder, *self.folder.parents):
            if str(parent).startswith("/tmp/"):
                parent.chmod(0o755)
        other = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        subprocess.run([*other, home / "initdb", "-D", data, "-U", "barrage", "-A", "trust", "--no-sync"], check=True, capture_output=True)
        self.spawn("postgresql", [*other, home / "postgres", "-D", data, "-p", str(self.postgres), "-k", "", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
        at = ["-h", "127.0.0.1", "-p", str(self.postgres), "-U", "barrage"]
        # PostgreSQL takes connections before it answers queries.
        is_ready(lambda: subprocess.run([home / "pg_isready", "-q", *at]).returncode == 0)
        subprocess.run([home / "createdb", *at, "barrage"], check=True, capture_output=True)

    def pause(self, name):
        self.processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name):
        self.processes[name].send_signal(signal.SIGCONT)

    def close(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def is_ready(holds, secs=30):
    """Waits until a condition holds, for a time at most."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > secs:
            raise TimeoutError(f"a server is not ready after {secs} s")
        time.sleep(0.05)


def answers(port):
    """Waits until a port of loopback takes connections."""

    def connects():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    is_ready(connects)
