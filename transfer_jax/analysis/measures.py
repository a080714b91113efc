"""Measures of how similar two activations are, by name, all from the same streamed moments.

Source: Raghu et al. 2017 (SVCCA), Morcos et al. 2018 (PWCCA), Raghu et al. 2019 ("Transfusion",
CCA), Kornblith et al. 2019 (CKA); see `cca`, `variants` and `cka`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from transfer_jax.analysis import cca, cka, result, variants
from transfer_jax.analysis.moments import Moments, Pair
from transfer_jax.analysis.result import CCA, Mean
from transfer_jax.core.errors import AnalysisError
from transfer_jax.core.names import nearest

DEFAULT = "cca"


class Measure(NamedTuple):
    """What a measure is called, and what it is.

    Attributes:
      title: Short name, for axes and headings.
      described: What its values are, for notes.
      dimensions: What the ranks of its sides count.
      trimmed: Whether it has a trimmed mean.
    """

    title: str
    described: str
    dimensions: str
    trimmed: bool


_INDEPENDENT = "linearly independent channels"
MEASURES: Mapping[str, Measure] = {
    "cca": Measure("CCA", "mean canonical correlation (CCA)", _INDEPENDENT, True),
    "svcca": Measure(
        "SVCCA",
        f"mean canonical correlation of the directions that hold {variants.KEEP:.0%} of each "
        "side's variance (SVCCA)",
        "directions that are kept",
        True,
    ),
    "pwcca": Measure(
        "PWCCA",
        "mean canonical correlation, weighted by how much of the activations a direction accounts "
        "for (PWCCA)",
        _INDEPENDENT,
        False,
    ),
    "cka": Measure(
        "CKA", "linear centred kernel alignment (CKA, biased)", "channels that vary", False
    ),
}


def named(name: str) -> Measure:
    """Returns a measure.

    Raises:
      AnalysisError: There is none of that name.
    """
    if name not in MEASURES:
        raise AnalysisError(f"unknown measure {name!r}: {nearest(name, MEASURES)}")
    return MEASURES[name]


def finish_many(
    states: Iterable[Moments],
    measure: str,
    *,
    names: cca.Names | None = None,
    device: bool = False,
) -> list[dict[Pair, CCA | Mean]]:
    """Computes a measure of every pair of every state.

    Args:
      states: Moments, each of any number of pairs.
      measure: Name of the measure.
      names: Names of the sides of a pair, for messages; those of its stages where None.
      device: See `cca.finish`; the other measures are computed on the host, in float64.

    Returns:
      One mapping from pairs to results per state.

    Raises:
      AnalysisError: An unknown measure, a side holds NaN or infinity (it is named), or there are no
        more positions than channels.
    """
    named(measure)
    if measure == "cca":
        return [dict(of) for of in cca.finish_many(states, names=names, device=device)]
    if measure == "svcca":
        return [dict(of) for of in variants.svcca_many(states, names=names)]
    if measure == "pwcca":
        return [dict(of) for of in variants.pwcca_many(states, names=names)]
    return [dict(of) for of in cka.many_from_moments(result.check(states, names), names=names)]
