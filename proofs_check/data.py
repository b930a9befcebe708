"""Inputs to measure at: handwritten digits that come with scikit-learn, or a file of one's own."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Inputs = NDArray[np.float64]

PIXELS = 64  # scikit-learn's digits are 8 by 8
_PROJECTION_SEED = 0


class InputError(ValueError):
    """Inputs that cannot be used; the message says what was given and what is needed."""


def digits(count: int, dim: int = PIXELS) -> Inputs:
    """Handwritten digits, each normalised to ``|x|^2 = dim``.

    Args:
        count: how many, at least 1; the first ones of the data set, which cycle through the ten
            classes.
        dim: the input dimension. 64 is the digits' own; for any other they are mapped by one fixed
            Gaussian matrix, the same for every call.

    Returns:
        Shape ``(count, dim)``, float64.

    Raises:
        InputError: more digits are asked for than there are, or ``dim`` is not positive.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository (1998), as shipped with scikit-learn.
    """
    data = _pixels()
    if not 1 <= count <= len(data):
        msg = f"{count} digits were asked for; give a number from 1 to {len(data)}"
        raise InputError(msg)
    if dim < 1:
        msg = f"the input dimension {dim} is not positive"
        raise InputError(msg)
    chosen = data[:count]
    if dim != PIXELS:
        random = np.random.default_rng(_PROJECTION_SEED)
        chosen = chosen @ random.standard_normal((PIXELS, dim))
    return normalised(chosen)


@cache
def _pixels() -> Inputs:
    """All digits of the data set, shape ``(1797, 64)``."""
    from sklearn.datasets import load_digits

    return np.asarray(load_digits().data, dtype=np.float64)


def normalised(inputs: ArrayLike) -> Inputs:
    """Each row scaled to ``|x|^2 = d``; a row of zeros stays.

    Args:
        inputs: shape ``(n, d)``.

    Returns:
        Shape ``(n, d)``, float64.
    """
    rows = np.asarray(inputs, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows * np.sqrt(rows.shape[1]) / np.where(lengths > 0, lengths, 1.0)


def read(path: str | os.PathLike[str]) -> Inputs:
    """Inputs from a file: ``.npy``, or numbers separated by commas or blanks, one input a line.

    They are used as they are, without normalisation.

    Returns:
        Shape ``(n, d)``, float64.

    Raises:
        InputError: naming the file and what is wrong with it.
    """
    where = Path(path)
    try:
        if where.suffix == ".npy":
            found: Any = np.load(where, allow_pickle=False)
        else:
            text = where.read_text(encoding="utf-8").replace(",", " ")
            found = [[float(word) for word in line.split()] for line in text.splitlines() if line]
    except (OSError, ValueError) as error:
        msg = f"inputs {os.fspath(path)!r}: {error}; give a .npy file or lines of numbers"
        raise InputError(msg) from error
    try:
        return checked(found)
    except InputError as error:
        msg = f"inputs {os.fspath(path)!r}: {error}"
        raise InputError(msg) from error


def checked(inputs: ArrayLike, dim: int | None = None) -> Inputs:
    """Inputs as an array of shape ``(n, d)``, after a look at it.

    Args:
        inputs: shape ``(d,)`` for one input, or ``(n, d)``.
        dim: the input dimension of the network, where it is known.

    Raises:
        InputError: another shape, no input at all, or an entry that is not a finite number.
    """
    try:
        rows = np.atleast_2d(np.asarray(inputs, dtype=np.float64))
    except (TypeError, ValueError) as error:
        msg = f"not an array of numbers of shape (n, d): {error}"
        raise InputError(msg) from error
    if rows.ndim != 2 or not rows.size:
        msg = f"got inputs of shape {np.shape(inputs)}; give (d,) or (n, d), n and d at least 1"
        raise InputError(msg)
    if dim is not None and rows.shape[1] != dim:
        msg = f"got inputs of dimension {rows.shape[1]}; this network takes {dim}"
        raise InputError(msg)
    if not np.all(np.isfinite(rows)):
        row = int(np.argwhere(~np.isfinite(rows))[0][0])
        msg = f"input {row} has an entry that is infinite or not a number"
        raise InputError(msg)
    return rows
