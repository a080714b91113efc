"""Dealing that tries to put every label into every split: iterative stratification by patient.

After Sechidis, Tsoumakas and Vlahavas (ECML PKDD 2011): the class with the fewest patients is
dealt first, each patient to the split that is furthest behind in that class. Two things are added.
The last patients of a class go to the splits that lack it, as long as these have room. And where
patients with several classes have left a split without one, patients are moved.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from transfer_jax.core.errors import DataError
from transfer_jax.data import splits
from transfer_jax.data.items import MISSING, UNCERTAIN

MOST_VALUES = 20  # a label with more values, such as an age, is a measurement and not a class
_TOLERANCE = 0.01  # of all images, by which a split may outgrow its share for the sake of a class


def classes(
    labels: Mapping[str, Int[np.ndarray, " n"]],
) -> dict[tuple[str, int], Bool[np.ndarray, " n"]]:
    """Returns the classes that labels make: (label, value) -> which images have it.

    Args:
      labels: Label -> values of the images, which may be missing or uncertain.

    Returns:
      Every value of every label that has two to `MOST_VALUES` values.
    """
    members: dict[tuple[str, int], Bool[np.ndarray, " n"]] = {}
    for label, values in labels.items():
        kinds = sorted(set(values.tolist()) - {MISSING, UNCERTAIN})
        if 2 <= len(kinds) <= MOST_VALUES:
            members |= {(label, kind): values == kind for kind in kinds}
    return members


def deal(
    count: int,
    shares: Mapping[str, float],
    seed: int = 0,
    *,
    patients: splits.Labels | None = None,
    members: Sequence[Bool[np.ndarray, " n"]],
) -> Shaped[np.ndarray, " n"]:
    """Deals every image to a split, so that every class is in every split where that is possible.

    Args:
      count: Number of images, n.
      shares: Split -> fraction of the images, adding up to 1.
      seed: Seed of the shuffle; the same one gives the same splits.
      patients: Patient of every image, whose images stay together; None if every image has its
        own.
      members: Per class, which images are in it. An image may be in several classes or in none.

    Returns:
      The names of the splits, [n].

    Raises:
      DataError: The shares are not positive or do not add up to one, or there are fewer patients
        than splits.
    """
    splits.check_shares(shares)
    groups, images = splits.groups(count, patients)
    if len(images) < len(shares):
        raise DataError(splits.too_few(len(images), len(shares), "split", patients is not None))
    content = np.zeros((len(images), len(members)))
    for i, member in enumerate(members):
        content[:, i] = np.bincount(groups, weights=member, minlength=len(images))
    sizes = np.array([len(each) for each in images], float)
    fractions = np.array(list(shares.values()))
    parts = _dealt(content, sizes, fractions, np.random.default_rng(seed))
    _repair(parts, content, sizes, fractions)
    return np.asarray(list(shares))[parts[groups]]


def _dealt(
    content: Float[np.ndarray, "g c"],
    sizes: Float[np.ndarray, " g"],
    shares: Float[np.ndarray, " s"],
    rng: np.random.Generator,
) -> np.ndarray:
    """Returns the part of every group; `content` counts a group's images per class."""
    room = shares[:, None] * content.sum(0)  # images of each class that each part still wants
    places = shares * sizes.sum()
    has = np.zeros_like(room, bool)
    parts = np.full(len(sizes), -1)
    order = rng.permutation(len(sizes))
    # Small groups come last: they fill up what is left.
    order = order[np.argsort(-sizes[order], kind="stable")]

    def put(group: int, part: int) -> None:
        parts[group] = part
        room[part] -= content[group]
        places[part] -= sizes[group]
        has[part] |= content[group] > 0

    slack = max(_TOLERANCE * sizes.sum(), 1.0)
    pending = (content > 0).sum(0)
    while pending.any():
        rarest = int(np.where(pending > 0, pending, np.iinfo(pending.dtype).max).argmin())
        undealt = order[(content[order, rarest] > 0) & (parts[order] < 0)]
        for i, group in enumerate(undealt):
            lacking = np.flatnonzero(
                ~has[:, rarest] & ((places > 0) | (places + slack >= sizes[group]))
            )
            if lacking.size and len(undealt) - i <= lacking.size:
                put(int(group), int(lacking[shares[lacking].argmax()]))
            else:
                put(int(group), _furthest_behind(room[:, rarest], places))
        pending = ((content > 0) & (parts < 0)[:, None]).sum(0)
    for group in order[parts[order] < 0]:
        put(int(group), int(places.argmax()))
    return parts


def _furthest_behind(room: Float[np.ndarray, " s"], places: Float[np.ndarray, " s"]) -> int:
    """Returns the part that lacks most images of a class, and among equals has most places left."""
    best = np.flatnonzero(room >= room.max() - 1e-9)
    return int(best[places[best].argmax()])


def _repair(
    parts: Int[np.ndarray, " g"],
    content: Float[np.ndarray, "g c"],
    sizes: Float[np.ndarray, " g"],
    shares: Float[np.ndarray, " s"],
) -> None:
    """Moves groups to parts that lack a class, where no other part loses its last of a class."""
    has_class = content > 0
    holders = np.stack([has_class[parts == part].sum(0) for part in range(len(shares))])
    filled = np.bincount(parts, weights=sizes, minlength=len(shares))
    most = shares * sizes.sum() + max(_TOLERANCE * sizes.sum(), 1.0)
    for kind in np.argsort(has_class.sum(0), kind="stable"):
        for part in np.flatnonzero(holders[:, kind] == 0):
            spare = [
                g
                for g in np.flatnonzero(has_class[:, kind])
                if (holders[parts[g], has_class[g]] > 1).all()
                and filled[part] + sizes[g] <= most[part]
            ]
            if not spare:
                continue
            group = min(spare, key=lambda g: sizes[g])
            holders[parts[group]] -= has_class[group]
            holders[part] += has_class[group]
            filled[parts[group]] -= sizes[group]
            filled[part] += sizes[group]
            parts[group] = part
