"""`numerics.hessian_norm` against what a user would otherwise take, side by side.

    python benchmarks/hessian_norm.py --widths 256,1024 --json result.json

All compute the spectral norm of the Hessian of the same tanh network (depth 3, d = 16, readout
fixed, float64) at the same input (|x|^2 = d). The contenders:

- lowrank: `numerics.hessian_norm`, an enclosure in exact low-rank coordinates;
- eigsh: what one would write without knowing the structure, SciPy's `eigsh` (which="LM", k=1, its
  default tolerance) on the JAX Hessian-vector product over all weights, forward over reverse;
- matfree: `eigh_partial` of its `tridiag_sym` with full reorthogonalisation on the same product, in
  float64. It keeps one vector of all parameters per step, and the number of steps is the user's
  choice: as many as fit `--matfree-memory`, at most `MOST_STEPS`. Left out where matfree is not
  installed, or not `LEAST_STEPS` vectors fit.

Each contender runs in a process of its own, one at a time:

- process: seconds from starting the interpreter to the answer, imports, drawing of the weights and
  compilation included;
- solve: seconds for the answer when everything is compiled: for eigsh the call alone after one
  warm-up product, for the others the median of further calls, everything but compilation;
- memory: the process's largest resident set.
"""

from __future__ import annotations

import importlib.util
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

DEPTH, DIM = 3, 16
LEAST_STEPS, MOST_STEPS = 8, 40
TARGETS = {  # width: least ratio of solve times to the best of the others, of process times
    256: (1.0, None),
    2048: (60.0, None),
    4096: (60.0, 20.0),
    8192: (60.0, None),
}
FIXED_GB, PER_WEIGHT = 0.3, 1.3  # most peak memory: 0.3 GB and 1.3 times the weights


@click.command(help=__doc__.split("\n", maxsplit=1)[0])
@click.option("--widths", default="256,1024,2048,4096", show_default=True, help="hidden widths")
@click.option("--seed", default=0, show_default=True, help="of the weights and the input")
@click.option("--json", "path", type=click.Path(path_type=Path), help="write the numbers here")
@click.option("--matfree-memory", "most", default=8.0, show_default=True, help="GB for its vectors")
@click.option("--alone", is_flag=True, help="only lowrank")
@click.option("--contender", type=click.Choice(["lowrank", "eigsh", "matfree"]), hidden=True)
def main(
    widths: str, seed: int, path: Path | None, most: float, alone: bool, contender: str | None
) -> None:
    sizes = [int(width) for width in widths.split(",")]
    if contender:
        print(json.dumps(CONTENDERS[contender](sizes[0], seed, most)))
        return
    rows: list[dict[str, Any]] = []
    try:
        for width in sizes:
            result: dict[str, Any] = {"width": width}
            for name in contenders(width, most, alone=alone):
                click.echo(f"width {width}: {name} ...", err=True)
                result[name] = measure(name, width, seed, most)
            rows.append(compare(result))
            if path:
                about = {"depth": DEPTH, "dim": DIM, "machine": platform.processor() or "unknown"}
                path.write_text(json.dumps({**about, "rows": rows}, indent=1))
    finally:  # an interrupted run shows what is done
        show(rows)


def parameters(width: int) -> int:
    return DIM * width + (DEPTH - 1) * width**2


def steps_of_matfree(width: int, most: float) -> int:
    return min(MOST_STEPS, int(most * 1e9 / (8 * parameters(width))))


def contenders(width: int, most: float, *, alone: bool) -> list[str]:
    if alone:
        return ["lowrank"]
    there = importlib.util.find_spec("matfree") is not None
    return ["lowrank", "eigsh"] + (
        ["matfree"] if there and steps_of_matfree(width, most) >= LEAST_STEPS else []
    )


def measure(contender: str, width: int, seed: int, most: float) -> dict[str, Any]:
    command = [sys.executable, __file__, "--contender", contender, "--matfree-memory", str(most)]
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


def lowrank(width: int, seed: int, _: float) -> dict[str, Any]:
    import numerics

    model, x = problem(width, seed)
    norm = numerics.hessian_norm(model, x)
    answered_at, times = time.time(), []
    memory = peak_memory()
    for _unused in range(3):
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


