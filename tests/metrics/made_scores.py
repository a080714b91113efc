"""Scores to try metrics on, difficult ones included, and what scikit-learn makes of them."""

import numpy as np

from transfer_jax.metrics import Scored

# NaN-free stand-ins of infinities, of the same order and with probabilities of exactly 0 and 1.
HUGE = 1e300


def labels(n, outputs=1, *, seed=0, levels=None, positives=0.3, mask=1.0):
    """Scores of independent labels; `levels` makes ties, `mask` is the share that counts."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0, 3, (n, outputs))
    if levels:
        log_odds = np.round(log_odds * levels) / levels
    return Scored(
        log_odds=log_odds,
        indicators=(rng.random((n, outputs)) < positives).astype(float),
        mask=rng.random((n, outputs)) < mask,
        outputs=tuple(f"label {i}" for i in range(outputs)),
        exclusive=False,
    )


def grades(n, classes=5, *, seed=0, levels=None, present=None, mask=1.0):
    """Scores of exclusive classes: log-odds of a softmax; `present` are classes with images."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, classes))
    if levels:
        logits = np.round(logits * levels) / levels
    truth = rng.choice(classes if present is None else present, n)
    return Scored(
        log_odds=against_rest(logits),
        indicators=np.eye(classes)[truth],
        mask=np.repeat(rng.random((n, 1)) < mask, classes, axis=1),
        outputs=tuple(f"grade={i}" for i in range(classes)),
        exclusive=True,
    )


def against_rest(logits):
    """Each class's logit minus the log of the other classes' summed exponentials."""
    classes = logits.shape[1]
    rest = [np.logaddexp.reduce(np.delete(logits, i, axis=1), axis=1) for i in range(classes)]
    return logits - np.stack(rest, axis=1) if classes > 1 else logits


def changed(scored, **changes):
    """A copy of the scores with some entries replaced: "array" -> (index, value)."""
    arrays = {name: np.array(getattr(scored, name)) for name in ("log_odds", "indicators", "mask")}
    for name, (index, value) in changes.items():
        arrays[name][index] = value
    return Scored(**arrays, outputs=scored.outputs, exclusive=scored.exclusive)


LABELS = {
    "no images": labels(0, 3),
    "no images, one label": labels(0),
    "one image": labels(1, 2),
    "two images": labels(2, 3, seed=3, positives=0.5),
    "one label": labels(50, seed=1),
    "many labels": labels(80, 6, seed=2),
    "ties": labels(60, 3, seed=3, levels=1),
    "all scores equal": changed(labels(20, 2, seed=4), log_odds=((), 0.25)),
    "no positives": changed(labels(30, 3, seed=5), indicators=((slice(None), 1), 0.0)),
    "no negatives": changed(labels(30, 3, seed=6), indicators=((slice(None), 2), 1.0)),
    "no positives at all": labels(30, 2, seed=7, positives=0.0),
    "no negatives at all": labels(30, seed=8, positives=1.0),
    "masked": labels(90, 4, seed=9, mask=0.5),
    "masked column": changed(labels(40, 3, seed=10), mask=((slice(None), 0), False)),
    "all masked": labels(40, 3, seed=11, mask=0.0),
    "NaN": changed(labels(40, 3, seed=12), log_odds=((5, 1), np.nan)),
    "NaN that does not count": changed(
        labels(40, 3, seed=13), log_odds=((5, 1), np.nan), mask=((5, 1), False)
    ),
    "NaN throughout": changed(labels(10, 2, seed=14), log_odds=((), np.nan)),
    "infinite": changed(
        changed(labels(40, 2, seed=15), log_odds=((slice(0, 9), 0), np.inf)),
        log_odds=((slice(5, 20), 1), -np.inf),
    ),
    "extreme": changed(labels(40, 2, seed=16), log_odds=((slice(0, 9), 0), 700.0)),
    "nothing called": changed(labels(30, 2, seed=17), log_odds=((), -4.0)),
    "everything called": changed(labels(30, 2, seed=18), log_odds=((), 4.0)),
    "only infinite": changed(labels(30, 2, seed=19), log_odds=((), np.inf)),
}

