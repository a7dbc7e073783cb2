"""The sender of DBOS's workflows: for each line with a number it enqueues as many and answers with their ids.

Run by a Python that has dbos, in a process whose environment names the system database.
"""

from __future__ import annotations

import os
import sys
import uuid

from dbos import DBOSClient, EnqueueOptions

from benchmarks.dbos_steps import QUEUE, VERSION, WORKFLOW


def main() -> None:
    """Runs until its input ends."""
    client = DBOSClient(system_database_url=os.environ["BENCHMARK_DBOS_DATABASE"])
    print("ready", flush=True)
    for line in sys.stdin:
        ids = [str(uuid.uuid4()) for _ in range(int(line))]
        for workflow_id in ids:
            options: EnqueueOptions = {
                "workflow_name": WORKFLOW,
                "queue_name": QUEUE,
                "workflow_id": workflow_id,
                "app_version": VERSION,
            }
            client.enqueue(options)
        print(" ".join(ids), flush=True)


if __name__ == "__main__":
    main()
