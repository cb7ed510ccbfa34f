# Answers SQL with DuckDB: a JSON string of statements per line in, a JSON line {"rows": [[text]]} or {"error": text} out.
import json
import sys

import duckdb

db = duckdb.connect(":memory:", config={"threads": 1})
for line in sys.stdin:
    try:
        rows = db.execute(json.loads(line)).fetchall()
        answer = {"rows": [["" if c is None else str(c) for c in row] for row in rows]}
    except duckdb.Error as e:
        answer = {"error": str(e)}
    print(json.dumps(answer), flush=True)
