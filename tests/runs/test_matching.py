"""Labels and values by name."""

import pytest

from transfer_jax.core.errors import ConfigError
from transfer_jax.runs import matching
from transfer_jax.runs.trained import Outputs


def test_labels_match_whatever_the_case_and_the_spaces():
    found = matching.labels(["Pleural Effusion", "view"], {"pleural_effusion", "view"}, "other")
    assert found == {"Pleural Effusion": "pleural_effusion", "view": "view"}


def test_an_equal_label_goes_before_one_that_is_spelt_otherwise():
    assert matching.labels(["View"], ["view", "View"], "other") == {"View": "View"}
    with pytest.raises(ConfigError, match="may be view or View of data set other"):
        matching.labels(["VIEW"], ["view", "View"], "other")


@pytest.mark.parametrize(
    ("predicted", "names", "numbers"),
    [
        (("AP", "PA"), ["PA", "AP"], {0: 1, 1: 0}),
        (("AP", "PA"), ["pa"], {0: 1}),
        ((), ["PA", "AP"], {0: 0, 1: 1}),
        (("AP", "PA"), None, {0: 0, 1: 1}),
    ],
)
def test_values_get_the_numbers_of_the_network(predicted, names, numbers):
    values = range(len(names or "01"))
    assert matching.numbers("view", predicted, names, values, "other") == numbers


def test_only_values_that_occur_must_be_known():
    assert matching.numbers("view", ("AP", "PA"), ["PA", "lateral"], {0}, "other") == {0: 1}


def test_networks_predict_the_same_where_the_names_that_both_know_are_equal():
    def outputs(*names, kind="binary"):
        return Outputs(kind, ("view",), 1, 1, (("view", names),) if names else ())

    assert outputs("AP", "PA").same(outputs("AP", "PA"))
    assert outputs("AP", "PA").same(outputs())
    assert not outputs("AP", "PA").same(outputs("PA", "AP"))
    assert not outputs().same(outputs(kind="multilabel"))
    assert outputs("AP", "PA").described() == "binary: view (AP, PA) from 1 on"
