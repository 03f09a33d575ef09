"""Which schedule to use, judged by runs: distances to the plain sampler, seconds, and what follows from them.

Runs of a host's or of a server's are measured elsewhere; here is what their figures say.
"""

from .distance import LEAST_SIDE, peak_ratio, similarity
from .figures import Bench, Setting, Trial
from .verdict import Recommendation, recommend

__all__ = [
    "LEAST_SIDE",
    "Bench",
    "Recommendation",
    "Setting",
    "Trial",
    "peak_ratio",
    "recommend",
    "similarity",
]
