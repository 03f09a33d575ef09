"""fresco_core: progressive resolution for diffusion transformers, independent of any host.

One canvas, one noise field (see the README): a sampler's state keeps its full size while the model looks at
it through coarser levels. Rooms, in reading order: canvas (what the sampler holds), look (how the model sees
it), schedule (what was asked for, and the plan that it becomes), course (the engine: which look each
evaluation gets), trace and sampling. Apart from the method: text (schedules, plans and traces in words), view
(pictures of a run), cost (what a plan costs on real models), bench (what Fresco Bench measures and
recommends), demo (trained models to try it on).
"""

from .canvas.edge import Margin
from .canvas.haar import expand, merge, split
from .canvas.noise_field import check_finite, hashed_noise
from .canvas.noise_level import FLOW, VE, Flow, Parameterisation, VarianceExploding, recompose
from .canvas.size import Canvas
from .course import Course
from .look.convergence import ConvergenceTracker
from .look.dense import DenseLook, coarse_state, dense_look
from .look.mixed import MixedDenoiser, MixedLook, mixed_look
from .look.promotion import ORDERS, Promoter
from .look.spectral import SpectralRule
from .look.token_layout import Layout, mixed_layout
from .sampling import flow_sigmas, sample
from .schedule.plan import Plan, PlannedPass, plain_plan
from .schedule.planning import make_plan
from .schedule.schedule import Schedule
from .schedule.steps import Step
from .schedule.wording import ScheduleError
from .text.grammar import parse
from .text.presets import PRESETS, preset
from .trace import Evaluation, Trace

__all__ = [
    "FLOW",
    "ORDERS",
    "PRESETS",
    "VE",
    "Canvas",
    "ConvergenceTracker",
    "Course",
    "DenseLook",
    "Evaluation",
    "Flow",
    "Layout",
    "Margin",
    "MixedDenoiser",
    "MixedLook",
    "Parameterisation",
    "Plan",
    "PlannedPass",
    "Promoter",
    "Schedule",
    "ScheduleError",
    "SpectralRule",
    "Step",
    "Trace",
    "VarianceExploding",
    "check_finite",
    "coarse_state",
    "dense_look",
    "expand",
    "flow_sigmas",
    "hashed_noise",
    "make_plan",
    "merge",
    "mixed_layout",
    "mixed_look",
    "parse",
    "plain_plan",
    "preset",
    "recompose",
    "sample",
    "split",
]
