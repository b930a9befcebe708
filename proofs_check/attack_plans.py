"""Instances of the trusted lemmas: schemata filled with matrices, numbers, networks, graphs.

A plan takes a schema, or another one with the same parameters, and gives instances of it, each with
an environment in which it can be measured.  :mod:`proofs_check.attack` says which lemma has which.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from proofs_check import adversaries, graph_adversaries
from proofs_check.adversaries import NETWORKS, Place, Random
from proofs_check.measuring.derivatives import Architecture
from proofs_check.measuring.environment import Environment
from proofs_check.measuring.evaluate import cases, measure
from theory.lemmas import INDEX, INPUT_X, KAPPA, POINT_P, A, Schema, V
from theory.lemmas.assemblies import COUNT, MEMBERS
from theory.lemmas.networks import TARGET
from theory.lemmas.scalars import FUNCTION
from theory.lemmas.training import ETA as ETA_VARIABLE
from theory.terms import Arg, Term, dot, plus, substitute, subterms
from theory.vocabulary import READOUT, SAMPLES, activation, output, preactivation, weights

Parameters = tuple[int | str, ...]
Family = Callable[..., Schema]
LINE_TRIALS = 6  # for each seed and each choice of a family's parameters
MATRIX_TRIALS = 24  # for each seed and each choice of a family's parameters

Instance = tuple[Parameters, str, Schema, Environment]
Plan = Callable[[Family, Iterable[int]], Iterator[Instance]]


# -- lemmas about matrices and numbers ------------------------------------------------------------


def matrices(*choices: Parameters) -> Plan:
    """A plan that fills a schema with matrices and numbers."""

    def plan(family: Family, seeds: Iterable[int]) -> Iterator[Instance]:
        for seed, parameters, trial in product(seeds, choices, range(MATRIX_TRIALS)):
            instance = family(*parameters)
            random = _random(seed, parameters, trial)
            words, env = filled(instance, Environment(), random, trial)
            yield parameters, f"{words}, seed {seed}, trial {trial}", instance, env

    return plan


def _random(seed: int, parameters: Parameters, trial: int) -> Random:
    return np.random.default_rng((seed, trial, zlib.crc32(str(parameters).encode())))


def filled(
    instance: Schema, env: Environment, random: Random, trial: int
) -> tuple[str, Environment]:
    """Values for all schematic variables of an instance, chosen so that its premises can hold.

    Every other trial draws each matrix from a family of its own, the rest all from one.
    """
    formulas = (*instance.premises, instance.conclusion)
    free = sorted({v for f in formulas for v in f.free if v.head == "var"}, key=str)
    values: dict[Term, Any] = {
        v: int(random.choice(adversaries.DIMENSIONS)) for v in free if v.sort == "space"
    }
    measured = env.binding(values)
    families = adversaries.FAMILIES
    words = []
    for variable in (v for v in free if v.sort == "op"):
        own = int(random.integers(len(families)))
        family = families[own if trial % 2 else trial // 2 % len(families)]
        shape = (measured.dimension(variable.rows), measured.dimension(variable.cols))
        values[variable] = family(random, *shape)
        words.append(f"{variable.args[0]} {shape} {family.__name__}")
    for variable in (v for v in free if v.sort == "real"):
        values[variable] = adversaries.number(random)
    _satisfy(instance.premises, values, env, random)
    return ", ".join(words), env.binding(values)


def _satisfy(
    premises: tuple[Term, ...], values: dict[Term, Any], env: Environment, random: Random
) -> None:
    """Enlarge the numbers that premises bound from above, half of the time no more than needed."""
    inequalities = [p for p in premises if p.head == "le" and p.args[1].head == "var"]
    statements = [p for p in premises if p.head == "ball" and p.args[3].args[1].head == "var"]
    for formula in (p for p in premises if p.head == "everywhere"):
        _equate(formula, values, env)
    for variable in {p.args[1] for p in inequalities}:
        spare = random.choice([0.0, random.exponential()])
        needs = [
            measure(p.args[0], env.binding(values)).value
            for p in inequalities
            if p.args[1] is variable
        ]
        values[variable] = max(needs) * (1 + spare)
    for statement in statements:
        bound = env.binding(values)
        found = [measure(case.args[0], bound).value for case in cases(statement, bound)]
        values[statement.args[3].args[1]] = max(found)


def _equate(formula: Term, values: dict[Term, Any], env: Environment) -> None:
    """The number that something is said to be everywhere: what it is at the first point."""
    inner = formula.args[1]
    if inner.args[1].head == "var":
        bound = env.binding(values)
        first = cases(formula, bound)[0]
        values[inner.args[1]] = measure(first.args[0], bound).value


# -- lemmas about networks ------------------------------------------------------------------------

Choices = Callable[[Architecture], Iterable[Parameters]]
SMALLEST = (0, 1, 2, 4)  # networks for functions that are no layer, which take long to compile
COMPOSED = ((3, 0),)  # network and seed where functions that are no layer are differentiated too


def _readout(arch: Architecture) -> str:
    return "trained" if arch.trained else "fixed"


def _blocks(arch: Architecture) -> list[int | str]:
    return [*range(1, arch.depth + 1), *([READOUT] if arch.trained else [])]


def plain(arch: Architecture) -> list[Parameters]:
    """No parameters."""
    return [()]


def of_readout(arch: Architecture) -> list[Parameters]:
    """Whether the readout is trained."""
    return [(_readout(arch),)]


def of_blocks(count: int) -> Choices:
    """Depth, readout, and that many parameter blocks."""

    def choices(arch: Architecture) -> list[Parameters]:
        shape = (arch.depth, _readout(arch))
        return [(*shape, *which) for which in product(_blocks(arch), repeat=count)]

    return choices


def of_shared_blocks(arch: Architecture) -> list[Parameters]:
    """Depth, readout, and how many layers share a distance."""
    return [(arch.depth, _readout(arch), count) for count in range(1, arch.depth + 1)]


def of_single_block(arch: Architecture) -> list[Parameters]:
    """Depth 1 and a fixed readout, where that is the network."""
    return [(1, "fixed")] if len(_blocks(arch)) == 1 else []


def networks(
    choices: Choices = plain, trials: int = 1, which: Iterable[int] = range(len(NETWORKS))
) -> Plan:
    """A plan that reads a schema on small networks, at every layer."""

    def plan(family: Family, seeds: Iterable[int]) -> Iterator[Instance]:
        for number, seed in product(which, seeds):
            place = adversaries.place(number, seed)
            env = environment(place)
            for parameters in choices(env.arch):
                for layer, instance in _on_layers(family(*parameters), place, (number, seed)):
                    for trial in range(trials):
                        random = _random(seed, parameters, trial)
                        words, filled_env = filled(instance, env, random, trial + 2 * seed)
                        words = f"layer {layer}, {words}; {place.words}, trial {trial}"
                        yield parameters, words, instance, filled_env

    return plan


def lines(*choices: Parameters) -> Plan:
    """A plan that reads a schema on linear models, along their gradients."""

    def plan(family: Family, seeds: Iterable[int]) -> Iterator[Instance]:
        for parameters, seed, trial in product(choices, seeds, range(LINE_TRIALS)):
            way = str(parameters[0]) if parameters else "up"
            place, step = adversaries.linear(LINE_TRIALS * seed + trial, way)
            instance = family(*parameters)
            random = _random(seed, parameters, trial)
            _, env = filled(instance, environment(place), random, trial)
            values = {**env.variables, KAPPA: step}
            yield parameters, place.words, instance, env.binding(values)

    return plan


def small(family: Family, seeds: Iterable[int]) -> Iterator[Instance]:
    """A plan that fills a schema about one matrix with zero, nearly zero and others."""
    instance = family()
    for seed, trial in product(seeds, range(MATRIX_TRIALS)):
        random = _random(seed, (), trial)
        words, env = filled(instance, Environment(), random, trial)
        factor = random.choice([0.0, 0.0, 1e-300, 1.0])
        scaled_env = env.binding({**env.variables, A: factor * env.variables[A]})
        yield (), f"{words} times {factor}, seed {seed}, trial {trial}", instance, scaled_env


def together(*plans: Plan) -> Plan:
    """One plan after the other."""

    def plan(family: Family, seeds: Iterable[int]) -> Iterator[Instance]:
        chosen = tuple(seeds)
        for each in plans:
            yield from each(family, chosen)

    return plan


def training(*choices: Parameters) -> Plan:
    """A plan that reads a schema about a training set, at two points a gradient step apart."""

    def plan(family: Family, seeds: Iterable[int]) -> Iterator[Instance]:
        cases = product(choices, seeds, adversaries.TRAINED, adversaries.ETAS)
        for parameters, seed, which, step in cases:
            count = int(parameters[0]) if parameters else 1 + seed % 3
            spot = adversaries.training(which, seed, count, step)
            instance = _at_samples(family(*parameters))
            env = Environment(
                spot.model,
                {"p": spot.after, "q": spot.before, "c": spot.before}
                if not _steps(instance)
                else {"p": spot.before, "q": spot.after, "c": spot.before},
                {"X": spot.x},
                ball_points=spot.between,
                labels={"X": spot.y},
            )
            random = _random(seed, parameters, which)
            _, found = filled(instance, env, random, seed)
            values = {**found.variables, ETA_VARIABLE: step}
            yield parameters, spot.words, instance, env.binding(values)

    return plan


def _steps(instance: Schema) -> bool:
    return any(p.head == "eq" for p in instance.premises)


def _at_samples(pattern: Schema) -> Schema:
    """The schema for the training set X, the only one whose space has a dimension."""
    mapping = {INPUT_X: SAMPLES}
    premises = tuple(substitute(p, mapping) for p in pattern.premises)
    return Schema(premises, substitute(pattern.conclusion, mapping))


AMOUNTS = (0.0, 0.5, 1.0, 2.0, 3.0)


def amounts(*choices: Parameters) -> Plan:
    """A plan that fills a schema of reals with a few numbers that add and multiply exactly."""

    def plan(family: Family, seeds: Iterable[int]) -> Iterator[Instance]:
        for seed, parameters in product(seeds, choices):
            instance = family(*parameters)
            formulas = (*instance.premises, instance.conclusion)
            free = sorted({v for f in formulas for v in f.free}, key=str)
            random = _random(seed, parameters, 0)
            for _ in range(MATRIX_TRIALS * len(free)):
                values = dict(zip(free, random.choice(AMOUNTS, len(free)).tolist(), strict=True))
                words = f"{values}, seed {seed}"
                yield parameters, words, instance, Environment().binding(values)

    return plan


def counts(family: Family, seeds: Iterable[int]) -> Iterator[Instance]:
    """Numbers of steps, and rates from 0 to 1, for schemas about the powers of a rate."""
    for seed, steps in product(seeds, range(1, 6)):
        rate = float(_random(seed, (), steps).choice((0.0, 0.25, 0.5, 0.9, 1.0)))
        (instance,) = (family(),)
        mapping = {INDEX: steps} if INDEX in instance.conclusion.free else {}
        fixed = Schema(instance.premises, substitute(instance.conclusion, mapping))
        yield (), f"{steps} steps at {rate}", fixed, Environment(reals={"rate": rate})


@lru_cache(maxsize=256)
def environment(place: Place) -> Environment:
    """The points p (far) and q (near), the input u, and the segment between p and q."""
    return Environment(
        place.model,
        points={"p": place.there, "q": place.here},
        inputs={"u": place.x},
        ball_points=place.between,
    )


def _on_layers(pattern: Schema, place: Place, key: tuple[int, int]) -> Iterator[tuple[int, Schema]]:
    """The schema at each layer, with functions of the parameters for what it differentiates."""
    depth = environment(place).arch.depth
    formulas = (*pattern.premises, pattern.conclusion)
    everywhere = any(INDEX in f.free for f in formulas)
    for layer in range(1, depth + 1) if everywhere else (depth,):
        mappings = _functions(formulas, layer, depth, key in COMPOSED)
        for mapping, more in product(mappings, _targets(formulas, layer, depth)):
            full = {**mapping, **more, **({INDEX: layer} if everywhere else {})}
            yield (
                layer,
                Schema(
                    tuple(substitute(f, full) for f in pattern.premises),
                    substitute(pattern.conclusion, full),
                ),
            )


def _targets(formulas: tuple[Term, ...], layer: int, depth: int) -> list[dict[Term, Arg]]:
    """The layers whose neurons a schema is about, where it is about one above its own layer."""
    if not any(TARGET in f.free for f in formulas):
        return [{}]
    return [{TARGET: above} for above in range(layer, depth)]


def _functions(
    formulas: tuple[Term, ...], layer: int, depth: int, composed: bool
) -> list[Mapping[Term, Arg]]:
    """Layers of the network, or more than that, for the variable that is differentiated."""
    parts = [t for f in formulas for t in subterms(f)]
    if FUNCTION in parts:
        return [{FUNCTION: output(POINT_P, INPUT_X)}]
    if not any(t.head in ("jac", "hess") and V in t.args[-2].free for t in parts):
        return [{}]
    here = (POINT_P, INPUT_X)
    found = [preactivation(layer, *here)]
    if composed and layer == depth:
        below = activation(layer - 1, *here)
        found += [preactivation(1, *here), plus(below, below), dot(weights(layer, POINT_P), below)]
    return [{V: f, V.rows: f.rows} for f in found]


# -- lemmas about assemblies ----------------------------------------------------------------------


def assemblies(*choices: Parameters, trials: int = 1) -> Plan:
    """A plan that reads a schema on small assemblies, at every sub-model."""

    def plan(family: Family, seeds: Iterable[int]) -> Iterator[Instance]:
        from proofs_check import small_assemblies

        for which, seed, place, env in small_assemblies.places([*seeds]):
            for parameters, trial in product(choices, range(trials)):
                pattern = family(*parameters)
                formulas = (*pattern.premises, pattern.conclusion)
                parts = range(1, env.where.count + 1)
                for part in parts if any(INDEX in f.free for f in formulas) else (1,):
                    instance = _numbered(pattern, part, env.where.weights.shape)
                    random = _random(seed + which, parameters, trial)
                    words, filled_env = filled(instance, env, random, trial + 2 * seed)
                    yield parameters, f"sub-model {part}, {words}; {place}", instance, filled_env

    return plan


def _numbered(pattern: Schema, part: int, shape: tuple[int, int]) -> Schema:
    """The schema for one sub-model of an assembly of ``shape`` (sets of parameters, members)."""
    values: dict[Term, Arg] = {INDEX: part, COUNT: shape[0], MEMBERS: shape[1]}
    premises = tuple(substitute(p, values) for p in pattern.premises)
    return Schema(premises, substitute(pattern.conclusion, values))


# -- lemmas about graphs --------------------------------------------------------------------------


def graphs(choices: graph_adversaries.Choices, trials: int = 1) -> Plan:
    """A plan that reads a schema on small graphs, at every node that it fits."""

    def plan(family: Family, seeds: Iterable[int]) -> Iterator[Instance]:
        for place in graph_adversaries.places(seeds):
            arch = place.model.arch
            for parameters in choices(arch.code, arch.shape):
                instance = family(*parameters)
                for trial in range(trials):
                    random = _random(place.model.seed, parameters, trial)
                    words, env = filled(instance, place.env, random, trial)
                    yield parameters, f"{words}; {place.words}, trial {trial}", instance, env

    return plan
