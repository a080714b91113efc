"""Raw folders for tests of the catalogue."""


def touch(folder, *names):
    """Creates empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
