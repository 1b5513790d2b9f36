"""PostgreSQL in the restore suite: `prepare EVENTS.csv EVENT...`, then `restore EVENT`.

Both are given the directory of PostgreSQL's programs first. `prepare` makes a base backup of an
empty table, and then commits the events in transactions of a hundred, with its log archived and a
restore point at each EVENT. `restore` copies the base backup and replays the log up to the restore
point, by default settings; it is measured until the server takes writes, with the CPU of all its
processes, but without the checkpoint that it begins then. The count and the hashes of what came
back are printed. The server listens on a socket in the current directory only.
"""

import csv
import hashlib
import json
import os
import pwd
import resource
import shutil
import subprocess
import sys
import time

EVENTS_A_TRANSACTION = 100
HOME = os.path.abspath("postgres")
BASE, LOG, RESTORED = (os.path.join(HOME, name) for name in ("base", "log", "restored"))
POLL_SECONDS = 0.005
START_SECONDS_MAX = 600
# The history is not what is measured, so it is written as fast as it goes.
LOADING = ["fsync=off", "synchronous_commit=off", "archive_mode=on",
           f"archive_command=cp %p {LOG}/%f"]


def as_server_user():
    """What a program is started with: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def run(*command, **options):
    return subprocess.run([*as_server_user(), *command], check=True, cwd=HOME,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)


class Server:
    """A server on a data directory, ended by its own process id."""

    def __init__(self, programs, directory, settings):
        self.programs, self.directory = programs, directory
        options = [part for setting in settings for part in ("-c", setting)]
        self.said = open(os.path.join(HOME, "said.txt"), "w+")
        self.process = subprocess.Popen(
            [*as_server_user(), f"{programs}/postgres", "-D", directory, "-k", HOME,
             "-c", "listen_addresses=", *options],
            cwd=HOME, stdout=self.said, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(2)  # fast: clients are not waited for
            self.process.wait()
        self.said.close()

    def wait_until_ready(self):
        """Waits until it takes writes; gives the most memory that its processes had meanwhile."""
        peak, until = 0, time.monotonic() + START_SECONDS_MAX
        for poll in range(sys.maxsize):
            if self.process.poll() is not None or time.monotonic() > until:
                self.said.seek(0)
                sys.exit(f"PostgreSQL did not start: {self.said.read()[-2000:]}")
            if poll % 10 == 0:
                peak = max(peak, sum(memory_kib(pid) for pid in self.processes()))
            try:
                with open(os.path.join(self.directory, "postmaster.pid")) as file:
                    lines = file.read().split("\n")
            except FileNotFoundError:
                lines = []
            # A base backup has no such file, so this one is of the server that was started.
            if len(lines) > 7 and lines[7].strip() == "ready":
                return max(peak, sum(memory_kib(pid) for pid in self.processes()))
            time.sleep(POLL_SECONDS)

    def processes(self):
        """The process ids of the server and of its children."""
        processes = [self.process.pid]
        for name in filter(str.isdigit, os.listdir("/proc")):
            if stat_of(name)[1:2] == [str(self.process.pid)]:
                processes.append(int(name))
        return processes

    def cpu_seconds(self):
        """CPU of all its processes, those that have ended among them."""
        # User and system time, its own and of the children that it has waited for.
        ticks = sum(int(field) for pid in self.processes() for field in stat_of(pid)[11:15])
        return ticks / os.sysconf("SC_CLK_TCK")

    def psql(self):
        return [*as_server_user(), f"{self.programs}/psql", "-h", HOME, "-U", "postgres", "-X", "-q",
                "-v", "ON_ERROR_STOP=1", "-d", "postgres"]


def stat_of(pid):
    """What the system tells of a process, from its state on; nothing if it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def memory_kib(pid):
    """What a process takes, with its part of what it shares."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("Pss:")), 0)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0


def transaction(events):
    """The statements for a hundred events, which are of as many keys."""
    quote = "'{}'".format
    puts = [f"({quote(key)},{quote(value)})" for _, key, is_put, value in events if is_put == "1"]
    deletes = [quote(key) for _, key, is_put, _ in events if is_put != "1"]
    yield "BEGIN;\n"
    if puts:
        yield f"INSERT INTO w1 VALUES {','.join(puts)} "
        yield "ON CONFLICT (key) DO UPDATE SET value = excluded.value;\n"
    if deletes:
        yield f"DELETE FROM w1 WHERE key IN ({','.join(deletes)});\n"
    yield "COMMIT;\n"


def load(server, events, targets):
    """Commits all events, and names the states to restore."""
    with subprocess.Popen(server.psql(), stdin=subprocess.PIPE, cwd=HOME, text=True) as psql:
        with open(events, newline="") as file:
            rows = csv.reader(file)
            while batch := [row for _, row in zip(range(EVENTS_A_TRANSACTION), rows)]:
                psql.stdin.writelines(transaction(batch))
                last = max(int(number) for number, *_ in batch)
                while targets and targets[0] <= last:
                    name = f"event_{targets.pop(0)}"
                    psql.stdin.write(f"SELECT pg_create_restore_point('{name}') \\g /dev/null\n")
        psql.stdin.write("SELECT pg_switch_wal() \\g /dev/null\n")
        psql.stdin.close()
    if psql.returncode != 0 or targets:
        sys.exit(f"the events could not be loaded into PostgreSQL; not reached: {targets}")


def prepare(programs, events, targets):
    os.mkdir(HOME)
    if os.geteuid() == 0:
        # The directory of the run is the harness's own; another user has to get through it.
        os.chmod(os.getcwd(), 0o711)
        shutil.chown(HOME, "postgres", "postgres")
    data = os.path.join(HOME, "data")
    run("mkdir", LOG)
    run(f"{programs}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync",
        "--encoding=UTF8", "--locale=C")
    with Server(programs, data, LOADING) as server:
        server.wait_until_ready()
        table = "CREATE TABLE w1 (key text PRIMARY KEY, value text NOT NULL)"
        subprocess.run([*server.psql(), "-c", table], check=True, cwd=HOME)
        run(f"{programs}/pg_basebackup", "-h", HOME, "-U", "postgres", "-D", BASE,
            "--checkpoint=fast", "--wal-method=none", "--no-sync")
        load(server, events, sorted(targets))
    shutil.rmtree(data)


def children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def restore(programs, event):
    wall, children = time.perf_counter(), children_seconds()
    run("cp", "-a", BASE, RESTORED)
    run("touch", f"{RESTORED}/recovery.signal")
    copied = children_seconds() - children
    settings = [f"restore_command=cp {LOG}/%f %p", f"recovery_target_name=event_{event}",
                "recovery_target_action=promote", "hot_standby=off"]
    with Server(programs, RESTORED, settings) as server:
        peak = server.wait_until_ready()
        wall, cpu = time.perf_counter() - wall, copied + server.cpu_seconds()
        rows, total = fingerprint(server)
    shutil.rmtree(RESTORED)
    print(json.dumps({
        "wall_micros": round(wall * 1e6), "cpu_micros": round(cpu * 1e6), "peak_kib": peak,
        "rows": rows, "sum": total,
    }))


def fingerprint(server):
    rows, total = 0, 0
    command = [*server.psql(), "-c", "COPY w1 (key, value) TO STDOUT"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=HOME) as psql:
        for line in psql.stdout:
            key, value = line.rstrip(b"\n").split(b"\t")
            digest = hashlib.sha256(key + b"\0" + value).digest()
            rows, total = rows + 1, (total + int.from_bytes(digest[:8], "little")) % 2**64
    if psql.returncode != 0:
        sys.exit("what PostgreSQL has restored could not be read")
    return rows, total


try:
    if sys.argv[2] == "prepare":
        prepare(sys.argv[1], os.path.abspath(sys.argv[3]), [int(event) for event in sys.argv[4:]])
    else:
        restore(sys.argv[1], int(sys.argv[3]))
except subprocess.CalledProcessError as error:
    sys.exit(f"{error}: {error.stderr}")
