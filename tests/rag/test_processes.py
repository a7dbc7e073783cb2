"""The document index between processes: what one adds, another finds at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pipeline.store.documents import DocumentIndex

_ADD_ON_COMMAND = """
import sys
from pipeline.store.documents import Chunk, Document, DocumentIndex
index = DocumentIndex(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    word = line.strip()
    index.add(Document("docs", word, word, "", word), [Chunk(word, "", word, 0, len(word))])
    print(word, flush=True)
"""
_ADD_MANY = """
import sys
from pipeline.store.documents import Chunk, Document, DocumentIndex
for number in range(25):
    index = DocumentIndex(sys.argv[1])
    word = f"{sys.argv[2]}n{number}"
    index.add(Document("docs", word, word, "", word), [Chunk(word, "", word, 0, len(word))])
    assert index.search("docs", [word], 1)
    index.close()
"""
_FORK = """
import os, sys
from pipeline.store.documents import Chunk, Document, DocumentIndex
index = DocumentIndex(sys.argv[1])
def add(word):
    index.add(Document("docs", word, word, "", "lamp"), [Chunk(word, "", "lamp", 0, 4)])
    return len(index.search("docs", ["lamp"], 5))
add("a")
child = os.fork()
if child == 0:
    print("child found", add("b"), flush=True)
    index.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("parent found ", len(index.search("docs", ["lamp"], 5)), ", then ", add("c"), sep="")
index.close()
"""


def test_what_another_process_adds_is_found_at_once(tmp_path: Path) -> None:
    """A user would have to restart the worker after `documents add` before it is quoted."""
    path = tmp_path / "documents.db"
    index = DocumentIndex(path)
    command = [sys.executable, "-c", _ADD_ON_COMMAND, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        for word in ("quillon", "zephyrine", "marlowite"):
            assert index.search("docs", [word], 5) == []
            child.stdin.write(f"{word}\n")
            child.stdin.flush()
            assert child.stdout.readline() == f"{word}\n"
            assert [hit.path for hit in index.search("docs", [word], 5)] == [word]
        child.stdin.close()
        assert child.wait(30) == 0
    index.close()


def test_processes_that_create_and_fill_one_index_together(tmp_path: Path) -> None:
    """A user would see "database is locked" when the web server and the worker start at once."""
    path = tmp_path / "new" / "documents.db"
    children = [
        subprocess.Popen([sys.executable, "-c", _ADD_MANY, str(path), name], stderr=subprocess.PIPE, text=True)
        for name in ("alpha", "beta", "gamma", "delta")
    ]
    for child in children:
        _, errors = child.communicate(timeout=90)
        assert (child.returncode, errors) == (0, "")
    index = DocumentIndex(path)
    assert [(c.documents, c.chunks) for c in index.collections()] == [(100, 100)]
    index.close()


def test_an_index_opened_before_a_fork_serves_parent_and_child(tmp_path: Path) -> None:
    """A user's questions would fail, or the file be damaged, in a worker that forks its children."""
    # In a process of its own: forking beside the threads of other tests would be another thing.
    command = [sys.executable, "-c", _FORK, str(tmp_path / "documents.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "child found 2\nparent found 2, then 3\n", "")
