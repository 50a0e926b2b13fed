"""The logger `knackdb`: where a call that says False says why, and the store's own thread what happened."""

import logging

logger = logging.getLogger("knackdb")
logger.addHandler(logging.NullHandler())


def log(level, message):
    """For the extension."""
    logger.log(level, "%s", message)
