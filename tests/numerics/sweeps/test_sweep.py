"""Sweeps: what is computed, what is found again, and what survives kills, full disks, rivals."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import numerics
import theory
from numerics.sweeps import Store, StoreError, SweepError, executor, sweep
from numerics.sweeps.cells import quantity_name
from theory.networks import NetworkError

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
M = theory.width("m")
NET = theory.Network(theory.Input(3), theory.Dense(M), theory.Activation("tanh"), theory.Readout())
X = np.array([[1.0, -0.5, 2.0], [0.3, 0.1, -1.0]])
SLOW = "quantities_of_mine:slow"


@pytest.fixture(autouse=True)
def mine(tmp_path, monkeypatch):
    """This folder's quantities can be imported, here and by the processes that are started."""
    traces = tmp_path / "traces"
    traces.mkdir()
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("SWEEP_TRACES", str(traces))
    path = os.pathsep.join([str(HERE), str(ROOT), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    return traces


def seeds_of(traces):
    return sorted(int(path.name.split("-")[0]) for path in traces.iterdir() if "-" in path.name)


def test_every_cell_once_and_with_the_numbers_of_the_functions_themselves():
    found = sweep(
        NET, X, widths=[4, 6], seeds=[0, 3, 0], quantities=["hessian_norm", "kernel_change"]
    )
    assert (found.computed, found.reused, found.failures) == (8, 0, ())
    rows = {(r["m"], r["seed"], r["quantity"]): r for r in found.rows()}
    assert len(rows) == 8
    model = numerics.instantiate(NET, {M: 6}, seed=3)
    norms = [numerics.hessian_norm(model, x) for x in X]
    row = rows[6, 3, "hessian_norm"]
    assert row["value"] == max(norm.value for norm in norms)
    assert row["upper"] == max(norm.upper for norm in norms)
    assert row["failure_probability"] == 0
    change = numerics.kernel_change(model, X, numerics.perturb(model, 1.0, 0))
    assert rows[6, 3, "kernel_change"]["relative"] == change.relative


@pytest.mark.parametrize(
    "quantity", ["gradient_norm", "tangent_kernel", "linearization_gap", "ball_search"]
)
def test_the_other_quantities(quantity):
    found = sweep(NET, X, widths=[4], quantities=[quantity], radius=0.5, precision="float32")
    (row,) = found.rows()
    model = numerics.instantiate(NET, {M: 4}, seed=0, dtype="float32")
    there = numerics.perturb(model, 0.5, 0)
    expected = {
        "gradient_norm": lambda: np.sqrt(np.max(np.diag(numerics.tangent_kernel(model, X)))),
        "tangent_kernel": lambda: np.trace(np.asarray(numerics.tangent_kernel(model, X))),
        "linearization_gap": lambda: max(numerics.linearization_gap(model, x, there) for x in X),
        "ball_search": lambda: max(numerics.ball_search(model, x, 0.5).value for x in X),
    }[quantity]()
    got = row["trace" if quantity == "tangent_kernel" else "value"]
    assert got == pytest.approx(float(expected), rel=1e-6)


def test_what_is_in_the_store_is_found_and_only_the_rest_computed(tmp_path, mine):
    store = tmp_path / "s.sqlite"
    first = sweep(NET, X, widths=[4], seeds=[0, 1], quantities=[SLOW], store=store)
    second = sweep(NET, X, widths=[4, 5], seeds=[1, 2], quantities=[SLOW], store=store)
    assert (first.computed, second.computed, second.reused) == (2, 3, 1)
    assert seeds_of(mine) == [0, 1, 1, 2, 2]
    shared = set(first.results) & set(second.results)
    assert len(shared) == 1
    assert all(first.results[key] == second.results[key] for key in shared)
    # and what differs in anything that matters is another cell
    for change in ({"precision": "float32"}, {"inputs": 2 * X}, {"quantities": ["gradient_norm"]}):
        options = {"inputs": X, "widths": [4], "seeds": [0], "quantities": [SLOW], **change}
        assert sweep(NET, options.pop("inputs"), store=store, **options).reused == 0


def test_a_quantity_whose_code_changes_is_computed_anew(tmp_path, monkeypatch):
    module = tmp_path / "changing.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    keys = []
    for number in (1.0, 2.0):
        module.write_text(f"def q(model, X, options):\n    return {{'value': {number}}}\n")
        sys.modules.pop("changing", None)
        os.utime(module, (number, number))
        found = sweep(NET, X, widths=[4], quantities=["changing:q"])
        keys.append(found.cells[0].key)
    assert keys[0] != keys[1]


def test_cells_that_fail_are_reported_and_the_others_finish(tmp_path):
    store = tmp_path / "s.sqlite"
    names = ["quantities_of_mine:picky", "quantities_of_mine:infinite"]
    found = sweep(NET, X, widths=[4], seeds=range(4), quantities=names, store=store)
    assert found.computed == 2
    errors = [failure.error for failure in found.failures]
    assert sum("ArithmeticError: seed 1 is odd" in error for error in errors) == 1
    assert sum("finite numbers by name are needed" in error for error in errors) == 4
    assert len(Store(store)) == 2


def test_progress_counts_to_the_end_and_tells_the_time():
    seen = []
    sweep(NET, X, widths=[4, 64], seeds=[0, 1], quantities=["gradient_norm"], progress=seen.append)
    assert [p.computed for p in seen] == [0, 1, 2, 3, 4]
    assert seen[0].remaining is None
    assert seen[-1].remaining == 0
    # two cells of 4 * 16 weights each are left beside what two of 16 took
    assert seen[2].remaining == pytest.approx(seen[2].elapsed * 64 / 4)


# -- executors ------------------------------------------------------------------------------------


def test_threads_give_what_one_thread_gives():
    alone = sweep(NET, X, widths=[4, 6], seeds=[0, 1])
    with ThreadPoolExecutor(2) as pool:
        shared = sweep(NET, X, widths=[4, 6], seeds=[0, 1], executor=pool)
    assert {k: r.values for k, r in alone.results.items()} == {
        k: r.values for k, r in shared.results.items()
    }


def test_a_process_that_is_killed_costs_nothing_finished(tmp_path, mine):
    store = tmp_path / "s.sqlite"
    options = {"widths": [4], "seeds": range(6), "quantities": ["quantities_of_mine:deadly_once"]}
    with executor("processes:1") as pool:
        first = sweep(NET, X, store=store, executor=pool, **options)
    assert first.failures
    assert any("run the same sweep again" in failure.error for failure in first.failures)
    with executor("processes:1") as pool:
        second = sweep(NET, X, store=store, executor=pool, **options)
    assert second.failures == ()
    assert second.reused == first.computed
    assert len(second.results) == 6


def test_a_cluster_of_several_processes_survives_the_loss_of_one(tmp_path, mine):
    distributed = pytest.importorskip(
        "distributed", reason="an optional dependency: pip install 'widthproof[cluster]'"
    )
    store = tmp_path / "s.sqlite"
    options = {"widths": [4], "seeds": range(12), "quantities": ["quantities_of_mine:deadly_once"]}
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp:")
        with executor(f"dask:{address}") as pool:
            found = sweep(NET, X, store=store, executor=pool, **options)
    assert (mine / "killed").exists()
    assert found.failures == ()
    assert len({path.name.split("-")[1] for path in mine.iterdir() if "-" in path.name}) >= 2
    alone = sweep(NET, X, **options)
    assert {k: r.values for k, r in found.results.items()} == {
        k: r.values for k, r in alone.results.items()
    }


# -- kills, rivals, full disks --------------------------------------------------------------------

SCRIPT = """
import sys, numpy as np, theory
from numerics.sweeps import sweep
m = theory.width("m")
net = theory.Network(
    theory.Input(3), theory.Dense(m), theory.Activation("tanh"), theory.Readout()
)
X = np.array([[1.0, -0.5, 2.0], [0.3, 0.1, -1.0]])
found = sweep(net, X, widths=[4], seeds=range({seeds}), quantities=["quantities_of_mine:slow"],
              store=sys.argv[1])
print(found.computed, found.reused, len(found.failures))
"""


def started(store, seeds, first=""):
    command = [sys.executable, "-c", first + SCRIPT.format(seeds=seeds), str(store)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def kept(store):
    """How many results another program sees."""
    if not store.exists():
        return 0
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as db:
        try:
            return db.execute("SELECT count(*) FROM cells").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def test_a_sweep_killed_again_and_again_loses_nothing_finished(tmp_path, mine):
    store, seeds, before = tmp_path / "s.sqlite", 12, 0
    for target in (1, 4, 8):
        process = started(store, seeds)
        deadline = time.monotonic() + 120
        while kept(store) < target and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        after = kept(store)
        assert max(before, target) <= after
        before = after
    computed = len(seeds_of(mine))
    assert computed <= before + 3  # each kill costs at most the cell under way
    process = started(store, seeds)
    out, errors = process.communicate(timeout=300)
    assert out.split() == [str(seeds - before), str(before), "0"], errors
    whole = sweep(NET, X, widths=[4], seeds=range(seeds), quantities=[SLOW], store=store)
    fresh = sweep(NET, X, widths=[4], seeds=range(seeds), quantities=[SLOW])
    assert whole.reused == seeds
    assert {k: r.values for k, r in whole.results.items()} == {
        k: r.values for k, r in fresh.results.items()
    }


def test_two_sweeps_at_once_share_a_store(tmp_path):
    store = tmp_path / "s.sqlite"
    pair = [started(store, 8) for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in pair]
    counts = [list(map(int, out.split())) for out, _ in outputs]
    assert all(sum(count) == 8 and count[2] == 0 for count in counts), outputs
    with sqlite3.connect(store) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert kept(store) == 8


LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (49152, 49152))"


@pytest.mark.skipif(os.name != "posix", reason="file sizes are limited by a POSIX call")
def test_a_full_disk_ends_the_sweep_and_keeps_what_was_finished(tmp_path):
    store = tmp_path / "s.sqlite"
    process = started(store, 200, first=LIMIT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "finished results are kept" in errors
    before = kept(store)
    assert 0 < before < 200
    again = sweep(NET, X, widths=[4], seeds=range(before + 1), quantities=[SLOW], store=store)
    assert again.reused == before
    with sqlite3.connect(store) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# -- what is refused ------------------------------------------------------------------------------


def test_files_that_are_no_stores_are_refused_and_left_alone(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, and longer than the header of one" * 10)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE cells (a)")
    later = tmp_path / "later.sqlite"
    Store(later).close()
    with sqlite3.connect(later) as db:
        db.execute("PRAGMA user_version = 99")
    before = {path: path.read_bytes() for path in (text, other, later)}
    for path, message in (
        (text, "not a database"),
        (other, "another program"),
        (later, "layout 99"),
    ):
        with pytest.raises(StoreError, match=message):
            Store(path)
        assert path.read_bytes() == before[path]
    with pytest.raises(StoreError, match="no such folder"):
        Store(tmp_path / "nowhere" / "s.sqlite")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"seeds": []}, SweepError, "no cells"),
        ({"precision": "float16"}, SweepError, "float16"),
        ({"quantities": ["hessian"]}, SweepError, "no quantity 'hessian'; there are hessian_norm"),
        ({"quantities": ["os:nothing"]}, SweepError, "os:nothing"),
        ({"widths": [{"n": 3}]}, NetworkError, "m"),
        ({"inputs": np.ones(5)}, SweepError, r"shape \(5,\); this network takes \(n, 3\)"),
    ],
)
def test_sweeps_that_cannot_be_are_refused(change, error, message):
    options = {"inputs": X, "widths": [4], **change}
    with pytest.raises(error, match=message):
        sweep(NET, options.pop("inputs"), **options)


def test_a_width_needs_one_symbol():
    with pytest.raises(SweepError, match="the symbols none"):
        sweep(NET.substitute({M: 4}), X, widths=[3])
    assert len(sweep(NET.substitute({M: 4}), X).results) == 1


def test_functions_are_named_as_workers_find_them():
    import quantities_of_mine

    assert quantity_name(quantities_of_mine.slow) == SLOW
    with pytest.raises(SweepError, match="top of a module"):
        quantity_name(lambda model, X, options: {})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("processes:0", "no executor"),
        ("threads", "give 'here'"),
        ("processes:x", "no executor"),
    ],
)
def test_executors_that_do_not_exist(name, message):
    with pytest.raises(SweepError, match=message), executor(name):
        pass


def test_rows_are_plain_data():
    found = sweep(NET, X, widths=[4])
    assert json.loads(json.dumps(found.rows())) == found.rows()