GRADES = {
    "no images": grades(0),
    "one image": grades(1),
    "random": grades(90),
    "two classes": grades(60, 2, seed=1),
    "many classes": grades(200, 9, seed=2),
    "ties": grades(120, 7, seed=3, levels=1),
    "missing classes": grades(60, 6, seed=4, present=[1, 3]),
    "one class": grades(30, 4, seed=5, present=[2]),
    "masked": grades(90, 6, seed=6, mask=0.5),
    "all masked": grades(30, seed=7, mask=0.0),
    "NaN": changed(grades(40, seed=8), log_odds=((3, 2), np.nan)),
    "NaN that does not count": changed(
        grades(40, seed=9), log_odds=((3, 2), np.nan), mask=(3, False)
    ),
    "certain": changed(
        changed(grades(40, 7, seed=10), log_odds=(slice(0, 9), -np.inf)),
        log_odds=((slice(0, 9), 1), np.inf),
    ),
    "two certain": changed(
        changed(grades(40, 6, seed=11), log_odds=(slice(0, 9), -np.inf)),
        log_odds=((slice(0, 9), slice(1, 3)), np.inf),
    ),
    "right throughout": changed(
        changed(grades(30, 4, seed=12, present=[1]), log_odds=((), -5.0)),
        log_odds=((slice(None), 1), 5.0),
    ),
}


def counted(scored, index):
    """The finite stand-ins of one column's scores that count, and its truth."""
    rows = scored.mask[:, index]
    return (
        np.nan_to_num(scored.log_odds[rows, index], nan=np.nan, posinf=HUGE, neginf=-HUGE),
        (scored.indicators[rows, index] > 0.5).astype(int),
    )


def whole(scored):
    """The finite stand-ins of the images that count, and their classes."""
    rows = scored.mask.all(axis=1)
    scores = np.nan_to_num(scored.log_odds[rows], nan=np.nan, posinf=HUGE, neginf=-HUGE)
    return scores, scored.indicators[rows].argmax(axis=1)


def by_name(values):
    """(metric, label) -> (value, reason), after checking that NaN and reasons go together."""
    for value in values:
        assert np.isnan(value.value) == bool(value.reason), value
    names = [(value.metric, value.label) for value in values]
    assert len(set(names)) == len(names)
    return {name: (value.value, value.reason) for name, value in zip(names, values, strict=True)}


def check(values, expected):
    """Compares values with (metric, label) -> number, or the reason why there is none."""
    found = by_name(values)
    assert found.keys() == expected.keys()
    for name, number in expected.items():
        value, reason = found[name]
        if isinstance(number, str):
            assert reason == number, name
        else:
            assert value == number or abs(value - number) < 1e-11, (name, value, number, reason)


def over_labels(metric, scored, numbers, supports=None, micro=None):
    """What is expected of a metric with a number, or a reason, per label."""
    if len(numbers) == 1:
        return {(metric, ""): numbers[0]}
    expected = {(metric, ""): mean(numbers)}
    if supports is not None:
        expected[f"{metric}_weighted", ""] = mean(numbers, supports)
        expected[f"{metric}_micro", ""] = micro
    return expected | {(metric, n): v for n, v in zip(scored.outputs, numbers, strict=True)}


def mean(numbers, weights=None):
    defined = [i for i, number in enumerate(numbers) if not isinstance(number, str)]
    if not defined:
        return "; ".join(dict.fromkeys(numbers))
    weights = [1] * len(numbers) if weights is None else weights
    total = sum(weights[i] for i in defined)
    return sum(numbers[i] * weights[i] for i in defined) / total if total else "no positives"
