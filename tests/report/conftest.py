import sys

import pytest


@pytest.fixture
def drawn(monkeypatch):
    """Draws a figure and keeps it: `drawn(function, *args)` returns its axes."""
    from matplotlib import pyplot as plt

    figures = []

    def keep(figure):
        figure.canvas.draw()  # what is laid out badly warns here
        figures.append(figure)
        return b""

    def of(function, *args, **options):
        monkeypatch.setattr(sys.modules[function.__module__], "png", keep)
        function(*args, **options)
        return figures[-1].axes

    yield of
    for figure in figures:
        plt.close(figure)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Run folders with drawn scores, by name, each made once."""
    import made_runs

    folder, runs = tmp_path_factory.mktemp("made"), {}
    few = {"evaluation": {"resamples": 100}}
    options = {
        "binary": ({"repeats": 2}, {"gap": 4.0}),
        "labels": ({"labels": ("Edema", "Mass", "No Finding")}, {"test": False}),
        "grades": ({"labels": ("grade",), "classes": 5, "referable": 2}, {"classes": 5}),
    }

    def of(name):
        if name not in runs:
            of_study, of_scores = options[name]
            study = made_runs.study(**{"metrics": ("auc", "f1"), **few, **of_study})
            runs[name] = made_runs.finished(folder / name, study, **of_scores)
        return runs[name]

    return of
