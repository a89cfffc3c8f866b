"""Runs code in a kernel of a notebook and prints, as JSON, what came of it.

`python run_cell.py CODE [interrupt]`: with the second, the kernel is interrupted as soon as it shows something, as
by the button of a notebook.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import KernelManager

code, *interrupt = sys.argv[1:]
# By files of this machine, without network; they would outlive the kernel.
sockets = tempfile.TemporaryDirectory()
manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(Path(sockets.name) / "kernel"))
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
shown: list[str] = []
text = ""
interrupted = None


def output(message: dict) -> None:
    global text, interrupted
    content = message["content"]
    if message["msg_type"] in ("display_data", "update_display_data"):
        shown.append(content["data"]["text/plain"])
        if interrupt and interrupted is None:
            manager.interrupt_kernel()
            interrupted = time.monotonic()
    elif message["msg_type"] == "stream":
        text += content["text"]


reply = client.execute_interactive(code, output_hook=output, timeout=60)["content"]
seconds = time.monotonic() - interrupted if interrupted is not None else None
client.stop_channels()
manager.shutdown_kernel(now=True)
sockets.cleanup()
print(
    json.dumps(
        {"status": reply["status"], "error": reply.get("ename"), "shown": shown, "text": text, "seconds": seconds}
    )
)
