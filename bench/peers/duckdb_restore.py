"""DuckDB in the restore suite: `prepare EVENTS.csv`, then `late | arg_max EVENT`.

`prepare` writes the events to Parquet, zstd, sorted by key and number: the order that DuckDB's
late materialisation likes best. A query writes the state after EVENT to a Parquet file, which is
synced to disk; only that is measured. The count and the hashes of what was written are printed.
"""

import hashlib
import json
import os
import resource
import sys
import time

import duckdb

EVENTS, RESULT = "events.parquet", "result.parquet"
QUERIES = {
    "late": """SELECT key, value FROM '{events}' WHERE is_put = 1 AND number IN
        (SELECT max(number) FROM '{events}' WHERE number <= {event} GROUP BY key)""",
    "arg_max": """SELECT key, value FROM (SELECT key, arg_max(value, number) AS value,
        arg_max(is_put, number) AS is_put FROM '{events}' WHERE number <= {event} GROUP BY key)
        WHERE is_put = 1""",
}


def prepare(connection, csv):
    columns = "{'number': 'BIGINT', 'key': 'VARCHAR', 'is_put': 'TINYINT', 'value': 'VARCHAR'}"
    connection.execute(
        f"""COPY (SELECT * FROM read_csv('{csv}', header=false, quote='"', escape='"',
        columns={columns}) ORDER BY key, number) TO '{EVENTS}' (FORMAT parquet, COMPRESSION zstd)"""
    )


def restore(connection, query, event):
    sql = QUERIES[query].format(events=EVENTS, event=int(event))
    wall, cpu = time.perf_counter(), time.process_time()
    connection.execute(f"COPY ({sql}) TO '{RESULT}' (FORMAT parquet, COMPRESSION zstd)")
    file = os.open(RESULT, os.O_RDONLY)
    os.fsync(file)
    os.close(file)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows, total = 0, 0
    for key, value in connection.execute(f"SELECT key, value FROM '{RESULT}'").fetchall():
        digest = hashlib.sha256(key.encode() + b"\0" + value.encode()).digest()
        rows, total = rows + 1, (total + int.from_bytes(digest[:8], "little")) % 2**64
    print(json.dumps({
        "wall_micros": round(wall * 1e6), "cpu_micros": round(cpu * 1e6), "peak_kib": peak,
        "rows": rows, "sum": total,
    }))


connection = duckdb.connect()
# It draws its progress, after two seconds, where the result is printed.
connection.execute("SET enable_progress_bar = false")
if sys.argv[1] == "prepare":
    prepare(connection, sys.argv[2])
else:
    restore(connection, sys.argv[1], sys.argv[2])
