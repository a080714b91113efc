"""Splits as pure functions of arrays and a seed: stratified, by patient, or both; folds; subsets.

`patients` groups images: a patient is never in two parts. `strata` is a class per image, whose
shares are kept in every part. Either may be left out. By patient and stratified at once cannot be
exact: patients are dealt, the largest first, each to the part that is furthest behind in the
classes that the patient has.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int, Shaped

from transfer_jax.core.errors import DataError

Labels = Sequence[str] | Sequence[int] | Shaped[np.ndarray, " n"]


def deal(
    count: int,
    shares: Mapping[str, float],
    seed: int = 0,
    *,
    patients: Labels | None = None,
    strata: Labels | None = None,
) -> Shaped[np.ndarray, " n"]:
    """Deals every image to a split.

    Args:
      count: Number of images, n.
      shares: Split -> fraction of the images, adding up to 1.
      seed: Seed of the shuffle.
      patients: Patient of every image; a patient's images stay together.
      strata: Class of every image; shares of classes are kept.

    Returns:
      The names of the splits, [n].

    Raises:
      DataError: The shares are not positive or do not add up to one, or there are fewer patients
        than splits.
    """
    check_shares(shares)
    return np.asarray(list(shares))[
        _parts(count, np.asarray(list(shares.values())), seed, patients, strata, "split")
    ]


def folds(
    count: int,
    k: int,
    seed: int = 0,
    *,
    patients: Labels | None = None,
    strata: Labels | None = None,
) -> Int[np.ndarray, " n"]:
    """Returns the fold of every image, 0 to k - 1; the other arguments are those of `deal`.

    Raises:
      DataError: There are fewer than two folds, or fewer patients (images) than folds.
    """
    if k < 2:
        raise DataError(f"{k} folds cannot be made: at least 2")
    return _parts(count, np.full(k, 1 / k), seed, patients, strata, "fold")


def fold(
    number: Int[np.ndarray, " n"],
    held_out: int,
    shares: Mapping[str, float],
    seed: int = 0,
    *,
    patients: Labels | None = None,
    strata: Labels | None = None,
) -> Shaped[np.ndarray, " n"]:
    """Returns splits that train on all folds but one, and deal that one by `shares`.

    `{"val": 1.0}` is plain cross-validation; five folds and `{"val": 0.25, "test": 0.75}` are the
    80/5/15 of Juodelyte et al.'s later code.

    Args:
      number: Fold of every image, from `folds`.
      held_out: The fold that is not trained on.
      shares: Split -> fraction of the held-out images.
      seed: Seed of the shuffle within the held-out fold.
      patients: See `deal`.
      strata: See `deal`.
    """
    out = number == held_out
    kept = [None if labels is None else np.asarray(labels)[out] for labels in (patients, strata)]
    dealt = deal(int(out.sum()), shares, seed, patients=kept[0], strata=kept[1])
    names = np.full(len(number), "train", dtype=np.result_type(dealt, np.asarray("train")))
    names[out] = dealt
    return names


def nested(
    count: int, seed: int = 0, *, patients: Labels | None = None, strata: Labels | None = None
) -> Int[np.ndarray, " n"]:
    """Returns an order of the images of which every beginning is a fair subset.

    The first 500 are among the first 5,000 (Raghu et al.'s small-data study). A patient's images
    are neighbours in it. The arguments are those of `deal`; with both, a patient's class is that
    of most of the patient's images.
    """
    rng = np.random.default_rng(seed)
    group_of, members = groups(count, patients)
    classes = np.zeros(len(members), int)
    if strata is not None:
        codes = np.unique(np.asarray(strata), return_inverse=True)[1]
        classes = np.array([np.bincount(codes[m]).argmax() for m in members])
    place = np.empty(len(members))
    for value in np.unique(classes):
        in_class = rng.permutation(np.flatnonzero(classes == value))
        steps = np.arange(len(in_class)) + rng.uniform(size=len(in_class))
        place[in_class] = steps / len(in_class)
    return np.argsort(place[group_of], kind="stable")


def wen_yap(race: Labels, seed: int = 1126) -> Shaped[np.ndarray, " n"]:
    """Returns the split of Wen & Yap, section 4.4: a tenth for the test, then 70/30 of the rest.

    It is stratified by race and blind to patients, who land in several parts: it exists to
    reproduce what they measured and should not be used otherwise.
    """
    parts = deal(len(race), {"train": 0.9, "test": 0.1}, seed, strata=race)
    rest = parts == "train"
    parts[rest] = deal(
        int(rest.sum()), {"train": 0.7, "val": 0.3}, seed, strata=np.asarray(race)[rest]
    )
    return parts


def overlap(patients: Labels, parts: Labels) -> dict[str, list[str]]:
    """Returns patient -> parts, for patients in several parts; both in alphabetical order."""
    names, who = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    places, where = np.unique(np.asarray(parts, dtype=str), return_inverse=True)
    is_in = np.zeros((len(names), len(places)), bool)
    is_in[who, where] = True
    return {str(names[i]): places[is_in[i]].tolist() for i in np.flatnonzero(is_in.sum(1) > 1)}


def check_shares(shares: Mapping[str, float]) -> None:
    """Checks the shares of splits.

    Raises:
      DataError: The shares are not positive or do not add up to one.
    """
    if not shares or not abs(sum(shares.values()) - 1) <= 1e-6 or min(shares.values()) <= 0:
        raise DataError(
            f"shares of the splits must be positive and add up to 1, not {dict(shares)}"
        )


def too_few(count: int, parts: int, what: str, of_patients: bool) -> str:
    """Returns the message that there are fewer patients (or images) than splits or folds."""
    return f"{count} {'patients' if of_patients else 'images'} cannot be dealt to {parts} {what}s"


def groups(
    count: int, patients: Labels | None
) -> tuple[Int[np.ndarray, " n"], list[Int[np.ndarray, " m"]]]:
    """Returns the group of every image, and the images of every group.

    A group is a patient; without patients every image is a group of its own.
    """
    if patients is None or not count:
        return np.arange(count), list(np.arange(count)[:, None])
    codes = np.unique(np.asarray(patients, dtype=str), return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    return codes, np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _parts(
    count: int,
    shares: np.ndarray,
    seed: int,
    patients: Labels | None,
    strata: Labels | None,
    what: str,
) -> Int[np.ndarray, " n"]:
    rng = np.random.default_rng(seed)
    codes = (
        np.zeros(count, int)
        if strata is None
        else np.unique(np.asarray(strata), return_inverse=True)[1]
    )
    group_of, members = groups(count, patients)
    if len(members) < len(shares):
        raise DataError(too_few(len(members), len(shares), what, patients is not None))
    if patients is None:
        return _stratified(codes, shares, rng)
    content = np.zeros((len(members), codes.max(initial=0) + 1))
    np.add.at(content, (group_of, codes), 1)
    return _grouped(content, shares, rng)[group_of]


def _stratified(
    codes: np.ndarray, shares: np.ndarray, rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """Cuts every class by the shares; what rounding leaves goes to the parts furthest behind."""
    parts = np.empty(len(codes), int)
    behind = np.zeros(len(shares))
    for value in np.unique(codes):
        in_class = rng.permutation(np.flatnonzero(codes == value))
        exact = shares * len(in_class)
        sizes = np.floor(exact).astype(int)
        behind += exact - sizes
        for _ in range(len(in_class) - sizes.sum()):
            part = int(behind.argmax())
            sizes[part] += 1
            behind[part] -= 1
        parts[in_class] = np.repeat(np.arange(len(shares)), sizes)
    return parts


def _grouped(
    content: np.ndarray, shares: np.ndarray, rng: np.random.Generator
) -> Int[np.ndarray, " g"]:
    """Returns the part of every group; `content` [groups, classes] counts a group's images per
    class.
    """
    room = shares[:, None] * np.maximum(content.sum(0), 1)
    filled, parts = np.zeros_like(room), np.empty(len(content), int)
    shuffled = rng.permutation(len(content))
    for group in shuffled[np.argsort(-content[shuffled].sum(1), kind="stable")]:
        part = int(((filled / room) @ content[group]).argmin())
        filled[part] += content[group]
        parts[group] = part
    return parts
