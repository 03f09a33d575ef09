"""The pack's root on the path, so that `fresco_core` imports without being installed."""

import sys
from pathlib import Path

import hypothesis

sys.path.insert(0, str(Path(__file__).parents[2]))
hypothesis.settings.register_profile("busy machines", deadline=None)
hypothesis.settings.load_profile("busy machines")