def product_of(width: int, seed: int) -> tuple[Any, Any, int]:
    """The Hessian-vector product over all weights as one vector, its arguments, their number."""
    import jax
    import numpy as np

    from numerics.models import forward

    model, x = problem(width, seed)
    shapes = [weight.shape for weight in model.params["W"]]
    cuts = np.cumsum([rows * columns for rows, columns in shapes])[:-1]

    def product(vector: Any, params: Any, readout: Any, x: Any) -> Any:
        parts = jax.numpy.split(vector, cuts)
        direction = {"W": tuple(p.reshape(s) for p, s in zip(parts, shapes, strict=True))}
        slope = jax.grad(lambda p: forward(p, readout, x, model.net.activations))
        image = jax.jvp(slope, (params,), (direction,))[1]
        return jax.numpy.concatenate([weight.ravel() for weight in image["W"]])

    return product, (model.params, model.readout, jax.numpy.asarray(x)), model.num_params


def eigsh(width: int, seed: int, _: float) -> dict[str, Any]:
    import jax
    import numpy as np
    from scipy.sparse.linalg import LinearOperator
    from scipy.sparse.linalg import eigsh as solve

    product, arguments, size = product_of(width, seed)
    compiled, count = jax.jit(product), 0

    def matvec(vector: Any) -> Any:
        nonlocal count
        count += 1
        return np.asarray(compiled(vector, *arguments))

    operator = LinearOperator((size, size), matvec=matvec, dtype=np.float64)
    matvec(np.zeros(size))
    start_vector = np.random.default_rng(seed).standard_normal(size)
    start, count = time.perf_counter(), 0
    value = solve(operator, k=1, which="LM", v0=start_vector, return_eigenvectors=False)[0]
    return {
        "value": abs(float(value)),
        "products": count,
        "solve_s": time.perf_counter() - start,
        "answered_at": time.time(),
        "memory_GB": peak_memory(),
    }


def matfree(width: int, seed: int, most: float) -> dict[str, Any]:
    import jax
    import numpy as np
    from matfree import decomp

    product, arguments, size = product_of(width, seed)
    steps = steps_of_matfree(width, most)
    tridiagonal = decomp.tridiag_sym(steps, materialize=True, reortho="full", custom_vjp=False)

    @jax.jit
    def values(start: Any, *arguments: Any) -> Any:
        found = tridiagonal(product, start, *arguments)
        return jax.numpy.linalg.eigvalsh(found.J_small)

    start_vector = jax.numpy.asarray(np.random.default_rng(seed).standard_normal(size))

    def answer() -> float:
        return float(np.max(np.abs(np.asarray(values(start_vector, *arguments)))))

    value = answer()
    answered_at, memory, begin = time.time(), peak_memory(), time.perf_counter()
    answer()
    return {
        "value": value,
        "products": steps,
        "solve_s": time.perf_counter() - begin,
        "answered_at": answered_at,
        "memory_GB": memory,
    }


CONTENDERS = {"lowrank": lowrank, "eigsh": eigsh, "matfree": matfree}


def peak_memory() -> float:
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage: bytes there, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def compare(result: dict[str, Any]) -> dict[str, Any]:
    """Our numbers against the best of the others, and which targets are missed."""
    ours, width = result["lowrank"], result["width"]
    others = [result[name] for name in CONTENDERS if name != "lowrank" and name in result]
    for other in others:
        other["difference"] = abs(ours["value"] - other["value"]) / ours["value"]
    most = FIXED_GB + PER_WEIGHT * 8e-9 * parameters(width)
    checks = {"memory": ours["memory_GB"] <= most}
    if others:
        solve, process = TARGETS.get(width, (None, None))
        for key in ("solve_s", "process_s"):
            result[f"ratio_{key}"] = min(other[key] for other in others) / ours[key]
        checks |= {
            "same value": result["eigsh"]["difference"] <= 1e-10,
            "solve": solve is None or result["ratio_solve_s"] >= solve,
            "process": process is None or result["ratio_process_s"] >= process,
        }
    result["missed"] = [name for name, met in checks.items() if not met]
    return result


def show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Spectral norm of the Hessian, tanh, depth 3, float64")
    columns = ("width", "", "value", "rel. diff.", "products", "solve s", "process s", "memory GB")
    for name in (*columns, "targets missed"):
        table.add_column(name, justify="right")
    for row in rows:
        for name in CONTENDERS:
            if name not in row:
                continue
            found = row[name]
            ours = name == "lowrank"
            table.add_row(
                str(row["width"]) if ours else "",
                name,
                f"{found['value']:.10f}",
                "" if ours else f"{found['difference']:.0e}",
                str(found["products"]),
                *(f"{found[key]:.3g}" for key in ("solve_s", "process_s", "memory_GB")),
                (", ".join(row["missed"]) or "none") if ours else "",
            )
        if "ratio_solve_s" in row:
            ratios = [f"{row[f'ratio_{key}']:.3g}x" for key in ("solve_s", "process_s")]
            table.add_row("", "best other / ours", "", "", "", *ratios, "", "", end_section=True)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
