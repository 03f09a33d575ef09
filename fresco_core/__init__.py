"""fresco_core: progressive resolution for diffusion transformers, independent of any host.

One canvas, one noise field (see the README): a sampler's state keeps its full size while the model looks at
it through coarser levels. Reading order: transform, clock, noise, look, detail, schedule, plan, sampling,
then convergence, trace, colours and heatmap; closed_form holds exact denoisers to try them on.
"""

from .clock import FLOW, VE, Flow, Parameterisation, VarianceExploding, recompose
from .convergence import ConvergenceTracker
from .detail import DETAIL_PRIORS, complete
from .look import Margin, coarse_state, look
from .noise import check_finite, hashed_noise
from .plan import Canvas, Plan, PlannedPass, make_plan, plain_plan
from .sampling import flow_sigmas, sample, sample_euler
from .schedule import PRESETS, Look, Pass, Schedule, ScheduleError, parse, preset
from .trace import Evaluation, Trace
from .transform import expand, join, merge, split

__all__ = [
    "DETAIL_PRIORS",
    "FLOW",
    "PRESETS",
    "VE",
    "Canvas",
    "ConvergenceTracker",
    "Evaluation",
    "Flow",
    "Look",
    "Margin",
    "Parameterisation",
    "Pass",
    "Plan",
    "PlannedPass",
    "Schedule",
    "ScheduleError",
    "Trace",
    "VarianceExploding",
    "check_finite",
    "coarse_state",
    "complete",
    "expand",
    "flow_sigmas",
    "hashed_noise",
    "join",
    "look",
    "make_plan",
    "merge",
    "parse",
    "plain_plan",
    "preset",
    "recompose",
    "sample",
    "sample_euler",
    "split",
]
