"""How often intervals at 95 % hold the true value: data of many simulated studies, whose true
values are known.

Images of a patient share their patient's label mostly, and half of the variance of their scores.
Scores are normal, so that the AUC of a shift m between the classes is Phi(m / sqrt(2)).
"""

import math

import numpy as np
import pytest
from scipy import special, stats

from transfer_jax.stats import bootstrap, delong, paired, subgroups, weighted_auc
from transfer_jax.stats.intervals import Interval

LOWEST, HIGHEST = 0.93, 0.97


def shift(auc):
    return math.sqrt(2) * special.ndtri(auc)


class Images:
    """Images of patients with one to four images each, of whom two in five are ill."""

    def __init__(self, rng, patients):
        self.rng, self.count = rng, patients
        self.patients = np.repeat(np.arange(patients), rng.integers(1, 5, patients))
        ill = (rng.random(patients) < 0.4)[self.patients]
        self.targets = np.where(self.draw(uniform=True) < 0.9, ill, ~ill)
        self.difficulty = self.noise()  # the same for all networks

    def draw(self, uniform=False):
        size = len(self.patients)
        return self.rng.random(size) if uniform else self.rng.standard_normal(size)

    def noise(self):
        of_patient = self.rng.standard_normal(self.count)[self.patients]
        return math.sqrt(0.5) * of_patient + math.sqrt(0.5) * self.draw()

    def scores(self, auc):
        """Scores of a network: half of their variance is that of every other network."""
        own = math.sqrt(0.5) * self.difficulty + math.sqrt(0.5) * self.noise()
        return shift(auc) * self.targets + own


def single(method, patients, auc, clustered=True):
    def covers(rng, resamples):
        images = Images(rng, patients)
        scores = images.scores(auc)
        if method == "delong":
            of = images.patients if clustered else None
            found = delong.interval(delong.areas(scores[None], images.targets, of))
        else:
            found = bootstrap.interval(
                weighted_auc.statistic(scores, images.targets),
                images.patients,
                method=method,
                resamples=resamples,
                seed=int(rng.integers(1 << 31)),
            )
        return found.low <= auc <= found.high

    return covers


def delong_of_single_images(rng, resamples):
    """DeLong's interval where every patient has one image."""
    auc, size = 0.8, 300
    targets = rng.random(size) < 0.3
    scores = rng.standard_normal(size) + shift(auc) * targets
    found = delong.interval(delong.areas(scores[None], targets))
    return found.low <= auc <= found.high


def delong_difference(rng, resamples):
    images = Images(rng, 160)
    scores = np.stack([images.scores(0.85), images.scores(0.8)])
    found = delong.difference(delong.areas(scores, images.targets, images.patients))
    return found.low <= 0.05 <= found.high


def difference_over_images_and_repeats(method):
    def covers(rng, resamples):
        images = Images(rng, 160)
        a, b = (np.stack([images.scores(auc) for auc in of]) for of in ((0.85, 0.88), (0.8, 0.81)))
        seed = int(rng.integers(1 << 31))
        found = paired.auc_difference(
            a, b, images.targets, images.patients, method=method, resamples=resamples, seed=seed
        )
        return found.low <= 0.06 <= found.high

    return covers


def over_repeats(difference):
    """Five networks are trained and judged by the same images; the truth is the mean of 1,000."""
    images = Images(np.random.default_rng(5), 160)

    def aucs(rng, mean, networks):
        images.rng = rng
        drawn = special.ndtr(special.ndtri(mean) + 0.1 * rng.standard_normal(networks))
        scores = np.stack([images.scores(auc) for auc in drawn])
        return delong.areas(scores, images.targets).auc

    def values(rng, networks):
        of_a = aucs(rng, 0.85 if difference else 0.8, networks)
        return of_a - aucs(rng, 0.8, networks) if difference else of_a

    truth = values(np.random.default_rng(6), 1000).mean()

    def covers(rng, resamples):
        of_repeats = values(rng, 5).tolist()
        found = (
            paired.over_repeats(of_repeats, [0.0] * 5) if difference else Interval.of(of_repeats)
        )
        return found.low <= truth <= found.high

    return covers


def gap(*aucs, patients=320):
    """Groups of patients, in turn."""

    def covers(rng, resamples):
        images = Images(rng, patients)
        groups = images.patients % len(aucs)
        scores = images.scores(0.5) + shift(np.array(aucs))[groups] * images.targets
        found = subgroups.auc_gap(
            scores,
            images.targets,
            groups,
            images.patients,
            resamples=resamples,
            seed=int(rng.integers(1 << 31)),
        )
        return found.low <= max(aucs) - min(aucs) <= found.high

    return covers


INTERVALS = {
    "t over repeats": lambda: over_repeats(difference=False),
    "t over repeats, paired": lambda: over_repeats(difference=True),
    "percentile, AUC 0.75, 120 patients": lambda: single("percentile", 120, 0.75),
    "percentile, AUC 0.9, 240 patients": lambda: single("percentile", 240, 0.9),
    "BCa, AUC 0.75, 120 patients": lambda: single("bca", 120, 0.75),
    "BCa, AUC 0.9, 240 patients": lambda: single("bca", 240, 0.9),
    "DeLong, one image per patient": lambda: delong_of_single_images,
    "clustered DeLong, AUC 0.75, 120 patients": lambda: single("delong", 120, 0.75),
    "clustered DeLong, AUC 0.9, 240 patients": lambda: single("delong", 240, 0.9),
    "clustered DeLong, difference": lambda: delong_difference,
    "difference over images and repeats, percentile": lambda: difference_over_images_and_repeats(
        "percentile"
    ),
    "difference over images and repeats, BCa": lambda: difference_over_images_and_repeats("bca"),
    "gap of two groups": lambda: gap(0.85, 0.78),
    "gap of two groups that hardly differ": lambda: gap(0.82, 0.8),
    "gap of three groups": lambda: gap(0.88, 0.82, 0.76),
    "gap of four groups, two of them equal": lambda: gap(0.86, 0.86, 0.82, 0.76),
}


def covered(covers, simulations, resamples):
    rng = np.random.default_rng(0)
    return sum(bool(covers(rng, resamples)) for _ in range(simulations))


@pytest.mark.parametrize("name", [name for name in INTERVALS if "0.9" not in name])
def test_an_interval_holds_the_true_value_about_as_often_as_it_says(name):
    simulations = 100
    count = covered(INTERVALS[name](), simulations, resamples=200)
    # One in a thousand intervals of a coverage between the bounds would be outside of these.
    assert stats.binom.ppf(0.001, simulations, LOWEST) <= count
    assert count <= stats.binom.ppf(0.999, simulations, HIGHEST)


def test_counting_images_of_a_patient_as_independent_is_noticed_here():
    images = single("delong", 120, 0.75, clustered=False)
    assert covered(images, 400, resamples=0) < 400 * LOWEST


def test_equal_groups_have_a_gap_of_zero_in_the_interval():
    count = covered(gap(0.8, 0.8, 0.8), 120, resamples=200)
    assert count >= stats.binom.ppf(0.001, 120, 0.975)


@pytest.mark.long
@pytest.mark.parametrize("name", INTERVALS)
def test_coverage_is_between_93_and_97_percent(name, capsys):
    simulations = 2000
    share = covered(INTERVALS[name](), simulations, resamples=1000) / simulations
    with capsys.disabled():
        print(f"\n{name}: {share:.1%}")
    assert LOWEST <= share <= HIGHEST
