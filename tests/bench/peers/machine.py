# SPDX-License-Identifier: MIT
"""machine.py: one JSON line on the library and the machine, and which route for float32 matrix products is the faster
one. `set_float32_matmul_precision("medium")` sends them to oneDNN instead of the library's default: still in full
float32 on most processors and much faster on some, bfloat16 on those with AMX, where it would be other mathematics."""
import importlib.util
import json
import os
import time

try:
    import numpy  # noqa: F401
    import torch
except ImportError as error:
    print(json.dumps({"missing": error.name}))
    raise SystemExit(0)

a, b = torch.randn(64, 1200), torch.randn(1200, 1200)
exact = a.double() @ b.double()
seconds, error = {}, {}
for route in ("highest", "medium"):
    torch.set_float32_matmul_precision(route)
    error[route] = float(((a @ b).double() - exact).abs().max() / exact.abs().max())
    seconds[route] = 1e9
    for _ in range(30):
        start = time.perf_counter()
        for _ in range(5):
            torch.mm(a, b)
        seconds[route] = min(seconds[route], (time.perf_counter() - start) / 5)
print(json.dumps({
    "torch": torch.__version__,
    "capability": torch.backends.cpu.get_cpu_capability(),
    "threads": torch.get_num_threads(),
    "cores": len(os.sched_getaffinity(0)),
    "gflops": {route: round(2 * 64 * 1200 * 1200 / t / 1e9) for route, t in seconds.items()},
    "medium": seconds["medium"] < seconds["highest"] and error["medium"] < 1e-5,
    "torchvision": all(importlib.util.find_spec(name) is not None for name in ("torchvision", "PIL")),
}))
