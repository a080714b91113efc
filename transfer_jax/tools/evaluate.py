"""Judges trained networks on a prepared data set, such as one that no study has seen.

    python -m transfer_jax.tools.evaluate RUN --data=DIR [--split=test]

Labels are matched by their names. Several members of an arm are judged by the mean of their
probabilities.
"""

import argparse
from pathlib import Path

from transfer_jax import metrics
from transfer_jax.core import files
from transfer_jax.core.errors import ConfigError
from transfer_jax.report import estimates, text_tables
from transfer_jax.runs import (
    external,
    judging,
    layout,
    named_networks,
    predictions,
    summary,
    tables,
)
from transfer_jax.runs.judging import Rule
from transfer_jax.settings import Evaluation, grouping
from transfer_jax.settings.evaluation import THRESHOLDS
from transfer_jax.tools import command

_EXAMPLE = """a RUN is a finished study with one arm (DIR), an arm (DIR:ARM, the mean over its
repeats), a member (DIR:ARM-0), or weights with a card.

examples:
  python -m transfer_jax.tools.evaluate runs/first:pretrained --data=data/other_hospital

  one member by its best weights, by sex and age, each study by its most suspicious view:
  python -m transfer_jax.tools.evaluate runs/first:pretrained-0 --take=best --data=data/chexpert \\
      --per_study --groups=sex,age:40,60 --metrics=auc,sensitivity,specificity --out=table.csv
"""


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("evaluate", __doc__, _EXAMPLE)
    parser.add_argument("run", metavar="RUN", help="DIR, DIR:ARM, DIR:MEMBER, or weights")
    parser.add_argument("--data", type=Path, required=True, help="folder made by tools.prepare")
    parser.add_argument("--split", default="test", help="split of --data (default: %(default)s)")
    parser.add_argument(
        "--take",
        choices=tuple(layout.WEIGHTS),
        default="last",
        help="weights of a study's members (default: %(default)s)",
    )
    parser.add_argument("--network", help="network of weights that do not name it, e.g. resnet50")
    parser.add_argument(
        "--metrics",
        default="auc",
        help=f"names, separated by commas, of {', '.join(metrics.METRICS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--groups",
        default="",
        help="columns, or bands of a number, separated by commas: sex,age:40,60,view",
    )
    parser.add_argument(
        "--threshold",
        choices=THRESHOLDS,
        default=THRESHOLDS[0],
        help="probability from which a label is called positive (default: %(default)s, 0.5)",
    )
    parser.add_argument(
        "--per_study", action="store_true", help="judge studies by the maximum of their images"
    )
    parser.add_argument(
        "--referable", type=int, help="judge the classes from this one on against those below"
    )
    parser.add_argument(
        "--resamples", type=int, default=2000, help="bootstrap resamples (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, help="CSV file to write, with all that is printed")
    parser.add_argument(
        "--predictions", type=Path, help="CSV file (.csv.gz) to write: a row per image"
    )
    return parser


def main() -> None:
    """Judges what the arguments describe."""
    args = _parser().parse_args()
    for path in (args.out, args.predictions):
        if path is not None:
            command.check_new(path)
    names = tuple(name.strip() for name in args.metrics.split(","))
    for name in names:
        metrics.create(name)
    if args.predictions is not None and not args.predictions.name.endswith(".csv.gz"):
        raise ConfigError(f"--predictions={args.predictions} must end in .csv.gz")
    networks = named_networks.open_networks(args.run, args.network, args.take)
    rule = Rule(
        kind=networks.outputs.kind,
        metrics=names,
        referable=args.referable,
        settings=Evaluation(
            threshold=args.threshold,
            groups=grouping.listed(args.groups),
            per_study=args.per_study,
            resamples=args.resamples,
        ),
    )
    external.check_rule(networks, rule)
    table = external.predict(networks, args.data, args.split)
    where = f"{args.split} images of {args.data}"
    judged = judging.judge(table, rule)
    judged = judging.with_thresholds(judged, rule, external.validation(networks, rule, args.take))
    rows = summary.of_arm({0: judged}, rule, where)
    print(f"{networks.title}: {networks.outputs.described()}; {len(table.images)} {where}\n")
    print(text_tables.plain(*estimates.table(rows)))
    if args.predictions is not None:
        predictions.write(args.predictions, table)
    if args.out is not None:
        files.write(args.out, tables.to_csv(rows))
    written = [str(path) for path in (args.out, args.predictions) if path is not None]
    if written:
        print(f"\nwritten: {', '.join(written)}")


if __name__ == "__main__":
    command.run(main)
