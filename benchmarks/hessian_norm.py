"""`numerics.hessian_norm` against generic Lanczos on all parameters, side by side.

    python benchmarks/hessian_norm.py --widths 256,1024 --json result.json

Both compute the spectral norm of the Hessian of the same tanh network (depth 3, d = 16, readout
fixed, float64) at the same input (|x|^2 = d). The generic contender is what one would write without
knowing the structure: SciPy's `eigsh` (which="LM", k=1, its default tolerance) on the JAX
Hessian-vector product over all weights, forward over reverse, compiled.

Each contender runs in a process of its own, one at a time:

- process: seconds from starting the interpreter to the answer, imports, drawing of the weights and
  compilation included;
- solve: seconds for the answer when everything is compiled: `eigsh` alone after one warm-up
  product; for `hessian_norm` the median of three further calls, everything but compilation;
- memory: the process's largest resident set.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

DEPTH, DIM = 3, 16
TARGETS = {  # width: least ratio of solve times, of process times, most peak memory in GB
    256: (None, 1.0, None),
    1024: (25.0, None, None),
    2048: (40.0, None, None),
    4096: (40.0, 12.0, 0.8),
}


@click.command(help=__doc__.split("\n", maxsplit=1)[0])
@click.option("--widths", default="256,1024,2048,4096", show_default=True, help="hidden widths")
@click.option("--seed", default=0, show_default=True, help="of the weights and the input")
@click.option("--json", "path", type=click.Path(path_type=Path), help="write the numbers here")
@click.option("--contender", type=click.Choice(["lowrank", "generic"]), hidden=True)
def main(widths: str, seed: int, path: Path | None, contender: str | None) -> None:
    sizes = [int(width) for width in widths.split(",")]
    if contender:
        print(json.dumps({"lowrank": lowrank, "generic": generic}[contender](sizes[0], seed)))
        return
    rows: list[dict[str, Any]] = []
    try:
        for width in sizes:
            result: dict[str, Any] = {"width": width}
            for name in ("lowrank", "generic"):
                click.echo(f"width {width}: {name} ...", err=True)
                result[name] = measure(name, width, seed)
            rows.append(compare(result))
            if path:
                path.write_text(json.dumps({"depth": DEPTH, "dim": DIM, "rows": rows}, indent=1))
    finally:  # an interrupted run shows what is done
        show(rows)


def measure(contender: str, width: int, seed: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--contender", contender]
    command += ["--widths", str(width), "--seed", str(seed)]
    start = time.time()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    result["process_s"] = result.pop("answered_at") - start
    return result


def problem(width: int, seed: int) -> tuple[Any, Any]:
    import numpy as np

    import numerics
    from theory.networks import Activation, Dense, Input, Network, Readout

    hidden = [layer for _ in range(DEPTH) for layer in (Dense(width), Activation("tanh"))]
    model = numerics.instantiate(Network(Input(DIM), *hidden, Readout(trainable=False)), seed=seed)
    x = np.random.default_rng(seed).standard_normal(DIM)
    return model, x * np.sqrt(DIM) / np.linalg.norm(x)


def lowrank(width: int, seed: int) -> dict[str, Any]:
    import numerics

    model, x = problem(width, seed)
    norm = numerics.hessian_norm(model, x)
    answered_at, times = time.time(), []
    memory = peak_memory()
    for _ in range(3):
        start = time.perf_counter()
        numerics.hessian_norm(model, x)
        times.append(time.perf_counter() - start)
    return {
        "value": norm.value,
        "lower": norm.lower,
        "upper": norm.upper,
        "method": norm.method,
        "products": norm.steps,
        "solve_s": statistics.median(times),
        "answered_at": answered_at,
        "memory_GB": memory,
    }


def generic(width: int, seed: int) -> dict[str, Any]:
    import jax
    import numpy as np
    from scipy.sparse.linalg import LinearOperator, eigsh

    from numerics.models import forward

    model, x = problem(width, seed)
    shapes = [weight.shape for weight in model.params["W"]]
    cuts = np.cumsum([rows * columns for rows, columns in shapes])[:-1]

    @jax.jit
    def product(params: Any, readout: Any, x: Any, vector: Any) -> Any:
        parts = jax.numpy.split(vector, cuts)
        direction = {"W": tuple(p.reshape(s) for p, s in zip(parts, shapes, strict=True))}
        slope = jax.grad(lambda p: forward(p, readout, x, model.net.activations))
        image = jax.jvp(slope, (params,), (direction,))[1]
        return jax.numpy.concatenate([weight.ravel() for weight in image["W"]])

    count = 0

    def matvec(vector: Any) -> Any:
        nonlocal count
        count += 1
        return np.asarray(product(model.params, model.readout, x, vector))

    size = model.num_params
    operator = LinearOperator((size, size), matvec=matvec, dtype=np.float64)
    matvec(np.zeros(size))
    start_vector = np.random.default_rng(seed).standard_normal(size)
    start, count = time.perf_counter(), 0
    value = eigsh(operator, k=1, which="LM", v0=start_vector, return_eigenvectors=False)[0]
    return {
        "value": abs(float(value)),
        "products": count,
        "solve_s": time.perf_counter() - start,
        "answered_at": time.time(),
        "memory_GB": peak_memory(),
    }


def peak_memory() -> float:
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage: bytes there, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def compare(result: dict[str, Any]) -> dict[str, Any]:
    ours, other = result["lowrank"], result["generic"]
    result["difference"] = abs(ours["value"] - other["value"]) / other["value"]
    for key in ("solve_s", "process_s", "memory_GB"):
        result[f"ratio_{key}"] = other[key] / ours[key]
    solve, process, memory = TARGETS.get(result["width"], (None, None, None))
    checks = {
        "same value": result["difference"] <= 1e-10,
        "solve": solve is None or result["ratio_solve_s"] >= solve,
        "process": process is None or result["ratio_process_s"] >= process,
        "memory": memory is None or ours["memory_GB"] < memory,
    }
    result["missed"] = [name for name, met in checks.items() if not met]
    return result


def show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Spectral norm of the Hessian, tanh, depth 3, float64: generic / low rank")
    for name in (
        "width",
        "norm",
        "rel. diff.",
        "solve s",
        "",
        "process s",
        "",
        "memory GB",
        "",
        "",
    ):
        table.add_column(name, justify="right")
    for row in rows:
        ours, other = row["lowrank"], row["generic"]
        cells = [str(row["width"]), f"{ours['value']:.10f}", f"{row['difference']:.0e}"]
        for key in ("solve_s", "process_s", "memory_GB"):
            cells += [f"{other[key]:.3g} / {ours[key]:.3g}", f"{row[f'ratio_{key}']:.3g}x"]
        table.add_row(*cells, ", ".join(row["missed"]) or "met")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
