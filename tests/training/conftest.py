"""What has to be loaded before the tests of training are."""

import contextlib

# Loaded after TensorFlow, which brings an LLVM of its own, it aborts the process.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401
