"""Options of an initialiser by its signature."""

from typing import Annotated

import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.inits import signatures
from transfer_jax.inits.signatures import Words

Size = Annotated[str, Words(("small", "large"), reading_source=("large",))]


@signatures.check_words
def toy(
    key, variables, source=None, *, stage: str, size: Size = "small", shape: Size | None = None
):
    return stage, size, shape


def test_keyword_only_parameters_are_the_options_in_their_order():
    assert signatures.options(toy) == ("stage", "size", "shape")
    assert signatures.reads(toy) == (frozenset({"stage"}), frozenset({"size", "shape"}))


def test_words_are_found_and_checked_at_every_call():
    assert {option: words.known for option, words in signatures.words(toy).items()} == {
        "size": ("small", "large"),
        "shape": ("small", "large"),
    }
    assert toy(0, 1, stage="anything") == ("anything", "small", None)
    assert toy(0, 1, stage="x", size="large", shape="small") == ("x", "large", "small")
    for option in ("size", "shape"):
        with pytest.raises(ConfigError, match=f"unknown {option}='larg': did you mean 'large'"):
            toy(0, 1, stage="x", **{option: "larg"})
    with pytest.raises(ConfigError, match="unknown size=None"):
        toy(0, 1, stage="x", size=None)  # None is no default here


def test_positional_arguments_are_checked_too():
    @signatures.check_words
    def draw(size: Size) -> str:
        return size

    assert draw("small") == "small"
    with pytest.raises(ConfigError, match="unknown size='x'"):
        draw("x")


def test_a_source_without_a_default_is_needed():
    assert signatures.needs_source(lambda key, variables, source: variables, {})
    assert not signatures.needs_source(toy, {})
    assert not signatures.needs_source(toy, {"size": "small"})
    assert signatures.needs_source(toy, {"shape": "large"})
