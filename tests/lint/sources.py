"""sources.py - the files of the tree that somebody wrote."""

import os


def sources(root, *endings):
    """Paths from the root of every file of these endings but those that a build has made."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "build")))
        found += [os.path.relpath(os.path.join(folder, name), root) for name in files if name.endswith(endings)]
    return sorted(found)
