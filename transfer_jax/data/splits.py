"""Splits as pure functions of arrays and a seed; a patient is never in two parts."""

from collections.abc import Mapping, Sequence

import numpy as np

from transfer_jax.core.errors import DataError


def by_patient(patients: Sequence[str], shares: Mapping[str, float], seed: int = 0) -> list[str]:
    """Gives every image the split of its patient.

    Patients are shuffled by the seed and dealt out in order, each to the split that is furthest behind its share of images.

    Args:
      patients: one name per image.
      shares: split -> fraction of the images, adding up to 1.
      seed: of the shuffle.

    Returns:
      One split per image.

    Raises:
      DataError: the shares do not add up to one, or there are fewer patients than splits.
    """
    if abs(sum(shares.values()) - 1) > 1e-6 or min(shares.values()) <= 0:
        raise DataError(f"shares of the splits must be positive and add up to 1, not {dict(shares)}")
    names, counts = np.unique(np.asarray(patients, dtype=str), return_counts=True)
    if len(names) < len(shares):
        raise DataError(f"{len(names)} patients cannot be dealt to {len(shares)} splits")
    filled = dict.fromkeys(shares, 0)
    home = {}
    for i in np.random.default_rng(seed).permutation(len(names)):
        split = min(shares, key=lambda s: filled[s] / shares[s])
        home[str(names[i])] = split
        filled[split] += int(counts[i])
    return [home[str(patient)] for patient in patients]
