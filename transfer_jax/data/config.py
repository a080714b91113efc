"""The options of a data set, as the user sets them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from transfer_jax.core import processes
from transfer_jax.core.options import choice, select
from transfer_jax.core.ranges import PositiveInt, Several
from transfer_jax.data.augment import Augmentation

_NO_AUGMENTATION = Augmentation()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phantom:
    """Generated images, see `data.prepare.phantom`.

    Attributes:
      phantom: Which phantom: "fundus", "chest" or "texture".
      size: Height and width of the images, pixels.
      train: Number of training images.
      val: Number of validation images.
      test: Number of test images.
    """

    phantom: str
    size: int
    train: int
    val: int
    test: int | None = None

    def build(self, parent: Path, seed: int) -> Path:
        """Returns the folder of the images; the main process writes it where it is missing.

        Args:
          parent: Folder that holds generated data.
          seed: Seed of the images.
        """
        # Imported here, because settings are imported in a second and without the libraries that
        # write data sets.
        from transfer_jax.data.prepare import phantom, writer
        from transfer_jax.data.prepare.shards import Form

        counts = {"train": self.train, "val": self.val}
        if self.test is not None:
            counts["test"] = self.test
        sizes = "_".join(map(str, counts.values()))
        folder = parent / f"{self.phantom}_{self.size}px_{sizes}_seed{seed}"
        if not folder.exists() and processes.is_main():
            items = list(phantom.items(self.phantom, size=self.size, counts=counts, seed=seed))
            writer.write(
                folder,
                self.phantom,
                items,
                Form(self.size, phantom.channels(self.phantom), encoding="png"),
                source={"phantom": self.phantom, "seed": seed},
                names=phantom.label_names(self.phantom),
            )
        processes.barrier(f"phantom {folder.name}")
        return folder


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreparedFolder:
    """A folder made by tools.prepare.

    Attributes:
      path: The folder.
    """

    path: str

    def build(self, parent: Path, seed: int) -> Path:
        """Returns the folder; the arguments are those of `Phantom.build`."""
        del parent, seed
        return Path(self.path)


KINDS: dict[str, type] = {"phantom": Phantom, "records": PreparedFolder}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """A data set and the task made of it.

    Attributes:
      kind: "phantom" (generated) or "records" (a folder made by tools.prepare).
      phantom: Which phantom: "fundus", "chest" or "texture".
      size: Height and width of a phantom's images, pixels.
      train: Number of a phantom's training images.
      val: Number of a phantom's validation images.
      test: Number of a phantom's test images.
      path: Folder of the records.
      task: "binary", "multilabel" or "multiclass".
      labels: Names of the labels to predict.
      threshold: "binary" only: a label is positive from this value on (default 1).
      referable: "multiclass" only: the networks are judged by the sum of the probabilities of the
        classes from this one on (grades of retinopathy that are referred: 2); by default every
        class is judged against the others.
      uncertain: Policies for uncertain labels, see `data.task.POLICIES`: ("ones",) for all labels,
        ("ignore", "Edema:ones") with another one for Edema.
      predictions: Table made by tools.predict, for labels whose policy is "self_trained".
      balance: Remedy for unbalanced classes: "none", "over" (images of smaller classes come several
        times per epoch), "under" (as many images of every class as the smallest has) or "weights"
        (of the loss).
      subset: Number of training images to use, chosen fairly by patient and class; smaller subsets
        lie within larger ones.
      folds: Number of folds that the training and validation images are dealt into, by patient and
        class; fold r is held out from the training of repeat r.
      held_out: What the fold is that is held out: "test" (the test images; validation images come
        out of the other folds), "split" (a quarter of it validates, the rest tests) or "both" (the
        same images validate and test, which is optimistic).
      allow_patient_overlap: Opens a data set whose splits share patients, to reproduce a paper that
        leaked.
      mode: Where pixels lie during training: "streamed", "mapped" or "resident" (see `data.modes`),
        or "auto".
      augment: Augmentation of the training images.
      preset: Augmentation of a paper instead of `augment`: a name of `data.augment.presets`.
      normalisation: A name of `core.normalisation`, or "own" (mean and standard deviation of the
        set's own training images). By default what the weights of config.source need, where they
        come from a file; otherwise "own".
    """

    kind: str = "phantom"
    phantom: str | None = None
    size: PositiveInt | None = None
    train: PositiveInt | None = None
    val: PositiveInt | None = None
    test: PositiveInt | None = None
    path: str | None = None
    task: str = "binary"
    labels: tuple[str, ...] = ()
    threshold: int | None = None
    referable: PositiveInt | None = None
    uncertain: tuple[str, ...] = ("ignore",)
    predictions: str | None = None
    balance: str = "none"
    subset: PositiveInt | None = None
    folds: Several | None = None
    held_out: str | None = None
    allow_patient_overlap: bool = False
    mode: str = "auto"
    augment: Augmentation = _NO_AUGMENTATION
    preset: str | None = None
    normalisation: str | None = None

    def selected(self) -> Phantom | PreparedFolder:
        """Returns where the images come from: the options of the chosen kind."""
        images: Phantom | PreparedFolder = select(self, KINDS[self.kind])
        return images


CHOICE = choice("kind", KINDS)
