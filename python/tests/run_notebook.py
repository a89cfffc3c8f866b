"""Runs a notebook and prints, as JSON, what an expression is at its end, and the outputs.

`python run_notebook.py NOTEBOOK EXPRESSION`. A program of its own: the client has sockets that outlive a run and
would be taken for ours.
"""

import json
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient

path, expression = sys.argv[1:]
notebook = nbformat.read(path, 4)
notebook.cells.append(nbformat.v4.new_code_cell(f"import json\nprint(json.dumps({expression}))"))
# By files of this machine, without network; they would outlive the kernel.
with tempfile.TemporaryDirectory() as sockets:
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=str(Path(sockets) / "kernel"))
    NotebookClient(notebook, km=manager, timeout=120).execute()
outputs = [output for cell in notebook.cells[:-1] for output in cell.get("outputs", [])]
print(json.dumps({"result": json.loads(notebook.cells[-1].outputs[0].text), "outputs": outputs}))
