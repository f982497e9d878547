"""The services: each hosts one model."""

import os

# ONNX Runtime reports its sessions to its maker, and keeps a number of the machine in the home
# folder, unless this is set before it is imported. Nothing leaves from here unasked.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
