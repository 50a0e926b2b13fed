"""Where what waits for the disk is done, so that an event loop runs on meanwhile."""

import asyncio
import functools


async def elsewhere(call, *arguments):
    """Runs what blocks in a thread of the loop's executor; here, where nothing runs a loop."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return call(*arguments)
    return await loop.run_in_executor(None, functools.partial(call, *arguments))


async def others_begin():
    """Lets every task that was made before get as far as its first wait."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    await asyncio.sleep(0)
