"""Weights from the Hugging Face hub, through huggingface_hub (the extra `hub`) and its cache."""

import contextlib
import re
from pathlib import Path

from transfer_jax.core.errors import CheckpointError, ConfigError
from transfer_jax.weights import sharded

PREFIX = "hf://"
_ADDRESS = re.compile(
    r"hf://(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<file>.+))?"
)
# What a repository's weights are called, the first of them that is there; an index names several
# files.
FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def fetch(address: str) -> Path:
    """Returns the local copy of `hf://owner/name[@revision][/file]`.

    Without a file it is the repository's model.safetensors, or else its pytorch_model.bin, or the
    index of either, with all files that the index names. A config.json in the repository is
    fetched, too: it holds the normalisation. Files in the cache are not fetched again.

    Raises:
      ConfigError: It is no such address, or huggingface_hub is not installed.
      CheckpointError: There is no such repository, revision or file, or no network.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ConfigError(
            f"{address!r} is not an address on the hub: write hf://owner/name,"
            " hf://owner/name@revision or hf://owner/name/file"
        )
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise ConfigError(
            f"{address} needs the package huggingface_hub: install it with python -m pip install"
            " -e '.[hub]'"
        ) from error
    repository, revision, file = match["repository"], match["revision"], match["file"]
    file = None
    try:
        for name in (file,) if file else FILES:
            try:
                file = Path(huggingface_hub.hf_hub_download(repository, name, revision=revision))
                break
            except (errors.EntryNotFoundError, errors.LocalEntryNotFoundError) as error:
                missing = error
        if file is None:
            raise CheckpointError(
                f"{address} cannot be had: no {file or ' and no '.join(FILES[::2])} there or in"
                f" the cache ({_first(missing)})"
            )
        if file.name.endswith(".index.json"):
            for shard in sorted(set(sharded.shards(file).values())):
                huggingface_hub.hf_hub_download(repository, shard, revision=revision)
        with contextlib.suppress(
            errors.EntryNotFoundError, errors.LocalEntryNotFoundError
        ):  # not every repository has one
            huggingface_hub.hf_hub_download(repository, "config.json", revision=revision)
        return file
    except (
        errors.HfHubHTTPError,
        errors.HFValidationError,
        errors.OfflineModeIsEnabled,
        OSError,
    ) as error:
        raise CheckpointError(f"{address} cannot be had: {_first(error)}") from error


def _first(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
