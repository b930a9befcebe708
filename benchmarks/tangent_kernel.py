"""`numerics.tangent_kernel` against a contraction of the Jacobian, side by side.

    python benchmarks/tangent_kernel.py --widths 256,1024 --inputs 128

All compute the tangent kernel of the same tanh network (depth 3, d = 16, readout trained) on the
same inputs (|x|^2 = d), float64. The contenders:

- factors: `numerics.tangent_kernel` of the described network, from activations and signals;
- traced: the same function of its `apply`, which finds those factors in the traced program;
- jacobian: what one would write: `jax.vmap(jax.grad(f))` over the inputs, flattened, J J^T. Left
  out where J does not fit in `--memory`.

Each contender runs in a process of its own; solve is the median of three calls after the first,
process everything from starting the interpreter to the first answer, memory the largest resident
set.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from hessian_norm import DEPTH, DIM, peak_memory


@click.command(help=__doc__.split("\n", maxsplit=1)[0])
@click.option("--widths", default="256,1024,4096", show_default=True, help="hidden widths")
@click.option("--inputs", "count", default=128, show_default=True, help="number of inputs")
@click.option("--seed", default=0, show_default=True, help="of the weights and the inputs")
@click.option("--memory", default=8.0, show_default=True, help="GB for the Jacobian")
@click.option("--json", "path", type=click.Path(path_type=Path), help="write the numbers here")
@click.option("--contender", type=click.Choice(["factors", "traced", "jacobian"]), hidden=True)
def main(
    widths: str, count: int, seed: int, memory: float, path: Path | None, contender: str | None
) -> None:
    sizes = [int(width) for width in widths.split(",")]
    if contender:
        print(json.dumps(run(contender, sizes[0], count, seed)))
        return
    rows: list[dict[str, Any]] = []
    try:
        for width in sizes:
            parameters = DIM * width + (DEPTH - 1) * width**2 + width
            names = ["factors", "traced"]
            if 8e-9 * parameters * count <= memory:
                names.append("jacobian")
            rows.append({"width": width, **{n: measure(n, width, count, seed) for n in names}})
            if path:
                path.write_text(json.dumps({"inputs": count, "rows": rows}, indent=1))
    finally:
        show(rows, count)


def measure(contender: str, width: int, count: int, seed: int) -> dict[str, Any]:
    click.echo(f"width {width}: {contender} ...", err=True)
    command = [sys.executable, __file__, "--contender", contender, "--widths", str(width)]
    command += ["--inputs", str(count), "--seed", str(seed)]
    start = time.time()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    result["process_s"] = result.pop("answered_at") - start
    return result


def run(contender: str, width: int, count: int, seed: int) -> dict[str, Any]:
    import jax
    import jax.numpy as jnp

    import numerics
    from theory.networks import Activation, Dense, Input, Network, Readout

    hidden = [layer for _ in range(DEPTH) for layer in (Dense(width), Activation("tanh"))]
    model = numerics.instantiate(Network(Input(DIM), *hidden, Readout(trainable=True)), seed=seed)
    X = np.random.default_rng(seed).standard_normal((count, DIM))
    X *= np.sqrt(DIM) / np.linalg.norm(X, axis=1, keepdims=True)

    @jax.jit
    def contracted(params: Any, X: Any) -> Any:
        gradients = jax.vmap(jax.grad(model.apply), (None, 0))(params, X)
        rows = [leaf.reshape(count, -1) for leaf in jax.tree.leaves(gradients)]
        return sum(leaf @ leaf.T for leaf in rows)

    ways = {
        "factors": lambda: numerics.tangent_kernel(model, X),
        "traced": lambda: numerics.tangent_kernel(model.apply, X, model.params),
        "jacobian": lambda: contracted(model.params, jnp.asarray(X)),
    }

    def answer() -> np.ndarray:
        return np.asarray(ways[contender]())

    kernel = answer()
    answered_at, memory, times = time.time(), peak_memory(), []
    for _ in range(3):
        start = time.perf_counter()
        answer()
        times.append(time.perf_counter() - start)
    return {
        "norm": float(np.linalg.norm(kernel)),
        "solve_s": statistics.median(times),
        "answered_at": answered_at,
        "memory_GB": memory,
    }


def show(rows: list[dict[str, Any]], count: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Tangent kernel of {count} inputs, tanh, depth 3, float64")
    for name in ("width", "", "|K|_F", "rel. diff.", "solve s", "process s", "memory GB"):
        table.add_column(name, justify="right")
    for row in rows:
        reference = row["factors"]["norm"]
        for name, found in row.items():
            if name == "width":
                continue
            table.add_row(
                str(row["width"]) if name == "factors" else "",
                name,
                f"{found['norm']:.8g}",
                f"{abs(found['norm'] - reference) / reference:.0e}",
                *(f"{found[key]:.3g}" for key in ("solve_s", "process_s", "memory_GB")),
                end_section=name == list(row)[-1],
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
