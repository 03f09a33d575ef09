"""fresco_core: progressive resolution for diffusion transformers, independent of any host.

One canvas, one noise field (see the README): a sampler's state keeps its full size while the model looks at
it through coarser levels. Reading order: transform, clock, noise, look, detail, canvas, schedule, grammar,
presets, fitting, grid, plan, settling, sampling; layout, promotion and mixed for steps of fine and coarse
tokens, focus for steps that query some tokens only; then convergence, trace, colours and heatmap; cost tells
what a plan costs on real models; closed_form holds exact denoisers to try it on.
"""

from .canvas import Canvas
from .clock import FLOW, VE, Flow, Parameterisation, VarianceExploding, recompose
from .convergence import ConvergenceTracker
from .detail import DEFAULT_PRIOR, DETAIL_PRIORS, complete
from .focus import FocusDenoiser, KeyValues, focus_look
from .grammar import parse
from .layout import Layout, mixed_layout
from .look import Margin, coarse_state, look
from .mixed import CLOCKS, FRAMES, MixedDenoiser, mixed_look
from .noise import check_finite, hashed_noise
from .plan import Mix, Plan, PlannedPass, make_plan, plain_plan
from .presets import PRESETS, preset
from .promotion import FOCUS_ORDERS, ORDERS, Promoter, Promotion
from .received import AttentiveDenoiser, ReceivedAttention
from .sampling import flow_sigmas, sample, sample_euler
from .schedule import Look, Pass, Schedule, ScheduleError
from .settling import Settling
from .trace import Evaluation, Trace
from .transform import expand, join, merge, split

__all__ = [
    "CLOCKS",
    "FRAMES",
    "DEFAULT_PRIOR",
    "DETAIL_PRIORS",
    "FLOW",
    "FOCUS_ORDERS",
    "ORDERS",
    "PRESETS",
    "VE",
    "AttentiveDenoiser",
    "Canvas",
    "ConvergenceTracker",
    "Evaluation",
    "Flow",
    "FocusDenoiser",
    "KeyValues",
    "Layout",
    "Look",
    "Margin",
    "Mix",
    "MixedDenoiser",
    "Parameterisation",
    "Pass",
    "Plan",
    "PlannedPass",
    "Promoter",
    "Promotion",
    "ReceivedAttention",
    "Schedule",
    "ScheduleError",
    "Settling",
    "Trace",
    "VarianceExploding",
    "check_finite",
    "coarse_state",
    "complete",
    "expand",
    "flow_sigmas",
    "focus_look",
    "hashed_noise",
    "join",
    "look",
    "make_plan",
    "merge",
    "mixed_layout",
    "mixed_look",
    "parse",
    "plain_plan",
    "preset",
    "recompose",
    "sample",
    "sample_euler",
    "split",
]
