"""What was compared and how, in words: the end of a comparison's page."""

from __future__ import annotations

import time

from transfer_jax.analysis import measures
from transfer_jax.analysis.layerwise import Sampling
from transfer_jax.compare.pairing import Pairing
from transfer_jax.compare.sides import Side
from transfer_jax.compare.two_runs import Comparison
from transfer_jax.core import platform
from transfer_jax.report import facts
from transfer_jax.runs.trained import Trained


def of_comparison(
    sides: tuple[Side, Side],
    pairing: Pairing,
    comparison: Comparison,
    *,
    sampled: bool,
    measure: str,
    take: str,
    command: str,
    seconds: float,
) -> dict[str, str]:
    """Returns the facts of a comparison, name -> text.

    Args:
      sides: The two sides.
      pairing: Their members and images.
      comparison: What was found.
      sampled: Whether stages were sampled.
      measure: Name of the measure of similarity.
      take: "last" or "best" weights of the members of studies.
      command: Command that was called.
      seconds: Seconds that it took.
    """
    networks = zip("AB", sides, comparison.networks, strict=True)
    texts = {name: _described(side, network) for name, side, network in networks}
    texts["Pairs"] = _pairs(sides, pairing)
    texts["Images"] = f"{pairing.described}; stages on {comparison.images} of them, evenly spread"
    texts["Measure"] = measures.named(measure).described
    if any(side.repeats is not None for side in sides):
        texts["Weights of members"] = (
            "best (lowest validation loss)" if take == "best" else "of the last step"
        )
    texts["Comparison"] = _protocol(comparison.images) if sampled else "every position and channel"
    texts["Machine"] = facts.machine(platform.describe())
    texts["Command"] = command
    texts["Time"] = f"{seconds:.0f} s; {time.strftime('%Y-%m-%d')}"
    return texts


def _pairs(sides: tuple[Side, Side], pairing: Pairing) -> str:
    repeats = {side.repeats for side in sides if side.repeats is not None}
    text = f"{len(pairing.positions)}" + (", by repeat" if repeats else "")
    if len(repeats) > 1:
        text += (
            f"; of {max(repeats)} repeats of one side the last {max(repeats) - min(repeats)} have "
            "no partner and are left out"
        )
    return text


def _protocol(images: int) -> str:
    protocol = Sampling(images)
    return (
        f"sampled as by Juodelyte et al. 2023: {protocol.positions:,} positions and "
        f"{protocol.channels} channels, mean of {protocol.repeats} draws, seed {protocol.seed}"
    )


def _described(side: Side, network: Trained) -> str:
    card = network.card
    options = "".join(f", {name}={value}" for name, value in card.options.items())
    data = f"; trained on {card.data}" if card.data else ""
    named = side.named
    if side.repeats is not None:
        named += f" (repeat 0 is {network.where})"
    normalisation = f"{card.normalisation.name} ({card.normalisation_from})"
    return (
        f"{named}: {network.network}{options}, layout {card.layout}{data}; "
        f"normalisation {normalisation}"
    )
