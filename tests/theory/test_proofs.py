"""Proofs as JSON: they come back the same, and nothing malformed gets in."""

from __future__ import annotations

import json

import pytest

import theory
from theory.proofs import ProofFormatError, from_json, to_json


@pytest.fixture(scope="module")
def data():
    return theory.catalog["LZB20/A2"].to_json()


@pytest.mark.parametrize("name", list(theory.catalog))
def test_every_catalogue_proof_survives_the_round_trip(name):
    proof = theory.catalog[name].proof
    assert from_json(json.dumps(to_json(proof))) == proof


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"format": "widthproof-proof/1"}',
        "[" * 100_000,
        '{"format": "widthproof-proof/2", "terms": [], "steps": []}',
    ],
)
def test_what_is_not_a_proof_is_refused(text):
    with pytest.raises(ProofFormatError):
        from_json(text)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("steps", 0, "rule"), "wish"),
        (("steps", 0, "premises"), [0]),
        (("steps", 0, "premises"), [-1]),
        (("steps", 0, "conclusion"), 10**9),
        (("steps", 0, "conclusion"), True),
        (("terms", 0), ["rat", {"q": "-1"}]),
        (("terms", 0), ["rat", {"q": "1/0"}]),
        (("terms", 0), ["rat", {"q": "1e999999999"}]),
        (("terms", 0), ["rat", {"q": "9" * 100}]),
        (("terms", 0), ["rat", 0.5]),
        (("terms", 0), ["eval", "1"]),
        (("terms", 0), [["rat"], 1]),
        (("terms", 0), ["norm", "2", {"t": 0}]),
        (("statement",), None),
        (("assumptions",), 3),
    ],
)
def test_tampering_is_refused(data, path, value):
    changed = json.loads(json.dumps(data))
    spot = changed
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = value
    with pytest.raises(ProofFormatError):
        from_json(changed)
