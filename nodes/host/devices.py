"""The host's threads for several GPUs."""

from __future__ import annotations

POOL = "multigpu_thread_pool"  # of model options, while a run is sampled on several


def settle(model_options: dict) -> None:
    """Wait for what the threads were given, and take what nobody has asked them for.

    Where one of them fails, the host leaves the answers of those behind it, for the next evaluation to take
    for its own.
    """
    pool = model_options.get(POOL)
    if pool is None:
        return
    end = object()
    for device in pool.devices:
        pool.submit(device, lambda: end)
    for device in pool.devices:
        for _ in range(2):  # an answer that was left, if one was, and this one
            if pool.get_result(device)[0] is end:
                break
