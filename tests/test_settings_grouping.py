"""Groups of images: by the values of a column, or by bands of a number."""

import numpy as np
import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.settings import grouping
from transfer_jax.settings.grouping import Grouping

COLUMNS = {
    "sex": np.array(["F", "M", "", "F"]),
    "age": np.array(["39", "040Y", "59.5", "60"]),
    "view": np.array(["PA", "AP", "PA", "lateral"]),
}


def test_every_value_is_a_group():
    groups = Grouping.parse("sex").assign(COLUMNS, "here")
    assert groups.tolist() == ["sex=F", "sex=M", "", "sex=F"]


def test_bands_include_their_lower_bound():
    groups = Grouping.parse("age:40,60").assign(COLUMNS, "here")
    assert groups.tolist() == ["age=below 40", "age=40-60", "age=40-60", "age=60 and over"]


@pytest.mark.parametrize("text", ["", ":40", "age:", "age:60,40", "age:40,40", "age:old"])
def test_what_is_no_grouping_is_told(text):
    with pytest.raises(ConfigError, match="neither a column"):
        Grouping.parse(text)


def test_a_column_that_is_not_there_is_told():
    with pytest.raises(ConfigError, match="did you mean 'sex'"):
        Grouping.parse("sexx").assign(COLUMNS, "test images of set")
    with pytest.raises(ConfigError, match="--keep=sex"):
        Grouping.parse("sex").assign({}, "test images of set")


def test_bands_of_words_are_told():
    with pytest.raises(ConfigError, match="view = 'PA', which is no number"):
        Grouping.parse("view:1").assign(COLUMNS, "test images of set")


@pytest.mark.parametrize(
    ("text", "groupings"),
    [
        ("", ()),
        ("sex", ("sex",)),
        ("sex, view", ("sex", "view")),
        ("sex,age:40,60,view", ("sex", "age:40,60", "view")),
        ("sex;age:40,60;view", ("sex", "age:40,60", "view")),
        ("shift:-1,0.5", ("shift:-1,0.5",)),
        ("sex,60", ("sex", "60")),
        (",5", ("5",)),
        ("sex,", ("sex", "")),
    ],
)
def test_a_list_on_a_command_line(text, groupings):
    assert grouping.listed(text) == groupings
