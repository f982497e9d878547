"""The stubs work with the oldest protobuf and gRPC supported; the rest of the suite has the newest.

The oldest ones get an environment of their own, which needs a package registry for a moment.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import ROOT

OLDEST = ("protobuf==6.31.1", "grpcio==1.76.0", "googleapis-common-protos==1.70.0")
INSTALL_SECONDS = 120

# Runs there: imports every stub, repeats a message through bytes, and makes one real call.
SCRIPT = """
import importlib
from concurrent import futures
from pathlib import Path

import google.protobuf
import grpc

assert (google.protobuf.__version__, grpc.__version__) == ("6.31.1", "1.76.0")
for stub in sorted(Path("client/trilens/v1").glob("*_pb2*.py")):
    importlib.import_module(f"trilens.v1.{stub.stem}")

from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc

request = pb.AnalyzeImageRequest(
    image={"content": b"photo"},
    features=[{"feature": "objects", "detection": {"score_threshold": 0.0}}],
)
assert pb.AnalyzeImageRequest.FromString(request.SerializeToString()) == request


class Echo(rpc.ImageAnalysisServiceServicer):
    def AnalyzeImage(self, request, context):
        response = pb.AnalyzeImageResponse(request_id=request.request_id)
        for asked in request.features:
            assert asked.detection.HasField("score_threshold")
            outcome = response.outcomes[asked.feature]
            outcome.status.message = "echo"
            outcome.detection.objects.add(label="dog", score=0.5)
        return response


server = grpc.server(futures.ThreadPoolExecutor(1))
rpc.add_ImageAnalysisServiceServicer_to_server(Echo(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    response = rpc.ImageAnalysisServiceStub(channel).AnalyzeImage(request, timeout=10)
server.stop(None).wait()
assert response.outcomes["objects"].detection.objects[0].label == "dog"
print("works")
"""


@pytest.fixture(scope="module")
def oldest_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the oldest packages."""
    folder = tmp_path_factory.mktemp("oldest") / "venv"
    python = folder / "bin" / "python"
    if uv := shutil.which("uv"):
        steps = [
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *OLDEST],
        ]
    else:
        steps = [
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", *OLDEST],
        ]
    for step in steps:
        try:
            made = subprocess.run(
                step, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"no package registry answered within {INSTALL_SECONDS} s")
        if made.returncode != 0:
            pytest.skip(f"the oldest packages cannot be installed here: {made.stderr[-300:]}")
    return python


def test_stubs_work_with_the_oldest_protobuf_and_grpc(oldest_python: Path) -> None:
    run = subprocess.run(
        [oldest_python, "-W", "error", "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "client"},
    )

    assert (run.returncode, run.stdout, run.stderr) == (0, "works\n", "")
